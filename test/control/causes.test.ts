import { fabricAdapter } from '@worldline/adapters';
import { fail, hashText, unwrap } from '@worldline/canon';
import type { World } from '@worldline/host';
import type { Kernel } from '@worldline/kernel';
import type { EffectOutcome, FabricPeer } from '@worldline/ports';
import { findTraceRoot, readTrace, traceBatch } from '@worldline/server';
import { type Diagnosis, diagnose, type EffectProgress, EventWatch, type HostFacts } from '@worldline/summary';
import { afterEach, expect, test } from 'vitest';
import {
  approvals,
  Bench,
  type BenchOptions,
  fakeAdapter,
  gate,
  hostConfig,
  job,
  NODES,
  okOutcome,
  until,
} from '../../packages/host/test/bench-world.ts';

/**
 * Runs that a host brought to a stop: adapters that are not there, hang, fail or lose their process, seen through the
 * running world (`host.md` §10.2). The cases that a kernel alone can make are in packages/summary.
 */

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close({ graceMs: 0 });
});

type Node = Record<string, unknown>;
const ref = (text: string): Node => ({ ref: text });
const isOk: Node = { op: 'eq', args: [ref('@var:a.$status'), { text: 'ok' }] };

/** Every plan of the bench ends in error when its receipt is not ok, and an event starts the one that a case is about. */
function nodesFor(plan: string, more: readonly Node[] = []): readonly Node[] {
  const strict = NODES.map((node) => (node['name'] === plan ? { ...node, invariants: [isOk] } : node));
  return [...strict.slice(0, -1), ...more, { ...strict.at(-1)!, triggers: [{ event: 't/Job@1', plan }] }];
}

async function opened(plan: string, open: Parameters<Bench['open']>[0], options: BenchOptions = {}) {
  const bench = await Bench.create({ nodes: nodesFor(plan), ...options });
  const world = await bench.open(open);
  worlds.push(world);
  return { bench, world };
}

const send = (world: World, id = 'a') => world.sendEvent({ schema: 't/Job@1', value: job(id) });

/** As the command does it, for the run of the newest `t/Job@1` with this id. */
async function why(world: World, id = 'a'): Promise<Diagnosis> {
  const kernel = await world.read((at: Kernel) => at);
  const read = world.readJournal.bind(world);
  const atHead = world.read.bind(world);
  const query = { schema: 't/Job@1', path: ['id'], value: id };
  const root = unwrap(await findTraceRoot({ read, height: kernel.head.height }, query, atHead));
  const trace = unwrap(await readTrace(read, root, 400, atHead, (traced) => traced));
  const watch = new EventWatch(trace, kernel);
  if (watch.fromSeq !== undefined)
    unwrap(await world.readJournal(watch.fromSeq, (batch) => watch.add(unwrap(traceBatch(batch)))));
  const status = await world.status();
  const effects = new Map(
    (await world.effects()).map(({ emission, state, attempt, pause }): [string, EffectProgress] => [
      hashText(emission.intentHash),
      { state, attempt, nextAttemptNs: pause?.untilNs, lastErrorCode: pause?.code },
    ]),
  );
  const host: HostFacts = {
    wallNs: kernel.lastNowNs,
    runner: 'daemon',
    worldStatus: 'active',
    performs: (kind) => !status.missingAdapters.includes(kind),
    effects,
    rolesFor: () => undefined,
  };
  return diagnose(trace, kernel, { watch, host });
}

async function ended(world: World): Promise<void> {
  await until(async () => (await world.status()).livePlans === 0);
}

const failing = (code: string, retryable: boolean, more: object = {}): EffectOutcome => ({
  status: 'error',
  error: { code, message: 'no', retryable, ...more },
});

test('H1 no adapter performs the kind', async () => {
  const { world } = await opened('t/call_plan@1', { adapters: [approvals()] });
  await send(world);
  await ended(world);
  const found = await why(world);
  expect([found.terminalState, found.cause, found.reason.code]).toEqual([
    'failed',
    'adapter_missing',
    'adapter_missing',
  ]);
  expect(found.reason.text).toContain('no adapter performs t.call, which t/call_plan@1 0 at step go asked for');
  expect(found.reason.facts['adapter']).toBe('host.dispatch');
});

