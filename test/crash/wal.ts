import { readFileSync, truncateSync } from 'node:fs';

/** Where the transactions of a write-ahead log end (https://www.sqlite.org/fileformat2.html#the_write_ahead_log). */

const HEADER = 32;
const FRAME_HEADER = 24;

/** @returns offsets after each committed transaction, ascending; the file may go on with frames of an older run. */
export function commitEnds(path: string): readonly number[] {
  const bytes = readFileSync(path);
  if (bytes.length < HEADER) return [];
  const frame = FRAME_HEADER + bytes.readUInt32BE(8);
  const salt = bytes.subarray(16, 24);
  const ends: number[] = [];
  for (let at = HEADER; at + frame <= bytes.length; at += frame) {
    if (!bytes.subarray(at + 8, at + 16).equals(salt)) break;
    // The size of the database after a commit; zero in every other frame.
    if (bytes.readUInt32BE(at + 4) > 0) ends.push(at + frame);
  }
  return ends;
}

/** Cuts the file as an interrupted write leaves it. */
export function tear(path: string, bytes: number): void {
  truncateSync(path, bytes);
}
