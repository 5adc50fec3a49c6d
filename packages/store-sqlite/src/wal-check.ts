import { readFileSync } from 'node:fs';

/**
 * Damage inside a write-ahead log (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
 *
 * When SQLite takes up a log after a crash it keeps the transactions before the first frame with a wrong checksum and
 * drops the rest without a word. That is right for a write that was interrupted. But with `synchronous = FULL` nothing
 * is written behind a transaction before that one is durable: a wrong frame with a whole later transaction behind it was
 * durable once, and dropping it would lose what was acknowledged (`journal.md` §2: corruption, never repaired silently).
 *
 * C1  Only frames of the log's present generation count, told by their salt. Behind its end an older one may lie.
 * C2  A frame behind a wrong one is judged from the checksum that stands in its predecessor, since each continues the
 *     one before.
 */

const HEADER = 32;
const FRAME_HEADER = 24;

export interface WalDamage {
  /** Byte offset of the first part that is wrong. */
  readonly offset: number;
  /** Whole transactions behind it, which SQLite would drop. */
  readonly lost: number;
}

/** @returns undefined when the log is sound, torn at its end, or not there. */
export function findWalDamage(path: string): WalDamage | undefined {
  const bytes = readLog(path);
  if (bytes === undefined) return undefined;
  const found = scan(bytes);
  if (found === undefined) return undefined;
  // Another process may have begun the log anew while it was read: then the header has another salt by now.
  const again = readLog(path);
  if (again === undefined || !same(bytes, again, 0, HEADER)) return undefined;
  return found;
}

function readLog(path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    // A buffer of its own, so that words lie where a typed array can look at them.
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Words of a log in the byte order that it names; logs of this machine's own order are read four bytes at a time. */
class Log {
  readonly view: DataView;
  readonly #words: Int32Array;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.view = new DataView(bytes.buffer);
    this.#words = new Int32Array(bytes.buffer, 0, bytes.length >> 2);
  }

  sums({ at, length, little }: Span, [from0, from1]: Sums): Sums {
    let [s0, s1] = [from0 | 0, from1 | 0];
    if (little === IS_LITTLE) {
      const words = this.#words;
      for (let i = at >> 2; i < (at + length) >> 2; i += 2) {
        s0 = (s0 + words[i]! + s1) | 0;
        s1 = (s1 + words[i + 1]! + s0) | 0;
      }
    } else {
      for (let i = at; i < at + length; i += 8) {
        s0 = (s0 + this.view.getInt32(i, little) + s1) | 0;
        s1 = (s1 + this.view.getInt32(i + 4, little) + s0) | 0;
      }
    }
    return [s0 >>> 0, s1 >>> 0];
  }

  isSound(span: Span, before: Sums, expected: Sums): boolean {
    const [s0, s1] = this.sums(span, before);
    return s0 === expected[0] && s1 === expected[1];
  }
}

const IS_LITTLE = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

function scan(bytes: Uint8Array<ArrayBuffer>): WalDamage | undefined {
  const log = new Log(bytes);
  const { view } = log;
  if (bytes.length <= HEADER + FRAME_HEADER) return undefined;
  const magic = view.getUint32(0);
  const little = magic === 0x377f0682;
  const pageSize = view.getUint32(8);
  const isHeader =
    (little || magic === 0x377f0683) && log.isSound({ at: 0, length: 24, little }, [0, 0], stored(view, 24));
  // The header is synced before the first frame is written, so frames without one were durable under one.
  if (!isHeader) return bytes.subarray(0, HEADER).some((byte) => byte !== 0) ? { offset: 0, lost: 1 } : undefined;
  const frameBytes = FRAME_HEADER + pageSize;
  const isSalted = (at: number) => same(bytes, bytes, at + 8, 8, 16);
  const isSound = (at: number, before: Sums) => {
    const middle = log.sums({ at, length: 8, little }, before);
    return log.isSound({ at: at + FRAME_HEADER, length: pageSize, little }, middle, stored(view, at + 16));
  };
  let before = stored(view, 24);
  let damaged: number | undefined;
  // Whether the transaction of the first wrong frame has ended; what comes then is another one.
  let hasEnded = false;
  let lost = 0;
  for (let at = HEADER; at + frameBytes <= bytes.length; at += frameBytes) {
    const isCommit = view.getUint32(at + 4) > 0;
    const isGood = isSalted(at) && isSound(at, before);
    if (damaged === undefined && !isGood) damaged = at;
    if (damaged !== undefined) {
      if (isGood && isCommit && hasEnded) lost++;
      hasEnded ||= isCommit;
    }
    before = stored(view, at + 16);
  }
  return damaged === undefined || lost === 0 ? undefined : { offset: damaged, lost };
}

type Sums = readonly [number, number];

interface Span {
  readonly at: number;
  /** A multiple of 8, as `at` is. */
  readonly length: number;
  readonly little: boolean;
}

function stored(view: DataView, at: number): Sums {
  return [view.getUint32(at), view.getUint32(at + 4)];
}

function same(a: Uint8Array, b: Uint8Array, at: number, length: number, atB = at): boolean {
  for (let i = 0; i < length; i++) if (a[at + i] !== b[atB + i]) return false;
  return true;
}
