import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Failure } from '@worldline/canon';

export type SqlRow = Record<string, SQLOutputValue>;

/**
 * One connection with its prepared statements, each prepared once.
 *
 * Integers come back as numbers. `big…` methods return every integer as a bigint, for rows that hold instants: those do
 * not fit a number, and reading one as a number throws.
 */
export class Sql {
  readonly db: DatabaseSync;
  readonly #plain = new Map<string, StatementSync>();
  readonly #big = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.db = db;
  }

  /** @returns the number of rows changed. */
  run(text: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(text).run(...values).changes);
  }

  get(text: string, ...values: SQLInputValue[]): SqlRow | undefined {
    return this.#statement(text).get(...values);
  }

  all(text: string, ...values: SQLInputValue[]): SqlRow[] {
    return this.#statement(text).all(...values);
  }

  bigGet(text: string, ...values: SQLInputValue[]): SqlRow | undefined {
    return this.#bigStatement(text).get(...values);
  }

  bigAll(text: string, ...values: SQLInputValue[]): SqlRow[] {
    return this.#bigStatement(text).all(...values);
  }

  /** Read to the end or stop; the statement is reset either way. */
  bigIterate(text: string, ...values: SQLInputValue[]): IterableIterator<SqlRow> {
    return this.#bigStatement(text).iterate(...values) as IterableIterator<SqlRow>;
  }

  #statement(text: string): StatementSync {
    let statement = this.#plain.get(text);
    if (statement === undefined) {
      statement = this.db.prepare(text);
      this.#plain.set(text, statement);
    }
    return statement;
  }

  #bigStatement(text: string): StatementSync {
    let statement = this.#big.get(text);
    if (statement === undefined) {
      statement = this.db.prepare(text);
      statement.setReadBigInts(true);
      this.#big.set(text, statement);
    }
    return statement;
  }
}

/** Primary result codes of SQLite (https://www.sqlite.org/rescode.html) that this store tells apart. */
export const SQLITE = {
  BUSY: 5,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  CONSTRAINT: 19,
  NOTADB: 26,
} as const;

/** Primary result code of an error of `node:sqlite`; undefined for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}

/** What was read is nothing that was ever written: the file is damaged. */
export class StoreDamage extends Error {
  override readonly name = 'StoreDamage';
}

/** Whether the file, rather than the machine or a program, is at fault. */
export function isDamage(error: unknown): error is Error {
  if (error instanceof StoreDamage) return true;
  const code = sqliteCode(error);
  if (code !== undefined) return code === SQLITE.CORRUPT || code === SQLITE.NOTADB;
  // An integer that no column of this store holds.
  return error instanceof RangeError && 'code' in error && error.code === 'ERR_OUT_OF_RANGE';
}

/** As callers get it (`hosting.md` §4.3: quarantine, never a silent repair). */
export function damageFailure(error: Error): Failure {
  return {
    code: 'journal.corrupt',
    path: [],
    message: `the store is damaged: ${error.message}`,
    hint: 'Nothing was changed. Restore the store from a copy; "worldline journal verify" tells what can still be read.',
  };
}

/** Bytes of a row. A damaged page may show anything under a column's name. */
export function blob(value: SQLOutputValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new StoreDamage('a row holds no bytes where bytes were written');
  return value;
}

export function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== 'string') throw new StoreDamage('a row holds no text where text was written');
  return value;
}

/** A count or position; exact as a number. */
export function count(value: SQLOutputValue | undefined): number {
  const number = typeof value === 'bigint' || typeof value === 'number' ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new StoreDamage('a row holds no number where one was written');
  return number;
}

/**
 * Whether the error is trouble of the machine (busy, full, failing disk) rather than a bug: errors of the SQL engine
 * except damage, a violated constraint or a wrong use of it, and errors of the file system.
 */
export function isOutage(error: unknown): error is Error {
  if (!(error instanceof Error) || isDamage(error)) return false;
  const code = sqliteCode(error);
  if (code !== undefined) return ![1, 18, SQLITE.CONSTRAINT, 20, 21, 25].includes(code);
  return 'syscall' in error;
}
