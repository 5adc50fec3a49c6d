import { encode, hashOf, sha256, toHex } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KernelFault } from '../src/fault.ts';
import { IngressMemory, type KnownIngress } from '../src/ingress-memory.ts';
import { UndoLog } from '../src/undo.ts';

const entry = (n: number): KnownIngress => ({ ingressId: `i${n}`, firstSeq: n, digest: new Uint8Array(32).fill(n) });

/** A memory over nodes as a store would hold them. */
class Stored {
  readonly nodes = new Map<string, Uint8Array>();
  reads = 0;
  memory: IngressMemory;

  constructor() {
    this.memory = new IngressMemory(this.#read);
  }

  readonly #read = (hash: Uint8Array): Uint8Array => {
    this.reads++;
    return this.nodes.get(toHex(hash))!;
  };

  add(...entries: readonly KnownIngress[]): void {
    const undo = new UndoLog();
    for (const one of entries) {
      this.memory.add(one, undo);
      undo.forget();
    }
  }

  addFrom(first: number, end: number): void {
    const undo = new UndoLog();
    for (let n = first; n < end; n++) {
      this.memory.add(entry(n), undo);
      undo.forget();
    }
  }

  /** Writes the nodes that changed. */
  save() {
    let written = 0;
    const node = this.memory.toNode((bytes) => {
      const hash = sha256(bytes);
      this.nodes.set(toHex(hash), bytes);
      written++;
      return hash;
    }) as { next: number; chunks: Uint8Array[] };
    return { ...node, written };
  }

  /** As a restart leaves it. */
  reload(): void {
    const { next, chunks } = this.save();
    this.memory = new IngressMemory(this.#read, next, chunks);
    this.reads = 0;
  }
}

describe('IngressMemory (kernel.md §2 ingress_recent, journal.md §6.1)', () => {
  const LAST = 65_536;

  test('beyond 65 536 the oldest is forgotten, exactly; chunks hold the rest and are written once', () => {
    const stored = new Stored();
    stored.addFrom(0, LAST);
    expect(stored.memory.find('i0')).toEqual(entry(0));
    expect(stored.save()).toMatchObject({ next: LAST, written: 64 });
    expect(stored.memory.find('i0')).toEqual(entry(0));

    stored.addFrom(LAST, LAST + 1);
    expect(stored.memory.find('i0')).toBeUndefined();
    expect(stored.memory.find('i1')).toEqual(entry(1));
    const one = stored.save();
    expect(one.written).toBe(1);
    // The first chunk still holds what is remembered, and with it what is not: that is ignored when it is read.
    expect(one.chunks).toHaveLength(65);
    expect(toHex(sha256(stored.nodes.get(toHex(one.chunks[0]!))!))).toBe(
      toHex(hashOf(Array.from({ length: 1024 }, (_, n) => [`i${n}`, n, entry(n).digest]))),
    );
    for (const restart of [false, true]) {
      if (restart) stored.reload();
      expect(stored.memory.find('i0')).toBeUndefined();
      expect(stored.memory.find('i1')).toEqual(entry(1));
      expect(stored.memory.find(`i${LAST}`)).toEqual(entry(LAST));
    }
    stored.addFrom(LAST + 1, LAST + 3000);
    expect(stored.memory.find('i2999')).toBeUndefined();
    expect(stored.memory.find('i3000')).toEqual(entry(3000));
    expect(stored.save().chunks).toHaveLength(65);
  });

  test('a loaded memory reads nothing before it is asked, and then gives the same nodes', () => {
    const stored = new Stored();
    stored.addFrom(0, 3000);
    const before = stored.save();
    stored.reload();
    expect(stored.save()).toEqual({ ...before, written: 0 });
    expect(stored.reads).toBe(0);
    stored.addFrom(3000, 3001);
    expect(stored.memory.find('i2999')).toEqual(entry(2999));
    expect(stored.save()).toMatchObject({ next: 3001, written: 1 });
    const fresh = new Stored();
    fresh.addFrom(0, 3001);
    expect(fresh.save().chunks).toEqual(stored.save().chunks);
  });

  test('a node that is no chunk is a world fault', () => {
    const hash = sha256(new Uint8Array(1));
    for (const node of [encode({}), encode([['a', 1]]), encode([['a', 1, new Uint8Array(31)]]), new Uint8Array(3)]) {
      expect(() => new IngressMemory(() => node, 1, [hash]).find('a')).toThrow(KernelFault);
    }
  });

  test('an id that comes back after it was forgotten is known again, and outlives its first place', () => {
    const stored = new Stored();
    stored.addFrom(0, LAST + 1);
    stored.add({ ...entry(0), firstSeq: 7 });
    stored.addFrom(LAST + 1, LAST + 1101);
    expect(stored.memory.find('i0')!.firstSeq).toBe(7);
    stored.reload();
    expect(stored.memory.find('i0')!.firstSeq).toBe(7);
  });

  test('ids that are long forgotten leave the index, the others stay', () => {
    const stored = new Stored();
    stored.addFrom(0, 200_000);
    expect(stored.memory.find(`i${200_000 - LAST - 1}`)).toBeUndefined();
    expect(stored.memory.find(`i${200_000 - LAST}`)).toEqual(entry(200_000 - LAST));
    expect(stored.memory.find('i0')).toBeUndefined();
  });

  test('what is undone was never there, also where a chunk fills up, goes, or an entry is forgotten', () => {
    const stored = new Stored();
    const { memory } = stored;
    stored.addFrom(0, LAST + 1020);
    const before = stored.save();
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), (count) => {
        const undo = new UndoLog();
        for (let n = 0; n < count; n++) memory.add(entry(1_000_000 + n), undo);
        expect(memory.find('i1000000')).toBeDefined();
        undo.rollback();
        expect(memory.find('i1000000')).toBeUndefined();
        expect(memory.find('i1020')).toEqual(entry(1020));
        const { next, chunks } = stored.save();
        expect({ next, chunks }).toEqual({ next: before.next, chunks: before.chunks });
      }),
      { numRuns: 20 },
    );
  });
});
