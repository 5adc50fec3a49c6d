import { performance } from 'node:perf_hooks';
import { unwrap } from '@worldline/canon';
import { collectBatches, objectSource } from '@worldline/host';
import { replayGenesis } from '@worldline/kernel';
import { processUs } from '../cpu-time.mjs';
import { OfflineWorld } from '../offline-world.mjs';
import { worldline } from '../run-command.mjs';
import { median } from '../statistics.mjs';

/**
 * Rebuilding a world from nothing but its journal, every derived record compared: the kernel's own work over batches
 * that are in memory already, and `worldline replay --verify --from-genesis` from its start to its end.
 */
export async function replay(bench) {
  const height = bench.pick({ full: 400_000, quick: 60_000, check: 25_000 });
  const attempts = bench.pick({ full: 3, quick: 2, check: 3 });
  const world = await OfflineWorld.create(bench.folder('replay'));
  await world.fill(height);
  await world.snapshot();
  const records = world.kernel.head.height;
  const batches = unwrap(await collectBatches(world.store, world.worldId, 0));
  const options = { objects: objectSource(world.store.cas), epoch: 0, verify: true };
  unwrap(replayGenesis(options, batches.slice(0, 5_000)));
  const taken = [];
  const recordUs = [];
  for (let n = 0; n < attempts; n++) {
    bench.cpu.sample();
    const watch = new Watch();
    const [began, cpu] = [performance.now(), processUs()];
    unwrap(replayGenesis({ ...options, onBatch: (batch) => watch.batch(batch) }, batches));
    taken.push({ ms: performance.now() - began, us: processUs() - cpu });
    recordUs.push(...watch.recordUs);
  }
  const { root } = world;
  await world.close();
  const ms = median(taken.map((t) => t.ms));
  const us = median(taken.map((t) => t.us));
  const rows = [
    {
      id: 'replay_kernel',
      what: 'replay, the kernel alone',
      value: (records / ms) * 1000,
      unit: 'records/s',
      bound: { min: 120_000 },
      note: `median of ${attempts} over ${records} records; ${(us / records).toFixed(2)} µs of processor time each`,
      gate: bench.cpu.gate(recordUs),
    },
  ];
  if (bench.pick({ full: true, quick: true, check: false })) {
    const command = [];
    for (let n = 0; n < attempts; n++) {
      const { stdout, ms } = await worldline('replay', '--verify', '--from-genesis', '--json', '--world', root);
      if (JSON.parse(stdout).data.match !== true) throw new Error(`the replay differs: ${stdout}`);
      command.push(ms);
    }
    rows.push({
      id: 'replay_command',
      what: 'replay --verify, the command from start to end',
      value: (records / median(command)) * 1000,
      unit: 'records/s',
      bound: { min: 120_000 },
      note: `median of ${attempts}, ${Math.round(median(command))} ms`,
    });
  }
  return rows;
}

/** Microseconds per record, over stretches of 16 batches. */
class Watch {
  recordUs = [];
  #from = performance.now();
  #records = 0;
  #batches = 0;

  batch({ records }) {
    this.#records += records.length;
    if (++this.#batches % 16 !== 0) return;
    const now = performance.now();
    this.recordUs.push(((now - this.#from) * 1000) / this.#records);
    this.#from = now;
    this.#records = 0;
  }
}
