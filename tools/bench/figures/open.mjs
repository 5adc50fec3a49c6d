import { OfflineWorld } from '../offline-world.mjs';
import { script, worldline } from '../run-command.mjs';
import { median } from '../statistics.mjs';

/** A journal tail as the default snapshot policy leaves it at a crash: about `snapshot.every_entries`. */
const TAIL = 1000;

/**
 * Opening a world with a long journal and many parked instances, in a fresh process with a warm disk cache: store and
 * `openWorld`, from the call until the world takes work, after a clean close (the snapshot stands at the head) and after
 * a crash (the entries behind the snapshot are replayed); and `worldline status` from its start to its end.
 */
export async function open(bench) {
  const height = bench.pick({ full: 1_000_000, quick: 100_000, check: 10_000 });
  const parked = bench.pick({ full: 10_000, quick: 2_000, check: 500 });
  const attempts = bench.pick({ full: 9, quick: 3, check: 5 });
  const root = bench.folder('open');
  const world = await OfflineWorld.create(root);
  await world.park(parked);
  await world.fill(height);
  await world.snapshot();
  const records = world.kernel.head.height;
  const clean = await openings(world, attempts);
  const status = [];
  if (bench.pick({ full: true, quick: true, check: false })) {
    for (let n = 0; n < attempts; n++) status.push((await worldline('status', '--json', '--world', root)).ms);
  }
  await world.acquire('bench-open');
  await world.reopen();
  await world.fill(world.kernel.head.height + TAIL, { atOnce: 4 });
  const tail = world.kernel.head.height - records;
  const crashed = await openings(world, attempts);
  await world.store.close();

  const of = `${records} records, ${parked} parked`;
  const row = (id, what, taken) => ({
    id,
    what,
    value: median(taken.map((t) => t.ms)),
    unit: 'ms',
    bound: { max: 300 },
    note: `median of ${attempts}, of which the store ${Math.round(median(taken.map((t) => t.storeMs)))} ms; ${of}`,
    gate: { value: median(taken.map((t) => t.cpuUs / t.startUs)), unit: 'starts of Node', better: 'lower' },
  });
  const rows = [
    row('open_clean', 'opening from the snapshot', clean),
    row('open_crashed', `opening from the snapshot and ${tail} entries behind it`, crashed),
  ];
  if (status.length > 0) {
    rows.splice(1, 0, {
      id: 'status',
      what: 'worldline status, the command from start to end',
      value: median(status),
      unit: 'ms',
      note: `median of ${attempts}; ${of}`,
    });
  }
  return rows;
}

async function openings(world, count) {
  const taken = [];
  for (let n = 0; n < count; n++) {
    const opened = await script('open-child.mjs', world.root, world.worldId);
    if (opened.height !== world.kernel.head.height) throw new Error(`opened at ${opened.height}`);
    taken.push(opened);
  }
  return taken;
}
