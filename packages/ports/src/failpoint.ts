/**
 * Named instants between two steps of host and store, where a test may end the process, fail the disk, or hold the
 * thread (`journal.md` §5.2, `hosting.md` §14.1).
 *
 * F1  Off unless whoever composes host and store passes them in. No command line, configuration or environment does.
 * F2  A point says where it is; what happens there is the business of whoever armed it. Off, it is one comparison.
 */
export interface Failpoints {
  /**
   * @param what - what is at hand there: the point's row in `FAILPOINTS` says of which sort.
   * @throws an error of the system (`EIO`, `ENOSPC`), where the point's row says that one may be met.
   */
  reach(point: FailpointName, what: string): void;
}

/** Failpoints for a thread of their own: a module there makes them with its `failpoints(plan)`. */
export interface FailpointModule {
  /** `file:` URL. */
  readonly url: string;
  /** Plain data. */
  readonly plan: unknown;
}

interface Failpoint {
  /** Crash windows of `journal.md` §5.2 that a process ended here falls into. */
  readonly windows: readonly string[];
  readonly where: string;
  /** The argument `what`; empty for `nothing`. */
  readonly what: 'operation' | 'ingress kind' | 'effect kind' | 'nothing';
  /** An error thrown here is met as the system's own. */
  readonly mayFail?: true;
}

/** Every failpoint there is. A name is `<part>.<instant>`; tests cite it, so it stays. */
export const FAILPOINTS = {
  'store.taken': {
    windows: ['W1', 'W3', 'W17'],
    where: 'The writer has taken a request; no transaction is open.',
    what: 'operation',
    mayFail: true,
  },
  'store.item': {
    windows: ['W1', 'W9', 'W11'],
    where: 'The inbox counter is raised, its item is not there.',
    what: 'nothing',
    mayFail: true,
  },
  'store.object_renamed': {
    windows: ['W3', 'W12'],
    where: 'The file of a large object has its name; folder and row are not durable.',
    what: 'nothing',
    mayFail: true,
  },
  'store.objects_written': {
    windows: ['W3', 'W4', 'W12'],
    where: 'The objects of a commit are written, none of its batches.',
    what: 'operation',
    mayFail: true,
  },
  'store.batch_written': {
    windows: ['W4', 'W13'],
    where: 'A batch is in its table; cursor, outbox, timers, index and head are not moved.',
    what: 'nothing',
    mayFail: true,
  },
  'store.done': {
    windows: ['W9'],
    where: 'A receipt lies in the inbox; its outbox row is not marked done.',
    what: 'operation',
    mayFail: true,
  },
  'store.sync': {
    windows: ['W1', 'W3', 'W4', 'W18'],
    where: 'Everything of the transaction is written; it is not committed.',
    what: 'operation',
    mayFail: true,
  },
  'store.synced': {
    windows: ['W2', 'W5', 'W9', 'W18'],
    where: 'The transaction is durable; nobody has been told.',
    what: 'operation',
    mayFail: true,
  },
  'loop.applied': {
    windows: ['W2', 'W3'],
    where: 'The kernel has applied an input; nothing of it has reached the store.',
    what: 'ingress kind',
  },
  'loop.committed': {
    windows: ['W5', 'W16'],
    where: 'The store has answered that a batch is durable; kernel, caches and submitter do not know.',
    what: 'ingress kind',
  },
  'loop.timer_due': {
    windows: ['W11'],
    where: 'A timer is taken from the index, its offer is not applied.',
    what: 'effect kind',
  },
  'loop.snapshot_made': {
    windows: ['W12'],
    where: 'The nodes of a snapshot are made; nothing of it has reached the store.',
    what: 'nothing',
  },
  'dispatch.durable': {
    windows: ['W6'],
    where: 'An intent is durable; the dispatcher has not seen it.',
    what: 'effect kind',
  },
  'dispatch.claimed': {
    windows: ['W7'],
    where: 'An outbox row is claimed; the dispatcher has not seen it.',
    what: 'effect kind',
  },
  'dispatch.marked': {
    windows: ['W8'],
    where: 'The started mark of an at_most_once effect is durable; its adapter has not been called.',
    what: 'effect kind',
  },
  'dispatch.calling': {
    windows: ['W7'],
    where: 'An adapter is about to be called.',
    what: 'effect kind',
  },
  'dispatch.called': {
    windows: ['W8'],
    where: 'An adapter has answered; there is no receipt yet.',
    what: 'effect kind',
  },
} as const satisfies Record<string, Failpoint>;

export type FailpointName = keyof typeof FAILPOINTS;
