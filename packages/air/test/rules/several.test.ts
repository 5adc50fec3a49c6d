import { pointer } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import { loadAuthored } from '../../src/load-authored.ts';
import type { SourceFile } from '../../src/load-files.ts';
import {
  type Authored,
  add,
  node,
  op,
  plan,
  record,
  ref,
  schema,
  smallWorld,
  TEXT,
  type WorldFixture,
} from '../fixtures.ts';
import { moduleWorld } from './modules.ts';
import { assign, emit, P, raise, waitEvent } from './plans.ts';
import { allFindings, textOf } from './rule-case.ts';
import { PLAN } from './structure.ts';

/** Several mistakes at once: all are reported, in document order, none twice, and nothing that only follows from one. */

const shown = ({ file, rule, code, kind, name, path }: Diagnostic) =>
  [file ?? '-', rule ?? '-', code, name ?? kind ?? '-', pointer(path)].join(' ').trimEnd();

function found(files: Readonly<Record<string, Authored>>): string[] {
  const sources = Object.entries(files).map(
    ([path, content]): SourceFile => ({ path, text: typeof content === 'string' ? content : textOf(content) }),
  );
  return allFindings(sources).map(shown);
}

/** A world in a file per definition, the manifest first. */
function split(world: WorldFixture): Record<string, Authored> {
  return Object.fromEntries(
    world.nodes.map((each, index) => [`air/${index}-${each.name?.split('/')[1] ?? 'manifest'}.json`, each]),
  );
}

describe('a folder with many mistakes', () => {
  test('in files, members, slots, grants and types: each once, in document order', () => {
    const world = smallWorld();
    add(
      world,
      plan(P, {
        steps: [emit('a', 'h', { cap: 'clok', params: { deliver_at_ns: true } }), { id: 'done', op: 'end', resutl: 1 }],
      }),
      plan('demo/q@1', { steps: [assign('a', op('add', ref('@plan.input.id'), { nat: 1 }))] }),
      schema('demo/Odd@1', { set: { list: TEXT } }),
    );
    world.manifest.defaults.cap_grants[0].params = { x: 1 };
    node(world, PLAN).edges.push({ from: 'dne', to: 'done' });
    const files = split(world);
    files['air/9-broken.json'] = '{ "$kind": "defschema", ';
    expect(found(files)).toEqual([
      'air/0-manifest.json V-603 grant.params_invalid manifest /defaults/cap_grants/0/params/x',
      `air/4-core_run@1.json V-503 plan.edge_unknown_step ${PLAN} /edges/4/from`,
      `air/6-p@1.json V-514 plan.literal_invalid ${P} /steps/0/params/deliver_at_ns`,
      `air/6-p@1.json V-519 grant.not_found ${P} /steps/0/cap`,
      `air/6-p@1.json V-104 node.unknown_field ${P} /steps/1/resutl`,
      'air/7-q@1.json - operand_type demo/q@1 /steps/0/expr/args/0',
      'air/8-Odd@1.json V-303 type.bad_set_element demo/Odd@1 /type/set',
      'air/9-broken.json V-101 json.invalid -',
    ]);
  });

  test('warnings stand among the errors', () => {
    const world = smallWorld();
    world.nodes.splice(2, 0, schema('demo/Spare@1', TEXT));
    node(world, 'demo/Task@1').typ = 1;
    node(world, PLAN).steps[4].id = 5;
    expect(
      allFindings([{ path: 'a.json', text: textOf(world.nodes) }]).map(({ severity, code }) => `${severity} ${code}`),
    ).toEqual(['error node.unknown_field', 'warning def.unlisted', 'error node.bad_field']);
  });

  test('clashing definitions name both files, and what uses them is not judged by either', () => {
    const files = { 'air/a.json': schema('demo/Task@1', TEXT), 'air/b.json': smallWorld().nodes };
    expect(found(files)).toEqual(['air/b.json V-202 import.conflict demo/Task@1 /name']);
    const [first] = allFindings(Object.entries(files).map(([path, content]) => ({ path, text: textOf(content) })));
    expect(first?.fields).toEqual({ kind: 'defschema', name: 'demo/Task@1', files: ['air/a.json', 'air/b.json'] });
  });

  test('of more than a thousand findings the rest is counted', () => {
    const world = smallWorld();
    world.nodes.push(...Array.from({ length: 1500 }, (_, i) => schema(`demo/S${i}@1`, { txt: {} })));
    const findings = allFindings([{ path: 'a.json', text: textOf(world.nodes) }]);
    expect(findings.length).toBe(1001);
    expect(findings.at(-1)).toMatchObject({
      code: 'findings.truncated',
      severity: 'warning',
      fields: { shown: 1000, total: 1500 },
    });
  });
});

