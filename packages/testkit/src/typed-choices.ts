import fc from 'fast-check';

/**
 * The decisions of a generated world, as plain numbers that fast-check draws and shrinks.
 *
 * What a plan may contain depends on what its earlier steps bind, so its parts cannot be independent arbitraries; and
 * arbitraries chained on each other shrink badly. So fast-check makes *sketches*, records and arrays of numbers, and an
 * elaboration turns a sketch into a world, asking the numbers wherever there is a choice. A list of numbers never runs
 * out: behind its end stand zeros, and zero always chooses the simplest there is. Fewer and smaller numbers are a smaller
 * world, which is what fast-check looks for.
 */
export class Choices {
  readonly #numbers: readonly number[];
  #at = 0;

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  /** An integer in `[0, limit)`; 0 when the numbers are used up. */
  below(limit: number): number {
    const n = this.#numbers[this.#at++] ?? 0;
    return limit <= 1 ? 0 : n % limit;
  }

  /** True in `percent` of a hundred cases, false when the numbers are used up. */
  chance(percent: number): boolean {
    return this.below(100) >= 100 - percent;
  }

  /** @param items - not empty, the simplest first. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** @param items - weight and item, not empty, weights positive; the simplest first. */
  weighted<T>(items: readonly (readonly [weight: number, item: T])[]): T {
    let at = this.below(items.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, item] of items) {
      if (at < weight) return item;
      at -= weight;
    }
    return (items.at(-1) as readonly [number, T])[1];
  }

  /** Between `min` and `max` things, few rather than many. */
  count(min: number, max: number): number {
    let count = min;
    while (count < max && this.chance(55)) count++;
    return count;
  }
}

/** Numbers for one `Choices`. */
export function choicesArb(maxLength: number): fc.Arbitrary<number[]> {
  return fc.array(fc.nat(0xffff), { maxLength, size: 'max' });
}
