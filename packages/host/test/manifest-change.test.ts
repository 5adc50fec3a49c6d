import { compilePatch, diffManifests, type Json, type JsonObject, type LoadOptions, printJson } from '@worldline/air';
import { bytesEqual, decode, hashText, unwrap } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import {
  encodeInboxItem,
  type ManifestChangeRequest,
  prepareManifestChange,
  submitItem,
  type World,
} from '../src/index.ts';
import {
  approvals,
  Bench,
  fakeAdapter,
  gate,
  hostConfig,
  job,
  loaded,
  NODES,
  okOutcome,
  recordingLog,
  until,
} from './bench-world.ts';

/** Changing the manifest of an open world, with work under way (governance.md §5.3, §6; hosting.md §14.1 F17; W16). */

type Node = Record<string, unknown>;

const LISTEN: Node = {
  $kind: 'defplan',
  name: 't/listen@1',
  input: 't/Job@1',
  steps: [
    { id: 'hear', op: 'await_event', event: 't/Word@1', bind: { as: 'w' } },
    { id: 'report', op: 'raise_event', event: 't/Done@1', value: { id: { ref: '@plan.input.id' } } },
    { id: 'end', op: 'end' },
  ],
  edges: [
    { from: 'hear', to: 'report' },
    { from: 'report', to: 'end' },
  ],
};
const word = (type: unknown): Node => ({ $kind: 'defschema', name: 't/Word@1', type });
const WORD = word({ record: { id: { text: {} } } });

function withDefs(nodes: readonly Node[], schemas: readonly Node[], plans: readonly Node[]): Node[] {
  const names = (defs: readonly Node[]) => defs.map(({ name }) => ({ name }));
  return [
    ...schemas,
    ...plans,
    ...nodes.map((node) =>
      node['$kind'] === 'manifest'
        ? {
            ...node,
            schemas: [...(node['schemas'] as Node[]), ...names(schemas)],
            plans: [...(node['plans'] as Node[]), ...names(plans)],
          }
        : node,
    ),
  ];
}

/** The small world, and a plan that waits for an event. */
const FIRST = withDefs(NODES, [WORD], [LISTEN]);

/** Every plan says `<version>:<id>` when it reports, so that a `t/Done@1` tells which definition raised it. */
function version(nodes: readonly Node[], text: string): Node[] {
  const said = (value: Node): Node => ({
    ...value,
    value: { id: { op: 'concat', args: [{ text: `${text}:` }, { ref: '@plan.input.id' }] } },
  });
  return nodes.map((node) =>
    node['$kind'] === 'defplan'
      ? { ...node, steps: (node['steps'] as Node[]).map((step) => (step['op'] === 'raise_event' ? said(step) : step)) }
      : node,
  );
}

function manifest(nodes: readonly Node[], change: (manifest: Node) => Node): Node[] {
  return nodes.map((node) => (node['$kind'] === 'manifest' ? { ...node, ...change(node) } : node));
}

/** What a push of these definitions would ask for. */
async function changeTo(
  bench: Bench,
  world: World,
  nodes: readonly Node[],
  options: LoadOptions = {},
): Promise<ManifestChangeRequest> {
  const hash = await world.read((kernel) => kernel.catalog.manifestHash);
  const get = (of: Uint8Array) => {
    const got = bench.store.cas.getSync(of);
    return got.answer === 'ok' ? got.bytes : undefined;
  };
  const candidate = loaded(nodes, options);
  const nodeOf = new Map(candidate.objects.map((object) => [hashText(object.hash), object.bytes]));
  const { document } = diffManifests(
    { hash, manifest: unwrap(decode(get(hash)!)) as JsonObject },
    candidate.manifestNode as JsonObject,
    (of) => unwrap(decode(nodeOf.get(of)!)) as Json,
    { prune: true },
  );
  const compiled = compilePatch(printJson(document!), get, options);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.failure));
  const { manifestHash, manifestBase, patchHash, objects } = compiled.value;
  return { manifestHash, manifestBase, patchHash, objects, actor: 'socket:ada' };
}

