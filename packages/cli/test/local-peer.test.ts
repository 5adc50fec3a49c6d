import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode, hashText, ok, sha256 } from '@worldline/canon';
import type { FabricMessage } from '@worldline/ports';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { Context } from '../src/context.ts';
import { LocalPeer } from '../src/local-peer.ts';
import { Output } from '../src/output.ts';
import { cleanUp, type Daemon, daemon, emptyFolder, worldline } from './support.ts';

/** Messages to a world of the same user on this machine, running or not (`host.md` §5.7). */

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });
afterAll(cleanUp);

const write = (path: string, content: unknown) =>
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));

const NODES = [
  { $kind: 'defschema', name: 'app/Note@1', type: { record: { text: { text: {} } } } },
  {
    $kind: 'manifest',
    air_version: '1',
    schemas: [{ name: 'app/Note@1' }],
    modules: [],
    plans: [],
    effects: [],
    caps: [],
    policies: [],
  },
];

/** Two worlds side by side, `desk` and `lab`; `lab` hears `desk`. Neither has run. */
function folders(accept: unknown = [{ from: 'desk' }]): { readonly desk: string; readonly lab: string } {
  const root = emptyFolder();
  for (const name of ['desk', 'lab']) {
    mkdirSync(join(root, name, 'air'), { recursive: true });
    write(join(root, name, 'worldline.json'), { version: 1 });
    write(join(root, name, 'air/world.air.json'), NODES);
  }
  const lab = join(root, 'lab');
  write(join(lab, 'worldline.host.json'), {
    fabric: { peers: { desk: { path: '../desk' } } },
    world: { fabric_accept: accept },
  });
  return { desk: join(root, 'desk'), lab };
}

const worldId = (folder: string) =>
  (JSON.parse(readFileSync(join(folder, '.worldline/world.json'), 'utf8')) as { world_id: string }).world_id;

/** Makes a world, and leaves it closed. */
const create = async (...worlds: readonly string[]) => {
  for (const cwd of worlds) expect((await worldline(['run', '--batch'], { cwd })).exit).toBe(0);
};

function peerOf(desk: string, socketMs?: number): LocalPeer {
  const streams = { stdout: { write: () => {} }, stderr: { write: () => {} }, env: {} };
  const out = { json: true, pretty: false, meta: true, quiet: false };
  const ctx = new Context({
    flags: { world: desk, mode: 'auto', ...out, timeoutMs: 30_000, timeoutGiven: false },
    out: new Output(out, streams),
    cwd: desk,
    env: {},
    interrupted: new AbortController().signal,
    composition: {},
  });
  return new LocalPeer(ctx, '../lab', socketMs);
}

const message = (fromWorld: string, n: number, more: Partial<FabricMessage> = {}): FabricMessage => ({
  messageId: hashText(sha256(encode(n))),
  fromWorld,
  schema: 'app/Note@1',
  value: encode({ text: `note ${n}` }),
  mode: 'event',
  ...more,
});
const { signal } = new AbortController();

const notes = async (lab: string): Promise<string[]> => {
  const tail = await worldline(['journal', 'tail', '--json', '--kinds', 'domain_event'], { cwd: lab });
  return tail.json().data.entries.map((e: { record: { value: { text: string } } }) => e.record.value.text);
};

test('a world that is closed finds the message when it runs next, once, whatever was repeated', async () => {
  const { desk, lab } = folders();
  await create(desk, lab);
  const peer = peerOf(desk);
  const from = worldId(desk);
  expect(await peer.deliver(message(from, 1), signal)).toEqual(ok({ seq: 1n, duplicate: false }));
  expect(await peer.deliver(message(from, 1), signal)).toEqual(ok({ seq: 1n, duplicate: true }));
  const both = await Promise.all([2, 3].map((n) => peer.deliver(message(from, n), signal)));
  expect(both.map((one) => one.ok)).toEqual([true, true]);
  await peer.close();
  expect(await notes(lab)).toEqual([]);
  await create(lab);
  expect((await notes(lab)).sort()).toEqual(['note 1', 'note 2', 'note 3']);
  expect(await peerOf(desk).deliver(message(from, 1), signal)).toEqual(ok({ seq: 1n, duplicate: true }));
  await create(lab);
  expect(await notes(lab)).toHaveLength(3);
  expect((await worldline(['replay', '--verify', '--from-genesis'], { cwd: lab })).exit).toBe(0);
});

