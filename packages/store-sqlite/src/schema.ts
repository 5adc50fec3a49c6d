/**
 * Tables of one universe (`docs/formats/sqlite-store.md`).
 *
 * S1  `batches.id` and `inbox.id` are `world number << 40 | ordinal`: one b-tree per table, appended at the end of each
 *     world's range, no second index to keep. An ordinal never repeats: batches count from 0, inbox items from 1.
 * S2  A row of `outbox` is claimable exactly when `done_key` is null and `visible_at` ≤ now. A claim made by a commit
 *     has `visible_at` at the end of time and is freed by the next lease.
 * S3  Instants are signed 64-bit ns; later ones are stored as the last of them, in the year 2262.
 */

/** "WLS1": this file is a Worldline store. */
export const APPLICATION_ID = 0x574c5331;
export const SCHEMA_VERSION = 2;

export const LAST_NS = 2n ** 63n - 1n;

const ORDINAL_BITS = 40n;

export function rowId(world: number, ordinal: number): bigint {
  return (BigInt(world) << ORDINAL_BITS) | BigInt(ordinal);
}

export function ordinalOf(id: bigint): number {
  return Number(id & ((1n << ORDINAL_BITS) - 1n));
}

/** Columns and tables that format 2 added. */
const WORLD_COLUMNS_2 = [
  // Public world keys; null: the world has none.
  'keys BLOB',
  "labels TEXT NOT NULL DEFAULT '{}'",
  'desired_worker TEXT',
  // Where the journal begins.
  'base_height INTEGER NOT NULL DEFAULT 0',
  `base_chain BLOB NOT NULL DEFAULT x'${'00'.repeat(32)}'`,
  // Set in forks: where they come from.
  'parent_world TEXT',
  'parent_ref BLOB',
  'fork_effects TEXT',
  'fork_timers TEXT',
  'maintain_at INTEGER',
  // Ordinal of the first batch that has a row; those before it are in segments.
  'first_batch INTEGER NOT NULL DEFAULT 0',
];

const INBOX_COLUMNS_2 = [
  // A receipt, timer or message: its key stays, or as long as the row of its emission.
  'delivery INTEGER NOT NULL DEFAULT 0',
  'emission_seq INTEGER',
];

const SNAPSHOT_COLUMNS_2 = [
  // Chain value after the batch that ended at that height.
  'chain BLOB',
  'verified_at INTEGER',
];

const CHECKPOINTS_2 = `CREATE TABLE checkpoints (
  w INTEGER NOT NULL,
  n INTEGER NOT NULL,
  chain_before BLOB NOT NULL,
  chain BLOB NOT NULL,
  next_seq INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (w, n)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX checkpoints_before ON checkpoints (w, chain_before);`;

const SEGMENTS_2 = `CREATE TABLE segments (
  w INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  first_batch INTEGER NOT NULL,
  batches INTEGER NOT NULL,
  ref BLOB NOT NULL,
  frames_at INTEGER NOT NULL,
  entries BLOB NOT NULL, -- of each batch, u32be
  PRIMARY KEY (w, first_batch)
) STRICT, WITHOUT ROWID;`;

export const TABLES = `
CREATE TABLE objects (
  hash BLOB PRIMARY KEY,
  size INTEGER NOT NULL,
  stored_at INTEGER NOT NULL,
  bytes BLOB -- null: in a file of its own
) STRICT;

CREATE TABLE worlds (
  w INTEGER PRIMARY KEY,
  world_id TEXT NOT NULL UNIQUE,
  universe_id TEXT NOT NULL,
  status TEXT NOT NULL,
  height INTEGER NOT NULL,
  chain BLOB NOT NULL,
  batches INTEGER NOT NULL,
  inbox_cursor INTEGER NOT NULL,
  inbox_last INTEGER NOT NULL,
  internal_pending INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  holder TEXT,
  expires_at INTEGER,
  baseline_height INTEGER,
  baseline_ref BLOB,
  config_hash BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  notify INTEGER NOT NULL,
  ${WORLD_COLUMNS_2.join(',\n  ')}
) STRICT;

CREATE TABLE batches (
  id INTEGER PRIMARY KEY,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  chain BLOB NOT NULL,
  body BLOB NOT NULL
) STRICT;

${CHECKPOINTS_2}

CREATE TABLE inbox (
  id INTEGER PRIMARY KEY,
  w INTEGER NOT NULL,
  item BLOB, -- null once trimmed: the key stays, so that a late repeat is still known
  digest BLOB NOT NULL,
  dedupe_key TEXT,
  enqueued_at INTEGER NOT NULL,
  applied_first INTEGER,
  applied_last INTEGER,
  ${INBOX_COLUMNS_2.join(',\n  ')}
) STRICT;
CREATE UNIQUE INDEX inbox_keys ON inbox (w, dedupe_key) WHERE dedupe_key IS NOT NULL;

CREATE TABLE outbox (
  w INTEGER NOT NULL,
  emission_seq INTEGER NOT NULL,
  intent_hash BLOB NOT NULL,
  kind TEXT NOT NULL,
  request BLOB NOT NULL,
  executor TEXT,
  token BLOB,
  claim_epoch INTEGER, -- set while the claim was made by a commit
  attempt INTEGER NOT NULL,
  visible_at INTEGER NOT NULL,
  started INTEGER NOT NULL,
  done_key TEXT,
  error TEXT,
  PRIMARY KEY (w, emission_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_open ON outbox (w, visible_at) WHERE done_key IS NULL AND visible_at < ${LAST_NS};

CREATE TABLE timers (
  w INTEGER NOT NULL,
  emission_seq INTEGER NOT NULL,
  intent_hash BLOB NOT NULL,
  due INTEGER NOT NULL,
  offers INTEGER NOT NULL,
  PRIMARY KEY (w, emission_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX timers_due ON timers (w, due, intent_hash);

CREATE TABLE snapshots (
  w INTEGER NOT NULL,
  height INTEGER NOT NULL,
  ref BLOB NOT NULL,
  baseline INTEGER NOT NULL,
  ${SNAPSHOT_COLUMNS_2.join(',\n  ')},
  PRIMARY KEY (w, height)
) STRICT, WITHOUT ROWID;

${SEGMENTS_2}
`;

/** What a file of this format says of its tables and indexes. One that an older format began has other white space. */
export const DECLARATIONS: ReadonlySet<string> = new Set(
  TABLES.split(';')
    .map(declaration)
    .filter((text) => text !== ''),
);

/** A statement as it is compared: without white space. */
export function declaration(sql: string): string {
  return sql.replace(/\s+/g, '');
}

/** From each older format to the next one, in order. Every statement runs in the transaction that raises the version. */
export const MIGRATIONS: Readonly<Record<number, string>> = {
  1: [
    ...WORLD_COLUMNS_2.map((column) => `ALTER TABLE worlds ADD COLUMN ${column}`),
    ...INBOX_COLUMNS_2.map((column) => `ALTER TABLE inbox ADD COLUMN ${column}`),
    ...SNAPSHOT_COLUMNS_2.map((column) => `ALTER TABLE snapshots ADD COLUMN ${column}`),
    // Format 1 did not say which items are deliveries: its keys all stay.
    'UPDATE inbox SET delivery = 1',
    // One pass over the batches: each is looked up among the few snapshots by its end.
    `UPDATE snapshots SET chain = ended.chain FROM batches AS ended
     WHERE snapshots.w = ended.id >> 40 AND snapshots.height = ended.last_seq + 1 AND ended.first_seq <= ended.last_seq`,
    CHECKPOINTS_2,
    SEGMENTS_2,
  ].join(';\n'),
};
