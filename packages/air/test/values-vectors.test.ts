import { readFileSync } from 'node:fs';
import { decode, hashOf, hashText, sha256, toHex, unwrap } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { conform, encodeValue, literalToJson, normalizeCbor, readLiteral, toSugar } from '../src/index.ts';
import { json, SCHEMAS, type } from './support.ts';

interface Vector {
  readonly id: string;
  readonly type: string;
  readonly json: string;
  readonly cbor: string;
  readonly hash: string;
}

const { vectors } = JSON.parse(
  readFileSync(new URL('../../../test/vectors/values-data.json', import.meta.url), 'utf8'),
) as { vectors: readonly Vector[] };

describe('computed data vectors (values.md §10.2)', () => {
  test.each(vectors)('$id: $type from $json has these bytes and this hash', (vector) => {
    const target = type(vector.type);
    const read = readLiteral(json(vector.json), target, SCHEMAS);
    if (!read.ok) throw new Error(JSON.stringify(read.failure));

    const bytes = encodeValue(read.value);
    expect(toHex(bytes)).toBe(vector.cbor);
    expect(hashText(sha256(bytes))).toBe(vector.hash);

    const normalized = normalizeCbor(bytes, target, SCHEMAS);
    expect(normalized).toEqual({ ok: true, value: { value: read.value, bytes } });
    expect(conform(read.value, target, SCHEMAS)).toEqual({ ok: true, value: read.value });
    expect(readLiteral(literalToJson(read.value), target, SCHEMAS)).toEqual(read);
    expect(readLiteral(toSugar(read.value, target, SCHEMAS), target, SCHEMAS)).toEqual(read);
    expect(hashText(hashOf(unwrap(decode(bytes))))).toBe(vector.hash);
  });
});
