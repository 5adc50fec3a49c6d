/**
 * Constants of SHA-2 (FIPS 180-4 §4.2, §5.3), computed from their definition: the first 64 fractional bits of the cube
 * roots of the first 80 primes (rounds) and of the square roots of the first 8 (initial state). SHA-256 takes the first
 * 32 bits of the same numbers.
 */

const PRIMES: readonly number[] = firstPrimes(80);

/** Round constants as 64-bit words. */
export const ROUND_WORDS: readonly bigint[] = PRIMES.map((prime) => fraction(root(BigInt(prime) << 192n, 3n)));

/** Initial state as 64-bit words. */
export const STATE_WORDS: readonly bigint[] = PRIMES.slice(0, 8).map((prime) =>
  fraction(root(BigInt(prime) << 128n, 2n)),
);

export function highHalf(word: bigint): number {
  return Number(word >> 32n) | 0;
}

export function lowHalf(word: bigint): number {
  return Number(word & 0xffff_ffffn) | 0;
}

function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return primes;
}

function fraction(fixedPoint: bigint): bigint {
  return fixedPoint & 0xffff_ffff_ffff_ffffn;
}

/** Floor of the `degree`-th root, by Newton's method from above. */
function root(n: bigint, degree: bigint): bigint {
  let guess = 1n << 69n;
  for (;;) {
    const next = ((degree - 1n) * guess + n / guess ** (degree - 1n)) / degree;
    if (next >= guess) return guess;
    guess = next;
  }
}
