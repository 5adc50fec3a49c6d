import { deepStrictEqual } from 'node:assert';
import { unwrap } from '@worldline/canon';
import type { Store } from '@worldline/ports';
import { memoryStore, runStoreScript, storeScript, storeUnderTrouble, VirtualClock } from '@worldline/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, test } from 'vitest';
import { openSqliteStore } from '../src/index.ts';
import { temporaryFolder } from './harness.ts';

const folder = temporaryFolder();
const clock = new VirtualClock();
let store: Store;

beforeAll(async () => {
  store = unwrap(await openSqliteStore(folder.dir, { clock }));
});

afterAll(async () => {
  await store.close();
  folder.remove();
});

test('given the same calls, SQLite and the model give the same answers and hold the same state (§14)', async () => {
  const modelClock = new VirtualClock();
  const model = memoryStore({ clock: modelClock });
  let worlds = 0;
  await fc.assert(
    fc.asyncProperty(storeScript(), async (script) => {
      const worldId = `world ${++worlds}`;
      const expected = await runStoreScript(model, modelClock, worldId, script);
      const actual = await runStoreScript(store, clock, worldId, script);
      deepStrictEqual(actual, expected);
    }),
    { numRuns: Number(process.env['WORLDLINE_RUNS'] ?? 60) },
  );
});

test('random scripts on SQLite in trouble end where the model ends in peace (§14)', async () => {
  const { WORLDLINE_FUZZ_RUNS: runs, WORLDLINE_SEED: seed } = process.env;
  await storeUnderTrouble(
    { store, clock },
    { runs: Number(runs ?? 10), seed: seed === undefined ? seed : Number(seed) },
  );
}, 600_000);
