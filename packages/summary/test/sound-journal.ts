import fc from 'fast-check';
import {
  admitted,
  byReducer,
  cap,
  ended,
  external,
  intent,
  Journal,
  policy,
  raised,
  receipt,
  result,
  started,
  TIMED_OUT,
} from './journal.ts';

/**
 * Random but sound journals, with what worlds that are driven by hand rarely have: shared emissions of plans and reducers in
 * every combination, every kind of failure, batches without a stamp. Runs start, spawn, emit, are answered, raise and end in
 * any order; causes are those that a kernel would write.
 */

export interface SoundAction {
  readonly what: number;
  readonly pick: number;
  readonly wait: number;
  readonly flag: boolean;
}

export const soundActions: fc.Arbitrary<readonly SoundAction[]> = fc.array(
  fc.record({ what: fc.nat(13), pick: fc.nat(50), wait: fc.nat(3), flag: fc.boolean() }),
  { maxLength: 60, size: 'max' },
);

const ENDS = [undefined, 'policy_denied', 'cap_denied', 'secret_denied', 'invariant_violation', 'expr_error'] as const;
const FAILURES = [
  {},
  { code: 'delivery.unknown' },
  { code: 'approval.withdrawn' },
  { code: 'fork_dropped', adapter: 'kernel.fork' },
  { code: 'http.status' },
] as const;

/** Values that are, hold, or only look like a deadline branch. */
const VALUES = [
  {},
  { result: TIMED_OUT },
  TIMED_OUT,
  { $tag: 'Other', $value: TIMED_OUT },
  { result: { inner: TIMED_OUT } },
  { $tag: 'TimedOut' },
] as const;

export function soundJournal(steps: readonly SoundAction[]): Journal {
  const journal = new Journal();
  const live: { readonly name: string; readonly id: number; readonly correlation: string | undefined }[] = [];
  const open: { readonly seq: number; readonly hash: string; readonly kind: string }[] = [];
  let now = 0;
  let ids = 0;
  for (const { what, pick, wait, flag } of steps) {
    now += wait;
    const run = live[pick % Math.max(1, live.length)];
    const emission = open[pick % Math.max(1, open.length)];
    const cause = journal.next;
    if (what <= 1) {
      const id = ids++;
      const name = `p${pick % 3}@1`;
      const parent = flag ? run : undefined;
      const correlation = parent === undefined ? ['a', 'b', undefined][pick % 3] : parent.correlation;
      journal.at(
        now,
        external('e@1'),
        started(name, id, { cause, ...(parent && { parent: parent.id }), ...(correlation && { correlation }) }),
      );
      live.push({ name, id, correlation });
    } else if (what <= 3 && run !== undefined) {
      const kind = flag
        ? (['timer.set', 'timer.after'] as const)[pick % 2]!
        : (['http.request', 'fabric.send.x'] as const)[pick % 2]!;
      const hash = `${kind} ${journal.next}`;
      const params = { key: pick % 2 === 0 ? 'deadline:x' : 'delay:x' };
      open.push({ seq: journal.next + 3, hash, kind });
      journal.at(now, external('e@1'), ...admitted(intent(run.name, run.id, kind, { hash, params, cause })));
    } else if (what === 4 && run !== undefined && emission !== undefined) {
      const { hash, kind, seq: into } = emission;
      const made = intent(run.name, run.id, kind, { hash, into, params: { key: 'deadline:x' }, cause });
      journal.at(now, external('e@1'), ...admitted(made));
    } else if (what === 5) {
      const shared = flag ? emission : undefined;
      const hash = shared?.hash ?? `reducer ${journal.next}`;
      const kind = shared?.kind ?? 'timer.set';
      if (shared === undefined) open.push({ seq: journal.next + 1, hash, kind });
      const into = shared === undefined ? {} : { into: shared.seq };
      journal.at(now, external('e@1'), byReducer('r@1', kind, { hash, ...into }));
    } else if (what <= 7 && emission !== undefined) {
      open.splice(open.indexOf(emission), 1);
      const status = (['ok', 'error', 'timeout'] as const)[pick % 3] ?? 'ok';
      const woken = run !== undefined && flag ? [raised(run.name, run.id, {}, 'd@1', cause)] : [];
      journal.at(now, receipt(emission.seq, status, FAILURES[pick % FAILURES.length]), ...woken);
    } else if (what === 8 && run !== undefined) {
      const id = ids++;
      // What is raised may start a run of its own.
      const next = pick % 2 === 0 ? [started('q@1', id, { cause: cause + 1, correlation: 'c' })] : [];
      if (next.length > 0) live.push({ name: 'q@1', id, correlation: 'c' });
      journal.at(now, external('e@1'), raised(run.name, run.id, VALUES[pick % VALUES.length]!, 'd@1', cause), ...next);
    } else if (what === 9 && run !== undefined) {
      live.splice(live.indexOf(run), 1);
      const code = flag ? ENDS[pick % ENDS.length] : undefined;
      const denied =
        code === 'policy_denied'
          ? [cap('h'), policy('h', 'deny')]
          : code === 'cap_denied' || code === 'secret_denied'
            ? [cap('h', 'deny')]
            : [];
      const end = { ...ended(run.name, run.id, code, 0, cause), correlation: correlationOf(journal, run.id) };
      const value =
        code === undefined && pick % 3 === 0 ? [result(run.name, run.id, VALUES[pick % VALUES.length]!)] : [];
      journal.at(now, external('e@1'), ...denied, { ...end, started_seq: startOf(journal, run.id) }, ...value);
    } else if (what === 10) {
      const fault = { reducer: 'r@1', event_seq: cause, event_hash: new Uint8Array(32), message: '' };
      journal.at(now, external('e@1'), cap('h', 'deny'), {
        record_kind: 'reducer_fault',
        code: `reducer.${pick % 2}`,
        ...fault,
      });
    } else if (what === 11) {
      const rejected = { ingress_kind: 'receipt', digest: new Uint8Array(32), message: '' };
      journal.at(now, { record_kind: 'ingress_rejected', code: `receipt.${pick % 2}`, ...rejected });
    } else if (what === 12 && run !== undefined) {
      // A decision about something else stands among those of an intent.
      const hash = `odd ${journal.next}`;
      open.push({ seq: journal.next + 4, hash, kind: 'blob.put' });
      const made = intent(run.name, run.id, 'blob.put', { hash, cause });
      journal.at(now, external('e@1'), cap('h', 'deny'), ...admitted(made));
    } else if (what === 13) {
      const hash = new Uint8Array(32);
      journal.at(undefined, { record_kind: 'snapshot', snapshot_ref: hash, height: journal.next, manifest_hash: hash });
    }
  }
  return journal;
}

function startOf(journal: Journal, planId: number): number {
  for (const { firstSeq, records } of journal.batches) {
    const at = records.findIndex((record) => record.record_kind === 'plan_started' && record.plan_id === planId);
    if (at >= 0) return firstSeq + at;
  }
  return 0;
}

function correlationOf(journal: Journal, planId: number): Uint8Array | undefined {
  for (const { records } of journal.batches) {
    for (const record of records) {
      if (record.record_kind === 'plan_started' && record.plan_id === planId) return record.correlation;
    }
  }
  return undefined;
}
