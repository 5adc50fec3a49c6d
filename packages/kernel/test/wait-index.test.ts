import { readFileSync } from 'node:fs';
import { type CborValue, compareUtf8, encode, sha256, toHex } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KernelFault } from '../src/fault.ts';
import { HashIndex } from '../src/hash-index.ts';
import { IdIndex } from '../src/id-index.ts';
import { type Wait, WaitIndex, waitKey } from '../src/wait-index.ts';
import { NodeStore } from './node-store.ts';

const vectors = JSON.parse(readFileSync(new URL('../../../test/vectors/state-tree.json', import.meta.url), 'utf8'));

const SCHEMAS = ['com.acme/Ev@1', 'com.acme/Other@1'];
const PATHS = ['id', 'correlation_id', 'é', 'a.b'];

const matchArb = fc.option(
  fc.record({
    path: fc.constantFrom(...PATHS),
    value: fc.oneof(fc.nat({ max: 3 }), fc.constantFrom('x', 'y'.repeat(100))).map((value) => encode(value)),
  }),
  { nil: undefined, freq: 3 },
);
const waitArb = fc.record({ schema: fc.constantFrom(...SCHEMAS), planId: fc.nat({ max: 50 }), match: matchArb });
/** Adds come in groups, so that lists grow beyond 64. */
const stepArb = fc.oneof(
  fc.record({ op: fc.constant('add' as const), wait: waitArb, count: fc.nat({ max: 40 }), pick: fc.nat() }),
  fc.record({ op: fc.constant('remove' as const), wait: waitArb, count: fc.nat({ max: 30 }), pick: fc.nat() }),
  fc.record({
    op: fc.constantFrom('root' as const, 'release' as const),
    wait: waitArb,
    count: fc.constant(0),
    pick: fc.nat(),
  }),
);

/** An event as the index sees it: the value at each path. */
const eventArb = fc.record({
  schema: fc.constantFrom(...SCHEMAS),
  values: fc.dictionary(fc.constantFrom(...PATHS), fc.oneof(fc.nat({ max: 3 }), fc.constantFrom('x', 'y'.repeat(100)))),
});

/** What the index has to say, worked out wait by wait (kernel.md §6.5). */
function candidatesOf(waits: Iterable<Wait>, schema: string, values: { readonly [path: string]: CborValue }): number[] {
  return [...waits]
    .filter((wait) => wait.schema === schema)
    .filter(({ match }) => {
      if (match === undefined) return true;
      const value = Object.hasOwn(values, match.path) ? values[match.path] : undefined;
      return value !== undefined && toHex(encode(value)) === toHex(match.value);
    })
    .map((wait) => wait.waitId)
    .sort((a, b) => a - b);
}

const at =
  (values: { readonly [path: string]: CborValue }) =>
  (path: string): Uint8Array | undefined =>
    Object.hasOwn(values, path) ? encode(values[path] as CborValue) : undefined;

/** The root as journal.md §6.1 defines it, built from scratch. */
function rootOf(waits: Iterable<Wait>): string {
  const groups = new Map<string, Wait[]>();
  for (const wait of waits) {
    const key = toHex(waitKey(wait.schema, wait.match?.path ?? null, wait.match?.value ?? null));
    groups.set(key, [...(groups.get(key) ?? []), wait]);
  }
  const index = new HashIndex<CborValue>((value) => value);
  for (const group of groups.values()) {
    const sorted = group.sort((a, b) => a.waitId - b.waitId);
    const { schema, match } = sorted[0] as Wait;
    const ids = new IdIndex<CborValue>((value) => value);
    for (const { waitId, planId, stepId } of sorted) ids.set(waitId, [planId, stepId]);
    index.set(waitKey(schema, match?.path ?? null, match?.value ?? null), {
      schema,
      path: match?.path ?? null,
      value: match?.value ?? null,
      waits:
        sorted.length > 64 ? ids.root(sha256) : sorted.map(({ waitId, planId, stepId }) => [waitId, planId, stepId]),
    });
  }
  return toHex(index.root(sha256));
}

