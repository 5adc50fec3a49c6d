import type {
  CapDecision,
  DomainEvent,
  EffectIntent,
  EffectReceipt,
  JournalRecord,
  PlanEnded,
  PlanResult,
  PlanStarted,
  PolicyDecision,
} from '@worldline/kernel';
import { decode } from 'cborg';

/**
 * A run summary counted again, as naively as can be (`summaries.md` §2–§6): every record in one list, and one loop over all
 * of it per number. It shares no code with `packages/summary` and not even the decoder of values, and it is quadratic; that
 * both say the same of every journal is the proof of either.
 */

export interface RecountBatch {
  readonly firstSeq: number;
  readonly logicalNowNs?: bigint | undefined;
  readonly records: readonly JournalRecord[];
}

interface At<R = JournalRecord> {
  readonly seq: number;
  readonly batch: number;
  readonly t: bigint;
  readonly record: R;
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const kindOf =
  <K extends JournalRecord['record_kind']>(kind: K) =>
  (at: At): at is At<Extract<JournalRecord, { record_kind: K }>> =>
    at.record.record_kind === kind;

const isStarted = kindOf('plan_started');
const isEnded = kindOf('plan_ended');
const isResult = kindOf('plan_result');
const isIntent = kindOf('effect_intent');
const isReceipt = kindOf('effect_receipt');
const isEvent = kindOf('domain_event');
const isRejected = kindOf('ingress_rejected');
const isFault = kindOf('reducer_fault');
const isDecision = (at: At): at is At<CapDecision | PolicyDecision> =>
  at.record.record_kind === 'cap_decision' || at.record.record_kind === 'policy_decision';

export class Recount {
  readonly #all: readonly At[];
  readonly #from: number;
  readonly #to: number;

  constructor(batches: readonly RecountBatch[], range: { readonly from?: number; readonly to?: number } = {}) {
    const { from = 0, to = Number.POSITIVE_INFINITY } = range;
    const all: At[] = [];
    let t = 0n;
    for (const { firstSeq, logicalNowNs, records } of batches) {
      if (logicalNowNs !== undefined) t = logicalNowNs;
      const last = firstSeq + records.length - 1;
      if (records.length === 0 || last < from || firstSeq > to) continue;
      for (const [i, record] of records.entries()) all.push({ seq: firstSeq + i, batch: firstSeq, t, record });
    }
    this.#all = all;
    this.#from = all[0]?.seq ?? from;
    this.#to = all.at(-1)?.seq ?? from - 1;
  }

  // Runs

  #planOf(at: At): number | undefined {
    const { record } = at;
    if (isStarted(at) || isEnded(at)) return at.record.plan_id;
    if (isIntent(at)) return at.record.origin.origin_kind === 'plan' ? at.record.origin.plan_id : undefined;
    if (isEvent(at)) return (record as DomainEvent).origin === 'plan' ? (record as DomainEvent).plan_id : undefined;
    return undefined;
  }

  #nameOf(run: number): string {
    for (const at of this.#all) {
      if (this.#planOf(at) !== run) continue;
      if (isStarted(at) || isEnded(at)) return at.record.plan_name;
      if (isIntent(at)) return at.record.origin.name;
      if (isEvent(at)) return at.record.origin_name ?? '';
    }
    throw new Error(`run ${run} has no record`);
  }

