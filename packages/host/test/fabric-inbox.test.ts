import { typeDigest } from '@worldline/air';
import { encode, hashText, sha256, unwrap } from '@worldline/canon';
import type { FabricAccept } from '@worldline/kernel';
import type { FabricMessage } from '@worldline/ports';
import { describe, expect, test } from 'vitest';
import type { FabricSender, World } from '../src/index.ts';
import { Bench, hostConfig, until } from './bench-world.ts';

/** What a destination makes of messages (`host.md` §5.7, `hosting.md` §10.2). */

const DESK: FabricSender = { name: 'desk', address: 'air://u1/w1' };
const id = (n: number) => hashText(sha256(encode(n)));

const message = (more: Partial<FabricMessage> = {}): FabricMessage => ({
  messageId: id(1),
  fromWorld: 'w1',
  schema: 't/Done@1',
  value: encode({ id: 'a' }),
  mode: 'event',
  ...more,
});

async function accepting(...fabric_accept: FabricAccept[]): Promise<{ readonly bench: Bench; readonly world: World }> {
  const bench = await Bench.create({ config: { fabric_accept } });
  return { bench, world: await bench.open() };
}

async function refusal(world: World, sender: FabricSender, more: Partial<FabricMessage> = {}): Promise<string> {
  const answer = await world.receiveMessage(sender, message(more));
  return answer.ok ? 'ok' : answer.failure.code;
}

const events = async (bench: Bench) =>
  (await bench.of('domain_event')).map(({ schema, ingress_id }) => [schema, ingress_id]);

describe('admission: fabric_accept', () => {
  test('an empty list refuses everything', async () => {
    const { bench, world } = await accepting();
    expect(await refusal(world, DESK)).toBe('fabric.refused');
    expect(await events(bench)).toEqual([]);
    await world.close();
  });

  test.each<[string, FabricAccept]>([
    ['the peer’s name', { from: 'desk' }],
    ['its address', { from: 'air://u1/w1' }],
    ['its universe', { from: 'air://u1/*' }],
    ['a list with the schema and the mode', { from: 'desk', schemas: ['t/Done@1'], modes: ['event'] }],
  ])('%s lets it in', async (_, accept) => {
    const { bench, world } = await accepting({ from: 'other' }, accept);
    expect(await refusal(world, DESK)).toBe('ok');
    await until(async () => (await events(bench)).length === 1);
    await bench.replays();
    await world.close();
  });

  test.each<[string, FabricAccept]>([
    ['another name', { from: 'lab' }],
    ['another universe', { from: 'air://u/*' }],
    ['a universe without its star', { from: 'air://u1/' }],
    ['another schema', { from: 'desk', schemas: ['t/Job@1'] }],
    ['no schema', { from: 'desk', schemas: [] }],
    ['another mode', { from: 'desk', modes: ['inbox'] }],
  ])('%s does not, and says nothing about the schema', async (_, accept) => {
    const { world } = await accepting(accept);
    expect(await refusal(world, DESK)).toBe('fabric.refused');
    expect(await refusal(world, DESK, { schema: 't/Unknown@1' })).toBe('fabric.refused');
    await world.close();
  });

  test('a peer whose address is not known is no part of a universe', async () => {
    const { world } = await accepting({ from: 'air://u1/*' });
    expect(await refusal(world, { name: 'desk' })).toBe('fabric.refused');
    await world.close();
  });

  test('a change of the configuration is in force at once', async () => {
    const { world } = await accepting();
    const { config, configHash } = await world.read(({ config, configHash }) => ({ config, configHash }));
    unwrap(await world.applyConfig({ ...config, fabric_accept: [{ from: 'desk' }] }, configHash));
    expect(await refusal(world, DESK)).toBe('ok');
    await world.close();
  });
});

