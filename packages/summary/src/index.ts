export { checkSummary } from './check.ts';
export { type Cause, type Diagnosis, diagnose } from './diagnose.ts';
export { type EventQuery, fieldAt, fieldPath, matchesEvent } from './event-match.ts';
export { type SummaryBatch, SummaryFold, summarize } from './fold.ts';
export { correlationToJson, printSummary, type SummaryJson, summaryToJson } from './json.ts';
export { type Entry, recordJson, type Stamp, type Types, typedJson, untypedJson } from './record-json.ts';
export { renderRecord } from './record-line.ts';
export { formatDuration, renderSummary } from './render.ts';
export type {
  Decisions,
  Distribution,
  FailureSignals,
  InstanceSummary,
  KindSummary,
  PlanSummary,
  Receipts,
  RunCounters,
  Summary,
  SummaryOptions,
} from './summary.ts';
export {
  type LiveState,
  type LiveWait,
  type TerminalState,
  type Trace,
  type TraceBatch,
  type TraceEntry,
  TraceFold,
  type TracePlan,
  WINDOW_LIMIT,
  WINDOW_LIMIT_MAX,
} from './trace.ts';
export { diagnosisToJson, traceToJson } from './trace-json.ts';
export { isTold, renderTrace, traceLine } from './trace-render.ts';
