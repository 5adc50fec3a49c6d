import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unwrap } from '@worldline/canon';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readIdentity, worldFolder, writeIdentity } from '../src/folder.ts';
import { ensureKeys } from '../src/keys.ts';
import { inspectLock, type LockInfo, removeLock, writeLock } from '../src/lock.ts';
import { loadPlugins } from '../src/plugins.ts';
import { Redactor, SecretResolver } from '../src/secrets.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'worldline-host-'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const mode = async (path: string) => (await stat(path)).mode & 0o777;

describe('the lock file (`host.md` §1)', () => {
  const own = { mode: 'daemon', worker: 'w1', epoch: 3 } as const;

  test('absent, then this process’s own, alive and whole', async () => {
    const { lock } = worldFolder(root);
    expect(await inspectLock(lock)).toEqual({ state: 'absent' });
    const info = await writeLock(lock, own);
    expect(info).toMatchObject({ pid: process.pid, ...own });
    expect(await inspectLock(lock)).toEqual({ state: 'alive', lock: info, since: expect.any(Date) });
    expect(await mode(lock)).toBe(0o600);
    await removeLock(lock, info);
    expect(await inspectLock(lock)).toEqual({ state: 'absent' });
  });

  test('a process that has ended is dead, and its worker id is told', async () => {
    const { lock } = worldFolder(root);
    const child = spawn(process.execPath, ['-e', '']);
    await new Promise((gone) => child.once('exit', gone));
    const info = await writeLock(lock, own);
    await writeFile(lock, JSON.stringify({ ...info, pid: child.pid }));
    expect(await inspectLock(lock)).toMatchObject({ state: 'dead', lock: { worker: 'w1' } });
  });

  test.each([
    ['another start time (the pid was given again)', { started_at: 'some other time' }],
    ['another boot', { boot_id: 'before' }],
  ])('%s: dead', async (_, change: Partial<LockInfo>) => {
    const { lock } = worldFolder(root);
    const info = await writeLock(lock, own);
    await writeFile(lock, JSON.stringify({ ...info, ...change }));
    expect((await inspectLock(lock)).state).toBe('dead');
  });

  test('half a file, as a crash leaves it, is nobody’s', async () => {
    const { lock } = worldFolder(root);
    await writeLock(lock, own);
    await writeFile(lock, '{"pid": 1');
    expect(await inspectLock(lock)).toEqual({ state: 'dead', lock: undefined });
  });

  test('nobody removes a lock that another has taken over', async () => {
    const { lock } = worldFolder(root);
    const info = await writeLock(lock, own);
    await writeLock(lock, { ...own, worker: 'w2' });
    await removeLock(lock, info);
    expect(await inspectLock(lock)).toMatchObject({ state: 'alive', lock: { worker: 'w2' } });
  });
});

describe('keys', () => {
  test('are made once, readable only by their owner, and sign', async () => {
    const { keys } = worldFolder(root);
    const first = await ensureKeys(keys);
    const second = await ensureKeys(keys);
    expect(second.receipts.keyId).toBe(first.receipts.keyId);
    expect(second.world.keyId).not.toBe(first.receipts.keyId);
    expect(first.receipts.sign(new Uint8Array(3))).toEqual(second.receipts.sign(new Uint8Array(3)));
    expect(await mode(keys)).toBe(0o700);
    for (const file of ['receipt-ed25519.pem', 'world-ed25519.pem']) expect(await mode(join(keys, file))).toBe(0o600);
  });
});

describe('world.json', () => {
  test('is read as it was written, absent before, and refused when damaged', async () => {
    const folder = worldFolder(root);
    expect(unwrap(await readIdentity(folder))).toBeUndefined();
    const identity = { world_id: 'w', universe_id: 'u', created_at: '2026-01-01T00:00:00Z' };
    await writeIdentity(folder, identity);
    expect(unwrap(await readIdentity(folder))).toEqual(identity);
    for (const text of ['{', 'null', '{"world_id":7}']) {
      await writeFile(folder.identity, text);
      expect(await readIdentity(folder)).toMatchObject({ ok: false, failure: { code: 'host_error' } });
    }
    expect(JSON.parse(await readFile(folder.identity, 'utf8'))).toEqual({ world_id: 7 });
  });
});

