import { FailureError } from '@worldline/canon';
import type { Store } from '@worldline/ports';
import { seeded } from './seeded.ts';

/**
 * Any store behind a bad network (`hosting.md` §14.1): calls fail before or after they had their effect, come late, come
 * twice, or answer late, so that answers overtake each other; hints get lost.
 *
 * F1  What the wrapper answers is what the contract allows for that operation, so a caller that keeps to §4.3 loses
 *     nothing and does nothing twice.
 * F2  A plan alone decides, by the number of the call. The same plan over the same calls does the same.
 */
export type StoreTrouble =
  /** Nothing happens, and the answer says so. */
  | 'before'
  /** It happens; the answer is lost: `unknown` for a commit, `unavailable` or nothing for the others. */
  | 'after'
  /** Commits: nothing happens, and nobody can say so: `unknown`. Others: as `before`. */
  | 'lost'
  /** It happens later. */
  | 'late'
  /** It happens now, the answer comes later. */
  | 'late_answer'
  /** It happens twice; the caller sees the first answer. */
  | 'twice';

export const STORE_TROUBLES: readonly StoreTrouble[] = ['before', 'after', 'lost', 'late', 'late_answer', 'twice'];

export interface TroublePlan {
  /** Asked at every call, in order. */
  next(operation: string): StoreTrouble | undefined;
  /** How many turns of the event loop something comes late. */
  turns(): number;
}

export interface SeededTrouble {
  readonly seed: number;
  /** Share of calls in trouble, 0 to 1. Default 0.2. */
  readonly share?: number | undefined;
  /** Default: all kinds. */
  readonly kinds?: readonly StoreTrouble[] | undefined;
  /** Spares what it returns false for. */
  readonly meets?: ((operation: string) => boolean) | undefined;
}

/** Trouble drawn from a seed: the same seed over the same calls gives the same trouble. */
export function seededTrouble(options: SeededTrouble): TroublePlan {
  const { share = 0.2, kinds = STORE_TROUBLES, meets = () => true } = options;
  const random = seeded(options.seed);
  return {
    next(operation) {
      // Drawn for every call, so that sparing one operation moves nothing for the others.
      const isMet = random() < share;
      const kind = kinds[Math.floor(random() * kinds.length)];
      return isMet && meets(operation) ? kind : undefined;
    },
    turns: () => 1 + Math.floor(random() * 4),
  };
}

export interface FaultyStore extends Store {
  /** From now on everything works. */
  heal(): void;
  /** What was done to calls, by operation and trouble: `commit after`. */
  readonly met: ReadonlyMap<string, number>;
}

type Call<A extends readonly unknown[], T> = (...args: A) => Promise<T>;

const lost = { answer: 'unavailable', message: 'injected fault' } as const;

