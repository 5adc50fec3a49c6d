import { type Json, parseJson } from '@worldline/air';
import { unwrap } from '@worldline/canon';
import { describe, expect, it } from 'vitest';
import { summarize } from '../src/fold.ts';
import { checkThresholds, readThresholds } from '../src/thresholds.ts';
import { admitted, ended, intent, Journal, receipt, started } from './journal.ts';

const CORE = 'pack.deadline/core_fetch_by_deadline@1';
const json = (text: string): Json => unwrap(parseJson(text));

/** Three runs: ok after 2 s with one effect, denied, and live. */
const made = summarize(
  new Journal()
    .at(1, started(CORE, 0), ...admitted(intent(CORE, 0, 'http.request')))
    .at(3, receipt(3, 'error', { code: 'delivery.unknown' }), ended(CORE, 0))
    .at(4, started('p@1', 1), ended('p@1', 1, 'policy_denied'), started('p@1', 2)).batches,
);

function violations(thresholds: object): readonly string[] {
  const read = readThresholds(json(JSON.stringify(thresholds)));
  if (!read.ok) throw new Error(JSON.stringify(read.failure));
  return checkThresholds(made, read.value).map(({ code, path, message }) => `${code} ${path.join('/')}: ${message}`);
}

function faults(document: string): readonly string[] {
  const read = readThresholds(json(document));
  return read.ok ? [] : read.failure.map(({ code, path }) => `${code} ${path.join('/')}`);
}

describe('thresholds of summaries.md §9', () => {
  it('hold: those of the chapter', () => {
    expect(
      violations({
        'totals.runs.live': { max: 1 },
        'totals.errors.*': { max: 0, except: { policy_denied: 1 } },
        'totals.failure_signals.delivery_unknown': { max: 1 },
        [`plans[${CORE}].duration_ns.p95`]: { max: 60_000_000_000 },
      }),
    ).toEqual([]);
  });

  it('every violation is listed, in the order of the thresholds', () => {
    expect(
      violations({
        'totals.runs.live': { max: 0 },
        'totals.errors.*': { max: 0 },
        'totals.runs.ok': { min: 2, max: 0 },
        [`plans[${CORE}].duration_ns.p95`]: { max: 1_999_999_999 },
        'plans.*.runs.started': { max: 1 },
      }),
    ).toEqual([
      'summary.threshold totals.runs.live: totals.runs.live is 1, at most 0 is allowed',
      'summary.threshold totals.errors.*: totals.errors.policy_denied is 1, at most 0 is allowed',
      'summary.threshold totals.runs.ok: totals.runs.ok is 1, at most 0 is allowed',
      'summary.threshold totals.runs.ok: totals.runs.ok is 1, at least 2 is asked for',
      `summary.threshold plans[${CORE}].duration_ns.p95: plans[${CORE}].duration_ns.p95 is 2000000000, at most 1999999999 is allowed`,
      'summary.threshold plans.*.runs.started: plans[p@1].runs.started is 2, at most 1 is allowed',
    ]);
  });

  it.each([
    'totals.runs.alive',
    'total.runs.live',
    'plans[nobody@1].runs.live',
    'totals.effects.by_kind.*.waits.p95',
    'totals.effects.by_kind.blob.put.ok',
    'totals.runs.live.x',
    'totals.runs[live][x]',
  ])('a path that matches nothing fails: %s', (path) => {
    expect(violations({ [path]: { max: 100 } })).toEqual([
      `summary.threshold ${path}: ${path} matches nothing in the summary`,
    ]);
  });

  it('a path that names no number fails', () => {
    expect(violations({ 'totals.runs': { max: 100 }, partial: { max: 1 } })).toEqual([
      'summary.threshold totals.runs: totals.runs is no number',
      'summary.threshold partial: partial is no number',
    ]);
  });

  it('a name with dots is found, written out or in brackets', () => {
    expect(
      violations({
        'totals.effects.by_kind.http.request.error': { max: 0 },
        'totals.effects.by_kind[http.request].error': { max: 0 },
        'totals.effects.by_kind.*.error': { max: 0 },
      }).map((text) => text.split(': ')[1]),
    ).toEqual(Array(3).fill('totals.effects.by_kind[http.request].error is 1, at most 0 is allowed'));
  });

  it('lists that hold only what occurred: an absent name counts 0, and * over none of them holds', () => {
    expect(
      violations({
        'totals.errors.expr_error': { max: 0 },
        'ingress_rejected.receipt.unknown': { max: 0 },
        'ingress_rejected[receipt.unknown]': { max: 0 },
        'reducer_faults.*': { max: 0 },
      }),
    ).toEqual([]);
    expect(violations({ 'totals.errors.expr_error': { min: 1 }, 'reducer_faults.*': { min: 1 } })).toEqual([
      'summary.threshold totals.errors.expr_error: totals.errors.expr_error is 0, at least 1 is asked for',
      'summary.threshold reducer_faults.*: reducer_faults.* is empty, at least 1 must be there',
    ]);
  });

  it('except gives single members another max, not a free pass', () => {
    expect(violations({ 'totals.errors.*': { max: 5, except: { policy_denied: 0 } } })).toEqual([
      'summary.threshold totals.errors.*: totals.errors.policy_denied is 1, at most 0 is allowed',
    ]);
  });

  it('integers above 2^53 are compared exactly, written as numbers or as texts', () => {
    const late = summarize(
      new Journal().at(0, started('p@1', 0)).at(9_007_199.254_740_993 * 2, ended('p@1', 0)).batches,
    );
    const { max } = late.totals.duration_ns;
    expect(max > BigInt(Number.MAX_SAFE_INTEGER)).toBe(true);
    const holds = (bound: string) => {
      const read = readThresholds(json(`{"totals.duration_ns.max": {"max": ${bound}}}`));
      return read.ok && checkThresholds(late, read.value).length === 0;
    };
    expect([holds(`${max}`), holds(`"${max}"`), holds(`${max - 1n}`), holds(`"${max - 1n}"`)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('a document that holds no thresholds is refused with every fault', () => {
    expect(faults('[]')).toEqual(['thresholds.invalid ']);
    expect(
      faults(
        `{"a..b": {"max": 0}, ".a": {"max": 0}, "": {"max": 0}, "[a].b": {"max": 0}, "a[b": {"max": 0},
          "b": {}, "c": 1, "d": {"max": -1, "min": 1.5}, "e": {"most": 3, "max": 0},
          "f": {"max": 0, "except": {"x": 1}}, "g.*": {"min": 0, "except": {}}, "h.*": {"max": 0, "except": {"x": "many"}},
          "i.*": {"max": 0, "except": 3}}`,
      ),
    ).toEqual(
      [
        'a..b',
        '.a',
        '',
        '[a].b',
        'a[b',
        'b',
        'c',
        'd/max',
        'd/min',
        'e/most',
        'f/except',
        'g.*/except',
        'h.*/except/x',
        'i.*/except',
      ].map((path) => `thresholds.invalid ${path}`),
    );
  });
});
