import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lanes, type Queued } from '../src/lanes.ts';
import { fakeAdapter } from './bench-world.ts';

interface Fake extends Queued {
  state: string;
  readonly n: number;
}

describe('how many effects are performed at once', () => {
  test('an adapter without a number of its own performs sixteen', () => {
    const adapter = fakeAdapter();
    const lanes = new Lanes<Fake>([adapter], 64, () => {});
    for (let n = 0; n < 20; n++) lanes.enter({ adapter, state: 'queued', n });
    expect(lanes.running.size).toBe(16);
  });

  test('a place that gets free goes to another adapter when only the overall number held that back (N2)', () => {
    const [one, two] = [fakeAdapter(), fakeAdapter()];
    const begun: number[] = [];
    const lanes = new Lanes<Fake>([one, two], 1, ({ n }) => begun.push(n));
    const flights = [one, two, one].map((adapter, n): Fake => ({ adapter, state: 'queued', n }));
    for (const flight of flights) lanes.enter(flight);
    expect(begun).toEqual([0]);
    lanes.leave(flights[0]!);
    lanes.leave(flights[2]!);
    expect(begun).toEqual([0, 2, 1]);
  });

  test('what is no longer queued is passed over, and has no place to give back (N3)', () => {
    const adapter = fakeAdapter(undefined, { maxConcurrency: 1 });
    const begun: number[] = [];
    const lanes = new Lanes<Fake>([adapter], 64, ({ n }) => begun.push(n));
    const flights = [0, 1, 2].map((n): Fake => ({ adapter, state: 'queued', n }));
    for (const flight of flights) lanes.enter(flight);
    flights[1]!.state = 'finished';
    lanes.leave(flights[1]!);
    expect(lanes.running.size).toBe(1);
    lanes.leave(flights[0]!);
    expect(begun).toEqual([0, 2]);
  });

  test('one that ends inside the call that began it leaves its place to the next', () => {
    const adapter = fakeAdapter(undefined, { maxConcurrency: 1 });
    const begun: number[] = [];
    const lanes = new Lanes<Fake>([adapter], 64, (flight) => {
      begun.push(flight.n);
      flight.state = 'finished';
      lanes.leave(flight);
    });
    for (const n of [0, 1, 2]) lanes.enter({ adapter, state: 'queued', n });
    expect(begun).toEqual([0, 1, 2]);
    expect(lanes.running.size).toBe(0);
  });

  test('whatever comes and goes, the numbers hold, order is kept, and none waits that need not (N1, N2)', () => {
    const setting = fc.record({
      overall: fc.integer({ min: 1, max: 6 }),
      own: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
    });
    const moves = fc.array(fc.oneof(fc.record({ enter: fc.nat(2) }), fc.record({ leave: fc.nat(20) })), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(setting, moves, ({ overall, own }, script) => {
        const adapters = own.map((maxConcurrency) => fakeAdapter(undefined, { maxConcurrency }));
        const waiting = adapters.map((): Fake[] => []);
        const lanes = new Lanes<Fake>(adapters, overall, (flight) => {
          expect(waiting[adapters.indexOf(flight.adapter as never)]!.shift()).toBe(flight);
          flight.state = 'running';
        });
        let n = 0;
        for (const move of script) {
          if ('enter' in move) {
            const k = move.enter % adapters.length;
            const flight: Fake = { adapter: adapters[k], state: 'queued', n: n++ };
            waiting[k]!.push(flight);
            lanes.enter(flight);
          } else {
            const running = [...lanes.running];
            const flight = running[move.leave % Math.max(1, running.length)];
            if (flight !== undefined) {
              flight.state = 'finished';
              lanes.leave(flight);
            }
          }
          const counts = adapters.map((a) => [...lanes.running].filter((f) => f.adapter === a).length);
          expect(lanes.running.size).toBeLessThanOrEqual(overall);
          for (const [k, count] of counts.entries()) {
            expect(count).toBeLessThanOrEqual(own[k]!);
            const couldBegin = count < own[k]! && lanes.running.size < overall;
            if (couldBegin) expect(waiting[k]).toEqual([]);
          }
        }
      }),
    );
  });
});
