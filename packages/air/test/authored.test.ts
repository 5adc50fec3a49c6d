import { hashText, toHex } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AuthoredWorld, loadAuthored, printJson } from '../src/index.ts';
import { type Authored, add, node, plan, record, schema, smallWorld, TEXT } from './fixtures.ts';
import { loaded, PatchBase } from './patch-support.ts';
import { worldArb } from './small-worlds.ts';

/** Stored manifests as files may hold them (packs.md §6). */

function authored(nodes: readonly Authored[]): { readonly world: AuthoredWorld; readonly base: PatchBase } {
  const base = new PatchBase(loaded(nodes));
  let isOpen = true;
  const world = AuthoredWorld.of(base.hash, (hash) => (isOpen ? base.get(hash) : undefined));
  // Nothing is read from the store afterwards.
  isOpen = false;
  if (!world.ok) throw new Error(JSON.stringify(world.failure));
  return { world: world.value, base };
}

const text = (world: AuthoredWorld) =>
  printJson([world.manifest, ...[...world.defs.values()].map((def) => def.node)], 2);

describe('a stored world, written as files and loaded again', () => {
  test('has the same manifest hash and the same objects', () => {
    fc.assert(
      fc.property(worldArb, (nodes) => {
        const { world, base } = authored(nodes);
        const again = loadAuthored([{ path: 'air/w.json', text: text(world) }]);
        if (!again.ok) throw new Error(JSON.stringify(again.failure));
        expect(hashText(again.value.catalog.manifestHash)).toBe(hashText(base.hash));
        expect(again.value.objects.map(({ hash }) => toHex(hash)).sort()).toEqual(
          loaded(nodes)
            .objects.map(({ hash }) => toHex(hash))
            .sort(),
        );
        expect(again.value.warnings).toEqual([]);
      }),
    );
  });

  test('leaves out what is filled in again: hashes of references, lists that follow from the steps', () => {
    const { world } = authored(smallWorld().nodes);
    expect(world.manifest['plans']).toEqual([{ name: 'demo/core_run@1' }]);
    expect(Object.keys(world.defs.get('defplan demo/core_run@1')!.node)).not.toContain('required_caps');
  });
});

test('literals are written in sugar where that reads back, else as stored', () => {
  const say = plan('demo/say@1', {
    steps: [
      {
        id: 'say',
        op: 'raise_event',
        event: 'demo/Approved@1',
        value: { record: { id: { text: 'x' }, by: { null: {} } } },
      },
      { id: 'odd', op: 'raise_event', event: 'demo/Odd@1', value: { record: { ref: { text: '@plan.input.id' } } } },
    ],
  });
  const world = add(smallWorld(), schema('demo/Odd@1', record({ ref: TEXT })), say);
  world.manifest.defaults.cap_grants.push({ name: 'web', cap: 'sys/http.out@1', params: { hosts: ['a.example'] } });
  const { manifest, defs } = authored(world.nodes).world;
  const steps = defs.get('defplan demo/say@1')!.node['steps'] as Authored[];
  expect(steps[0].value).toEqual({ id: 'x' });
  // In sugar this would be a reference.
  expect(steps[1].value).toEqual({ record: { ref: { text: '@plan.input.id' } } });
  expect((manifest['defaults'] as Authored).cap_grants[1]).toEqual({
    name: 'web',
    cap: 'sys/http.out@1',
    params: { hosts: ['a.example'] },
  });
});

describe('isSame: a node as a folder has it', () => {
  test('is the world’s whatever its author’s wording, order and comments', () => {
    const { world } = authored(smallWorld().nodes);
    for (const each of smallWorld().nodes) expect(world.isSame({ $comment: 'mine', ...each })).toBe(true);
    const { manifest } = smallWorld();
    expect(world.isSame({ ...manifest, schemas: [...manifest.schemas].reverse() })).toBe(true);
    expect(world.isSame({ ...manifest, effects: [...manifest.effects, { name: 'sys/http.request@1' }] })).toBe(true);
    expect(world.isSame(world.manifest)).toBe(true);
  });

  test('is not, when anything that counts differs', () => {
    const { world } = authored(smallWorld().nodes);
    const { manifest } = smallWorld();
    const run = node(smallWorld(), 'demo/core_run@1');
    for (const other of [
      { ...manifest, triggers: [] },
      { ...manifest, effects: [] },
      { ...manifest, plans: [] },
      { ...manifest, schemas: [...manifest.schemas, { name: 'demo/None@1' }] },
      { ...run, name: 'demo/other@1' },
      { ...run, steps: run.steps.slice(0, -1) },
      { ...run, input: 'demo/None@1' },
      { ...node(smallWorld(), 'demo/Task@1'), type: { text: {} } },
      { $kind: 'defplan' },
      7,
    ] as Authored[])
      expect(world.isSame(other)).toBe(false);
  });
});
