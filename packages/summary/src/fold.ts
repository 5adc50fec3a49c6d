import { bytesEqual, compareUtf8, type Failure } from '@worldline/canon';
import type {
  CapDecision,
  EffectIntent,
  EffectReceipt,
  JournalRecord,
  PlanEnded,
  PlanStarted,
  PolicyDecision,
} from '@worldline/kernel';
import { correlationsOf } from './correlation.ts';
import { adapterSignal, armsDeadline, holdsTimedOut, isTimedOut } from './evidence.ts';
import { type CorrelationFilter, FlowLog } from './flow-log.ts';
import { instanceRow, isCarriedIn, type OpenEmission, type Run, tookDeadline } from './run.ts';
import type { InstanceSummary, Summary, SummaryOptions } from './summary.ts';
import { countersOf, increment, ReceiptTally, sortedByKey, Tally, type Verdicts } from './tally.ts';

/**
 * The fold from journal records to a summary (`summaries.md` §1–§4): no kernel, no clock, no configuration.
 *
 * F1 Every plan record, decision, intent and receipt of the range is counted, under its plan or visibly outside (S4).
 * F2 Memory holds open runs, unanswered intents and eight bytes per ended run and answered intent; runs that are over
 *    are kept only when instances are asked for.
 */

/** One batch of a journal, decoded. */
export interface SummaryBatch {
  readonly firstSeq: number;
  /** Of the batch's root stamp; absent for a batch without one. */
  readonly logicalNowNs?: bigint | undefined;
  readonly records: readonly JournalRecord[];
}

type Decision = CapDecision | PolicyDecision;

/** A damaged journal says the same a million times. */
const BROKEN_RECORDS_MAX = 100;

/** Ends that a decision directly before them explains (§2). */
const DENIALS: ReadonlySet<string | undefined> = new Set(['cap_denied', 'policy_denied', 'secret_denied']);

/**
 * Summarise a contiguous range of whole batches.
 *
 * @throws RangeError when the batches leave a gap or come out of order: the caller's bug.
 */
export function summarize(batches: Iterable<SummaryBatch>, options: SummaryOptions = {}): Summary {
  const fold = new SummaryFold(options);
  for (const batch of batches) fold.add(batch);
  return fold.finish();
}

