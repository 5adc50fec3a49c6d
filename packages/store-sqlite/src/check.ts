import { statSync } from 'node:fs';
import { type Failure, FailureError, fail, ok, type Result } from '@worldline/canon';
import { databasePath, openForReading } from './connection.ts';
import { isDamage, isOutage } from './sql.ts';

/** What a look at the file itself finds. */
export interface StoreCheck {
  /** Damage that SQLite's quick check names; empty when there is none. */
  readonly problems: readonly string[];
  readonly databaseBytes: number;
  /** Of the write-ahead log; 0 when there is none. */
  readonly walBytes: number;
}

const PROBLEMS_MAX = 20;

/**
 * Reads every page of the file and checks its structure (`PRAGMA quick_check`), without changing it. Works beside a
 * process that writes.
 *
 * @returns the codes of opening: `store.missing`, `store.foreign`, `store.newer`, `store.read_only`, `store.unavailable`.
 */
export function checkSqliteStore(dir: string): Result<StoreCheck, Failure> {
  const path = databasePath(dir);
  let problems: string[];
  try {
    const sql = openForReading(dir);
    try {
      problems = sql.db
        .prepare(`PRAGMA quick_check(${PROBLEMS_MAX})`)
        .all()
        .map((row) => String(Object.values(row)[0]))
        .filter((text) => text !== 'ok');
    } catch (error) {
      // A page that cannot even be read ends the check.
      if (!isDamage(error) && !isOutage(error)) throw error;
      problems = [error.message];
    } finally {
      sql.db.close();
    }
  } catch (error) {
    if (error instanceof FailureError) return fail(error.failure);
    throw error;
  }
  return ok({ problems, databaseBytes: sizeOf(path), walBytes: sizeOf(`${path}-wal`) });
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
