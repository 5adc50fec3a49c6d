import { hashText, sha256 } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { loadAuthored } from '../src/load-authored.ts';
import { isAirFile } from '../src/load-files.ts';
import { loadStored } from '../src/load-stored.ts';
import { add, findings, line, load, node, op, plan, ref, schema, smallWorld, TEXT } from './fixtures.ts';

describe('a sound world', () => {
  test('loads, and its stored form loads to the same catalog (definitions.md §8.4, §9)', () => {
    const loaded = load(smallWorld().nodes);
    expect(findings(loaded)).toEqual([]);
    if (!loaded.ok) return;
    expect(loaded.value.warnings).toEqual([]);
    const store = new Map(loaded.value.objects.map(({ hash, bytes }) => [hashText(hash), bytes]));
    for (const { hash, bytes } of loaded.value.objects) expect(hashText(sha256(bytes))).toBe(hashText(hash));
    const stored = loadStored(loaded.value.catalog.manifestHash, (hash) => store.get(hashText(hash)));
    expect(findings(stored)).toEqual([]);
    if (!stored.ok) return;
    const { scope: _a, ...authoredCatalog } = loaded.value.catalog;
    const { scope: _b, ...storedCatalog } = stored.value;
    expect(storedCatalog).toEqual(authoredCatalog);
  });

  test('gives the same manifest whatever the files, their order and the order of members', () => {
    const world = smallWorld();
    const one = load(world.nodes);
    const reversed = loadAuthored(
      [...world.nodes].reverse().map((each, index) => ({
        path: `air/${index}.json`,
        text: JSON.stringify(Object.fromEntries(Object.entries(each).reverse())),
      })),
    );
    expect(one.ok && reversed.ok && hashText(reversed.value.catalog.manifestHash)).toBe(
      one.ok && hashText(one.value.catalog.manifestHash),
    );
  });

  test('its catalog is ready to run', () => {
    const loaded = load(smallWorld().nodes);
    if (!loaded.ok) throw new Error('fixture');
    const { catalog } = loaded.value;
    expect([...catalog.plans.keys()]).toEqual(['demo/core_run@1']);
    expect([...catalog.effects].map(([kind, { def }]) => [kind, def.originScope])).toEqual([['timer.set', 'both']]);
    expect(catalog.policy?.name).toBe('demo/policy@1');
    expect(catalog.grants.get('clock')).toMatchObject({
      cap: 'sys/timer@1',
      capType: 'timer',
      enforcer: 'sys/CapAllowAll@1',
    });
    expect(catalog.triggers).toEqual([{ event: 'demo/Task@1', plan: 'demo/core_run@1', correlateBy: ['id'] }]);
    expect(catalog.schemas.has('sys/EffectError@1')).toBe(true);
    expect(catalog.scope.lookup('demo/Task@1')).toEqual(catalog.schemas.get('demo/Task@1')?.def.type);
    expect(catalog.scope.lookup('demo/Gone@1')).toBeUndefined();
    const { def } = catalog.plans.get('demo/core_run@1') as NonNullable<ReturnType<typeof catalog.plans.get>>;
    expect(def.requiredCaps).toEqual(['clock']);
    expect(def.allowedEffects).toEqual(['timer.set']);
    expect(def.steps.map(({ op: kind }) => kind)).toEqual([
      'emit_effect',
      'await_receipt',
      'await_event',
      'raise_event',
      'end',
    ]);
    expect(def.steps[1]).toEqual({ op: 'await_receipt', id: 'fired', handle: 'arm_h', as: 'fired_r' });
    expect(def.steps[3]).toMatchObject({ op: 'raise_event', value: { expr: { form: 'record' } } });
  });

  test('a projecting trigger carries its predicate and its input (definitions.md §7)', () => {
    const world = smallWorld();
    add(world, schema('demo/Env@1', { variant: { T: { ref: 'demo/Task@1' }, N: { unit: {} } } }), plan('demo/p@1', {}));
    world.manifest.triggers.push({
      event: 'demo/Env@1',
      plan: 'demo/p@1',
      when: op('eq', ref('@event.$tag'), { text: 'T' }),
      input_expr: ref('@event.$value'),
    });
    const loaded = load(world.nodes);
    expect(loaded.ok && loaded.value.catalog.triggers[1]).toMatchObject({
      when: { form: 'op', op: 'eq' },
      inputExpr: { expr: { form: 'ref', root: 'event', path: ['$value'] } },
    });
  });
});

