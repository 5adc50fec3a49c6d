import { type Loaded, type LoadOptions, loadAuthored } from '@worldline/air';
import { decode, FailureError, unwrap } from '@worldline/canon';
import { defaultConfig, type JournalRecord, type WorldConfig } from '@worldline/kernel';
import type {
  DeliveryClass,
  EffectAdapter,
  EffectOutcome,
  EffectRequest,
  GuardedHttp,
  Logger,
  Store,
} from '@worldline/ports';
import { type MemoryStore, type MemoryStoreOptions, memoryStore, VirtualClock } from '@worldline/testkit';
import {
  collectBatches,
  createWorld,
  decodeStoredBatch,
  defaultHostConfig,
  ephemeralKey,
  type Given,
  type HostConfig,
  type HostKey,
  type OpenWorldOptions,
  openWorld,
  replayVerify,
  type World,
} from '../src/index.ts';

/** A small world for tests of the host: an effect, a timer and an approval, each behind a plan of its own. */

type Node = Record<string, unknown>;

const TEXT = { text: {} };
const NAT = { nat: {} };
const ref = (path: string) => ({ ref: path });

const emit = (id: string, kind: string, cap: string, as: string, params: unknown, more: Node = {}): Node => ({
  id,
  op: 'emit_effect',
  kind,
  cap,
  params,
  bind: { effect_id_as: as },
  ...more,
});
const awaitReceipt = (id: string, handle: string, as: string): Node => ({
  id,
  op: 'await_receipt',
  for: ref(`@var:${handle}`),
  bind: { as },
});
const chain = (...ids: string[]) => ids.slice(1).map((to, i) => ({ from: ids[i], to }));
const raiseDone = { id: 'report', op: 'raise_event', event: 't/Done@1', value: { id: ref('@plan.input.id') } };

/** `call`: one effect, then a `t/Done@1`. `steps`: three effects in a row. `nap`: a timer. `ask`: an approval. */
export const NODES: readonly Node[] = [
  { $kind: 'defschema', name: 't/Job@1', type: { record: { id: TEXT, ns: { option: NAT } } } },
  { $kind: 'defschema', name: 't/Done@1', type: { record: { id: TEXT } } },
  { $kind: 'defschema', name: 't/Call@1', type: { record: { id: TEXT, mode: TEXT } } },
  { $kind: 'defschema', name: 't/Answer@1', type: { record: { text: TEXT, note: { option: TEXT } } } },
  { $kind: 'defschema', name: 't/Key@1', type: { record: { id: TEXT, token: ref('sys/TextOrSecretRef@1') } } },
  { $kind: 'defcap', name: 't/cap@1', cap_type: 't', schema: { record: {} } },
  {
    $kind: 'defeffect',
    name: 't/call@1',
    kind: 't.call',
    params_schema: 't/Call@1',
    receipt_schema: 't/Answer@1',
    cap_type: 't',
    origin_scope: 'plan',
  },
  {
    $kind: 'defplan',
    name: 't/call_plan@1',
    input: 't/Job@1',
    steps: [
      emit(
        'go',
        't.call',
        'cap_t',
        'h',
        { id: ref('@plan.input.id'), mode: 'one' },
        { idempotency_key: { op: 'hash', args: [ref('@plan.input.id')] } },
      ),
      awaitReceipt('wait', 'h', 'a'),
      raiseDone,
      { id: 'end', op: 'end' },
    ],
    edges: chain('go', 'wait', 'report', 'end'),
  },
  {
    $kind: 'defplan',
    name: 't/unkeyed@1',
    input: 't/Job@1',
    steps: [
      emit('go', 't.call', 'cap_t', 'h', { id: ref('@plan.input.id'), mode: 'unkeyed' }),
      awaitReceipt('wait', 'h', 'a'),
      raiseDone,
      { id: 'end', op: 'end' },
    ],
    edges: chain('go', 'wait', 'report', 'end'),
  },
  {
    $kind: 'defplan',
    name: 't/steps@1',
    input: 't/Job@1',
    steps: [
      ...[1, 2, 3].flatMap((n) => [
        emit(`go${n}`, 't.call', 'cap_t', `h${n}`, { id: ref('@plan.input.id'), mode: `step${n}` }),
        awaitReceipt(`wait${n}`, `h${n}`, `a${n}`),
      ]),
      raiseDone,
      { id: 'end', op: 'end' },
    ],
    edges: chain('go1', 'wait1', 'go2', 'wait2', 'go3', 'wait3', 'report', 'end'),
  },
  {
    $kind: 'defplan',
    name: 't/nap@1',
    input: 't/Job@1',
    steps: [
      emit('nap', 'timer.set', 'cap_timer', 'h', { deliver_at_ns: ref('@plan.input.ns') }),
      awaitReceipt('wait', 'h', 'a'),
      raiseDone,
      { id: 'end', op: 'end' },
    ],
    edges: chain('nap', 'wait', 'report', 'end'),
  },
  {
    $kind: 'defplan',
    name: 't/after@1',
    input: 't/Job@1',
    steps: [
      emit('nap', 'timer.after', 'cap_timer', 'h', { after_ns: 60_000_000_000 }),
      awaitReceipt('wait', 'h', 'a'),
      raiseDone,
      { id: 'end', op: 'end' },
    ],
    edges: chain('nap', 'wait', 'report', 'end'),
  },
  {
    $kind: 'defplan',
    name: 't/ask@1',
    input: 't/Job@1',
    steps: [
      emit('ask', 'approval.request', 'cap_approval', 'h', { subject: ref('@plan.input.id'), requester: 'tests' }),
      awaitReceipt('wait', 'h', 'a'),
      raiseDone,
      { id: 'end', op: 'end' },
    ],
    edges: chain('ask', 'wait', 'report', 'end'),
  },
  {
    $kind: 'manifest',
    air_version: '1',
    schemas: ['t/Job@1', 't/Done@1', 't/Call@1', 't/Answer@1', 't/Key@1'].map((name) => ({ name })),
    modules: [],
    plans: ['t/call_plan@1', 't/unkeyed@1', 't/steps@1', 't/nap@1', 't/after@1', 't/ask@1'].map((name) => ({ name })),
    effects: ['t/call@1', 'sys/timer.set@1', 'sys/timer.after@1', 'sys/approval.request@1'].map((name) => ({ name })),
    caps: [{ name: 't/cap@1' }],
    policies: [],
    defaults: {
      cap_grants: [
        { name: 'cap_t', cap: 't/cap@1', params: {} },
        { name: 'cap_timer', cap: 'sys/timer@1', params: {} },
        { name: 'cap_approval', cap: 'sys/approval@1', params: {} },
      ],
    },
    triggers: [],
  },
];

