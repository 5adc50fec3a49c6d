import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { toHex, unwrap } from '@worldline/canon';
import type { Store } from '@worldline/ports';
import { type MakeStore, VirtualClock } from '@worldline/testkit';
import { openSqliteStore } from '../src/index.ts';

/** @param options.onDisk - for what survives a crash; meaning alone is tested faster in memory. */
export function temporaryFolder(options: { readonly onDisk?: boolean } = {}): { readonly dir: string; remove(): void } {
  const base = options.onDisk === true || !existsSync('/dev/shm') ? tmpdir() : '/dev/shm';
  const dir = mkdtempSync(join(base, 'worldline-store-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** A second look at the file, past the store. */
export function tamper(dir: string, change: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(join(dir, 'worldline.db'));
  try {
    db.exec('PRAGMA busy_timeout = 5000');
    change(db);
  } finally {
    db.close();
  }
}

export const makeSqliteStore: MakeStore = async (options) => {
  const folder = temporaryFolder();
  const clock = new VirtualClock();
  const opened: Store[] = [];
  const open = async () => {
    const store = unwrap(await openSqliteStore(folder.dir, { clock, ...options }));
    opened.push(store);
    return store;
  };
  return {
    store: await open(),
    clock,
    another: open,
    async reopen() {
      await Promise.all(opened.splice(0).map((store) => store.close()));
      return open();
    },
    async corruptObject(hash) {
      tamper(folder.dir, (db) => {
        const row = db.prepare('SELECT bytes FROM objects WHERE hash = ?').get(hash);
        if (row === undefined) throw new RangeError('no such object');
        if (row.bytes instanceof Uint8Array) {
          row.bytes[0]! ^= 1;
          db.prepare('UPDATE objects SET bytes = ? WHERE hash = ?').run(row.bytes, hash);
          return;
        }
        const path = join(folder.dir, 'objects', toHex(hash).slice(0, 2), toHex(hash));
        const bytes = readFileSync(path);
        bytes[0]! ^= 1;
        writeFileSync(path, bytes);
      });
    },
    async removeBatch(worldId, firstSeq) {
      tamper(folder.dir, (db) => {
        const world = db.prepare('SELECT w FROM worlds WHERE world_id = ?').get(worldId);
        const sql = 'DELETE FROM batches WHERE id >> 40 = ? AND first_seq = ? AND last_seq >= first_seq';
        const { changes } = db.prepare(sql).run(world?.w ?? null, firstSeq);
        if (changes !== 1) throw new RangeError(`no batch begins at ${firstSeq}`);
      });
    },
    async close() {
      await Promise.all(opened.map((store) => store.close()));
      folder.remove();
    },
  };
};
