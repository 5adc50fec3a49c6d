import { expect, test } from 'vitest';
import { ShortWait } from '../src/short-wait.ts';

const MAX_MS = 1;

function after(times: readonly number[], processors = 2): number {
  const wait = new ShortWait(MAX_MS, processors);
  for (const ms of times) wait.took(ms);
  return wait.awakeMs;
}

const repeat = (count: number, ms: number) => Array.from({ length: count }, () => ms);

test('a thread stays awake where waits have been short, and only there (A1)', () => {
  expect(after([])).toBe(0);
  expect(after(repeat(50, 0.1))).toBe(MAX_MS);
  expect(after(repeat(50, 0.9))).toBe(0);
});

test('one long wait among short ones changes nothing; many do, and short ones bring it back', () => {
  const short = repeat(50, 0.1);
  expect(after([...short, 10_000])).toBe(MAX_MS);
  expect(after([...short, ...repeat(20, 10_000)])).toBe(0);
  expect(after([...short, ...repeat(20, 10_000), ...short])).toBe(MAX_MS);
});

test('with one processor nobody stays awake: the other side could not run', () => {
  expect(after(repeat(50, 0.1), 1)).toBe(0);
});
