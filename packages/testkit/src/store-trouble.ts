import { deepStrictEqual } from 'node:assert';
import fc from 'fast-check';
import { faultyStore, seededTrouble } from './faulty-store.ts';
import { memoryStore } from './memory-store.ts';
import type { StoreHarness } from './store-case.ts';
import { runUnderTrouble, troubleScript } from './store-under-trouble.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface TroubleOptions {
  readonly runs: number;
  /** fast-check's seed; it prints the one that failed, with the path to the smallest example. */
  readonly seed?: number | undefined;
  readonly path?: string | undefined;
}

/**
 * Random scripts on a store in trouble end where the model ends in peace (`hosting.md` §14).
 *
 * @throws an error with seed, path and the smallest script that fails.
 */
export async function storeUnderTrouble(
  harness: Pick<StoreHarness, 'store' | 'clock'>,
  options: TroubleOptions,
): Promise<void> {
  const modelClock = new VirtualClock();
  const model = memoryStore({ clock: modelClock });
  let worlds = 0;
  await fc.assert(
    fc.asyncProperty(troubleScript(), fc.integer(), fc.constantFrom(0.05, 0.2, 0.5), async (script, seed, share) => {
      const worldId = `trouble ${++worlds}`;
      const expected = await runUnderTrouble({ store: model, quiet: model, clock: modelClock, worldId }, script);
      const store = faultyStore(harness.store, seededTrouble({ seed, share }));
      const actual = await runUnderTrouble({ store, quiet: harness.store, clock: harness.clock, worldId }, script);
      deepStrictEqual(actual, expected);
    }),
    {
      numRuns: options.runs,
      ...(options.seed === undefined ? {} : { seed: options.seed }),
      ...(options.path === undefined ? {} : { path: options.path }),
    },
  );
}