describe('what only follows from a mistake is not reported', () => {
  const cases: readonly [string, (world: WorldFixture) => void, readonly string[]][] = [
    [
      'a schema that does not read, where it is used',
      (world) => (node(world, 'demo/Task@1').type = { txt: {} }),
      ['V-301 demo/Task@1'],
    ],
    ['a schema without type', (world) => delete node(world, 'demo/Task@1').type, ['V-103 demo/Task@1']],
    [
      'a schema without name, where the manifest lists it',
      (world) => delete node(world, 'demo/Task@1').name,
      ['V-103 defschema'],
    ],
    [
      'a schema that holds itself, where it is used',
      (world) => (node(world, 'demo/Task@1').type = record({ id: TEXT, at: { nat: {} }, t: { ref: 'demo/Task@1' } })),
      ['V-305 demo/Task@1'],
    ],
    [
      'a ref in it that leads nowhere, where it is used',
      (world) => (node(world, 'demo/Done@1').type.record.id = { ref: 'demo/Id@1' }),
      ['V-306 demo/Done@1'],
    ],
    ['a kind that is none', (world) => (node(world, 'demo/Task@1').$kind = 'defschma'), ['V-102 -']],
    ['a section that is no list', ({ manifest }) => (manifest.schemas = {}), ['V-103 manifest']],
    ['a section that is misspelt', ({ manifest }) => rename(manifest, 'schemas', 'shemas'), ['V-104 manifest']],
    ['a reference without name', ({ manifest }) => delete manifest.schemas[0].name, ['V-103 manifest']],
    ['a definition that no file has', (world) => world.nodes.splice(1, 1), ['V-206 manifest']],
    ['grants that are no list', ({ manifest }) => (manifest.defaults.cap_grants = {}), ['V-103 manifest']],
    ['a grant without params', ({ manifest }) => delete manifest.defaults.cap_grants[0].params, ['V-103 manifest']],
    [
      'a grant of a cap that is not there',
      ({ manifest }) => (manifest.defaults.cap_grants[0].cap = 'demo/gone@1'),
      ['V-602 manifest'],
    ],
    ['a manifest of another version', ({ manifest }) => (manifest.air_version = '9'), ['V-201 manifest']],
    ['a manifest whose kind is misspelt', ({ manifest }) => (manifest.$kind = 'manifets'), ['V-102 -']],
    ['a step without id', (world) => delete node(world, PLAN).steps[4].id, [`V-103 ${PLAN}`]],
    ['a step whose kind is none', (world) => (node(world, PLAN).steps[0].op = 'emit'), [`V-103 ${PLAN}`]],
    ['a step without bind', (world) => delete node(world, PLAN).steps[0].bind, [`V-103 ${PLAN}`]],
    ['steps that are misspelt', (world) => rename(node(world, PLAN), 'steps', 'stesp'), [`V-104 ${PLAN}`]],
    ['an input that is no name', (world) => (node(world, PLAN).input = 'Task'), [`V-105 ${PLAN}`]],
    ['a predicate that does not read', (world) => (node(world, PLAN).steps[2].where = {}), [`V-109 ${PLAN}`]],
    [
      'an output that does not read',
      (world) => {
        node(world, PLAN).output = 'Done';
        node(world, PLAN).steps[4].result = { id: 'x', late: true };
      },
      [`V-105 ${PLAN}`],
    ],
    [
      'locals that do not read',
      (world) => {
        node(world, PLAN).locals = { x: 5 };
        node(world, PLAN).steps.push(assign('a', 'text', 'x'));
      },
      [`V-103 ${PLAN}`],
    ],
    [
      'an effect that does not read, where it is emitted',
      (world) => {
        add(
          world,
          {
            $kind: 'defeffect',
            name: 'demo/m@1',
            kind: 'mail.send',
            params_schema: 'demo/Task@1',
            receipt_schema: 5,
            cap_type: 'timer',
            origin_scope: 'plan',
          },
          plan(P, { steps: [emit('a', 'h', { kind: 'mail.send', params: { any: 'thing' } })] }),
        );
      },
      ['V-103 demo/m@1'],
    ],
    [
      'a secret that does not read, where it is used',
      (world) => {
        add(world, schema('demo/K@1', record({ k: { ref: 'sys/SecretRef@1' } })), {
          $kind: 'defsecret',
          name: 'demo/k@1',
          binding_id: 5,
        });
        add(world, plan(P, { steps: [raise({ k: { alias: 'demo/k', version: 1 } }, 'demo/K@1')] }));
      },
      ['V-103 demo/k@1'],
    ],
    ['a policy that does not read', (world) => (node(world, 'demo/policy@1').rules = {}), ['V-103 demo/policy@1']],
  ];

  test.each(cases)('%s', (_why, change, expected) => {
    const world = smallWorld();
    change(world);
    const lines = allFindings([{ path: 'a.json', text: textOf(world.nodes) }]).map(
      ({ rule, code, name, kind }) => `${rule ?? code} ${name ?? kind ?? '-'}`,
    );
    expect(lines).toEqual(expected);
  });

  test('a module that does not read, where events are routed to it and grants are bound', () => {
    const world = moduleWorld();
    node(world, 'demo/counter@1').abi = {};
    expect(allFindings([{ path: 'a.json', text: textOf(world.nodes) }]).map(({ rule, name }) => [rule, name])).toEqual([
      ['V-108', 'demo/counter@1'],
    ]);
  });

  test('of a file that is no JSON nothing is known: what it may define is not missing', () => {
    const files = split(smallWorld());
    files['air/1-Task@1.json'] = textOf(files['air/1-Task@1.json']).slice(0, -2);
    expect(found(files)).toEqual(['air/1-Task@1.json V-101 json.invalid -']);
    const withoutManifest = split(smallWorld());
    withoutManifest['air/0-manifest.json'] = '{';
    expect(found(withoutManifest)).toEqual(['air/0-manifest.json V-101 json.invalid -']);
  });

  test('a plan with one bad step is checked in its other steps, edges and expressions', () => {
    const world = smallWorld();
    add(
      world,
      plan(P, {
        steps: [
          { id: 'a', op: 'emit_efect', kind: 'timer.set', bind: { effect_id_as: 'h' } },
          { id: 'b', op: 'await_receipt', for: ref('@var:h'), bind: { as: 'b_r' } },
          waitEvent('c', op('eq', ref('@event.idd'), { text: 'x' })),
          raise({ id: ref('@var:nope'), late: 3 }),
          { id: 'done', op: 'end' },
        ],
        edges: [
          { from: 'a', to: 'b' },
          { from: 'b', to: 'gone' },
          { from: 'c', to: 'done', when: ref('@step:a') },
        ],
      }),
    );
    expect(
      allFindings([{ path: 'a.json', text: textOf(world.nodes) }]).map(({ code, path }) => `${code} ${pointer(path)}`),
    ).toEqual([
      'node.bad_field /steps/0/op',
      'unknown_field /steps/2/where/args/0',
      'ref_unknown_var /steps/3/value/id/ref',
      'plan.literal_invalid /steps/3/value/late',
      'plan.edge_unknown_step /edges/1/to',
    ]);
  });
});

