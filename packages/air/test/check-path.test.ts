import { describe, expect, test } from 'vitest';
import { found, hintOf, infer, planWorld, predicate, type Readable, raise, receipt } from './check-support.ts';
import { type Authored, op, ref } from './fixtures.ts';

/** Path steps (expressions.md §3.1), every row, and the limits of §12. */

const readable: Readable = {
  input:
    '{r: {name: text, o?: {f: nat}}, v: variant(A: {n: nat, only: text}, B: {n: nat}, C), one: variant(A: {n: nat}), m: map<text, nat>, ' +
    'mi: map<int, nat>, mh: map<hash, nat>, l: list<{f: nat}>, s: set<text>, t: text, n: nat, o?: {f: nat}, om?: map<text, nat>, u: unit}',
  vars: {
    r: receipt('{body: text, v: variant(A: nat, B: nat)}'),
    x: { kind: 'receipt', payload: { kind: 'bytes' }, segments: false },
    h: { kind: 'handle', effect: 't.do' },
    y: { kind: 'plan_handle', plan: 't/c@1' },
  },
};

describe('§3.1', () => {
  const rows: (readonly [string, string, string, readonly string[]])[] = [
    ['record, field', '@plan.input.r.name', 'text', []],
    ['record, another field', '@plan.input.r.nane', 'unknown', ['unknown_field']],
    ['variant, $tag', '@plan.input.v.$tag', 'text', []],
    ['variant, $value', '@plan.input.v.$value', 'payload of A or B or C', []],
    ['variant of one type, $value', '@plan.input.one.$value.n', 'nat', []],
    ['variant, a field without $value', '@plan.input.v.n', 'unknown', ['unknown_field']],
    ['payload, a field of some arms', '@plan.input.v.$value.n', 'nat', ['~variant_unrefined']],
    ['payload, a field of one arm', '@plan.input.v.$value.only', 'text', ['~variant_unrefined']],
    ['payload, a field of no arm', '@plan.input.v.$value.z', 'unknown', ['unknown_field']],
    ['map with text keys', '@plan.input.m.key', 'nat', []],
    ['map with integer keys', '@plan.input.mi.1', 'unknown', ['path_on_scalar']],
    ['map with hash keys', '@plan.input.mh.k', 'unknown', ['path_on_scalar']],
    ['option', '@plan.input.o.f', 'nat', ['~option_unwrap_unproven']],
    ['option of a map', '@plan.input.om.k', 'nat', ['~option_unwrap_unproven']],
    ['option in a record', '@plan.input.r.o.f', 'nat', ['~option_unwrap_unproven']],
    ['receipt, $status', '@var:r.$status', 'text', []],
    ['receipt, $adapter_id', '@var:r.$adapter_id', 'text', []],
    ['receipt, $cost_cents', '@var:r.$cost_cents', 'option<nat>', []],
    ['receipt, $error', '@var:r.$error', 'option<sys/EffectError@1>', []],
    ['receipt, $error and a field', '@var:r.$error.retryable', 'option<bool>', ['~option_unwrap_unproven']],
    ['receipt, a field of the payload', '@var:r.body', 'text', ['~payload_unproven']],
    ['receipt, whole', '@var:r', 'record{body, v}', ['~payload_unproven']],
    ['receipt, no such field', '@var:r.z', 'unknown', ['~payload_unproven', 'unknown_field']],
    ['receipt that may be a bare value', '@var:x.$status', 'unknown', ['unknown_field']],
    ['list', '@plan.input.l.f', 'unknown', ['path_on_scalar']],
    ['set', '@plan.input.s.f', 'unknown', ['path_on_scalar']],
    ['scalar', '@plan.input.t.f', 'unknown', ['path_on_scalar']],
    ['$tag of a scalar', '@plan.input.n.$tag', 'unknown', ['path_on_scalar']],
    ['unit', '@plan.input.u.f', 'unknown', ['path_on_scalar']],
    ['effect handle', '@var:h.f', 'unknown', ['handle_misuse']],
    ['plan handle', '@var:y.instance', 'unknown', ['handle_misuse']],
  ];
  test.each(rows)('%s: %s is %s %j', (_, text, type, lines) => {
    expect(infer(ref(text), readable)).toMatchObject({ type, found: lines });
  });

  test('hints name what is near, what there is, and how to read it', () => {
    const hint = (text: string) => hintOf(infer(ref(text), readable).findings.at(-1)!);
    expect(hint('@plan.input.r.nane')).toBe('Did you mean "name"?');
    expect(hint('@plan.input.r.zzzzzz')).toBe('It has name, o.');
    expect(hint('@plan.input.v.n')).toContain('$value');
    expect(hint('@plan.input.l.f')).toContain('"get"');
    expect(hint('@plan.input.o.f')).toContain('{"op": "ne", "args": [{"ref": "@plan.input.o"}, {"null": {}}]}');
    expect(hint('@var:r.body')).toContain('{"op": "eq", "args": [{"ref": "@var:r.$status"}, {"text": "ok"}]}');
    expect(hint('@plan.input.v.$value.only')).toContain('{"text": "A"}');
  });
});

describe('expr_too_large (§12)', () => {
  const nested = (depth: number): Authored => {
    let json: Authored = ref('@plan.input.b');
    for (let i = 1; i < depth; i += 1) json = op('not', json);
    return json;
  };
  const wide = (nodes: number): Authored => op('and', ...Array.from({ length: nodes - 1 }, () => ref('@plan.input.b')));
  const invariant = (json: Authored) => found(planWorld({ schemas: { In: '{b: bool}' }, invariants: [json] }));

  test('10 000 nodes are the most; of levels a file has fewer than the 64', () => {
    expect(invariant(nested(60))).toEqual([]);
    expect(invariant(wide(10_000))).toEqual([]);
    expect(invariant(wide(10_001))).toEqual(['expr_too_large /invariants/0/args/9999']);
  });

  test('guards that compare tags inside each other cost what they are long', () => {
    let json: Authored = ref('@plan.input.v');
    for (let i = 0; i < 30; i += 1) json = op('eq', op('get', json, { text: '$tag' }), { text: 'A' });
    const { found: lines } = predicate(json, readable);
    expect(lines.length).toBeGreaterThan(0);
  });
});

test('a slot with a thousand findings is answered, each at its place', () => {
  const items = Array.from({ length: 1500 }, () => ref('@plan.input.id'));
  const steps = [raise('a', 't/L@1', { record: { l: { list: items } } })];
  const lines = found(planWorld({ schemas: { L: '{l: list<hash>}' }, steps }));
  expect(lines.filter((line) => line.startsWith('~text_conversion')).length).toBeGreaterThan(900);
});
