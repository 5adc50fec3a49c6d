import { unwrap } from '@worldline/canon';
import { decodeRecord, encodeRecord } from '@worldline/kernel';
import { describe, expect, it } from 'vitest';
import { checkSummary } from '../src/check.ts';
import { type SummaryBatch, SummaryFold, summarize } from '../src/fold.ts';
import { printSummary } from '../src/json.ts';
import type { PlanSummary, Summary, SummaryOptions } from '../src/summary.ts';
import {
  admitted,
  byReducer,
  cap,
  ended,
  external,
  intent,
  Journal,
  policy,
  raised,
  receipt,
  result,
  SECOND,
  started,
  TIMED_OUT,
} from './journal.ts';

const P = 'com.acme/p@1';
const HTTP = 'http.request';

/** Each journal is also checked against §3.2, and summarised again from its stored bytes (U15). */
function summary(journal: Journal, options: SummaryOptions = {}): Summary {
  const made = summarize(journal.batches, options);
  expect(checkSummary(made)).toEqual([]);
  expect(printSummary(summarize(journal.batches.map(stored), options))).toBe(printSummary(made));
  return made;
}

/** The batch as a reader of its bytes has it. */
function stored(batch: SummaryBatch): SummaryBatch {
  return { ...batch, records: batch.records.map((record) => unwrap(decodeRecord(encodeRecord(record)))) };
}

function row(made: Summary, name: string): PlanSummary {
  const found = made.plans.find((plan) => plan.plan_name === name);
  if (found === undefined) throw new Error(`no row for ${name}`);
  return found;
}

