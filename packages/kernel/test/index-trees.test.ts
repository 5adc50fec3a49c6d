import { readFileSync } from 'node:fs';
import { type CborValue, decodeCanonical, encode, fromHex, sha256, toHex, u64be, unwrap, utf8 } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KernelFault } from '../src/fault.ts';
import { HashIndex } from '../src/hash-index.ts';
import { IdIndex } from '../src/id-index.ts';
import { NodeStore } from './node-store.ts';

const vectors = JSON.parse(readFileSync(new URL('../../../test/vectors/state-tree.json', import.meta.url), 'utf8'));

const same = (value: CborValue): CborValue => value;
const idIndex = (): IdIndex<CborValue> => new IdIndex<CborValue>(same);
const loadIds = (root: Uint8Array, store: NodeStore): IdIndex<CborValue> =>
  IdIndex.load<CborValue>(root, store.get, same, same);
const hashIndex = (): HashIndex<CborValue> => new HashIndex<CborValue>(same);
const loadHashes = (root: Uint8Array, store: NodeStore): HashIndex<CborValue> =>
  HashIndex.load<CborValue>(root, store.get, same, same);

/**
 * The root as the specification defines it, built from scratch: the model that the incremental index must agree with.
 */
function idRoot(entries: ReadonlyMap<number, CborValue>): string {
  const digits = (id: number): string => toHex(u64be(id));
  const build = (ids: readonly number[]): Uint8Array => {
    if (ids.length <= 256)
      return sha256(encode({ t: 'Leaf', c: ids.map((id) => [u64be(id), entries.get(id) as CborValue]) }));
    let d = 0;
    while (ids.every((id) => digits(id)[d] === digits(ids[0] as number)[d])) d++;
    const c: CborValue[] = [];
    for (let nibble = 0; nibble < 16; nibble++) {
      const below = ids.filter((id) => Number.parseInt(digits(id)[d] as string, 16) === nibble);
      if (below.length > 0) c.push([nibble, build(below), below.length]);
    }
    return sha256(encode({ t: 'Branch', d, c }));
  };
  return toHex(build([...entries.keys()].sort((a, b) => a - b)));
}

function hashRoot(entries: ReadonlyMap<string, CborValue>): string {
  const build = (keys: readonly string[], depth: number): Uint8Array => {
    if (keys.length <= 64) {
      return sha256(
        encode({ t: 'Leaf', c: keys.map((key) => [fromHex(key) as Uint8Array, entries.get(key) as CborValue]) }),
      );
    }
    const c: CborValue[] = [];
    for (let byte = 0; byte < 256; byte++) {
      const below = keys.filter((key) => Number.parseInt(key.slice(2 * depth, 2 * depth + 2), 16) === byte);
      if (below.length > 0) c.push([byte, build(below, depth + 1), below.length]);
    }
    return sha256(encode({ t: 'Branch', c }));
  };
  return toHex(build([...entries.keys()].sort(), 0));
}

/** Ids near each other, far apart and at the borders of nibbles, so that branches appear at many positions. */
const idArb = fc.oneof(
  { weight: 6, arbitrary: fc.nat({ max: 1200 }) },
  { weight: 2, arbitrary: fc.nat({ max: 600 }).map((n) => 2 ** 40 + n) },
  { weight: 1, arbitrary: fc.maxSafeInteger().map(Math.abs) },
);

/** Runs of ids, so that a few steps cross the size at which a leaf becomes a branch. */
const idStepArb = fc.oneof(
  fc.record({ op: fc.constant('set' as const), id: idArb, count: fc.nat({ max: 400 }), value: fc.nat({ max: 99 }) }),
  fc.record({ op: fc.constant('delete' as const), id: idArb, count: fc.nat({ max: 400 }), value: fc.constant(0) }),
  fc.record({
    op: fc.constantFrom('root' as const, 'release' as const),
    id: fc.constant(0),
    count: fc.constant(0),
    value: fc.constant(0),
  }),
);

const idsOf = ({ id, count }: { id: number; count: number }): number[] =>
  Array.from({ length: count + 1 }, (_, i) => id + i).filter(Number.isSafeInteger);

