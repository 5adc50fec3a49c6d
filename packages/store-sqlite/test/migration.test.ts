import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { hashOf, sha256, unwrap, utf8 } from '@worldline/canon';
import { VirtualClock } from '@worldline/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openForWriting } from '../src/connection.ts';
import { openSqliteStore } from '../src/index.ts';
import { temporaryFolder } from './harness.ts';

/**
 * A store that version 0.1.0 wrote: world `w` of four entries with a baseline at height 1, held by `me`; one applied
 * item with key `k`, one unread receipt with key `r:9:1`, an outbox row and a timer.
 */
const FORMAT_1 = gunzipSync(readFileSync(new URL('./data/store-format-1.db.gz', import.meta.url)));
const hash = (text: string) => sha256(utf8(text));

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
  writeFileSync(join(folder.dir, 'worldline.db'), FORMAT_1);
});

afterEach(() => folder.remove());

describe('a store of format 1 (docs/formats/sqlite-store.md)', () => {
  test('opened for reading only it is store.older, and stays as it is', async () => {
    const opened = await openSqliteStore(folder.dir, { readOnly: true });
    expect(opened).toMatchObject({ ok: false, failure: { code: 'store.older', hint: expect.any(String) } });
    expect(readFileSync(join(folder.dir, 'worldline.db')).equals(FORMAT_1)).toBe(true);
  });

  test('opened for writing it becomes format 2 with everything it held', async () => {
    const clock = new VirtualClock();
    const store = unwrap(await openSqliteStore(folder.dir, { clock }));
    expect(await store.world.get('w')).toMatchObject({
      status: 'active',
      head: { height: 4 },
      base: { height: 0, chain: new Uint8Array(32) },
      activeBaseline: { height: 1, ref: hash('s') },
      lease: { holder: 'me' },
      labels: {},
    });
    expect(await store.journal.read('w', 0, 100)).toMatchObject({
      answer: 'ok',
      batches: [{ firstSeq: 0 }, { firstSeq: 1 }, { firstSeq: 2, lastSeq: 3 }],
    });
    expect(await store.inbox.enqueue('w', utf8('item'), hash('item'), 'k')).toMatchObject({
      answer: 'duplicate',
      applied: { firstSeq: 2, lastSeq: 3 },
    });
    expect((await store.inbox.read('w', new Uint8Array(0), 10)).map((item) => item.dedupeKey)).toEqual(['k', 'r:9:1']);
    expect(await store.outbox.list('w')).toMatchObject([{ emissionSeq: 2, kind: 'http.request' }]);
    expect((await store.timers.due(undefined, 10)).nextDueWallNs).toBe(1_700_000_060_000_000_000n);
    await store.close();
  });

  test('keys of items that were there stay: format 1 did not say whose they are', async () => {
    const clock = new VirtualClock();
    const store = unwrap(await openSqliteStore(folder.dir, { clock }));
    clock.advanceMs(30 * 86_400_000);
    expect(await store.inbox.trim('w')).toEqual({ answer: 'ok', items: 1, keys: 0 });
    expect(await store.inbox.enqueue('w', utf8('item'), hash('item'), 'k')).toMatchObject({ answer: 'duplicate' });
    await store.close();
  });

  test('a snapshot of format 1 can be forked: its chain is found among the batches', async () => {
    const store = unwrap(await openSqliteStore(folder.dir, { clock: new VirtualClock() }));
    const page = await store.journal.read('w', 0, 1);
    if (page.answer !== 'ok') throw new Error(page.answer);
    expect(await store.world.fork('w', 1, { worldId: 'f', policy: { effects: 'fail', timers: 'carry' } })).toEqual({
      answer: 'ok',
      worldId: 'f',
      head: { height: 1, chain: hashOf(['fork', page.batches[0]!.chain, 'f']) },
    });
    await store.close();
  });

  test('bringing it to the new format is one step: what another process did meanwhile is not done again', () => {
    const first = openForWriting(folder.dir);
    const second = openForWriting(folder.dir);
    expect(second.get('PRAGMA user_version')).toEqual({ user_version: 2 });
    first.db.close();
    second.db.close();
  });

  test('a store of an older format and a new one end with the same tables and columns', () => {
    const columns = (dir: string) => {
      const sql = openForWriting(dir);
      const tables = sql.all("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
      const found = tables.map(({ name }) => [
        name,
        sql.all(`SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info('${String(name)}') ORDER BY name`),
      ]);
      sql.db.close();
      return found;
    };
    const fresh = temporaryFolder();
    expect(columns(folder.dir)).toEqual(columns(fresh.dir));
    fresh.remove();
  });
});
