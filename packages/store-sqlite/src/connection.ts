import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Failure, FailureError } from '@worldline/canon';
import { APPLICATION_ID, DECLARATIONS, declaration, MIGRATIONS, SCHEMA_VERSION, TABLES } from './schema.ts';
import { damageFailure, isDamage, isOutage, SQLITE, Sql, StoreDamage, sqliteCode, text } from './sql.ts';
import { findWalDamage } from './wal-check.ts';

/** Milliseconds to wait for another process that holds the write lock. */
const BUSY_MS = 5_000;

export function databasePath(dir: string): string {
  return join(dir, 'worldline.db');
}

/**
 * The writing connection: file and tables are made when absent, durability is set and read back (D3).
 *
 * @throws FailureError with the codes of `openFailure`.
 */
export function openForWriting(dir: string): Sql {
  const path = databasePath(dir);
  return opening(path, () => {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const isNew = !existsSync(path);
    checkLog(path);
    const sql = connect(path, false);
    try {
      const found = checkOwner(sql, path);
      if (found !== 'ours') prepare(sql, path, found);
      checkDeclarations(sql);
      sql.db.exec(
        'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON',
      );
      expectPragma(sql, path, 'journal_mode', 'wal');
      expectPragma(sql, path, 'synchronous', 2);
      // Bounds what a long reader lets the write-ahead log grow to.
      sql.db.exec('PRAGMA cache_size = -16000; PRAGMA wal_autocheckpoint = 2000; PRAGMA journal_size_limit = 67108864');
      if (isNew) syncDirectory(dir);
      return sql;
    } catch (error) {
      sql.db.close();
      throw error;
    }
  });
}

/**
 * A reading connection to an existing file.
 *
 * @param isChecked - the log was looked at by the writing connection of the same store.
 * @throws FailureError with the codes of `openFailure`.
 */
export function openForReading(dir: string, isChecked = false): Sql {
  const path = databasePath(dir);
  if (!existsSync(path)) {
    throw new FailureError({ code: 'store.missing', path: [], message: `there is no store in ${dir}` });
  }
  return opening(path, () => {
    if (!isChecked) checkLog(path);
    const sql = connect(path, true);
    try {
      const found = checkOwner(sql, path);
      if (found === 'empty') {
        throw new FailureError({ code: 'store.missing', path: [], message: `${path} holds no store yet` });
      }
      if (found === 'older') {
        throw new FailureError({
          code: 'store.older',
          path: [],
          message: `${path} has an older format than ${SCHEMA_VERSION}`,
          hint: 'Open it for writing once: that brings it to this format.',
        });
      }
      checkDeclarations(sql);
      return sql;
    } catch (error) {
      sql.db.close();
      throw error;
    }
  });
}

/** @throws FailureError `journal.corrupt`. */
function checkLog(path: string): void {
  const damage = findWalDamage(`${path}-wal`);
  if (damage !== undefined) {
    const { offset, lost } = damage;
    throw new FailureError(
      damageFailure(
        new Error(
          `${path}-wal is wrong at byte ${offset}, with ${lost} whole transaction${lost === 1 ? '' : 's'} behind it`,
        ),
      ),
    );
  }
}

function connect(path: string, readOnly: boolean): Sql {
  const db = new DatabaseSync(path, { readOnly, allowExtension: false });
  db.exec(
    `PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY`,
  );
  return new Sql(db);
}

type Owner = 'empty' | 'older' | 'ours';

/** Nothing is changed in a file before it is known to be ours. All that is looked at is of one moment: another process may be making the tables right now. */
function checkOwner(sql: Sql, path: string): Owner {
  if (sql.db.isTransaction) return ownerOf(sql, path);
  sql.db.exec('BEGIN');
  try {
    return ownerOf(sql, path);
  } finally {
    sql.db.exec('ROLLBACK');
  }
}

