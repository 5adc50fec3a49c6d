// node open-child.mjs <world folder> <world id>: opens the world in this fresh process and says how long that took.
import { processUs } from './cpu-time.mjs';

/** What Node itself took to start: the measure for work in a process whose code and caches are as cold. */
const startUs = processUs();
const [{ join }, { performance }, { unwrap }, host, { openSqliteStore }, { NO_HTTP, NOOP }] = await Promise.all([
  import('node:path'),
  import('node:perf_hooks'),
  import('@worldline/canon'),
  import('@worldline/host'),
  import('@worldline/store-sqlite'),
  import('./live-world.mjs'),
]);

const [root, worldId] = process.argv.slice(2);
const receiptKey = host.ephemeralKey();
const [began, cpu] = [performance.now(), processUs()];
const store = unwrap(await openSqliteStore(join(host.worldFolder(root).dir, 'store')));
const stored = performance.now();
const world = unwrap(
  await host.openWorld({
    store,
    worldId,
    receiptKey,
    adapters: [NOOP],
    http: NO_HTTP,
    env: {},
    // One name for all of them: the next one takes over from the last, which ended without a word.
    worker: 'bench-open',
    dead: 'bench-offline',
  }),
);
const report = {
  ms: performance.now() - began,
  storeMs: stored - began,
  cpuUs: processUs() - cpu,
  startUs,
  height: await world.read((kernel) => kernel.head.height),
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => {
  // As a crash would: a clean close would leave a new snapshot behind.
  process.exit(0);
});
