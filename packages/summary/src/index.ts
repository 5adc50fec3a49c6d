export { checkSummary } from './check.ts';
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