describe('what a message has to be', () => {
  test('fabric.schema_mismatch: unknown here, another type, or a value that does not conform', async () => {
    const { world } = await accepting({ from: 'desk' });
    expect(await refusal(world, DESK, { schema: 't/Unknown@1' })).toBe('fabric.schema_mismatch');
    expect(await refusal(world, DESK, { typeHash: id(9) })).toBe('fabric.schema_mismatch');
    expect(await refusal(world, DESK, { value: encode({ id: 7 }) })).toBe('fabric.schema_mismatch');
    expect(await refusal(world, DESK, { value: new Uint8Array([0xff]) })).toBe('fabric.schema_mismatch');
    const own = hashText(typeDigest({ kind: 'ref', name: 't/Done@1' }, world.catalog.scope)!);
    expect(await refusal(world, DESK, { typeHash: own })).toBe('ok');
    await world.close();
  });

  test('sys/* is refused whatever the list says', async () => {
    const { world } = await accepting({ from: 'desk' });
    for (const schema of ['sys/TimerFired@1', 'sys/FabricMessage@1', 'sys/Anything@1'])
      expect(await refusal(world, DESK, { schema })).toBe('fabric.refused');
    await world.close();
  });

  test('fabric.no_inbox: no reducer takes messages of the sender', async () => {
    const { world } = await accepting({ from: 'desk' });
    expect(await refusal(world, DESK, { mode: 'inbox' })).toBe('fabric.no_inbox');
    await world.close();
  });

  test('fabric.too_large: more than this host or this world takes', async () => {
    const bench = await Bench.create({ config: { fabric_accept: [{ from: 'desk' }] } });
    const world = await bench.open({ config: hostConfig((c) => ({ fabric: { ...c.fabric, maxBytes: 40 } })) });
    expect(await refusal(world, DESK, { value: encode({ id: 'a'.repeat(60) }) })).toBe('fabric.too_large');
    await world.close();
    const small = await Bench.create({ config: { fabric_accept: [{ from: 'desk' }] } });
    const narrow = await small.open();
    expect(await refusal(narrow, DESK, { value: encode({ id: 'a'.repeat(2 ** 20) }) })).toBe('fabric.too_large');
    await narrow.close();
  });
});

describe('durable, and once', () => {
  test('a repeat is a duplicate with the first seq, before and after it is applied, and over a restart', async () => {
    const { bench, world } = await accepting({ from: 'desk' });
    const [first, again] = await Promise.all([
      world.receiveMessage(DESK, message()),
      world.receiveMessage(DESK, message()),
    ]);
    expect(unwrap(first)).toEqual({ seq: 1n, duplicate: false });
    expect(unwrap(again)).toEqual({ seq: 1n, duplicate: true });
    await until(async () => (await events(bench)).length === 1);
    expect(unwrap(await world.receiveMessage(DESK, message()))).toEqual({ seq: 1n, duplicate: true });
    await world.close();
    const reopened = await bench.open();
    expect(unwrap(await reopened.receiveMessage(DESK, message()))).toEqual({ seq: 1n, duplicate: true });
    expect(await events(bench)).toEqual([['t/Done@1', `fabric:desk/${id(1)}`]]);
    await bench.replays();
    await reopened.close();
  });

  test('equal messages of two senders both arrive', async () => {
    const { bench, world } = await accepting({ from: 'desk' }, { from: 'lab' });
    unwrap(await world.receiveMessage(DESK, message()));
    expect(unwrap(await world.receiveMessage({ name: 'lab' }, message()))).toEqual({ seq: 2n, duplicate: false });
    await until(async () => (await events(bench)).length === 2);
    expect(await events(bench)).toEqual([
      ['t/Done@1', `fabric:desk/${id(1)}`],
      ['t/Done@1', `fabric:lab/${id(1)}`],
    ]);
    await bench.replays();
    await world.close();
  });

  test('another message under a known id is a conflict', async () => {
    const { world } = await accepting({ from: 'desk' });
    unwrap(await world.receiveMessage(DESK, message()));
    expect(await refusal(world, DESK, { value: encode({ id: 'b' }) })).toBe('ingress.conflict');
    await world.close();
  });

  test('what was acknowledged is applied after a crash', async () => {
    const bench = await Bench.create({ config: { fabric_accept: [{ from: 'desk' }] } });
    const { world, connection } = await bench.openCuttable();
    connection.beforeCommit = async () => connection.cut();
    unwrap(await world.receiveMessage(DESK, message()));
    await world.closed;
    expect(await events(bench)).toEqual([]);
    const reopened = await bench.reopen();
    await until(async () => (await events(bench)).length === 1);
    await bench.replays();
    await reopened.close();
  });

  test('a full inbox takes messages all the same (hosting.md §7)', async () => {
    const bench = await Bench.create({ store: { inboxMax: 0 }, config: { fabric_accept: [{ from: 'desk' }] } });
    const world = await bench.open();
    expect(await refusal(world, DESK)).toBe('ok');
    await world.close();
  });

  test('a world that is being closed takes none', async () => {
    const { world } = await accepting({ from: 'desk' });
    await world.close();
    expect(await refusal(world, DESK)).toBe('draining');
  });
});
