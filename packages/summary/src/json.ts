import { type CborValue, decode, toBase64 } from '@worldline/canon';
import type { Correlation, Place } from './correlation.ts';
import type { Distribution, InstanceSummary, RunCounters, Summary } from './summary.ts';

/** The JSON shape of `summaries.md` §6: keys in order, large integers as decimal strings, absent members left out. */

export type SummaryJson =
  | null
  | boolean
  | number
  | string
  | readonly SummaryJson[]
  | { readonly [key: string]: SummaryJson };

type Members = readonly (readonly [string, SummaryJson | undefined])[];

export function summaryToJson(summary: Summary): SummaryJson {
  return object([
    ['v', summary.v],
    ['label', summary.label],
    ['from', summary.from],
    ['to', summary.to],
    ['partial', summary.partial],
    ['plans', summary.plans.map((plan) => object([['plan_name', plan.plan_name], ...countersToJson(plan)]))],
    ['totals', object(countersToJson(summary.totals))],
    ['roots', object(countersToJson(summary.roots))],
    [
      'outside_plans',
      object([
        ['intents', summary.outside_plans.intents],
        ['receipts', { ...summary.outside_plans.receipts }],
        ['policy_decisions', { ...summary.outside_plans.policy_decisions }],
        ['cap_decisions', { ...summary.outside_plans.cap_decisions }],
      ]),
    ],
    ['receipts_orphaned', summary.receipts_orphaned],
    ['ingress_rejected', object([...summary.ingress_rejected])],
    ['reducer_faults', object([...summary.reducer_faults])],
    ['correlations', summary.correlations?.map(entryToJson)],
    ['instances', summary.instances?.map(instanceToJson)],
  ]);
}

/** As a file (§9): two spaces, LF, final newline. */
export function printSummary(summary: Summary): string {
  return `${JSON.stringify(summaryToJson(summary), undefined, 2)}\n`;
}

function countersToJson(counters: RunCounters): Members {
  const { effects } = counters;
  const kinds: Members = [...effects.by_kind].map(([kind, { intents, ok, error, timeout, wait_ns }]) => [
    kind,
    { intents, ok, error, timeout, wait_ns: distributionToJson(wait_ns) },
  ]);
  const { policy_deny, cap_deny, invariant_violation, timeout_path, adapter_timeout, adapter_error, delivery_unknown } =
    counters.failure_signals;
  return [
    ['runs', { ...counters.runs }],
    ['errors', object([...counters.errors])],
    [
      'failure_signals',
      { policy_deny, cap_deny, invariant_violation, timeout_path, adapter_timeout, adapter_error, delivery_unknown },
    ],
    ['deadlines', { ...counters.deadlines }],
    [
      'effects',
      {
        intents: effects.intents,
        coalesced: effects.coalesced,
        open: effects.open,
        receipts: { ...effects.receipts },
        policy_decisions: { ...effects.policy_decisions },
        cap_decisions: { ...effects.cap_decisions },
        by_kind: object(kinds),
      },
    ],
    ['events', { ...counters.events }],
    ['duration_ns', distributionToJson(counters.duration_ns)],
  ];
}

function distributionToJson({ count, p50, p90, p95, p99, max }: Distribution): SummaryJson {
  return {
    count,
    p50: integerToJson(p50),
    p90: integerToJson(p90),
    p95: integerToJson(p95),
    p99: integerToJson(p99),
    max: integerToJson(max),
  };
}

function instanceToJson(instance: InstanceSummary): SummaryJson {
  const { correlation, duration_ns: duration, live_age_ns: age } = instance;
  return object([
    ['plan_id', instance.plan_id],
    ['plan_name', instance.plan_name],
    ['parent_plan_id', instance.parent_plan_id],
    ['correlation', correlation && correlationToJson(correlation)],
    ['started_seq', instance.started_seq],
    ['ended_seq', instance.ended_seq],
    ['status', instance.status],
    ['error_code', instance.error_code],
    ['duration_ns', duration === undefined ? undefined : integerToJson(duration)],
    ['live_age_ns', age === undefined ? undefined : integerToJson(age)],
    ['intents', instance.intents],
    ['timeout_path', instance.timeout_path],
  ]);
}

function entryToJson({ correlation, runs, events, effects, links }: Correlation): SummaryJson {
  const rows = (list: readonly object[]): SummaryJson => list.map((row) => object(Object.entries(row)));
  return {
    correlation: correlationToJson(correlation),
    runs: rows(runs),
    events: rows(events),
    effects: rows(effects),
    links: links.map(({ link, message_id: id, from, to }) =>
      object([
        ['link', link],
        ['message_id', id],
        ['from', placeToJson(from)],
        ['to', to && placeToJson(to)],
      ]),
    ),
  };
}

function placeToJson({ world, seq }: Place): SummaryJson {
  return object([
    ['world', world],
    ['seq', seq],
  ]);
}

/** The decoded value; base64 of the bytes when they do not decode (§5). */
export function correlationToJson(correlation: Uint8Array): SummaryJson {
  const decoded = decode(correlation);
  return decoded.ok ? dataToJson(decoded.value) : toBase64(correlation);
}

function dataToJson(value: CborValue): SummaryJson {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return integerToJson(BigInt(value));
  if (value instanceof Uint8Array) return toBase64(value);
  if (Array.isArray(value)) return value.map(dataToJson);
  if (value instanceof Map) return [...value].map(([key, item]) => [dataToJson(key), dataToJson(item)]);
  return object(Object.entries(value).map(([key, item]) => [key, dataToJson(item as CborValue)]));
}

function integerToJson(value: bigint): SummaryJson {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

/** Through `fromEntries`, so that `__proto__` is a key like any other. */
function object(members: Members): { readonly [key: string]: SummaryJson } {
  return Object.fromEntries(
    members.filter((member): member is readonly [string, SummaryJson] => member[1] !== undefined),
  );
}