/** The same, for batches that arrive page by page. */
export class SummaryFold {
  readonly #options: SummaryOptions;
  /** Open runs by plan id. */
  readonly #runs = new Map<number, Run>();
  /** Unanswered emissions by `emission_seq`. */
  readonly #emissions = new Map<number, OpenEmission>();
  readonly #plans = new Map<string, { readonly roots: Tally; readonly others: Tally }>();
  readonly #receivedOnce = new ReceiptTally();
  readonly #receivedOnceByRoots = new ReceiptTally();
  readonly #outside = {
    intents: 0,
    receipts: { ok: 0, error: 0, timeout: 0 },
    policy: { allow: 0, deny: 0 },
    cap: { allow: 0, deny: 0 },
  };
  readonly #rejected = new Map<string, number>();
  readonly #faults = new Map<string, number>();
  readonly #instances: Run[] = [];
  readonly #inconsistencies: Failure[] = [];
  #brokenRecords = 0;
  #orphaned = 0;
  #carriedIn = 0;
  #expectedSeq: number | undefined;
  #from: number | undefined;
  #to: number | undefined;
  #nowNs = 0n;
  #lastRecordNs = 0n;
  /** Its `plan_result` may follow. */
  #justEnded: Run | undefined;

  readonly #log: FlowLog | undefined;

  constructor(options: SummaryOptions = {}) {
    this.#options = options;
    const { correlations = false } = options;
    if (correlations !== false) this.#log = new FlowLog(correlations === true ? undefined : correlations);
  }

  /** @throws RangeError as `summarize`. */
  add(batch: SummaryBatch): void {
    if (this.#expectedSeq !== undefined && batch.firstSeq !== this.#expectedSeq) {
      throw new RangeError(`expected a batch that begins at ${this.#expectedSeq}, got ${batch.firstSeq}`);
    }
    this.#expectedSeq = batch.firstSeq + batch.records.length;
    // Also of batches before the range: one without a stamp has the time of the one before it (§4).
    if (batch.logicalNowNs !== undefined) this.#nowNs = batch.logicalNowNs;
    const { from = 0, to = Number.POSITIVE_INFINITY } = this.#options;
    const last = this.#expectedSeq - 1;
    if (batch.records.length === 0 || last < from || batch.firstSeq > to) return;
    this.#from ??= batch.firstSeq;
    this.#to = last;
    this.#lastRecordNs = this.#nowNs;
    this.#log?.begin(batch.firstSeq);

    let decisions: Decision[] = [];
    batch.records.forEach((record, index) => {
      if (record.record_kind === 'cap_decision' || record.record_kind === 'policy_decision') {
        decisions.push(record);
        return;
      }
      if (decisions.length > 0) {
        this.#attribute(decisions, record);
        decisions = [];
      }
      this.#fold(batch.firstSeq + index, record);
    });
    for (const decision of decisions) count(decision, this.#outside);
  }

  /** The summary of what was added; the fold may go on afterwards. */
  finish(): Summary {
    const { label, plan, instances } = this.#options;
    const from = this.#from ?? this.#options.from ?? 0;
    const rows = [...this.#plans]
      .filter(([name]) => plan === undefined || name === plan)
      .sort(([a], [b]) => compareUtf8(a, b));
    const cells = [...this.#plans.values()];
    const outside = this.#outside;
    const flows = this.#log && { label, runs: this.#log.runs, messages: [...this.#log.messages] };
    return {
      v: 1,
      label,
      from,
      to: this.#to ?? from - 1,
      partial: this.#carriedIn > 0 || this.#orphaned > 0,
      plans: rows.map(([name, { roots, others }]) => ({ plan_name: name, ...countersOf([roots, others]) })),
      totals: countersOf(
        cells.flatMap(({ roots, others }) => [roots, others]),
        this.#receivedOnce,
      ),
      roots: countersOf(
        cells.map(({ roots }) => roots),
        this.#receivedOnceByRoots,
      ),
      outside_plans: {
        intents: outside.intents,
        receipts: { ...outside.receipts },
        policy_decisions: { ...outside.policy },
        cap_decisions: { ...outside.cap },
      },
      receipts_orphaned: this.#orphaned,
      ingress_rejected: sortedByKey(this.#rejected),
      reducer_faults: sortedByKey(this.#faults),
      correlations: flows && correlationsOf(flows, [flows], this.#wanted),
      flows,
      instances: instances === true ? this.#instanceRows(plan) : undefined,
      planFilter: plan,
      inconsistencies: this.#inconsistenciesSoFar(),
    };
  }

  get #wanted(): CorrelationFilter | undefined {
    const { correlations } = this.#options;
    return typeof correlations === 'function' ? correlations : undefined;
  }

  #inconsistenciesSoFar(): readonly Failure[] {
    const more = this.#brokenRecords - this.#inconsistencies.length;
    if (more === 0) return [...this.#inconsistencies];
    return [
      ...this.#inconsistencies,
      { code: 'summary.inconsistent', path: ['journal'], message: `and ${more} more records like these` },
    ];
  }

  #instanceRows(plan: string | undefined): readonly InstanceSummary[] {
    return this.#instances
      .filter((run) => plan === undefined || run.planName === plan)
      .sort((a, b) => a.planId - b.planId)
      .map((run) => instanceRow(run, this.#lastRecordNs));
  }

  #fold(seq: number, record: JournalRecord): void {
    switch (record.record_kind) {
      case 'plan_started':
        this.#planStarted(seq, record);
        return;
      case 'plan_ended':
        this.#planEnded(seq, record);
        return;
      case 'plan_result': {
        const run = this.#justEnded?.planId === record.plan_id ? this.#justEnded : this.#runs.get(record.plan_id);
        if (run !== undefined && isTimedOut(record.value_cbor)) tookDeadline(run);
        return;
      }
      case 'effect_intent':
        this.#intent(seq, record);
        return;
      case 'effect_receipt':
        this.#receipt(seq, record);
        return;
      case 'domain_event':
        if (record.origin === 'plan' && record.plan_id !== undefined) {
          const run = this.#runOf(record.plan_id, record.origin_name ?? '');
          run.tally.raised += 1;
          if (holdsTimedOut(record.value)) tookDeadline(run);
          this.#log?.event(seq, record, isCarriedIn(run));
        } else this.#log?.event(seq, record);
        return;
      case 'ingress_rejected':
        increment(this.#rejected, record.code);
        return;
      case 'reducer_fault':
        increment(this.#faults, record.code);
        return;
      case 'cap_decision':
      case 'policy_decision':
        // `add` keeps them until it sees what they decided.
        return;
      case 'plan_start':
      case 'plan_cancel':
        // Their `plan_started` or `plan_ended` follows and says all that is counted.
        return;
      case 'manifest':
      case 'governance':
      case 'snapshot':
      case 'baseline':
      case 'custom':
        return;
      default:
        record satisfies never;
    }
  }

  /** Decisions are written directly before what they decide, so the next record says whose they are (§2). */
  #attribute(decisions: readonly Decision[], next: JournalRecord): void {
    if (next.record_kind === 'plan_ended' && DENIALS.has(next.error_code)) {
      const { tally } = this.#runOf(next.plan_id, next.plan_name);
      for (const decision of decisions) count(decision, tally);
      return;
    }
    const owner = next.record_kind === 'effect_intent' ? this.#ownerOf(next) : undefined;
    for (const decision of decisions) {
      const decided = next.record_kind === 'effect_intent' && bytesEqual(next.intent_hash, decision.intent_hash);
      count(decision, (decided ? owner?.tally : undefined) ?? this.#outside);
    }
  }

  #ownerOf(intent: EffectIntent): Run | undefined {
    const { origin } = intent;
    return origin.origin_kind === 'plan' ? this.#runOf(origin.plan_id, origin.name) : undefined;
  }

  #planStarted(seq: number, record: PlanStarted): void {
    const root = record.parent_instance_id === undefined;
    const run = this.#open({
      planId: record.plan_id,
      planName: record.plan_name,
      root,
      tally: this.#tally(record.plan_name, root),
      startedNs: this.#nowNs,
      parentPlanId: record.parent_instance_id,
      startedSeq: seq,
      correlation: record.correlation,
      status: 'live',
      intents: 0,
      timeoutPath: false,
    });
    run.tally.runs.started += 1;
    if (!root) run.tally.runs.started_as_child += 1;
    this.#log?.started(seq, record);
  }

  /** An open run; one that is not known was started before the range and is carried in. */
  #runOf(planId: number, planName: string): Run {
    const known = this.#runs.get(planId);
    if (known !== undefined) return known;
    this.#carriedIn += 1;
    const run = this.#open({
      planId,
      planName,
      // Its parent is not known, so it stands in no `roots` (§2).
      root: false,
      tally: this.#tally(planName, false),
      status: 'live',
      intents: 0,
      timeoutPath: false,
    });
    run.tally.runs.carried_in += 1;
    return run;
  }

  #open(run: Run): Run {
    this.#runs.set(run.planId, run);
    run.tally.runs.live += 1;
    if (this.#options.instances === true) this.#instances.push(run);
    return run;
  }

  #tally(planName: string, root: boolean): Tally {
    let cell = this.#plans.get(planName);
    if (cell === undefined) {
      cell = { roots: new Tally(), others: new Tally() };
      this.#plans.set(planName, cell);
    }
    return root ? cell.roots : cell.others;
  }

  #planEnded(seq: number, record: PlanEnded): void {
    const run = this.#runOf(record.plan_id, record.plan_name);
    const { tally } = run;
    this.#runs.delete(record.plan_id);
    this.#justEnded = run;
    this.#log?.ended(seq, record, isCarriedIn(run));
    run.status = record.status;
    run.endedSeq = seq;
    run.startedSeq ??= record.started_seq;
    run.correlation ??= record.correlation;
    tally.runs.live -= 1;
    tally.runs[record.status] += 1;
    if (run.startedNs !== undefined) {
      run.durationNs = this.#nowNs - run.startedNs;
      tally.durations.add(run.durationNs);
    }
    if (record.status === 'ok') return;
    const code = record.error_code ?? '';
    run.errorCode = code;
    increment(tally.errors, code);
    if (code === 'policy_denied') tally.signals.policy_deny += 1;
    else if (code === 'cap_denied' || code === 'secret_denied') tally.signals.cap_deny += 1;
    else if (code === 'invariant_violation') tally.signals.invariant_violation += 1;
  }

  #intent(seq: number, record: EffectIntent): void {
    const run = this.#ownerOf(record);
    const deadline = run !== undefined && armsDeadline(record);
    const effect = run && this.#log?.intent(seq, record, isCarriedIn(run));
    this.#emissionOf(seq, record).intents.push({ run, kind: record.kind, sentNs: this.#nowNs, deadline, effect });
    if (run === undefined) {
      this.#outside.intents += 1;
      return;
    }
    const { effects, deadlines } = run.tally;
    run.intents += 1;
    effects.intents += 1;
    effects.open += 1;
    run.tally.kind(record.kind).count += 1;
    if (record.coalesced_into !== undefined) effects.coalesced += 1;
    if (deadline) {
      deadlines.armed += 1;
      deadlines.open += 1;
    }
  }

  /** The emission whose receipt will settle this intent. A coalesced one names an open leader, or one before the range. */
  #emissionOf(seq: number, record: EffectIntent): OpenEmission {
    const leader = record.coalesced_into;
    const known = this.#emissions.get(leader ?? seq);
    if (leader !== undefined) {
      if (known === undefined && leader >= (this.#from ?? 0)) {
        this.#broken(seq, `coalesced into ${leader}, which is not an open intent of its own`);
      } else if (known !== undefined && !bytesEqual(known.intentHash, record.intent_hash)) {
        this.#broken(seq, `coalesced into ${leader}, which has another intent hash`);
      }
    }
    if (known !== undefined) return known;
    const emission: OpenEmission = { intentHash: record.intent_hash, intents: [] };
    this.#emissions.set(leader ?? seq, emission);
    return emission;
  }

  #broken(seq: number, message: string): void {
    this.#brokenRecords += 1;
    if (this.#brokenRecords > BROKEN_RECORDS_MAX) return;
    this.#inconsistencies.push({ code: 'summary.inconsistent', path: ['journal', seq], message });
  }

  #receipt(seq: number, record: EffectReceipt): void {
    const emission = this.#emissions.get(record.emission_seq);
    if (emission === undefined) {
      this.#orphaned += 1;
      return;
    }
    this.#emissions.delete(record.emission_seq);
    const signal = adapterSignal(record);
    const runs: Run[] = [];
    for (const { run, kind, sentNs, deadline, effect } of emission.intents) {
      if (run === undefined) continue;
      runs.push(run);
      const { tally } = run;
      const late = run.status !== 'live';
      tally.effects.open -= 1;
      if (effect !== undefined) this.#log?.receipt(seq, record, effect, late);
      tally.received.add(kind, record.status, signal, late);
      tally.kind(kind).waits.add(this.#nowNs - sentNs);
      if (deadline) {
        tally.deadlines.open -= 1;
        if (late) tally.deadlines.late += 1;
        else tally.deadlines.in_time += 1;
      }
    }
    if (runs.length === 0) {
      this.#outside.receipts[record.status] += 1;
      return;
    }
    // Intents of one emission have one hash, so one kind.
    const kind = emission.intents[0]?.kind ?? '';
    const ended = (run: Run): boolean => run.status !== 'live';
    this.#receivedOnce.add(kind, record.status, signal, runs.every(ended));
    const roots = runs.filter((run) => run.root);
    if (roots.length > 0) this.#receivedOnceByRoots.add(kind, record.status, signal, roots.every(ended));
  }
}

function count(decision: Decision, into: { readonly policy: Verdicts; readonly cap: Verdicts }): void {
  const verdicts = decision.record_kind === 'cap_decision' ? into.cap : into.policy;
  verdicts[decision.decision] += 1;
}
