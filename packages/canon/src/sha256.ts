import { bytesEqual } from './bytes.ts';
import { fromHex } from './hex.ts';
import { highHalf, ROUND_WORDS, STATE_WORDS } from './sha2-constants.ts';

/**
 * SHA-256 (FIPS 180-4) in plain ECMAScript, so that pure packages need nothing. A host may install its native one; both
 * give the same bytes, so which one ran is not observable.
 */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

const ROUNDS = Int32Array.from(ROUND_WORDS.slice(0, 64), highHalf);
const START = Int32Array.from(STATE_WORDS, highHalf);

const state = new Int32Array(8);
const schedule = new Int32Array(64);
const tail = new Uint8Array(128);

/** A call into native code costs as much as one block here, which holds up to 55 bytes. Measured on Node 24. */
const NATIVE_FROM_BYTES = 56;

let installed: Sha256 | undefined;

/** A native implementation that is not there yet, and how many bytes may be hashed without it. */
let awaited: { readonly load: () => Sha256; bytesLeft: number } | undefined;

/** SHA-256 digest, 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= NATIVE_FROM_BYTES) {
    if (awaited !== undefined) awaitNative(awaited, bytes.length);
    if (installed !== undefined) return installed(bytes);
  }
  return sha256Portable(bytes);
}

function awaitNative(native: NonNullable<typeof awaited>, bytes: number): void {
  native.bytesLeft -= bytes;
  if (native.bytesLeft >= 0) return;
  awaited = undefined;
  installSha256(native.load());
}

/**
 * Hash long inputs with a native implementation from now on.
 *
 * @param native - What it returns becomes the digest when it is a plain `Uint8Array`, so that must be nobody else's.
 * @throws Error if it gets test inputs wrong: a world hashed by it could never be reopened.
 */
export function installSha256(native: Sha256): void {
  const adapted: Sha256 = (bytes) => {
    const digest = native(bytes);
    // A host's buffer may be a view into a shared pool; the copy keeps neither the pool nor its class alive. Asking an
    // array for its `buffer` would move it out of the heap.
    return digest.constructor === Uint8Array ? digest : new Uint8Array(digest);
  };
  const abc = Uint8Array.of(0x61, 0x62, 0x63);
  const published = fromHex('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad') as Uint8Array;
  let right = bytesEqual(adapted(abc), published);
  for (const length of [0, 55, 64, 119, 1000]) {
    const input = Uint8Array.from({ length }, (_, i) => (i * 131) & 0xff);
    right &&= bytesEqual(adapted(input), sha256Portable(input));
  }
  if (!right) throw new Error('the installed SHA-256 does not compute SHA-256');
  installed = adapted;
  awaited = undefined;
}

/**
 * Install a native implementation as soon as there is much to hash: loading it may take longer than hashing a little.
 *
 * @param afterBytes - Hashed by the implementation of this package first.
 * @param load - Called at most once; its result is tried as `installSha256` tries it, and what that throws comes out of
 *   the call of `sha256` that had one byte too many.
 */
export function installSha256Later(afterBytes: number, load: () => Sha256): void {
  awaited = { load, bytesLeft: afterBytes };
}

/** The implementation of this package, whatever is installed. */
export function sha256Portable(bytes: Uint8Array): Uint8Array {
  state.set(START);
  const { length } = bytes;
  const whole = length - (length % 64);
  for (let at = 0; at < whole; at += 64) compress(bytes, at);

  const rest = length - whole;
  const padded = rest < 56 ? 64 : 128;
  for (let i = 0; i < rest; i++) tail[i] = bytes[whole + i] as number;
  tail[rest] = 0x80;
  for (let i = rest + 1; i < padded; i++) tail[i] = 0;
  // Length in bits, 64-bit big-endian; a byte length is below 2^53, so the split by 2^29 is exact.
  const high = Math.floor(length / 0x2000_0000);
  const low = length << 3;
  for (let i = 0; i < 4; i++) {
    tail[padded - 8 + i] = high >>> (24 - 8 * i);
    tail[padded - 4 + i] = low >>> (24 - 8 * i);
  }
  compress(tail, 0);
  if (padded === 128) compress(tail, 64);

  const digest = new Uint8Array(32);
  for (let i = 0; i < 8; i++) {
    const word = state[i] as number;
    digest[4 * i] = word >>> 24;
    digest[4 * i + 1] = word >>> 16;
    digest[4 * i + 2] = word >>> 8;
    digest[4 * i + 3] = word;
  }
  return digest;
}

function compress(input: Uint8Array, offset: number): void {
  const w = schedule;
  for (let i = 0, at = offset; i < 16; i++, at += 4) {
    w[i] =
      ((input[at] as number) << 24) |
      ((input[at + 1] as number) << 16) |
      ((input[at + 2] as number) << 8) |
      (input[at + 3] as number);
  }
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15] as number;
    const y = w[i - 2] as number;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = ((w[i - 16] as number) + s0 + (w[i - 7] as number) + s1) | 0;
  }
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  let e = state[4] as number;
  let f = state[5] as number;
  let g = state[6] as number;
  let h = state[7] as number;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + (g ^ (e & (f ^ g))) + (ROUNDS[i] as number) + (w[i] as number)) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] = ((state[0] as number) + a) | 0;
  state[1] = ((state[1] as number) + b) | 0;
  state[2] = ((state[2] as number) + c) | 0;
  state[3] = ((state[3] as number) + d) | 0;
  state[4] = ((state[4] as number) + e) | 0;
  state[5] = ((state[5] as number) + f) | 0;
  state[6] = ((state[6] as number) + g) | 0;
  state[7] = ((state[7] as number) + h) | 0;
}
