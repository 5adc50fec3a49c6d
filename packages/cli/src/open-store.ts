import type { FailpointModule, Store } from '@worldline/ports';
import { openSqliteStore, type SqliteStoreOptions } from '@worldline/store-sqlite';
import { stopWith } from './failure.ts';
import { makeFolder } from './folder.ts';

/** Opens the store of a world that exists; nothing is created, locked or written. */
export function openReadOnly(dir: string): Promise<Store> {
  return open(dir, { readOnly: true });
}

/** Opens a store for writing, and makes it when there is none. */
export function openForWriting(dir: string, failpoints?: FailpointModule): Promise<Store> {
  return open(dir, { readOnly: false, failpoints });
}

const HINTS: Readonly<Record<string, string>> = {
  'store.missing':
    'is this the folder of the store? It is .worldline/store unless --store or worldline.host.json says otherwise',
  'store.foreign': 'name the folder of a store with --store <dir>',
  'store.older': 'run any command that writes to this world once: it brings the store to the format of this release',
  'store.newer': 'use the release of worldline that wrote it, or a later one',
  'store.read_only': 'check the permissions of the folder, or name another one with --store <dir>',
  'store.unavailable': 'check that the folder exists and can be read and written',
};

/** @throws CommandError with the store's own code: `store.missing`, `store.read_only`, `store.foreign`, … */
async function open(dir: string, options: SqliteStoreOptions): Promise<Store> {
  if (options.readOnly !== true) makeFolder(dir, 0o700);
  const opened = await openSqliteStore(dir, options);
  if (opened.ok) return opened.value;
  const { failure } = opened;
  return stopWith({ ...failure, hint: failure.hint ?? HINTS[failure.code] });
}