function rename(json: Authored, from: string, to: string): void {
  json[to] = json[from];
  delete json[from];
}

/** Mistakes that have nothing to do with each other, each in a definition of its own. */
const MISTAKES: readonly (readonly [string, (world: WorldFixture) => void])[] = [
  ['a bad type', (world) => add(world, schema('demo/X1@1', { txt: {} }))],
  ['an unknown ref', (world) => add(world, schema('demo/X2@1', { ref: 'demo/Nowhere@1' }))],
  ['a cycle', (world) => add(world, schema('demo/X3@1', { list: { ref: 'demo/X3@1' } }))],
  ['an unknown member', (world) => add(world, { ...schema('demo/X4@1', TEXT), size: 1 })],
  ['a plan with a bad step', (world) => add(world, plan('demo/x5@1', { steps: [{ id: 'a', op: 'nope' }] }))],
  ['a plan with a loose edge', (world) => add(world, plan('demo/x6@1', { edges: [{ from: 'a', to: 'done' }] }))],
  ['a plan with a bad literal', (world) => add(world, plan('demo/x7@1', { steps: [raise({ id: 1, late: true })] }))],
  [
    'a plan with an unknown variable',
    (world) => add(world, plan('demo/x8@1', { steps: [raise({ id: ref('@var:v'), late: true })] })),
  ],
  ['a plan with a type error', (world) => add(world, plan('demo/x9@1', { invariants: [ref('@plan.input.id')] }))],
  [
    'a plan with an unknown grant',
    (world) => add(world, plan('demo/x10@1', { steps: [emit('a', 'h', { cap: 'nope' })] })),
  ],
  ['a cyclic plan', (world) => add(world, plan('demo/x11@1', { edges: [{ from: 'done', to: 'done' }] }))],
  [
    'a policy with an unknown kind',
    (world) => node(world, 'demo/policy@1').rules.push({ when: { effect_kind: 'no.such' }, decision: 'deny' }),
  ],
  ['a blank secret', (world) => add(world, { $kind: 'defsecret', name: 'demo/x13@1', binding_id: ' ' })],
  [
    'a cap with a bad enforcer',
    (world) =>
      add(world, {
        $kind: 'defcap',
        name: 'demo/x14@1',
        cap_type: 'x',
        schema: TEXT,
        enforcer: { module: 'demo/e@1' },
      }),
  ],
  [
    'an effect without schemas',
    (world) =>
      add(world, {
        $kind: 'defeffect',
        name: 'demo/x15@1',
        kind: 'x.y',
        params_schema: 'demo/N@1',
        receipt_schema: 'demo/O@1',
        cap_type: 'x',
        origin_scope: 'plan',
      }),
  ],
  ['a definition that nobody lists', (world) => world.nodes.push(schema('demo/X16@1', TEXT))],
  ['a definition under sys/', (world) => world.nodes.push(schema('sys/X17@1', TEXT))],
];

