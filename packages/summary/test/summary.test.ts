import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkSummary } from '../src/check.ts';
import { distributionOf, Times } from '../src/distribution.ts';
import { SummaryFold, summarize } from '../src/fold.ts';
import { printSummary, summaryToJson } from '../src/json.ts';
import type { Summary } from '../src/summary.ts';
import { admitted, ended, external, intent, Journal, raised, receipt, started, TIMED_OUT } from './journal.ts';
import { soundActions, soundJournal } from './sound-journal.ts';

const P = 'com.acme/p@1';

function times(values: readonly bigint[]): Times {
  const list = new Times();
  for (const value of values) list.add(value);
  return list;
}

describe('distributions (summaries.md §4)', () => {
  it('use the nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => BigInt(100 - index));
    expect(distributionOf([times(hundred)])).toEqual({ count: 100, p50: 50n, p90: 90n, p95: 95n, p99: 99n, max: 100n });
    expect(distributionOf([times([3n]), times([1n, 2n])])).toEqual({
      count: 3,
      p50: 2n,
      p90: 3n,
      p95: 3n,
      p99: 3n,
      max: 3n,
    });
    expect(distributionOf([times([])])).toEqual({ count: 0, p50: 0n, p90: 0n, p95: 0n, p99: 0n, max: 0n });
  });

  it('give a member that at least p percent do not exceed, and no smaller one does', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: 0n, max: 40n }), { minLength: 1, maxLength: 120 }), (values) => {
        const { p90 } = distributionOf([times(values)]);
        const atMost = (limit: bigint): number => values.filter((value) => value <= limit).length;
        expect(atMost(p90) * 100).toBeGreaterThanOrEqual(values.length * 90);
        for (const value of values) if (value < p90) expect(atMost(value) * 100).toBeLessThan(values.length * 90);
      }),
    );
  });
});

/** The journal of one run that waits, and a child whose deadline won. */
function desk(): Journal {
  const timer = intent('core@1', 1, 'timer.set', { params: { deliver_at_ns: 30, key: 'deadline:r-17' } });
  return new Journal()
    .at(undefined, { record_kind: 'manifest', manifest_hash: new Uint8Array(32), config_hash: new Uint8Array(32) })
    .at(1, external('com.acme/Ask@1'), started('entry@1', 0, { correlation: 'r-17' }))
    .at(1.5, external('com.acme/Go@1'), started('core@1', 1, { parent: 0, correlation: 'r-17' }), ...admitted(timer))
    .at(31.5, receipt(7, 'ok', { adapter: 'timer.set' }), ended('core@1', 1, undefined, 4), {
      record_kind: 'plan_result',
      plan_name: 'core@1',
      plan_id: 1,
      output_schema: 'com.acme/Out@1',
      value_cbor: raised('core@1', 1, TIMED_OUT).value,
    });
}