test('H2 the adapter hangs until its time limit is over', async () => {
  const adapter = fakeAdapter(
    (_, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    { timeoutMs: 1_000 },
  );
  const { bench, world } = await opened('t/call_plan@1', { adapters: [adapter] });
  await send(world);
  await until(() => adapter.calls.length === 1);
  expect((await why(world)).reason).toMatchObject({ code: 'effect_in_flight', facts: { attempt: 1 } });
  bench.clock.advance(1_500_000_000n);
  await ended(world);
  const found = await why(world);
  expect([found.cause, found.reason.code]).toEqual(['adapter_timeout', 'effect_timed_out']);
  expect(found.reason.text).toContain(
    't.call of t/call_plan@1 0 at step go took longer than the time limit of test.call',
  );
});

test('H3 the process ended while it called, and the call may have happened', async () => {
  const bench = await Bench.create({ nodes: nodesFor('t/unkeyed@1') });
  const adapter = fakeAdapter(() => new Promise(() => {}), { deliveryClass: 'at_most_once' });
  const { world, connection } = await bench.openCuttable({ adapters: [adapter] });
  await send(world);
  await until(() => adapter.calls.length === 1);
  connection.cut();
  const heir = await bench.reopen({ adapters: [adapter] });
  worlds.push(heir);
  await ended(heir);
  const found = await why(heir);
  expect([found.cause, found.reason.code]).toEqual(['delivery_unknown', 'delivery_unknown']);
  expect(found.hint).toContain('idempotency key');
});

test('H4 an attempt failed; the next one comes in its time', async () => {
  const adapter = fakeAdapter(async () => failing('http.connect', true, { retryAfterMs: 5_000 }));
  const { world } = await opened('t/call_plan@1', { adapters: [adapter] });
  await send(world);
  await until(async () => (await why(world)).reason.code === 'retry_pending');
  const { reason } = await why(world);
  expect(reason.text).toMatch(/attempt 1 failed \(http\.connect\), attempt 2 comes in 5\.00s/);
  expect(reason.facts).toMatchObject({ attempt: 2, last_error_code: 'http.connect' });
});

test('H5 as much is under way as the adapter takes; this one waits for its turn', async () => {
  const held = gate();
  const adapter = fakeAdapter(
    async () => {
      await held.promise;
      return okOutcome();
    },
    { maxConcurrency: 1 },
  );
  const { world } = await opened('t/call_plan@1', { adapters: [adapter] });
  await send(world, 'a');
  await send(world, 'b');
  await until(() => adapter.calls.length === 1);
  expect((await why(world, 'b')).reason).toMatchObject({ code: 'effect_queued', runs: [{ planId: 1, step: 'wait' }] });
  held.open();
  await ended(world);
  expect((await why(world, 'b')).reason.code).toBe('done');
});

test('H6 the adapter answers with something that its schema does not say', async () => {
  const adapter = fakeAdapter(async () => ({ status: 'ok', payload: { nothing: 'of that' } }));
  const { world } = await opened('t/call_plan@1', { adapters: [adapter] });
  await send(world);
  await ended(world);
  const found = await why(world);
  expect([found.cause, found.reason.code, found.reason.facts['error_code']]).toEqual([
    'adapter_error',
    'effect_failed',
    'adapter.bad_payload',
  ]);
  expect(found.hint).toContain('receipt schema');
});

test('H7 a secret has no value in this environment: which, and where it is looked for', async () => {
  const secret = { alias: 't/key', version: 1 };
  const withSecret = nodesFor('t/call_plan@1', [
    { $kind: 'defsecret', name: 't/key@1', binding_id: 'env:TEST_KEY' },
  ]).map((node) => {
    if (node['$kind'] === 'defeffect') return { ...node, params_schema: 't/Key@1' };
    if (node['$kind'] === 'manifest') return { ...node, secrets: [{ name: 't/key@1' }] };
    if (node['$kind'] !== 'defplan') return node;
    const steps = (node['steps'] as Node[]).map((step) =>
      step['kind'] === 't.call' ? { ...step, params: { id: ref('@plan.input.id'), token: { secret } } } : step,
    );
    return { ...node, steps };
  });
  const { world } = await opened('t/call_plan@1', { adapters: [fakeAdapter()], env: {} }, { nodes: withSecret });
  await send(world);
  await ended(world);
  const found = await why(world);
  expect([found.cause, found.reason.code]).toEqual(['secret_unavailable', 'secret_unavailable']);
  expect(found.reason.text).toContain('t/key@1 (env:TEST_KEY)');
});

test('H8 the other world refuses the message: which world, which schema, and what it has to name', async () => {
  const note: readonly Node[] = [
    {
      $kind: 'defschema',
      name: 't/NoteParams@1',
      type: { record: { dest_world: { text: {} }, value: ref('t/Done@1') } },
    },
    {
      $kind: 'defeffect',
      name: 't/send_note@1',
      kind: 'fabric.send.note',
      params_schema: 't/NoteParams@1',
      receipt_schema: 'sys/FabricSendReceipt@1',
      cap_type: 'fabric',
      origin_scope: 'plan',
    },
    {
      $kind: 'defplan',
      name: 't/tell@1',
      input: 't/Job@1',
      steps: [
        {
          id: 'go',
          op: 'emit_effect',
          kind: 'fabric.send.note',
          cap: 'cap_fabric',
          params: { dest_world: 'lab', value: { id: ref('@plan.input.id') } },
          bind: { effect_id_as: 'h' },
        },
        { id: 'wait', op: 'await_receipt', for: ref('@var:h'), bind: { as: 'a' } },
        { id: 'end', op: 'end' },
      ],
      edges: [{ from: 'wait', to: 'end' }],
      invariants: [isOk],
    },
  ];
  const nodes = nodesFor('t/tell@1', note).map((node) => {
    if (node['$kind'] !== 'manifest') return node;
    const manifest = node as { schemas: Node[]; plans: Node[]; effects: Node[]; defaults: { cap_grants: Node[] } };
    const grant = { name: 'cap_fabric', cap: 'sys/fabric@1', params: { worlds: ['lab'] } };
    return {
      ...node,
      schemas: [...manifest.schemas, { name: 't/NoteParams@1' }],
      plans: [...manifest.plans, { name: 't/tell@1' }],
      effects: [...manifest.effects, { name: 't/send_note@1' }],
      defaults: { cap_grants: [...manifest.defaults.cap_grants, grant] },
    };
  });
  const peer: FabricPeer = {
    deliver: async () =>
      fail({ code: 'fabric.refused', path: [], message: 'this world takes nothing from you' }) as never,
  };
  const fabric = fabricAdapter({ peers: new Map([['lab', peer]]) });
  const { world } = await opened('t/tell@1', { adapters: [fakeAdapter(), fabric] }, { nodes });
  await send(world);
  await ended(world);
  const found = await why(world);
  expect([found.cause, found.reason.code]).toEqual(['adapter_error', 'effect_failed']);
  expect(found.reason.text).toContain('fabric.send.note to lab');
  expect(found.reason.facts).toMatchObject({ error_code: 'fabric.refused', dest_world: 'lab', schema: 't/Done@1' });
  expect(found.hint).toContain('lab has to name this world, schema t/Done@1');
});

test('H9 five processes ended while they performed it', async () => {
  let laterMs = 0;
  const bench = await Bench.create({
    nodes: nodesFor('t/call_plan@1'),
    store: { clock: { wallNs: () => BigInt(Date.now() + laterMs) * 1_000_000n } },
  });
  const leaseTimes = { ttlMs: 15_000, renewMs: 5_000, safetyMs: 3_000, maxSkewMs: 1_000_000 };
  const adapter = fakeAdapter(() => new Promise(() => {}));
  for (let i = 0; i < 5; i++) {
    const dead = i === 0 ? undefined : `worker-${i}`;
    const { world, connection } = await bench.openCuttable({ adapters: [adapter], leaseTimes, dead });
    if (i === 0) await send(world);
    await until(() => adapter.calls.length === i + 1);
    connection.cut();
    laterMs += 10_000;
  }
  const last = await bench.reopen({ adapters: [adapter], leaseTimes });
  worlds.push(last);
  await ended(last);
  const found = await why(last);
  expect([found.cause, found.reason.code]).toEqual(['adapter_error', 'delivery_exhausted']);
});

test('H10 the adapter throws', async () => {
  const adapter = fakeAdapter(async () => {
    throw new Error('null is not an object');
  });
  const config = hostConfig(({ effects }) => ({ effects: { ...effects, retry: { ...effects.retry, max: 0 } } }));
  const { world } = await opened('t/call_plan@1', { adapters: [adapter], config });
  await send(world);
  await ended(world);
  const found = await why(world);
  expect(found.reason).toMatchObject({ code: 'effect_failed', facts: { error_code: 'adapter.exception' } });
  expect(found.reason.text).toContain('null is not an object');
});