async function push(bench: Bench, world: World, nodes: readonly Node[]): Promise<void> {
  unwrap(await world.changeManifest(await changeTo(bench, world, nodes)));
}

/** A number where `t/Done@1` has a text. */
function illTyped(nodes: readonly Node[]): Node[] {
  const wrong = { value: { record: { id: { op: 'len', args: [{ ref: '@plan.input.id' }] } } } };
  return nodes.map((node) =>
    node['name'] === 't/listen@1'
      ? {
          ...node,
          steps: (node['steps'] as Node[]).map((step) => (step['op'] === 'raise_event' ? { ...step, ...wrong } : step)),
        }
      : node,
  );
}

const active = (world: World) => world.read((kernel) => hashText(kernel.catalog.manifestHash));

describe('a change of manifest', () => {
  test('is one batch: direct_applied with who and from what, then manifest; then a snapshot (governance.md §6)', async () => {
    const bench = await Bench.create({ nodes: FIRST });
    const world = await bench.open();
    const request = await changeTo(bench, world, version(FIRST, 'v2'));
    const answer = unwrap(await world.changeManifest(request));
    expect(answer).toMatchObject({ state: 'applied', duplicate: false });
    const { firstSeq, lastSeq } = answer as { firstSeq: number; lastSeq: number };
    const batch = (await bench.records()).filter(({ seq }) => seq >= firstSeq && seq <= lastSeq);
    expect(batch.map(({ record }) => record)).toMatchObject([
      {
        record_kind: 'governance',
        event: 'direct_applied',
        patch_hash: request.patchHash,
        manifest_base: request.manifestBase,
        manifest_hash_new: request.manifestHash,
        actor: 'socket:ada',
      },
      { record_kind: 'manifest', manifest_hash: request.manifestHash },
    ]);
    expect(await active(world)).toBe(hashText(request.manifestHash));
    await until(async () => (await bench.store.world.snapshots(bench.worldId)).at(-1)!.height === lastSeq + 1);
    await world.close();
    await bench.replays();
  });

  test('made for a manifest that is no longer active: governance.base_stale, and nothing is switched', async () => {
    const bench = await Bench.create({ nodes: FIRST });
    const world = await bench.open();
    const [mine, other] = [
      await changeTo(bench, world, version(FIRST, 'mine')),
      await changeTo(bench, world, version(FIRST, 'other')),
    ];
    const answers = await Promise.all([world.changeManifest(mine), world.changeManifest(other)]);
    expect(answers.map((answer) => (answer.ok ? 'ok' : answer.failure.code)).sort()).toEqual([
      'governance.base_stale',
      'ok',
    ]);
    const won = answers[0]!.ok ? mine : other;
    expect(await active(world)).toBe(hashText(won.manifestHash));
    expect(await bench.of('governance')).toHaveLength(1);
    await world.close();
    await bench.replays();
  });

  test('when the configuration forbids it: governance.direct_apply_disabled, nothing stored, nothing journaled', async () => {
    const bench = await Bench.create({ nodes: FIRST });
    const config = hostConfig(() => ({ governance: { directApply: false } }));
    const world = await bench.open({ config });
    const before = (await bench.records()).length;
    const request = await changeTo(bench, world, version(FIRST, 'v2'));
    expect(await world.changeManifest(request)).toMatchObject({
      failure: { code: 'governance.direct_apply_disabled' },
    });
    expect((await bench.records()).length).toBe(before);
    expect(await bench.store.cas.has(request.patchHash)).toBe(false);
    await world.close();
  });

  test('to plans that are ill typed: manifest.validation with the findings, nothing stored, nothing journaled (expressions.md §13)', async () => {
    const bench = await Bench.create({ nodes: FIRST });
    const world = await bench.open();
    const before = (await bench.records()).length;
    const request = await changeTo(bench, world, illTyped(FIRST), { staticTypes: false });
    expect(await world.changeManifest(request)).toMatchObject({
      failure: {
        code: 'manifest.validation',
        details: [{ code: 'slot_type', name: 't/listen@1', path: ['steps', 1, 'value', 'record', 'id'] }],
      },
    });
    expect((await bench.records()).length).toBe(before);
    expect(await bench.store.cas.has(request.patchHash)).toBe(false);

    // Nor by the way of an ingress that somebody made, its objects being in the store.
    await bench.store.cas.putMany(request.objects);
    const { manifestHash, manifestBase, patchHash, actor } = request;
    const ingress = { kind: 'control', command: 'manifest', manifestHash, manifestBase, patchHash, actor } as const;
    expect(await world.submit(ingress)).toMatchObject({ failure: { code: 'manifest.validation' } });
    expect((await bench.records()).length).toBe(before);
    await world.close();
  });

  test('a world that has ill-typed plans from before the checker opens and replays (D10)', async () => {
    const bench = await Bench.create({ nodes: illTyped(FIRST), load: { staticTypes: false } });
    const world = await bench.open();
    unwrap(await world.startPlan({ plan: 't/listen@1', input: { json: { id: 'a' } } }));
    await world.close();
    await bench.replays();
    const again = await bench.open();
    expect(await again.read((kernel) => [...kernel.instances()].length)).toBe(1);
    await again.close();
  });

  test('through the durable inbox, as a process beside the running one asks for it', async () => {
    const bench = await Bench.create({ nodes: FIRST });
    const world = await bench.open();
    const request = { ...(await changeTo(bench, world, version(FIRST, 'v2'))), ingressId: 'push-1' };
    const ingress = unwrap(await prepareManifestChange(bench.store, hostConfig(), request));
    const item = encodeInboxItem({ ingress, dedupeKey: 'push-1', enqueuedAtNs: 0n });
    const submitted = submitItem(bench.store, bench.worldId, item, { timeoutMs: 30_000 });
    expect(unwrap(await submitted)).toMatchObject({ state: 'applied', answer: { duplicate: false } });
    expect(await active(world)).toBe(hashText(request.manifestHash));
    await world.close();
    await bench.replays();
  });

  test('what the new definitions need of this host is looked for at once', async () => {
    const log = recordingLog();
    const bench = await Bench.create({ nodes: FIRST });
    const world = await bench.open({ log });
    const more = manifest(
      [
        { $kind: 'defsecret', name: 't/key@1', binding_id: 'env:NOT_THERE' },
        {
          $kind: 'defeffect',
          name: 't/fetch@1',
          kind: 't.fetch',
          params_schema: 't/Call@1',
          receipt_schema: 't/Answer@1',
          cap_type: 't',
          origin_scope: 'plan',
        },
        ...FIRST,
      ],
      (m) => ({ effects: [...(m['effects'] as Node[]), { name: 't/fetch@1' }], secrets: [{ name: 't/key@1' }] }),
    );
    await push(bench, world, more);
    await until(() => log.lines.some((line) => line.includes('a secret is not available')));
    expect(log.lines.some((line) => line.includes('without an adapter') && line.includes('t.fetch'))).toBe(true);
    expect((await world.status()).missingAdapters).toEqual(['t.fetch']);
    await world.close();
  });
});

