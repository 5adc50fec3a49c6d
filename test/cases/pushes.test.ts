import { compilePatch, diffManifests, type Json, type JsonObject, loadAuthored, printJson } from '@worldline/air';
import { decode, hashText, unwrap } from '@worldline/canon';
import { KernelWorld } from '@worldline/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  awaitEvent,
  awaitReceipt,
  edge,
  emit,
  eq,
  type Node,
  plan,
  raise,
  ref,
  schema,
  timer,
  world,
} from './nodes.ts';

/**
 * A world under random changes of its manifest (governance.md §5.3, §11.7; journal.md §7): whatever is pushed while runs
 * wait, every run ends under the definition it started with, and the journal replays byte for byte from genesis and from
 * every baseline.
 */

/** What one push says. */
interface Version {
  /** Plans that are listed, each with the text that its definition says at its end. */
  readonly plans: Readonly<Record<PlanName, string | undefined>>;
  readonly triggers: readonly PlanName[];
  readonly hasGrant: boolean;
  /** Which of two definitions the awaited event has. */
  readonly ready: 0 | 1;
}

const PLANS = ['t/receipt@1', 't/timer@1', 't/event@1'] as const;
type PlanName = (typeof PLANS)[number];
const READY = [{ record: { id: { text: {} } } }, { record: { id: { text: {} }, more: { option: { text: {} } } } }];
const SECOND = 1_000_000_000;

/** Waits for the one thing that its name says, then says its text. */
function planOf(name: PlanName, text: string): Node {
  const say = raise('say', 't/Mark@1', { s: text });
  switch (name) {
    case 't/receipt@1':
      return plan(name, [emit('e', 'h', { x: 1 }), awaitReceipt('r', 'h', 'got'), say], [edge('r', 'say')]);
    case 't/timer@1':
      return plan(name, [timer('e', 'h', SECOND), awaitReceipt('r', 'h', 'got'), say], [edge('r', 'say')]);
    case 't/event@1': {
      const mine = eq(ref('@event.id'), ref('@plan.input.id'));
      return plan(name, [awaitEvent('r', 't/Ready@1', 'got', mine), say], [edge('r', 'say')]);
    }
    default:
      return name satisfies never;
  }
}

function nodesOf({ plans, triggers, hasGrant, ready }: Version): Node[] {
  const listed = PLANS.filter((name) => plans[name] !== undefined && (hasGrant || name !== 't/receipt@1'));
  const nodes = world(
    listed.map((name) => planOf(name, plans[name]!)),
    {
      triggers: listed.filter((name) => triggers.includes(name)).map((name) => ({ event: 't/In@1', plan: name })),
      grants: [
        ...(hasGrant ? [{ name: 'cap_t', cap: 't/cap@1', params: {} }] : []),
        { name: 'cap_timer', cap: 'sys/timer@1', params: {} },
      ],
    },
  );
  return nodes.map((node) =>
    node['name'] === 't/Ready@1' && node['$kind'] === 'defschema' ? schema('t/Ready@1', READY[ready]) : node,
  );
}

/** As `worldline push --prune-defs` does it. */
function push(w: KernelWorld, version: Version): void {
  const loaded = loadAuthored([{ path: 'air/w.json', text: JSON.stringify(nodesOf(version)) }]);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure));
  const get = (hash: Uint8Array) => w.object(hash);
  const hash = w.kernel.catalog.manifestHash;
  const objects = new Map(loaded.value.objects.map((object) => [hashText(object.hash), object.bytes]));
  const { document } = diffManifests(
    { hash, manifest: unwrap(decode(get(hash)!)) as JsonObject },
    loaded.value.manifestNode as JsonObject,
    (of) => unwrap(decode(objects.get(of)!)) as Json,
    { prune: true },
  );
  if (document === undefined) return;
  const compiled = compilePatch(printJson(document), get);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.failure));
  expect(w.change(compiled.value).outcome.kind).toBe('applied');
  expect(w.lastKinds()).toEqual(['governance', 'manifest']);
}

function answer(w: KernelWorld, pick: number): void {
  const open = w.pending();
  const emission = open[pick % Math.max(1, open.length)];
  if (emission === undefined) return;
  if (emission.class === 'timer') {
    w.advance(BigInt(SECOND));
    w.fire(emission);
  } else {
    // The effect may be gone from the live manifest; its receipt is read by those who pin it.
    w.apply({
      kind: 'receipt',
      receipt: {
        intentHash: emission.intentHash,
        emissionSeq: emission.emissionSeq,
        adapterId: 'test',
        status: 'ok',
        payloadCbor: w.encode('t/Echoed@1', { y: 1 }),
        signature: new Uint8Array(64),
      },
      verdict: {},
    });
  }
}

