import { describe, expect, test } from 'vitest';
import { loadAuthored } from '../src/load-authored.ts';

/**
 * Very many of one thing: findings, a thousand of them, and no stack that overflows. Arguments of a call are on the
 * stack, so that spreading a list of such a length into one would end the process of whoever checks the file.
 */

const N = 130_000;

const MANIFEST = '{"$kind":"manifest","air_version":"1","schemas":[],"modules":[],"plans":[],"caps":[],"policies":[]}';
const many = (text: string, n = N) => Array.from({ length: n }, () => text).join(',');

describe('a folder of very many things', () => {
  test.each([
    ['nodes that are none', `[${many('1')}]`, 'node.bad_field'],
    [
      'definitions of one name',
      `[${MANIFEST},${many('{"$kind":"defschema","name":"t/A@1","type":{"text":{}}}')}]`,
      'def.duplicate',
    ],
    [
      'references to nothing',
      MANIFEST.replace('"schemas":[]', `"schemas":[${many('{"name":"t/A@1"}')}]`),
      'ref.duplicate',
    ],
    [
      'mistakes in one plan',
      `[${MANIFEST.replace('"plans":[]', '"plans":[{"name":"t/p@1"}]').replace('"schemas":[]', '"schemas":[{"name":"t/A@1"}]')},
        {"$kind":"defschema","name":"t/A@1","type":{"list":{"text":{}}}},
        {"$kind":"defplan","name":"t/p@1","input":"t/A@1","steps":[${many(
          `{"id":"x","op":"raise_event","event":"t/A@1","value":[${many('1', 1_000)}]}`,
          400,
        )}]}]`,
      'plan.literal_invalid',
    ],
  ])('%s', (_what, text, code) => {
    const result = loadAuthored([{ path: 'air/many.json', text }]);
    const found = result.ok ? result.value.warnings : result.failure;
    expect(found).toHaveLength(1_001);
    expect(found.map((one) => one.code)).toContain(code);
    expect(found.at(-1)?.code).toBe('findings.truncated');
  });
});