/** @param inner - closed by whoever opened it, or through the wrapper's `close`, which is never in trouble. */
export function faultyStore(inner: Store, plan: TroublePlan): FaultyStore {
  const met = new Map<string, number>();
  let isHealed = false;

  const draw = (operation: string): StoreTrouble | undefined => {
    const trouble = isHealed ? undefined : plan.next(operation);
    if (trouble !== undefined) met.set(`${operation} ${trouble}`, (met.get(`${operation} ${trouble}`) ?? 0) + 1);
    return trouble;
  };
  const wait = async () => {
    for (let turns = plan.turns(); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
  };

  async function meet<T>(operation: string, call: () => Promise<T>, failed: (isKnown: boolean) => T): Promise<T> {
    switch (draw(operation)) {
      case 'before':
        return failed(true);
      case 'lost':
        return failed(false);
      case 'after':
        await call();
        return failed(false);
      case 'late':
        await wait();
        return call();
      case 'late_answer': {
        const answer = await call();
        await wait();
        return answer;
      }
      case 'twice': {
        // Both are under way before either is answered.
        const [first] = await Promise.all([call(), call()]);
        return first;
      }
      case undefined:
        return call();
    }
  }

  /** An operation that can say `unavailable`. Nothing but a commit can say that it does not know. */
  const write =
    <A extends readonly unknown[], T>(operation: string, call: Call<A, T>): Call<A, T | typeof lost> =>
    (...args) =>
      meet<T | typeof lost>(
        operation,
        () => call(...args),
        () => lost,
      );

  /** An operation whose answer has no place for an outage. */
  const read =
    <A extends readonly unknown[], T>(operation: string, call: Call<A, T>): Call<A, T> =>
    (...args) =>
      meet(
        operation,
        () => call(...args),
        () => {
          throw new FailureError({ code: 'store.unavailable', path: [], message: 'injected fault' });
        },
      );

  const { cas, world, lease, journal, segment, snapshot, checkpoint, inbox, outbox, timers, wake, place } = inner;
  return {
    met,
    heal() {
      isHealed = true;
    },
    cas: {
      put: write('cas.put', cas.put),
      putMany: write('cas.putMany', cas.putMany),
      get: write('cas.get', cas.get),
      // It cannot come late: whoever calls it does not wait.
      getSync: (hash) => {
        const trouble = draw('cas.getSync');
        return trouble === 'before' || trouble === 'after' || trouble === 'lost' ? lost : cas.getSync(hash);
      },
      has: read('cas.has', cas.has),
      stat: read('cas.stat', cas.stat),
      delete: write('cas.delete', cas.delete),
    },
    world: {
      create: write('world.create', world.create),
      fork: write('world.fork', world.fork),
      get: read('world.get', world.get),
      list: read('world.list', world.list),
      setStatus: write('world.setStatus', world.setStatus),
      setKeys: write('world.setKeys', world.setKeys),
      markVerified: write('world.markVerified', world.markVerified),
      snapshots: read('world.snapshots', world.snapshots),
    },
    lease: {
      acquire: write('lease.acquire', lease.acquire),
      renew: write('lease.renew', lease.renew),
      release: write('lease.release', lease.release),
    },
    commit: (...args) =>
      meet(
        'commit',
        () => inner.commit(...args),
        (isKnown) => (isKnown ? lost : { answer: 'unknown', message: 'injected fault' }),
      ),
    journal: {
      read: write('journal.read', journal.read),
      head: read('journal.head', journal.head),
      follow: journal.follow,
      dropBelow: write('journal.dropBelow', journal.dropBelow),
    },
    segment: {
      put: write('segment.put', segment.put),
      index: write('segment.index', segment.index),
      list: read('segment.list', segment.list),
    },
    snapshot: {
      verified: write('snapshot.verified', snapshot.verified),
      drop: write('snapshot.drop', snapshot.drop),
    },
    checkpoint: {
      append: write('checkpoint.append', checkpoint.append),
      read: read('checkpoint.read', checkpoint.read),
      last: read('checkpoint.last', checkpoint.last),
    },
    inbox: {
      enqueue: write('inbox.enqueue', inbox.enqueue),
      read: read('inbox.read', inbox.read),
      applied: read('inbox.applied', inbox.applied),
      trim: write('inbox.trim', inbox.trim),
    },
    outbox: {
      // A claim in trouble is one that got nothing; after a lost answer its rows come back when their time is over.
      claim: (...args) =>
        meet(
          'outbox.claim',
          () => outbox.claim(...args),
          () => [],
        ),
      start: write('outbox.start', outbox.start),
      extend: write('outbox.extend', outbox.extend),
      complete: write('outbox.complete', outbox.complete),
      retry: write('outbox.retry', outbox.retry),
      reconcile: write('outbox.reconcile', outbox.reconcile),
      list: read('outbox.list', outbox.list),
    },
    timers: {
      due: read('timers.due', timers.due),
      fire: write('timers.fire', timers.fire),
      rearm: write('timers.rearm', timers.rearm),
    },
    wake: {
      poll: read('wake.poll', wake.poll),
      // A hint in any trouble at all is one that nobody hears.
      subscribe: (listener) =>
        wake.subscribe((worldId) => {
          if (draw('wake.hint') === undefined) listener(worldId);
        }),
      maintain: write('wake.maintain', wake.maintain),
    },
    place: {
      set: write('place.set', place.set),
      list: read('place.list', place.list),
    },
    nowNs: inner.nowNs,
    close: inner.close,
  };
}
