import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { within } from '../src/within.ts';

describe('work that has only so much time', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('what finishes in time leaves no timer behind', async () => {
    expect(await within(1_000, async () => {})).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('what takes longer is not waited for', async () => {
    const answer = within(1_000, () => new Promise(() => {}));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await answer).toBe(false);
  });

  test('a signal ends the wait, however long it may last, and leaves no timer behind', async () => {
    const hurry = new AbortController();
    const answers = [1_000, Number.POSITIVE_INFINITY].map((ms) =>
      within(ms, () => new Promise(() => {}), hurry.signal),
    );
    hurry.abort();
    expect(await Promise.all(answers)).toEqual([false, false]);
    expect(vi.getTimerCount()).toBe(0);
    let ran = false;
    const late = await within(
      1_000,
      async () => {
        ran = true;
      },
      hurry.signal,
    );
    expect([late, ran]).toEqual([false, false]);
  });

  test('a failure of the work is the caller’s', async () => {
    await expect(within(1_000, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(vi.getTimerCount()).toBe(0);
  });
});
