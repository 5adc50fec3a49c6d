import { sha256, toHex } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeEmission, type Emission, encodeEmission } from '../src/emission.ts';
import { EmissionIndex } from '../src/emission-index.ts';
import { NodeStore } from './node-store.ts';

/** Intents whose hashes begin alike, so that they meet wherever hashes are told apart by their beginning. */
const intent = (n: number): Uint8Array => {
  const hash = sha256(Uint8Array.of(n));
  hash.fill(n % 2, 0, 4);
  return hash;
};

const emission = (emissionSeq: number, n: number, waiters = 0): Emission => ({
  emissionSeq,
  intentHash: intent(n),
  kind: 'k',
  capName: 'c',
  paramsCbor: new Uint8Array(1),
  idempotencyKey: new Uint8Array(32),
  logicalNowNs: 0n,
  origin: { origin_kind: 'plan', name: 'p', plan_id: 1, step_id: 's' },
  class: 'external',
  waiters: Array.from({ length: waiters }, (_, i) => ({
    emissionSeq: emissionSeq + i + 1,
    origin: { origin_kind: 'plan' as const, name: 'p', plan_id: 2 + i, step_id: 's' },
  })),
});

describe('EmissionIndex (kernel.md §9.5, journal.md §6.1)', () => {
  test('whatever was added, changed, settled, discarded, looked at, stored and loaded, it is what is pending', () => {
    const moveArb = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('add' as const), n: fc.nat({ max: 30 }) }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('settle' as const), n: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('join' as const), n: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('discard' as const), n: fc.nat({ max: 4 }) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('list' as const, 'load' as const), n: fc.constant(0) }) },
    );
    fc.assert(
      fc.property(fc.array(moveArb, { maxLength: 60 }), (moves) => {
        const nodes = new NodeStore();
        const encodeLeaf = (e: Emission) => nodes.put(encodeEmission(e));
        let index = new EmissionIndex(encodeLeaf);
        const model = new Map<number, Emission>();
        let next = 0;
        /** Inverses of what is not accepted. */
        let undo: (() => void)[] = [];
        const change = (seq: number, after: Emission | undefined) => {
          const before = model.get(seq);
          if (after === undefined) {
            index.delete(before!);
            model.delete(seq);
          } else {
            index.set(after);
            model.set(seq, after);
          }
          undo.push(() => {
            if (before === undefined) {
              index.delete(after!);
              model.delete(seq);
            } else {
              index.set(before);
              model.set(seq, before);
            }
          });
        };
        for (const move of moves) {
          const pending = [...model.values()];
          const one = pending[move.n % Math.max(1, pending.length)];
          if (move.do === 'add' && !pending.some((e) => toHex(e.intentHash) === toHex(intent(move.n)))) {
            change(next, emission(next, move.n));
            next += 1 + (move.n % 3);
          } else if (move.do === 'settle' && one !== undefined) {
            change(one.emissionSeq, undefined);
          } else if (move.do === 'join' && one !== undefined) {
            change(one.emissionSeq, { ...one, waiters: emission(one.emissionSeq, 0, one.waiters.length + 1).waiters });
          } else if (move.do === 'discard') {
            for (const inverse of undo.reverse()) inverse();
            undo = [];
            // The seqs of what was discarded come again.
            next = Math.max(0, next - move.n);
            for (const seq of model.keys()) next = Math.max(next, seq + 1);
          } else if (move.do === 'list') {
            expect([...index.entries()].map(([seq]) => seq)).toEqual([...model.keys()].sort((a, b) => a - b));
          } else if (move.do === 'load') {
            undo = [];
            index = new EmissionIndex(encodeLeaf, {
              ...index.roots(nodes.put),
              get: nodes.get,
              decodeLeaf: (hash) => decodeEmission(nodes.get(hash as Uint8Array)!),
              height: next,
            });
          }
          expect(index.size).toBe(model.size);
          for (let seq = 0; seq < next; seq++) expect(index.get(seq)).toEqual(model.get(seq));
          for (let n = 0; n <= 30; n++) {
            const expected = [...model.values()].find((e) => toHex(e.intentHash) === toHex(intent(n)));
            expect(index.ofIntent(intent(n))).toEqual(expected);
          }
        }
        const fresh = new EmissionIndex(encodeLeaf);
        for (const e of model.values()) fresh.set(e);
        expect(index.roots(nodes.put)).toEqual(fresh.roots(nodes.put));
      }),
      { numRuns: 150 },
    );
  });

  // Seed 2085486657 of the property above.
  test('an intent whose emission was discarded is found at the seq it comes again with', () => {
    const nodes = new NodeStore();
    const index = new EmissionIndex((e) => nodes.put(encodeEmission(e)));
    index.set(emission(0, 14));
    index.set(emission(3, 10));
    index.roots(nodes.put);
    index.delete(emission(3, 10));
    index.delete(emission(0, 14));
    index.set(emission(3, 14));

    const fresh = new EmissionIndex((e) => nodes.put(encodeEmission(e)));
    fresh.set(emission(3, 14));
    expect(index.roots(nodes.put)).toEqual(fresh.roots(nodes.put));
    expect(index.ofIntent(intent(14))?.emissionSeq).toBe(3);
  });
});