describe('IdIndex (journal.md §6.1 "Id index")', () => {
  test.each(vectors.idIndex as { name: string; ids: number; root: string }[])(
    'check vector: $name',
    ({ ids, root }) => {
      const forward = idIndex();
      const backward = idIndex();
      for (let id = 0; id < ids; id++) {
        forward.set(id, new Uint8Array(32));
        backward.set(ids - 1 - id, new Uint8Array(32));
      }
      expect(toHex(forward.root(sha256))).toBe(root);
      expect(toHex(backward.root(sha256))).toBe(root);
    },
  );

  test('an empty index is the empty leaf, also after everything was deleted', () => {
    const index = idIndex();
    expect(toHex(index.root(sha256))).toBe(vectors.empty);
    for (let id = 0; id < 600; id++) index.set(id * 7919, id);
    index.root(sha256);
    for (let id = 0; id < 600; id++) expect(index.delete(id * 7919)).toBe(id);
    expect(toHex(index.root(sha256))).toBe(vectors.empty);
    expect(index.size).toBe(0);
  });

  test('root, size, entries and answers depend on the content only, whatever the history', () => {
    fc.assert(
      fc.property(fc.array(idStepArb, { maxLength: 14 }), (steps) => {
        const store = new NodeStore();
        const index = idIndex();
        const model = new Map<number, CborValue>();
        for (const step of steps) {
          if (step.op === 'root') index.root(store.put);
          if (step.op === 'release') index.release(store.get, same);
          for (const id of step.op === 'root' || step.op === 'release' ? [] : idsOf(step)) {
            if (step.op === 'set') {
              expect(index.set(id, step.value)).toBe(model.get(id));
              model.set(id, step.value);
            } else {
              expect(index.delete(id)).toBe(model.get(id));
              model.delete(id);
            }
          }
        }
        expect(index.size).toBe(model.size);
        expect([...index.entries()]).toEqual([...model].sort(([a], [b]) => a - b));
        expect(toHex(index.root(store.put))).toBe(idRoot(model));
        for (const { id } of steps) expect(index.get(id)).toBe(model.get(id));
      }),
      { numRuns: 60 },
    );
  });

  test('a loaded index is the index that was stored, and goes on like it', () => {
    fc.assert(
      fc.property(fc.array(idStepArb, { maxLength: 8 }), fc.array(idStepArb, { maxLength: 8 }), (before, after) => {
        const store = new NodeStore();
        const live = idIndex();
        for (const step of before)
          for (const id of idsOf(step)) step.op === 'delete' ? live.delete(id) : live.set(id, step.value);
        const root = live.root(store.put);
        const loaded = loadIds(root, store);
        expect(loaded.size).toBe(live.size);
        expect(loaded.root(() => expect.unreachable('nothing has changed'))).toEqual(root);
        for (const step of after) {
          for (const id of idsOf(step)) {
            expect(loaded.get(id)).toEqual(live.get(id));
            if (step.op === 'delete') expect(loaded.delete(id)).toEqual(live.delete(id));
            else expect(loaded.set(id, step.value)).toEqual(live.set(id, step.value));
          }
        }
        expect(loaded.root(store.put)).toEqual(live.root(store.put));
        expect([...loaded.entries()]).toEqual([...live.entries()]);
        expect([...loadIds(loaded.root(store.put), store).entries()]).toEqual([...live.entries()]);
      }),
      { numRuns: 40 },
    );
  });

  test('only changed nodes are put: one change among 100 000 ids writes 4 nodes (journal.md §6.1, measured table)', () => {
    const store = new NodeStore();
    const index = idIndex();
    for (let id = 0; id < 100_000; id++) index.set(id, new Uint8Array(32));
    index.root(store.put);
    expect(store.puts).toBe(419);
    const costs = (change: () => void): number => {
      store.puts = 0;
      change();
      index.root(store.put);
      return store.puts;
    };
    expect(costs(() => index.set(50_000, new Uint8Array(32).fill(1)))).toBe(4);
    expect(costs(() => index.set(100_000, new Uint8Array(32)))).toBe(4);
    expect(costs(() => index.get(5))).toBe(0);
    expect(costs(() => index.delete(999_999))).toBe(0);
  });

  test('a change that is undone gives the root before', () => {
    const index = idIndex();
    for (let id = 0; id < 300; id++) index.set(id, id);
    const root = index.root(sha256);
    const previous = index.set(7, 'other') as CborValue;
    const deleted = index.delete(8) as CborValue;
    index.set(1_000_000, 0);
    expect(index.root(sha256)).not.toEqual(root);
    index.delete(1_000_000);
    index.set(8, deleted);
    index.set(7, previous);
    expect(index.root(sha256)).toEqual(root);
  });

  test('a value is encoded once until it is set again, so a change costs one value of a leaf, not all', () => {
    let encoded = 0;
    const index = new IdIndex<number>((value) => {
      encoded++;
      return value;
    });
    for (let id = 0; id < 200; id++) index.set(id, id);
    index.root(sha256);
    expect(encoded).toBe(200);
    index.set(3, 4);
    index.set(5, 5);
    index.root(sha256);
    expect(encoded).toBe(202);
  });

  test('loading reads the path to what is needed, not the index', () => {
    const store = new NodeStore();
    const index = idIndex();
    for (let id = 0; id < 50_000; id++) index.set(id, id);
    const loaded = loadIds(index.root(store.put), store);
    store.gets = 0;
    expect(loaded.get(25_000)).toBe(25_000);
    expect(store.gets).toBeLessThanOrEqual(4);
    loaded.set(25_000, 1);
    index.set(25_000, 1);
    expect(loaded.root(store.put)).toEqual(index.root(store.put));
    expect(store.gets).toBeLessThanOrEqual(4);
  });

  test('an id that is no id is a bug of the caller', () => {
    for (const id of [-1, 1.5, 2 ** 53]) expect(() => idIndex().set(id, 0)).toThrow(RangeError);
  });
});

