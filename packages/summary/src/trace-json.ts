import type { Catalog, Json, JsonObject } from '@worldline/air';
import { hashText, toBase64 } from '@worldline/canon';
import type { DomainEvent } from '@worldline/kernel';
import type { Diagnosis } from './diagnose.ts';
import type { Reason } from './reason.ts';
import { recordJson, type Types, typedJson, untypedJson } from './record-json.ts';
import type { Trace } from './trace.ts';
import { queryToJson, type TraceQuery } from './trace-query.ts';

/** A trace in the form of `/api/debug/trace` (`host.md` §10.1). */
export function traceToJson(trace: Trace, query: TraceQuery, catalog: Catalog): JsonObject {
  const { liveWait } = trace;
  const kinds = new Map<string, string>();
  for (const { record } of trace.entries)
    if (record.record_kind === 'effect_intent') kinds.set(hashText(record.intent_hash), record.kind);
  const types: Types = { catalog, kindOf: (hash) => kinds.get(hashText(hash)) };
  return {
    query: queryToJson(query),
    root: rootToJson(trace, catalog),
    journal_window: {
      from_seq: trace.fromSeq,
      to_seq: trace.toSeq,
      truncated: trace.truncated,
      entries: trace.entries.map((entry) => ({
        seq: entry.seq,
        kind: entry.record.record_kind,
        record: recordJson({ seq: entry.seq, record: entry.record, stamp: undefined }, types),
        ...(entry.causeSeq === undefined ? {} : { cause_seq: entry.causeSeq }),
      })),
    },
    plans: trace.plans.map(({ planId, plan, status, errorCode, manifestHash }) => ({
      plan_id: planId,
      plan,
      status,
      ...(errorCode === undefined ? {} : { error_code: errorCode }),
      ...(manifestHash === undefined ? {} : { manifest_hash: hashText(manifestHash) }),
    })),
    live_wait: {
      pending_plan_receipts: liveWait.planReceipts.map(({ planId, planName, intentHash, kind }) => ({
        plan_id: planId,
        plan_name: planName,
        intent_hash: hashText(intentHash),
        kind,
      })),
      plan_waiting_events: liveWait.planEvents.map(({ planId, planName, schema }) => ({
        plan_id: planId,
        plan_name: planName,
        event_schema: schema,
      })),
      pending_reducer_receipts: liveWait.reducerReceipts.map(({ intentHash, reducer, kind }) => ({
        intent_hash: hashText(intentHash),
        reducer,
        effect_kind: kind,
      })),
      queued_effects: liveWait.queued.map(({ intentHash, kind, capName }) => ({
        intent_hash: hashText(intentHash),
        kind,
        cap_name: capName,
      })),
      timers: liveWait.timers.map(({ intentHash, dueNs }) => ({
        intent_hash: hashText(intentHash),
        due_ns: String(dueNs),
      })),
    },
    terminal_state: trace.terminalState,
  };
}

function rootToJson({ root }: Trace, catalog: Catalog): JsonObject {
  const { seq, event, run } = root;
  if (run !== undefined)
    return {
      plan: run.plan_name,
      plan_id: run.plan_id,
      seq,
      ...(run.correlation === undefined ? {} : { correlation: untypedJson(run.correlation) }),
    };
  return { ...eventToJson(event, catalog), seq };
}

/** An event as traces and searches show it. */
export function eventToJson(event: DomainEvent, catalog: Catalog): JsonObject {
  return {
    schema: event.schema,
    event_hash: hashText(event.event_hash),
    ...(event.key === undefined ? {} : { key_b64: toBase64(event.key) }),
    value: typedJson(event.value, catalog.scope.lookup(event.schema), catalog),
  };
}

export function diagnosisToJson(diagnosis: Diagnosis): JsonObject {
  return {
    terminal_state: diagnosis.terminalState,
    cause: diagnosis.cause,
    hint: diagnosis.hint,
    hashes: {
      ...(diagnosis.eventHash === undefined ? {} : { event_hash: diagnosis.eventHash }),
      ...(diagnosis.intentHash === undefined ? {} : { intent_hash: diagnosis.intentHash }),
    },
    waits: { ...diagnosis.waits },
    evidence: diagnosis.evidence as Json,
    reason: reasonToJson(diagnosis.reason),
    more_reasons: diagnosis.moreReasons.map(reasonToJson),
    reasons_total: diagnosis.reasonsTotal,
  };
}

function reasonToJson({ code, text, hint, runs, facts, evidence, intentHash }: Reason): JsonObject {
  return {
    code,
    text,
    hint,
    runs: runs.map(({ planId, plan, step }) => ({ plan_id: planId, plan, ...(step === undefined ? {} : { step }) })),
    facts,
    evidence: evidence as Json,
    ...(intentHash === undefined ? {} : { intent_hash: hashText(intentHash) }),
  };
}