describe('worked cases of summaries.md §10', () => {
  it('U1 a run with one admitted effect and its receipt', () => {
    const journal = new Journal()
      .at(1, external('com.acme/E@1'), started(P, 0), ...admitted(intent(P, 0, HTTP)))
      .at(3, receipt(4), ended(P, 0, undefined, 1));
    const made = summary(journal);
    const plan = row(made, P);
    expect(plan.runs).toEqual({ started: 1, started_as_child: 0, ok: 1, error: 0, live: 0, carried_in: 0 });
    expect(plan.effects).toMatchObject({
      intents: 1,
      open: 0,
      receipts: { ok: 1, error: 0, timeout: 0, late: 0 },
      policy_decisions: { allow: 1, deny: 0 },
      cap_decisions: { allow: 1, deny: 0 },
    });
    expect(plan.duration_ns).toEqual({
      count: 1,
      p50: 2n * SECOND,
      p90: 2n * SECOND,
      p95: 2n * SECOND,
      p99: 2n * SECOND,
      max: 2n * SECOND,
    });
    expect(made.partial).toBe(false);
    expect([made.from, made.to]).toEqual([0, 6]);
  });

  it('U2 a policy denial: no intent exists, the decision belongs to the run it ended', () => {
    const journal = new Journal().at(1, started(P, 0), cap('h'), policy('h', 'deny'), ended(P, 0, 'policy_denied'));
    const plan = row(summary(journal), P);
    expect(plan.runs.error).toBe(1);
    expect([...plan.errors]).toEqual([['policy_denied', 1]]);
    expect(plan.failure_signals.policy_deny).toBe(1);
    expect(plan.effects.policy_decisions).toEqual({ allow: 0, deny: 1 });
    expect(plan.effects.intents).toBe(0);
  });

  it('U3 a missing grant leaves no decision', () => {
    const journal = new Journal().at(1, started(P, 0), ended(P, 0, 'cap_denied'));
    const plan = row(summary(journal), P);
    expect(plan.failure_signals.cap_deny).toBe(1);
    expect(plan.effects.cap_decisions).toEqual({ allow: 0, deny: 0 });
  });

  it('U4 a denied effect of a reducer touches no plan', () => {
    const journal = new Journal().at(1, external('com.acme/E@1'), cap('h', 'deny'), {
      record_kind: 'reducer_fault',
      reducer: 'com.acme/R@1',
      event_seq: 0,
      event_hash: new Uint8Array(32),
      code: 'reducer.effect_denied',
      message: '',
    });
    const made = summary(journal);
    expect(made.outside_plans.cap_decisions).toEqual({ allow: 0, deny: 1 });
    expect([...made.reducer_faults]).toEqual([['reducer.effect_denied', 1]]);
    expect(made.plans).toEqual([]);
  });

  it('U5 a parent and its child: roots count the request once', () => {
    const journal = new Journal()
      .at(1, started('com.acme/parent@1', 0), started('com.acme/child@1', 1, { parent: 0 }))
      .at(2, ended('com.acme/child@1', 1), ended('com.acme/parent@1', 0));
    const made = summary(journal);
    expect(made.totals.runs).toMatchObject({ started: 2, started_as_child: 1, ok: 2 });
    expect(made.roots.runs).toMatchObject({ started: 1, started_as_child: 0, ok: 1 });
    expect(row(made, 'com.acme/child@1').runs.started_as_child).toBe(1);
  });

  it('U6 a deadline branch: the core by its result, the entry by the event it raises', () => {
    const journal = new Journal()
      .at(1, started('entry@1', 0), started('core@1', 1, { parent: 0 }))
      .at(
        9,
        ended('core@1', 1),
        result('core@1', 1, TIMED_OUT),
        raised('entry@1', 0, { request_id: 'r', result: TIMED_OUT }),
        raised('entry@1', 0, TIMED_OUT),
        ended('entry@1', 0),
      );
    const made = summary(journal);
    expect(row(made, 'core@1').failure_signals.timeout_path).toBe(1);
    expect(row(made, 'entry@1').failure_signals.timeout_path).toBe(1);
    expect(made.totals.failure_signals.timeout_path).toBe(2);
    expect(made.roots.failure_signals.timeout_path).toBe(1);
    expect(made.totals.events.raised).toBe(2);
    expect(made.totals.runs.ok).toBe(2);
  });

  it('U7 an adapter that gave up is not a deadline branch', () => {
    const journal = new Journal()
      .at(1, started(P, 0), ...admitted(intent(P, 0, HTTP)))
      .at(2, receipt(3, 'timeout'), ended(P, 0), result(P, 0, { $tag: 'Failed', $value: null }));
    const { failure_signals: signals, effects } = row(summary(journal), P);
    expect(signals).toMatchObject({ adapter_timeout: 1, timeout_path: 0, adapter_error: 0 });
    expect(effects.receipts).toEqual({ ok: 0, error: 0, timeout: 1, late: 0 });
  });

  it('U8 a deadline timer that lost', () => {
    const timer = intent(P, 0, 'timer.set', { params: { deliver_at_ns: 30, key: 'deadline:r-17' } });
    const journal = new Journal()
      .at(1, started(P, 0), ...admitted(timer))
      .at(2, external('com.acme/Answer@1'), ended(P, 0))
      .at(31, receipt(3, 'ok', { adapter: 'timer.set', disposition: 'late' }));
    const plan = row(summary(journal), P);
    expect(plan.deadlines).toEqual({ armed: 1, in_time: 0, late: 1, open: 0 });
    expect(plan.effects.receipts.late).toBe(1);
    expect(plan.failure_signals.timeout_path).toBe(0);
    expect(plan.effects.by_kind.get('timer.set')?.wait_ns.max).toBe(30n * SECOND);
  });

  it('U9 a delay is not a deadline', () => {
    const timer = intent(P, 0, 'timer.after', { params: { after_ns: 5, key: 'delay:x' } });
    const journal = new Journal().at(1, started(P, 0), ...admitted(timer)).at(2, receipt(3), ended(P, 0));
    const plan = row(summary(journal), P);
    expect(plan.deadlines).toEqual({ armed: 0, in_time: 0, late: 0, open: 0 });
    expect(plan.failure_signals.timeout_path).toBe(0);
  });

  it('U10 a name that contains "timeout" proves nothing (S3)', () => {
    const name = 'com.acme/core_timeout_report@1';
    const journal = new Journal().at(
      1,
      started(name, 0),
      raised(name, 0, { result: { $tag: 'Timeout', $value: 'TimedOut' }, TimedOut: true }, 'com.acme/TimedOut@1'),
      ended(name, 0),
      result(name, 0, { result: TIMED_OUT }),
    );
    expect(row(summary(journal), name).failure_signals.timeout_path).toBe(0);
  });

  it('U11 an invariant violation counts under the child', () => {
    const journal = new Journal()
      .at(1, started('parent@1', 0), started('child@1', 1, { parent: 0 }))
      .at(2, ended('child@1', 1, 'invariant_violation'), raised('parent@1', 0, {}), ended('parent@1', 0));
    const made = summary(journal);
    expect(row(made, 'child@1').failure_signals.invariant_violation).toBe(1);
    expect(row(made, 'parent@1').runs.ok).toBe(1);
    expect(made.roots.failure_signals.invariant_violation).toBe(0);
  });

  it('U12 two instances share an emission: each sees the receipt, the totals count it once', () => {
    const journal = new Journal()
      .at(1, started(P, 0), ...admitted(intent(P, 0, HTTP, { hash: 'same' })))
      .at(2, started('other@1', 1), ...admitted(intent('other@1', 1, HTTP, { hash: 'same', into: 3 })))
      .at(4, receipt(3, 'error', { code: 'http.status' }), ended(P, 0), ended('other@1', 1));
    const made = summary(journal);
    expect(made.totals.effects).toMatchObject({ intents: 2, coalesced: 1, open: 0 });
    expect(made.totals.effects.receipts.error).toBe(1);
    expect(made.totals.failure_signals.adapter_error).toBe(1);
    expect(made.totals.effects.by_kind.get(HTTP)).toMatchObject({ intents: 2, error: 1, wait_ns: { count: 2 } });
    for (const name of [P, 'other@1']) {
      expect(row(made, name).effects.receipts.error).toBe(1);
      expect(row(made, name).failure_signals.adapter_error).toBe(1);
    }
  });

  it('U12 two instances of one plan: the row counts the receipt for each intent', () => {
    const journal = new Journal()
      .at(1, started(P, 0), ...admitted(intent(P, 0, HTTP, { hash: 'same' })))
      .at(2, started(P, 1), ...admitted(intent(P, 1, HTTP, { hash: 'same', into: 3 })))
      .at(4, receipt(3), ended(P, 0), ended(P, 1));
    const made = summary(journal);
    expect(row(made, P).effects.receipts.ok).toBe(2);
    expect(made.totals.effects.receipts.ok).toBe(1);
    expect(made.roots.effects.receipts.ok).toBe(1);
  });

  it('U13 a range that begins after the start carries the run in', () => {
    const journal = new Journal()
      .at(1, started(P, 7, { correlation: 'r' }), ...admitted(intent(P, 7, HTTP)))
      .at(2, receipt(3), ...admitted(intent(P, 7, 'blob.put')))
      .at(5, receipt(7), ended(P, 7, undefined, 0));
    const made = summary(journal, { from: 5, instances: true });
    expect(made.partial).toBe(true);
    expect(made.from).toBe(4);
    expect(row(made, P).runs).toEqual({ started: 0, started_as_child: 0, ok: 1, error: 0, live: 0, carried_in: 1 });
    expect(made.receipts_orphaned).toBe(1);
    expect(made.roots.runs).toEqual({ started: 0, started_as_child: 0, ok: 0, error: 0, live: 0, carried_in: 0 });
    expect(row(made, P).duration_ns.count).toBe(0);
    expect(row(made, P).effects.by_kind.get('blob.put')?.wait_ns.max).toBe(3n * SECOND);
    expect(made.instances).toEqual([
      expect.objectContaining({ plan_id: 7, status: 'ok', started_seq: 0, ended_seq: 9, intents: 1 }),
    ]);
    expect(made.instances?.[0]?.duration_ns).toBeUndefined();
  });

  it('U14 a run that is parked at the end is live, with its age', () => {
    const journal = new Journal()
      .at(1, started(P, 0, { correlation: 'r-17' }), ...admitted(intent(P, 0, HTTP)))
      .at(2, started('com.acme/q@1', 1))
      .at(undefined, { record_kind: 'manifest', manifest_hash: new Uint8Array(32), config_hash: new Uint8Array(32) })
      .at(11, external('com.acme/E@1'));
    const made = summary(journal, { instances: true });
    expect(row(made, P).runs.live).toBe(1);
    expect(row(made, P).effects.open).toBe(1);
    expect(made.partial).toBe(false);
    expect(made.instances).toMatchObject([
      { plan_id: 0, status: 'live', live_age_ns: 10n * SECOND },
      { plan_id: 1, status: 'live', live_age_ns: 9n * SECOND },
    ]);
    expect(summary(journal, { instances: true, to: 5 }).instances?.[0]?.live_age_ns).toBe(SECOND);
  });

  it('U15 the records that a replay produces have the same summary, byte for byte, however they are paged', () => {
    const journal = new Journal()
      .at(1, started('leader@1', 0, { correlation: 'r' }), ...admitted(intent('leader@1', 0, HTTP, { hash: 'same' })))
      .at(2, started('twin@1', 1), ...admitted(intent('twin@1', 1, HTTP, { hash: 'same', into: 3 })))
      .at(3, cap('h'), policy('h', 'deny'), ended('leader@1', 0, 'policy_denied'))
      .at(4, receipt(3, 'timeout', { disposition: 'late' }), ended('twin@1', 1), result('twin@1', 1, TIMED_OUT));
    const options = { instances: true, correlations: true };
    const made = printSummary(summary(journal, options));
    const fold = new SummaryFold(options);
    for (const batch of journal.batches.map(stored)) {
      fold.add(batch);
      // Looking at it meanwhile changes nothing.
      fold.finish();
    }
    expect(printSummary(fold.finish())).toBe(made);
  });

  it('U19 late is judged per run: the leader had ended, its twin had not', () => {
    const journal = new Journal()
      .at(1, started('leader@1', 0), ...admitted(intent('leader@1', 0, HTTP, { hash: 'same' })))
      .at(2, external('com.acme/E@1'), ended('leader@1', 0))
      .at(3, started('twin@1', 1), ...admitted(intent('twin@1', 1, HTTP, { hash: 'same', into: 3 })))
      .at(4, receipt(3, 'ok', { disposition: 'late' }), ended('twin@1', 1));
    const made = summary(journal);
    expect(row(made, 'leader@1').effects.receipts.late).toBe(1);
    expect(row(made, 'twin@1').effects.receipts.late).toBe(0);
    expect(made.totals.effects.receipts.late).toBe(0);
    expect(made.roots.effects.receipts.late).toBe(0);
  });
});

