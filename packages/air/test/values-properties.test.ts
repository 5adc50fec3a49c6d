import { bytesEqual, compareBytes, decode, encode, encodeItem, unwrap } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareCanonical,
  conform,
  encodeValue,
  exprToJson,
  type Json,
  literalFromJson,
  literalToJson,
  normalizeCbor,
  parseExpr,
  parseJson,
  parseType,
  printJson,
  readLiteral,
  readSlot,
  type SlotTree,
  slotFromTree,
  slotToJson,
  toSugar,
  typesEqual,
  typeToJson,
  type Value,
  valueToCbor,
} from '../src/index.ts';
import { valueFromData } from '../src/value-cbor.ts';
import { lower, Opaque } from '../src/value-data.ts';
import {
  exprArb,
  jsonArb,
  plainNameArb,
  spellingArb,
  textArb,
  typeArb,
  typedValueArb,
  valueArb,
} from './arbitraries.ts';

const NAMES = { variables: new Set(['x', 'a.b']), steps: new Set(['s']) };

/** The JSON that reading its own print gives: integers beyond ±(2^53−1) come back as strings. */
function reprint(json: Json): Json {
  return unwrap(parseJson(printJson(json)));
}

describe('encodeValue', () => {
  test('writes what encoding the value as data would give, also for a record whose fields are in no order', () => {
    fc.assert(
      fc.property(typedValueArb(), fc.uniqueArray(textArb(), { maxLength: 8 }), ({ value }, names) => {
        const record: Value = { kind: 'record', fields: new Map(names.map((name) => [name, value])) };
        for (const given of [value, record, { kind: 'list', items: [record, value] } as const]) {
          expect(bytesEqual(encodeValue(given), encode(valueToCbor(given)))).toBe(true);
        }
      }),
    );
  });
});

describe('lenses', () => {
  test('a value written in sugar or as canonical literal, printed and parsed, reads back as itself', () => {
    fc.assert(
      fc.property(typedValueArb(), ({ type, scope, value }) => {
        expect(readLiteral(reprint(toSugar(value, type, scope)), type, scope)).toEqual({ ok: true, value });
        expect(readLiteral(literalToJson(value), type, scope)).toEqual({ ok: true, value });
        expect(readLiteral(reprint(literalToJson(value)), type, scope)).toEqual({ ok: true, value });
      }),
      { numRuns: 600 },
    );
  });

  test('sugar holds nothing that JSON.stringify would refuse or round', () => {
    fc.assert(
      fc.property(typedValueArb(), ({ type, scope, value }) => {
        const sugar = toSugar(value, type, scope);
        expect(readLiteral(unwrap(parseJson(JSON.stringify(sugar))), type, scope)).toEqual({ ok: true, value });
      }),
    );
  });

  test('a canonical literal restores without its type, and survives storage in a node', () => {
    fc.assert(
      fc.property(typedValueArb(), ({ value }) => {
        const literal = literalToJson(value);
        expect(literalFromJson(literal)).toEqual(value);
        expect(literalFromJson(unwrap(decode(encode(literal as never))) as Json)).toEqual(value);
      }),
    );
  });

  test('a slot reads literals of every spelling to one value, and its canonical form is a fixed point', () => {
    fc.assert(
      fc.property(typedValueArb(), ({ type, scope, value }) => {
        const slot = readSlot(literalToJson(value), type, scope);
        expect(slot).toEqual({ ok: true, value: { literal: value } });
        // Without a type what was written is kept.
        const untyped = readSlot(literalToJson(value), undefined, scope);
        expect(untyped.ok && slotToJson(untyped.value)).toEqual(literalToJson(value));
        const evaluable = slotFromTree(unwrap(untyped as never), NAMES);
        expect(evaluable.ok && evaluable.value.literal).toEqual(value);
      }),
    );
  });
});

