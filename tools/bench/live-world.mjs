// A world that runs as `worldline run` runs it: default configuration, signatures, full durability, a store on disk.
import { unwrap } from '@worldline/canon';
import { createWorld, ephemeralKey, openWorld } from '@worldline/host';
import { defaultConfig } from '@worldline/kernel';
import { openSqliteStore } from '@worldline/store-sqlite';
import { definitions } from './definitions.mjs';

/** The adapter that does nothing, so that what is measured is everything else. */
export const NOOP = {
  id: 'bench.noop',
  kinds: ['bench.noop'],
  maxConcurrency: 1024,
  classify: () => 'read',
  execute: async () => ({ status: 'ok', payload: {} }),
};

export const NO_HTTP = {
  request: async () => ({
    ok: false,
    failure: { code: 'http.connect', message: 'the bench has no network', retryable: false, notSent: true },
  }),
};

export class LiveWorld {
  /** Makes a world in folder `dir` and opens it. `log` - a logger; default: none. */
  static async create(dir, { log } = {}) {
    const store = unwrap(await openSqliteStore(dir));
    const { worldId } = unwrap(await createWorld({ store, loaded: definitions(), config: defaultConfig() }));
    const world = unwrap(
      await openWorld({ store, worldId, receiptKey: ephemeralKey(), adapters: [NOOP], http: NO_HTTP, env: {}, log }),
    );
    return new LiveWorld(store, worldId, world);
  }

  #next = 0;
  /** Plan id → what to call at its end. Ends may become durable before the caller has heard the plan's id. */
  #ended = new Map();
  /** Receipts that are durable. */
  steps = 0;

  constructor(store, worldId, world) {
    this.store = store;
    this.worldId = worldId;
    this.world = world;
    world.onBatch((applied) => {
      for (const record of applied.records) {
        if (record.record_kind === 'effect_receipt') this.steps++;
        if (record.record_kind !== 'plan_ended') continue;
        if (record.status !== 'ok')
          throw new Error(`a plan of the bench failed: ${record.error_code} ${record.message}`);
        const waiting = this.#ended.get(record.plan_id);
        if (waiting) waiting();
        else this.#ended.set(record.plan_id, undefined);
      }
    });
  }

  /** A number that no run of this world has had. */
  nextRun() {
    return this.#next++;
  }

  /** Submits one run; resolves to its plan id when its start is durable. */
  async start(plan, input = { run: this.nextRun() }) {
    return unwrap(await this.world.startPlan({ plan, input: { json: input } })).planId;
  }

  /** Resolves when the end of that run is durable. Ask once. */
  async ended(planId) {
    if (!this.#ended.has(planId)) await new Promise((resolve) => this.#ended.set(planId, resolve));
    this.#ended.delete(planId);
  }

  async run(plan, input) {
    await this.ended(await this.start(plan, input));
  }

  async close() {
    await this.world.close();
  }
}