describe('what was released is read again when it is needed (kernel.md §2, D7)', () => {
  test('of many ids one leaf, and nothing on the way to it', () => {
    const store = new NodeStore();
    const index = idIndex();
    for (let id = 0; id < 20_000; id++) index.set(id, id);
    index.root(store.put);
    index.release(store.get, same);
    expect(index.get(12_345)).toBe(12_345);
    expect(store.gets).toBe(1);
    index.get(12_346);
    expect(store.gets).toBe(1);
    index.get(1);
    expect(store.gets).toBe(2);
  });

  test('of many hashes one leaf; below the second branch the branches too', () => {
    const store = new NodeStore();
    const index = hashIndex();
    const keys = Array.from({ length: 20_000 }, (_, n) => sha256(utf8(`key ${n}`)));
    // These agree in their first two bytes, so that there is a third branch above them.
    for (const key of keys.slice(0, 200)) key.fill(0xaa, 0, 2);
    for (const [n, key] of keys.entries()) index.set(key, n);
    index.root(store.put);
    index.release(store.get, same);
    expect(index.get(keys[12_345]!)).toBe(12_345);
    expect(store.gets).toBe(1);
    expect(index.get(keys[7]!)).toBe(7);
    expect(store.gets).toBe(3);
  });

  test('what changed since the nodes were put stays', () => {
    const store = new NodeStore();
    const index = idIndex();
    for (let id = 0; id < 2_000; id++) index.set(id, id);
    index.root(store.put);
    index.set(1_234, 'changed');
    index.release(store.get, same);
    expect(index.get(1_234)).toBe('changed');
    expect(store.gets).toBe(0);
    const model = new Map<number, CborValue>(Array.from({ length: 2_000 }, (_, id) => [id, id]));
    expect(toHex(index.root(store.put))).toBe(idRoot(model.set(1_234, 'changed')));
  });
});

describe('HashIndex (kernel.md §7.5)', () => {
  const hashArb = fc.nat({ max: 400 }).map((n) => sha256(utf8(`key ${n}`)));
  /** Keys that agree in their first bytes, so that branches go deep. */
  const closeArb = fc.tuple(fc.nat({ max: 1 }), fc.nat({ max: 300 })).map(([shared, n]) => {
    const key = sha256(utf8(`close ${n}`));
    key.fill(0xaa, 0, shared + 2);
    return key;
  });
  const stepsArb = fc.array(
    fc.tuple(
      fc.oneof(hashArb, closeArb),
      fc.constantFrom('set', 'set', 'set', 'delete', 'release'),
      fc.nat({ max: 9 }),
    ),
    {
      maxLength: 900,
      size: 'max',
    },
  );

  test('the empty index is the empty leaf (check vector)', () => {
    expect(toHex(hashIndex().root(sha256))).toBe(vectors.empty);
  });

  test('root, size, entries and answers depend on the content only; a loaded index is the same', () => {
    fc.assert(
      fc.property(stepsArb, fc.nat({ max: 900 }), (steps, stop) => {
        const store = new NodeStore();
        let index = hashIndex();
        const model = new Map<string, CborValue>();
        for (const [i, [key, op, value]] of steps.entries()) {
          if (i === stop) index = loadHashes(index.root(store.put), store);
          const before = model.get(toHex(key));
          if (op === 'release') {
            // Now and then: a root costs as much as many steps.
            if (i % 16 === 0) index.root(store.put);
            index.release(store.get, same);
          } else if (op === 'set') {
            expect(index.set(key, value)).toEqual(before);
            model.set(toHex(key), value);
          } else {
            expect(index.delete(key)).toEqual(before);
            model.delete(toHex(key));
          }
        }
        const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
        expect(index.size).toBe(model.size);
        expect([...index.entries()].map(([key, value]) => [toHex(key), value])).toEqual(sorted);
        expect(toHex(index.root(store.put))).toBe(hashRoot(model));
        expect([...loadHashes(index.root(store.put), store).entries()].length).toBe(model.size);
      }),
      { numRuns: 30 },
    );
  });

  test('deletes collapse branches: 65 entries are a branch, 64 a leaf', () => {
    const index = hashIndex();
    const keys = Array.from({ length: 65 }, (_, n) => sha256(utf8(String(n))));
    const store = new NodeStore();
    const kind = (root: Uint8Array): unknown =>
      (unwrap(decodeCanonical(store.get(root) as Uint8Array)) as { t: unknown }).t;
    for (const key of keys) index.set(key, null);
    expect(kind(index.root(store.put))).toBe('Branch');
    index.delete(keys[0] as Uint8Array);
    expect(kind(index.root(store.put))).toBe('Leaf');
  });

  test('a key that is no hash is a bug of the caller', () => {
    expect(() => hashIndex().set(new Uint8Array(31), 0)).toThrow(RangeError);
  });
});

