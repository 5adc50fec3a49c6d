import { describe, expect, test } from 'vitest';
import { randomOf } from '../../tools/bench/soak/traffic.mjs';
import { judge } from '../../tools/bench/soak/verdict.mjs';

// How the soak judges, with samples made up here.

const MIB = 1024 * 1024;
const ONE = { p50: 2, p99: 10 };

interface Sample {
  readonly minute: number;
  readonly kept: number;
  readonly rss: number;
  readonly run: typeof ONE;
  readonly wake: typeof ONE;
  readonly late: typeof ONE;
  readonly per_s: number;
}

function samples(change: (minute: number) => Partial<Sample> = () => ({})): Sample[] {
  return Array.from({ length: 20 }, (_, i) => ({
    minute: i + 1,
    kept: 20 * MIB,
    rss: 300 * MIB,
    run: ONE,
    wake: ONE,
    late: ONE,
    per_s: 100,
    ...change(i + 1),
  }));
}

const WELL = { errors: [] as string[], unfinished: 0, rate: 100, replay: { match: true, records: 1 } };

/** Names of the promises that were not kept. */
function broken(taken: readonly Sample[], run: object = {}): string[] {
  return judge(taken, { ...WELL, ...run })
    .filter(({ isMet }) => !isMet)
    .map(({ name }) => name);
}

describe('the verdict of the soak', () => {
  test('a quiet one keeps every promise', () => {
    expect(broken(samples())).toEqual([]);
  });

  test('a leak of half a megabyte per minute is found', () => {
    expect(broken(samples((minute) => ({ kept: (20 + minute / 2) * MIB })))).toEqual([
      expect.stringContaining('memory after collection'),
    ]);
  });

  test('a leak outside the heap is found in the pages of the process', () => {
    expect(broken(samples((minute) => ({ rss: (300 + 5 * minute) * MIB })))).toEqual([
      expect.stringContaining('pages of the process'),
    ]);
  });

  test('what a collector leaves now and then is no leak', () => {
    expect(broken(samples((minute) => ({ kept: (20 + (minute % 3)) * MIB })))).toEqual([]);
  });

  test('growth while a world warms up is none', () => {
    expect(broken(samples((minute) => ({ kept: Math.min(20, 10 + 2 * minute) * MIB })))).toEqual([]);
  });

  test('answers that get slower are found, for each kind of answer', () => {
    for (const of of ['run', 'wake', 'late'] as const) {
      const slower = samples((minute) => ({ [of]: { p50: 2, p99: 10 + minute } }));
      expect(broken(slower)).toEqual([expect.stringContaining(`p99 of ${of}`)]);
    }
  });

  test('one slow minute is not a trend', () => {
    expect(broken(samples((minute) => ({ run: { p50: 2, p99: minute === 20 ? 500 : 10 } })))).toEqual([]);
  });

  test('a world that cannot keep up, an error, an open job, a replay that differs: each breaks its promise', () => {
    expect(broken(samples(() => ({ per_s: 90 })))).toEqual(['jobs per second']);
    expect(broken(samples(), { errors: ['timeout'] })).toEqual(['errors and unfinished jobs']);
    expect(broken(samples(), { unfinished: 1 })).toEqual(['errors and unfinished jobs']);
    expect(broken(samples(), { replay: { match: false, message: 'replay.divergence' } })).toEqual(['replay']);
  });
});

test('two soaks with one seed make the same choices', () => {
  const [a, b, c] = [randomOf(7), randomOf(7), randomOf(8)];
  const draw = (random: () => number) => Array.from({ length: 100 }, random);
  const drawn = draw(a);
  expect(draw(b)).toEqual(drawn);
  expect(draw(c)).not.toEqual(drawn);
  expect(drawn.every((x) => x >= 0 && x < 1)).toBe(true);
});