describe('definitions.md §1, §5: spellings that mean the same', () => {
  const hashOf = (change: (world: ReturnType<typeof smallWorld>) => void) => {
    const world = smallWorld();
    change(world);
    const loaded = load(world.nodes);
    if (!loaded.ok) throw new Error(loaded.failure.map(line).join('\n'));
    return hashText(loaded.value.catalog.manifestHash);
  };
  const base = hashOf(() => {});

  test('an expression in sugar and the tagged tree it stands for are one node', () => {
    expect(
      hashOf((world) => {
        node(world, 'demo/core_run@1').steps[3].value = {
          record: { late: { bool: false }, id: ref('@plan.input.id') },
        };
      }),
    ).toBe(base);
  });

  test('comments, nulls for optional members and member order leave no trace', () => {
    expect(
      hashOf((world) => {
        world.manifest.$comment = 'a';
        world.manifest.defaults.cap_grants[0].expiry_ns = null;
        world.manifest.triggers[0].when = null;
        Object.assign(node(world, 'demo/core_run@1'), { output: null, $comment: { b: [] } });
        node(world, 'demo/policy@1').rules[0].when.origin_kind = null;
        node(world, 'demo/Task@1').type.record.id.$comment = 'x';
      }),
    ).toBe(base);
  });

  test('changing a literal changes the hash', () => {
    expect(
      hashOf((world) => {
        node(world, 'demo/core_run@1').steps[3].value.late = true;
      }),
    ).not.toBe(base);
  });
});

describe('isAirFile (definitions.md §8.1)', () => {
  test.each([
    ['air/a.air.json', true],
    ['air.v2/deep/er/a.JSON', true],
    ['defs/a.json', true],
    ['plans/a.json', true],
    ['a.json', false],
    ['src/a.json', false],
    ['src/air/a.json', false],
    ['air/a.txt', false],
    ['air/scaffolds/a.json', false],
    ['air/x/scaffolds/a.json', false],
    ['air/x_template.air.json', false],
    ['air/worldline.json', false],
  ])('%s: %s', (path, expected) => {
    expect(isAirFile(path)).toBe(expected);
  });

  test('a root that is itself an AIR folder is searched as a whole', () => {
    expect(isAirFile('a.json', 'air')).toBe(true);
    expect(isAirFile('src/a.json', 'plans')).toBe(true);
    expect(isAirFile('scaffolds/a.json', 'plans')).toBe(false);
    expect(isAirFile('a.json', 'project')).toBe(false);
  });
});

test('an unlisted schema that a listed plan needs is a finding, not a crash', () => {
  const world = smallWorld();
  world.nodes.push(schema('demo/Hidden@1', TEXT));
  add(world, plan('demo/p@1', { steps: [{ id: 'r', op: 'raise_event', event: 'demo/Hidden@1', value: 'x' }] }));
  expect(findings(load(world.nodes))).toEqual(['V-517 schema.not_found demo/p@1 /steps/0/event']);
});

describe('hints for a name that leads nowhere', () => {
  const hintOf = (change: (world: ReturnType<typeof smallWorld>) => void) => {
    const world = smallWorld();
    change(world);
    const loaded = load(world.nodes);
    return loaded.ok ? undefined : loaded.failure[0]?.hint;
  };
  const emit = (kind: string, params: unknown) => ({
    id: 'a',
    op: 'emit_effect',
    kind,
    params,
    cap: 'clock',
    bind: { effect_id_as: 'h' },
  });

  test('a schema that is defined but not listed', () => {
    expect(
      hintOf((world) => {
        world.nodes.push(schema('demo/Done@2', TEXT));
        node(world, 'demo/core_run@1').steps[3].event = 'demo/Done@2';
        node(world, 'demo/core_run@1').steps[3].value = 'x';
      }),
    ).toBe('It is defined but not listed: add it to manifest.schemas.');
  });

  test('a built-in effect that is not listed', () => {
    expect(hintOf((world) => add(world, plan('demo/p@1', { steps: [emit('timer.after', { after_ns: 1 })] })))).toBe(
      'Add {"name": "sys/timer.after@1"} to manifest.effects.',
    );
  });

  test('a typing error', () => {
    expect(hintOf((world) => add(world, plan('demo/p@1', { steps: [emit('timer.aftr', {})] })))).toBe(
      'Did you mean "timer.after"?',
    );
    expect(hintOf(({ manifest }) => (manifest.triggers[0].plan = 'demo/core_rnu@1'))).toBe(
      'Did you mean "demo/core_run@1"?',
    );
  });

  test('nothing near', () => {
    expect(hintOf(({ manifest }) => (manifest.defaults.policy = 'other/thing@9'))).toBe(
      'Define it, and list it in manifest.policies.',
    );
  });
});