describe('while a process runs the peer', () => {
  async function running(): Promise<{ lab: string; peer: LocalPeer; from: string; process: Daemon }> {
    const { desk, lab } = folders();
    await create(desk);
    const process = await daemon(lab);
    return { lab, peer: peerOf(desk, 500), from: worldId(desk), process };
  }
  const arrived = async (lab: string, count: number) => {
    while ((await notes(lab)).length < count);
  };

  test('it is asked over its socket; after kill -9 the repeat that takes the other way is a duplicate', async () => {
    const { lab, peer, from, process } = await running();
    expect(await peer.deliver(message(from, 1), signal)).toEqual(ok({ seq: 1n, duplicate: false }));
    await process.stop('SIGKILL');
    expect(await peer.deliver(message(from, 1), signal)).toEqual(ok({ seq: 1n, duplicate: true }));
    await peer.close();
    await create(lab);
    expect(await notes(lab)).toEqual(['note 1']);
  });

  test('without a socket the message goes into the inbox beside the lease holder, which finds it there', async () => {
    const { lab, peer, from, process } = await running();
    rmSync(join(lab, '.worldline/control.sock'));
    expect(await peer.deliver(message(from, 1), signal)).toEqual(ok({ seq: 1n, duplicate: false }));
    await arrived(lab, 1);
    await peer.close();
    expect((await process.stop()).exit).toBe(0);
    expect((await worldline(['replay', '--verify', '--from-genesis'], { cwd: lab })).exit).toBe(0);
  });

  test('a process that is stopped and answers nothing does not hold the message up', async () => {
    const { lab, peer, from, process } = await running();
    globalThis.process.kill(process.pid, 'SIGSTOP');
    expect(await peer.deliver(message(from, 1), signal)).toEqual(ok({ seq: 1n, duplicate: false }));
    globalThis.process.kill(process.pid, 'SIGCONT');
    await arrived(lab, 1);
    await peer.close();
    await process.stop();
    expect(await notes(lab)).toEqual(['note 1']);
  });

  test('what it refuses is refused, and nothing is put into its inbox behind its back', async () => {
    const { lab, peer, process } = await running();
    const refused = { ok: false, failure: { code: 'fabric.refused', retryable: false } };
    expect(await peer.deliver(message('00000000-0000-7000-8000-000000000000', 1), signal)).toMatchObject(refused);
    await process.stop();
    await create(lab);
    expect(await notes(lab)).toEqual([]);
  });
});

describe('refusals of a closed peer are the same as of a running one', () => {
  test('who it does not know, who it does not hear, what it does not take', async () => {
    const { desk, lab } = folders([{ from: 'desk', schemas: ['app/Note@1', 'app/Other@1', 'sys/TimerFired@1'] }]);
    await create(desk, lab);
    const peer = peerOf(desk);
    const from = worldId(desk);
    const code = async (m: FabricMessage) => {
      const delivered = await peer.deliver(m, signal);
      return delivered.ok ? 'ok' : [delivered.failure.code, delivered.failure.retryable];
    };
    expect(await code(message(worldId(lab), 1))).toEqual(['fabric.refused', false]);
    expect(await code(message(from, 1, { schema: 'app/Third@1' }))).toEqual(['fabric.refused', false]);
    expect(await code(message(from, 1, { schema: 'sys/TimerFired@1' }))).toEqual(['fabric.refused', false]);
    expect(await code(message(from, 1, { schema: 'app/Other@1' }))).toEqual(['fabric.schema_mismatch', false]);
    expect(await code(message(from, 1, { typeHash: hashText(sha256(encode(0))) }))).toEqual([
      'fabric.schema_mismatch',
      false,
    ]);
    expect(await code(message(from, 1, { mode: 'inbox' }))).toEqual(['fabric.no_inbox', false]);
    expect(await code(message(from, 1, { value: encode({ text: 'x'.repeat(2 ** 20) }) }))).toEqual([
      'fabric.too_large',
      false,
    ]);
    expect(await code(message(from, 1))).toBe('ok');
    expect(await code(message(from, 1, { value: encode({ text: 'other' }) }))).toEqual(['fabric.refused', false]);
    await peer.close();
    await create(lab);
    expect(await notes(lab)).toEqual(['note 1']);
  });

  test('no folder, no world, no configuration that can be read: unreachable, and worth another try', async () => {
    const { desk, lab } = folders();
    await create(desk);
    const peer = peerOf(desk);
    const sent = message(worldId(desk), 1);
    const unreachable = { ok: false, failure: { code: 'fabric.peer_unreachable', retryable: true } };
    expect(await peer.deliver(sent, signal)).toMatchObject(unreachable);
    await create(lab);
    const host = readFileSync(join(lab, 'worldline.host.json'), 'utf8');
    write(join(lab, 'worldline.host.json'), '{');
    expect(await peerOf(desk).deliver(sent, signal)).toMatchObject(unreachable);
    write(join(lab, 'worldline.host.json'), host);
    expect((await peer.deliver(sent, signal)).ok).toBe(true);
    await peer.close();
    rmSync(lab, { recursive: true });
    expect(await peerOf(desk).deliver(sent, signal)).toMatchObject(unreachable);
  });
});
