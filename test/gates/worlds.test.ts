import { type GateWorld, runGates } from '@worldline/testkit/gates';
import { describe, expect, test } from 'vitest';
import { bothSeeds, FIXED_SEED } from './both-seeds.ts';
import {
  asking,
  delegating,
  fanningOut,
  fetchingAll,
  gateWorld,
  listening,
  numbered,
  racing,
  sharingOneEvent,
} from './fixtures.ts';

/** The conformance gates (`plans.md` §17, `patterns.md` F8) over worlds made for subplans, waits and races. */

describe('F8: a list of deadline races behind a barrier', () => bothSeeds(fetchingAll));
describe('children behind a barrier', () => bothSeeds(fanningOut));
describe('a child', () => bothSeeds(delegating));
describe('a correlated wait', () => bothSeeds(asking));
describe('requests that are told apart by a number', () => bothSeeds(numbered));
describe('a race', () => bothSeeds(racing));

test('the gates have something to try where they should, and say so where they have not', async () => {
  const verdicts = async (world: GateWorld) => {
    const only = ['cross-talk', 'late-losers', 'fan-out'] as const;
    const { gates } = await runGates(world, { seed: FIXED_SEED, count: 10, only });
    return gates.map(({ gate, verdict, what }) => [gate, verdict, verdict === 'not_applicable' ? what : '']);
  };
  expect(await verdicts(fetchingAll())).toEqual([
    ['cross-talk', 'passed', ''],
    ['late-losers', 'passed', ''],
    ['fan-out', 'passed', ''],
  ]);
  expect(await verdicts(asking())).toEqual([
    ['cross-talk', 'passed', ''],
    ['late-losers', 'not_applicable', 'no run has two waits that race'],
    ['fan-out', 'not_applicable', 'no run starts children for a list (spawn_for_each)'],
  ]);
});

test('numbers beyond 2^53 in definitions, such as when a grant ends, are no trouble for a gate that changes them', async () => {
  const nodes = JSON.parse(racing().files[0]!.text, (key, value: unknown) => {
    if (key === 'after_ns') return 31_536_000_000_000_000;
    return key === 'cap_grants' ? (value as object[]).map((grant) => ({ ...grant, expiry_ns: 4e18 })) : value;
  });
  const { gates } = await runGates(gateWorld(nodes), { seed: FIXED_SEED, count: 5, only: ['denials'] });
  expect(gates.map(({ verdict, problems }) => [verdict, problems])).toEqual([['passed', []]]);
});

test('a child that begins with a wait meets its broken invariant when that is over', async () => {
  const { gates } = await runGates(listening(), { seed: FIXED_SEED, count: 5, only: ['denials'] });
  expect(gates.map(({ verdict, problems }) => [verdict, problems])).toEqual([['passed', []]]);
  expect(gates[0]?.counts['parents told']).toBe(1);
});

test('every plan that one event may start has its own request, and what no request leads to is said', async () => {
  const { flows, untried, gates } = await runGates(sharingOneEvent(), {
    seed: FIXED_SEED,
    count: 5,
    only: ['crash', 'late-losers'],
  });
  expect(flows.map(({ name }) => name)).toEqual(['t/Do@1 for t/wait@1', 't/Do@1 for t/race@1']);
  expect(untried).toEqual([
    { plan: 't/never@1', reason: 'a request starts no run' },
    { plan: 't/orphan@1', reason: 'no request that was tried leads to it' },
  ]);
  expect(gates.map(({ gate, verdict }) => [gate, verdict])).toEqual([
    ['late-losers', 'passed'],
    ['crash', 'passed'],
  ]);
  expect(gates[1]?.counts).toMatchObject({ 'kills while parked on await_event': expect.any(Number) });
});