function ownerOf(sql: Sql, path: string): Owner {
  const application = readPragma(sql, 'application_id');
  const version = Number(readPragma(sql, 'user_version'));
  if (application === APPLICATION_ID) {
    if (version === SCHEMA_VERSION) return 'ours';
    if (typeof version === 'number' && version in MIGRATIONS) return 'older';
    throw new FailureError({
      code: 'store.newer',
      path: [],
      message: `${path} has format ${version}; this program knows format ${SCHEMA_VERSION}`,
      hint: 'Use the version of Worldline that wrote it, or a newer one.',
    });
  }
  const tables = Number(sql.db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n);
  if (application === 0 && version === 0 && tables === 0) return 'empty';
  throw foreign(path);
}

/**
 * SQLite takes any text that still parses for the declaration of a table, so a damaged one would show later, as a column
 * that is not there or an index that leaves rows out.
 *
 * @throws StoreDamage
 */
function checkDeclarations(sql: Sql): void {
  const found = new Set(
    sql.all('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL').map((row) => declaration(text(row.sql))),
  );
  const missing = [...DECLARATIONS].filter((one) => !found.has(one));
  if (missing.length > 0)
    throw new StoreDamage(`what the file says of its tables is not what was written: ${missing.join(' ')} is missing`);
}

/** Makes the tables, or brings those of an older format to this one, in one durable step. */
function prepare(sql: Sql, path: string, found: Owner): void {
  // A file can only become a write-ahead one outside a transaction; whoever comes second finds it done.
  for (let attempt = 1; found === 'empty'; attempt++) {
    try {
      sql.db.exec('PRAGMA journal_mode = WAL');
      break;
    } catch (error) {
      if (sqliteCode(error) !== SQLITE.BUSY || attempt === 50) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
  sql.db.exec('PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
  try {
    const now = checkOwner(sql, path);
    if (now === 'empty') sql.db.exec(`${TABLES}; PRAGMA application_id = ${APPLICATION_ID}`);
    if (now === 'older') {
      for (let from = Number(readPragma(sql, 'user_version')); from < SCHEMA_VERSION; from++)
        sql.db.exec(MIGRATIONS[from]!);
    }
    if (now !== 'ours') sql.db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    sql.db.exec('COMMIT');
  } catch (error) {
    sql.db.exec('ROLLBACK');
    throw error;
  }
}

function readPragma(sql: Sql, name: string): unknown {
  const row = sql.db.prepare(`PRAGMA ${name}`).get();
  return row === undefined ? undefined : Object.values(row)[0];
}

function expectPragma(sql: Sql, path: string, name: string, expected: string | number): void {
  const actual = readPragma(sql, name);
  if (actual === expected) return;
  throw new FailureError({
    code: 'store.unsafe',
    path: [],
    message: `${path}: ${name} is ${String(actual)} where ${expected} was set`,
    hint: 'The file system must support shared memory and locks; network file systems do not.',
  });
}

export function syncDirectory(dir: string): void {
  // Windows has no such operation, and needs none.
  if (process.platform === 'win32') return;
  const fd = openSync(dir, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function foreign(path: string): FailureError {
  return new FailureError({
    code: 'store.foreign',
    path: [],
    message: `${path} is not a Worldline store`,
    hint: 'Nothing in it was changed. Choose another folder.',
  });
}

function opening(path: string, open: () => Sql): Sql {
  try {
    return open();
  } catch (error) {
    if (sqliteCode(error) === SQLITE.NOTADB) throw foreign(path);
    if (isDamage(error)) throw new FailureError(damageFailure(new Error(`${path}: ${error.message}`)));
    throw isOutage(error) ? new FailureError(openFailure(path, error)) : error;
  }
}

/** `store.read_only` or `store.unavailable`. */
function openFailure(path: string, error: Error): Failure {
  const code = sqliteCode(error);
  const system = 'code' in error ? error.code : undefined;
  if (
    code === SQLITE.READONLY ||
    code === SQLITE.CANTOPEN ||
    system === 'EACCES' ||
    system === 'EROFS' ||
    system === 'EPERM'
  ) {
    return {
      code: 'store.read_only',
      path: [],
      message: `${path} cannot be opened: ${error.message}`,
      hint: 'The folder must be writable, even for reading: a write-ahead log is shared through files beside it. Copy the folder to read it elsewhere.',
    };
  }
  return { code: 'store.unavailable', path: [], message: `${path}: ${error.message}` };
}