describe('spellings', () => {
  test('every mixture of the lenses reads as one value (values.md §3.3)', () => {
    const arb = typedValueArb(3, plainNameArb()).chain((typed) =>
      spellingArb(typed).map((json) => ({ ...typed, json })),
    );
    fc.assert(
      fc.property(arb, ({ type, scope, value, json }) => {
        expect(readLiteral(json, type, scope)).toEqual({ ok: true, value });
        expect(readSlot(json, type, scope)).toEqual({ ok: true, value: { literal: value } });
      }),
      { numRuns: 1000 },
    );
  });

  test('a slot with expressions in it becomes a well-formed tree that stays as it is (definitions.md §5)', () => {
    let trees = 0;
    const arb = typedValueArb(3, plainNameArb()).chain((typed) =>
      spellingArb(typed, exprArb()).map((json) => ({ ...typed, json })),
    );
    fc.assert(
      fc.property(arb, ({ type, scope, json }) => {
        const slot = unwrap(readSlot(json, type, scope) as never) as SlotTree;
        if (slot.tree === undefined) return;
        trees += 1;
        expect(readSlot(slot.tree, type, scope)).toEqual({ ok: true, value: slot });
        const evaluable = slotFromTree(slot, NAMES);
        expect(evaluable.ok && evaluable.value.expr && exprToJson(evaluable.value.expr)).toEqual(slot.tree);
      }),
      { numRuns: 1000 },
    );
    // The generator really makes expressions.
    expect(trees).toBeGreaterThan(100);
  });
});

describe('data encoding', () => {
  test('encode then normalise is the identity, on value and on bytes', () => {
    fc.assert(
      fc.property(typedValueArb(), ({ type, scope, value }) => {
        const bytes = encodeValue(value);
        expect(normalizeCbor(bytes, type, scope)).toEqual({ ok: true, value: { value, bytes } });
        // The prefix is optional on input.
        expect(normalizeCbor(bytes.subarray(3), type, scope)).toEqual({ ok: true, value: { value, bytes } });
      }),
      { numRuns: 400 },
    );
  });

  test('normalising is idempotent, whatever bytes it accepts', () => {
    fc.assert(
      fc.property(typeArb(2), typedValueArb(2), (type, { value, scope }) => {
        const once = normalizeCbor(encodeValue(value), type, scope);
        if (!once.ok) return;
        expect(normalizeCbor(once.value.bytes, type, scope)).toEqual(once);
      }),
      { numRuns: 400 },
    );
  });

  test('the order of sets and map keys is the order of their encoded bytes', () => {
    fc.assert(
      fc.property(typedValueArb(2), typedValueArb(2), ({ value: a }, { value: b }) => {
        const expected = compareBytes(encodeItem(valueToCbor(a)), encodeItem(valueToCbor(b)));
        expect(Math.sign(compareCanonical(a, b))).toBe(Math.sign(expected));
        expect(compareCanonical(a, a)).toBe(0);
      }),
      { numRuns: 400 },
    );
  });
});

describe('conform', () => {
  /** The definition in `values.md` §7: to the CBOR data model, then normalise. Text-keyed maps arrive as objects. */
  function byDefinition(value: Value, type: Parameters<typeof conform>[1], scope: Parameters<typeof conform>[2]) {
    const data = lower(value, (kind) => new Opaque(kind));
    return valueFromData(unwrap(decode(encode(data as never))), type, scope);
  }

  test('takes a value of the type unchanged, the same object', () => {
    fc.assert(
      fc.property(typedValueArb(), ({ type, scope, value }) => {
        const result = conform(value, type, scope);
        expect(result.ok && result.value).toBe(value);
      }),
    );
  });

  test('is what its definition says, for any value and any type (values.md §7)', () => {
    fc.assert(
      fc.property(typeArb(2), typedValueArb(2), (type, { value, scope }) => {
        const result = conform(value, type, scope);
        const expected = byDefinition(value, type, scope);
        expect(result).toEqual(expected);
      }),
      { numRuns: 800 },
    );
  });

  test('a value whose kinds were widened conforms back to itself', () => {
    const widen = (value: Value): Value => {
      switch (value.kind) {
        case 'int':
        case 'time':
        case 'duration':
          return value.value < 0n ? { kind: 'int', value: value.value } : { kind: 'nat', value: value.value };
        case 'dec128':
        case 'hash':
        case 'uuid':
          return { kind: 'text', value: value.value };
        case 'list':
        case 'set':
          return { kind: 'list', items: value.items.map(widen) };
        case 'map':
          return { kind: 'map', entries: value.entries.map(([key, item]) => [widen(key), widen(item)]) };
        case 'record':
          return { kind: 'record', fields: new Map([...value.fields].map(([name, field]) => [name, widen(field)])) };
        case 'variant':
          return { kind: 'variant', tag: value.tag, value: widen(value.value) };
        default:
          return value;
      }
    };
    fc.assert(
      fc.property(typedValueArb(), ({ type, scope, value }) => {
        expect(conform(widen(value), type, scope)).toEqual({ ok: true, value });
      }),
      { numRuns: 400 },
    );
  });
});

