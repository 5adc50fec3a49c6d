import type { Failure } from './result.ts';

/**
 * What canonical CBOR can say (`values.md` §5).
 *
 * Integers: a JS number is always a safe integer; beyond ±(2^53−1) it is a bigint. The encoder takes a bigint of any
 * size in −2^64 … 2^64−1; the decoder gives a number whenever it is safe, so equal integers are always the same JS value.
 */
export type CborValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly CborValue[]
  | ReadonlyMap<CborValue, CborValue>
  | { readonly [key: string]: CborValue | undefined };

export type CborFailureCode =
  | 'cbor.malformed'
  | 'cbor.trailing'
  | 'cbor.depth'
  | 'cbor.unsupported'
  | 'cbor.duplicate_key';

/** Why bytes were not taken (`values.md` §9), and where. */
export interface CborFailure extends Failure {
  readonly code: CborFailureCode;
  /** Index of the byte at which the trouble starts. */
  readonly offset: number;
}

/** Nesting of arrays and maps that input may have: `values.md` §5. A scalar at the root has nesting 0, `[[]]` has 2. */
export const NESTING_MAX = 128;

/**
 * Nesting that encoder and decoder can handle at all. State nodes embed values that may already use up `NESTING_MAX`,
 * so the encoder's own limit is wider; it exists to turn a cyclic value into a clear error.
 */
export const NESTING_LIMIT = 1024;
