import { VirtualClock } from '@worldline/testkit';
import { describe, expect, test } from 'vitest';
import { type Limited, TimeLimits } from '../src/time-limits.ts';

const SECOND = 1_000_000_000n;

interface Fake extends Limited {
  readonly aborted: string[];
}

function limited(deadlineNs: bigint): Fake {
  const aborted: string[] = [];
  return { deadlineNs, isExpired: false, aborted, abort: (reason) => aborted.push(reason) };
}

function limitsOf(...deadlines: bigint[]) {
  const clock = new VirtualClock();
  const flights = deadlines.map(limited);
  const running = new Set(flights);
  const givenUp: Fake[] = [];
  const limits = new TimeLimits<Fake>({
    clock,
    running,
    giveUp(flight) {
      givenUp.push(flight);
      running.delete(flight);
    },
  });
  for (const { deadlineNs } of flights) limits.watch(deadlineNs);
  return { clock, flights, running, givenUp, limits };
}

describe('time limits (`host.md` §3.5)', () => {
  test('at each limit its signal fires, once, and no other', () => {
    const { clock, flights } = limitsOf(3n * SECOND, 1n * SECOND, 2n * SECOND);
    clock.advance(SECOND - 1n);
    expect(flights.map((f) => f.aborted)).toEqual([[], [], []]);
    clock.advance(1n);
    expect(flights.map((f) => f.aborted)).toEqual([[], ['timeout'], []]);
    clock.advance(2n * SECOND);
    expect(flights.map((f) => f.aborted)).toEqual([['timeout'], ['timeout'], ['timeout']]);
  });

  test('who ignores the signal for five seconds is given up; who leaves in that time is not', () => {
    const { clock, flights, running, givenUp } = limitsOf(SECOND, SECOND);
    clock.advance(2n * SECOND);
    running.delete(flights[0]!);
    clock.advance(4n * SECOND - 1n);
    expect(givenUp).toEqual([]);
    clock.advance(1n);
    expect(givenUp).toEqual([flights[1]]);
  });

  test('one timer is set, for the nearest, and none when nothing runs', () => {
    const { clock, running, limits } = limitsOf(9n * SECOND, 3n * SECOND);
    expect(clock.nextTimerNs).toBe(3n * SECOND);
    running.clear();
    clock.advance(3n * SECOND);
    expect(clock.nextTimerNs).toBeUndefined();
    limits.watch(5n * SECOND);
    expect(clock.nextTimerNs).toBe(5n * SECOND);
  });

  test('once stopped no timer is left, and none is set', () => {
    const { clock, flights, limits } = limitsOf(SECOND);
    limits.stop();
    limits.watch(2n * SECOND);
    expect(clock.nextTimerNs).toBeUndefined();
    clock.advance(10n * SECOND);
    expect(flights[0]!.aborted).toEqual([]);
  });
});
