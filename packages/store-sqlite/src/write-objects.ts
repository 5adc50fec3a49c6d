import { bytesEqual } from '@worldline/canon';
import type { StoredObject } from '@worldline/ports';
import { sha256, writeObjectFile } from './object-file.ts';
import type { Tx } from './write-tx.ts';

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
      tx.sql.run('INSERT INTO objects VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING', hash, bytes.length, tx.nowNs, bytes);
    } else if (tx.sql.get('SELECT 1 FROM objects WHERE hash = ?', hash) === undefined) {
      writeObjectFile(tx.dir, hash, bytes, tx.failpoints);
      tx.sql.run('INSERT INTO objects VALUES (?, ?, ?, NULL)', hash, bytes.length, tx.nowNs);
    }
  }
  return { answer: 'ok' };
}
