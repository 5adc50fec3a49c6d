import { loadAuthored } from '@worldline/air';
import { changedWorldArb, runSketchArb, runTypedWorld } from '@worldline/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/**
 * What passes the loader runs to its end, however strange it is (`expressions.md` §13, E4): well-typed worlds that were
 * changed at random. The laws are those of `runTypedWorld`; `npm run soak:check` asks for more of them. A failure prints its
 * seed, which `WORLDLINE_CHANGED_SEED` takes.
 */

const RUNS = Number(process.env['WORLDLINE_CHANGED_RUNS'] ?? 400);
const FIXED_SEED = 20_261_129;
const FRESH_SEED = Number(process.env['WORLDLINE_CHANGED_SEED'] ?? Date.now() % 2 ** 31);

describe('a world that is changed at random is refused, or runs without a type error', () => {
  test.each([
    [FIXED_SEED, 'plans for themselves', false],
    [FRESH_SEED, 'plans for themselves', false],
    [FRESH_SEED, 'plans that start plans', true],
  ] as const)(
    'seed %i, %s',
    (seed, _, subplans) => {
      let accepted = 0;
      let refused = 0;
      fc.assert(
        fc.property(changedWorldArb({ subplans }), runSketchArb(), (world, sketch) => {
          const loaded = loadAuthored([{ path: 'air/world.air.json', text: world.text }]);
          if (!loaded.ok) {
            refused++;
            return;
          }
          accepted++;
          const report = runTypedWorld(world, loaded.value, sketch);
          if (report.broken.length > 0) throw new Error(`${report.broken.join('\n')}\n\n${report.story()}`);
        }),
        { seed, numRuns: subplans ? Math.ceil(RUNS / 4) : RUNS },
      );
      // Both happen often, or nothing is tried.
      expect(accepted).toBeGreaterThan((accepted + refused) / 10);
      expect(refused).toBeGreaterThan((accepted + refused) / 10);
    },
    1_800_000,
  );
});
