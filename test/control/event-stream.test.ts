import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { unwrap } from '@worldline/canon';
import { silentLogger, type World } from '@worldline/host';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { approvals, Bench, fakeAdapter, job, settle, until } from '../../packages/host/test/bench-world.ts';
import type { StreamLimits } from '../../packages/server/src/event-stream.ts';
import { Streams } from '../../packages/server/src/stream.ts';
import type { Topic } from '../../packages/server/src/stream-topics.ts';
import { expectedEvents, named, parseEvents, type Sent } from './stream-client.ts';

/** Streams with clients whose pace the test decides: what is sent, kept, and said of what is not (S1, S2). */

/** A connection that holds what it is given until its client takes it. */
class Connection extends Writable {
  text = '';
  #isHeld = false;
  #inTurns = false;
  #done: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 100, decodeStrings: false });
  }

  writeHead(): void {}

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.text += chunk;
    if (this.#isHeld) this.#done = done;
    else if (this.#inTurns) setImmediate(done);
    else done();
  }

  takeInTurns(): void {
    this.#inTurns = true;
  }

  hold(): void {
    this.#isHeld = true;
  }

  /** Takes what was given, and `all`: whatever comes from now on. */
  take(all = false): void {
    if (all) this.#isHeld = false;
    const done = this.#done;
    this.#done = undefined;
    done?.();
  }
}

const NO_COMMENTS = { commentMs: 2 ** 30 };

async function opened(limits: Partial<StreamLimits> = {}) {
  const bench = await Bench.create();
  const world = await bench.open({ adapters: [fakeAdapter(), approvals()] });
  const streams = new Streams({ world, log: silentLogger, limits: { ...NO_COMMENTS, ...limits } });
  const begin = (topics: readonly Topic[], from: number, isHeld = false) => {
    const out = new Connection();
    if (isHeld) out.hold();
    const request = { topics: new Set(topics), from, isAllowed: () => true };
    expect(streams.begin(out as unknown as ServerResponse, request)).toBeUndefined();
    return out;
  };
  const height = () => world.read((kernel) => kernel.head.height);
  return { bench, world, streams, begin, height };
}

const tell = async (world: World, id: string) =>
  unwrap(await world.sendEvent({ schema: 't/Job@1', value: { json: { id } } }));

/** What may happen in a world, by number. */
const DEEDS: readonly ((world: World, n: number) => Promise<unknown>)[] = [
  (world, n) => tell(world, `told ${n}`),
  (world, n) => world.startPlan({ plan: 't/call_plan@1', input: job(`called ${n}`) }),
  (world, n) => world.startPlan({ plan: 't/ask@1', input: job(`asked ${n}`) }),
  async (world) => {
    const pending = unwrap(await world.approvals()).at(-1);
    const decision = { decision: 'approved', approver: 'ada' } as const;
    if (pending !== undefined) await world.decideApproval({ intentHash: pending.intentHash, ...decision });
  },
  (world, n) => world.cancelPlan({ planId: n % 4, reason: 'enough', actor: 'tests' }),
];

type Step =
  | { readonly do: 'act'; readonly deed: number }
  | { readonly do: 'take'; readonly chunks: number }
  | { readonly do: 'cut'; readonly bytes: number }
  | { readonly do: 'rest' };

const stepArb: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('act' as const), deed: fc.nat(DEEDS.length - 1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('take' as const), chunks: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const), bytes: fc.nat(400) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rest' as const) }) },
);

const topicsArb = fc.uniqueArray(
  fc.constantFrom<Topic>('journal', 'events', 'effects', 'plans', 'faults', 'governance', 'approvals'),
  { minLength: 1 },
);

test('whatever the client takes and wherever it breaks off, coming back gives what one reading would have given (§16.10)', async () => {
  const seen = { lagged: 0, cut: 0 };
  const property = fc.asyncProperty(
    topicsArb,
    fc.record({
      events: fc.nat(3),
      pageEntries: fc.integer({ min: 1, max: 8 }),
      steps: fc.array(stepArb, { minLength: 10, maxLength: 40 }),
    }),
    fc.option(fc.nat(3), { nil: undefined }),
    async (topics, { events, pageEntries, steps }, start) => {
      const { bench, world, begin, height, streams } = await opened({ events, pageEntries });
      const first = start ?? (await height());
      const got: Sent[] = [];
      let from = first;
      let out = begin(topics, from, true);
      /** Keeps what the client has read, and goes on behind it as `EventSource` would. */
      const comeBack = (text: string) => {
        const read = parseEvents(text);
        got.push(...read.events);
        out.destroy();
        from = (read.lastEventId ?? from - 1) + 1;
        out = begin(topics, from, true);
      };
      const lag = async () => {
        if (!out.writableEnded) return;
        out.take(true);
        const { events: read, lastEventId } = parseEvents(out.text);
        const end = read.at(-1)!;
        const last = lastEventId ?? from - 1;
        // Nothing that was asked for lies between the last event and the place it names.
        const missing = expectedEvents(await bench.records(), topics, last + 1)[0]!;
        expect(end).toEqual({ event: 'lagged', id: undefined, data: { next_seq: missing.id } });
        const whole = out.text.slice(0, out.text.lastIndexOf('event: lagged'));
        seen.lagged++;
        comeBack(whole);
      };
      for (const [n, step] of steps.entries()) {
        if (step.do === 'act') await DEEDS[step.deed]!(world, n);
        else if (step.do === 'rest') await settle();
        else if (step.do === 'take') {
          for (let i = 0; i < step.chunks; i++) {
            out.take();
            await new Promise(setImmediate);
          }
        } else {
          seen.cut++;
          comeBack(out.text.slice(0, Math.max(0, out.text.length - step.bytes)));
        }
        await lag();
      }
      await until(async () => (await world.effects()).every(({ emission }) => emission.kind === 'approval.request'));
      const expected = expectedEvents(await bench.records(), topics, first);
      out.take(true);
      const all = () => [...got, ...parseEvents(out.text).events];
      await until(() => all().length >= expected.length || out.writableEnded);
      await settle();
      await lag();
      out.take(true);
      await until(() => all().length >= expected.length);
      await settle();
      expect(named(all())).toEqual(expected);
      streams.close();
      await world.close({ graceMs: 0 });
    },
  );
  await fc.assert(property, { numRuns: 60 });
  expect(seen.lagged).toBeGreaterThan(0);
  expect(seen.cut).toBeGreaterThan(0);
});

