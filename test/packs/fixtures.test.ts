import { describe, expect, test } from 'vitest';
import type { Node } from './consumer.ts';
import { FIXTURES, type Fixture, fixtureNodes, settledBy } from './fixture.ts';
import { KernelStage } from './kernel-stage.ts';

/** The fixtures of `patterns.md` §7 over the kernel alone; `fixtures-host.test.ts` runs the same scripts on the host. */

async function played(fixture: Fixture, options: { readonly twice?: boolean } = {}): Promise<KernelStage> {
  const stage = new KernelStage(fixtureNodes(fixture), options);
  for (const [, act] of fixture.script) await act(stage);
  return stage;
}

/** Arms of the core's result, and of the event that says what came of a request. */
function armsOf(nodes: readonly Node[], schema: string): readonly string[] {
  const { type } = nodes.find(({ $kind, name }) => $kind === 'defschema' && name === schema) as {
    readonly type: { readonly variant: object };
  };
  return Object.keys(type.variant).sort();
}

const armOf = (value: unknown) => Object.keys(value as object)[0]!;

/** The same world, with something done to one of its definitions. */
function changed(nodes: readonly Node[], name: string, change: (node: Node) => Node): readonly Node[] {
  return nodes.map((node) => (node['name'] === name ? change(node) : node));
}

describe.each(FIXTURES)('examples/$example', (fixture) => {
  const nodes = fixtureNodes(fixture);

  test('F1, F2, F3, F6: the script settles every request once, in its order, with parity after every input', async () => {
    const stage = await played(fixture);
    expect(stage.settled(fixture.settled)).toMatchObject(settledBy(fixture));
    expect(stage.w.instances()).toEqual([]);
    expect(stage.w.pending()).toEqual([]);
    // Who only answers has no race to lose.
    expect(stage.consumer.dispositions().includes('late')).toBe(!fixture.core.endsWith('/core_reply@1'));
    const ends = stage.w.records('plan_ended').map(({ plan_id }) => plan_id);
    expect(new Set(ends).size).toBe(ends.length);
    stage.w.checkParity();
  });

  test('F1: the core ends with every arm of its result, and nothing is settled that the script does not name', async () => {
    const stage = await played(fixture);
    const core = nodes.find(({ name }) => name === fixture.core)!;
    const results = stage.w.records('plan_result').filter(({ plan_name }) => plan_name === fixture.core);
    const arms = results.map(({ output_schema, value_cbor }) => armOf(stage.w.decode(output_schema, value_cbor)));
    expect([...new Set(arms)].sort()).toEqual(armsOf(nodes, String(core['output'])));
    expect(stage.settled(fixture.settled)).toHaveLength(fixture.outcomes.length);
  });

  test('F5: the same event under its id, and the same receipt, again: nothing happens twice', async () => {
    const once = await played(fixture);
    const twice = await played(fixture, { twice: true });
    expect(twice.settled(fixture.settled)).toMatchObject(settledBy(fixture));
    expect(twice.counts()).toEqual(once.counts());
  });

  test('F5: the same request again without an id runs again, and shares what the first has asked for', async () => {
    const stage = new KernelStage(nodes);
    await stage.send(fixture.request, fixture.requestOf('r1'));
    await stage.send(fixture.request, fixture.requestOf('r1'));
    const open = stage.w.pending().filter(({ kind }) => kind !== 'timer.set');
    expect(open.map(({ waiters }) => waiters.length)).toEqual([1]);
    await fixture.finish(stage, 'r1');
    const settled = stage.settled(fixture.settled);
    expect(settled).toHaveLength(2);
    expect(settled[1]).toEqual(settled[0]);
    expect(stage.w.instances()).toEqual([]);
  });

  describe('F7: the core cannot do its work, and the request is settled all the same', () => {
    const unable = (stage: KernelStage, code: string) => {
      expect(stage.settled(fixture.settled)).toEqual([
        { [fixture.idMember]: 'r1', [fixture.member]: fixture.unable(code) },
      ]);
      expect(stage.w.instances()).toEqual([]);
    };
    const started = async (world: readonly Node[]) => {
      const stage = new KernelStage(world);
      await stage.send(fixture.request, fixture.requestOf('r1'));
      return stage;
    };
    const policy = String(nodes.find(({ $kind }) => $kind === 'defpolicy')!['name']);
    type Rule = { readonly when: { readonly origin_name: string } };

    test('the policy denies what it emits', async () => {
      const without = changed(nodes, policy, (node) => ({
        ...node,
        rules: (node['rules'] as readonly Rule[]).filter(({ when }) => when.origin_name !== fixture.core),
      }));
      const stage = await started(without);
      unable(stage, 'policy_denied');
      const kinds = stage.w.records('effect_intent').map(({ origin }) => (origin as { name: string }).name);
      expect(kinds).not.toContain(fixture.core);
    });

    test('an invariant of it is violated', async () => {
      const strict = changed(nodes, fixture.core, (node) => ({
        ...node,
        invariants: [fixture.neverHolds],
      }));
      unable(await started(strict), 'invariant_violation');
    });

    test('an operator cancels it', async () => {
      const stage = await started(nodes);
      const core = stage.w.records('plan_started').find(({ plan_name }) => plan_name === fixture.core)!;
      stage.consumer.step((w) => w.cancel(core.plan_id));
      unable(stage, 'canceled');
    });
  });
});
