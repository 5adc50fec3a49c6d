import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256, toHex, utf8 } from '@worldline/canon';
import type { Batch } from '@worldline/ports';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packCommit } from '../src/commit-message.ts';
import { openForReading, openForWriting } from '../src/connection.ts';
import type { OperationName } from '../src/operations.ts';
import type { Request } from '../src/protocol.ts';
import { Reader } from '../src/reader.ts';
import type { Sql } from '../src/sql.ts';
import { type GroupParts, runGroup } from '../src/writer-group.ts';
import { temporaryFolder } from './harness.ts';

const NOW = 1_700_000_000_000_000_000n;
const LIMITS = { inboxMax: 100, objectBytesMax: 1 << 20, inlineBytesMax: 16 * 1024 };

let folder: ReturnType<typeof temporaryFolder>;
let sql: Sql;
let start: GroupParts;
beforeEach(() => {
  folder = temporaryFolder();
  start = { dir: folder.dir, limits: LIMITS };
  sql = openForWriting(folder.dir);
  run(['world.create', { worldId: 'w', universeId: 'u', configHash: sha256(utf8('c')) }, []]);
  run(['lease.acquire', 'w', 'me', 60_000, undefined]);
});
afterEach(() => {
  sql.db.close();
  folder.remove();
});

type Asked = readonly [OperationName, ...unknown[]];

function run(...asked: readonly Asked[]) {
  const group = asked.map(([operation, ...args], id): Request => ({ id, operation, args, nowNs: NOW }));
  return runGroup(sql, group, start);
}

function enqueue(text: string, bytes = utf8(text)): Asked {
  return ['inbox.enqueue', 'w', bytes, sha256(utf8(text)), text];
}

function commit(fields: Partial<Batch> = {}, objects: readonly Uint8Array[] = []): Asked {
  const chain = new Uint8Array(32);
  const batch = {
    chain,
    body: utf8('b'),
    firstSeq: 0,
    lastSeq: 0,
    emitted: [],
    timers: [],
    settled: [],
    released: [],
    internalPending: false,
  };
  return [
    'commit',
    packCommit({
      worldId: 'w',
      epoch: 2,
      expected: { height: 0, chain },
      batches: [{ ...batch, ...fields }],
      options: { objects: objects.map((bytes) => ({ hash: sha256(bytes), bytes })) },
    }),
  ];
}

function items(): number {
  return Number(sql.get('SELECT count(*) AS n FROM inbox')?.n);
}

/** The same connection, but `text` fails as a failing disk makes it fail. */
function failing(text: string, errcode: number): Sql {
  const connection: Pick<Sql, 'db' | 'run' | 'get' | 'all' | 'bigGet' | 'bigAll'> = {
    db: sql.db,
    run: (given, ...values) => {
      if (given === text) throw Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode });
      return sql.run(given, ...values);
    },
    get: sql.get.bind(sql),
    all: sql.all.bind(sql),
    bigGet: sql.bigGet.bind(sql),
    bigAll: sql.bigAll.bind(sql),
  };
  return connection as Sql;
}

describe('requests that wait together (W1)', () => {
  test('share a transaction, and each is atomic by itself: a bug in one leaves the others', () => {
    const row = { emissionSeq: 1, intentHash: sha256(utf8('i')), kind: 'k', request: utf8('r') };
    const replies = run(enqueue('a'), commit({ emitted: [row, row] }), enqueue('b'), commit());
    expect(replies.map((reply) => Object.keys(reply)[1])).toEqual(['answer', 'bug', 'answer', 'answer']);
    expect(replies[3]).toMatchObject({ answer: { answer: 'ok', height: 1 } });
    expect(items()).toBe(2);
    expect(sql.get('SELECT count(*) AS n FROM outbox')).toEqual({ n: 0 });
  });

  test('a bug alone in its transaction leaves nothing and the connection usable', () => {
    const row = { emissionSeq: 1, intentHash: sha256(utf8('i')), kind: 'k', request: utf8('r') };
    expect(run(commit({ emitted: [row, row] }))).toMatchObject([{ bug: expect.any(String) }]);
    expect(run(commit())).toMatchObject([{ answer: { answer: 'ok' } }]);
  });

  test('the later sees what the earlier did', () => {
    expect(run(enqueue('a'), enqueue('a'))).toMatchObject([
      { answer: { answer: 'ok' } },
      { answer: { answer: 'duplicate' } },
    ]);
  });
});

