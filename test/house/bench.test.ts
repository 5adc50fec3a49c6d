import { describe, expect, test } from 'vitest';
import { betterOf, compareAll, fall, keeps, TOLERANCE, unmeasured } from '../../tools/bench/comparison.mjs';
import { FIGURES } from '../../tools/bench/figures/all.mjs';
import stored from '../../tools/bench/ratios.json' with { type: 'json' };
import { floor, mean, median, percentile, round, slope } from '../../tools/bench/statistics.mjs';
import { markdown, text } from '../../tools/bench/table.mjs';

// The arithmetic of the bench, with numbers made up here. How fast anything is, no test says.

interface Gate {
  readonly value: number;
  readonly unit: string;
  readonly better: string;
  readonly isCounted?: boolean;
}

const lower = (value: number): Gate => ({ value, unit: 'CPU units', better: 'lower' });
const higher = (value: number): Gate => ({ value, unit: 'records', better: 'higher' });
const row = (id: string, gate: Gate) => ({
  id,
  what: id,
  value: gate.value,
  unit: gate.unit,
  gate,
});

/** A figure whose attempts give these values; it counts how often it was measured. */
function figure(id: string, values: readonly number[], gate = lower) {
  const measured = { count: 0 };
  const measure = async (attempt: number) => {
    measured.count++;
    return [row(id, gate(values[attempt - 1]!))];
  };
  return { measure, measured };
}

describe('statistics', () => {
  test('a percentile is a value that was measured, and that share of all does not exceed it', () => {
    const values = [5, 1, 4, 2, 3];
    expect(percentile(values, 0.5)).toBe(3);
    expect(percentile(values, 0.95)).toBe(5);
    expect(percentile(values, 0.2)).toBe(1);
    expect(percentile([7], 0.99)).toBe(7);
    expect(values).toEqual([5, 1, 4, 2, 3]);
  });

  test('p99 of a thousand leaves ten above it', () => {
    const values = Array.from({ length: 1000 }, (_, i) => i + 1);
    const p99 = percentile(values, 0.99);
    expect(values.filter((value) => value > p99)).toHaveLength(10);
  });

  test('what something takes undisturbed is the value that nine tenths exceed', () => {
    expect(floor(Array.from({ length: 20 }, (_, i) => i + 1))).toBe(2);
    expect(floor([8, 3, 5])).toBe(3);
  });

  test('a median of an even count lies between the two in the middle', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([9, 1, 5])).toBe(5);
  });

  test('a slope is the change per unit, wherever the line lies', () => {
    expect(slope([2, 3, 4, 5].map((x) => [x, 100 + 7 * x]))).toBeCloseTo(7);
    expect(slope([2, 3, 4, 5].map((x) => [x, 12]))).toBe(0);
    // Noise that goes up and down again leaves none.
    expect(
      slope([
        [0, 10],
        [1, 11],
        [2, 11],
        [3, 10],
      ]),
    ).toBe(0);
  });

  test('a mean and three digits', () => {
    expect(mean([1, 2, 6])).toBe(3);
    expect(round(12_345)).toBe(12_300);
    expect(round(0.0012345)).toBe(0.00123);
  });
});

