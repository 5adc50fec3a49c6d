import {
  type Diagnostic,
  type Json,
  type JsonObject,
  type Loaded,
  loadAuthored,
  parseJson,
  printJson,
} from '@worldline/air';
import { type TypedWorld, typedWorldArb } from '@worldline/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

/**
 * Lints on random well-typed worlds (`patterns.md` §8): they say something about every world, the same each time and
 * beside a plan with an error, and change nothing. `WORLDLINE_LINT_SEED=…` runs the worlds of one seed again.
 */

const RUNS = Number(process.env['WORLDLINE_LINT_RUNS'] ?? 150);
const SEED = Number(process.env['WORLDLINE_LINT_SEED'] ?? Date.now() % 2 ** 31);
const FIXED_SEED = 20_261_128;

function load(texts: readonly string[], lints: boolean): Loaded | undefined {
  const files = texts.map((text, index) => ({ path: `air/${index}.air.json`, text }));
  const loaded = loadAuthored(files, { lints, willRun: false });
  return loaded.ok ? loaded.value : undefined;
}

function isLint({ code }: Diagnostic): boolean {
  return code.startsWith('RL');
}

/** What is found and where in the node, whatever the file. */
function told({ warnings }: Pick<Loaded, 'warnings'>): readonly string[] {
  return warnings
    .filter(isLint)
    .map(({ code, severity, name, path, message }) => [code, severity, name, path.join('/'), message].join(' '));
}

/** Every node in a file of its own, in the opposite order. */
function scattered(text: string): readonly string[] {
  const json = parseJson(text);
  if (!json.ok || !Array.isArray(json.value)) throw new Error('a generated world is a list of nodes');
  return [...(json.value as readonly Json[])].reverse().map((node) => printJson(node));
}

/** The world with one more plan, which nothing starts and whose only step reads what is not there. */
function withBroken(text: string): string {
  const json = parseJson(text);
  if (!json.ok || !Array.isArray(json.value)) throw new Error('a generated world is a list of nodes');
  const name = 'zz/broken@1';
  const step = { id: 'a', op: 'assign', expr: { ref: '@var:nowhere' }, bind: { as: 'x' } };
  const nodes = (json.value as readonly JsonObject[]).map((node) =>
    node['$kind'] === 'manifest' ? { ...node, plans: [...(node['plans'] as readonly Json[]), { name }] } : node,
  );
  const plan = nodes.find((node) => node['$kind'] === 'defplan') as JsonObject;
  return printJson([...nodes, { $kind: 'defplan', name, input: plan['input'] as Json, steps: [step], edges: [] }]);
}

function lawsOf({ text }: TypedWorld, seen: Map<string, number>): void {
  const linted = load([text], true);
  const plain = load([text], false);
  expect(linted === undefined).toBe(plain === undefined);
  if (linted === undefined || plain === undefined) return;
  const found = told(linted);
  expect(told(plain)).toEqual([]);
  expect(linted.catalog.manifestHash).toEqual(plain.catalog.manifestHash);
  expect(told(load([text], true) as Loaded)).toEqual(found);
  expect([...told(load(scattered(text), true) as Loaded)].sort()).toEqual([...found].sort());
  const broken = loadAuthored([{ path: 'air/0.air.json', text: withBroken(text) }], { lints: true, willRun: false });
  if (broken.ok) throw new Error('the broken plan is none');
  expect(broken.failure.some(({ severity, name }) => severity === 'error' && name !== 'zz/broken@1')).toBe(false);
  expect(told({ warnings: broken.failure })).toEqual(found);
  for (const finding of linted.warnings.filter(isLint)) {
    seen.set(finding.code, (seen.get(finding.code) ?? 0) + 1);
    expect(finding.file).toBe('air/0.air.json');
    expect(finding.line).toBeGreaterThan(0);
    expect(finding.column).toBeGreaterThan(0);
    const step = finding.fields?.['step'];
    const plan = linted.catalog.plans.get(finding.name ?? '')?.def;
    if (step !== undefined) expect(plan?.steps.map(({ id }) => id)).toContain(step);
  }
}

describe('random well-typed worlds', () => {
  test.each([
    ['of a fixed seed', FIXED_SEED],
    ['of a fresh seed', SEED],
  ])(
    '%s: lints are the same each time and whatever the files, have places, and change nothing',
    (what, seed) => {
      const seen = new Map<string, number>();
      fc.assert(
        fc.property(typedWorldArb(), (world) => lawsOf(world, seen)),
        { seed, numRuns: RUNS },
      );
      const counts = [...seen].sort(([a], [b]) => (a < b ? -1 : 1)).map((one) => one.join(' '));
      console.info(`lints ${what}, seed ${seed}: ${counts.join(', ')}`);
      // Worlds that nobody wrote with care have a little of most.
      if (seed === FIXED_SEED) expect(seen.size).toBeGreaterThan(5);
    },
    1_800_000,
  );
});
