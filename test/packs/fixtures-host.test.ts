import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { printSummary, renderSummary, type Summary } from '@worldline/summary';
import { describe, expect, test } from 'vitest';
import { FIXTURES, type Fixture, fixtureNodes, settledBy } from './fixture.ts';
import { HostStage } from './host-stage.ts';
import { type Counts, KernelStage } from './kernel-stage.ts';

/**
 * The fixtures of `patterns.md` §7 on the real host with a virtual clock, and what their run summaries say (F10,
 * `summaries.md` §9): `plan-summary.json` is compared with the committed one, byte for byte.
 *
 * `WORLDLINE_UPDATE_GOLDEN=1 npm test -- test/packs/fixtures-host.test.ts` writes the committed ones anew.
 */

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const UPDATES = process.env['WORLDLINE_UPDATE_GOLDEN'] === '1';

/** How far the kernel alone is after each act: what the host has to reach before the next. */
async function milestones(fixture: Fixture): Promise<readonly Counts[]> {
  const stage = new KernelStage(fixtureNodes(fixture));
  const found: Counts[] = [];
  for (const [, act] of fixture.script) {
    await act(stage);
    found.push(stage.counts());
  }
  return found;
}

interface Played {
  readonly settled: readonly unknown[];
  readonly counts: Counts;
  readonly summary: Summary;
}

/** @param restarts - go on from the baseline after every act, as a new process would. */
async function played(fixture: Fixture, restarts: boolean): Promise<Played> {
  const reached = await milestones(fixture);
  const stage = await HostStage.open(fixtureNodes(fixture));
  for (const [i, [, act]] of fixture.script.entries()) {
    await act(stage);
    await stage.reached(reached[i]!);
    await stage.baseline();
    if (restarts) await stage.restart();
  }
  await stage.replays();
  const [settled, counts] = [await stage.settled(fixture.settled), await stage.counts()];
  const summary = await stage.summary();
  await stage.close();
  return { settled, counts, summary };
}

/** Members that differ, `path: expected → found`. */
function fieldDifferences(expected: unknown, found: unknown, path = ''): readonly string[] {
  if (Object.is(expected, found)) return [];
  const isTree = (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === 'object' && value !== null;
  if (!isTree(expected) || !isTree(found)) return [`${path}: ${JSON.stringify(expected)} → ${JSON.stringify(found)}`];
  const keys = [...new Set([...Object.keys(expected), ...Object.keys(found)])];
  return keys.flatMap((key) => fieldDifferences(expected[key], found[key], path === '' ? key : `${path}.${key}`));
}

describe.each(FIXTURES)('examples/$example', { timeout: 300_000 }, (fixture) => {
  test('F1, F2: every outcome on the real host, journaled as the kernel alone does it, and replayed', async () => {
    const { settled, counts } = await played(fixture, false);
    expect(settled).toMatchObject(settledBy(fixture));
    expect(settled).toHaveLength(fixture.outcomes.length);
    expect(counts).toEqual((await milestones(fixture)).at(-1));
  });

  test('F10: the run summary is the committed one, live and in a world that goes on from each baseline', async () => {
    const { summary } = await played(fixture, false);
    const text = printSummary(summary);
    const artifacts = folder(`../../artifacts/${fixture.example}`);
    mkdirSync(artifacts, { recursive: true });
    writeFileSync(`${artifacts}/plan-summary.json`, text);
    writeFileSync(`${artifacts}/plan-summary.txt`, renderSummary(summary));
    expect(summary.inconsistencies).toEqual([]);

    const golden = folder(`golden/${fixture.example.replace('/', '-')}.plan-summary.json`);
    if (UPDATES) writeFileSync(golden, text);
    const committed = readFileSync(golden, 'utf8');
    const differences = fieldDifferences(JSON.parse(committed), JSON.parse(text));
    expect(differences, 'committed → now').toEqual([]);
    expect(text).toBe(committed);

    const restored = printSummary((await played(fixture, true)).summary);
    expect(fieldDifferences(JSON.parse(committed), JSON.parse(restored)), 'committed → restored').toEqual([]);
    expect(restored).toBe(committed);
  });
});

test('a summary that differs is told by its members', () => {
  const differences = fieldDifferences({ a: { b: 1, c: [1, 2] }, d: null }, { a: { b: 2, c: [1, 3] }, e: 'x' });
  expect(differences).toEqual(['a.b: 1 → 2', 'a.c.1: 2 → 3', 'd: null → undefined', 'e: undefined → "x"']);
});