describe('secrets (`host.md` §6)', () => {
  const declare = (bindingId: string, more = {}) => ({
    kind: 'defsecret' as const,
    name: 'k@1',
    alias: 'k',
    version: 1,
    bindingId,
    allowedCaps: [],
    allowedPlans: [],
    ...more,
  });
  const ref = { alias: 'k', version: 1n };
  const resolver = (more = {}) =>
    new SecretResolver(
      { env: { A: 'from-env' }, dir: root, bindings: { mine: 'env:A', loop: 'loop' }, placeholders: false, ...more },
      new Redactor(),
    );
  const text = async (r: SecretResolver, bindingId: string, more = {}) => {
    const resolved = await r.resolve([declare(bindingId, more)], ref, { grant: 'g', plan: 'p' });
    return resolved.ok ? new TextDecoder().decode(resolved.bytes) : resolved.code;
  };

  test('env:, file: and configured bindings', async () => {
    await writeFile(join(root, 'token'), 'from-file', { mode: 0o600 });
    expect(await text(resolver(), 'env:A')).toBe('from-env');
    expect(await text(resolver(), 'file:token')).toBe('from-file');
    expect(await text(resolver(), 'mine')).toBe('from-env');
    expect(await resolver().binding('file:token')).toBe('from-file');
  });

  test.each(['env:B', 'file:none', 'file:../x', 'file:..', 'file:a/b', 'vault:x', 'loop', 'nothing', '__proto__'])(
    '%s resolves to nothing: secret.unavailable',
    async (bindingId) => {
      expect(await text(resolver(), bindingId)).toBe('secret.unavailable');
    },
  );

  test('a link out of the folder is not followed', async () => {
    const { symlink } = await import('node:fs/promises');
    await writeFile(join(root, 'outside'), 'x');
    await symlink(join(root, 'outside'), join(root, 'link'));
    expect(await text(resolver(), 'file:link')).toBe('secret.unavailable');
  });

  test('the checks of §6.1, in their order', async () => {
    expect(await text(resolver(), 'env:A', { version: 2 })).toBe('secret_unknown');
    expect(await text(resolver(), 'env:B', { allowedCaps: ['other'] })).toBe('secret_denied');
    expect(await text(resolver(), 'env:B', { allowedPlans: ['other'] })).toBe('secret_denied');
    expect(await text(resolver(), 'env:A', { allowedCaps: ['g'], allowedPlans: ['p'] })).toBe('from-env');
    expect(await text(resolver(), 'env:A', { expectedDigest: `sha256:${'0'.repeat(64)}` })).toBe(
      'secret.digest_mismatch',
    );
  });

  test('placeholders stand for every declared secret when they are allowed', async () => {
    expect(await text(resolver({ placeholders: true }), 'env:B')).toBe('placeholder:k@1');
  });

  test('redaction: text and nested data, values of six bytes and more', () => {
    const redactor = new Redactor();
    redactor.remember('key', new TextEncoder().encode('s3cr3t!'));
    redactor.remember('short', new TextEncoder().encode('ab'));
    expect(redactor.text('a s3cr3t! ab')).toBe('a «redacted:key» ab');
    expect(redactor.data({ 's3cr3t!': ['x', { y: 's3cr3t!' }] })).toEqual({
      '«redacted:key»': ['x', { y: '«redacted:key»' }],
    });
    expect(redactor.leak(new TextEncoder().encode('xx s3cr3t!'))).toBe('key');
    expect(redactor.leak(new TextEncoder().encode('nothing'))).toBeUndefined();
    const circular: { self?: unknown } = {};
    circular.self = circular;
    expect(() => redactor.data(circular)).not.toThrow();
  });
});

describe('adapter plug-ins (`host.md` §4)', () => {
  test('a path beside the world folder: an adapter, or what makes adapters from options', async () => {
    await writeFile(
      join(root, 'mine.mjs'),
      `const adapter = (id) => ({ id, kinds: ['x.' + id], classify: () => 'read' });
       export default adapter('one');
       export const many = (options) => options.ids.map(adapter);
       export const wrong = { id: 7 };
       export const broken = () => { throw new Error('no luck'); };`,
    );
    const load = (name: string, options?: unknown) =>
      loadPlugins([{ module: './mine.mjs', export: name, options }], root);
    expect(unwrap(await load('default')).map((a) => a.id)).toEqual(['one']);
    expect(unwrap(await load('many', { ids: ['a', 'b'] })).map((a) => a.id)).toEqual(['a', 'b']);
    for (const name of ['wrong', 'broken', 'absent']) {
      expect(await load(name)).toMatchObject({ ok: false, failure: { code: 'host_error', path: ['adapters', 0] } });
    }
    expect(await loadPlugins([{ module: './none.mjs', export: 'default', options: undefined }], root)).toMatchObject({
      ok: false,
    });
  });
});

test('of two processes that make the keys of one world at the same moment, one wins for both', async () => {
  const dir = join(mkdtempSync(join(tmpdir(), 'worldline-keys-')), 'keys');
  const made = await Promise.all([ensureKeys(dir), ensureKeys(dir), ensureKeys(dir)]);
  expect(new Set(made.map((keys) => keys.receipts.keyId)).size).toBe(1);
  expect((await ensureKeys(dir)).world.keyId).toBe(made[0]!.world.keyId);
});
