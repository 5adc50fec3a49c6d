import { FailureError } from '@worldline/canon';
import type { Failpoints } from '@worldline/ports';
import { openForWriting } from './connection.ts';
import type { Reply, Request, WriterStart } from './protocol.ts';
import { isOutage, type Sql } from './sql.ts';
import { runGroup } from './writer-group.ts';

/**
 * The writing connection, replaced after the disk failed: SQLite cannot know what of its caches has reached the disk
 * then, and after a failed sync nobody may assume that anything did (`hosting.md` F6).
 */
export class WriterConnection {
  readonly #start: WriterStart;
  readonly #failpoints: Failpoints | undefined;
  #sql: Sql | undefined;

  constructor(sql: Sql, start: WriterStart, failpoints: Failpoints | undefined) {
    this.#sql = sql;
    this.#start = start;
    this.#failpoints = failpoints;
  }

  run(group: readonly Request[]): Reply[] {
    try {
      this.#sql ??= this.#reopened();
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
      const { code, message } = error.failure;
      return group.map(({ id }) =>
        code === 'journal.corrupt' ? { id, corrupt: message } : { id, unavailable: message },
      );
    }
    let hasFailed = false;
    const onDiskError = () => {
      hasFailed = true;
    };
    const { dir, limits } = this.#start;
    const replies = runGroup(this.#sql, group, { dir, limits, failpoints: this.#failpoints, onDiskError });
    if (hasFailed) this.close();
    return replies;
  }

  #reopened(): Sql {
    const sql = openForWriting(this.#start.dir);
    try {
      // What the failed transaction left in the log goes with it, so that nothing can be taken for a later one.
      sql.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      return sql;
    } catch (error) {
      sql.db.close();
      if (!isOutage(error)) throw error;
      throw new FailureError({ code: 'store.unavailable', path: [], message: error.message });
    }
  }

  close(): void {
    const sql = this.#sql;
    this.#sql = undefined;
    sql?.db.close();
  }
}
