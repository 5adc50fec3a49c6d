import type { Store } from '@worldline/ports';
import { openSqliteStore } from '@worldline/store-sqlite';
import { stopWith } from './failure.ts';

/** Opens the store of a world that exists; nothing is created, locked or written. */
export function openReadOnly(dir: string): Promise<Store> {
  return open(dir, true);
}

/** Opens a store for writing, and makes it when there is none. */
export function openForWriting(dir: string): Promise<Store> {
  return open(dir, false);
}

/** @throws CommandError with the store's own code: `store.missing`, `store.read_only`, `store.foreign`, … */
async function open(dir: string, readOnly: boolean): Promise<Store> {
  const opened = await openSqliteStore(dir, { readOnly });
  return opened.ok ? opened.value : stopWith(opened.failure);
}
