import { encode, toHex } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import {
  encodeValue,
  literalToJson,
  normalizeCbor,
  printJson,
  readKeptLiteral,
  readLiteral,
  toSugar,
  type ValueFailure,
} from '../src/index.ts';
import { json, SCHEMAS, summary, type } from './support.ts';

const HASH = 'sha256:75bd49cb964988d6fd2c058f51230c3dc2a254753751fbe0f313b4b1e0681b69';
const UUID = '123e4567-e89b-12d3-a456-426614174000';

function hex(text: string): string {
  return Array.from(text, (char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

function read(notation: string, text: string, label?: string) {
  return readLiteral(json(text), type(notation), SCHEMAS, label);
}

/** Canonical literal of what `text` reads as. */
function literal(notation: string, text: string): string {
  const result = read(notation, text);
  if (!result.ok) throw new Error(`${text}: ${JSON.stringify(result.failure)}`);
  return printJson(literalToJson(result.value));
}

function failures(notation: string, text: string): readonly ValueFailure[] {
  const result = read(notation, text);
  if (result.ok) throw new Error(`accepted ${text}: ${printJson(literalToJson(result.value))}`);
  return result.failure;
}

function codes(notation: string, text: string): string[] {
  return summary(failures(notation, text));
}

describe('the forms, type by type (values.md §3.2)', () => {
  const VARIANT = 'variant(Idle, Go: nat)';
  test.each<[string, readonly string[], string, string]>([
    ['bool', ['true', '{"bool":true}'], '{"bool":true}', 'f5'],
    ['int', ['-42', '"-42"', '{"int":-42}', '{"int":"-42"}'], '{"int":-42}', '3829'],
    ['int', ['5', '"5"', '"+5"', '"0005"', '{"int":5}', '{"int":"5"}', '{"int":"+5"}'], '{"int":5}', '05'],
    ['nat', ['300', '"300"', '{"nat":300}', '{"nat":"300"}'], '{"nat":300}', '19012c'],
    ['dec128', ['"0.50"', '{"dec128":"0.50"}'], '{"dec128":"0.50"}', '64302e3530'],
    ['bytes', ['"AAEC"', '{"bytes_b64":"AAEC"}'], '{"bytes_b64":"AAEC"}', '43000102'],
    ['text', ['"hi"', '{"text":"hi"}', '{"text":"hi","$comment":1}'], '{"text":"hi"}', '626869'],
    [
      'time',
      [
        '1700000000000000000',
        '"1700000000000000000"',
        '"2023-11-14T22:13:20Z"',
        '"2023-11-14t23:13:20.000000000+01:00"',
        '{"time_ns":1700000000000000000}',
        '{"time_ns":"1700000000000000000"}',
      ],
      '{"time_ns":"1700000000000000000"}',
      '1b17979cfe362a0000',
    ],
    ['duration', ['-1000000', '"-1000000"', '{"duration_ns":-1000000}'], '{"duration_ns":-1000000}', '3a000f423f'],
    ['hash', [`"${HASH}"`, `{"hash":"${HASH}"}`], `{"hash":"${HASH}"}`, `7847${hex(HASH)}`],
    ['uuid', [`"${UUID}"`, `"${UUID.toUpperCase()}"`, `{"uuid":"${UUID}"}`], `{"uuid":"${UUID}"}`, `7824${hex(UUID)}`],
    ['{}', ['{}', '{"record":{}}'], '{"record":{}}', 'a0'],
    ['{u: option<text>}', ['{"u":null}', '{}', '{"record":{}}'], '{"record":{"u":{"null":{}}}}', 'a16175f6'],
    [
      '{a: int, b?: text}',
      ['{"a":-7}', '{"a":-7,"b":null}', '{"record":{"a":{"int":-7},"b":{"null":{}}}}', '{"record":{"a":{"int":-7}}}'],
      '{"record":{"a":{"int":-7},"b":{"null":{}}}}',
      'a26161266162f6',
    ],
    [
      VARIANT,
      [
        '{"Go":3}',
        '{"$tag":"Go","$value":3}',
        '{"variant":{"tag":"Go","value":{"nat":3}}}',
        '{"tag":"Go","value":{"nat":3}}',
        '{"Go":{"nat":3}}',
      ],
      '{"tag":"Go","value":{"nat":3}}',
      'a2642474616762476f662476616c756503',
    ],
    [
      VARIANT,
      [
        '{"Idle":null}',
        '{"Idle":{}}',
        '{"Idle":{"null":{}}}',
        '{"$tag":"Idle"}',
        '{"$tag":"Idle","$value":null}',
        '{"variant":{"tag":"Idle"}}',
        '{"tag":"Idle"}',
        '{"tag":"Idle","value":{"null":{}}}',
      ],
      '{"tag":"Idle"}',
      'a264247461676449646c65662476616c7565f6',
    ],
    [
      'list<bool>',
      ['[true,false]', '{"list":[{"bool":true},{"bool":false}]}', '[{"bool":true},false]'],
      '{"list":[{"bool":true},{"bool":false}]}',
      '82f5f4',
    ],
    [
      'set<text>',
      ['["beta","alpha","beta"]', '{"set":[{"text":"beta"},{"text":"alpha"}]}'],
      '{"set":[{"text":"beta"},{"text":"alpha"}]}',
      '82646265746165616c706861',
    ],
    [
      'map<text, nat>',
      [
        '{"b":2,"a":1}',
        '[["b",2],["a",1]]',
        '[["a",1],["b",2],["a",1]]',
        '{"map":[{"key":{"text":"b"},"value":{"nat":2}},{"key":{"text":"a"},"value":{"nat":1}}]}',
      ],
      '{"map":[{"key":{"text":"a"},"value":{"nat":1}},{"key":{"text":"b"},"value":{"nat":2}}]}',
      'a2616101616202',
    ],
    [
      'map<int, text>',
      [
        '[[-1,"m"],[2,"t"],[100,"c"]]',
        '{"map":[{"key":{"int":-1},"value":{"text":"m"}},{"key":{"int":2},"value":{"text":"t"}},{"key":{"int":100},"value":{"text":"c"}}]}',
      ],
      '{"map":[{"key":{"int":2},"value":{"text":"t"}},{"key":{"int":100},"value":{"text":"c"}},{"key":{"int":-1},"value":{"text":"m"}}]}',
      'a30261741864616320616d',
    ],
    ['option<nat>', ['null', '{"null":{}}'], '{"null":{}}', 'f6'],
    ['option<nat>', ['5', '{"nat":5}'], '{"nat":5}', '05'],
    [
      '{u: com.acme/Alias@1}',
      ['{"u":{"x":1,"y":2}}'],
      '{"record":{"u":{"record":{"x":{"int":1},"y":{"int":2}}}}}',
      'a16175a2617801617902',
    ],
  ])('%s', (notation, spellings, canonical, cbor) => {
    for (const spelling of spellings) expect(literal(notation, spelling)).toBe(canonical);
    const value = read(notation, canonical);
    expect(value.ok && toHex(encodeValue(value.value))).toBe(`d9d9f7${cbor}`);
  });

  test('unit is null or {}; the empty tagged record counts as tagged unit', () => {
    for (const spelling of ['null', '{}', '{"null":{}}', '{"record":{}}']) {
      expect(literal('{u: option<{}>}', '{}')).toBe('{"record":{"u":{"null":{}}}}');
      const result = readLiteral(json(spelling), { kind: 'unit' }, SCHEMAS);
      expect(result.ok && printJson(literalToJson(result.value))).toBe('{"null":{}}');
    }
  });

  test('a payload that is none keeps its value in the literal, an arm without data has none (§3.4)', () => {
    const notation = 'com.acme/Ev@1';
    for (const spelling of ['{"Opt":null}', '{"$tag":"Opt"}', '{"tag":"Opt"}', '{"tag":"Opt","value":{"null":{}}}']) {
      expect(literal(notation, spelling)).toBe('{"tag":"Opt","value":{"null":{}}}');
    }
    expect(literal(notation, '{"Stop":null}')).toBe('{"tag":"Stop"}');
  });
});

describe('sugar that resembles other forms (values.md §3.2, §3.3)', () => {
  test('a bare string is not variant sugar', () => {
    expect(codes('variant(Idle, Go: nat)', '"Idle"')).toEqual(['value.type_mismatch /']);
  });

  test('an object is not sugar for a map whose keys are not text', () => {
    const [failure] = failures('map<uuid, nat>', `{"${UUID}":1}`);
    expect(failure).toMatchObject({
      code: 'value.type_mismatch',
      expected: 'list of [key, value] pairs',
      got: 'record',
    });
  });

  test('there is no option wrapper and no const wrapper', () => {
    expect(codes('option<nat>', '{"option":{"nat":5}}')).toEqual(['value.type_mismatch /']);
    expect(codes('nat', '{"const":5}')).toEqual(['value.type_mismatch /']);
  });

  test('a record with a field named like a tag reads as sugar, and loses no field', () => {
    expect(literal('{text: text}', '{"text":"hi"}')).toBe('{"record":{"text":{"text":"hi"}}}');
    expect(literal('{text: text, id: text}', '{"text":"hi","id":"x"}')).toBe(
      '{"record":{"id":{"text":"x"},"text":{"text":"hi"}}}',
    );
    expect(literal('{tag: text}', '{"tag":"v1"}')).toBe('{"record":{"tag":{"text":"v1"}}}');
    expect(literal('{text: text, lang: text}', '{"text":"hi","lang":"en"}')).toBe(
      '{"record":{"lang":{"text":"en"},"text":{"text":"hi"}}}',
    );
    expect(literal('{ref: text}', '{"ref":"@plan.input"}')).toBe('{"record":{"ref":{"text":"@plan.input"}}}');
  });

  test('the tag must be the one of the type', () => {
    expect(failures('int', '{"nat":1}')[0]).toMatchObject({ code: 'value.type_mismatch', expected: 'int', got: 'nat' });
    expect(failures('hash', `{"text":"${HASH}"}`)[0]).toMatchObject({ expected: 'hash', got: 'text' });
    expect(failures('list<int>', '{"set":[{"int":1}]}')[0]).toMatchObject({ expected: 'list', got: 'set' });
    expect(failures('time', '{"duration_ns":1}')[0]).toMatchObject({ expected: 'time', got: 'duration' });
  });

  test('when sugar fails too, the error of the tagged reading is reported (rule 4)', () => {
    expect(summary(failures('{a: int, b: int}', '{"record":{"a":{"int":1},"b":{"nat":2}}}'))).toEqual([
      'value.type_mismatch /b',
    ]);
    expect(failures('{a: int}', '{"record":{"a":{"int":1},"z":{"int":1}}}')[0]).toMatchObject({
      code: 'value.unknown_field',
      path: ['z'],
      at: ['record', 'z'],
    });
  });

  test('what is no tagged form at all is judged as sugar', () => {
    expect(codes('{a: int}', '{"record":{"a":1}}')).toEqual(['value.unknown_field /record', 'value.missing_field /a']);
    expect(codes('list<int>', '{"list":[5]}')).toEqual(['value.type_mismatch /']);
  });

  test('$comment is dropped in tagged objects and is a field like any other in sugar', () => {
    expect(literal('{a: int}', '{"$comment":"x","record":{"$comment":"y","a":{"$comment":"z","int":1}}}')).toBe(
      '{"record":{"a":{"int":1}}}',
    );
    expect(codes('{a: int}', '{"a":1,"$comment":"x"}')).toEqual(['value.unknown_field /$comment']);
    expect(literal('map<text, text>', '{"text":"a","$comment":"b"}')).toBe(
      '{"map":[{"key":{"text":"text"},"value":{"text":"a"}},{"key":{"text":"$comment"},"value":{"text":"b"}}]}',
    );
  });

  test('members of Object.prototype are neither fields nor arms', () => {
    expect(codes('{a?: int}', '{"constructor":1,"__proto__":2}')).toEqual([
      'value.unknown_field /constructor',
      'value.unknown_field /__proto__',
    ]);
    expect(codes('variant(A)', '{"toString":null}')).toEqual(['value.unknown_tag /']);
    expect(codes('{constructor: int}', '{}')).toEqual(['value.missing_field /constructor']);
    const plain = readLiteral({}, type('{toString: int}'), SCHEMAS);
    expect(!plain.ok && summary(plain.failure)).toEqual(['value.missing_field /toString']);
  });
});

describe('errors (values.md §9)', () => {
  test('the example of the chapter, member by member', () => {
    expect(failures('sys/HttpRequestParams@1', '{"method":"GET","url":7,"headers":{}}')).toEqual([
      {
        code: 'value.type_mismatch',
        schema: 'sys/HttpRequestParams@1',
        path: ['url'],
        at: ['url'],
        expected: 'text',
        got: 'int',
        message: '/url: expected text, got int',
        hint: 'Write a text: "…".',
      },
    ]);
  });

  test.each<[string, string, string]>([
    ['int', 'true', 'value.type_mismatch /'],
    ['text', '5', 'value.type_mismatch /'],
    ['text', 'null', 'value.type_mismatch /'],
    ['dec128', '5', 'value.type_mismatch /'],
    ['bool', '"true"', 'value.type_mismatch /'],
    ['{a: {b: int}}', '{"a":{}}', 'value.missing_field /a/b'],
    ['{a: int}', '{"a":1,"$schema":"x"}', 'value.unknown_field /$schema'],
    ['variant(A: int)', '{"$tag":"A","$value":1,"x":2}', 'value.unknown_field /x'],
    ['variant(A: int)', '{"$value":1}', 'value.missing_field /$tag'],
    ['variant(A: int)', '{"$tag":1}', 'value.type_mismatch /$tag'],
    ['variant(A: int)', '{}', 'value.type_mismatch /'],
    ['variant(A: int, B: int)', '{"A":1,"B":2}', 'value.type_mismatch /'],
    ['variant(A: int)', '{"B":1}', 'value.unknown_tag /'],
    ['variant(A: int)', '{"$tag":"A"}', 'value.missing_payload /$value'],
    ['variant(A: int)', '{"tag":"A"}', 'value.missing_payload /$value'],
    ['variant(A: int, B)', '{"B":1}', 'value.unexpected_payload /$value'],
    ['variant(A: int, B)', '{"$tag":"B","$value":[]}', 'value.unexpected_payload /$value'],
    ['variant(A: int, B)', '{"tag":"B","value":{"int":1}}', 'value.unexpected_payload /$value'],
    ['variant(A: {x: int})', '{"A":{"x":"a"}}', 'value.bad_number /$value/x'],
    ['map<int, int>', '[[1]]', 'value.bad_pair /0'],
    ['map<int, int>', '[[1,2],5]', 'value.bad_pair /1'],
    ['map<int, int>', '[[true,2]]', 'value.bad_map_key /0'],
    ['map<int, int>', '[[1,2],[1,3]]', 'value.duplicate_key /1'],
    ['map<text, {x: int}>', '{"a":{"x":1},"b":{"x":null}}', 'value.type_mismatch /b/x'],
    ['map<int, {x: int}>', '[[7,{"x":true}]]', 'value.type_mismatch /7/x'],
    ['map<text, int>', '{"map":[{"key":{"text":"k"},"value":{"text":"v"}}]}', 'value.type_mismatch /k'],
    ['map<uuid, int>', '[["x",1]]', 'value.bad_uuid /0'],
    ['set<int>', '[3,1,"x"]', 'value.bad_number /2'],
    ['list<{a: int}>', '[{"a":1},{"a":[]}]', 'value.type_mismatch /1/a'],
    ['int', '9223372036854775808', 'value.out_of_range /'],
    ['int', '"-9223372036854775809"', 'value.out_of_range /'],
    ['nat', '-1', 'value.out_of_range /'],
    ['nat', '18446744073709551616', 'value.out_of_range /'],
    ['nat', `"${'9'.repeat(5000)}"`, 'value.out_of_range /'],
    ['time', '-1', 'value.out_of_range /'],
    ['time', '"2600-01-01T00:00:00Z"', 'value.out_of_range /'],
    ['time', '"1969-12-31T23:59:59Z"', 'value.out_of_range /'],
    ['duration', '9223372036854775808', 'value.out_of_range /'],
    ['int', '{"int":9223372036854775808}', 'value.out_of_range /'],
    ['int', '1.0', 'value.bad_number /'],
    ['nat', '1e3', 'value.bad_number /'],
    ['int', '"1_000"', 'value.bad_number /'],
    ['int', '""', 'value.bad_number /'],
    ['int', '{"int":1.5}', 'value.bad_number /'],
    ['duration', '"1s"', 'value.bad_number /'],
    ['dec128', '"1,5"', 'value.bad_dec128 /'],
    ['dec128', '1.5', 'value.bad_dec128 /'],
    ['bytes', '"AAE"', 'value.bad_base64 /'],
    ['bytes', '"AAF="', 'value.bad_base64 /'],
    ['bytes', '"AA_C"', 'value.bad_base64 /'],
    ['hash', '"sha256:00"', 'value.bad_hash /'],
    ['hash', `"${HASH.toUpperCase().replace('SHA', 'sha')}"`, 'value.bad_hash /'],
    ['uuid', '"123e4567e89b12d3a456426614174000"', 'value.bad_uuid /'],
    ['time', '"yesterday"', 'value.bad_time /'],
    ['time', '"2023-02-29T00:00:00Z"', 'value.bad_time /'],
    ['time', '"2023-11-14T24:00:00Z"', 'value.bad_time /'],
    ['time', '"2023-11-14T22:13:20"', 'value.bad_time /'],
    ['time', '"2023-11-14T22:13:20.1234567890Z"', 'value.bad_time /'],
    ['com.acme/None@1', '5', 'schema.not_found /'],
    ['{p: com.acme/Loop@1}', '{"p":1}', 'schema.not_found /p'],
  ])('%s from %s is %s', (notation, text, expected) => {
    expect(codes(notation, text)).toEqual([expected]);
  });

  test('text with a lone surrogate, which only a program can make, is value.bad_text', () => {
    const lone = String.fromCharCode(0xd800);
    const scalar = readLiteral(lone, type('text'), SCHEMAS);
    expect(!scalar.ok && summary(scalar.failure)).toEqual(['value.bad_text /']);
    const key = readLiteral({ [lone]: 1 }, type('map<text, int>'), SCHEMAS);
    expect(!key.ok && key.failure[0]?.code).toBe('value.bad_text');
  });

  test('all errors are collected in document order, missing fields after the given ones', () => {
    expect(codes('{a: int, b: text, c: {d: list<nat>}}', '{"c":{"d":[1,-1,"x"],"z":0},"a":true}')).toEqual([
      'value.out_of_range /c/d/1',
      'value.bad_number /c/d/2',
      'value.unknown_field /c/z',
      'value.type_mismatch /a',
      'value.missing_field /b',
    ]);
  });

  test('extras: field, tag with the allowed arms, offending text cut at 80 characters', () => {
    expect(failures('{a: int}', '{}')[0]).toMatchObject({ field: 'a', expected: 'int' });
    expect(failures('variant(Idle, Go: nat)', '{"Come":1}')[0]).toMatchObject({ tag: 'Come', expected: 'Go, Idle' });
    const [failure] = failures('hash', `"${'x'.repeat(500)}"`);
    expect(failure?.text).toBe(`${'x'.repeat(80)}…`);
    expect(failure?.message.length).toBeLessThan(200);
  });

  test('schema is the nearest enclosing named schema, else the label of the slot', () => {
    const outside = read('hash', '"x"', 'idempotency_key');
    expect(!outside.ok && outside.failure[0]?.schema).toBe('idempotency_key');
    const inside = read('list<com.acme/Ev@1>', '[{"Go":{"x":1,"y":null}},{"Opt":"x"},{"Nope":null},5]', 'inputs');
    expect(!inside.ok && inside.failure.map((failure) => failure.schema)).toEqual([
      'com.acme/Point@1',
      'com.acme/Ev@1',
      'com.acme/Ev@1',
      'com.acme/Ev@1',
    ]);
    const alias = read('com.acme/Alias@1', '5');
    expect(!alias.ok && alias.failure[0]?.schema).toBe('com.acme/Point@1');
  });

  test('an expression where none is allowed is called that', () => {
    expect(failures('int', '{"ref":"@plan.input.x"}')[0]).toMatchObject({ expected: 'int', got: 'expression' });
    expect(failures('int', '{"op":"add","args":[]}')[0]).toMatchObject({ got: 'expression' });
  });

  test('`at` is the path in the JSON as written', () => {
    const text =
      '{"record":{"m":{"map":[{"key":{"text":"k"},"value":{"variant":{"tag":"A","value":{"text":"no"}}}}]}}}';
    expect(failures('{m: map<text, variant(A: int)>}', text)[0]).toMatchObject({
      path: ['m', 'k', '$value'],
      at: ['record', 'm', 'map', 0, 'value', 'variant', 'value'],
    });
    expect(failures('map<int, {x: int}>', '[[7,{"x":true}]]')[0]?.at).toEqual([0, 1, 'x']);
  });

  test('a value with a failure per item stops being listed after a thousand', () => {
    const [first, ...rest] = failures('list<int>', `[${'true,'.repeat(20_000)}true]`);
    expect(first?.code).toBe('value.type_mismatch');
    expect(rest.length).toBe(999);
  });
});

describe('dec128 (values.md §4.3)', () => {
  test.each([
    '0',
    '-0.0',
    '+1.5',
    '0.50',
    '1e6144',
    '-1.5E-6143',
    `1${'0'.repeat(33)}`,
    `0.${'0'.repeat(100)}1`,
    '0e0',
  ])('keeps %s verbatim', (text) => {
    expect(literal('dec128', JSON.stringify(text))).toBe(`{"dec128":"${text}"}`);
  });

  test.each([
    '',
    '.5',
    '5.',
    'NaN',
    '1e',
    `1${'0'.repeat(34)}`,
    '1e6145',
    '10e6144',
    '1e-6144',
    '1e999999999999999999',
    ' 1',
    '1\n',
  ])('refuses %j', (text) => {
    expect(codes('dec128', JSON.stringify(text))).toEqual(['value.bad_dec128 /']);
  });
});

describe('grant params keep their spelling (definitions.md §3.8)', () => {
  const TYPE = type('{hosts: set<text>, ports?: set<nat>, mode?: variant(A, B: int)}');

  test('written tagged they stay as written, but for variant wrappers, comments and integers', () => {
    const text =
      '{"$comment":"x","record":{"hosts":{"set":[{"text":"bb"},{"text":"a"},{"text":"bb"}]},"ports":{"set":[{"nat":"5"}]},"mode":{"variant":{"tag":"A"}}}}';
    const kept = readKeptLiteral(json(text), TYPE, SCHEMAS);
    expect(kept.ok && printJson(kept.value.json)).toBe(
      '{"record":{"hosts":{"set":[{"text":"bb"},{"text":"a"},{"text":"bb"}]},"ports":{"set":[{"nat":5}]},"mode":{"tag":"A"}}}',
    );
    expect(kept.ok && toHex(encodeValue(kept.value.value))).toContain('8261616262');
  });

  test('written in sugar they become the canonical literal', () => {
    const kept = readKeptLiteral(json('{"hosts":["bb","a"]}'), TYPE, SCHEMAS);
    expect(kept.ok && printJson(kept.value.json)).toBe(
      '{"record":{"mode":{"null":{}},"hosts":{"set":[{"text":"a"},{"text":"bb"}]},"ports":{"null":{}}}}',
    );
  });

  test('and they are checked', () => {
    const kept = readKeptLiteral(json('{"record":{}}'), TYPE, SCHEMAS, 'net');
    expect(!kept.ok && summary(kept.failure)).toEqual(['value.missing_field /hosts']);
  });
});

describe('toSugar', () => {
  test.each<[string, string]>([
    ['{a: int, b?: text}', '{"a":1,"b":null}'],
    ['nat', '"18446744073709551615"'],
    ['time', '"1700000000000000000"'],
    ['bytes', '"AAEC"'],
    ['map<int, text>', '[[1,"a"],[-1,"b"]]'],
    ['map<text, int>', '{"a":1,"bb":2}'],
    ['variant(Idle, Go: nat)', '{"Idle":null}'],
    ['variant(Idle, Go: nat)', '{"Go":3}'],
    ['option<list<uuid>>', `["${UUID}"]`],
  ])('%s shows as %s', (notation, text) => {
    const result = read(notation, text);
    expect(result.ok && printJson(toSugar(result.value, type(notation), SCHEMAS))).toBe(text);
  });

  test('sugar that would be taken for a tagged form is written tagged', () => {
    const notation = 'option<{null: {}}>';
    const result = read(notation, '{"record":{"null":{"record":{}}}}');
    expect(result.ok && printJson(toSugar(result.value, type(notation), SCHEMAS))).toBe(
      '{"record":{"null":{"record":{}}}}',
    );
  });

  test('a value that does not have the type is still shown, tagged', () => {
    const value = { kind: 'int', value: 2n ** 60n } as const;
    expect(printJson(toSugar(value, type('text'), SCHEMAS))).toBe('{"int":"1152921504606846976"}');
  });
});

describe('normalizeCbor (values.md §4, §5)', () => {
  function normalized(notation: string, cbor: Uint8Array) {
    const result = normalizeCbor(cbor, type(notation), SCHEMAS, 'payload');
    return result.ok ? toHex(result.value.bytes) : summary(result.failure);
  }

  test('a variant may arrive as envelope with or without payload, or as one entry', () => {
    for (const data of [{ $tag: 'Idle' }, { $tag: 'Idle', $value: null }, { Idle: null }, { Idle: {} }]) {
      expect(normalized('variant(Idle, Go: nat)', encode(data))).toBe('d9d9f7a264247461676449646c65662476616c7565f6');
    }
    expect(normalized('variant(Idle, Go: nat)', encode({ Go: 3 }))).toBe('d9d9f7a2642474616762476f662476616c756503');
  });

  test('any well-formed spelling is accepted, and becomes canonical', () => {
    // {_ "y": -2, "x": 1 with a long head}, indefinite, unsorted, without prefix.
    const loose = Uint8Array.from([0xbf, 0x61, 0x79, 0x38, 0x01, 0x61, 0x78, 0x19, 0x00, 0x01, 0xff]);
    expect(normalized('com.acme/Point@1', loose)).toBe('d9d9f7a2617801617921');
  });

  test.each<[string, Parameters<typeof encode>[0], string]>([
    ['int', 2n ** 64n - 1n, 'value.out_of_range /'],
    ['time', -5, 'value.out_of_range /'],
    ['bytes', 'text', 'value.type_mismatch /'],
    ['bool', 'true', 'value.type_mismatch /'],
    ['hash', 'not a hash', 'value.bad_hash /'],
    ['uuid', 'not a uuid', 'value.bad_uuid /'],
    ['dec128', 'x', 'value.bad_dec128 /'],
    ['{a: int}', { a: 1, $schema: 'x' }, 'value.unknown_field /$schema'],
    ['{a: int}', {}, 'value.missing_field /a'],
    ['{a: int}', [], 'value.type_mismatch /'],
    ['{a: int}', new Map([[1, 2]]), 'value.type_mismatch /'],
    ['variant(A: int)', { A: 1, B: 2 }, 'value.type_mismatch /'],
    ['variant(A: int)', { $tag: 'A' }, 'value.missing_payload /$value'],
    ['variant(A: int)', { $tag: 'B' }, 'value.unknown_tag /'],
    ['variant(A: int)', { $tag: 'A', $value: 1, x: 1 }, 'value.unknown_field /x'],
    ['variant(A: int)', { $tag: 5 }, 'value.type_mismatch /$tag'],
    ['variant(A: int)', { $value: 5 }, 'value.missing_field /$tag'],
    ['variant(A: int, B)', { B: 1 }, 'value.unexpected_payload /$value'],
    ['variant(A: int, B)', 'B', 'value.type_mismatch /'],
    ['map<int, int>', { a: 1 }, 'value.bad_map_key /a'],
    ['map<text, int>', new Map([[5, 1]]), 'value.bad_map_key /5'],
    [
      'map<uuid, int>',
      new Map([
        [UUID, 1],
        [UUID.toUpperCase(), 2],
      ]),
      `value.duplicate_key /${UUID}`,
    ],
    ['set<int>', [1, 'x'], 'value.type_mismatch /1'],
    ['list<int>', { a: 1 }, 'value.type_mismatch /'],
    ['com.acme/Loop@1', 1, 'schema.not_found /'],
  ])('%s from %o is %s', (notation, data, expected) => {
    expect(normalized(notation, encode(data))).toEqual([expected]);
  });

  test('unit takes null and the empty map only', () => {
    const unit = { kind: 'unit' } as const;
    expect(normalizeCbor(encode(null), unit, SCHEMAS).ok).toBe(true);
    expect(normalizeCbor(encode({}), unit, SCHEMAS).ok).toBe(true);
    for (const other of [0, false, '', [], { a: 1 }])
      expect(normalizeCbor(encode(other), unit, SCHEMAS).ok).toBe(false);
  });

  test('keys that become equal by normalising collapse when their values are equal', () => {
    const twice = encode(
      new Map([
        [UUID, 1],
        [UUID.toUpperCase(), 1],
      ]),
    );
    expect(normalized('map<uuid, int>', twice)).toBe(`d9d9f7a17824${hex(UUID)}01`);
  });

  test.each<[string, number[], string]>([
    ['cbor.malformed', [0x19, 0x01], 'cbor.malformed /'],
    ['cbor.trailing', [0x01, 0x01], 'cbor.trailing /'],
    ['cbor.depth', new Array<number>(200).fill(0x81), 'cbor.depth /'],
    ['cbor.unsupported', [0xfb, 0, 0, 0, 0, 0, 0, 0, 0], 'cbor.unsupported /'],
    ['cbor.duplicate_key', [0xa2, 0x61, 0x61, 0x01, 0x61, 0x61, 0x02], 'cbor.duplicate_key /'],
  ])('%s comes with its byte offset', (_, bytes, expected) => {
    expect(normalized('int', Uint8Array.from(bytes))).toEqual([expected]);
    const result = normalizeCbor(Uint8Array.from(bytes), type('int'), SCHEMAS, 'payload');
    expect(!result.ok && typeof result.failure[0]?.offset).toBe('number');
    expect(!result.ok && result.failure[0]?.schema).toBe('payload');
  });
});
