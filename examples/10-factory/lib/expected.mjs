// What the summaries must count, told from the fate of each order and the shape of the plans, and from nothing that was
// measured. Read it beside the picture in the README.

/** @returns the counters of the factory's summary, as in `trace-summary --json`, `totals` and `roots`. */
export function expectedFactory(orders) {
  const { counts, roots } = tally();
  for (const order of orders) {
    run(counts, 'factory/entry_order@1');
    run(counts, 'factory/core_fulfil_order@1');
    for (const task of order.tasks) doTask(counts, task);
    if (order.tasks.every(({ fate }) => fate === 'passes')) gate(counts, roots, order);
    // Whatever happened, it is answered, and a fact is raised about it.
    effect(counts, 'fabric.send.answer', 'ok');
    counts.events++;
    roots.runs++;
  }
  return { totals: counts, roots };
}

function doTask(counts, { fate }) {
  run(counts, 'factory/core_do_task@1');
  if (fate === 'forbidden') {
    // The grant says no: nothing is sent, and no deadline is armed for it.
    run(counts, 'pack.deadline/core_fetch_by_deadline@1', 'cap_denied');
    counts.signals.cap_deny++;
    counts.decisions.cap.deny++;
    return;
  }
  run(counts, 'pack.deadline/core_fetch_by_deadline@1');
  switch (fate) {
    case 'passes':
    case 'rejected':
      // An answer is an answer, whatever its status.
      effect(counts, 'http.request', 'ok');
      deadline(counts, 'open');
      break;
    case 'reset':
      effect(counts, 'http.request', 'error');
      counts.signals.adapter_error++;
      deadline(counts, 'open');
      break;
    case 'silent':
      effect(counts, 'http.request', 'timeout');
      counts.signals.adapter_timeout++;
      deadline(counts, 'open');
      break;
    case 'late':
      // The deadline wins, in the race and in the worker that reports it. The answer comes all the same, for nobody.
      effect(counts, 'http.request', 'ok');
      counts.late++;
      deadline(counts, 'in_time');
      counts.signals.timeout_path += 2;
      break;
    default:
      throw new Error(`no task has the fate ${fate}`);
  }
}

function gate(counts, roots, { category, approver, channel }) {
  effect(counts, 'http.request', 'ok');
  if (category.review === 'defects') {
    run(counts, 'factory/core_quality_gate@1', 'invariant_violation');
    counts.signals.invariant_violation++;
    return;
  }
  run(counts, 'factory/core_quality_gate@1');
  run(counts, 'factory/core_release@1');
  run(counts, 'pack.approval/core_approval_gate@1');
  if (approver === 'silent') {
    // The deadline wins, and four plans say so: gate, release, order, and the fact that is raised at the end. Then nobody
    // waits for the approval any more, and the host withdraws it.
    deadline(counts, 'in_time');
    effect(counts, 'approval.request', 'error');
    counts.late++;
    counts.signals.timeout_path += 4;
    roots.timeout_path++;
    return;
  }
  effect(counts, 'approval.request', 'ok');
  deadline(counts, 'open');
  if (approver === 'deny') return;
  if (channel === 'Production') {
    run(counts, 'factory/core_publish@1', 'policy_denied');
    counts.signals.policy_deny++;
    counts.decisions.cap.allow++;
    counts.decisions.policy.deny++;
    return;
  }
  run(counts, 'factory/core_publish@1');
  effect(counts, 'http.request', 'ok');
  if (category.killed === 'announce') {
    effect(counts, 'http.request', 'error');
    counts.signals.delivery_unknown++;
  } else effect(counts, 'http.request', 'ok');
}

/** Does some run of this order end in error? Its parent takes that as a value, and the order is answered all the same. */
export function hasErrorRun(order) {
  return Object.keys(expectedFactory([order]).totals.errors).length > 0;
}

function tally() {
  return {
    counts: {
      runs: {},
      errors: {},
      signals: {
        policy_deny: 0,
        cap_deny: 0,
        invariant_violation: 0,
        timeout_path: 0,
        adapter_timeout: 0,
        adapter_error: 0,
        delivery_unknown: 0,
      },
      deadlines: { armed: 0, in_time: 0, open: 0 },
      effects: {},
      late: 0,
      decisions: { cap: { allow: 0, deny: 0 }, policy: { allow: 0, deny: 0 } },
      events: 0,
    },
    roots: { runs: 0, timeout_path: 0 },
  };
}

function run(counts, plan, error) {
  counts.runs[plan] ??= { started: 0, ok: 0, error: 0 };
  counts.runs[plan].started++;
  counts.runs[plan][error === undefined ? 'ok' : 'error']++;
  if (error !== undefined) counts.errors[error] = (counts.errors[error] ?? 0) + 1;
}

/** @param end - status of its receipt; `open` for none. */
function effect(counts, kind, end) {
  counts.effects[kind] ??= { intents: 0, ok: 0, error: 0, timeout: 0, open: 0 };
  counts.effects[kind].intents++;
  counts.decisions.cap.allow++;
  counts.decisions.policy.allow++;
  counts.effects[kind][end]++;
}

/** A deadline that lost is far away: its timer is still open when everything is settled. */
function deadline(counts, end) {
  counts.deadlines.armed++;
  counts.deadlines[end]++;
  effect(counts, 'timer.set', end === 'open' ? 'open' : 'ok');
}

/** The other side: one run for each order, one message, one deadline that never comes. */
export function expectedRequester(orders) {
  const { counts } = tally();
  for (const order of orders) {
    run(counts, 'office/entry_order@1');
    effect(counts, 'fabric.send.order', 'ok');
    deadline(counts, 'open');
    counts.events++;
    // The answer TimedOut is raised as a fact here too.
    if (order.approver === 'silent') counts.signals.timeout_path++;
  }
  return { totals: counts, roots: { runs: orders.length, timeout_path: counts.signals.timeout_path } };
}

/**
 * The same counters from a summary, to be compared.
 *
 * @param summary - what `trace-summary --json` answered.
 */
export function measured(summary) {
  const { totals, roots } = summary;
  const kinds = Object.entries(totals.effects.by_kind).map(([kind, k]) => {
    const open = k.intents - k.ok - k.error - k.timeout;
    return [kind, { intents: k.intents, ok: k.ok, error: k.error, timeout: k.timeout, open }];
  });
  return {
    totals: {
      runs: Object.fromEntries(
        summary.plans.map(({ plan_name, runs: { started, ok, error } }) => [plan_name, { started, ok, error }]),
      ),
      errors: totals.errors,
      signals: totals.failure_signals,
      deadlines: {
        armed: totals.deadlines.armed,
        in_time: totals.deadlines.in_time,
        open: totals.deadlines.open,
      },
      effects: Object.fromEntries(kinds),
      late: totals.effects.receipts.late,
      decisions: { cap: totals.effects.cap_decisions, policy: totals.effects.policy_decisions },
      events: totals.events.raised,
    },
    roots: { runs: roots.runs.started, timeout_path: roots.failure_signals.timeout_path },
  };
}

/** @returns `path: expected …, got …` for every number that differs. Members that only one side has count as 0. */
export function differences(expected, got, path = '') {
  if (typeof expected === 'number' || typeof got === 'number')
    return (expected ?? 0) === (got ?? 0) ? [] : [`${path}: expected ${expected ?? 0}, got ${got ?? 0}`];
  const names = [...new Set([...Object.keys(expected ?? {}), ...Object.keys(got ?? {})])].sort();
  return names.flatMap((name) => differences(expected?.[name], got?.[name], path === '' ? name : `${path} ${name}`));
}
