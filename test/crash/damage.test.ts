import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { FailureError, fromHex, hashText, toHex, unwrap } from '@worldline/canon';
import { collectBatches, readFailure, replayVerify, restoreKernel, verifyJournal } from '@worldline/host';
import type { Store } from '@worldline/ports';
import { openSqliteStore } from '@worldline/store-sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { checkAtRest, outcomes, recordsOf } from './check.ts';
import { enqueue, open, openStore, send } from './composition.ts';
import { Folder } from './folder.ts';
import { kill, Lab } from './lab.ts';
import { seeded } from './random.ts';
import { commitEnds } from './wal.ts';

/**
 * Damaged files (`journal.md` §2, `hosting.md` §4.3, F10, F11): what is wrong is told, with what can be done; wrong data
 * is never served, and nothing is repaired without a word.
 */

const FLIPS = Number(process.env['WORLDLINE_FUZZ_RUNS'] ?? 100);
const SEED = Number(process.env['WORLDLINE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** What a damaged store may be called. `not_found`: the row of the world is the damaged one. */
const REPORTS = [
  'journal.corrupt',
  'store.foreign',
  'store.newer',
  'store.older',
  'store.missing',
  'snapshot.missing',
  'snapshot.incomplete',
  'snapshot.digest_mismatch',
  'replay.divergence',
  'object.missing',
  'object.corrupt',
  'checkpoint.invalid',
  'not_found',
];

/** Every byte of it that says what happened, and what came of it. */
interface Content {
  readonly journal: string;
  readonly digest: string;
  readonly baseline: number;
}

async function contentOf(store: Store, worldId: string): Promise<Content> {
  const row = (await store.world.get(worldId))!;
  const batches = unwrap(await collectBatches(store, worldId, 0));
  const kernel = unwrap(await restoreKernel(store, row, row.epoch));
  return {
    journal: batches.map((batch) => toHex(batch.body) + toHex(batch.chain)).join(),
    digest: hashText(kernel.snapshot().ref),
    baseline: row.activeBaseline.height,
  };
}

/** Looks at a store as `status`, `journal verify` and `replay --verify` do. @returns the codes of all that is reported. */
async function examine(dir: string, worldId: string, sound: Content): Promise<readonly string[]> {
  const opened = await openSqliteStore(join(dir, 'store'), { readOnly: true });
  if (!opened.ok) return [opened.failure.code];
  const store = opened.value;
  const reported: string[] = [];
  const attempt = async (look: () => Promise<readonly string[]>) => {
    try {
      reported.push(...(await look()));
    } catch (error) {
      const failure = error instanceof FailureError ? error.failure : readFailure(error);
      if (failure === undefined) throw error;
      reported.push(failure.code);
    }
  };
  try {
    await attempt(async () => {
      const verified = await verifyJournal({ store, worldId });
      return verified.ok ? verified.value.problems.map((problem) => problem.code) : [verified.failure.code];
    });
    await attempt(async () => {
      const replayed = await replayVerify({ store, worldId, fromGenesis: true });
      return replayed.ok ? replayed.value.differences.map((difference) => difference.code) : [replayed.failure.code];
    });
    await attempt(async () => {
      const row = await store.world.get(worldId);
      if (row === undefined) return ['not_found'];
      const restored = await restoreKernel(store, row, row.epoch);
      if (!restored.ok) return [restored.failure.code];
      // Parts of the state are read when they are first needed.
      restored.value.snapshot();
      return [];
    });
    // What is served without a report is what was written.
    if (reported.length === 0) expect(await contentOf(store, worldId)).toEqual(sound);
  } finally {
    await store.close();
  }
  return reported;
}

function flip(path: string, offset: number, bit: number): void {
  const bytes = readFileSync(path);
  bytes[offset]! ^= 1 << bit;
  writeFileSync(path, bytes);
}

let lab: Lab;
let sound: Content;
const worldId = () => lab.composition.worldId;
const dir = () => lab.composition.dir;

beforeAll(async () => {
  lab = await Lab.make();
  for (let round = 0; round < 3; round++) {
    await lab.reopened(async (world) => {
      for (const kind of ['keyed', 'once', 'nap', 'mistake'] as const)
        unwrap(await send(world, lab.job(kind, `${kind}${round}`), 'applied'));
      unwrap(await send(world, lab.job('keyed', `big${round}`), 'applied'));
    });
  }
  await lab.look(checkAtRest);
  sound = await lab.look(contentOf);
});
afterAll(() => lab.remove());

/** A copy of the store to damage. */
async function inCopy<T>(use: (copy: string) => Promise<T>): Promise<T> {
  const copy = join(dir(), 'copy');
  cpSync(join(dir(), 'store'), join(copy, 'store'), { recursive: true });
  try {
    return await use(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

describe('the database file', () => {
  test('one flipped bit in the declaration of a table or an index is reported, also where SQLite still reads it', {
    timeout: 120_000,
  }, async () => {
    const path = (copy: string) => join(copy, 'store', 'worldline.db');
    const file = readFileSync(path(dir()), 'latin1');
    const places: number[] = [];
    for (const { index, 0: found } of file.matchAll(/CREATE (?:TABLE|(?:UNIQUE )?INDEX) \w+ (?:ON \w+ )?\(\s*/g))
      places.push(index + found.length);
    expect(places.length).toBeGreaterThanOrEqual(12);
    for (const offset of places) {
      await inCopy(async (copy) => {
        // A letter becomes another one: "hash" becomes "iash".
        flip(path(copy), offset, 0);
        expect(await examine(copy, worldId(), sound), file.slice(offset, offset + 20)).toEqual(['journal.corrupt']);
      });
    }
  });

  test(`one flipped bit anywhere is reported, or touched nothing that is served (${FLIPS} places, seed ${SEED})`, {
    timeout: 60_000 + FLIPS * 1_000,
  }, async () => {
    const random = seeded(SEED);
    const size = readFileSync(join(dir(), 'store', 'worldline.db')).length;
    const counts = new Map<string, number>();
    for (let n = 0; n < FLIPS; n++) {
      const [offset, bit] = [Math.floor(random() * size), Math.floor(random() * 8)];
      await inCopy(async (copy) => {
        const path = join(copy, 'store', 'worldline.db');
        flip(path, offset, bit);
        const before = readFileSync(path);
        let reported: readonly string[];
        try {
          reported = await examine(copy, worldId(), sound);
        } catch (error) {
          throw new Error(`bit ${bit} of byte ${offset} (seed ${SEED}): ${String(error)}`, { cause: error });
        }
        expect(
          reported.filter((code) => !REPORTS.includes(code)),
          `bit ${bit} of byte ${offset}`,
        ).toEqual([]);
        expect(readFileSync(path).equals(before), `bit ${bit} of byte ${offset} was repaired`).toBe(true);
        const key = reported[0] ?? 'nothing';
        counts.set(key, (counts.get(key) ?? 0) + 1);
      });
    }
    expect((counts.get('nothing') ?? 0) < FLIPS).toBe(true);
  });

  test('a file cut short is reported', async () => {
    const path = join(dir(), 'store', 'worldline.db');
    const size = readFileSync(path).length;
    for (const part of [0.1, 0.5, 0.9]) {
      await inCopy(async (copy) => {
        truncateSync(join(copy, 'store', 'worldline.db'), Math.floor((size * part) / 4096) * 4096);
        const reported = await examine(copy, worldId(), sound);
        expect(reported.length).toBeGreaterThan(0);
        expect(reported.filter((code) => !REPORTS.includes(code))).toEqual([]);
      });
    }
  });

  test.each(['batches', 'outbox', 'inbox'])(
    'a page of %s that is none any more stops the world, which is quarantined (L9)',
    async (table) => {
      await inCopy(async (copy) => {
        ruinRoot(join(copy, 'store', 'worldline.db'), table);
        const composition = { ...lab.composition, dir: copy };
        const store = await openStore(composition);
        const opened = await open(composition, store);
        const failure = opened.ok ? await opened.value.closed : opened.failure;
        expect(failure).toMatchObject({ code: 'journal.corrupt' });
        // The order to quarantine it may still be on its way.
        await expect.poll(async () => (await store.world.get(worldId()))!.status).toBe('quarantined');
        expect(await open(composition, store)).toMatchObject({ ok: false, failure: { code: 'world.quarantined' } });
        await store.close();
      });
    },
  );
});

test('commands on a damaged journal say journal.corrupt and fail', async () => {
  const folder = new Folder();
  try {
    const made = folder.run('run', '--batch');
    expect(await made.gone, made.log).toBe(0);
    ruinRoot(join(folder.store, 'worldline.db'), 'batches');
    for (const [expected, ...command] of [
      [1, 'status'],
      [1, 'journal', 'verify'],
      [1, 'replay', '--verify'],
      [1, 'run', '--batch'],
    ] as const) {
      const child = folder.run('--json', ...command);
      expect([command, await child.gone]).toEqual([command, expected]);
      expect(child.lines.join('')).toContain('journal.corrupt');
    }
  } finally {
    await folder.remove();
  }
});

/** Overwrites the first page of a table. */
function ruinRoot(path: string, table: string): void {
  const db = new DatabaseSync(path, { readOnly: true });
  const { rootpage } = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table) as {
    rootpage: number;
  };
  const { page_size } = db.prepare('PRAGMA page_size').get() as { page_size: number };
  db.close();
  const bytes = readFileSync(path);
  bytes.fill(0xa5, (rootpage - 1) * page_size, rootpage * page_size);
  writeFileSync(path, bytes);
}

describe('files of objects', () => {
  test('one flipped bit is answered corrupt, never the bytes (I1)', async () => {
    await inCopy(async (copy) => {
      const folder = join(copy, 'store', 'objects');
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.length > 64);
      expect(files.length).toBeGreaterThan(0);
      for (const [i, file] of files.entries()) flip(join(folder, file), (i * 7919) % 20_000, i % 8);
      const store = unwrap(await openSqliteStore(join(copy, 'store'), { readOnly: true }));
      for (const file of files) expect(await store.cas.get(fromHex(file.slice(-64))!)).toEqual({ answer: 'corrupt' });
      await store.close();
    });
  });
});

describe('the write-ahead log', () => {
  let log: string;
  let ends: readonly number[];

  beforeAll(async () => {
    // A process that dies leaves its log behind.
    await lab.killed(
      [['open'], ['send', lab.job('nap', 'last'), 'applied'], ['rest'], ['enqueue', lab.job('nap', 'unread')], ['die']],
      {},
    );
    log = join(dir(), 'store', 'worldline.db-wal');
    ends = commitEnds(log);
    expect(ends.length).toBeGreaterThan(2);
  });

  /** Items in the inbox, and the code if the store does not open. */
  async function unread(copy: string): Promise<number | string> {
    const opened = await openSqliteStore(join(copy, 'store'), { readOnly: true });
    if (!opened.ok) return opened.failure.code;
    const items = await opened.value.inbox.read(worldId(), new Uint8Array(0), 100);
    await opened.value.close();
    return items.length;
  }

  test('one flipped bit with a later transaction behind it is reported, and no transaction is dropped', async () => {
    const random = seeded(SEED);
    const before = ends.at(-2)!;
    const frame = 24 + 4096;
    for (let n = 0; n < 60; n++) {
      // The first places are those of the header.
      const offset = n < 20 ? n : Math.floor(random() * before);
      const inFrame = (offset - 32) % frame;
      // Whether a wrong frame ended a transaction is told by a field of its own.
      if (offset >= 32 && inFrame >= 4 && inFrame < 8) continue;
      await inCopy(async (copy) => {
        flip(join(copy, 'store', 'worldline.db-wal'), offset, Math.floor(random() * 8));
        expect([offset, await unread(copy)]).toEqual([offset, 'journal.corrupt']);
        // Who would write is refused as well; asked seldom, since it takes a thread.
        if (n % 20 === 0) expect((await openSqliteStore(join(copy, 'store'))).ok).toBe(false);
        expect(existsSync(join(copy, 'store', 'worldline.db-wal'))).toBe(true);
      });
    }
  });

  test('the last transaction flipped or torn at any byte is an interrupted write: it is cut, all before it is there', async () => {
    const random = seeded(SEED);
    const [before, end] = ends.slice(-2) as [number, number];
    expect(await inCopy(unread)).toBe(1);
    for (let n = 0; n < 20; n++) {
      const offset = before + Math.floor(random() * (end - before));
      await inCopy(async (copy) => {
        const path = join(copy, 'store', 'worldline.db-wal');
        if (n % 2 === 0) truncateSync(path, offset);
        else flip(path, offset, n % 8);
        expect([offset, await unread(copy)]).toEqual([offset, 0]);
        const store = unwrap(await openSqliteStore(join(copy, 'store'), { readOnly: true }));
        expect(unwrap(await verifyJournal({ store, worldId: worldId() })).problems).toEqual([]);
        await store.close();
      });
    }
  });
});

describe('one flipped bit in a row that has no checksum', () => {
  let own: Lab;
  beforeEach(async () => {
    own = await Lab.make();
  });
  afterEach(() => own.remove());

  /** Changes or reads the tables beside the store; the structure of their pages stays whole. */
  function inTables<T>(use: (db: DatabaseSync) => T): T {
    const db = new DatabaseSync(join(own.composition.dir, 'store', 'worldline.db'));
    try {
      return use(db);
    } finally {
      db.close();
    }
  }

  /** In the only row of a table: the call of job `a` becomes one of job `c`. */
  function misdirect(table: string, column: string): void {
    inTables((db) => {
      const { bytes } = db.prepare(`SELECT ${column} AS bytes FROM ${table}`).get() as { bytes: Uint8Array };
      const { url } = own.job('keyed', 'a');
      const at = Buffer.from(bytes).indexOf(`${url}a`);
      expect(at).toBeGreaterThan(0);
      bytes[at + url.length]! ^= 2;
      expect(db.prepare(`UPDATE ${table} SET ${column} = ?`).run(bytes).changes).toBe(1);
    });
  }

  test('an unread inbox item: journal.corrupt with its place; nothing is applied, and the world is quarantined', async () => {
    await own.withStore((store) => enqueue(own.composition, store, own.job('keyed', 'a')));
    const before = await own.look(contentOf);
    misdirect('inbox', 'item');
    await own.withStore(async (store) => {
      const opened = await open(own.composition, store);
      const failure = opened.ok ? await opened.value.closed : opened.failure;
      expect(failure).toMatchObject({ code: 'journal.corrupt', path: ['inbox', '0000000000000001'] });
      await expect.poll(async () => (await store.world.get(worldId()))!.status).toBe('quarantined');
      expect(await open(own.composition, store)).toMatchObject({ ok: false, failure: { code: 'world.quarantined' } });
    });
    expect(await own.look(contentOf)).toEqual(before);
    expect([own.service.calls('a'), own.service.calls('c')]).toEqual([0, 0]);
  });

  test('the request of an outbox row: no executor performs it (host.md §4), and the world what it emitted', async () => {
    await own.sendAndDie('keyed', { hostRules: kill({ at: 'dispatch.durable', what: 'http.request' }) });
    await own.freeRows();
    misdirect('outbox', 'request');
    const executor = own.startExecutor();
    expect(await executor.gone).toBe(1);
    expect(executor.log).toContain('journal.corrupt');
    expect([own.service.calls('a'), own.service.calls('c')]).toEqual([0, 0]);
    await own.reopened();
    expect(outcomes(await own.look(checkAtRest))).toEqual([['a', 'ok']]);
    expect([own.service.calls('a'), own.service.calls('c')]).toEqual([1, 0]);
  });

  interface TimerColumns {
    readonly emission_seq: bigint;
    readonly intent_hash: Uint8Array;
    readonly due: bigint;
  }
  const timers = () =>
    inTables((db) => {
      const rows = db.prepare('SELECT emission_seq, intent_hash, due FROM timers');
      rows.setReadBigInts(true);
      return rows.all() as unknown as TimerColumns[];
    });
  const flipTimer = (column: string, bit: number) =>
    inTables((db) => {
      const mask = String(1n << BigInt(bit));
      db.exec(`UPDATE timers SET ${column} = (${column} | ${mask}) - (${column} & ${mask})`);
    });

  test.each([
    ['the emission of a timer row', 'emission_seq', 6],
    ['an instant decades too early', 'due', 60],
    ['an instant decades too late', 'due', 61],
  ])(
    '%s: made anew when the world is opened (L7), and no timer comes early (hosting.md §8.3)',
    async (_, column, bit) => {
      const HOUR_NS = 3_600_000_000_000;
      await own.reopened(async (world) => void unwrap(await send(world, own.job('nap', 'a', HOUR_NS), 'applied')));
      const [before] = timers();
      flipTimer(column, bit);
      const [damaged] = timers();
      expect(damaged).not.toEqual(before);
      await own.withStore(async (store) => {
        // What a timer service makes of it.
        const { rows } = await store.timers.due(worldId(), 10);
        expect(rows.length).toBe(bit === 60 ? 1 : 0);
        for (const row of rows) await store.timers.fire(worldId(), row.emissionSeq);
      });
      await own.reopened();
      const [after, ...others] = timers();
      expect(others).toEqual([]);
      expect({ ...after, due: 0n }).toEqual({ ...before, due: 0n });
      // The instant is estimated anew; the flipped bits are worth decades.
      const change = after!.due - before!.due;
      expect(change < 1n << 58n && change > -(1n << 58n)).toBe(true);
      expect(outcomes(await own.look(recordsOf))).toEqual([]);
    },
  );

  test('a timer whose row is damaged comes all the same', async () => {
    await own.sendAndDie('nap', { hostRules: kill({ at: 'loop.timer_due' }) });
    flipTimer('emission_seq', 6);
    await own.reopened();
    expect(outcomes(await own.look(checkAtRest))).toEqual([['a', 'ok']]);
  });
});