test('a client that catches up is behind for good reason: it is waited for, however much is new meanwhile (S2)', async () => {
  const { bench, world, begin } = await opened({ events: 2, pageEntries: 3 });
  for (let i = 0; i < 10; i++) await tell(world, `old ${i}`);
  const out = begin(['journal', 'host'], 0, true);
  await settle();
  // Each has a report of the host besides, which is not kept for it.
  for (let i = 0; i < 10; i++) unwrap(await world.startPlan({ plan: 't/call_plan@1', input: job(`new ${i}`) }));
  await until(async () => (await bench.done()).length === 10);
  await settle();
  // What waits is the head and one event.
  expect(out.writableLength).toBeLessThan(1_500);
  expect(out.writableEnded).toBe(false);
  out.take(true);
  const expected = expectedEvents(await bench.records(), ['journal']);
  await until(() => parseEvents(out.text).events.length === expected.length);
  expect(named(parseEvents(out.text).events)).toEqual(expected);
});

test('what became durable in one batch is not held against a client that takes it (S2)', async () => {
  const { bench, world, begin, height } = await opened({ events: 2 });
  const from = await height();
  const out = begin(['journal'], from);
  await settle();
  out.hold();
  // More records than may be behind.
  unwrap(await world.startPlan({ plan: 't/ask@1', input: job('a') }));
  await settle();
  expect(out.writableEnded).toBe(false);
  out.take(true);
  const expected = expectedEvents(await bench.records(), ['journal'], from);
  expect(expected.length).toBeGreaterThan(3);
  await until(() => parseEvents(out.text).events.length === expected.length);
  expect(named(parseEvents(out.text).events)).toEqual(expected);
});

test('a burst is not held against a client that takes between turns what it is given (S2)', async () => {
  const { bench, world, begin, height, streams } = await opened({ events: 3 });
  const from = await height();
  const out = begin(['journal'], from);
  await settle();
  out.takeInTurns();
  const ids = Array.from({ length: 40 }, (_, i) => `${i}`);
  await Promise.all(ids.map((id) => world.startPlan({ plan: 't/call_plan@1', input: job(id) })));
  await until(async () => (await bench.done()).length === ids.length);
  const expected = expectedEvents(await bench.records(), ['journal'], from);
  await until(() => parseEvents(out.text).events.length >= expected.length || streams.size === 0);
  expect(named(parseEvents(out.text).events)).toEqual(expected);
});

test.each([
  ['events', { events: 3 }, 'small'],
  ['bytes', { bytes: 2_000 }, 'x'.repeat(900)],
] as const)(
  'behind by more %s than allowed: `lagged` names the first that was not sent, and the stream ends',
  async (_, limits, text) => {
    const { world, begin, height, streams } = await opened(limits);
    const from = await height();
    const out = begin(['events'], from);
    await settle();
    out.hold();
    for (let i = 0; streams.size > 0; i++) {
      await tell(world, `${i} ${text}`);
      await settle();
      expect(i).toBeLessThan(20);
    }
    out.take(true);
    await until(() => out.destroyed || out.writableFinished);
    const { events, lastEventId } = parseEvents(out.text);
    expect(events.at(-1)).toEqual({ event: 'lagged', id: undefined, data: { next_seq: lastEventId! + 1 } });
    expect(named(events.slice(0, -1))).toEqual(
      Array.from({ length: events.length - 1 }, (_, i) => ({ event: 'domain_event', id: from + i })),
    );
  },
);

test('one event that is larger than what may be behind reaches a client that comes back for it (S2)', async () => {
  const { world, begin, height } = await opened({ bytes: 500 });
  const from = await height();
  for (const id of ['a', 'b']) await tell(world, `${id} ${'x'.repeat(5_000)}`);
  const out = begin(['events'], from, true);
  await settle();
  out.take(true);
  await until(() => parseEvents(out.text).events.length === 2);
  expect(out.writableEnded).toBe(false);
});

test('a client that takes nothing gets no comment lines piled up', async () => {
  const { begin, height } = await opened({ commentMs: 1 });
  const out = begin(['journal'], await height(), true);
  await until(() => out.writableNeedDrain);
  const kept = out.writableLength;
  const other = begin(['journal'], await height());
  await until(() => parseEvents(other.text).comments > 20);
  expect(out.writableLength).toBe(kept);
});
