// The world that the bench measures: plans of one and of ten steps, an effect that does nothing, a SQLite store on disk.
import { loadAuthored } from '@worldline/air';
import { unwrap } from '@worldline/canon';
import { createWorld, ephemeralKey, openWorld } from '@worldline/host';
import { defaultConfig } from '@worldline/kernel';
import { openSqliteStore } from '@worldline/store-sqlite';

const ref = (path) => ({ ref: path });

/** A plan of `count` steps in sequence: each emits the effect and awaits its receipt. */
function plan(name, count) {
  const steps = [];
  for (let n = 1; n <= count; n++) {
    steps.push({
      id: `emit_${n}`,
      op: 'emit_effect',
      kind: 'bench.noop',
      cap: 'cap_bench',
      // The step number keeps the intents of one run apart: equal ones would be one effect.
      params: { run: ref('@plan.input.run'), step: n },
      bind: { effect_id_as: `handle_${n}` },
    });
    steps.push({ id: `await_${n}`, op: 'await_receipt', for: ref(`@var:handle_${n}`), bind: { as: `answer_${n}` } });
  }
  steps.push({ id: 'end', op: 'end' });
  const edges = steps.slice(1).map((step, i) => ({ from: steps[i].id, to: step.id }));
  return { $kind: 'defplan', name, input: 'bench/Run@1', steps, edges };
}

const PLANS = { 'bench/one_step@1': 1, 'bench/ten_steps@1': 10 };
const SCHEMAS = {
  'bench/Run@1': { record: { run: { nat: {} } } },
  'bench/Noop@1': { record: { run: { nat: {} }, step: { nat: {} } } },
  'bench/Nothing@1': { record: {} },
};

const NODES = [
  ...Object.entries(SCHEMAS).map(([name, type]) => ({ $kind: 'defschema', name, type })),
  { $kind: 'defcap', name: 'bench/cap@1', cap_type: 'bench', schema: { record: {} } },
  {
    $kind: 'defeffect',
    name: 'bench/noop@1',
    kind: 'bench.noop',
    params_schema: 'bench/Noop@1',
    receipt_schema: 'bench/Nothing@1',
    cap_type: 'bench',
    origin_scope: 'plan',
  },
  ...Object.entries(PLANS).map(([name, count]) => plan(name, count)),
  {
    $kind: 'manifest',
    air_version: '1',
    schemas: Object.keys(SCHEMAS).map((name) => ({ name })),
    modules: [],
    plans: Object.keys(PLANS).map((name) => ({ name })),
    effects: [{ name: 'bench/noop@1' }],
    caps: [{ name: 'bench/cap@1' }],
    policies: [],
    defaults: { cap_grants: [{ name: 'cap_bench', cap: 'bench/cap@1', params: {} }] },
    triggers: [],
  },
];

const NOOP = {
  id: 'bench.noop',
  kinds: ['bench.noop'],
  maxConcurrency: 1024,
  classify: () => 'read',
  execute: async () => ({ status: 'ok', payload: {} }),
};

const NO_HTTP = {
  request: async () => ({
    ok: false,
    failure: { code: 'http.connect', message: 'the bench has no network', retryable: false, notSent: true },
  }),
};

/** A world in folder `dir`, open as `worldline run` opens it: default configuration, signatures, full durability. */
export class BenchWorld {
  static async open(dir) {
    const loaded = loadAuthored([{ path: 'air/bench.air.json', text: JSON.stringify(NODES) }]);
    if (!loaded.ok) throw new Error(loaded.failure.map((d) => `${d.code}: ${d.message}`).join('\n'));
    const store = unwrap(await openSqliteStore(dir));
    const { worldId } = unwrap(await createWorld({ store, loaded: loaded.value, config: defaultConfig() }));
    const world = unwrap(
      await openWorld({ store, worldId, receiptKey: ephemeralKey(), adapters: [NOOP], http: NO_HTTP, env: {} }),
    );
    return new BenchWorld(store, worldId, world);
  }

  #next = 0;
  /** Plan id → what to call at its end. Ends may become durable before the caller has heard the plan's id. */
  #ended = new Map();

  constructor(store, worldId, world) {
    this.store = store;
    this.worldId = worldId;
    this.world = world;
    world.onBatch((applied) => {
      for (const record of applied.records) {
        if (record.record_kind !== 'plan_ended') continue;
        if (record.status !== 'ok')
          throw new Error(`a plan of the bench failed: ${record.error_code} ${record.message}`);
        const waiting = this.#ended.get(record.plan_id);
        if (waiting) waiting();
        else this.#ended.set(record.plan_id, undefined);
      }
    });
  }

  /** Start one run; resolves when its end is durable. */
  async run(planName) {
    const started = unwrap(await this.world.startPlan({ plan: planName, input: { json: { run: this.#next++ } } }));
    const { planId } = started;
    if (!this.#ended.has(planId)) await new Promise((resolve) => this.#ended.set(planId, resolve));
    this.#ended.delete(planId);
  }

  async close() {
    await this.world.close();
  }
}