describe('attribution (summaries.md §2)', () => {
  it('effects of reducers are counted outside plans', () => {
    const journal = new Journal()
      .at(1, external('com.acme/E@1'), ...admitted(byReducer('com.acme/R@1', 'timer.set')))
      .at(2, receipt(3));
    const made = summary(journal);
    expect(made.outside_plans).toEqual({
      intents: 1,
      receipts: { ok: 1, error: 0, timeout: 0 },
      policy_decisions: { allow: 1, deny: 0 },
      cap_decisions: { allow: 1, deny: 0 },
    });
    expect(made.totals.effects.receipts.ok).toBe(0);
  });

  it('a receipt that a plan shares with a reducer counts under the plan', () => {
    const journal = new Journal()
      .at(1, external('com.acme/E@1'), byReducer('com.acme/R@1', 'blob.put', { hash: 'same' }))
      .at(2, started(P, 0), intent(P, 0, 'blob.put', { hash: 'same', into: 1 }))
      .at(3, receipt(1), ended(P, 0));
    const made = summary(journal);
    expect(made.outside_plans).toMatchObject({ intents: 1, receipts: { ok: 0 } });
    expect(row(made, P).effects.receipts.ok).toBe(1);
  });

  it('a decision whose hash is not that of the next intent stands outside', () => {
    const journal = new Journal().at(
      1,
      started(P, 0),
      cap('another', 'deny'),
      ...admitted(intent(P, 0, HTTP)),
      ended(P, 0),
    );
    const made = summary(journal);
    expect(made.outside_plans.cap_decisions).toEqual({ allow: 0, deny: 1 });
    expect(row(made, P).effects.cap_decisions).toEqual({ allow: 1, deny: 0 });
  });

  it('a decision never reaches into the next batch', () => {
    const of = intent(P, 0, HTTP);
    const made = summary(new Journal().at(1, started(P, 0), cap(of)).at(2, of, ended(P, 0)));
    expect(made.outside_plans.cap_decisions.allow).toBe(1);
  });

  it('a waiter whose leader lies before the range still gets the receipt', () => {
    const journal = new Journal()
      .at(1, started(P, 0), ...admitted(intent(P, 0, HTTP, { hash: 'same' })))
      .at(2, started(P, 1), ...admitted(intent(P, 1, HTTP, { hash: 'same', into: 3 })))
      .at(4, receipt(3), ended(P, 1));
    const made = summary(journal, { from: 4 });
    expect(made.receipts_orphaned).toBe(0);
    expect(row(made, P).effects).toMatchObject({ intents: 1, coalesced: 1, open: 0, receipts: { ok: 1 } });
    expect(made.partial).toBe(false);
  });

  it('a cancelled run from before the range is named by its end', () => {
    const journal = new Journal()
      .at(1, started(P, 0))
      .at(2, { record_kind: 'plan_cancel', plan_id: 0, reason: 'x', actor: 'ops' }, ended(P, 0, 'cancelled'));
    const made = summary(journal, { from: 1 });
    expect(row(made, P)).toMatchObject({ runs: { carried_in: 1, error: 1, live: 0 } });
  });

  it('delivery.unknown, forks and withdrawn approvals are no adapter errors (§3)', () => {
    const kinds = ['a', 'b', 'c', 'd'].map((name) => intent(P, 0, HTTP, { hash: name }));
    const journal = new Journal()
      .at(1, started(P, 0), ...kinds)
      .at(2, receipt(1, 'error', { code: 'delivery.unknown' }))
      .at(2, receipt(2, 'error', { code: 'fork_dropped', adapter: 'kernel.fork' }))
      .at(2, receipt(3, 'error', { code: 'approval.withdrawn' }))
      .at(2, receipt(4, 'error', { code: 'http.status' }));
    expect(row(summary(journal), P).failure_signals).toMatchObject({
      adapter_error: 1,
      delivery_unknown: 1,
      adapter_timeout: 0,
    });
  });

  it('rejected ingresses are counted by code', () => {
    const rejected = (code: string) =>
      ({
        record_kind: 'ingress_rejected',
        ingress_kind: 'event',
        digest: new Uint8Array(32),
        code,
        message: '',
      }) as const;
    const journal = new Journal()
      .at(1, rejected('receipt.unknown'))
      .at(1, rejected('event.invalid'))
      .at(2, rejected('receipt.unknown'));
    expect([...summary(journal).ingress_rejected]).toEqual([
      ['event.invalid', 1],
      ['receipt.unknown', 2],
    ]);
  });
});
