import type { Json, JsonObject } from '@worldline/air';
import { hashText, toBase64 } from '@worldline/canon';
import type { Diagnosis } from './diagnose.ts';
import { recordJson, type Types, typedJson } from './record-json.ts';
import type { Trace } from './trace.ts';

/** A trace in the form of `/api/debug/trace` (`host.md` §10.1). */
export function traceToJson(trace: Trace, query: JsonObject, types: Types): JsonObject {
  const { root, liveWait } = trace;
  const { event, seq } = root;
  const { catalog } = types;
  return {
    query,
    root: {
      schema: event.schema,
      event_hash: hashText(event.event_hash),
      seq,
      ...(event.key === undefined ? {} : { key_b64: toBase64(event.key) }),
      value: typedJson(event.value, catalog.scope.lookup(event.schema), catalog),
    },
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

export function diagnosisToJson(diagnosis: Diagnosis): JsonObject {
  return {
    terminal_state: diagnosis.terminalState,
    cause: diagnosis.cause,
    hint: diagnosis.hint,
    hashes: {
      event_hash: diagnosis.eventHash,
      ...(diagnosis.intentHash === undefined ? {} : { intent_hash: diagnosis.intentHash }),
    },
    waits: { ...diagnosis.waits },
    evidence: diagnosis.evidence as Json,
  };
}
