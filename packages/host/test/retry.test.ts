import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mayRetry, retryPauseMs } from '../src/retry.ts';

const policy = { max: 2, baseMs: 250, factor: 2, capMs: 5_000 };

describe('whether another attempt is permitted (`host.md` §3.1, §3.2)', () => {
  test('a retryable error, as often as the policy says', () => {
    expect([0, 1, 2].map((retries) => mayRetry({ retryable: true }, 'read', retries, policy))).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('no error that is not said to be retryable', () => {
    expect(mayRetry({}, 'keyed', 0, policy)).toBe(false);
    expect(mayRetry({ retryable: false, notSent: true }, 'at_most_once', 0, policy)).toBe(false);
  });

  test('what may be sent once only, while nothing was sent', () => {
    expect(mayRetry({ retryable: true }, 'at_most_once', 0, policy)).toBe(false);
    expect(mayRetry({ retryable: true, notSent: false }, 'at_most_once', 0, policy)).toBe(false);
    expect(mayRetry({ retryable: true, notSent: true }, 'at_most_once', 0, policy)).toBe(true);
  });
});

describe('the pause before it (`host.md` §3.2)', () => {
  test('is full jitter over a doubling, capped step; a Retry-After is taken as it is', () => {
    fc.assert(
      fc.property(fc.nat(12), fc.double({ min: 0, max: 0.999, noNaN: true }), (retries, r) => {
        const pause = retryPauseMs(policy, retries, undefined, () => r);
        expect(pause).toBeGreaterThanOrEqual(0);
        expect(pause).toBeLessThan(Math.min(5_000, 250 * 2 ** retries) + 1e-9);
      }),
    );
    expect(retryPauseMs(policy, 3, 1234, () => 0)).toBe(1234);
  });
});
