import { type CborValue, decode, sha256, toHex, unwrap } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IngressMemory, type KnownIngress, Ring } from '../src/recent.ts';
import { UndoLog } from '../src/undo.ts';

const entry = (n: number): KnownIngress => ({ ingressId: `i${n}`, firstSeq: n, digest: new Uint8Array(32).fill(n) });

/** Chunks as a store would hold them, and the node that names them. */
function stored(memory: IngressMemory) {
  const nodes = new Map<string, Uint8Array>();
  const node = memory.toNode((bytes) => {
    const hash = sha256(bytes);
    nodes.set(toHex(hash), bytes);
    return hash;
  }) as { next: number; chunks: Uint8Array[] };
  return { node, nodes, written: nodes.size };
}

function restored(node: { next: number; chunks: Uint8Array[] }, nodes: ReadonlyMap<string, Uint8Array>): IngressMemory {
  return IngressMemory.restore(
    node.next,
    node.chunks.map((hash) => ({
      hash,
      entries: (unwrap(decode(nodes.get(toHex(hash))!)) as CborValue[][]).map(([ingressId, firstSeq, digest]) => ({
        ingressId: ingressId as string,
        firstSeq: firstSeq as number,
        digest: digest as Uint8Array,
      })),
    })),
  );
}

describe('IngressMemory (kernel.md §2 ingress_recent, journal.md §6.1)', () => {
  const LAST = 65_536;

  test('beyond 65 536 the oldest is forgotten, exactly; chunks hold the rest and are written once', () => {
    const memory = new IngressMemory();
    const nodes = new Map<string, Uint8Array>();
    const save = () => {
      const saved = stored(memory);
      for (const [hash, bytes] of saved.nodes) nodes.set(hash, bytes);
      return saved;
    };
    for (let n = 0; n < LAST; n++) memory.add(entry(n), new UndoLog());
    expect(memory.find('i0')).toEqual(entry(0));
    expect(save()).toMatchObject({ node: { next: LAST }, written: 64 });

    memory.add(entry(LAST), new UndoLog());
    expect(memory.find('i0')).toBeUndefined();
    expect(memory.find('i1')).toEqual(entry(1));
    const one = save();
    expect(one.written).toBe(1);
    // The first chunk still holds what is remembered, and with it what is not: that is ignored when it is read.
    expect(one.node.chunks).toHaveLength(65);
    const again = restored(one.node, nodes);
    expect(again.find('i0')).toBeUndefined();
    expect(again.find('i1')).toEqual(entry(1));
    expect(again.find(`i${LAST}`)).toEqual(entry(LAST));

    for (const m of [memory, again]) {
      for (let n = LAST + 1; n < LAST + 3000; n++) m.add(entry(n), new UndoLog());
      expect(m.find('i2999')).toBeUndefined();
      expect(m.find('i3000')).toEqual(entry(3000));
    }
    const [a, b] = [save().node, stored(again).node];
    expect(b).toEqual(a);
    expect(a.chunks).toHaveLength(65);
  });

  test('an id that comes back after it was forgotten is known again, and outlives its first place', () => {
    const memory = new IngressMemory();
    for (let n = 0; n < LAST + 1; n++) memory.add(entry(n), new UndoLog());
    memory.add({ ...entry(0), firstSeq: 7 }, new UndoLog());
    for (let n = 0; n < 1100; n++) memory.add(entry(LAST + 1 + n), new UndoLog());
    expect(memory.find('i0')!.firstSeq).toBe(7);
    const { node, nodes } = stored(memory);
    expect(restored(node, nodes).find('i0')!.firstSeq).toBe(7);
  });

  test('what is undone was never there, also where a chunk fills up, goes, or an entry is forgotten', () => {
    const memory = new IngressMemory();
    for (let n = 0; n < LAST + 1020; n++) memory.add(entry(n), new UndoLog());
    const before = stored(memory).node;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), (count) => {
        const undo = new UndoLog();
        for (let n = 0; n < count; n++) memory.add(entry(1_000_000 + n), undo);
        expect(memory.find('i1000000')).toBeDefined();
        undo.rollback();
        expect(memory.find('i1000000')).toBeUndefined();
        expect(memory.find('i1020')).toEqual(entry(1020));
        expect(stored(memory).node).toEqual(before);
      }),
      { numRuns: 20 },
    );
  });
});

test('Ring keeps the newest, oldest first, and undoes pushes over its own cuts', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 9 })), { maxLength: 40 }), (moves) => {
      const ring = new Ring<number>(4);
      let model: number[] = [];
      let next = 0;
      for (const [isKept, count] of moves) {
        const undo = new UndoLog();
        const pushed = Array.from({ length: count }, () => next++);
        for (const n of pushed) ring.push(n, undo);
        if (isKept) model = [...model, ...pushed].slice(-4);
        else undo.rollback();
        expect(ring.items).toEqual(model);
      }
    }),
  );
});