/** One run parked on each thing that a run can wait for. */
async function park(bench: Bench, world: World): Promise<void> {
  for (const [plan, input] of [
    ['t/call_plan@1', job('receipt')],
    ['t/nap@1', job('timer', 5_000_000_000)],
    ['t/ask@1', job('approval')],
    ['t/listen@1', job('event')],
  ] as const)
    unwrap(await world.startPlan({ plan, input }));
  await until(async () => unwrap(await world.approvals()).length === 1);
  expect((await bench.of('plan_started')).length).toBe(4);
}

/** Lets everything arrive that the parked runs wait for. */
async function arrive(bench: Bench, world: World): Promise<void> {
  const [approval] = unwrap(await world.approvals());
  unwrap(
    await world.decideApproval({ intentHash: approval!.intentHash, decision: 'approved', approver: 'socket:ada' }),
  );
  unwrap(await world.sendEvent({ schema: 't/Word@1', value: { json: { id: 'w' } } }));
  await bench.clock.advance(5_000_000_000n);
  unwrap(await world.runBatch({ wait: true, timeoutMs: 30_000 }));
}

describe('runs that are under way end under the definition they started with (governance.md §5.3)', () => {
  test.each([
    { pushes: 1, restarts: 'none' },
    { pushes: 1, restarts: 'killed' },
    { pushes: 3, restarts: 'closed' },
    { pushes: 3, restarts: 'killed' },
  ] as const)('$pushes pushes, restarts: $restarts', async ({ pushes, restarts }) => {
    const bench = await Bench.create({ nodes: version(FIRST, 'v0') });
    const answer = gate();
    const adapters = () => [fakeAdapter(() => answer.promise.then(() => okOutcome())), approvals()];
    let { world, connection } = await bench.openCuttable({ adapters: adapters() });
    await park(bench, world);
    for (let n = 1; n <= pushes; n++) {
      await push(bench, world, version(FIRST, `v${n}`));
      if (restarts === 'none') continue;
      if (restarts === 'killed') connection.cut();
      else await world.close({ graceMs: 0 });
      ({ world, connection } = await bench.openCuttable({
        adapters: adapters(),
        ...(restarts === 'killed' ? { dead: `worker-${n}` } : {}),
      }));
    }
    await until(async () => unwrap(await world.approvals()).length === 1);
    unwrap(await world.startPlan({ plan: 't/listen@1', input: job('later') }));
    answer.open();
    await arrive(bench, world);
    const last = `v${pushes}:later`;
    expect((await bench.done()).sort()).toEqual(['v0:approval', 'v0:event', 'v0:receipt', 'v0:timer', last]);
    await world.close();
    await bench.replays();
  });

  test('an edited plan holds for what starts after the change', async () => {
    const bench = await Bench.create({ nodes: version(FIRST, 'old') });
    const world = await bench.open();
    unwrap(await world.startPlan({ plan: 't/call_plan@1', input: job('a') }));
    await push(bench, world, version(FIRST, 'new'));
    unwrap(await world.startPlan({ plan: 't/call_plan@1', input: job('b') }));
    unwrap(await world.runBatch({ wait: true, timeoutMs: 30_000 }));
    expect((await bench.done()).sort()).toEqual(['new:b', 'old:a']);
    await world.close();
    await bench.replays();
  });

  test('C59: a plan that is gone from the manifest still ends, its effect kind and its grant gone too; new events start nothing', async () => {
    const bench = await Bench.create({ nodes: FIRST });
    const answer = gate();
    const adapter = fakeAdapter(() => answer.promise.then(() => okOutcome()));
    const world = await bench.open({ adapters: [adapter, approvals()] });
    unwrap(await world.startPlan({ plan: 't/call_plan@1', input: job('a') }));
    await until(() => adapter.calls.length === 1);
    const without = FIRST.filter(
      (node) => !['t/call_plan@1', 't/unkeyed@1', 't/steps@1', 't/call@1'].includes(node['name'] as string),
    );
    await push(
      bench,
      world,
      manifest(without, (m) => ({
        plans: (m['plans'] as Node[]).filter(({ name }) =>
          ['t/nap@1', 't/after@1', 't/ask@1', 't/listen@1'].includes(name as string),
        ),
        effects: (m['effects'] as Node[]).filter(({ name }) => name !== 't/call@1'),
        defaults: {
          cap_grants: (m['defaults'] as { cap_grants: Node[] }).cap_grants.filter(({ name }) => name !== 'cap_t'),
        },
      })),
    );
    expect(await world.startPlan({ plan: 't/call_plan@1', input: job('b') })).toMatchObject({
      failure: { code: 'plan.unknown' },
    });
    answer.open();
    unwrap(await world.runBatch({ wait: true, timeoutMs: 30_000 }));
    expect(await bench.done()).toEqual(['a']);
    await world.close();
    await bench.replays();
  });
});