describe('the JSON of summaries.md §6', () => {
  it('has this shape, these keys and this order', () => {
    const made = summarize(desk().batches, { label: 'desk', plan: 'core@1', instances: true });
    const wait = { count: 1, p50: 30e9, p90: 30e9, p95: 30e9, p99: 30e9, max: 30e9 };
    const counters = {
      runs: { started: 1, started_as_child: 1, ok: 1, error: 0, live: 0, carried_in: 0 },
      errors: {},
      failure_signals: {
        policy_deny: 0,
        cap_deny: 0,
        invariant_violation: 0,
        timeout_path: 1,
        adapter_timeout: 0,
        adapter_error: 0,
        delivery_unknown: 0,
      },
      deadlines: { armed: 1, in_time: 1, late: 0, open: 0 },
      effects: {
        intents: 1,
        coalesced: 0,
        open: 0,
        receipts: { ok: 1, error: 0, timeout: 0, late: 0 },
        policy_decisions: { allow: 1, deny: 0 },
        cap_decisions: { allow: 1, deny: 0 },
        by_kind: { 'timer.set': { intents: 1, ok: 1, error: 0, timeout: 0, wait_ns: wait } },
      },
      events: { raised: 0 },
      duration_ns: wait,
    };
    const none = { count: 0, p50: 0, p90: 0, p95: 0, p99: 0, max: 0 };
    const expected = {
      v: 1,
      label: 'desk',
      from: 0,
      to: 10,
      partial: false,
      plans: [{ plan_name: 'core@1', ...counters }],
      totals: { ...counters, runs: { started: 2, started_as_child: 1, ok: 1, error: 0, live: 1, carried_in: 0 } },
      roots: {
        runs: { started: 1, started_as_child: 0, ok: 0, error: 0, live: 1, carried_in: 0 },
        errors: {},
        failure_signals: { ...counters.failure_signals, timeout_path: 0 },
        deadlines: { armed: 0, in_time: 0, late: 0, open: 0 },
        effects: {
          intents: 0,
          coalesced: 0,
          open: 0,
          receipts: { ok: 0, error: 0, timeout: 0, late: 0 },
          policy_decisions: { allow: 0, deny: 0 },
          cap_decisions: { allow: 0, deny: 0 },
          by_kind: {},
        },
        events: { raised: 0 },
        duration_ns: none,
      },
      outside_plans: {
        intents: 0,
        receipts: { ok: 0, error: 0, timeout: 0 },
        policy_decisions: { allow: 0, deny: 0 },
        cap_decisions: { allow: 0, deny: 0 },
      },
      receipts_orphaned: 0,
      ingress_rejected: {},
      reducer_faults: {},
      instances: [
        {
          plan_id: 1,
          plan_name: 'core@1',
          parent_plan_id: 0,
          correlation: 'r-17',
          started_seq: 4,
          ended_seq: 9,
          status: 'ok',
          duration_ns: 30e9,
          intents: 1,
          timeout_path: true,
        },
      ],
    };
    expect(printSummary(made)).toBe(`${JSON.stringify(expected, undefined, 2)}\n`);
  });

  it('leaves out label and instances that were not asked for', () => {
    expect(Object.keys(summaryToJson(summarize([])) as object)).toEqual([
      'v',
      'from',
      'to',
      'partial',
      'plans',
      'totals',
      'roots',
      'outside_plans',
      'receipts_orphaned',
      'ingress_rejected',
      'reducer_faults',
    ]);
    expect(summaryToJson(summarize([]))).toMatchObject({ from: 0, to: -1, partial: false });
  });

  it('writes integers beyond 2^53 − 1 as decimal strings', () => {
    const journal = new Journal();
    journal.batches.push({ firstSeq: 0, logicalNowNs: 0n, records: [started(P, 0)] });
    journal.batches.push({ firstSeq: 1, logicalNowNs: 2n ** 60n, records: [ended(P, 0)] });
    const json = summaryToJson(summarize(journal.batches, { instances: true }));
    expect(json).toMatchObject({
      totals: { duration_ns: { count: 1, max: (2n ** 60n).toString() } },
      instances: [{ duration_ns: (2n ** 60n).toString() }],
    });
  });

  it('shows a correlation decoded, or as base64 when it does not decode (§5)', () => {
    const shown = (correlation: Uint8Array): unknown => {
      const batch = { firstSeq: 0, logicalNowNs: 0n, records: [{ ...started(P, 0), correlation }] };
      return (summaryToJson(summarize([batch], { instances: true })) as { instances: [{ correlation: unknown }] })
        .instances[0].correlation;
    };
    const encoded = (value: Parameters<typeof raised>[2]): Uint8Array => raised(P, 0, value).value;
    expect(shown(encoded(17))).toBe(17);
    expect(shown(encoded(2n ** 64n - 1n))).toBe('18446744073709551615');
    expect(shown(encoded(Uint8Array.of(1, 2, 3)))).toBe('AQID');
    expect(shown(encoded({ a: [true, null] }))).toEqual({ a: [true, null] });
    expect(shown(Uint8Array.of(0xff))).toBe('/w==');
  });

  it('sorts plans by name and keys by UTF-8 bytes', () => {
    const journal = new Journal().at(
      1,
      ...['b@1', 'a@1', 'é@1', 'B@1'].flatMap((name, id) => [started(name, id), ended(name, id, `code_${name}`)]),
    );
    const made = summarize(journal.batches);
    expect(made.plans.map((plan) => plan.plan_name)).toEqual(['B@1', 'a@1', 'b@1', 'é@1']);
    expect([...made.totals.errors.keys()]).toEqual(['code_B@1', 'code_a@1', 'code_b@1', 'code_é@1']);
  });
});

describe('range and filters (summaries.md §6, S1)', () => {
  it('a batch is never cut', () => {
    const journal = new Journal()
      .at(1, started(P, 0), ended(P, 0))
      .at(2, started(P, 1), ended(P, 1))
      .at(3, started(P, 2));
    expect(summarize(journal.batches, { from: 1, to: 2 })).toMatchObject({
      from: 0,
      to: 3,
      totals: { runs: { started: 2 } },
    });
    expect(summarize(journal.batches, { from: 2, to: 2 })).toMatchObject({
      from: 2,
      to: 3,
      totals: { runs: { started: 1 } },
    });
    expect(summarize(journal.batches, { from: 9 })).toMatchObject({ from: 9, to: 8, totals: { runs: { started: 0 } } });
  });

  it('--plan keeps that row and recomputes nothing else', () => {
    const all = summarize(desk().batches);
    const one = summarize(desk().batches, { plan: 'entry@1' });
    expect(one.plans.map((plan) => plan.plan_name)).toEqual(['entry@1']);
    expect(one.totals).toEqual(all.totals);
    expect(checkSummary(one)).toEqual([]);
  });

  it('a gap is the caller’s bug', () => {
    const fold = new SummaryFold();
    fold.add({ firstSeq: 0, records: [started(P, 0)] });
    expect(() => fold.add({ firstSeq: 2, records: [] })).toThrow(RangeError);
    fold.add({ firstSeq: 1, records: [] });
    fold.add({ firstSeq: 1, records: [ended(P, 0)] });
    expect(fold.finish().totals.runs.ok).toBe(1);
  });

  it('a batch without stamp has the time of the batch before it, also when that lies before the range (§4)', () => {
    const journal = new Journal().at(5, external('x@1')).at(undefined, started(P, 0)).at(8, ended(P, 0));
    expect(summarize(journal.batches, { from: 1 }).totals.duration_ns.max).toBe(3_000_000_000n);
  });
});