describe('anything gives an answer', () => {
  test('any bytes', () => {
    fc.assert(
      fc.property(typeArb(2), fc.uint8Array({ maxLength: 40 }), (type, bytes) => {
        const result = normalizeCbor(bytes, type, { lookup: () => undefined });
        if (!result.ok) expect(result.failure.length).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });

  test('any JSON, in both lenses, as slot and as expression', () => {
    const scope = { lookup: () => undefined };
    fc.assert(
      fc.property(typeArb(2), jsonArb(), (type, json) => {
        for (const result of [
          readLiteral(json, type, scope),
          readSlot(json, type, scope),
          readSlot(json, undefined, scope),
          parseExpr(json, NAMES),
          parseType(json),
        ]) {
          if (!result.ok) {
            expect(result.failure.length).toBeGreaterThan(0);
            for (const failure of result.failure) expect(failure.code).toMatch(/^[a-z0-9_]+(\.[a-z0-9_]+)?$/);
          }
        }
      }),
      { numRuns: 1500 },
    );
  });

  test('a JSON that reads as a literal reads as the same literal in a slot, unless it looks like an expression', () => {
    const scope = { lookup: () => undefined };
    fc.assert(
      fc.property(typeArb(2), jsonArb(), (type, json) => {
        const slot = readSlot(json, type, scope);
        if (slot.ok && slot.value.literal) {
          expect(readLiteral(json, type, scope)).toEqual({ ok: true, value: slot.value.literal });
        }
      }),
      { numRuns: 1500 },
    );
  });

  test('the canonical form of any slot is a fixed point', () => {
    const scope = { lookup: () => undefined };
    fc.assert(
      fc.property(fc.option(typeArb(2), { nil: undefined }), jsonArb(), (type, json) => {
        const slot = readSlot(json, type, scope);
        if (!slot.ok) return;
        const canonical = slotToJson(slot.value);
        const again = readSlot(canonical, type, scope);
        expect(again.ok && slotToJson(again.value)).toEqual(canonical);
        expect(bytesEqual(encode(canonical as never), encode(unwrap(decode(encode(canonical as never)))))).toBe(true);
      }),
      { numRuns: 1500 },
    );
  });

  test('any text', () => {
    fc.assert(
      fc.property(fc.oneof(textArb(), fc.string(), fc.json()), (text) => {
        const result = parseJson(text);
        if (result.ok) expect(parseJson(printJson(result.value)).ok).toBe(true);
        else expect(result.failure.offset).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 500 },
    );
  });
});

describe('types and expressions', () => {
  test('a type written as JSON reads back as itself', () => {
    fc.assert(
      fc.property(typeArb(), (type) => {
        const read = parseType(reprint(typeToJson(type)));
        expect(read).toEqual({ ok: true, value: type });
        expect(read.ok && typesEqual(read.value, type, { lookup: () => undefined })).toBe(true);
      }),
    );
  });

  test('an expression written as JSON reads back as itself', () => {
    fc.assert(
      fc.property(jsonArb(), (json) => {
        const expr = parseExpr(json, NAMES);
        if (expr.ok) expect(parseExpr(exprToJson(expr.value), NAMES)).toEqual(expr);
      }),
      { numRuns: 1500 },
    );
  });

  test('values of one type are never read as values of another that shares no member', () => {
    fc.assert(
      fc.property(valueArb({ kind: 'bool' }, { lookup: () => undefined }), (value) => {
        expect(normalizeCbor(encodeValue(value), { kind: 'text' }, { lookup: () => undefined }).ok).toBe(false);
      }),
    );
  });
});
