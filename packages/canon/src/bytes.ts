const U64_MAX = 0xffff_ffff_ffff_ffffn;

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  const { length } = a;
  if (length !== b.length) return false;
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * 8 bytes, big-endian.
 *
 * @throws RangeError outside 0 … 2^64−1, and for a number that is no safe integer.
 */
export function u64be(n: number | bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  let high: number;
  let low: number;
  if (typeof n === 'number') {
    if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`${n} is not a u64`);
    high = Math.floor(n / 0x1_0000_0000);
    low = n % 0x1_0000_0000;
  } else {
    if (n < 0n || n > U64_MAX) throw new RangeError(`${n} is not a u64`);
    high = Number(n >> 32n);
    low = Number(n & 0xffff_ffffn);
  }
  for (let i = 3; i >= 0; i--) {
    bytes[i] = high & 0xff;
    bytes[i + 4] = low & 0xff;
    high >>>= 8;
    low >>>= 8;
  }
  return bytes;
}
