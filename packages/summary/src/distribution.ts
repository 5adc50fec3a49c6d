import type { Distribution } from './summary.ts';

const FIRST_CAPACITY = 16;

/**
 * Observed times, to be ranked exactly at the end. Exact percentiles need every value, so this is the one part of a
 * summary that grows with ended runs and answered intents: eight bytes each.
 */
export class Times {
  #values = new BigUint64Array(FIRST_CAPACITY);
  #count = 0;

  /** @param ns - Not negative: logical time never goes back. */
  add(ns: bigint): void {
    if (this.#count === this.#values.length) {
      const larger = new BigUint64Array(this.#values.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#count] = ns;
    this.#count += 1;
  }

  values(): BigUint64Array {
    return this.#values.subarray(0, this.#count);
  }
}

/** Nearest rank: sort ascending, `p = x[⌈p/100 · n⌉ − 1]` (`summaries.md` §4). */
export function distributionOf(parts: readonly Times[]): Distribution {
  const count = parts.reduce((sum, part) => sum + part.values().length, 0);
  const sorted = new BigUint64Array(count);
  let filled = 0;
  for (const part of parts) {
    sorted.set(part.values(), filled);
    filled += part.values().length;
  }
  sorted.sort();
  const rank = (percent: number): bigint => sorted[quotientUp(percent * count, 100) - 1] ?? 0n;
  return { count, p50: rank(50), p90: rank(90), p95: rank(95), p99: rank(99), max: sorted[count - 1] ?? 0n };
}

/** `⌈a / b⌉` in whole numbers: a rounded quotient could pick the neighbour. */
function quotientUp(a: number, b: number): number {
  const rest = a % b;
  return (a - rest) / b + (rest === 0 ? 0 : 1);
}
