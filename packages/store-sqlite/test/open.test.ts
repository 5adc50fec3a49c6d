import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256, unwrap, utf8 } from '@worldline/canon';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openForWriting } from '../src/connection.ts';
import { openSqliteStore } from '../src/index.ts';
import { tamper, temporaryFolder } from './harness.ts';

const SPEC = { worldId: 'w', universeId: 'u', configHash: sha256(utf8('config')) };

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  chmodSync(folder.dir, 0o700);
  folder.remove();
});

async function failureOf(readOnly = false) {
  const opened = await openSqliteStore(folder.dir, { readOnly });
  if (!opened.ok) return opened.failure;
  await opened.value.close();
  throw new Error('it opened');
}

function childArguments(name: string, ...args: string[]): string[] {
  const path = fileURLToPath(new URL(name, import.meta.url));
  return ['--conditions=worldline-source', '--disable-warning=ExperimentalWarning', path, ...args];
}

describe('opening a folder', () => {
  test('durability is set and holds: write-ahead log, a sync with every commit (D3)', () => {
    const sql = openForWriting(folder.dir);
    expect(sql.get('PRAGMA journal_mode')).toEqual({ journal_mode: 'wal' });
    expect(sql.get('PRAGMA synchronous')).toEqual({ synchronous: 2 });
    sql.db.close();
  });

  test('the file says what it is and which format it has (docs/formats/sqlite-store.md)', () => {
    const sql = openForWriting(folder.dir);
    expect(sql.get('PRAGMA application_id')).toEqual({ application_id: 0x574c5331 });
    expect(sql.get('PRAGMA user_version')).toEqual({ user_version: 2 });
    sql.db.close();
  });

  test('makes it, and several may have it open', async () => {
    const dir = join(folder.dir, 'deep', 'down');
    const [a, b] = (await Promise.all([openSqliteStore(dir), openSqliteStore(dir)])).map(unwrap);
    const created = await Promise.all([a!.world.create(SPEC, []), b!.world.create(SPEC, [])]);
    expect(created.map(({ answer }) => answer).toSorted()).toEqual(['exists', 'ok']);
    await Promise.all([a!.close(), b!.close()]);
  });

  test("another program's database is refused as store.foreign, and stays as it is", async () => {
    tamper(folder.dir, (db) => db.exec('CREATE TABLE theirs (x)'));
    const before = readFileSync(join(folder.dir, 'worldline.db'));
    expect(await failureOf()).toMatchObject({ code: 'store.foreign', hint: expect.any(String) });
    expect((await failureOf(true)).code).toBe('store.foreign');
    expect(readFileSync(join(folder.dir, 'worldline.db')).equals(before)).toBe(true);
  });

  test("another program's application id is refused as store.foreign even without tables", async () => {
    tamper(folder.dir, (db) => db.exec('PRAGMA application_id = 1196444487; CREATE TABLE t (x); DROP TABLE t'));
    expect((await failureOf()).code).toBe('store.foreign');
  });

  test('a file that is no database is refused as store.foreign, and stays as it is', async () => {
    const path = join(folder.dir, 'worldline.db');
    writeFileSync(path, 'notes of somebody\n'.repeat(100));
    const before = readFileSync(path);
    expect((await failureOf()).code).toBe('store.foreign');
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('a newer format is refused as store.newer', async () => {
    await unwrap(await openSqliteStore(folder.dir)).close();
    tamper(folder.dir, (db) => db.exec('PRAGMA user_version = 999'));
    for (const readOnly of [false, true]) expect((await failureOf(readOnly)).code).toBe('store.newer');
  });

  test('a file where the folder should be is store.unavailable', async () => {
    const path = join(folder.dir, 'file');
    writeFileSync(path, '');
    const opened = await openSqliteStore(path);
    expect(opened).toMatchObject({ ok: false, failure: { code: 'store.unavailable' } });
  });
});

describe('opening for reading only', () => {
  test('what is not there is store.missing, and is not made', async () => {
    expect((await failureOf(true)).code).toBe('store.missing');
    expect((await failureOf(true)).code).toBe('store.missing');
    writeFileSync(join(folder.dir, 'worldline.db'), '');
    expect((await failureOf(true)).code).toBe('store.missing');
  });

  test('works beside a writing store and sees what it commits; changes are answered unavailable', async () => {
    const writer = unwrap(await openSqliteStore(folder.dir));
    const reader = unwrap(await openSqliteStore(folder.dir, { readOnly: true }));
    await writer.world.create(SPEC, []);
    expect((await reader.world.get('w'))?.status).toBe('active');
    expect(await reader.world.create({ ...SPEC, worldId: 'v' }, [])).toMatchObject({ answer: 'unavailable' });
    expect(await reader.lease.acquire('w', 'me', 1_000)).toMatchObject({ answer: 'unavailable' });
    expect(await reader.cas.put(utf8('x'))).toMatchObject({ answer: 'unavailable' });
    expect(await reader.outbox.claim('w', undefined, 'x', 1, 1)).toEqual([]);
    await writer.world.setStatus('w', 'active', 'paused');
    expect((await reader.world.get('w'))?.status).toBe('paused');
    await reader.close();
    await writer.close();
  });

  test('a folder that cannot be written is store.read_only, in words', async () => {
    const dir = join(folder.dir, 'store');
    mkdirSync(dir);
    const store = unwrap(await openSqliteStore(dir));
    await store.world.create(SPEC, []);
    await store.close();
    chmodSync(folder.dir, 0o755);
    chmodSync(join(dir, 'worldline.db'), 0o444);
    chmodSync(dir, 0o555);
    // An administrator may write anywhere, so the child gives such rights away first.
    const child = spawn(process.execPath, childArguments('./open-child.ts', dir), {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      out += chunk;
    });
    await once(child, 'close');
    chmodSync(dir, 0o700);
    expect(out.split('\n').filter((line) => line !== '')).toEqual([
      'reading: store.read_only',
      'writing: store.read_only',
    ]);
  });
});

describe('closing', () => {
  test('finishes what was asked for before, also without waiting for it', async () => {
    const store = unwrap(await openSqliteStore(folder.dir));
    await store.world.create(SPEC, []);
    const asked = Array.from({ length: 50 }, (_, i) => store.inbox.enqueue('w', utf8(`${i}`), sha256(utf8(`${i}`))));
    await store.close();
    expect((await Promise.all(asked)).every(({ answer }) => answer === 'ok')).toBe(true);
    const again = unwrap(await openSqliteStore(folder.dir));
    expect((await again.inbox.read('w', new Uint8Array(0), 100)).length).toBe(50);
    await again.close();
  });

  test('twice is once; afterwards changes are unavailable and reads fail with store.unavailable', async () => {
    const store = unwrap(await openSqliteStore(folder.dir));
    await Promise.all([store.close(), store.close()]);
    await store.close();
    expect(await store.world.create(SPEC, [])).toMatchObject({ answer: 'unavailable' });
    expect(store.cas.getSync(SPEC.configHash)).toMatchObject({ answer: 'unavailable' });
    expect(await store.journal.read('w', 0, 1)).toMatchObject({ answer: 'unavailable' });
    await expect(store.world.get('w')).rejects.toMatchObject({ failure: { code: 'store.unavailable' } });
  });

  test('an open store does not keep a process alive, but what it still owes does', async () => {
    const child = spawn(process.execPath, childArguments('./exit-child.ts', folder.dir), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    const [code] = await once(child, 'close');
    expect([code, out]).toEqual([0, 'ok\n']);
  });
});