describe('consistency (summaries.md §3.2)', () => {
  it('an intent coalesced into nothing, into a waiter or into another hash is reported', () => {
    const broken = (journal: Journal): readonly string[] =>
      checkSummary(summarize(journal.batches)).map((failure) => `${failure.code} ${failure.path.join('/')}`);
    const nothing = new Journal().at(1, started(P, 0), intent(P, 0, 'blob.put', { into: 0 }));
    expect(broken(nothing)).toEqual(['summary.inconsistent journal/1']);
    const other = new Journal().at(
      1,
      started(P, 0),
      intent(P, 0, 'a', { hash: 'x' }),
      intent(P, 0, 'a', { hash: 'y', into: 1 }),
    );
    expect(broken(other)).toEqual(['summary.inconsistent journal/2']);
    const same = { hash: 'x' };
    const waiter = new Journal().at(
      1,
      started(P, 0),
      intent(P, 0, 'a', same),
      intent(P, 0, 'a', { ...same, into: 1 }),
      intent(P, 0, 'a', { ...same, into: 2 }),
    );
    expect(broken(waiter)).toEqual(['summary.inconsistent journal/3']);
  });

  it('each rule is noticed when a counter is off', () => {
    const sound = summarize(desk().batches);
    const rows = (made: Summary): readonly string[] => checkSummary(made).map((failure) => failure.path.join('/'));
    const totals = sound.totals;
    expect(rows({ ...sound, totals: { ...totals, runs: { ...totals.runs, live: 5 } } })).toEqual([
      'totals/runs',
      'totals/runs.live',
    ]);
    expect(rows({ ...sound, totals: { ...totals, errors: new Map([['x', 1]]) } })).toEqual([
      'totals/errors',
      'totals/errors.x',
    ]);
    expect(rows({ ...sound, totals: { ...totals, deadlines: { ...totals.deadlines, armed: 0 } } })).toEqual([
      'totals/deadlines',
      'totals/deadlines.armed',
    ]);
    const { effects } = totals;
    expect(
      rows({ ...sound, totals: { ...totals, effects: { ...effects, receipts: { ...effects.receipts, ok: 9 } } } }),
    ).toEqual(['totals/effects']);
    const [core, entry] = sound.plans;
    if (core === undefined || entry === undefined) throw new Error('two plans expected');
    expect(
      rows({
        ...sound,
        plans: [{ ...core, effects: { ...core.effects, receipts: { ...core.effects.receipts, ok: 0 } } }, entry],
      }),
    ).toEqual(['plans/core@1/effects']);
  });
});

describe('sound journals of any shape', () => {
  it('have consistent summaries, whole and cut anywhere', () => {
    fc.assert(
      fc.property(soundActions, fc.nat(80), fc.nat(80), (steps, a, b) => {
        const { batches } = soundJournal(steps);
        const from = Math.min(a, b);
        const to = Math.max(a, b);
        expect(checkSummary(summarize(batches))).toEqual([]);
        expect(checkSummary(summarize(batches, { from, to }))).toEqual([]);
        expect(summarize(batches).partial).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('lose no fact: every receipt, intent and decision is somewhere (S4)', () => {
    fc.assert(
      fc.property(soundActions, fc.nat(80), (steps, from) => {
        const { batches } = soundJournal(steps);
        const made = summarize(batches, { from });
        const records = batches
          .filter((batch) => batch.firstSeq + batch.records.length > from)
          .flatMap((batch) => batch.records);
        const kinds = (kind: string): number => records.filter((record) => record.record_kind === kind).length;
        const counted = ({ ok, error, timeout }: { ok: number; error: number; timeout: number }): number =>
          ok + error + timeout;
        const { totals, outside_plans: outside } = made;
        expect(counted(totals.effects.receipts) + counted(outside.receipts) + made.receipts_orphaned).toBe(
          kinds('effect_receipt'),
        );
        expect(totals.effects.intents + outside.intents).toBe(kinds('effect_intent'));
        const decided = ({ allow, deny }: { allow: number; deny: number }): number => allow + deny;
        expect(decided(totals.effects.cap_decisions) + decided(outside.cap_decisions)).toBe(kinds('cap_decision'));
        expect(decided(totals.effects.policy_decisions) + decided(outside.policy_decisions)).toBe(
          kinds('policy_decision'),
        );
        expect(totals.runs.started).toBe(kinds('plan_started'));
        expect(totals.runs.ok + totals.runs.error).toBe(kinds('plan_ended'));
      }),
      { numRuns: 300 },
    );
  });
});