describe('authority is live (governance.md §5.3)', () => {
  const grants =
    (change: (grants: Node[]) => Node[], more: Node = {}) =>
    (m: Node) => ({
      defaults: { cap_grants: change((m['defaults'] as { cap_grants: Node[] }).cap_grants), ...more },
    });

  /** A run of three effects, its manifest changed while the first is under way. */
  async function changedBetween(
    nodes: readonly Node[],
    laterNs = 0n,
  ): Promise<{ readonly bench: Bench; readonly calls: number }> {
    const bench = await Bench.create({ nodes: FIRST });
    const answer = gate();
    const adapter = fakeAdapter(() => answer.promise.then(() => okOutcome()));
    const world = await bench.open({ adapters: [adapter, approvals()] });
    unwrap(await world.startPlan({ plan: 't/steps@1', input: job('a') }));
    await until(() => adapter.calls.length === 1);
    await push(bench, world, nodes);
    await bench.clock.advance(laterNs);
    answer.open();
    unwrap(await world.runBatch({ wait: true, timeoutMs: 30_000 }));
    await world.close();
    await bench.replays();
    return { bench, calls: adapter.calls.length };
  }

  const onlyTimers = (nodes: readonly Node[]) =>
    nodes.filter((node) => !['t/call_plan@1', 't/unkeyed@1', 't/steps@1'].includes(node['name'] as string));

  test('C25: a grant that is gone denies the next effect of a pinned run: cap.grant_missing', async () => {
    const nodes = manifest(onlyTimers(FIRST), (m) => ({
      plans: (m['plans'] as Node[]).filter(
        ({ name }) => !['t/call_plan@1', 't/unkeyed@1', 't/steps@1'].includes(name as string),
      ),
      ...grants((all) => all.filter(({ name }) => name !== 'cap_t'))(m),
    }));
    const { bench, calls } = await changedBetween(nodes);
    expect(calls).toBe(1);
    const [ended] = await bench.of('plan_ended');
    expect(ended).toMatchObject({ status: 'error', message: 'cap_denied: cap.grant_missing' });
    expect(await bench.done()).toEqual([]);
  });

  test('C25: a grant that the change lets expire denies the next effect of a pinned run, on record', async () => {
    const expired = (all: Node[]) =>
      all.map((grant) => (grant['name'] === 'cap_t' ? { ...grant, expiry_ns: 1 } : grant));
    const { bench, calls } = await changedBetween(manifest(FIRST, grants(expired)), 1_000n);
    expect(calls).toBe(1);
    expect((await bench.of('cap_decision')).at(-1)).toMatchObject({ decision: 'deny', deny: { code: 'expired' } });
    expect((await bench.of('plan_ended'))[0]).toMatchObject({ status: 'error', message: 'cap_denied: expired' });
  });

  test('a policy that arrives decides about the next effect of a pinned run', async () => {
    const policy = {
      $kind: 'defpolicy',
      name: 't/no@1',
      rules: [{ when: { effect_kind: 't.call' }, decision: 'deny' }],
    };
    const nodes = manifest([policy, ...FIRST], (m) => ({
      policies: [{ name: 't/no@1' }],
      ...grants((all) => all, { policy: 't/no@1' })(m),
    }));
    const { bench, calls } = await changedBetween(nodes);
    expect(calls).toBe(1);
    expect((await bench.of('policy_decision')).at(-1)).toMatchObject({ decision: 'deny' });
    expect(await bench.done()).toEqual([]);
  });
});