type Action =
  | { readonly do: 'push'; readonly version: Omit<Version, 'plans'> & { readonly listed: readonly PlanName[] } }
  | { readonly do: 'event' | 'ready' | 'answer'; readonly n: number }
  | { readonly do: 'snapshot' | 'restart' };

const versionArb = fc.record({
  listed: fc.subarray([...PLANS]),
  triggers: fc.subarray([...PLANS]),
  hasGrant: fc.boolean(),
  ready: fc.constantFrom(0 as const, 1 as const),
});

const actionArb: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: versionArb.map((version): Action => ({ do: 'push', version })) },
  { weight: 4, arbitrary: fc.nat(3).map((n): Action => ({ do: 'event', n })) },
  { weight: 2, arbitrary: fc.nat(3).map((n): Action => ({ do: 'ready', n })) },
  { weight: 3, arbitrary: fc.nat(9).map((n): Action => ({ do: 'answer', n })) },
  { weight: 1, arbitrary: fc.constant<Action>({ do: 'snapshot' }) },
  { weight: 1, arbitrary: fc.constant<Action>({ do: 'restart' }) },
);

test('every run ends under the definition it started with, and everything replays', () => {
  const numRuns = Number(process.env['WORLDLINE_PUSH_RUNS'] ?? 25);
  fc.assert(
    fc.property(fc.array(actionArb, { minLength: 5, maxLength: 25 }), (actions) => {
      let pushes = 0;
      const full = (): Version => {
        pushes++;
        const plans = Object.fromEntries(PLANS.map((name) => [name, `v${pushes}`])) as Version['plans'];
        return { plans, triggers: PLANS, hasGrant: true, ready: (pushes % 2) as 0 | 1 };
      };
      const texts = new Map<string, Version['plans']>();
      const first = full();
      const w = KernelWorld.create(nodesOf(first));
      const note = (version: Version) => texts.set(hashText(w.kernel.catalog.manifestHash), version.plans);
      note(first);
      const change = (version: Version) => {
        push(w, version);
        // A push that changes nothing leaves what was noted; any other names a new manifest.
        if (!texts.has(hashText(w.kernel.catalog.manifestHash))) note(version);
      };
      for (const action of actions) {
        switch (action.do) {
          case 'push': {
            const { listed, ...rest } = action.version;
            const { plans } = full();
            const kept = Object.fromEntries(
              PLANS.map((name) => [name, listed.includes(name) ? plans[name] : undefined]),
            );
            change({ ...rest, plans: kept as Version['plans'] });
            break;
          }
          case 'event':
            w.send('t/In@1', { id: `r${action.n}` });
            break;
          case 'ready':
            w.send('t/Ready@1', { id: `r${action.n}` });
            break;
          case 'answer':
            answer(w, action.n);
            break;
          case 'snapshot':
            w.snapshot();
            break;
          case 'restart':
            w.reopen();
            break;
          default:
            action satisfies never;
        }
      }
      // Whatever runs wait for arrives: receipts, timers, and the event in both of its definitions.
      while (w.pending().length > 0) answer(w, 0);
      for (let round = 0; round < 2; round++) {
        change(full());
        for (let n = 0; n <= 3; n++) w.send('t/Ready@1', { id: `r${n}` });
      }
      expect(w.instances()).toEqual([]);

      const started = new Map(w.records('plan_started').map((record) => [record.plan_id, record]));
      const said = w.records('domain_event').filter((event) => event.schema === 't/Mark@1');
      for (const { plan_id, value } of said) {
        const { plan_name, manifest_hash } = started.get(plan_id!)!;
        expect(w.decode('t/Mark@1', value)).toEqual({ s: texts.get(hashText(manifest_hash))![plan_name as PlanName] });
      }
      const ends = w.records('plan_ended').map(({ plan_id, status }) => [plan_id, status]);
      expect(new Map(ends as [number, string][])).toEqual(new Map([...started.keys()].map((id) => [id, 'ok'])));
      expect(said).toHaveLength(started.size);
      w.checkParity();
    }),
    { numRuns },
  );
}, 1_200_000);
