import { describe, expect, test } from 'vitest';
import { exprToJson, type Json, OPERATORS, parseExpr, parseRef, printJson } from '../src/index.ts';
import { json, summary } from './support.ts';

const NAMES = { variables: new Set(['x', 'a', 'a.b', 'dot.', 'p..q']), steps: new Set(['s', 's.t']) };

function parse(text: string) {
  return parseExpr(json(text), NAMES);
}

function failures(text: string): string[] {
  const result = parse(text);
  return result.ok ? [] : summary(result.failure);
}

describe('references (expressions.md §3)', () => {
  test.each<[string, string, string | undefined, string[]]>([
    ['@plan.input', 'input', undefined, []],
    ['@plan.input.a.b', 'input', undefined, ['a', 'b']],
    ['@event', 'event', undefined, []],
    ['@event.$value.é', 'event', undefined, ['$value', 'é']],
    ['@var:x', 'var', 'x', []],
    ['@var:x.$status', 'var', 'x', ['$status']],
    ['@var:a.b.c', 'var', 'a.b', ['c']],
    ['@var:a.bc', 'var', 'a', ['bc']],
    ['@var:unknown.b.c', 'var', 'unknown', ['b', 'c']],
    ['@var:dot..c', 'var', 'dot.', ['c']],
    ['@var:dot.', 'var', 'dot.', []],
    ['@var:p..q', 'var', 'p..q', []],
    ['@step:s.t', 'step', 's.t', []],
    ['@step:s.u', 'step', 's', ['u']],
    ['@step:a.b', 'step', 'a', ['b']],
  ])('%s is %s %s %j', (text, root, name, path) => {
    expect(parseRef(text, NAMES)).toEqual({ form: 'ref', root, ...(name === undefined ? {} : { name }), path, text });
  });

  test.each([
    '',
    '@',
    'plan.input',
    '@plan',
    '@plan.inputs',
    '@plan.input.',
    '@plan.input..a',
    '@plan.input[0]',
    '@event_x',
    '@event.',
    '@event.$foo',
    '@plan.input.$Tag',
    '@var:',
    '@var:.a',
    '@var:1x',
    '@var:$x',
    '@var:x.',
    '@var:x..y',
    '@var:unknown.',
    '@step:',
    '@step:s.$x',
    `@var:${'n'.repeat(65)}`,
    '@var:a b',
    `@plan.input.${String.fromCharCode(0xd800)}`,
  ])('%j is none', (text) => {
    expect(parseRef(text, NAMES)).toBeUndefined();
    const result = parseExpr({ ref: text }, NAMES);
    expect(!result.ok && summary(result.failure)).toEqual(['expr.invalid /ref']);
  });

  test('without the names only what no names could make right is refused', () => {
    expect(parseRef('@var:x..y')).toMatchObject({ root: 'var', name: 'x' });
    expect(parseRef('@plan.input..y')).toBeUndefined();
    expect(parseRef('@var:1')).toBeUndefined();
  });
});

describe('constants (expressions.md §5)', () => {
  test.each([
    '{"null":{}}',
    '{"bool":false}',
    '{"int":-9223372036854775808}',
    '{"nat":18446744073709551615}',
    '{"dec128":"0.50"}',
    '{"text":""}',
    '{"bytes_b64":"AAEC"}',
    '{"time_ns":0}',
    '{"duration_ns":-1}',
    '{"hash":"sha256:75bd49cb964988d6fd2c058f51230c3dc2a254753751fbe0f313b4b1e0681b69"}',
    '{"uuid":"123e4567-e89b-12d3-a456-426614174000"}',
  ])('%s', (text) => {
    const expr = parse(text);
    expect(expr.ok && expr.value.form).toBe('const');
    expect(expr.ok && exprToJson(expr.value)).toEqual(json(text));
  });

  test.each([
    '{"null":null}',
    '{"null":{"a":1}}',
    '{"bool":"true"}',
    '{"int":9223372036854775808}',
    '{"int":1.0}',
    '{"int":"five"}',
    '{"nat":-1}',
    '{"time_ns":-1}',
    '{"dec128":1}',
    '{"dec128":"x"}',
    '{"text":5}',
    '{"bytes_b64":"A"}',
    '{"hash":"sha256:00"}',
    '{"uuid":"x"}',
    '{"const":5}',
    '{"option":{"int":5}}',
  ])('%s is refused', (text) => {
    const [key] = Object.keys(json(text) as object);
    expect(failures(text)).toEqual([`expr.invalid /${key}`]);
  });
});