describe('definitions of events (governance.md §5.3)', () => {
  const other = word({ record: { id: { text: {} }, more: { option: { text: {} } } } });
  const changed = FIRST.map((node) => (node['name'] === 't/Word@1' ? other : node));

  test('a waiter whose event has another definition now does not see it, and the log says so', async () => {
    const log = recordingLog();
    const bench = await Bench.create({ nodes: FIRST });
    const world = await bench.open({ log });
    unwrap(await world.startPlan({ plan: 't/listen@1', input: job('old') }));
    await push(bench, world, changed);
    unwrap(await world.startPlan({ plan: 't/listen@1', input: job('new') }));
    unwrap(await world.sendEvent({ schema: 't/Word@1', value: { json: { id: 'x' } } }));
    expect(await bench.done()).toEqual(['new']);
    const lines = log.lines.filter((line) => line.includes('await_schema_changed'));
    expect(lines).toEqual([expect.stringContaining('"schema":"t/Word@1","plan_id":0,"step":"hear"')]);
    // The definition comes back, and with it the delivery.
    await push(bench, world, FIRST);
    unwrap(await world.sendEvent({ schema: 't/Word@1', value: { json: { id: 'x' } } }));
    expect(await bench.done()).toEqual(['new', 'old']);
    await world.close();
    await bench.replays();
  });

  test('raising an event whose definition changed ends the pinned run with event_schema_changed', async () => {
    const bench = await Bench.create({ nodes: FIRST });
    const world = await bench.open();
    unwrap(await world.startPlan({ plan: 't/listen@1', input: job('a') }));
    const nodes = FIRST.map((node) =>
      node['name'] === 't/Done@1'
        ? { ...node, type: { record: { id: { text: {} }, at: { option: { nat: {} } } } } }
        : node,
    );
    await push(bench, world, nodes);
    unwrap(await world.sendEvent({ schema: 't/Word@1', value: { json: { id: 'x' } } }));
    expect((await bench.of('plan_ended'))[0]).toMatchObject({ status: 'error', message: 'event_schema_changed' });
    await world.close();
    await bench.replays();
  });

  test('a receipt by hand is read with the definitions that its run pins', async () => {
    const bench = await Bench.create({ nodes: FIRST });
    const world = await bench.open({ adapters: [fakeAdapter(() => new Promise(() => {})), approvals()] });
    unwrap(await world.startPlan({ plan: 't/call_plan@1', input: job('a') }));
    const nodes = FIRST.map((node) =>
      node['name'] === 't/Answer@1' ? { ...node, type: { record: { count: { nat: {} } } } } : node,
    );
    await push(bench, world, nodes);
    const [emission] = await world.read((kernel) => [...kernel.pending()]);
    const receipt = { intentHash: emission!.intentHash, status: 'ok', payload: { json: { text: 'by hand' } } } as const;
    unwrap(await world.injectReceipt(receipt));
    expect(await bench.done()).toEqual(['a']);
    await world.close({ graceMs: 0 });
    await bench.replays();
  });
});

