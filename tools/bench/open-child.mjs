// node open-child.mjs <world folder> <world id>: opens the world in this fresh process and says how long that took.
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { unwrap } from '@worldline/canon';
import { ephemeralKey, openWorld, worldFolder } from '@worldline/host';
import { openSqliteStore } from '@worldline/store-sqlite';
import { processUs } from './cpu-time.mjs';
import { NO_HTTP, NOOP } from './live-world.mjs';

const [root, worldId] = process.argv.slice(2);
const key = ephemeralKey();
const [began, cpu] = [performance.now(), processUs()];
const store = unwrap(await openSqliteStore(join(worldFolder(root).dir, 'store')));
const stored = performance.now();
const world = unwrap(
  await openWorld({
    store,
    worldId,
    receiptKey: key,
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
  height: await world.read((kernel) => kernel.head.height),
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => {
  // As a crash would: a clean close would leave a new snapshot behind.
  process.exit(0);
});
