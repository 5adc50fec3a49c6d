// node memory-child.mjs <world folder> <instances> <kept in memory>: parks so many instances and says what memory each
// of them takes before and after a snapshot, which releases those above the limit.
import { memory } from './memory.mjs';
import { OfflineWorld } from './offline-world.mjs';

const [root, count, residentMax] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const world = await OfflineWorld.create(root, { residentMax });
// Tables, caches and compiled code that the first instances bring are not theirs.
await world.park(1000);
await world.snapshot();
const before = await memory();
await world.park(count);
const parked = await memory();
await world.snapshot();
const snapshotted = await memory();
const each = (after) => ({ bytes: (after.kept - before.kept) / count, rss: (after.rss - before.rss) / count });
const report = { parked: each(parked), snapshotted: each(snapshotted), inMemory: world.kernel.residentCount };
await world.close();
console.log(JSON.stringify(report));
