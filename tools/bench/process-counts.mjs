// What this process did, counted by the system; counts do not depend on how fast anything was.
import { readFileSync } from 'node:fs';

/** How often a thread of this process went to sleep of its own accord: for the disk, for another thread, for nothing. */
export function sleeps() {
  return process.resourceUsage().voluntaryContextSwitches;
}

/** Bytes this process handed to the system for writing; undefined where the system does not say. */
export function bytesWritten() {
  try {
    return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))[1]);
  } catch {
    return undefined;
  }
}
