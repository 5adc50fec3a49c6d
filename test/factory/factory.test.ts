import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differences, expectedFactory, expectedRequester, measured } from '../../examples/10-factory/lib/expected.mjs';
import { CATEGORIES, makeOrders } from '../../examples/10-factory/lib/orders.mjs';
import { matches } from '../../examples/10-factory/lib/report.mjs';

/**
 * `examples/10-factory`: what its journals count is what was injected. `.ci/run` runs the example before the tests and says
 * where it left its artefacts (`WORLDLINE_ARTIFACTS`); without that the test runs it itself, with fewer orders.
 */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const EXAMPLE = join(ROOT, 'examples/10-factory');

interface Signals {
  readonly [category: string]: number;
}

interface Report {
  readonly requests: number;
  readonly seed: string;
  readonly problems: readonly string[];
  readonly proofs: readonly { readonly name: string; readonly holds: boolean; readonly says: string }[];
  readonly orders: readonly { readonly id: string; readonly category: string; readonly outcome: object | null }[];
  readonly workshop: { readonly [count: string]: number };
  readonly flows: { readonly [state: string]: number };
  // biome-ignore lint/suspicious/noExplicitAny: summaries as JSON; a wrong guess fails the test
  readonly worlds: { readonly factory: any; readonly requester: any };
}

let folder: string | undefined;
let report: Report;
let text: string;

beforeAll(async () => {
  let artifacts = process.env['WORLDLINE_ARTIFACTS'];
  if (artifacts === undefined) {
    artifacts = folder = mkdtempSync(join(tmpdir(), 'wl-factory-'));
    const { code, output } = await node(join(EXAMPLE, 'run.mjs'), '--requests', '16', '--out', folder);
    if (code !== 0) throw new Error(`the example exited ${code}:\n${output}`);
  }
  report = JSON.parse(readFileSync(join(artifacts, 'factory-summary.json'), 'utf8')) as Report;
  text = readFileSync(join(artifacts, 'factory-summary.md'), 'utf8');
}, 900_000);

afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

function node(...args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, CI: '1' } });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
      });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** Failure signals of one order of each category (`summaries.md` §3), written down here and not taken from the example. */
const SIGNALS: Readonly<Record<string, Signals>> = {
  published: {},
  'refused by the approver': {},
  'rejected by a tool': {},
  'policy deny': { policy_deny: 1 },
  'capability deny': { cap_deny: 1 },
  'invariant violation': { invariant_violation: 1 },
  // The race and the worker.
  'timeout path: a task': { timeout_path: 2 },
  // The gate, the release, the order, and the fact about it.
  'timeout path: the approval': { timeout_path: 4 },
  'adapter timeout': { adapter_timeout: 1 },
  'adapter error': { adapter_error: 1 },
  'delivery unknown': { delivery_unknown: 1 },
  'killed while publishing': {},
};