describe('nodes that are not what they must be are world faults (kernel.md §13.4)', () => {
  const fault = (act: () => unknown): string => {
    try {
      act();
    } catch (thrown) {
      if (thrown instanceof KernelFault) return thrown.code;
      throw thrown;
    }
    return 'none';
  };
  const stored = (value: CborValue): [Uint8Array, NodeStore] => {
    const store = new NodeStore();
    return [store.put(encode(value)), store];
  };

  test('missing, or with other bytes', () => {
    const store = new NodeStore();
    expect(fault(() => loadIds(new Uint8Array(32), store))).toBe('object.missing');
    store.nodes.set('00'.repeat(32), encode({ t: 'Leaf', c: [] }));
    expect(fault(() => loadIds(new Uint8Array(32), store))).toBe('object.corrupt');
  });

  const hash = new Uint8Array(32);
  const wrong: [string, CborValue][] = [
    ['no map', 7],
    ['an unknown type', { t: 'Twig', c: [] }],
    ['an unknown member', { t: 'Leaf', c: [], x: 1 }],
    ['an entry that is no pair', { t: 'Leaf', c: [[u64be(1)]] }],
    ['a key of the wrong length', { t: 'Leaf', c: [[new Uint8Array(7), 1]] }],
    ['an id beyond 2^53', { t: 'Leaf', c: [[new Uint8Array(8).fill(255), 1]] }],
    [
      'keys out of order',
      {
        t: 'Leaf',
        c: [
          [u64be(2), 1],
          [u64be(1), 1],
        ],
      },
    ],
    [
      'a key twice',
      {
        t: 'Leaf',
        c: [
          [u64be(1), 1],
          [u64be(1), 1],
        ],
      },
    ],
    ['a leaf that is too large', { t: 'Leaf', c: Array.from({ length: 257 }, (_, id) => [u64be(id), 1]) }],
    ['a branch without position', { t: 'Branch', c: [[0, hash, 300]] }],
    [
      'a branch that should be a leaf',
      {
        t: 'Branch',
        d: 3,
        c: [
          [0, hash, 100],
          [1, hash, 100],
        ],
      },
    ],
    [
      'a position out of range',
      {
        t: 'Branch',
        d: 16,
        c: [
          [0, hash, 200],
          [1, hash, 100],
        ],
      },
    ],
    [
      'a digit out of range',
      {
        t: 'Branch',
        d: 3,
        c: [
          [0, hash, 200],
          [16, hash, 100],
        ],
      },
    ],
    [
      'digits out of order',
      {
        t: 'Branch',
        d: 3,
        c: [
          [1, hash, 200],
          [0, hash, 100],
        ],
      },
    ],
    [
      'an empty child',
      {
        t: 'Branch',
        d: 3,
        c: [
          [0, hash, 300],
          [1, hash, 0],
        ],
      },
    ],
    ['a child that is no hash', { t: 'Branch', d: 3, c: [[0, new Uint8Array(31), 300]] }],
  ];
  test.each(wrong)('%s', (_, node) => {
    const [root, store] = stored(node);
    expect(fault(() => loadIds(root, store))).toBe('object.corrupt');
  });

  test('bytes that are no canonical node', () => {
    const store = new NodeStore();
    expect(fault(() => loadIds(store.put(Uint8Array.of(1, 2, 3)), store))).toBe('object.corrupt');
  });

  test('a child with another count than its parent says', () => {
    const store = new NodeStore();
    const index = idIndex();
    for (let id = 0; id < 600; id++) index.set(id, id);
    const node = unwrap(decodeCanonical(store.get(index.root(store.put)) as Uint8Array)) as {
      t: string;
      d: number;
      c: [number, Uint8Array, number][];
    };
    const [first, ...rest] = node.c as [[number, Uint8Array, number], ...[number, Uint8Array, number][]];
    const root = store.put(encode({ t: node.t, d: node.d, c: [[first[0], first[1], first[2] - 1], ...rest] }));
    const loaded = loadIds(root, store);
    expect(fault(() => loaded.get(0))).toBe('object.corrupt');
  });
});
