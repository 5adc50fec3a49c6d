export { checkSummary } from './check.ts';
export { type Correlation, correlationIs, type Lane, linkJournals } from './correlation.ts';
export { type Cause, type DiagnoseOptions, type Diagnosis, diagnose } from './diagnose.ts';
export { type EventQuery, fieldAt, fieldPath, matchesEvent } from './event-match.ts';
export { EventWatch } from './event-watch.ts';
export { type Flow, FlowIndex } from './flow.ts';
export type { CorrelationFilter } from './flow-log.ts';
export { flowToJson, renderFlow } from './flow-render.ts';
export { type SummaryBatch, SummaryFold, summarize } from './fold.ts';
export { correlationToJson, printSummary, type SummaryJson, summaryToJson } from './json.ts';
export type { LiveState, LiveWait } from './live-wait.ts';
export { summaryToMarkdown } from './markdown.ts';
export { type EffectProgress, type HostFacts, REASONS, type Reason, type ReasonCode } from './reason.ts';
export { type Entry, recordJson, type Stamp, type Types, typedJson, untypedJson } from './record-json.ts';
export { renderRecord } from './record-line.ts';
export { formatDuration, longDuration, renderSummary } from './render.ts';
export { renderCorrelations, renderInstances } from './render-lists.ts';
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
export { checkThresholds, readThresholds, type Threshold } from './thresholds.ts';
export {
  type TerminalState,
  type Trace,
  type TraceBatch,
  type TraceEntry,
  TraceFold,
  type TracePlan,
  WINDOW_LIMIT,
  WINDOW_LIMIT_MAX,
} from './trace.ts';
export { diagnosisToJson, eventToJson, traceToJson } from './trace-json.ts';
export { eventDigits, isQueried, queryPath, queryToJson, type TraceQuery } from './trace-query.ts';
export { isTold, placeText, renderTrace, traceLine } from './trace-render.ts';
