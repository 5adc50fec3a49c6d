import { hashOf, hashText, toHex } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { BUILTINS, builtinScope } from '../src/builtins.ts';
import type { Json } from '../src/json.ts';
import { readGrant } from '../src/validate-grants.ts';

/** Grants as the catalog has them, and their hashes. Their rules are in `rules/`. */

describe('grants in the catalog (values.md §8)', () => {
  function read(cap: string, params: Json, expiryNs?: bigint) {
    const def = BUILTINS.caps.get(cap)?.def;
    if (def === undefined) throw new Error(cap);
    const found = readGrant(
      { name: 'g', cap, params, ...(expiryNs === undefined ? {} : { expiryNs }), path: [] },
      def,
      builtinScope(),
    );
    if (!found.ok) throw new Error(found.failure[0]?.message);
    return found.value;
  }

  test('C-10 and C-32: params of sys/http.out@1 and the grant hash', () => {
    const { grant: made } = read('sys/http.out@1', { hosts: ['b.example', 'a.example'] });
    expect(toHex(made.paramsCbor)).toBe(
      'd9d9f7a565686f7374738269612e6578616d706c6569622e6578616d706c6565706f727473f6676d6574686f6473f667736368656d6573f66d706174685f7072656669786573f6',
    );
    expect(hashText(made.grantHash)).toBe('sha256:47ca1b6592fdac76dc5d996430e1b1c655248a0c09631e4ecb70ccc45fd4d0b4');
    expect([made.capType, made.enforcer]).toEqual(['http.out', 'sys/CapEnforceHttpOut@1']);
  });

  test('kernel.md §1: grants of sys/timer@1 with and without expiry', () => {
    expect(toHex(read('sys/timer@1', {}).grant.grantHash)).toBe(
      '197f17f1c5f766bf5a37c5a290471cbec3c1dd21d913e07c23838f7d6d2cc1d1',
    );
    expect(toHex(read('sys/timer@1', {}, 1000n).grant.grantHash)).toBe(
      '0c605afccf2c4e1600d73a0179043c80f4fbcd56730ec87f3fe84bd1d8af1790',
    );
  });

  test('params in the tagged lens stay as written in the manifest, sugar becomes the canonical literal (definitions.md §3.8)', () => {
    const tagged = { record: { hosts: { set: [{ text: 'b.example' }, { text: 'a.example' }] } } };
    const sugar = read('sys/http.out@1', { hosts: ['b.example', 'a.example'] });
    expect(read('sys/http.out@1', tagged).params).toEqual(tagged);
    expect(hashText(hashOf(sugar.params as never))).not.toBe(hashText(hashOf(tagged)));
    expect(sugar.params).toEqual({
      record: {
        hosts: { set: [{ text: 'a.example' }, { text: 'b.example' }] },
        ports: { null: {} },
        methods: { null: {} },
        schemes: { null: {} },
        path_prefixes: { null: {} },
      },
    });
    expect(toHex(read('sys/http.out@1', tagged).grant.paramsCbor)).toBe(toHex(sugar.grant.paramsCbor));
  });

  test('a governance grant without the two extra members keeps the published shape', () => {
    expect(toHex(read('sys/governance@1', {}).grant.paramsCbor)).not.toContain(
      toHex(new Uint8Array([0x67, ...[...'actions'].map((c) => c.charCodeAt(0))])),
    );
    expect(toHex(read('sys/governance@1', { actions: ['propose'] }).grant.paramsCbor)).toContain('67616374696f6e7381');
  });
});
