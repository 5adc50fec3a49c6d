import type { DeliveryClass, EffectError } from '@worldline/ports';
import type { RetryPolicy } from './config.ts';

/** When an attempt that failed is followed by another (`host.md` §3.1, §3.2). */

/**
 * Whether error and delivery class permit another attempt. What may be sent once only is repeated only where the adapter
 * says that nothing was sent.
 *
 * @param retries - how many there were already; the first attempt is none.
 */
export function mayRetry(
  error: Pick<EffectError, 'retryable' | 'notSent'>,
  deliveryClass: DeliveryClass,
  retries: number,
  policy: RetryPolicy,
): boolean {
  if (error.retryable !== true || retries >= policy.max) return false;
  return deliveryClass !== 'at_most_once' || error.notSent === true;
}

/**
 * Pause before retry number `retries + 1`, ms: full jitter over the exponential step, or what the provider asked for.
 *
 * @param random - in [0, 1).
 */
export function retryPauseMs(
  policy: RetryPolicy,
  retries: number,
  retryAfterMs: number | undefined,
  random: () => number,
): number {
  if (retryAfterMs !== undefined && retryAfterMs >= 0) return retryAfterMs;
  return random() * Math.min(policy.capMs, policy.baseMs * policy.factor ** retries);
}
