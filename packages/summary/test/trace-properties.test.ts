import { loadAuthored } from '@worldline/air';
import { hashText } from '@worldline/canon';
import type { Instance, JournalRecord, Kernel } from '@worldline/kernel';
import { type KernelWorld, runSketchArb, runTypedWorld, typedWorldArb } from '@worldline/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Diagnosis } from '../src/diagnose.ts';
import { REASONS } from '../src/reason.ts';
import type { TerminalState, Trace } from '../src/trace.ts';
import { diagnosisToJson } from '../src/trace-json.ts';
import { renderTrace } from '../src/trace-render.ts';
import { explained, tracedIn } from './explained.ts';

/**
 * Traces of random worlds (`host.md` §10.1, §10.2): they never throw, hold what the links of the records say and nothing
 * else, judge as a naive recount does, and say the same after a restart.
 */

const RUNS = Number(process.env['WORLDLINE_FUZZ_RUNS'] ?? 60);
const SEEDS = [20_261_128, Number(process.env['WORLDLINE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))];

interface Numbered {
  readonly seq: number;
  readonly record: JournalRecord;
}

interface Counted {
  readonly seqs: ReadonlySet<number>;
  readonly plans: ReadonlySet<number>;
  readonly records: readonly Numbered[];
}

/** The lineage again: one pass over the whole journal with plain sets, no early end, no window. */
function lineageOf(journal: readonly Numbered[], root: number): Counted {
  const seqs = new Set<number>([root]);
  const plans = new Set<number>();
  const ended = new Set<number>();
  const unanswered = new Map<number, number>();
  const at = new Map(journal.map((one) => [one.seq, one.record]));
  const first = at.get(root);
  if (first?.record_kind === 'plan_started') plans.add(first.plan_id);
  const isIn = (seq: number | undefined) => seq !== undefined && seqs.has(seq);
  /** Decisions that stand directly before a record. */
  const decisions = (seq: number, of: (record: JournalRecord) => boolean) => {
    for (let before = seq - 1; before > root; before--) {
      const record = at.get(before);
      if (record?.record_kind !== 'cap_decision' && record?.record_kind !== 'policy_decision') return;
      if (of(record)) seqs.add(before);
    }
  };
  for (const { seq, record } of journal) {
    if (seq <= root) continue;
    switch (record.record_kind) {
      case 'domain_event':
        if ((record.plan_id === undefined || !plans.has(record.plan_id)) && !isIn(record.cause)) break;
        if (record.plan_id !== undefined) plans.add(record.plan_id);
        seqs.add(seq);
        break;
      case 'plan_started':
        if (!isIn(record.cause) && !(record.parent_instance_id !== undefined && plans.has(record.parent_instance_id)))
          break;
        seqs.add(seq);
        plans.add(record.plan_id);
        break;
      case 'effect_intent': {
        const owner = record.origin.origin_kind === 'plan' ? record.origin.plan_id : undefined;
        if (!isIn(record.cause) && (owner === undefined || !plans.has(owner))) break;
        if (owner !== undefined) plans.add(owner);
        seqs.add(seq);
        const hash = hashText(record.intent_hash);
        decisions(seq, (one) => 'intent_hash' in one && hashText(one.intent_hash) === hash);
        const leader = record.coalesced_into ?? seq;
        unanswered.set(leader, unanswered.get(leader) ?? seq);
        break;
      }
      case 'effect_receipt':
        if (unanswered.delete(record.emission_seq)) seqs.add(seq);
        break;
      case 'plan_ended':
        if (!plans.has(record.plan_id) && !isIn(record.cause)) break;
        plans.add(record.plan_id);
        ended.add(record.plan_id);
        seqs.add(seq);
        if (['cap_denied', 'policy_denied', 'secret_denied'].includes(record.error_code ?? ''))
          decisions(seq, () => true);
        break;
      case 'plan_result':
        if (plans.has(record.plan_id)) seqs.add(seq);
        break;
      case 'plan_cancel':
        if (plans.has(record.plan_id) && !ended.has(record.plan_id)) seqs.add(seq);
        break;
      case 'ingress_rejected':
        if (record.emission_seq !== undefined && unanswered.has(record.emission_seq)) seqs.add(seq);
        break;
      default:
        break;
    }
  }
  return { seqs, plans, records: journal.filter(({ seq }) => seqs.has(seq)) };
}

/** The terminal state again, from the lineage's records and the live runs alone. */
function stateOf({ plans, records }: Counted, kernel: Kernel): TerminalState {
  const endings = new Map(
    records.flatMap(({ record }) => (record.record_kind === 'plan_ended' ? [[record.plan_id, record.status]] : [])),
  );
  const ownerOf = (emissionSeq: number) => {
    for (const { seq, record } of records)
      if (record.record_kind === 'effect_intent' && (record.coalesced_into ?? seq) === emissionSeq)
        return record.origin.origin_kind === 'plan' ? record.origin.plan_id : undefined;
    return undefined;
  };
  const hasFailed = records.some(({ record }) => {
    if (record.record_kind === 'plan_ended') return record.status === 'error';
    if (record.record_kind === 'cap_decision' || record.record_kind === 'policy_decision')
      return record.decision === 'deny';
    if (record.record_kind !== 'effect_receipt' || record.status === 'ok') return false;
    return endings.get(ownerOf(record.emission_seq) ?? -1) !== 'ok';
  });
  if (hasFailed) return 'failed';
  const live: Instance[] = [];
  const visit = (planId: number) => {
    const instance = kernel.instance(planId);
    if (instance === undefined || live.includes(instance)) return;
    live.push(instance);
    for (const child of instance.children.values()) if (awaits(instance, child.planId)) visit(child.planId);
  };
  for (const planId of plans) visit(planId);
  if (live.some((instance) => instance.receiptWaits.size > 0)) return 'waiting_receipt';
  return live.some((instance) => instance.eventWaits.size > 0) ? 'waiting_event' : 'completed';
}

function awaits(instance: Instance, planId: number): boolean {
  return [...instance.planWaits.values()].some((wait) => wait.planIds.includes(planId));
}

/** Everything a trace can begin at. */
function rootsOf(w: KernelWorld): readonly number[] {
  return w
    .allRecords()
    .filter(({ record }) => record.record_kind === 'domain_event' || record.record_kind === 'plan_started')
    .map(({ seq }) => seq);
}

/** Roots of one world that are looked at: what a long run raises is much alike. */
const ROOTS_MAX = 12;

function checkTrace(w: KernelWorld, root: number): { readonly trace: Trace; readonly found: Diagnosis } {
  const trace = tracedIn(w, { root, limit: 10_000 });
  const counted = lineageOf(w.allRecords(), root);
  expect(trace.entries.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual([...counted.seqs].sort((a, b) => a - b));
  const seqs = new Set(trace.entries.map(({ seq }) => seq));
  for (const { seq, causeSeq, record } of trace.entries) {
    // Only the root, and what an operator did, follow from nothing that is shown.
    if (seq === root || record.record_kind === 'plan_cancel') expect(causeSeq).toBeUndefined();
    else expect(seqs.has(causeSeq!)).toBe(true);
  }
  expect(trace.terminalState).toBe(stateOf(counted, w.kernel));
  const found = explained(w, { root, limit: 10_000 });
  checkDiagnosis(w, found);
  expect(renderTrace(trace, found, w.kernel.lastNowNs).length).toBeGreaterThan(3);
  return { trace, found };
}

function checkDiagnosis(w: KernelWorld, found: Diagnosis): void {
  const height = w.allRecords().length;
  for (const reason of [found.reason, ...found.moreReasons]) {
    expect(Object.keys(REASONS)).toContain(reason.code);
    expect(reason.text.length).toBeGreaterThan(10);
    expect(reason.text).not.toMatch(/undefined|\[object/);
    expect(reason.hint).not.toMatch(/undefined|\[object/);
    expect(reason.evidence.length).toBeGreaterThan(0);
    for (const seq of reason.evidence) expect(seq).toBeLessThan(height);
  }
  expect(found.reasonsTotal).toBeGreaterThanOrEqual(1 + found.moreReasons.length);
  // The codes of waits come with the states of waits, and so on.
  const isWaiting = found.terminalState.startsWith('waiting_');
  expect(found.cause.startsWith('waiting_')).toBe(isWaiting);
  expect(() => JSON.stringify(diagnosisToJson(found), (_, v) => (typeof v === 'bigint' ? String(v) : v))).not.toThrow();
}

describe.each([
  { subplans: false, leavesOpen: true },
  { subplans: true, leavesOpen: true },
  { subplans: true, leavesOpen: false },
])('random worlds, %o', ({ subplans, leavesOpen }) => {
  test.each(SEEDS)('seed %i: closed, judged as recounted, the same after a restart', (seed) => {
    const states = new Map<string, number>();
    fc.assert(
      fc.property(typedWorldArb({ subplans }), runSketchArb(), (world, sketch) => {
        const loaded = loadAuthored([{ path: 'air/world.air.json', text: world.text }]);
        if (!loaded.ok) return;
        // Whether the run itself keeps its laws is judged in test/language/typed-worlds.test.ts.
        const { world: w } = runTypedWorld(world, loaded.value, sketch, { leavesOpen });
        const roots = rootsOf(w).slice(0, ROOTS_MAX);
        const before = roots.map((root) => checkTrace(w, root));
        for (const { found } of before) {
          const key = `${found.terminalState}/${found.reason.code}`;
          states.set(key, (states.get(key) ?? 0) + 1);
        }
        w.reopen();
        roots.forEach((root, i) => {
          expect(explained(w, { root, limit: 10_000 })).toEqual(before[i]!.found);
          expect(tracedIn(w, { root, limit: 10_000 }).liveWait).toEqual(before[i]!.trace.liveWait);
        });
      }),
      { seed, numRuns: Math.ceil(RUNS / 3) },
    );
    // Worlds that all end ok would prove little; what a seed of chance makes is not known.
    if (seed === SEEDS[0]) expect(states.size).toBeGreaterThan(3);
  });
});