describe('trouble of the machine (§4.3, F6)', () => {
  test('a full disk makes all of the transaction unavailable, changes nothing, and poisons nothing', () => {
    const pages = Number(sql.get('PRAGMA page_count')?.page_count);
    sql.run(`PRAGMA max_page_count = ${pages + 2}`);
    const replies = run(enqueue('a'), enqueue('b', new Uint8Array(100_000)), enqueue('c'));
    expect(replies).toMatchObject([0, 1, 2].map((id) => ({ id, unavailable: expect.any(String) })));
    expect(items()).toBe(0);
    sql.run('PRAGMA max_page_count = 1000000');
    expect(run(enqueue('a'))).toMatchObject([{ answer: { answer: 'ok' } }]);
  });

  test('a write lock that another process keeps makes it unavailable', () => {
    const other = openForWriting(folder.dir);
    other.db.exec('BEGIN IMMEDIATE');
    sql.db.exec('PRAGMA busy_timeout = 10');
    expect(run(enqueue('a'), commit())).toMatchObject([
      { unavailable: expect.any(String) },
      { unavailable: expect.any(String) },
    ]);
    other.db.exec('ROLLBACK');
    other.db.close();
    expect(run(enqueue('a'))).toMatchObject([{ answer: { answer: 'ok' } }]);
  });

  test('a disk that fails under COMMIT leaves it unknown, and the next transaction works', () => {
    const group: Request[] = [enqueue('a'), commit()].map(([operation, ...args], id) => ({
      id,
      operation,
      args,
      nowNs: NOW,
    }));
    expect(runGroup(failing('COMMIT', 10), group, start)).toMatchObject([
      { unknown: 'disk I/O error' },
      { unknown: 'disk I/O error' },
    ]);
    expect(items()).toBe(0);
    expect(run(enqueue('a'), commit())).toMatchObject([{ answer: { answer: 'ok' } }, { answer: { answer: 'ok' } }]);
  });

  test('a disk that is full under COMMIT is certain: nothing was written', () => {
    const group: Request[] = [{ id: 7, operation: 'inbox.enqueue', args: enqueue('a').slice(1), nowNs: NOW }];
    expect(runGroup(failing('COMMIT', 13), group, start)).toMatchObject([{ id: 7, unavailable: 'disk I/O error' }]);
    expect(items()).toBe(0);
  });

  test('an error that is no outage is not swallowed', () => {
    const group: Request[] = [{ id: 1, operation: 'inbox.enqueue', args: enqueue('a').slice(1), nowNs: NOW }];
    expect(() => runGroup(failing('COMMIT', 21), group, start)).toThrow('disk I/O error');
  });

  test('an object file that cannot be written makes the commit unavailable, without its batch', () => {
    writeFileSync(join(folder.dir, 'objects'), 'a file where a folder should be');
    expect(run(commit({}, [new Uint8Array(20_000)]))).toMatchObject([{ unavailable: expect.any(String) }]);
    expect(sql.get('SELECT height FROM worlds')).toEqual({ height: 0 });
    rmSync(join(folder.dir, 'objects'));
    expect(run(commit({}, [new Uint8Array(20_000)]))).toMatchObject([{ answer: { answer: 'ok' } }]);
  });
});

describe('objects above the inline threshold (§3, §11.1)', () => {
  test('are files named by their hash, without leftovers; smaller ones are rows', () => {
    const large = new Uint8Array(16 * 1024 + 1).fill(1);
    const small = new Uint8Array(16 * 1024).fill(2);
    run(['cas.putMany', [large, small].map((bytes) => ({ hash: sha256(bytes), bytes }))]);
    const hex = toHex(sha256(large));
    expect(readdirSync(join(folder.dir, 'objects'), { recursive: true }).toSorted()).toEqual([
      hex.slice(0, 2),
      join(hex.slice(0, 2), hex),
    ]);
    expect(sql.all('SELECT size, bytes IS NULL AS file FROM objects ORDER BY size')).toEqual([
      { size: small.length, file: 0 },
      { size: large.length, file: 1 },
    ]);
  });

  test('a file without its row, as a crash leaves it, is no object; the next put replaces it', () => {
    const bytes = new Uint8Array(20_000).fill(9);
    run(['cas.putMany', [{ hash: sha256(bytes), bytes }]]);
    const hex = toHex(sha256(bytes));
    const path = join(folder.dir, 'objects', hex.slice(0, 2), hex);
    sql.run('DELETE FROM objects');
    writeFileSync(path, 'torn');
    const reader = new Reader(openForReading(folder.dir), folder.dir);
    expect(reader.object(sha256(bytes))).toEqual({ answer: 'not_found' });
    run(['cas.putMany', [{ hash: sha256(bytes), bytes }]]);
    expect(reader.object(sha256(bytes))).toEqual({ answer: 'ok', bytes });
    reader.close();
  });

  test('a row without its file is corrupt, never missing (F10)', () => {
    const bytes = new Uint8Array(20_000).fill(9);
    run(['cas.putMany', [{ hash: sha256(bytes), bytes }]]);
    rmSync(join(folder.dir, 'objects'), { recursive: true });
    expect(existsSync(join(folder.dir, 'objects'))).toBe(false);
    const reader = new Reader(openForReading(folder.dir), folder.dir);
    expect(reader.object(sha256(bytes))).toEqual({ answer: 'corrupt' });
    reader.close();
  });
});