function schemasOf(waits: Iterable<Wait>): CborValue {
  const counts = new Map<string, Map<string | null, number>>();
  for (const { schema, match } of waits) {
    const paths = counts.get(schema) ?? new Map<string | null, number>();
    counts.set(schema, paths.set(match?.path ?? null, (paths.get(match?.path ?? null) ?? 0) + 1));
  }
  return [...counts]
    .sort(([a], [b]) => compareUtf8(a, b))
    .map(([schema, paths]) => ({
      schema,
      paths: [...paths].sort(([a], [b]) => (a === null ? -1 : b === null ? 1 : compareUtf8(a, b))),
    }));
}

interface Step {
  readonly op: 'add' | 'remove' | 'root' | 'release';
  readonly wait: Omit<Wait, 'waitId' | 'stepId'>;
  readonly count: number;
  readonly pick: number;
}

function run(
  index: WaitIndex,
  live: Map<number, Wait>,
  nextId: number,
  steps: readonly Step[],
  store = new NodeStore(),
): number {
  let next = nextId;
  for (const { op, wait, count, pick } of steps) {
    if (op === 'root') index.root(store.put);
    // Whatever has changed since, and whichever instances stay.
    if (op === 'release') index.release(store.get, (planId) => planId % 3 === pick % 3);
    for (let i = 0; op === 'add' && i < count; i++) {
      const added: Wait = { ...wait, waitId: next++, stepId: `step ${i}` };
      index.add(added);
      live.set(added.waitId, added);
    }
    for (let i = 0; op === 'remove' && i < count && live.size > 0; i++) {
      const ids = [...live.keys()];
      const gone = live.get(ids[(pick + i) % ids.length] as number) as Wait;
      index.remove(gone);
      live.delete(gone.waitId);
    }
  }
  return next;
}

