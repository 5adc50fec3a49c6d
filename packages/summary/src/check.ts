import type { Failure, Path } from '@worldline/canon';
import type { RunCounters, Summary } from './summary.ts';

/**
 * The consistency rules of `summaries.md` §3.2.
 *
 * @returns One failure with code `summary.inconsistent` per broken rule; none for a summary of a sound journal.
 */
export function checkSummary(summary: Summary): readonly Failure[] {
  const found: Failure[] = [...summary.inconsistencies];
  for (const plan of summary.plans) checkCounters(plan, { path: ['plans', plan.plan_name], exact: true }, found);
  checkCounters(summary.totals, { path: ['totals'], exact: false }, found);
  checkCounters(summary.roots, { path: ['roots'], exact: false }, found);
  if (summary.planFilter === undefined) checkSums(summary, found);
  return found;
}

/** @param at.exact - Each intent has its receipt counted; `totals` and `roots` count a receipt once per record. */
function checkCounters(
  counters: RunCounters,
  at: { readonly path: Path; readonly exact: boolean },
  found: Failure[],
): void {
  const { runs, errors, deadlines, effects } = counters;
  const broken = (part: string, message: string): void => {
    found.push({ code: 'summary.inconsistent', path: [...at.path, part], message });
  };
  if (runs.started + runs.carried_in !== runs.ok + runs.error + runs.live) {
    broken('runs', 'started + carried_in = ok + error + live');
  }
  if (runs.error !== total(errors.values())) broken('errors', 'runs.error = sum of errors');
  const answered = effects.receipts.ok + effects.receipts.error + effects.receipts.timeout + effects.open;
  if (at.exact ? effects.intents !== answered : effects.intents < answered) {
    broken('effects', `intents ${at.exact ? '=' : '≥'} receipts.ok + .error + .timeout + open`);
  }
  for (const [kind, { intents, ok, error, timeout }] of effects.by_kind) {
    if (intents < ok + error + timeout) broken('effects', `by_kind.${kind}: intents ≥ ok + error + timeout`);
  }
  if (deadlines.armed !== deadlines.in_time + deadlines.late + deadlines.open) {
    broken('deadlines', 'armed = in_time + late + open');
  }
}

/** Counters that are not counted once per record add up over the plans (§6). */
function checkSums(summary: Summary, found: Failure[]): void {
  const expected = additive(summary.totals);
  const sums = new Map<string, number>();
  for (const plan of summary.plans) {
    for (const [name, value] of additive(plan)) sums.set(name, (sums.get(name) ?? 0) + value);
  }
  for (const name of new Set([...expected.keys(), ...sums.keys()])) {
    if ((expected.get(name) ?? 0) !== (sums.get(name) ?? 0)) {
      found.push({ code: 'summary.inconsistent', path: ['totals', name], message: `totals = sum of plans: ${name}` });
    }
  }
}

function additive(counters: RunCounters): ReadonlyMap<string, number> {
  const { runs, errors, failure_signals: signals, deadlines, effects, events, duration_ns: duration } = counters;
  const found = new Map<string, number>();
  const put = (prefix: string, members: { readonly [member: string]: number }): void => {
    for (const [member, value] of Object.entries(members)) found.set(`${prefix}.${member}`, value);
  };
  put('runs', runs);
  for (const [code, value] of errors) found.set(`errors.${code}`, value);
  const { policy_deny, cap_deny, invariant_violation, timeout_path } = signals;
  put('failure_signals', { policy_deny, cap_deny, invariant_violation, timeout_path });
  put('deadlines', deadlines);
  const { intents, coalesced, open } = effects;
  put('effects', { intents, coalesced, open });
  put('effects.policy_decisions', { ...effects.policy_decisions });
  put('effects.cap_decisions', { ...effects.cap_decisions });
  for (const [kind, row] of effects.by_kind) {
    put(`effects.by_kind.${kind}`, { intents: row.intents, waits: row.wait_ns.count });
  }
  put('events', events);
  found.set('duration_ns.count', duration.count);
  return found;
}

function total(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
