import { bytesEqual } from '@worldline/canon';
import type { StoredObject } from '@worldline/ports';
import { laterNs } from './instant.ts';
import { removeObjectFile, sha256, writeObjectFile } from './object-file.ts';
import type { Tx } from './write-tx.ts';

/** How long a stored object stays young after it was asked for again. */
const RENEW_NS = 3_600_000_000_000n;

export type ObjectsAnswer =
  | { readonly answer: 'ok' }
  | { readonly answer: 'invalid'; readonly reason: 'hash_mismatch' }
  | { readonly answer: 'too_large' };

/** Checks all before storing one. Files are durable before their rows are written. */
export function putObjects(tx: Tx, objects: readonly StoredObject[]): ObjectsAnswer {
  for (const { hash, bytes } of objects) {
    if (bytes.length > tx.limits.objectBytesMax) return { answer: 'too_large' };
    if (!bytesEqual(sha256(bytes), hash)) return { answer: 'invalid', reason: 'hash_mismatch' };
  }
  for (const { hash, bytes } of objects) {
    if (bytes.length <= tx.limits.inlineBytesMax) {
      tx.sql.run(
        `INSERT INTO objects VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET stored_at = excluded.stored_at WHERE stored_at < ?`,
        hash,
        bytes.length,
        tx.nowNs,
        bytes,
        tx.nowNs - RENEW_NS,
      );
    } else if (tx.sql.get('SELECT 1 FROM objects WHERE hash = ?', hash) === undefined) {
      writeObjectFile(tx.dir, hash, bytes, tx.failpoints);
      tx.sql.run('INSERT INTO objects VALUES (?, ?, ?, NULL)', hash, bytes.length, tx.nowNs);
    } else {
      tx.sql.run(
        'UPDATE objects SET stored_at = ? WHERE hash = ? AND stored_at < ?',
        tx.nowNs,
        hash,
        tx.nowNs - RENEW_NS,
      );
    }
  }
  return { answer: 'ok' };
}

/** Takes the row alone: a file may go only once that is durable (`sweepObject`). */
export function deleteObject(
  tx: Tx,
  hash: Uint8Array,
  olderThanMs: number,
): { readonly answer: 'ok' | 'young' | 'not_found' } {
  const row = tx.sql.bigGet('SELECT stored_at FROM objects WHERE hash = ?', hash);
  if (row === undefined) return { answer: 'not_found' };
  if (laterNs(row.stored_at as bigint, olderThanMs) > tx.nowNs) return { answer: 'young' };
  tx.sql.run('DELETE FROM objects WHERE hash = ?', hash);
  return { answer: 'ok' };
}

/**
 * Removes the file of an object that has no row. Whoever puts the object again needs the write lock that this
 * transaction holds, and so cannot lose the new file to it.
 */
export function sweepObject(tx: Tx, hash: Uint8Array): { readonly answer: 'ok' } {
  if (tx.sql.get('SELECT 1 FROM objects WHERE hash = ?', hash) === undefined) removeObjectFile(tx.dir, hash);
  return { answer: 'ok' };
}