describe('comparison with the stored ratios', () => {
  test('a fall is how much worse, whichever direction is worse', () => {
    expect(fall(lower(15), 10)).toBeCloseTo(0.5);
    expect(fall(lower(5), 10)).toBeCloseTo(-0.5);
    expect(fall(higher(50), 100)).toBeCloseTo(1);
    expect(fall(higher(200), 100)).toBeCloseTo(-0.5);
  });

  test('of two attempts the better one counts', () => {
    expect(betterOf(undefined, lower(3))).toEqual(lower(3));
    expect(betterOf(lower(2), lower(3))).toEqual(lower(2));
    expect(betterOf(higher(2), higher(3))).toEqual(higher(3));
  });

  test('one good attempt is enough, and nothing is measured after it', async () => {
    const one = figure('one', [20, 12, 11]);
    const verdicts = await compareAll({ one: one.measure }, { one: 10 }, 3);
    expect(verdicts).toMatchObject([{ id: 'one', isMet: true, attempts: 2, gate: lower(12) }]);
    expect(one.measured.count).toBe(2);
  });

  test('a figure that is worse in every attempt has fallen', async () => {
    const one = figure('one', [20, 14, 15]);
    const [verdict] = await compareAll({ one: one.measure }, { one: 10 }, 3);
    expect(verdict).toMatchObject({ id: 'one', isMet: false, attempts: 3, gate: lower(14) });
    expect(verdict?.fall).toBeCloseTo(0.4);
  });

  test('only the fallen figure is measured again', async () => {
    const [good, bad] = [figure('good', [10]), figure('bad', [99, 99])];
    const verdicts = await compareAll({ good: good.measure, bad: bad.measure }, { good: 10, bad: 10 }, 2);
    expect(verdicts.map(({ id, isMet }) => [id, isMet])).toEqual([
      ['good', true],
      ['bad', false],
    ]);
    expect([good.measured.count, bad.measured.count]).toEqual([1, 2]);
  });

  test('a fallen figure is measured again after all others', async () => {
    const order: string[] = [];
    const named = (id: string, values: readonly number[]) => async (attempt: number) => {
      order.push(`${id} ${attempt}`);
      return [row(id, lower(values[attempt - 1]!))];
    };
    const figures = { a: named('a', [20, 10]), b: named('b', [10]), c: named('c', [20, 20, 10]) };
    const verdicts = await compareAll(figures, { a: 10, b: 10, c: 10 }, 4);
    expect(order).toEqual(['a 1', 'b 1', 'c 1', 'a 2', 'c 2', 'c 3']);
    expect(verdicts.map(({ isMet }) => isMet)).toEqual([true, true, true]);
  });

  test('the tolerance is 30 %: just below passes, just above does not', async () => {
    expect(TOLERANCE).toBe(0.3);
    for (const [value, isMet] of [
      [12.9, true],
      [13.1, false],
    ] as const) {
      const [verdict] = await compareAll({ one: figure('one', [value]).measure }, { one: 10 }, 1);
      expect(verdict?.isMet).toBe(isMet);
    }
    const [rate] = await compareAll({ one: figure('one', [70], higher).measure }, { one: 100 }, 1);
    expect(rate?.isMet).toBe(false);
  });

  test('a time that falls on a starved machine is undecided; what is counted is judged', async () => {
    const measure = async () => [row('timed', lower(20)), row('counted', { ...lower(20), isCounted: true })];
    const references = { timed: 10, counted: 10 };
    const starved = await compareAll({ measure }, references, 2, async () => 0.5);
    expect(starved).toMatchObject([
      { id: 'timed', isMet: true, undecided: true, attempts: 2 },
      { id: 'counted', isMet: false },
    ]);
    const free = await compareAll({ measure }, references, 2, async () => 0.95);
    expect(free.map(({ isMet }) => isMet)).toEqual([false, false]);
  });

  test('a gate without a reference, and a reference without a gate, are both found', async () => {
    const verdicts = await compareAll({ one: figure('new', [5]).measure }, { old: 10 }, 1);
    expect(verdicts).toMatchObject([{ id: 'new', reference: undefined, isMet: true }]);
    expect(unmeasured(verdicts, { old: 10 })).toEqual(['old']);
  });

  test('what a system cannot measure is said, not taken for lost', async () => {
    const measure = async () => [{ id: 'counted', what: 'counted', failure: 'this system does not count them' }];
    const verdicts = await compareAll({ measure }, { counted: 10 }, 3);
    expect(verdicts).toMatchObject([{ id: 'counted', isMet: true, attempts: 1 }]);
    expect(verdicts[0]).toHaveProperty('failure');
    expect(unmeasured(verdicts, { counted: 10 })).toEqual([]);
  });

  test('the stored file says where it was measured, and every ratio which direction is worse', () => {
    expect(stored.machine).toMatchObject({ node: expect.any(String), date: expect.any(String) });
    expect(Object.keys(stored.ratios).length).toBeGreaterThan(10);
    for (const ratio of Object.values(stored.ratios)) {
      expect(ratio.value).toBeGreaterThan(0);
      expect(['lower', 'higher']).toContain(ratio.better);
    }
  });
});

describe('the report', () => {
  test('a bound is kept at the bound itself', () => {
    expect(keeps(2.5, { max: 2.5 })).toBe(true);
    expect(keeps(2.51, { max: 2.5 })).toBe(false);
    expect(keeps(3000, { min: 3000 })).toBe(true);
    expect(keeps(2999, { min: 3000 })).toBe(false);
    expect(keeps(1, undefined)).toBe(undefined);
  });

  const rows = [
    { id: 'a', what: 'rate', value: 123_456, unit: 'records/s', bound: { min: 120_000 }, note: 'n = 3' },
    { id: 'b', what: 'ratio', value: 4.18765, unit: '×', bound: { max: 2.5 } },
    { id: 'c', what: 'gone', failure: 'no such file' },
  ];

  test('what was not measured stands in the table with its reason', () => {
    expect(text(rows)).toMatch(/gone +not measured +no such file/);
    expect(markdown(rows)).toContain('| gone |  | not measured |  | no such file |');
  });

  test('a row says its bound and whether it is met', () => {
    const lines = markdown(rows).split('\n');
    expect(lines[2]).toBe('| rate | ≥ 120 000 records/s | 123 000 records/s | met | n = 3 |');
    expect(lines[3]).toBe('| ratio | ≤ 2.5 × | 4.19 × | NOT MET |  |');
  });

  test('every figure is one function, named once', () => {
    expect(Object.keys(FIGURES).length).toBeGreaterThanOrEqual(9);
    for (const measure of Object.values(FIGURES)) expect(measure).toBeTypeOf('function');
  });
});
