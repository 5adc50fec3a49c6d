import fc from 'fast-check';
import { expect, test } from 'vitest';
import { suggest } from '../src/diagnostic.ts';
import { loadAuthored } from '../src/load-authored.ts';
import type { Type, TypeScope } from '../src/type.ts';
import { typesEqual } from '../src/type-resolve.ts';
import { typesAt } from '../src/validate-triggers.ts';
import { add, filesOf, findings, load, node, plan, ref, schema, smallWorld } from './fixtures.ts';

/** Inputs that used to take for ever, to fill the memory, or to hide one finding behind another; the rest is in `test/language`. */

/** `<prefix>0` names `<prefix>1` twice, and so on: as many parts as there are atoms when expanded. */
function doubling(prefix: string, depth: number, kind: 'record' | 'variant', end: Type): Map<string, Type> {
  return new Map(
    Array.from({ length: depth }, (_, i): [string, Type] => {
      if (i === depth - 1) return [`${prefix}${i}`, end];
      const next: Type = { kind: 'ref', name: `${prefix}${i + 1}` };
      const members = new Map([
        ['a', next],
        ['b', next],
      ]);
      return [`${prefix}${i}`, kind === 'record' ? { kind, fields: members } : { kind, arms: members }];
    }),
  );
}

const text: Type = { kind: 'text' };
const nat: Type = { kind: 'nat' };

test('types that share their parts are compared part by part, not path by path', () => {
  const schemas = new Map([
    ...doubling('S', 200, 'record', text),
    ...doubling('R', 200, 'record', text),
    ...doubling('Q', 200, 'record', nat),
  ]);
  const scope: TypeScope = { lookup: (name) => schemas.get(name) };
  expect(typesEqual({ kind: 'ref', name: 'S0' }, { kind: 'ref', name: 'R0' }, scope)).toBe(true);
  expect(typesEqual({ kind: 'ref', name: 'S0' }, { kind: 'ref', name: 'Q0' }, scope)).toBe(false);
});

test('a chain of types that is longer than the stack is deep is compared', () => {
  const chain = (prefix: string): [string, Type][] =>
    Array.from({ length: 50_000 }, (_, i) => [
      `${prefix}${i}`,
      i === 0 ? text : { kind: 'list', item: { kind: 'ref', name: `${prefix}${i - 1}` } },
    ]);
  const schemas = new Map([...chain('L'), ...chain('M')]);
  const scope: TypeScope = { lookup: (name) => schemas.get(name) };
  expect(typesEqual({ kind: 'ref', name: 'L49999' }, { kind: 'ref', name: 'M49999' }, scope)).toBe(true);
  expect(typesEqual({ kind: 'ref', name: 'L49999' }, { kind: 'ref', name: 'M49998' }, scope)).toBe(false);
});

test('a path through variants that share their arms leads to each type once (V-433)', () => {
  const schemas = doubling('V', 100, 'variant', { kind: 'record', fields: new Map([['end', text]]) });
  const scope: TypeScope = { lookup: (name) => schemas.get(name) };
  const path = [...Array.from({ length: 99 }, () => '$value'), 'end'];
  expect(typesAt({ kind: 'ref', name: 'V0' }, path, scope)).toEqual([text]);
  expect(typesAt({ kind: 'ref', name: 'V0' }, [...path, 'deeper'], scope)).toEqual([]);
});

test('a file of more nodes than a call takes arguments is answered (V-101)', () => {
  const loaded = loadAuthored([{ path: 'a.json', text: `[${'1,'.repeat(199_999)}1]` }]);
  expect(loaded.ok ? [] : [...new Set(loaded.failure.map(({ code }) => code))]).toContain('node.bad_field');
});

test('a ring of schemas is shown by its beginning and its end (V-305)', () => {
  const world = smallWorld();
  add(world, ...Array.from({ length: 500 }, (_, i) => schema(`demo/R${i}@1`, ref(`demo/R${(i + 1) % 500}@1`))));
  const loaded = load(world.nodes);
  expect(findings(loaded)).toEqual(['V-305 schema.recursive demo/R499@1 /type']);
  expect(loaded.ok ? [] : loaded.failure[0]?.fields?.['cycle']).toHaveLength(16);
});

