import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** One SQLite file per universe: how it is opened, and what lies in it (`hosting.md` §11.1). */

/** "wrld" in ASCII: a file of another program is refused. */
const APPLICATION_ID = 0x77726c64;
const FORMAT = 1;
const BUSY_MS = 5_000;
const FILE = 'universe.sqlite';

/** Why a file cannot be used; permanent codes. */
export class StoreOpenError extends Error {
  override readonly name = 'StoreOpenError';
  readonly code: 'store.unavailable' | 'store.foreign' | 'store.newer' | 'store.missing' | 'store.unsafe';
  readonly hint: string;

  constructor(code: StoreOpenError['code'], message: string, hint: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

const DDL = `
  CREATE TABLE objects (
    hash BLOB PRIMARY KEY, size INTEGER NOT NULL, stored_at INTEGER NOT NULL, bytes BLOB
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE worlds (
    id INTEGER PRIMARY KEY, world TEXT NOT NULL UNIQUE, universe TEXT NOT NULL, status TEXT NOT NULL,
    height INTEGER NOT NULL, chain BLOB NOT NULL, batches INTEGER NOT NULL, cursor INTEGER NOT NULL,
    internal_pending INTEGER NOT NULL, epoch INTEGER NOT NULL, holder TEXT, lease_until INTEGER,
    config_hash BLOB NOT NULL, baseline_height INTEGER, baseline_ref BLOB, created_at INTEGER NOT NULL,
    notify INTEGER NOT NULL, last_item INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE batches (
    world INTEGER NOT NULL, n INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
    chain BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (world, n)
  ) WITHOUT ROWID, STRICT;
  CREATE INDEX batches_by_seq ON batches (world, last_seq);
  CREATE TABLE items (
    world INTEGER NOT NULL, seq INTEGER NOT NULL, item BLOB, digest BLOB NOT NULL, dedupe_key TEXT,
    enqueued_at INTEGER NOT NULL, applied_first INTEGER, applied_last INTEGER, PRIMARY KEY (world, seq)
  ) WITHOUT ROWID, STRICT;
  CREATE UNIQUE INDEX items_by_key ON items (world, dedupe_key) WHERE dedupe_key IS NOT NULL;
  CREATE TABLE outbox (
    world INTEGER NOT NULL, emission INTEGER NOT NULL, intent BLOB NOT NULL, kind TEXT NOT NULL,
    request BLOB NOT NULL, token BLOB, claim_epoch INTEGER, attempt INTEGER NOT NULL,
    visible_at INTEGER NOT NULL, started INTEGER NOT NULL, done_key TEXT, PRIMARY KEY (world, emission)
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE timers (
    world INTEGER NOT NULL, emission INTEGER NOT NULL, intent BLOB NOT NULL, due INTEGER NOT NULL,
    offers INTEGER NOT NULL, PRIMARY KEY (world, emission)
  ) WITHOUT ROWID, STRICT;
  CREATE INDEX timers_by_due ON timers (world, due, intent);
  CREATE TABLE snapshots (
    world INTEGER NOT NULL, height INTEGER NOT NULL, ref BLOB NOT NULL, baseline INTEGER NOT NULL,
    PRIMARY KEY (world, height)
  ) WITHOUT ROWID, STRICT;
`;

/** The connection that writes; creates the file when there is none. */
export function openWriter(dir: string): DatabaseSync {
  return guarded(dir, () => {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const db = new DatabaseSync(join(dir, FILE), { timeout: BUSY_MS });
    try {
      db.exec(
        'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 2000; PRAGMA temp_store = MEMORY;',
      );
      assertPragma(db, 'journal_mode', 'wal');
      // 2 is FULL: every commit is synced before it is acknowledged (D3).
      assertPragma(db, 'synchronous', 2);
      prepareSchema(db);
    } catch (error) {
      db.close();
      throw error;
    }
    return db;
  });
}

/** A connection that only reads; the file must exist. */
export function openReader(dir: string): DatabaseSync {
  return guarded(dir, () => {
    const db = new DatabaseSync(join(dir, FILE), { readOnly: true, timeout: BUSY_MS });
    try {
      checkIdentity(db);
    } catch (error) {
      db.close();
      throw error;
    }
    return db;
  });
}

function prepareSchema(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    if (pragma(db, 'application_id') === 0 && pragma(db, 'user_version') === 0 && isEmpty(db)) {
      db.exec(DDL);
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT};`);
    }
    checkIdentity(db);
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

function isEmpty(db: DatabaseSync): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
}

function checkIdentity(db: DatabaseSync): void {
  if (pragma(db, 'application_id') !== APPLICATION_ID) {
    throw new StoreOpenError(
      'store.foreign',
      `${FILE} is a database of another program`,
      'Point the store at a folder of its own.',
    );
  }
  const version = pragma(db, 'user_version');
  if (version !== FORMAT) {
    const hint = 'Use the release that wrote it, or a newer one.';
    throw new StoreOpenError(
      'store.newer',
      `${FILE} has format ${String(version)}, this release knows ${FORMAT}`,
      hint,
    );
  }
}

function pragma(db: DatabaseSync, name: string): unknown {
  const row = db.prepare(`PRAGMA ${name}`).get() as Record<string, unknown> | undefined;
  return row === undefined ? undefined : Object.values(row)[0];
}

function assertPragma(db: DatabaseSync, name: string, expected: unknown): void {
  const actual = pragma(db, name);
  if (actual !== expected) {
    const hint = 'A network file system without shared memory cannot hold a store; use a local folder.';
    throw new StoreOpenError('store.unsafe', `${name} is ${String(actual)}, ${String(expected)} needed`, hint);
  }
}

function guarded(dir: string, open: () => DatabaseSync): DatabaseSync {
  try {
    return open();
  } catch (error) {
    if (error instanceof StoreOpenError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    if (/not a database/i.test(message)) {
      throw new StoreOpenError(
        'store.foreign',
        `${join(dir, FILE)} is no database`,
        'Point the store at a folder of its own.',
      );
    }
    throw new StoreOpenError(
      'store.unavailable',
      `cannot open ${join(dir, FILE)}: ${message}`,
      'Check that the folder exists and may be written.',
    );
  }
}
