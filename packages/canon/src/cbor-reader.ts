import { textAt } from './short-text.ts';

/**
 * Canonical CBOR, piece by piece: for a reader that knows the shape of what it reads and takes each item in its place.
 *
 * It takes exactly what `decodeCanonical` takes and gives no reasons: once something is not as expected, `isGood` is
 * false for good, every answer is a filler, and the caller reads the bytes again with `decodeCanonical`, which can tell
 * why. Byte strings are views of the input, not copies.
 */
export class CborReader {
  #bytes: Uint8Array = EMPTY;
  #at = 0;
  #isGood = false;

  /** Begins with a document: its prefix is read. */
  begin(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#isGood = bytes.length > 3 && bytes[0] === 0xd9 && bytes[1] === 0xd9 && bytes[2] === 0xf7;
    this.#at = 3;
  }

  /** All was as expected so far. */
  get isGood(): boolean {
    return this.#isGood;
  }

  /** As `isGood`, and nothing is left. Lets go of the input. */
  end(): boolean {
    const isWhole = this.#isGood && this.#at === this.#bytes.length;
    this.#bytes = EMPTY;
    this.#isGood = false;
    return isWhole;
  }

  /** Takes the bytes that must come next. @returns whether they did; if not, nothing was taken. */
  takes(encoded: Uint8Array): boolean {
    const bytes = this.#bytes;
    const at = this.#at;
    const { length } = encoded;
    if (at + length > bytes.length) return false;
    for (let i = 0; i < length; i++) if (bytes[at + i] !== encoded[i]) return false;
    this.#at = at + length;
    return true;
  }

  /** As `takes`, where nothing else may come. */
  expect(encoded: Uint8Array): void {
    if (!this.takes(encoded)) this.#isGood = false;
  }

  /** Number of entries. */
  map(): number {
    return this.#argument(0xa0);
  }

  /** Number of items. */
  array(): number {
    return this.#argument(0x80);
  }

  /** An integer from 0 that is safe as a number. */
  count(): number {
    const count = this.#argument(0x00);
    if (count <= Number.MAX_SAFE_INTEGER) return count;
    this.#isGood = false;
    return 0;
  }

  /** An integer in 0 … 2^64−1. */
  u64(): bigint {
    const at = this.#at;
    const argument = this.#argument(0x00);
    if (argument <= Number.MAX_SAFE_INTEGER) return BigInt(argument);
    const bytes = this.#bytes;
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(at + 1);
  }

  bytes(): Uint8Array {
    const length = this.#argument(0x40);
    const from = this.#at;
    if (length > this.#bytes.length - from) {
      this.#isGood = false;
      return EMPTY;
    }
    this.#at = from + length;
    return this.#bytes.subarray(from, from + length);
  }

  text(): string {
    const length = this.#argument(0x60);
    const from = this.#at;
    const text = length > this.#bytes.length - from ? undefined : textAt(this.#bytes, from, length);
    if (text === undefined) {
      this.#isGood = false;
      return '';
    }
    this.#at = from + length;
    return text;
  }

  /** Argument of a head of this major type, in its shortest form; beyond 2^53 only its magnitude is right. */
  #argument(major: number): number {
    const bytes = this.#bytes;
    let at = this.#at;
    const initial = at < bytes.length ? (bytes[at] as number) : 0xff;
    const info = initial - major;
    if (info < 0 || info > 27) return this.#bad();
    at++;
    if (info < 24) {
      this.#at = at;
      return info;
    }
    const size = 1 << (info - 24);
    if (at + size > bytes.length) return this.#bad();
    let argument = 0;
    for (let i = 0; i < size; i++) argument = argument * 256 + (bytes[at + i] as number);
    if (argument < SHORTEST[info - 24]!) return this.#bad();
    this.#at = at + size;
    return argument;
  }

  #bad(): number {
    this.#isGood = false;
    return 0;
  }
}

const EMPTY = new Uint8Array(0);

/** Smallest argument that needs a head of 1, 2, 4, 8 bytes more. */
const SHORTEST = [24, 0x100, 0x1_0000, 0x1_0000_0000];
