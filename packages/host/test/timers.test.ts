import { unwrap } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DueEntry, TimerIndex } from '../src/timers.ts';
import { Bench, fakeAdapter, gate, job, okOutcome, settle, until } from './bench-world.ts';

const nap = (id: string, ns: number) => ({ plan: 't/nap@1', input: job(id, ns) });
const SECOND = 1_000_000_000;

describe('timers (`kernel.md` §12, `host.md` §5.3)', () => {
  test('none fires early, each fires once, at its logical time', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await world.startPlan(nap('a', 10 * SECOND));
    bench.clock.advanceMs(9_999);
    await settle();
    expect(await bench.done()).toEqual([]);
    bench.clock.advanceMs(1);
    await until(async () => (await bench.done()).length === 1);
    bench.clock.advanceMs(3_600_000);
    await settle();
    expect((await bench.of('effect_receipt')).length).toBe(1);
    const [receipt] = await bench.of('effect_receipt');
    expect(receipt).toMatchObject({ adapter_id: 'timer.set', status: 'ok', cost_cents: 0n });
    await world.close();
    await bench.replays();
  });

  test('due timers are offered in order of due time, then intent hash', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    for (const [id, at] of [
      ['c', 30],
      ['a', 10],
      ['b', 20],
    ] as const)
      await world.startPlan(nap(id, at * SECOND));
    bench.clock.advanceMs(60_000);
    await until(async () => (await bench.done()).length === 3);
    expect(await bench.done()).toEqual(['a', 'b', 'c']);
    await world.close();
  });

  test('a due time in the past fires at once', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await world.startPlan(nap('a', 0));
    await until(async () => (await bench.done()).length === 1);
    await world.close();
  });

  test('two instances with equal params resume each by its own timer', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await world.startPlan(nap('same', 5 * SECOND));
    await world.startPlan(nap('same', 5 * SECOND));
    bench.clock.advanceMs(5_000);
    await until(async () => (await bench.done()).length === 2);
    expect((await bench.of('effect_receipt')).length).toBe(2);
    await world.close();
  });

  test('after a restart, past-due timers fire and future ones wait; closed time counts (§7.3)', async () => {
    const bench = await Bench.create();
    const { world, connection } = await bench.openCuttable();
    await world.startPlan(nap('soon', 10 * SECOND));
    await world.startPlan(nap('later', 100 * SECOND));
    connection.cut();
    bench.clock.advanceMs(50_000);
    const heir = await bench.reopen();
    await until(async () => (await bench.done()).length === 1);
    expect(await bench.done()).toEqual(['soon']);
    bench.clock.advanceMs(50_000);
    await until(async () => (await bench.done()).length === 2);
    await heir.close();
    await bench.replays();
  });

  test('a wall clock that jumps while the world runs moves no deadline', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await world.startPlan(nap('a', 10 * SECOND));
    bench.clock.jumpWall(3_600n * 1_000_000_000n);
    await settle();
    expect(await bench.done()).toEqual([]);
    bench.clock.advanceMs(10_000);
    await until(async () => (await bench.done()).length === 1);
    await world.close();
  });

  test('a timer that races a slow effect is journaled first', async () => {
    const bench = await Bench.create();
    const slow = gate();
    const world = await bench.open({
      adapters: [fakeAdapter(() => slow.promise.then(() => okOutcome()), { timeoutMs: 100_000_000 })],
    });
    await world.startPlan({ plan: 't/call_plan@1', input: job('slow') });
    await world.startPlan(nap('nap', 10 * SECOND));
    bench.clock.advanceMs(10_000);
    await until(async () => (await bench.done()).length === 1);
    slow.open();
    await until(async () => (await bench.done()).length === 2);
    expect(await bench.done()).toEqual(['nap', 'slow']);
    await world.close();
    await bench.replays();
  });

  test('a timer of an ended plan still fires and is recorded late', async () => {
    const bench = await Bench.create();
    const world = await bench.open();
    await world.startPlan(nap('a', 10 * SECOND));
    unwrap(await world.cancelPlan({ planId: 0, reason: 'enough', actor: 'me' }));
    bench.clock.advanceMs(10_000);
    await until(async () => (await bench.of('effect_receipt')).length === 1);
    expect((await bench.of('effect_receipt'))[0]!.disposition).toBe('late');
    await world.close();
  });
});

test('the due index gives entries in order of (due, intent hash), whatever order they came in', () => {
  const entry = fc.record({ dueNs: fc.bigInt({ min: 0n, max: 5n }), byte: fc.nat(255) });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 60 }), fc.bigInt({ min: 0n, max: 6n }), (entries, now) => {
      const index = new TimerIndex();
      const all = entries.map(
        ({ dueNs, byte }, i): DueEntry => ({ dueNs, emissionSeq: i, intentHash: Uint8Array.of(byte, i) }),
      );
      for (const one of all) index.add(one);
      const taken: DueEntry[] = [];
      for (let one = index.take(now); one !== undefined; one = index.take(now)) taken.push(one);
      const key = (e: DueEntry) => [Number(e.dueNs), e.intentHash[0]!, e.intentHash[1]!];
      const sorted = all
        .filter((e) => e.dueNs <= now)
        .sort((a, b) => key(a)[0]! - key(b)[0]! || key(a)[1]! - key(b)[1]! || key(a)[2]! - key(b)[2]!);
      expect(taken.map((e) => e.emissionSeq)).toEqual(sorted.map((e) => e.emissionSeq));
      expect(index.size).toBe(all.length - taken.length);
    }),
  );
});