export function loaded(nodes: readonly Node[] = NODES, options: LoadOptions = {}): Loaded {
  const result = loadAuthored([{ path: 'air/world.air.json', text: JSON.stringify(nodes) }], options);
  if (!result.ok)
    throw new FailureError({ ...result.failure[0]!, message: JSON.stringify(result.failure.slice(0, 5)) });
  return result.value;
}

export const noHttp: GuardedHttp = {
  request: async () => ({
    ok: false,
    failure: { code: 'http.connect', message: 'no network in tests', retryable: false, notSent: true },
  }),
};

export const okOutcome = (text = 'ok'): EffectOutcome => ({ status: 'ok', payload: { text } });

export interface FakeAdapter extends EffectAdapter {
  readonly calls: EffectRequest[];
}

/** An adapter for `t.call` that does what the test says. */
export function fakeAdapter(
  execute: NonNullable<EffectAdapter['execute']> = async () => okOutcome(),
  options: {
    readonly id?: string;
    readonly deliveryClass?: DeliveryClass;
    readonly timeoutMs?: number;
    readonly maxConcurrency?: number;
  } = {},
): FakeAdapter {
  const calls: EffectRequest[] = [];
  return {
    calls,
    id: options.id ?? 'test.call',
    kinds: ['t.call'],
    timeoutMs: options.timeoutMs,
    maxConcurrency: options.maxConcurrency,
    classify: () => options.deliveryClass ?? 'keyed',
    execute(request, ctx) {
      calls.push(request);
      return execute(request, ctx);
    },
  };
}

export function approvals(): EffectAdapter & { readonly registered: string[]; readonly cancelled: string[] } {
  const registered: string[] = [];
  const cancelled: string[] = [];
  return {
    registered,
    cancelled,
    id: 'host.approval',
    kinds: ['approval.request'],
    classify: () => 'deferred',
    async register(request) {
      registered.push(request.intentHash);
    },
    async cancel(intentHash) {
      cancelled.push(intentHash);
    },
  };
}

