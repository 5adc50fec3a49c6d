import { approvalAdapter, httpAdapter } from '@worldline/adapters';
import { type Json, loadAuthored } from '@worldline/air';
import { FailureError, unwrap } from '@worldline/canon';
import {
  collectBatches,
  createWorld,
  decodeStoredBatch,
  ephemeralKey,
  openWorld,
  replayVerify,
  type World,
} from '@worldline/host';
import { defaultConfig, type JournalRecord, type WorldConfig } from '@worldline/kernel';
import type { EffectAdapter, EffectOutcome, EffectRequest, GuardedHttp, GuardedRequest } from '@worldline/ports';
import { type Summary, SummaryFold, typedJson } from '@worldline/summary';
import { memoryStore, VirtualClock } from '@worldline/testkit';
import type { Node } from './consumer.ts';
import type { Stage } from './fixture-world.ts';
import { BODY, COUNTED, type Counts } from './kernel-stage.ts';

type Answer = Awaited<ReturnType<GuardedHttp['request']>>;

/** Longer than anything here takes: no request runs into the time limit of its adapter. */
const NEVER_MS = 1_000_000_000;

/** A service that answers when it is told to. A request that is given up leaves it. */
class Service implements GuardedHttp {
  readonly open: { readonly url: string; readonly settle: (answer: Answer) => void }[] = [];

  request({ url, signal }: GuardedRequest): Promise<Answer> {
    return new Promise((resolve) => {
      const one = {
        url,
        settle: (answer: Answer) => {
          this.open.splice(this.open.indexOf(one), 1);
          resolve(answer);
        },
      };
      this.open.push(one);
      const gone = { code: 'adapter.timeout', message: 'given up', retryable: false, notSent: false };
      signal.addEventListener('abort', () => one.settle({ ok: false, failure: gone }), { once: true });
    });
  }
}

/** The way to another world, on which a message is taken or not when it is told to. */
class Peer implements EffectAdapter {
  readonly id = 'test.peer';
  readonly kinds = ['fabric.send', 'fabric.send.*'];
  readonly timeoutMs = NEVER_MS;
  readonly open: { readonly id: string; readonly hash: string; readonly settle: (outcome: EffectOutcome) => void }[] =
    [];

  classify() {
    return 'keyed' as const;
  }

  execute(request: EffectRequest, { signal }: Pick<GuardedRequest, 'signal'>): Promise<EffectOutcome> {
    return new Promise((resolve) => {
      const { correlation_id } = request.params as { readonly correlation_id: string };
      const one = {
        id: correlation_id,
        hash: request.intentHash,
        settle: (outcome: EffectOutcome) => {
          this.open.splice(this.open.indexOf(one), 1);
          resolve(outcome);
        },
      };
      this.open.push(one);
      const gone: EffectOutcome = { status: 'error', error: { code: 'adapter.cancelled', message: 'given up' } };
      signal.addEventListener('abort', () => one.settle(gone), { once: true });
    });
  }
}

export interface HostStageOptions {
  /** One clock for worlds that run beside each other. */
  readonly clock?: VirtualClock;
  /** Other services than one that answers when it is told to. */
  readonly http?: GuardedHttp;
  readonly httpTimeoutMs?: number;
  readonly config?: Partial<WorldConfig>;
  /** Further adapters in place of a peer that takes messages when it is told to; made anew whenever the world is opened. */
  readonly adapters?: () => readonly EffectAdapter[];
}

/**
 * A fixture on the real host: loop, dispatcher, timers, approvals and the HTTP adapter over a memory store, with a clock that
 * stands still until it is told to move.
 */
export class HostStage implements Stage {
  readonly #clock: VirtualClock;
  readonly #options: HostStageOptions;
  readonly #store = memoryStore();
  readonly #service = new Service();
  readonly #peer = new Peer();
  readonly #receiptKey = ephemeralKey();
  readonly #worldKey = ephemeralKey();
  #worldId = '';
  #world!: World;

  private constructor(options: HostStageOptions) {
    this.#options = options;
    this.#clock = options.clock ?? new VirtualClock();
  }