test('two independent mistakes are reported as each would be alone', () => {
  const of = (...indices: number[]): string[] => {
    const world = smallWorld();
    for (const index of indices) MISTAKES[index]![1](world);
    return allFindings([{ path: 'a.json', text: textOf(world.nodes) }])
      .map(({ rule, code, name, kind, path, message }) => [rule, code, name ?? kind, pointer(path), message].join(' '))
      .sort();
  };
  const alone = MISTAKES.map((_, index) => of(index));
  const index = fc.nat(MISTAKES.length - 1);
  const numRuns = Number(process.env['FC_RUNS'] ?? 60);
  for (const seed of [20261128, Math.floor(Math.random() * 2 ** 31)]) {
    fc.assert(
      fc.property(
        index,
        index.filter((other) => other >= 0),
        (first, second) => {
          if (first === second) return;
          expect(of(first, second)).toEqual([...alone[first]!, ...alone[second]!].sort());
        },
      ),
      { seed, numRuns },
    );
  }
});

test('loading takes time in proportion to what is wrong: findings are sound for ten thousand mistakes', () => {
  const steps = Array.from({ length: 10_000 }, (_, i) => ({
    ...raise({ id: ref(`@var:v${i}`), late: 1 }),
    id: `s${i}`,
  }));
  const world = smallWorld();
  add(world, plan(P, { steps }));
  const loaded = loadAuthored([{ path: 'a.json', text: textOf(world.nodes) }]);
  expect(loaded.ok).toBe(false);
  if (loaded.ok) return;
  // Too large, an unknown variable and a bad literal in each step.
  expect(loaded.failure.at(-1)?.fields).toEqual({ shown: 1000, total: 20_001 });
});