describe('forms (expressions.md §2, definitions.md §4)', () => {
  test('records come in canonical key order, arguments and items as written', () => {
    const text = '{"record":{"bb":{"list":[{"int":2},{"int":1}]},"a":{"set":[{"int":2},{"int":1}]},"é":{"null":{}}}}';
    const expr = parse(text);
    expect(expr.ok && expr.value.form === 'record' && expr.value.fields.map(([name]) => name)).toEqual([
      'a',
      'bb',
      'é',
    ]);
    expect(expr.ok && exprToJson(expr.value)).toEqual(json(text));
  });

  test('maps and variants', () => {
    const text =
      '{"map":[{"key":{"text":"k"},"value":{"variant":{"tag":"A"}}},{"key":{"ref":"@var:x"},"value":{"variant":{"tag":"B","value":{"int":1}}}}]}';
    const expr = parse(text);
    expect(expr.ok && printJson(exprToJson(expr.value))).toBe(text);
  });

  test('$comment is allowed in every object and dropped', () => {
    const expr = parse(
      '{"$comment":1,"op":"and","args":[{"bool":true,"$comment":""},{"map":[{"key":{"int":1},"value":{"null":{"$comment":""}},"$comment":2}]},{"variant":{"tag":"A","$comment":3}},{"record":{"$comment":4}}]}',
    );
    expect(expr.ok && printJson(exprToJson(expr.value))).toBe(
      '{"op":"and","args":[{"bool":true},{"map":[{"key":{"int":1},"value":{"null":{}}}]},{"variant":{"tag":"A"}},{"record":{}}]}',
    );
  });

  test.each([
    ['null', '/'],
    ['5', '/'],
    ['"@plan.input"', '/'],
    ['true', '/'],
    ['[]', '/'],
    ['{}', '/'],
    ['{"ref":"@event","extra":1}', '/'],
    ['{"op":"not"}', '/op'],
    ['{"op":"not","args":[{"bool":true}],"x":1}', '/'],
    ['{"tag":"A"}', '/'],
    ['{"list":{}}', '/list'],
    ['{"list":[5]}', '/list/0'],
    ['{"set":[{"ref":"@nope"}]}', '/set/0/ref'],
    ['{"record":[]}', '/record'],
    ['{"record":{"$a":{"int":1}}}', '/record/$a'],
    ['{"record":{"":{"int":1}}}', '/record/'],
    ['{"map":{}}', '/map'],
    ['{"map":[[{"int":1},{"int":2}]]}', '/map/0'],
    ['{"map":[{"key":{"int":1}}]}', '/map/0'],
    ['{"map":[{"key":{"int":1},"value":{"int":1},"x":1}]}', '/map/0'],
    ['{"map":[{"key":1,"value":{"int":1}}]}', '/map/0/key'],
    ['{"variant":{"value":{"int":1}}}', '/variant'],
    ['{"variant":{"tag":5}}', '/variant'],
    ['{"variant":{"tag":"A","value":5}}', '/variant/value'],
    ['{"variant":{"tag":"A","x":{"int":1}}}', '/variant'],
    ['{"op":5,"args":[]}', '/op'],
    ['{"op":"xor","args":[{"bool":true}]}', '/op'],
    ['{"op":"toString","args":[]}', '/op'],
    ['{"op":"not","args":{}}', '/args'],
  ])('%s is expr.invalid at %s', (text, path) => {
    expect(failures(text)).toEqual([`expr.invalid ${path}`]);
  });

  test('all problems of a tree are reported, in document order', () => {
    expect(failures('{"op":"and","args":[5,{"op":"nope","args":[null]},{"record":{"a":{"int":"x"}}}]}')).toEqual([
      'expr.invalid /args/0',
      'expr.invalid /args/1/op',
      'expr.invalid /args/1/args/0',
      'expr.invalid /args/2/record/a/int',
    ]);
  });
});

describe('arity (definitions.md §4)', () => {
  const ONE = ['len', 'not', 'hash', 'hash_bytes'];
  const args = (count: number): Json[] => Array.from({ length: count }, () => ({ ref: '@var:x' }));

  test('there are 23 operators', () => {
    expect(new Set(OPERATORS).size).toBe(23);
  });

  test.each(OPERATORS)('%s', (op) => {
    const counts = [0, 1, 2, 3, 9].filter((count) => parseExpr({ op, args: args(count) }, NAMES).ok);
    expect(counts).toEqual(ONE.includes(op) ? [1] : op === 'and' || op === 'or' ? [2, 3, 9] : [2]);
    const none = parseExpr({ op, args: [] }, NAMES);
    expect(!none.ok && summary(none.failure)).toEqual(['expr.invalid /args']);
  });
});

describe('limits (expressions.md §12)', () => {
  const nested = (depth: number): Json => {
    let expr: Json = { ref: '@var:x' };
    for (let i = 1; i < depth; i += 1) expr = { op: 'not', args: [expr] };
    return expr;
  };
  const wide = (nodes: number): Json => ({ list: Array.from({ length: nodes - 1 }, () => ({ int: 1 })) });

  test('64 levels are an expression, 65 are expr_too_large', () => {
    expect(parseExpr(nested(64), NAMES).ok).toBe(true);
    const deep = parseExpr(nested(65), NAMES);
    expect(!deep.ok && deep.failure.map((failure) => failure.code)).toEqual(['expr_too_large']);
    expect(parseExpr(nested(100_000), NAMES).ok).toBe(false);
  });

  test('10 000 nodes are an expression, 10 001 are expr_too_large', () => {
    expect(parseExpr(wide(10_000), NAMES).ok).toBe(true);
    const large = parseExpr(wide(10_001), NAMES);
    expect(!large.ok && large.failure.map((failure) => failure.code)).toEqual(['expr_too_large']);
  });
});

test.each([
  ['{"op":"concat","args":[{"text":"a"}]}', 'Give it 2.'],
  ['{"op":"and","args":[{"bool":true}]}', 'Give it at least 2.'],
  ['{"nat":"x"}', 'Write an integer'],
  ['{}', 'Expressions are {"ref": "@…"}'],
])('%s: what to write instead', (text, hint) => {
  const result = parse(text);
  expect(!result.ok && result.failure[0]?.hint).toContain(hint);
});
