import { type MakeStore, type StoreCase, StoreTest } from './store-case.ts';
import { CAS_CASES } from './store-cases-cas.ts';
import { CHECKPOINT_CASES } from './store-cases-checkpoints.ts';
import { COMMIT_CASES } from './store-cases-commit.ts';
import { FORK_CASES } from './store-cases-fork.ts';
import { INBOX_CASES } from './store-cases-inbox.ts';
import { JOURNAL_CASES } from './store-cases-journal.ts';
import { LAW_CASES } from './store-cases-laws.ts';
import { OUTBOX_CASES } from './store-cases-outbox.ts';
import { SEGMENT_CASES } from './store-cases-segments.ts';
import { TIMER_CASES } from './store-cases-timers.ts';
import { WAKE_CASES } from './store-cases-wake.ts';
import { WORLD_CASES } from './store-cases-world.ts';

/** Every case of the storage contract (`hosting.md` §14), by area. One list for all engines. */
export const STORE_CASES: Readonly<Record<string, readonly StoreCase[]>> = {
  'objects (§4.1 CAS)': CAS_CASES,
  'worlds and leases (§4.1, §6)': WORLD_CASES,
  'commit and journal (§4.1)': COMMIT_CASES,
  'checkpoints (§4.1)': CHECKPOINT_CASES,
  'journal (§4.1, journal.md §8)': JOURNAL_CASES,
  'inbox (§4.1, §4.2, §5)': INBOX_CASES,
  'outbox (§4.1)': OUTBOX_CASES,
  'timers (§4.1)': TIMER_CASES,
  'segments and baselines (§4.1, journal.md §9)': SEGMENT_CASES,
  'forks (§4.1, journal.md §10)': FORK_CASES,
  'wake and placement (§4.1, §9)': WAKE_CASES,
  'laws of all operations (§4.3, §6)': LAW_CASES,
};

/** The parts of a test framework that the suite needs. */
export interface TestFramework {
  describe(name: string, body: () => void): void;
  test(name: string, body: () => Promise<void>): void;
}

/** Declares the whole suite for one engine. Each case gets a store of its own. */
export function storeConformance(name: string, makeStore: MakeStore, { describe, test }: TestFramework): void {
  for (const [area, cases] of Object.entries(STORE_CASES)) {
    describe(`${name}: ${area}`, () => {
      for (const { name: sentence, options, run } of cases) {
        test(sentence, async () => {
          const harness = await makeStore(options);
          try {
            await run(new StoreTest(harness));
          } finally {
            await harness.close();
          }
        });
      }
    });
  }
}
