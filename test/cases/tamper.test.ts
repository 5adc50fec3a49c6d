import { unwrap } from '@worldline/canon';
import {
  type BatchBody,
  decodeBatchBody,
  decodeRecord,
  encodeBatchBody,
  encodeRecord,
  type JournalRecord,
  nextChain,
  type RecordedBatch,
  replayGenesis,
  ZERO_CHAIN,
} from '@worldline/kernel';
import { KernelWorld } from '@worldline/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { awaitReceipt, edge, emit, end, eq, mark, plan, ref, timer, world } from './nodes.ts';

/** Replay or die (journal.md §7): a journal that was changed is refused, and never by a crash of the reader. */

const P = 't/p@1';
const runs = Number(process.env['WORLDLINE_FUZZ_RUNS'] ?? 100);

/** A journal with a record of every kind that a world without reducers and proposals writes. */
function recorded(): KernelWorld {
  const nodes = world(
    [
      plan(
        P,
        [
          emit('e', 'h', { x: 1 }),
          timer('t', 'th', 1_000_000),
          awaitReceipt('r', 'h', 'got'),
          mark('m'),
          end('done', { n: 1 }),
        ],
        [edge('r', 'm'), edge('m', 'done')],
        { output: 't/Out@1' },
      ),
    ],
    { triggers: [{ event: 't/In@1', plan: P, correlate_by: 'id', when: eq(ref('@event.n'), { null: {} }) }] },
  );
  const w = KernelWorld.create(nodes);
  w.send('t/In@1', { id: 'a' }, { ingressId: 'i1', inboxSeq: new Uint8Array([1]) });
  w.start(P, { id: 'b' }, { correlation: 'c' });
  w.receipt(w.pending('t.echo')[0]!, { payload: { y: 1 }, costCents: 3n });
  w.fire(w.pending('timer.after')[0]!);
  w.start(P, { id: 'c' });
  w.receipt(w.pending('t.echo')[0]!, {
    status: 'error',
    error: { code: 'x', message: 'm', retryable: true, detail_ref: null },
  });
  w.start(P, { id: 'd' });
  w.cancel(w.instances()[0]!.id);
  w.send('t/Nope@1', {});
  w.apply({ kind: 'control', command: 'pin', add: [new Uint8Array(32)], remove: [] });
  w.push(world([plan('t/q@1', [mark('m')])]));
  w.send('t/In@1', { id: 'a' }, { ingressId: 'i1', inboxSeq: new Uint8Array([2]) });
  w.snapshot();
  return w;
}

/** The chain again over changed bodies: what someone would do who can write the whole file. */
function rechained(bodies: readonly Uint8Array[]): RecordedBatch[] {
  let chain = ZERO_CHAIN;
  return bodies.map((body) => {
    chain = nextChain(chain, body);
    return { body, chain };
  });
}

const w = recorded();
const options = { objects: { get: (hash: Uint8Array) => w.object(hash) }, epoch: 9, verify: true };
const bodies = w.batches.map((b) => b.body);
const codeOf = (batches: readonly RecordedBatch[]): string => {
  const result = replayGenesis(options, batches);
  return result.ok ? 'ok' : result.failure.code;
};

/** Every entry with its place, as batch and index. */
const places = bodies.flatMap((body, b) =>
  unwrap(decodeBatchBody(body)).entries.map((entry, i) => ({ b, i, record: unwrap(decodeRecord(entry)) })),
);

function withEntries(b: number, change: (entries: Uint8Array[]) => Uint8Array[]): RecordedBatch[] {
  return rechained(
    bodies.map((body, k) => {
      if (k !== b) return body;
      const decoded = unwrap(decodeBatchBody(body));
      return encodeBatchBody({ ...decoded, entries: change([...decoded.entries]) });
    }),
  );
}

test('the journal replays, and holds every kind of record', () => {
  expect(codeOf(w.batches)).toBe('ok');
  expect(codeOf(rechained(bodies))).toBe('ok');
  expect([...new Set(places.map(({ record }) => record.record_kind))].sort()).toEqual([
    'baseline',
    'cap_decision',
    'custom',
    'domain_event',
    'effect_intent',
    'effect_receipt',
    'governance',
    'ingress_rejected',
    'manifest',
    'plan_cancel',
    'plan_ended',
    'plan_result',
    'plan_start',
    'plan_started',
    'policy_decision',
    'snapshot',
  ]);
});

describe('with the chain left as it was', () => {
  test('one changed byte in any body, or in any chain value, is refused', () => {
    fc.assert(
      fc.property(fc.nat(bodies.length - 1), fc.nat(), fc.integer({ min: 1, max: 255 }), (b, place, flip) => {
        const changed = w.batches.map((batch) => ({ body: batch.body.slice(), chain: batch.chain.slice() }));
        const { body } = changed[b]!;
        body[place % body.length]! ^= flip;
        expect(codeOf(changed)).toBe('journal.corrupt');
        const links = w.batches.map((batch) => ({ body: batch.body, chain: batch.chain.slice() }));
        links[b]!.chain[place % 32]! ^= flip;
        expect(codeOf(links)).toBe('journal.corrupt');
      }),
      { numRuns: runs },
    );
  });

  test('a batch that is missing, doubled or in another place is refused', () => {
    for (let b = 0; b < bodies.length - 1; b++) {
      const { batches } = w;
      expect(codeOf([...batches.slice(0, b), ...batches.slice(b + 1)]), `without ${b}`).toBe('journal.corrupt');
      expect(codeOf([...batches.slice(0, b + 1), ...batches.slice(b)]), `twice ${b}`).toBe('journal.corrupt');
      const swapped = [...batches.slice(0, b), batches[b + 1]!, batches[b]!, ...batches.slice(b + 2)];
      expect(codeOf(swapped), `swapped ${b}`).toBe('journal.corrupt');
    }
  });
});