test('keys of triggers times waits are not all spelt out (V-521)', () => {
  const world = smallWorld();
  const wait = (i: number) => ({ id: `w${i}`, op: 'await_event', event: 'demo/Task@1', bind: { as: `v${i}` } });
  add(world, plan('demo/p@1', { steps: Array.from({ length: 100 }, (_, i) => wait(i)) }));
  for (let i = 0; i < 2000; i += 1) {
    world.manifest.triggers.push({ event: 'demo/Task@1', plan: 'demo/p@1', correlate_by: `id${i}` });
  }
  const loaded = loadAuthored(filesOf(world.nodes));
  expect(loaded.ok).toBe(false);
  expect(loaded.ok ? 0 : loaded.failure.length).toBe(1001);
});

test('a grant that is not there is found beside an effect that is not (V-514, V-519)', () => {
  const world = smallWorld();
  const emit = { id: 'e', op: 'emit_effect', kind: 'no.such', params: {}, cap: 'nope', bind: { effect_id_as: 'h' } };
  add(world, plan('demo/p@1', { steps: [emit] }));
  expect(findings(load(world.nodes))).toEqual([
    'V-514 plan.effect_unknown demo/p@1 /steps/0/kind',
    'V-519 grant.not_found demo/p@1 /steps/0/cap',
  ]);
});

/** Optimal string alignment by its definition. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (_, j) => i + j));
  const cell = (i: number, j: number) => (rows[i] as number[])[j] as number;
  for (let i = 1; i <= a.length; i += 1) {
    for (let j = 1; j <= b.length; j += 1) {
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? cell(i - 2, j - 2) + 1 : 99;
      const change = cell(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      (rows[i] as number[])[j] = Math.min(cell(i - 1, j) + 1, cell(i, j - 1) + 1, change, swap);
    }
  }
  return cell(a.length, b.length);
}

test('the nearest word is suggested, the first of equals, though most words are not looked at to their end', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 9 });
  fc.assert(
    fc.property(word, fc.array(word, { maxLength: 6 }), (found, known) => {
      const near = known
        .map((each) => ({ each, cost: distance(found, each), max: Math.max(found.length, each.length) }))
        .filter(({ cost, max }) => cost <= Math.max(1, Math.floor(max / 3)));
      const least = Math.min(...near.map(({ cost }) => cost));
      expect(suggest(found, known)).toBe(near.find(({ cost }) => cost === least)?.each);
    }),
    { numRuns: 2000 },
  );
});

test('a name that was meant is suggested also when its own definition does not read', () => {
  const world = smallWorld();
  node(world, 'demo/Done@1').type = { txt: {} };
  add(world, plan('demo/p@1', { locals: { done: 'demo/Dnoe@1' } }));
  const loaded = load(world.nodes);
  expect(findings(loaded)).toEqual([
    'V-301 type.invalid demo/Done@1 /type/txt',
    'V-518 schema.not_found demo/p@1 /locals/done',
  ]);
  expect(loaded.ok ? '' : loaded.failure[1]?.hint).toContain('"demo/Done@1"');
});

test('a typed variant whose arguments have a schema that does not read is not refused for it (V-421)', () => {
  const world = smallWorld();
  const params = { record: { server: { text: {} }, tool: { text: {} }, arguments: ref('demo/Args@1') } };
  add(world, schema('demo/Args@1', { txt: {} }), schema('demo/Params@1', params), {
    $kind: 'defeffect',
    name: 'demo/call@1',
    kind: 'mcp.call.demo',
    params_schema: 'demo/Params@1',
    receipt_schema: 'sys/McpCallReceipt@1',
    cap_type: 'mcp',
    origin_scope: 'plan',
  });
  expect(findings(load(world.nodes))).toEqual(['V-301 type.invalid demo/Args@1 /type/txt']);
});

test('a variable bound by two receipts has no two types when the effect of one is unknown (§13.1)', () => {
  const world = smallWorld();
  const emit = (id: string, kind: string) => ({
    id,
    op: 'emit_effect',
    kind,
    params: { deliver_at_ns: 1 },
    cap: 'clock',
    bind: { effect_id_as: `${id}_h` },
  });
  const wait = (id: string, of: string) => ({
    id,
    op: 'await_receipt',
    for: ref(`@var:${of}_h`),
    bind: { as: 'r' },
  });
  const steps = [emit('a', 'timer.set'), emit('b', 'no.such'), wait('c', 'a'), wait('d', 'b')];
  add(world, plan('demo/p@1', { steps }));
  expect(findings(load(world.nodes))).toEqual(['V-514 plan.effect_unknown demo/p@1 /steps/1/kind']);
});