describe('the run', () => {
  test('every category was injected, and every order is answered as its category says, once', () => {
    const names = new Set(report.orders.map(({ category }) => category));
    expect([...names].sort()).toEqual(CATEGORIES.map(({ name }) => name).sort());
    for (const { category, outcome } of report.orders) {
      const expected = CATEGORIES.find(({ name }) => name === category)?.outcome;
      expect(matches(expected, outcome), `${category}: ${JSON.stringify(outcome)}`).toBe(true);
    }
    expect(report.orders).toHaveLength(report.requests);
    if (process.env['WORLDLINE_ARTIFACTS'] !== undefined) expect(report.requests).toBe(50);
  });

  test('the failure categories of the summary are those that were injected', () => {
    const sum: Record<string, number> = {};
    for (const { category } of report.orders)
      for (const [signal, n] of Object.entries(SIGNALS[category] as Signals)) sum[signal] = (sum[signal] ?? 0) + n;
    expect(report.worlds.factory.totals.failure_signals).toEqual(sum);
    expect(report.worlds.factory.totals.errors).toEqual({
      cap_denied: sum['cap_deny'],
      invariant_violation: sum['invariant_violation'],
      policy_denied: sum['policy_deny'],
    });
  });

  test('every other counter follows from the table too', () => {
    const orders = makeOrders(report.requests, report.seed);
    expect(differences(expectedFactory(orders), measured(report.worlds.factory))).toEqual([]);
    expect(differences(expectedRequester(orders), measured(report.worlds.requester))).toEqual([]);
    expect(report.orders.map(({ id, category }) => [id, category])).toEqual(
      orders.map(({ id, category }) => [id, category.name]),
    );
  });

  test('no run is left, no root failed, nothing was refused', () => {
    for (const { totals, roots, ingress_rejected, receipts_orphaned, partial } of Object.values(report.worlds)) {
      expect([totals.runs.live, roots.runs.error, receipts_orphaned, partial]).toEqual([0, 0, 0, false]);
      expect(ingress_rejected).toEqual({});
      expect(roots.runs.ok).toBe(report.requests);
    }
  });

  test('the kill: publications were made once although they were sent twice, announcements were never repeated', () => {
    const of = (name: string) => report.orders.filter(({ category }) => category === name).length;
    const published = of('published') + of('delivery unknown') + of('killed while publishing');
    expect(report.workshop).toEqual({
      releases: published,
      release_requests: published + of('killed while publishing'),
      announcements: published,
      announcement_requests: published,
    });
  });

  test('each order is one flow through both journals, broken only where a run ended in error', () => {
    const of = (...names: readonly string[]) => report.orders.filter(({ category }) => names.includes(category)).length;
    const broken = of('policy deny', 'capability deny', 'invariant violation');
    expect(report.flows).toEqual({ settled: report.requests - broken, broken, waiting: 0 });
    expect(text).toMatch(/fabric\.send\.order .*▶ B#\d+ event Order\b/);
    expect(text).toMatch(/receipt http error delivery\.unknown/);
  });

  test('journals verify, replays match, thresholds hold', () => {
    expect(report.problems).toEqual([]);
    expect(report.proofs.filter(({ holds }) => !holds)).toEqual([]);
    for (const command of ['check', 'stop', 'trace-summary --check', 'journal verify --signatures', 'replay --verify'])
      expect(report.proofs.filter(({ name }) => name.startsWith(`worldline ${command} `))).toHaveLength(2);
  });

  test('the Markdown has the same numbers', () => {
    for (const { name } of CATEGORIES) {
      const orders = report.orders.filter(({ category }) => category === name).length;
      expect(text).toMatch(new RegExp(`^\\| ${name} \\| ${orders} \\| .* \\| ${orders} \\|$`, 'm'));
    }
    for (const [signal, n] of Object.entries(report.worlds.factory.totals.failure_signals))
      expect(text).toContain(`| \`${signal}\` | ${n} | ${n} |`);
  });
});

describe('the comparison bites', () => {
  test('one order more or less of any category is a difference', () => {
    const orders = makeOrders(24, 'bites');
    const counted = expectedFactory(orders);
    for (const { name } of CATEGORIES) {
      const missing = orders.findIndex(({ category }) => category.name === name);
      expect(differences(expectedFactory(orders.toSpliced(missing, 1)), counted), name).not.toEqual([]);
    }
  });

  test('an order that took another way is a difference, and so is an answer that is not the one', () => {
    const [order, ...others] = makeOrders(24, 'bites').filter(({ category }) => category.name === 'policy deny');
    const elsewhere = { ...order!, channel: 'Staging' };
    expect(differences(expectedFactory([order!, ...others]), expectedFactory([elsewhere, ...others]))).toContain(
      'totals errors policy_denied: expected 2, got 1',
    );
    const expected = order!.category.outcome;
    expect(matches(expected, { Failed: { stage: 'publish', code: 'policy_denied' } })).toBe(true);
    expect(matches(expected, { Failed: { stage: 'publish', code: 'cap_denied' } })).toBe(false);
    expect(matches(expected, { Published: { announcement: 'made' } })).toBe(false);
    expect(matches(expected, null)).toBe(false);
  });

  test('an incomplete order has exactly one task that did not pass', () => {
    const expected = CATEGORIES.find(({ name }) => name === 'rejected by a tool')?.outcome;
    const [passed, rejected] = [{ Ok: 'Passed' }, { Ok: { Rejected: { status: 422 } } }];
    expect(matches(expected, { Incomplete: { tasks: [passed, rejected] } })).toBe(true);
    expect(matches(expected, { Incomplete: { tasks: [rejected, rejected] } })).toBe(false);
    expect(matches(expected, { Incomplete: { tasks: [passed, passed] } })).toBe(false);
    expect(matches(expected, { Incomplete: { tasks: [passed, { Error: {} }] } })).toBe(false);
  });
});

test('the table makes as many orders as it is asked for, of every category, the same for the same seed', () => {
  fc.assert(
    fc.property(fc.integer({ min: CATEGORIES.length, max: 400 }), fc.string(), (count, seed) => {
      const orders = makeOrders(count, seed);
      expect(orders).toHaveLength(count);
      expect(new Set(orders.map(({ id }) => id)).size).toBe(count);
      expect(new Set(orders.map(({ category }) => category.name)).size).toBe(CATEGORIES.length);
      expect(makeOrders(count, seed)).toEqual(orders);
      // What is held at the kill must leave room for the others, however many orders there are.
      expect(orders.filter(({ category }) => category.killed !== undefined).length).toBeLessThanOrEqual(6);
    }),
  );
});

test.each([
  [['--requests', '3'], '--requests must be a whole number from 12'],
  [['--requests', 'many'], '--requests must be a whole number from 12'],
  [['--reqests', '50'], "Unknown option '--reqests'"],
])('the command line %j is refused', async (args, message) => {
  const { code, output } = await node(join(EXAMPLE, 'run.mjs'), ...args);
  expect([code, output]).toEqual([2, expect.stringContaining(message)]);
  expect(output).toContain('Usage:');
});