  static async open(nodes: readonly Node[], options: HostStageOptions = {}): Promise<HostStage> {
    const stage = new HostStage(options);
    const loaded = loadAuthored([{ path: 'air/world.air.json', text: JSON.stringify(nodes) }]);
    if (!loaded.ok) throw new FailureError(loaded.failure[0]!);
    const config = { ...defaultConfig(), logical_origin: 0n, clock: 'virtual' as const, ...options.config };
    const made = { store: stage.#store, loaded: loaded.value, config, worldKey: stage.#worldKey, clock: stage.#clock };
    stage.#worldId = unwrap(await createWorld(made)).worldId;
    await stage.#open();
    return stage;
  }

  async #open(): Promise<void> {
    this.#world = unwrap(
      await openWorld({
        store: this.#store,
        worldId: this.#worldId,
        receiptKey: this.#receiptKey,
        worldKey: this.#worldKey,
        adapters: [
          httpAdapter({ timeoutMs: this.#options.httpTimeoutMs ?? NEVER_MS }),
          approvalAdapter(),
          ...(this.#options.adapters?.() ?? [this.#peer]),
        ],
        http: this.#options.http ?? this.#service,
        clock: this.#clock,
        env: {},
      }),
    );
  }

  get world(): World {
    return this.#world;
  }

  async send(event: string, value: object): Promise<void> {
    unwrap(await this.#world.sendEvent({ schema: event, value: { json: value as Json } }, 'applied'));
  }

  async answer(text: string, status: number): Promise<void> {
    const { url, settle } = await this.#request(text);
    settle({ ok: true, value: { status, headers: [], body: BODY, url } });
  }

  async disconnect(text: string): Promise<void> {
    const { settle } = await this.#request(text);
    const failure = { code: 'http.connect', message: 'of the test', retryable: false, notSent: false };
    settle({ ok: false, failure });
  }

  async decide(subject: string, decision: 'approved' | 'denied'): Promise<void> {
    const found = unwrap(await this.#world.approvals()).filter((one) => one.subject === subject);
    if (found.length !== 1) throw new Error(`${found.length} questions about "${subject}"`);
    const { intentHash } = found[0]!;
    unwrap(await this.#world.decideApproval({ intentHash, decision, approver: 'ann' }));
  }

  async deliver(id: string): Promise<void> {
    const { hash, settle } = await this.#message(id);
    const payload = { message_id: hash, dest_world: 'other', enqueued_seq: 1, duplicate: false };
    settle({ status: 'ok', payload });
  }

  async refuse(id: string): Promise<void> {
    const { settle } = await this.#message(id);
    settle({ status: 'error', error: { code: 'fabric.refused', message: 'of the test', retryable: false } });
  }

  async pass(ns: number): Promise<void> {
    this.#clock.advance(BigInt(ns));
  }

  #request(text: string) {
    return theOne(this.#service.open, ({ url }) => url.includes(text));
  }

  #message(id: string) {
    return theOne(this.#peer.open, (one) => one.id === id);
  }

  /** Waits until the journal has so many records of each kind; the test's own time limit ends it when that never comes. */
  async reached(counts: Counts): Promise<void> {
    for (;;) {
      const now = await this.counts();
      if (COUNTED.every((kind) => (now[kind] ?? 0) >= (counts[kind] ?? 0))) return;
      await soon();
    }
  }

  async counts(): Promise<Counts> {
    const records = await this.#records();
    return Object.fromEntries(
      COUNTED.map((kind) => [kind, records.filter(({ record_kind }) => record_kind === kind).length]),
    );
  }

  /** Takes a snapshot and makes it the baseline. */
  async baseline(): Promise<void> {
    unwrap(await this.#world.snapshot());
  }

  /** Goes on as another process would, from the newest baseline: what is under way is begun again. */
  async restart(): Promise<void> {
    await this.#world.close({ graceMs: 0 });
    await this.#open();
  }

  async close(): Promise<void> {
    await this.#world.close({ graceMs: 0 });
  }

  async settled(event: string): Promise<readonly unknown[]> {
    const { catalog } = this.#world;
    return (await this.#records()).flatMap((record) =>
      record.record_kind === 'domain_event' && record.schema === event && record.origin === 'plan'
        ? [typedJson(record.value, catalog.scope.lookup(event), catalog)]
        : [],
    );
  }

  async #batches() {
    const batches = unwrap(await collectBatches(this.#store, this.#worldId, 0));
    return batches.map((batch) => ({ firstSeq: batch.firstSeq, ...unwrap(decodeStoredBatch(batch)) }));
  }

  async #records(): Promise<readonly JournalRecord[]> {
    return (await this.#batches()).flatMap(({ records }) => records);
  }

  /** Of the journal as it is (`summaries.md` §9a). */
  async summary(): Promise<Summary> {
    const fold = new SummaryFold();
    for (const { firstSeq, body, records } of await this.#batches())
      fold.add({ firstSeq, logicalNowNs: body.stamp?.logicalNowNs, records });
    return fold.finish();
  }

  /** L3, from genesis and from the active baseline. */
  async replays(): Promise<void> {
    for (const fromGenesis of [true, false]) {
      const report = unwrap(await replayVerify({ store: this.#store, worldId: this.#worldId, fromGenesis }));
      if (!report.match) throw new Error(JSON.stringify(report.differences));
    }
  }
}

/** Waits for the one of a list that fits. */
async function theOne<T>(list: readonly T[], fits: (one: T) => boolean): Promise<T> {
  for (;;) {
    const found = list.filter(fits);
    if (found.length > 1) throw new Error(`${found.length} are open where one was expected`);
    if (found[0] !== undefined) return found[0];
    await soon();
  }
}

function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}