  #runs(): number[] {
    const found: number[] = [];
    for (const at of this.#all) {
      const run = this.#planOf(at);
      if (run !== undefined && !found.includes(run)) found.push(run);
    }
    return found;
  }

  #start(run: number): At<PlanStarted> | undefined {
    return this.#all.filter(isStarted).find((at) => at.record.plan_id === run);
  }

  #end(run: number): At<PlanEnded> | undefined {
    return this.#all.filter(isEnded).find((at) => at.record.plan_id === run);
  }

  #isRoot(run: number): boolean {
    const start = this.#start(run);
    return start !== undefined && start.record.parent_instance_id === undefined;
  }

  // Effects

  #intents(runs: readonly number[]): At<EffectIntent>[] {
    return this.#all.filter(isIntent).filter((at) => {
      const run = this.#planOf(at);
      return run !== undefined && runs.includes(run);
    });
  }

  /** Intents of the range that a receipt settles, whoever made them. */
  #settledBy(receipt: At<EffectReceipt>): At<EffectIntent>[] {
    const seq = receipt.record.emission_seq;
    return this.#all
      .filter(isIntent)
      .filter((at) => at.seq === seq || at.record.coalesced_into === seq)
      .filter((at) => at.seq < receipt.seq);
  }

  #receiptOf(intent: At<EffectIntent>): At<EffectReceipt> | undefined {
    return this.#all.filter(isReceipt).find((at) => this.#settledBy(at).some((settled) => settled.seq === intent.seq));
  }

  #isLate(intent: At<EffectIntent>, receipt: At<EffectReceipt>): boolean {
    const end = this.#end(this.#planOf(intent)!);
    return end !== undefined && end.seq < receipt.seq;
  }

  // Decisions

  /** The run that a decision is about; undefined: none. */
  #decidedFor(decision: At<CapDecision | PolicyDecision>): number | undefined {
    const next = this.#all.find((at) => at.seq > decision.seq && !isDecision(at));
    if (next === undefined || next.batch !== decision.batch) return undefined;
    if (isIntent(next)) {
      const isSame = hexOf(next.record.intent_hash) === hexOf(decision.record.intent_hash);
      return isSame ? this.#planOf(next) : undefined;
    }
    const isDenial = ['cap_denied', 'policy_denied', 'secret_denied'];
    return isEnded(next) && isDenial.includes(next.record.error_code ?? '') ? next.record.plan_id : undefined;
  }

  // Deadlines

  #tookDeadline(run: number): boolean {
    return this.#all.some((at) => {
      if (isResult(at)) return (at.record as PlanResult).plan_id === run && isTimedOut(valueOf(at.record.value_cbor));
      if (!isEvent(at) || at.record.origin !== 'plan' || at.record.plan_id !== run) return false;
      const value = valueOf(at.record.value);
      if (isTimedOut(value)) return true;
      if (!isRecord(value) || isVariant(value)) return false;
      return [...value.values()].some(isTimedOut);
    });
  }

  // Counters

  #counters(runs: readonly number[], once: boolean): { readonly [member: string]: Json } {
    const intents = this.#intents(runs);
    const errorsOf = (...codes: readonly string[]) =>
      runs.filter((run) => {
        const end = this.#end(run)?.record;
        return end?.status === 'error' && codes.includes(end.error_code ?? '');
      }).length;
    const answers = intents.flatMap((intent) => {
      const receipt = this.#receiptOf(intent);
      return receipt === undefined ? [] : [{ intent, receipt, late: this.#isLate(intent, receipt) }];
    });
    // In totals a record counts once: late when it was late for every run counted.
    const counted = !once
      ? answers
      : this.#all.filter(isReceipt).flatMap((receipt) => {
          const of = answers.filter((answer) => answer.receipt.seq === receipt.seq);
          return of.length === 0 ? [] : [{ intent: of[0]!.intent, receipt, late: of.every(({ late }) => late) }];
        });
    const withStatus = (status: string, kind?: string) =>
      counted.filter(
        ({ receipt, intent }) =>
          receipt.record.status === status && (kind === undefined || intent.record.kind === kind),
      ).length;
    const codeOf = ({ receipt }: { receipt: At<EffectReceipt> }) => receipt.record.error?.code;
    const failed = counted.filter(({ receipt }) => receipt.record.status === 'error');
    const unknown = failed.filter((answer) => codeOf(answer) === 'delivery.unknown').length;
    const adapterErrors = failed.filter(
      (answer) =>
        codeOf(answer) !== 'delivery.unknown' &&
        codeOf(answer) !== 'approval.withdrawn' &&
        answer.receipt.record.adapter_id !== 'kernel.fork',
    ).length;
    const deadlines = intents.filter(({ record }) => {
      if (record.kind !== 'timer.set' && record.kind !== 'timer.after') return false;
      const params = valueOf(record.params_cbor);
      const key = isRecord(params) ? params.get('key') : undefined;
      return typeof key === 'string' && key.startsWith('deadline:');
    });
    const deadlineAnswers = answers.filter(({ intent }) => deadlines.some((one) => one.seq === intent.seq));
    const errors = new Map<string, number>();
    for (const run of runs) {
      const end = this.#end(run)?.record;
      if (end?.status === 'error') errors.set(end.error_code ?? '', (errors.get(end.error_code ?? '') ?? 0) + 1);
    }
    const kinds = [...new Set(intents.map(({ record }) => record.kind))].sort();
    const decisions = (of: 'cap_decision' | 'policy_decision', decision: string) =>
      this.#all.filter(isDecision).filter((at) => {
        const run = this.#decidedFor(at);
        return (
          at.record.record_kind === of && at.record.decision === decision && run !== undefined && runs.includes(run)
        );
      }).length;
    return {
      runs: {
        started: runs.filter((run) => this.#start(run) !== undefined).length,
        started_as_child: runs.filter((run) => this.#start(run)?.record.parent_instance_id !== undefined).length,
        ok: runs.filter((run) => this.#end(run)?.record.status === 'ok').length,
        error: runs.filter((run) => this.#end(run)?.record.status === 'error').length,
        live: runs.filter((run) => this.#end(run) === undefined).length,
        carried_in: runs.filter((run) => this.#start(run) === undefined).length,
      },
      errors: mapJson(errors),
      failure_signals: {
        policy_deny: errorsOf('policy_denied'),
        cap_deny: errorsOf('cap_denied', 'secret_denied'),
        invariant_violation: errorsOf('invariant_violation'),
        timeout_path: runs.filter((run) => this.#tookDeadline(run)).length,
        adapter_timeout: withStatus('timeout'),
        adapter_error: adapterErrors,
        delivery_unknown: unknown,
      },
      deadlines: {
        armed: deadlines.length,
        in_time: deadlineAnswers.filter(({ late }) => !late).length,
        late: deadlineAnswers.filter(({ late }) => late).length,
        open: deadlines.length - deadlineAnswers.length,
      },
      effects: {
        intents: intents.length,
        coalesced: intents.filter(({ record }) => record.coalesced_into !== undefined).length,
        open: intents.filter((intent) => this.#receiptOf(intent) === undefined).length,
        receipts: {
          ok: withStatus('ok'),
          error: withStatus('error'),
          timeout: withStatus('timeout'),
          late: counted.filter(({ late }) => late).length,
        },
        policy_decisions: { allow: decisions('policy_decision', 'allow'), deny: decisions('policy_decision', 'deny') },
        cap_decisions: { allow: decisions('cap_decision', 'allow'), deny: decisions('cap_decision', 'deny') },
        by_kind: Object.fromEntries(
          kinds.map((kind) => [
            kind,
            {
              intents: intents.filter(({ record }) => record.kind === kind).length,
              ok: withStatus('ok', kind),
              error: withStatus('error', kind),
              timeout: withStatus('timeout', kind),
              wait_ns: distribution(
                answers
                  .filter(({ intent }) => intent.record.kind === kind)
                  .map(({ intent, receipt }) => receipt.t - intent.t),
              ),
            },
          ]),
        ),
      },
      events: {
        raised: this.#all
          .filter(isEvent)
          .filter(({ record }) => record.origin === 'plan' && runs.includes(record.plan_id ?? -1)).length,
      },
      duration_ns: distribution(
        runs.flatMap((run) => {
          const [start, end] = [this.#start(run), this.#end(run)];
          return start === undefined || end === undefined ? [] : [end.t - start.t];
        }),
      ),
    };
  }

  summary(label?: string): Json {
    const runs = this.#runs();
    const names = [...new Set(runs.map((run) => this.#nameOf(run)))].sort();
    const receipts = this.#all.filter(isReceipt);
    const outside = receipts.filter((receipt) => {
      const settled = this.#settledBy(receipt);
      return settled.length > 0 && settled.every((intent) => this.#planOf(intent) === undefined);
    });
    const orphaned = receipts.filter((receipt) => this.#settledBy(receipt).length === 0);
    const outsideDecisions = (of: 'cap_decision' | 'policy_decision', decision: string) =>
      this.#all
        .filter(isDecision)
        .filter(
          (at) => at.record.record_kind === of && at.record.decision === decision && this.#decidedFor(at) === undefined,
        ).length;
    const status = (of: readonly At<EffectReceipt>[], wanted: string) =>
      of.filter(({ record }) => record.status === wanted).length;
    const codes = (of: readonly At<JournalRecord & { readonly code: string }>[]) => {
      const counts = new Map<string, number>();
      for (const { record } of of) counts.set(record.code, (counts.get(record.code) ?? 0) + 1);
      return mapJson(counts);
    };
    return {
      v: 1,
      ...(label === undefined ? {} : { label }),
      from: this.#from,
      to: this.#to,
      partial: orphaned.length > 0 || runs.some((run) => this.#start(run) === undefined),
      plans: names.map((name) => ({
        plan_name: name,
        ...this.#counters(
          runs.filter((run) => this.#nameOf(run) === name),
          false,
        ),
      })),
      totals: this.#counters(runs, true),
      roots: this.#counters(
        runs.filter((run) => this.#isRoot(run)),
        true,
      ),
      outside_plans: {
        intents: this.#all.filter(isIntent).filter((at) => this.#planOf(at) === undefined).length,
        receipts: { ok: status(outside, 'ok'), error: status(outside, 'error'), timeout: status(outside, 'timeout') },
        policy_decisions: {
          allow: outsideDecisions('policy_decision', 'allow'),
          deny: outsideDecisions('policy_decision', 'deny'),
        },
        cap_decisions: {
          allow: outsideDecisions('cap_decision', 'allow'),
          deny: outsideDecisions('cap_decision', 'deny'),
        },
      },
      receipts_orphaned: orphaned.length,
      ingress_rejected: codes(this.#all.filter(isRejected)),
      reducer_faults: codes(this.#all.filter(isFault)),
      correlations: this.#correlations(runs),
      instances: this.#instances(runs),
    };
  }

  #instances(runs: readonly number[]): Json {
    return [...runs]
      .sort((a, b) => a - b)
      .map((run) => {
        const [start, end] = [this.#start(run), this.#end(run)];
        const correlation = start?.record.correlation ?? end?.record.correlation;
        return present({
          plan_id: run,
          plan_name: this.#nameOf(run),
          parent_plan_id: start?.record.parent_instance_id,
          correlation: correlation === undefined ? undefined : shown(correlation),
          started_seq: start?.seq ?? end?.record.started_seq,
          ended_seq: end?.seq,
          status: end?.record.status ?? 'live',
          error_code: end?.record.status === 'error' ? end.record.error_code : undefined,
          duration_ns: start === undefined || end === undefined ? undefined : number(end.t - start.t),
          live_age_ns: start === undefined || end !== undefined ? undefined : number(this.#all.at(-1)!.t - start.t),
          intents: this.#intents([run]).length,
          timeout_path: this.#tookDeadline(run),
        });
      });
  }

  // Correlations (§5)

  #correlations(runs: readonly number[]): Json {
    const correlationOf = (run: number) => {
      const bytes = (this.#start(run) ?? this.#end(run))?.record.correlation;
      return bytes === undefined ? undefined : hexOf(bytes);
    };
    const values = [...new Set(runs.map(correlationOf))].filter((value) => value !== undefined);
    const entries = values.map((value) => this.#correlation(runs.filter((run) => correlationOf(run) === value)));
    return entries.sort((a, b) => a.first - b.first || a.start - b.start).map(({ json }) => json);
  }

  #correlation(runs: readonly number[]): { readonly first: number; readonly start: number; readonly json: Json } {
    const startOf = (run: number) => this.#start(run)?.seq ?? this.#end(run)!.record.started_seq;
    const group = [...runs].sort((a, b) => startOf(a) - startOf(b));
    const bytes = (this.#start(group[0]!) ?? this.#end(group[0]!))!.record.correlation!;
    const rows: { readonly seq: number; readonly order: number; readonly json: Json }[] = [];
    for (const { seq, record } of this.#all.filter(isEvent)) {
      const byStart = group.filter((run) => this.#isRoot(run) && this.#start(run)!.record.cause === seq);
      const row = (order: number, role: string, run: number) =>
        rows.push({
          seq,
          order,
          json: present({
            seq,
            schema: record.schema,
            event_hash: `sha256:${hexOf(record.event_hash)}`,
            role,
            plan_id: run,
            message_id: messageOf(record),
          }),
        });
      if (byStart.length > 0) row(0, 'trigger', byStart[0]!);
      const woken = byStart.length > 0 ? undefined : group.find((run) => this.#causes(run).includes(seq));
      if (woken !== undefined) row(1, 'woke', woken);
      if (record.origin === 'plan' && group.includes(record.plan_id ?? -1)) row(2, 'raised', record.plan_id!);
    }
    rows.sort((a, b) => a.seq - b.seq || a.order - b.order);
    const effects = this.#intents(group).map((intent) => {
      const receipt = this.#receiptOf(intent);
      return {
        seq: intent.seq,
        json: present({
          seq: intent.seq,
          plan_id: this.#planOf(intent),
          step_id: (intent.record.origin as { readonly step_id: string }).step_id,
          kind: intent.record.kind,
          intent_hash: `sha256:${hexOf(intent.record.intent_hash)}`,
          receipt_seq: receipt?.seq,
          status: receipt?.record.status,
          disposition: receipt?.record.disposition,
        }),
      };
    });
    return {
      first: Math.min(startOf(group[0]!), ...rows.map(({ seq }) => seq), ...effects.map(({ seq }) => seq)),
      start: startOf(group[0]!),
      json: {
        correlation: shown(bytes),
        runs: group.map((run) => {
          const end = this.#end(run);
          return present({
            plan_id: run,
            plan: this.#nameOf(run),
            parent_plan_id: this.#start(run)?.record.parent_instance_id,
            started_seq: startOf(run),
            ended_seq: end?.seq,
            status: end?.record.status ?? 'live',
            error_code: end?.record.status === 'error' ? end.record.error_code : undefined,
          });
        }),
        events: rows.map(({ json }) => json),
        effects: effects.map(({ json }) => json),
        links: this.#lostMessages(group),
      },
    };
  }

  /** Causes of what a run did: its intents, the events that it raised, its end, and the starts of its children. */
  #causes(run: number): number[] {
    return this.#all.flatMap((at) => {
      const isOwn = (isIntent(at) || isEvent(at) || isEnded(at)) && this.#planOf(at) === run;
      const isChild = isStarted(at) && at.record.parent_instance_id === run;
      const { cause } = at.record as { readonly cause?: number };
      return (isOwn || isChild) && cause !== undefined ? [cause] : [];
    });
  }

  /** Of one journal alone: sends that failed, for no test here sends to its own world. */
  #lostMessages(runs: readonly number[]): Json {
    return this.#intents(runs).flatMap((intent) => {
      const { kind, intent_hash: hash } = intent.record;
      const receipt = this.#receiptOf(intent);
      const isSend = kind === 'fabric.send' || kind.startsWith('fabric.send.');
      if (!isSend || receipt === undefined || receipt.record.status === 'ok') return [];
      return [{ link: 'message', message_id: `sha256:${hexOf(hash)}`, from: { seq: intent.seq } }];
    });
  }
}

// Values, by a decoder of its own

function valueOf(bytes: Uint8Array): unknown {
  try {
    // The prefix is the tag 55799, which says no more than that this is CBOR.
    return decode(bytes.subarray(3), { useMaps: true, rejectDuplicateMapKeys: true });
  } catch {
    return undefined;
  }
}

const isRecord = (value: unknown): value is ReadonlyMap<unknown, unknown> => value instanceof Map;
const isVariant = (value: unknown): boolean =>
  isRecord(value) && value.size === 2 && value.has('$tag') && value.has('$value');
const isTimedOut = (value: unknown): boolean =>
  isVariant(value) && (value as Map<string, unknown>).get('$tag') === 'TimedOut';

/** A correlation as JSON. */
function shown(bytes: Uint8Array): Json {
  const value = valueOf(bytes);
  if (value === undefined) return Buffer.from(bytes).toString('base64');
  const json = (data: unknown): Json => {
    if (typeof data === 'bigint') return number(data);
    if (data instanceof Uint8Array) return Buffer.from(data).toString('base64');
    if (Array.isArray(data)) return data.map(json);
    if (isRecord(data)) {
      const hasTexts = [...data.keys()].every((key) => typeof key === 'string');
      return hasTexts
        ? Object.fromEntries([...data].map(([key, item]) => [key as string, json(item)]))
        : [...data].map(([key, item]) => [json(key), json(item)]);
    }
    return data as Json;
  };
  return json(value);
}

function messageOf(record: DomainEvent): string | undefined {
  const text = [record.source, record.ingress_id].find((one) => one?.startsWith('fabric:') && one.includes('/'));
  return text?.split('/').at(-1)?.replace('sha256:', '');
}

function distribution(times: readonly bigint[]): Json {
  const sorted = [...times].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const rank = (percent: number): Json =>
    sorted.length === 0 ? 0 : number(sorted[Math.ceil((percent * sorted.length) / 100) - 1]!);
  return {
    count: sorted.length,
    p50: rank(50),
    p90: rank(90),
    p95: rank(95),
    p99: rank(99),
    max: rank(100),
  };
}

function number(value: bigint): Json {
  return value > BigInt(Number.MAX_SAFE_INTEGER) || value < -BigInt(Number.MAX_SAFE_INTEGER)
    ? String(value)
    : Number(value);
}

function mapJson(counts: ReadonlyMap<string, number>): Json {
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function present(members: { readonly [key: string]: Json | undefined }): Json {
  return Object.fromEntries(
    Object.entries(members).filter((member): member is [string, Json] => member[1] !== undefined),
  );
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
