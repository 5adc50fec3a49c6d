import { script } from '../run-command.mjs';

/** As the kernel's own default (`RESIDENT_MAX`): what a running world keeps. */
const RESIDENT_MAX = 4096;

/**
 * Memory per instance parked on a correlated event: heap and buffers of the thread that runs the world, after garbage
 * was collected, in a fresh process each: with all of them kept in memory, and as a world runs, where a snapshot
 * releases those that nobody has used lately.
 */
export async function memory(bench) {
  const count = bench.pick({ full: 100_000, quick: 20_000, check: 8_000 });
  const resident = await script('memory-child.mjs', bench.folder('memory'), String(count), 'Infinity');
  const released = await script('memory-child.mjs', bench.folder('memory'), String(count), String(RESIDENT_MAX));
  const row = (id, what, { bytes, rss }, note) => ({
    id,
    what,
    value: bytes,
    unit: 'bytes',
    bound: { max: 2048 },
    note: `${note}; ${Math.round(rss)} bytes of the process each`,
    gate: { value: bytes, unit: 'bytes', better: 'lower', isCounted: true },
  });
  return [
    row('memory_fresh', 'memory per parked instance, just parked', resident.parked, `${count} instances`),
    row(
      'memory_resident',
      'the same after a snapshot that releases none',
      resident.snapshotted,
      `${resident.inMemory} in memory`,
    ),
    row(
      'memory_released',
      'the same after a snapshot that releases the idle',
      released.snapshotted,
      `${released.inMemory} in memory`,
    ),
  ];
}
