import { FailureError } from '@worldline/canon';
import type { Emission, Kernel } from '@worldline/kernel';
import type { Store } from '@worldline/ports';
import { memoryStore } from '@worldline/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { HostFailure } from '../src/failure.ts';
import { OutboxClaims } from '../src/outbox-claims.ts';
import { gate, recordingLog } from './bench-world.ts';

type Rows = Awaited<ReturnType<Store['outbox']['claim']>>;

const row = (emissionSeq: number): Rows[number] =>
  ({
    emissionSeq,
    token: Uint8Array.of(emissionSeq & 0xff),
    attempt: 1,
    started: false,
  }) as Rows[number];

const POLL_MS = 250;

/** Claims for a world in which the given external effects are pending. */
function claimsOf(pending: Set<number>, answers: (Rows | Error | Promise<Rows>)[]) {
  const held = new Set<number>();
  const stops: HostFailure[] = [];
  const log = recordingLog();
  let [asked, looked] = [0, 0];
  const emission = (emissionSeq: number) => ({ emissionSeq, class: 'external', kind: 't.call' }) as Emission;
  const kernel = {
    pending: () => [...pending].map(emission),
    emission: (seq: number) => (pending.has(seq) ? emission(seq) : undefined),
  } as unknown as Kernel;
  const claims = new OutboxClaims({
    worldId: 'w',
    store: {
      outbox: {
        ...memoryStore().outbox,
        async claim() {
          asked++;
          const answer = await (answers.shift() ?? []);
          if (answer instanceof Error) throw answer;
          return answer;
        },
      },
    },
    worker: 'worker-1',
    log,
    failpoints: undefined,
    loop: () => ({
      kernel,
      get isStopped() {
        return stops.length > 0;
      },
      stop: (failure) => stops.push(failure),
    }),
    dispatcher: () => ({
      dispatch: ({ emissionSeq }) => held.add(emissionSeq),
      isHeld: (seq) => held.has(seq),
    }),
    onLooked: () => looked++,
  });
  return { claims, held, stops, log, asked: () => asked, looked: () => looked };
}

describe('outbox rows that no commit of this process claimed', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('after opening all may be left; once all are held, none is, and the store is not asked again', async () => {
    const { claims, held, asked, looked } = claimsOf(new Set([1, 2]), [[row(1), row(2)]]);
    expect(claims.mayBeLeft).toBe(true);
    await claims.claim();
    expect([...held]).toEqual([1, 2]);
    expect(claims.mayBeLeft).toBe(false);
    expect(looked()).toBe(1);
    await vi.advanceTimersByTimeAsync(10 * POLL_MS);
    expect(asked()).toBe(1);
  });

  test('a full page is followed by the next at once', async () => {
    const seqs = Array.from({ length: 300 }, (_, i) => i);
    const pages = [seqs.slice(0, 256).map(row), seqs.slice(256).map(row)];
    const { claims, held, asked } = claimsOf(new Set(seqs), pages);
    await claims.claim();
    expect(held.size).toBe(300);
    expect(asked()).toBe(2);
  });

  test('what nobody could claim yet is asked for until it is there, also when the store has trouble meanwhile (B1)', async () => {
    const { claims, held, log, asked } = claimsOf(new Set([1]), [[], new Error('no answer'), [row(1)]]);
    await claims.claim();
    await vi.advanceTimersByTimeAsync(POLL_MS);
    expect(asked()).toBe(2);
    expect(claims.mayBeLeft).toBe(true);
    expect(log.lines.some((line) => line.startsWith('warn') && line.includes('no answer'))).toBe(true);
    await vi.advanceTimersByTimeAsync(POLL_MS);
    expect([...held]).toEqual([1]);
    expect(claims.mayBeLeft).toBe(false);
  });

  test('a row that is given back is asked for again', async () => {
    const { claims, held } = claimsOf(new Set([1]), [[row(1)], [row(1)]]);
    await claims.claim();
    held.delete(1);
    claims.rowLeft();
    expect(claims.mayBeLeft).toBe(true);
    await vi.advanceTimersByTimeAsync(POLL_MS);
    expect([...held]).toEqual([1]);
  });

  test('a row whose emission was settled meanwhile goes to nobody (B2)', async () => {
    const { claims, held } = claimsOf(new Set([2]), [[row(1), row(2)]]);
    await claims.claim();
    expect([...held]).toEqual([2]);
  });

  test('a damaged store stops the loop', async () => {
    const failure = { code: 'journal.corrupt', path: [], message: 'damaged' };
    const { claims, stops, looked } = claimsOf(new Set([1]), [new FailureError(failure)]);
    await claims.claim();
    expect(stops).toEqual([failure]);
    expect(looked()).toBe(0);
  });

  test('rows that come after the loop has stopped go to nobody', async () => {
    const answer = gate<Rows>();
    const { claims, held, stops } = claimsOf(new Set([1]), [answer.promise]);
    const claim = claims.claim();
    stops.push({ code: 'world.locked', path: [], message: 'gone' });
    answer.open([row(1)]);
    await claim;
    expect(held.size).toBe(0);
  });

  test('once stopped the store is not asked, whoever still wants it', async () => {
    const { claims, asked } = claimsOf(new Set([1]), [[]]);
    await claims.claim();
    claims.stop();
    claims.rowLeft();
    await claims.claim();
    await vi.advanceTimersByTimeAsync(10 * POLL_MS);
    expect(asked()).toBe(1);
  });
});
