import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../src/virtual-clock.ts';

describe('a virtual clock', () => {
  test('stands still until it is moved, and then moves both clocks alike', () => {
    const clock = new VirtualClock({ wallNs: 100n, monoNs: 7n });
    expect([clock.wallNs(), clock.monoNs()]).toEqual([100n, 7n]);
    clock.advance(5n);
    clock.advanceMs(2);
    expect([clock.wallNs(), clock.monoNs()]).toEqual([2_000_105n, 2_000_012n]);
  });

  test('runs timers in order of time, then of setting, each at its own time', () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    const note = (name: string) => () => seen.push(`${name} at ${clock.monoNs()}`);
    clock.setTimer(30n, note('c'));
    clock.setTimer(10n, note('a'));
    clock.setTimer(10n, note('b'));
    clock.setTimer(31n, note('d'));
    expect(clock.nextTimerNs).toBe(10n);
    clock.advance(30n);
    expect(seen).toEqual(['a at 10', 'b at 10', 'c at 30']);
    expect(clock.nextTimerNs).toBe(31n);
  });

  test('runs within one move what a timer sets within the span, and cancels what is cancelled', () => {
    const clock = new VirtualClock();
    const seen: bigint[] = [];
    const again = () => {
      seen.push(clock.monoNs());
      clock.setTimer(clock.monoNs() + 10n, again);
    };
    clock.setTimer(10n, again);
    clock.setTimer(15n, () => seen.push(-1n))();
    clock.advance(35n);
    expect(seen).toEqual([10n, 20n, 30n]);
    expect(clock.monoNs()).toBe(35n);
  });

  test('a timer in the past runs at the next move, even one by nothing, and never inside setTimer', () => {
    const clock = new VirtualClock({ monoNs: 50n });
    let runs = 0;
    clock.setTimer(10n, () => runs++);
    expect(runs).toBe(0);
    clock.advance(0n);
    expect(runs).toBe(1);
    expect(clock.monoNs()).toBe(50n);
  });

  test('steps of the wall clock leave monotonic time and timers alone; time does not go back', () => {
    const clock = new VirtualClock({ wallNs: 100n });
    clock.setTimer(5n, () => {
      throw new Error('not due');
    });
    clock.jumpWall(-60n);
    expect([clock.wallNs(), clock.monoNs()]).toEqual([40n, 0n]);
    expect(() => clock.advance(-1n)).toThrow(RangeError);
  });
});