describe('with the chain computed again', () => {
  test('any changed byte gives an answer, never a crash', () => {
    fc.assert(
      fc.property(fc.nat(bodies.length - 1), fc.nat(), fc.integer({ min: 1, max: 255 }), (b, place, flip) => {
        const changed = bodies.map((body) => body.slice());
        const body = changed[b]!;
        body[place % body.length]! ^= flip;
        expect(['ok', 'journal.corrupt', 'replay.divergence', 'snapshot.incomplete']).toContain(
          codeOf(rechained(changed)),
        );
      }),
      { numRuns: runs * 4 },
    );
  });

  test.each([
    'cap_decision',
    'effect_intent',
    'plan_ended',
    'plan_result',
    'plan_started',
    'policy_decision',
    'baseline',
  ] as const)('P5: a derived %s that differs in any member is a divergence', (kind) => {
    const { b, i, record } = places.find((p) => p.record.record_kind === kind)!;
    for (const [member, value] of Object.entries(record)) {
      const other = otherThan(value);
      if (member === 'record_kind' || other === undefined) continue;
      const changed = withEntries(b, (entries) =>
        entries.with(i, encodeRecord({ ...record, [member]: other } as JournalRecord)),
      );
      expect(codeOf(changed), member).not.toBe('ok');
    }
    expect(codeOf(withEntries(b, (entries) => entries.toSpliced(i, 1)))).not.toBe('ok');
    expect(codeOf(withEntries(b, (entries) => entries.toSpliced(i, 0, entries[i]!)))).not.toBe('ok');
  });

  const changedStamp = (of: (body: BatchBody) => Partial<BatchBody>, kind: string) => {
    const b = bodies.findIndex((body) => unwrap(decodeBatchBody(body)).ingress.kind === kind);
    return rechained(
      bodies.map((body, k) => {
        const decoded = unwrap(decodeBatchBody(body));
        return k === b ? encodeBatchBody({ ...decoded, ...of(decoded) }) : body;
      }),
    );
  };

  test('a stamp names the active manifest, and logical time does not go back', () => {
    const stamped = (change: object) => (body: BatchBody) => ({ stamp: { ...body.stamp!, ...change } });
    expect(codeOf(changedStamp(stamped({ manifestHash: new Uint8Array(32) }), 'event'))).toBe('journal.corrupt');
    expect(codeOf(changedStamp(stamped({ logicalNowNs: 0n }), 'plan_start'))).toBe('journal.corrupt');
  });

  test('a batch begins with a record of its ingress, and only seal and skip are empty', () => {
    const named = (kind: string) => (body: BatchBody) => ({ ingress: { ...body.ingress, kind } });
    expect(codeOf(changedStamp(named('plan_start'), 'event'))).toBe('journal.corrupt');
    expect(codeOf(changedStamp(named('event'), 'receipt'))).toBe('journal.corrupt');
    expect(codeOf(changedStamp(() => ({ entries: [] }), 'event'))).toBe('journal.corrupt');
    expect(codeOf(changedStamp((body) => ({ cursor: Uint8Array.of(...body.cursor, 1) }), 'skip'))).not.toBe('ok');
    const { b, i } = places.find((p) => p.record.record_kind === 'plan_ended')!;
    expect(codeOf(withEntries(b, (entries) => [entries[i]!]))).toBe('journal.corrupt');
  });

  test('input records are what they can be: pins, receipts of an open intent, external events of a known schema', () => {
    const replaced = (kind: string, change: object) => {
      const { b, i, record } = places.find((p) => p.record.record_kind === kind)!;
      return withEntries(b, (entries) => entries.with(i, encodeRecord({ ...record, ...change } as JournalRecord)));
    };
    expect(codeOf(replaced('custom', { data: new Uint8Array([0xd9, 0xd9, 0xf7, 0x01]) }))).toBe('journal.corrupt');
    expect(codeOf(replaced('effect_receipt', { intent_hash: new Uint8Array(32) }))).toBe('journal.corrupt');
    expect(codeOf(replaced('domain_event', { schema: 't/Nope@1' }))).toBe('journal.corrupt');
    expect(codeOf(replaced('domain_event', { origin: 'inbox', source: 'x' }))).toBe('journal.corrupt');
    expect(codeOf(replaced('domain_event', { event_hash: new Uint8Array(32) }))).toBe('replay.divergence');
    expect(codeOf(replaced('plan_start', { plan_id: 77 }))).toBe('replay.divergence');
    expect(codeOf(replaced('effect_receipt', { disposition: 'late' }))).toBe('replay.divergence');
    expect(codeOf(replaced('custom', { tag: 'someone/else', data: new Uint8Array(1) }))).toBe('replay.divergence');
  });
});

function otherThan(value: unknown): unknown {
  if (typeof value === 'string') return `${value}x`;
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'bigint') return value + 1n;
  if (value instanceof Uint8Array) return value.map((byte) => byte ^ 1);
  return undefined;
}
