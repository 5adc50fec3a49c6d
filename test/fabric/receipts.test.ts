import { readFileSync } from 'node:fs';
import { fabricAdapter, timerAdapter } from '@worldline/adapters';
import { typeDigest } from '@worldline/air';
import { decode, fail, hashText, ok, unwrap } from '@worldline/canon';
import type { HostConfig, World } from '@worldline/host';
import type { FabricMessage, FabricPeer } from '@worldline/ports';
import { expect, test } from 'vitest';
import { Bench, hostConfig, until } from '../../packages/host/test/bench-world.ts';
import { ASK, REQUEST, SETTLED } from './pair.ts';

/** What becomes of a typed message from the plan to the peer and back as a receipt (`host.md` §5.7, §3.2). */

interface Named {
  readonly name?: string;
}

const read = (path: string) => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')) as Named[];
const DESK = read('examples/06-request-response-turnkey/desk/air/manifest.air.json');
const lists = JSON.stringify(DESK);
const NODES = [
  ...read('packs/request-response/air/exports/plan-packs/request-response/defs.air.json').filter(({ name }) =>
    lists.includes(`"name":"${name}"`),
  ),
  ...DESK,
];

type Answer = Awaited<ReturnType<FabricPeer['deliver']>>;
const down: Answer = fail({ code: 'fabric.peer_unreachable', message: 'down', retryable: true });

/** A desk whose peer answers as it is told, one answer per attempt; the last one again and again. */
async function asking(deliver: FabricPeer['deliver'], config?: HostConfig, timeoutMs?: number) {
  const bench = await Bench.create({ nodes: NODES as never });
  const messages: FabricMessage[] = [];
  const peer: FabricPeer = {
    deliver(message, signal) {
      messages.push(message);
      return deliver(message, signal);
    },
  };
  const adapters = [fabricAdapter({ peers: new Map([['lab', peer]]), timeoutMs }), timerAdapter()];
  const world = await bench.open({ adapters, ...(config === undefined ? {} : { config }) });
  const value = {
    correlation_id: 'r1',
    dest_world: 'lab',
    reply_world: 'desk',
    topic: 't',
    deadline_ns: '1000000000000',
  };
  const sent = await world.sendEvent({ schema: ASK, value: { json: value } });
  if (!sent.ok) throw new Error(JSON.stringify(sent.failure));
  return { bench, world, messages };
}

const receipt = async (bench: Bench) => {
  await until(async () => (await bench.of('effect_receipt')).length > 0);
  return (await bench.of('effect_receipt'))[0]!;
};
const results = async (bench: Bench) =>
  (await bench.of('domain_event'))
    .filter(({ schema }) => schema === SETTLED)
    .map(({ value }) => (unwrap(decode(value)) as { result: unknown }).result);
const closed = async (bench: Bench, world: World) => {
  await bench.replays();
  await world.close({ graceMs: 0 });
};

test('the message is what the plan built: schema by name, its expanded type, the value, the intent hash as id', async () => {
  const { bench, world, messages } = await asking(async () => ok({ seq: 5n, duplicate: false }));
  const { status, payload_cbor, intent_hash } = await receipt(bench);
  const [message] = messages;
  expect(message).toMatchObject({ schema: REQUEST, mode: 'event', correlationId: 'r1', fromWorld: world.worldId });
  expect(message!.messageId).toBe(hashText(intent_hash));
  expect(message!.typeHash).toBe(hashText(typeDigest({ kind: 'ref', name: REQUEST }, world.catalog.scope)!));
  expect(unwrap(decode(message!.value))).toMatchObject({ correlation_id: 'r1', to_world: 'lab', reply_world: 'desk' });
  expect(status).toBe('ok');
  expect(unwrap(decode(payload_cbor!))).toEqual({
    message_id: message!.messageId,
    dest_world: 'lab',
    enqueued_seq: 5,
    duplicate: false,
  });
  await closed(bench, world);
});

test('fabric.peer_unreachable is tried again under the same id, until it is not', async () => {
  let attempts = 0;
  const { bench, world, messages } = await asking(async () =>
    ++attempts < 4 ? down : ok({ seq: 1n, duplicate: true }),
  );
  for (let i = 1; i < 4; i++) {
    await until(() => attempts === i && bench.clock.nextTimerNs !== undefined);
    bench.clock.advance(5_000_000_000n);
  }
  expect(await receipt(bench)).toMatchObject({ status: 'ok' });
  expect(new Set(messages.map(({ messageId }) => messageId)).size).toBe(1);
  expect(await results(bench)).toEqual([]);
  await closed(bench, world);
});

test('a peer that stays away takes the branch of the failed send', async () => {
  const config = hostConfig((c) => ({
    effects: { ...c.effects, retryOf: { 'host.fabric': { max: 0, baseMs: 1, factor: 1, capMs: 1 } } },
  }));
  const { bench, world } = await asking(async () => down, config);
  expect(await receipt(bench)).toMatchObject({
    status: 'error',
    error: { code: 'fabric.peer_unreachable', retryable: true },
  });
  expect(await results(bench)).toEqual([
    { $tag: 'Failed', $value: { stage: 'send', code: 'fabric.peer_unreachable' } },
  ]);
  await closed(bench, world);
});

test.each(['fabric.refused', 'fabric.schema_mismatch', 'fabric.no_inbox', 'fabric.too_large'])(
  '%s is not tried again, and the plan branches on it',
  async (code) => {
    const { bench, world, messages } = await asking(async () => fail({ code, message: 'no', retryable: false }));
    expect(await receipt(bench)).toMatchObject({ status: 'error', error: { code, retryable: false } });
    expect(messages).toHaveLength(1);
    expect(await results(bench)).toEqual([{ $tag: 'Failed', $value: { stage: 'send', code } }]);
    await closed(bench, world);
  },
);

test('adapter.timeout: a peer that never answers', async () => {
  const hangs: FabricPeer['deliver'] = (_message, signal) =>
    new Promise((_resolve, reject) => {
      (signal as AbortSignal).addEventListener('abort', () => reject(new Error('aborted')));
    });
  const { bench, world, messages } = await asking(hangs, undefined, 30_000);
  await until(() => messages.length === 1 && bench.clock.nextTimerNs !== undefined);
  bench.clock.advance(30_000_000_000n);
  expect(await receipt(bench)).toMatchObject({ status: 'timeout', error: { code: 'adapter.timeout' } });
  await closed(bench, world);
});
