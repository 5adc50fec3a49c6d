import { decodeCanonical, encode, toHex, unwrap } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import {
  type Json,
  literalFromJson,
  literalToJson,
  literalToTree,
  nat,
  printJson,
  text,
  type Value,
} from '../src/index.ts';
import { json } from './support.ts';

describe('canonical literals (values.md §3.4)', () => {
  test('receipts and handles have a form of their own, and the env of plans.md §14 has its bytes', () => {
    const env = {
      vars: {
        h: literalToJson({ kind: 'handle', emissionSeq: 12 }),
        n: literalToJson({ kind: 'int', value: 3n }),
        r: literalToJson({ kind: 'receipt', emissionSeq: 12 }),
      },
      input: literalToJson({ kind: 'record', fields: new Map([['id', text('r1')]]) }),
      steps: {},
    };
    const bytes = encode(env as never);
    expect(toHex(bytes)).toBe(
      'd9d9f7a36476617273a36168a16668616e646c650c616ea163696e74036172a167726563656970740c65696e707574a1667265636f7264a1626964a16474657874627231657374657073a0',
    );
    const { vars } = unwrap(decodeCanonical(bytes)) as { vars: { [name: string]: Json } };
    expect(literalFromJson(vars['h'] as Json)).toEqual({ kind: 'handle', emissionSeq: 12 });
    expect(literalFromJson(vars['r'] as Json)).toEqual({ kind: 'receipt', emissionSeq: 12 });
  });

  test('a variant is bare in a literal and wrapped in an expression', () => {
    const value: Value = { kind: 'variant', tag: 'A', value: { kind: 'variant', tag: 'B', value: nat(1n) } };
    expect(printJson(literalToJson(value))).toBe('{"tag":"A","value":{"tag":"B","value":{"nat":1}}}');
    expect(printJson(literalToTree(value))).toBe(
      '{"variant":{"tag":"A","value":{"variant":{"tag":"B","value":{"nat":1}}}}}',
    );
  });

  test.each([
    '5',
    '[]',
    '{}',
    '{"int":"5"}',
    '{"int":true}',
    '{"int":1,"nat":2}',
    '{"text":5}',
    '{"bool":0}',
    '{"bytes_b64":"?"}',
    '{"list":{}}',
    '{"map":[{"key":{"int":1}}]}',
    '{"map":[5]}',
    '{"record":[]}',
    '{"record":{"a":5}}',
    '{"tag":5}',
    '{"tag":"A","x":1}',
    '{"handle":"1"}',
    '{"ref":"@var:x"}',
    '{"constructor":{}}',
  ])('%s in stored state is corruption, which throws', (stored) => {
    expect(() => literalFromJson(json(stored))).toThrow('stored literal');
  });
});