describe('WaitIndex (kernel.md §6.5, journal.md §6.1 "Wait index")', () => {
  test('the key of a match (check vector)', () => {
    const { schema, path, value, key } = vectors.waitKey as {
      schema: string;
      path: string;
      value: string;
      key: string;
    };
    expect(toHex(waitKey(schema, path, encode(value)))).toBe(key);
  });

  test('candidates are exactly the waits that can match, in registration order; root and schemas follow the content', () => {
    fc.assert(
      fc.property(
        fc.array(stepArb, { maxLength: 12 }),
        fc.array(eventArb, { minLength: 1, maxLength: 5 }),
        (steps, events) => {
          const index = new WaitIndex();
          const live = new Map<number, Wait>();
          run(index, live, 0, steps);
          for (const { schema, values } of events) {
            expect(index.candidates(schema, at(values)).map((wait) => wait.waitId)).toEqual(
              candidatesOf(live.values(), schema, values),
            );
          }
          expect(index.size).toBe(live.size);
          expect(index.schemas()).toEqual(schemasOf(live.values()));
          for (const schema of SCHEMAS)
            expect(index.hasSchema(schema)).toBe([...live.values()].some((w) => w.schema === schema));
          expect(toHex(index.root(sha256))).toBe(rootOf(live.values()));
        },
      ),
      { numRuns: 100 },
    );
  });

  test('a loaded index is the index that was stored, read at once or as needed, and goes on like it', () => {
    fc.assert(
      fc.property(
        fc.array(stepArb, { maxLength: 8 }),
        fc.array(stepArb, { maxLength: 6 }),
        fc.array(eventArb, { maxLength: 4 }),
        fc.boolean(),
        (before, after, events, lazily) => {
          const store = new NodeStore();
          const index = new WaitIndex();
          const live = new Map<number, Wait>();
          const next = run(index, live, 0, before, store);
          const root = index.root(store.put);
          const loaded = WaitIndex.load(root, store.get, lazily ? index.schemas() : undefined);
          expect(loaded.schemas()).toEqual(index.schemas());
          expect(loaded.size).toBe(index.size);
          expect(loaded.root(() => expect.unreachable('nothing has changed'))).toEqual(root);

          run(loaded, live, next, after, store);
          for (const { schema, values } of events) {
            expect(loaded.candidates(schema, at(values))).toEqual(
              candidatesOf(live.values(), schema, values).map((id) => live.get(id)),
            );
          }
          expect(loaded.size).toBe(live.size);
          expect(loaded.schemas()).toEqual(schemasOf(live.values()));
          expect(toHex(loaded.root(store.put))).toBe(rootOf(live.values()));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a wait that is added and removed, or removed and added, leaves the root as it was', () => {
    const index = new WaitIndex();
    const wait = (waitId: number, value: string): Wait => ({
      waitId,
      planId: 1,
      stepId: 's',
      schema: 'com.acme/Ev@1',
      match: { path: 'id', value: encode(value) },
    });
    index.add(wait(0, 'a'));
    index.add(wait(1, 'b'));
    const root = index.root(sha256);
    index.add(wait(2, 'c'));
    index.remove(wait(2, 'c'));
    index.remove(wait(0, 'a'));
    index.add(wait(0, 'a'));
    expect(index.root(sha256)).toEqual(root);
    index.remove(wait(0, 'a'));
    index.remove(wait(1, 'b'));
    expect(index.hasSchema('com.acme/Ev@1')).toBe(false);
    expect(index.root(sha256)).toEqual(new WaitIndex().root(sha256));
  });

  test('an event asks for each path in use once, however many waits are parked', () => {
    const index = new WaitIndex();
    for (let waitId = 0; waitId < 20_000; waitId++) {
      const path = waitId % 2 === 0 ? 'id' : 'correlation_id';
      index.add({
        waitId,
        planId: waitId,
        stepId: 's',
        schema: 'com.acme/Ev@1',
        match: { path, value: encode(waitId) },
      });
    }
    const asked: string[] = [];
    const found = index.candidates('com.acme/Ev@1', (path) => {
      asked.push(path);
      return encode(1000);
    });
    expect(found.map((wait) => wait.waitId)).toEqual([1000]);
    expect(asked.sort()).toEqual(['correlation_id', 'id']);
  });

  test('one change among 20 000 parked waits rewrites one path of nodes', () => {
    const store = new NodeStore();
    const index = new WaitIndex();
    const wait = (waitId: number): Wait => ({
      waitId,
      planId: waitId,
      stepId: 's',
      schema: 'com.acme/Ev@1',
      match: { path: 'id', value: encode(waitId) },
    });
    for (let waitId = 0; waitId < 20_000; waitId++) index.add(wait(waitId));
    const root = index.root(store.put);
    store.puts = 0;
    index.remove(wait(77));
    index.root(store.put);
    expect(store.puts).toBeLessThanOrEqual(3);

    const loaded = WaitIndex.load(root, store.get, [{ schema: 'com.acme/Ev@1', paths: [['id', 20_000]] }]);
    store.gets = 0;
    expect(loaded.candidates('com.acme/Ev@1', () => encode(4321)).map(({ planId }) => planId)).toEqual([4321]);
    expect(store.gets).toBeLessThanOrEqual(2);
  });

  test('a wait that is not there cannot be removed: the state would be impossible', () => {
    const index = new WaitIndex();
    const wait: Wait = { waitId: 1, planId: 1, stepId: 's', schema: 'com.acme/Ev@1' };
    expect(() => index.remove(wait)).toThrow(KernelFault);
    index.add(wait);
    expect(() => index.remove({ ...wait, waitId: 2 })).toThrow(KernelFault);
    expect(() => index.remove({ ...wait, match: { path: 'id', value: encode(1) } })).toThrow(KernelFault);
    expect(index.size).toBe(1);
  });

  test('a stored entry that is none is a world fault', () => {
    for (const entry of [
      7,
      { schema: 1, path: null, value: null, waits: [[0, 0, 's']] },
      { schema: 's', path: 'p', value: null, waits: [[0, 0, 's']] },
      { schema: 's', path: null, value: encode(1), waits: [[0, 0, 's']] },
      { schema: 's', path: null, value: null, waits: [] },
      { schema: 's', path: null, value: null, waits: [[0, 0]] },
      { schema: 's', path: null, value: null, waits: [[-1, 0, 's']] },
    ] as CborValue[]) {
      const store = new NodeStore();
      const index = new HashIndex<CborValue>((value) => value);
      index.set(waitKey('s', null, null), entry);
      const root = index.root(store.put);
      expect(() => WaitIndex.load(root, store.get)).toThrow(KernelFault);
    }
  });
});