describe('a process dies around the change (W16, F17)', () => {
  test.each([
    { when: 'before the batch is durable', durable: false },
    { when: 'after the batch is durable and before anybody is told', durable: true },
  ])(
    '$when: the new manifest is active exactly when its batch is, and nothing under way is lost',
    async ({ durable }) => {
      const bench = await Bench.create({ nodes: version(FIRST, 'v0') });
      const answer = gate();
      const adapters = () => [fakeAdapter(() => answer.promise.then(() => okOutcome())), approvals()];
      const { world, connection } = await bench.openCuttable({ adapters: adapters() });
      await park(bench, world);
      const request = await changeTo(bench, world, version(FIRST, 'v1'));
      const held = gate();
      const reached = gate();
      const stop = () => {
        reached.open();
        return held.promise;
      };
      if (durable) connection.afterCommit = stop;
      else connection.beforeCommit = stop;
      const asked = world.changeManifest(request);
      await reached.promise;
      connection.cut();
      held.open();
      expect((await asked).ok).toBe(false);
      expect((await bench.of('governance')).length).toBe(durable ? 1 : 0);

      const heir = await bench.reopen({ adapters: adapters() });
      expect(bytesEqual(await heir.read((kernel) => kernel.catalog.manifestHash), request.manifestHash)).toBe(durable);
      await until(async () => unwrap(await heir.approvals()).length === 1);
      unwrap(await heir.startPlan({ plan: 't/listen@1', input: job('later') }));
      answer.open();
      await arrive(bench, heir);
      expect((await bench.done()).sort()).toEqual(
        ['v0:approval', 'v0:event', 'v0:receipt', 'v0:timer', durable ? 'v1:later' : 'v0:later'].sort(),
      );
      await heir.close();
      await bench.replays();
    },
  );
});
