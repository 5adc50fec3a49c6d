import { type GateReport, type GateWorld, runGates } from '@worldline/testkit/gates';
import { expect, test } from 'vitest';

/** A number, or `full` for the counts of `worldline gates`, which `npm run soak` takes. */
const GIVEN = process.env['WORLDLINE_GATES_COUNT'];
const COUNT = GIVEN === 'full' ? undefined : Number(GIVEN ?? 8);
export const FIXED_SEED = 20_261_128;
const FRESH_SEED = Number(process.env['WORLDLINE_GATES_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** Each kill is a process that starts, and machines may be slow. */
const TIMEOUT_MS = GIVEN === undefined ? 300_000 : 3_600_000;

function failures(gates: readonly GateReport[]): readonly string[] {
  return gates.flatMap(({ gate, problems }) => problems.map(({ flow, message }) => `${gate}: ${flow}: ${message}`));
}

/** The gates over a world: all from a fixed seed, and those that draw most from a fresh one, which a failure prints. */
export function bothSeeds(world: () => GateWorld | Promise<GateWorld>): void {
  test('fixed seed', { timeout: TIMEOUT_MS }, async () => {
    const { gates } = await runGates(await world(), { seed: FIXED_SEED, count: COUNT });
    expect(failures(gates)).toEqual([]);
    expect(gates.filter(({ verdict }) => verdict === 'passed').length).toBeGreaterThan(3);
  });

  test(`fresh seed: WORLDLINE_GATES_SEED=${FRESH_SEED}`, { timeout: TIMEOUT_MS }, async () => {
    const only = ['replay', 'cross-talk', 'late-losers'] as const;
    const { gates } = await runGates(await world(), { seed: FRESH_SEED, count: COUNT, only });
    expect(failures(gates)).toEqual([]);
  });
}
