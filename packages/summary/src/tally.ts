import { compareUtf8 } from '@worldline/canon';
import type { EffectStatus } from '@worldline/kernel';
import { distributionOf, Times } from './distribution.ts';
import type { KindSummary, RunCounters } from './summary.ts';

/** Counters of `summaries.md` §3 while they grow, and how they add up to a row, to `totals` and to `roots`. */

interface Counts {
  ok: number;
  error: number;
  timeout: number;
}

/** A type alias, not an interface: only then may its members be summed by name. */
export type Verdicts = { allow: number; deny: number };

function noCounts(): Counts {
  return { ok: 0, error: 0, timeout: 0 };
}

/** What a receipt says about the adapter. */
export type AdapterSignal = 'adapter_timeout' | 'adapter_error' | 'delivery_unknown';

/**
 * What is counted per receipt. A plan's row counts it for each of its intents; `totals` and `roots` once per record
 * (§6), which with coalescing is less.
 */
export class ReceiptTally {
  readonly receipts: Counts & { late: number } = { ...noCounts(), late: 0 };
  readonly signals: Record<AdapterSignal, number> = { adapter_timeout: 0, adapter_error: 0, delivery_unknown: 0 };
  readonly kinds = new Map<string, Counts>();

  add(kind: string, status: EffectStatus, signal: AdapterSignal | undefined, late: boolean): void {
    this.receipts[status] += 1;
    if (late) this.receipts.late += 1;
    if (signal !== undefined) this.signals[signal] += 1;
    let counts = this.kinds.get(kind);
    if (counts === undefined) {
      counts = noCounts();
      this.kinds.set(kind, counts);
    }
    counts[status] += 1;
  }

  absorb(other: ReceiptTally): void {
    addCounts(this.receipts, other.receipts);
    this.receipts.late += other.receipts.late;
    for (const signal of ['adapter_timeout', 'adapter_error', 'delivery_unknown'] as const) {
      this.signals[signal] += other.signals[signal];
    }
    for (const [kind, counts] of other.kinds) {
      const mine = this.kinds.get(kind);
      if (mine === undefined) this.kinds.set(kind, { ...counts });
      else addCounts(mine, counts);
    }
  }
}

function addCounts(to: Counts, from: Counts): void {
  to.ok += from.ok;
  to.error += from.error;
  to.timeout += from.timeout;
}

/** Counters over the root runs, or over the other runs, of one plan. */
export class Tally {
  readonly runs = { started: 0, started_as_child: 0, ok: 0, error: 0, live: 0, carried_in: 0 };
  readonly errors = new Map<string, number>();
  readonly signals = { policy_deny: 0, cap_deny: 0, invariant_violation: 0, timeout_path: 0 };
  readonly deadlines = { armed: 0, in_time: 0, late: 0, open: 0 };
  readonly effects = { intents: 0, coalesced: 0, open: 0 };
  readonly policy: Verdicts = { allow: 0, deny: 0 };
  readonly cap: Verdicts = { allow: 0, deny: 0 };
  readonly received = new ReceiptTally();
  readonly intents = new Map<string, { count: number; readonly waits: Times }>();
  raised = 0;
  readonly durations = new Times();

  kind(name: string): { count: number; readonly waits: Times } {
    let found = this.intents.get(name);
    if (found === undefined) {
      found = { count: 0, waits: new Times() };
      this.intents.set(name, found);
    }
    return found;
  }
}

export function increment(counts: Map<string, number>, key: string, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

export function sortedByKey<T>(map: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map([...map].sort(([a], [b]) => compareUtf8(a, b)));
}

/** @param once - Counters per receipt record, in place of the sum over `tallies`. */
export function countersOf(tallies: readonly Tally[], once?: ReceiptTally): RunCounters {
  const received = once ?? new ReceiptTally();
  if (once === undefined) for (const tally of tallies) received.absorb(tally.received);
  const errors = new Map<string, number>();
  for (const tally of tallies) for (const [code, count] of tally.errors) increment(errors, code, count);
  const policy = sum(tallies, (tally) => tally.policy);
  const cap = sum(tallies, (tally) => tally.cap);
  const signals = sum(tallies, (tally) => tally.signals);
  const effects = sum(tallies, (tally) => tally.effects);
  return {
    runs: sum(tallies, (tally) => tally.runs),
    errors: sortedByKey(errors),
    failure_signals: { ...signals, ...received.signals },
    deadlines: sum(tallies, (tally) => tally.deadlines),
    effects: {
      ...effects,
      receipts: { ...received.receipts },
      policy_decisions: policy,
      cap_decisions: cap,
      by_kind: kindsOf(tallies, received),
    },
    events: { raised: tallies.reduce((total, tally) => total + tally.raised, 0) },
    duration_ns: distributionOf(tallies.map((tally) => tally.durations)),
  };
}

function kindsOf(tallies: readonly Tally[], received: ReceiptTally): ReadonlyMap<string, KindSummary> {
  const kinds = new Map<string, { intents: number; readonly waits: Times[] }>();
  for (const tally of tallies) {
    for (const [name, { count, waits }] of tally.intents) {
      const kind = kinds.get(name) ?? { intents: 0, waits: [] };
      kind.intents += count;
      kind.waits.push(waits);
      kinds.set(name, kind);
    }
  }
  const rows = new Map<string, KindSummary>();
  for (const [name, { intents, waits }] of kinds) {
    const { ok, error, timeout } = received.kinds.get(name) ?? noCounts();
    rows.set(name, { intents, ok, error, timeout, wait_ns: distributionOf(waits) });
  }
  return sortedByKey(rows);
}

/** Member by member, in the members' own order. */
function sum<T extends { [member: string]: number }>(tallies: readonly Tally[], part: (tally: Tally) => T): T {
  const total = { ...part(new Tally()) } as { [member: string]: number };
  for (const tally of tallies) {
    for (const [member, value] of Object.entries(part(tally))) total[member] = (total[member] ?? 0) + value;
  }
  return total as T;
}
