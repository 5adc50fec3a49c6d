import { encode } from '@worldline/canon';
import type { Applied, Emission } from '@worldline/kernel';
import { VirtualClock } from '@worldline/testkit';
import { describe, expect, test } from 'vitest';
import type { LoopInput } from '../src/loop-input.ts';
import { Stamper } from '../src/stamps.ts';
import { TimerOffers } from '../src/timer-offers.ts';
import { Bench, recordingLog } from './bench-world.ts';

const timer = (emissionSeq: number, dueNs: number): Emission => ({
  emissionSeq,
  intentHash: new Uint8Array(32).fill(emissionSeq),
  kind: 'timer.set',
  capName: 'cap_timer',
  paramsCbor: encode({ deliver_at_ns: dueNs, key: null }),
  idempotencyKey: new Uint8Array(0),
  logicalNowNs: 0n,
  origin: { origin_kind: 'plan', name: 't/nap@1', plan_id: 0, step_id: 'nap' } as Emission['origin'],
  class: 'timer',
  waiters: [],
});

/** Timers of a world whose pending emissions are those given, with a clock at 0. */
async function offersOf(...pending: Emission[]) {
  const clock = new VirtualClock();
  const stamper = new Stamper(clock);
  stamper.rebase({ logicalNowNs: 0n, lastNowNs: clock.wallNs() });
  const rearmed: bigint[] = [];
  let woken = 0;
  const { store } = await Bench.create();
  const offers = new TimerOffers({
    worldId: 'w',
    store: {
      timers: {
        ...store.timers,
        rearm: async (_world, _epoch, _seq, dueNs) => {
          rearmed.push(dueNs);
          throw new Error('the disk is full');
        },
      },
    },
    lease: { epoch: 1 },
    clock,
    stamper,
    log: recordingLog(),
    failpoints: undefined,
    onDue: () => woken++,
  });
  const kernel = {
    pending: () => pending,
    emission: (seq: number) => pending.find((emission) => emission.emissionSeq === seq),
  };
  const taken = () => {
    const seqs: number[] = [];
    offers.collect(kernel);
    for (let one = offers.shift(); one !== undefined; one = offers.shift()) seqs.push(seqOf(one));
    return seqs;
  };
  return { offers, kernel, clock, rearmed, taken, woken: () => woken };
}

function seqOf({ ingress }: LoopInput): number {
  if (ingress.kind !== 'timer') throw new Error(`a ${ingress.kind} instead of a timer`);
  return ingress.emissionSeq;
}

const skipped = (rearmWallNs: bigint | undefined) => ({ outcome: { kind: 'skipped', rearmWallNs } }) as Applied;

describe('timers are offered when they are due', () => {
  test('none before its time, each once, in order (T2)', async () => {
    const { offers, kernel, clock, taken } = await offersOf(timer(1, 300), timer(2, 100), timer(3, 200));
    offers.rebuild(kernel);
    clock.advance(99n);
    expect(taken()).toEqual([]);
    clock.advance(101n);
    expect(taken()).toEqual([2, 3]);
    clock.advance(1_000n);
    expect(taken()).toEqual([1]);
    expect(taken()).toEqual([]);
  });

  test('one that was settled meanwhile is not offered', async () => {
    const pending = [timer(1, 100), timer(2, 100)];
    const { offers, kernel, clock, taken } = await offersOf(...pending);
    offers.add(kernel, pending);
    clock.advance(100n);
    const settled = { emission: (seq: number) => (seq === 1 ? undefined : kernel.emission(seq)) };
    offers.collect(settled);
    expect(offers.length).toBe(1);
    expect(taken()).toEqual([2]);
  });

  test('the clock wakes the loop at the first due time, also when that has come nearer (T3)', async () => {
    const late = timer(1, 500);
    const soon = timer(2, 100);
    const { offers, kernel, clock, woken } = await offersOf(late, soon);
    offers.add(kernel, [late]);
    offers.arm();
    offers.add(kernel, [soon]);
    offers.arm();
    clock.advance(100n);
    expect(woken()).toBe(1);
    offers.collect(kernel);
    offers.arm();
    clock.advance(399n);
    expect(woken()).toBe(1);
    clock.advance(1n);
    expect(woken()).toBe(2);
  });

  test('an offer that came too early is made again, whether or not the store takes the new time of its row (T1)', async () => {
    const { offers, kernel, clock, rearmed, taken, woken } = await offersOf(timer(1, 100), timer(2, 100));
    offers.rebuild(kernel);
    clock.advance(100n);
    offers.collect(kernel);
    offers.shift()!.onDurable(skipped(777n));
    offers.shift()!.onDurable(skipped(undefined));
    expect(rearmed).toEqual([777n]);
    expect(woken()).toBe(2);
    expect(taken()).toEqual([1, 2]);
  });

  test('a rebuild forgets what was there, offers included', async () => {
    const { offers, kernel, clock, taken } = await offersOf(timer(1, 100), timer(2, 200));
    offers.rebuild(kernel);
    clock.advance(150n);
    offers.collect(kernel);
    expect(offers.length).toBe(1);
    offers.rebuild(kernel);
    expect(offers.length).toBe(0);
    expect(taken()).toEqual([1]);
    clock.advance(50n);
    expect(taken()).toEqual([2]);
  });

  test('once stopped it wakes nobody and offers nothing new; what was offered can still be taken', async () => {
    const { offers, kernel, clock, taken, woken } = await offersOf(timer(1, 100), timer(2, 200));
    offers.rebuild(kernel);
    clock.advance(100n);
    offers.collect(kernel);
    offers.arm();
    offers.stop();
    clock.advance(1_000n);
    offers.arm();
    clock.advance(1_000n);
    expect(woken()).toBe(0);
    expect(taken()).toEqual([1]);
  });
});