/** Things to hold back and let go. */
export function gate<T = void>(): { readonly promise: Promise<T>; open(value: T): void } {
  let open!: (value: T) => void;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

export const recordingLog = (): Logger & { readonly lines: string[] } => {
  const lines: string[] = [];
  const line = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
    lines.push(
      `${level} ${message} ${fields === undefined ? '' : JSON.stringify(fields, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))}`,
    );
  };
  return { lines, debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
};

/**
 * One process's view of a store: calls can be watched, held back, or cut off as a killed process is.
 */
export class Connection {
  readonly store: Store;
  /** Waits before a commit reaches the store. */
  beforeCommit: (() => Promise<void>) | undefined;
  /** Waits before the answer of a commit reaches the caller. */
  afterCommit: (() => Promise<void>) | undefined;
  readonly commits: { readonly batches: number; readonly answer: string }[] = [];
  inFlight = 0;
  mostInFlight = 0;
  readonly calls: string[] = [];
  #isCut = false;

  constructor(inner: Store) {
    const fenced = { answer: 'fenced', epoch: 999 } as const;
    const gone = { answer: 'unavailable', message: 'cut off' } as const;
    this.store = {
      ...inner,
      commit: async (...args) => {
        this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
        try {
          await this.beforeCommit?.();
          const answer = this.#isCut ? fenced : await inner.commit(...args);
          this.commits.push({ batches: args[3].length, answer: answer.answer });
          this.calls.push('commit');
          await this.afterCommit?.();
          return this.#isCut ? fenced : answer;
        } finally {
          this.inFlight--;
        }
      },
      lease: {
        ...inner.lease,
        renew: async (...args) => (this.#isCut ? fenced : inner.lease.renew(...args)),
        release: async (...args) => (this.#isCut ? fenced : inner.lease.release(...args)),
      },
      outbox: {
        ...inner.outbox,
        start: async (...args) => {
          this.calls.push('outbox.start');
          return this.#isCut ? gone : inner.outbox.start(...args);
        },
        claim: async (...args) => (this.#isCut ? [] : inner.outbox.claim(...args)),
      },
      checkpoint: {
        ...inner.checkpoint,
        append: async (...args) => (this.#isCut ? fenced : inner.checkpoint.append(...args)),
      },
      inbox: { ...inner.inbox, read: async (...args) => (this.#isCut ? [] : inner.inbox.read(...args)) },
    };
  }

  /** From now on nothing that this process does reaches the store. */
  cut(): void {
    this.#isCut = true;
  }
}

export interface BenchOptions {
  readonly store?: MemoryStoreOptions;
  readonly nodes?: readonly Node[];
  readonly config?: Partial<WorldConfig>;
  /** How the nodes are read. */
  readonly load?: LoadOptions;
}

/** One world over a memory store, which may be opened and lost again and again. */
export class Bench {
  readonly store: MemoryStore;
  readonly worldId: string;
  readonly clock: VirtualClock;
  readonly key = ephemeralKey();
  readonly worldKey: HostKey;
  /** Real time for leases, so that a standing world clock loses none. */
  #opened = 0;

  private constructor(store: MemoryStore, worldId: string, clock: VirtualClock, worldKey: HostKey) {
    this.worldKey = worldKey;
    this.store = store;
    this.worldId = worldId;
    this.clock = clock;
  }

  static async create(options: BenchOptions = {}): Promise<Bench> {
    const clock = new VirtualClock();
    const store = memoryStore(options.store);
    const config = { ...defaultConfig(), logical_origin: 0n, clock: 'virtual' as const, ...options.config };
    const worldKey = ephemeralKey();
    const created = unwrap(
      await createWorld({ store, loaded: loaded(options.nodes, options.load), config, worldKey, clock }),
    );
    return new Bench(store, created.worldId, clock, worldKey);
  }

  options(more: Partial<OpenWorldOptions> = {}): OpenWorldOptions {
    return {
      store: this.store,
      worldId: this.worldId,
      receiptKey: this.key,
      worldKey: this.worldKey,
      adapters: [fakeAdapter(), approvals()],
      http: noHttp,
      clock: this.clock,
      worker: `worker-${++this.#opened}`,
      env: {},
      ...more,
    };
  }

  async open(more: Partial<OpenWorldOptions> = {}): Promise<World> {
    return unwrap(await openWorld(this.options(more)));
  }

  /** Opens as a process that can be killed with `cut`. */
  async openCuttable(
    more: Partial<OpenWorldOptions> = {},
  ): Promise<{ readonly world: World; readonly connection: Connection }> {
    const connection = new Connection(this.store);
    return { world: await this.open({ store: connection.store, ...more }), connection };
  }

  /** Opens again after the process before was killed. */
  async reopen(more: Partial<OpenWorldOptions> = {}): Promise<World> {
    return this.open({ dead: `worker-${this.#opened}`, ...more });
  }

  async records(): Promise<{ readonly seq: number; readonly record: JournalRecord }[]> {
    const batches = unwrap(await collectBatches(this.store, this.worldId, 0));
    return batches.flatMap((batch) =>
      unwrap(decodeStoredBatch(batch)).records.map((record, i) => ({ seq: batch.firstSeq + i, record })),
    );
  }

  async of<K extends JournalRecord['record_kind']>(kind: K): Promise<Extract<JournalRecord, { record_kind: K }>[]> {
    return (await this.records()).flatMap(({ record }) =>
      record.record_kind === kind ? [record as Extract<JournalRecord, { record_kind: K }>] : [],
    );
  }

  /** Ids of finished jobs, in order. */
  async done(): Promise<string[]> {
    const events = await this.of('domain_event');
    return events.filter((e) => e.schema === 't/Done@1').map((e) => (unwrap(decode(e.value)) as { id: string }).id);
  }

  /** Parity (`journal.md` §7, L3), from genesis. */
  async replays(): Promise<string> {
    const report = unwrap(await replayVerify({ store: this.store, worldId: this.worldId, fromGenesis: true }));
    if (!report.match) throw new Error(JSON.stringify(report.differences));
    return report.snapshot!;
  }
}

export function hostConfig(change: (config: HostConfig) => Partial<HostConfig> = () => ({})): HostConfig {
  const config = defaultHostConfig();
  return { ...config, ...change(config) };
}

export const job = (id: string, ns?: number): Given => ({ json: ns === undefined ? { id } : { id, ns } });

/** Waits for a condition; the test's own time limit ends it when it never comes. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Lets everything that is ready in this process run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}
