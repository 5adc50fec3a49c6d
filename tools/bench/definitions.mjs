// What the bench's worlds run: plans of one and of ten steps whose effect does nothing, one that waits for an event, one
// that starts many others.
import { loadAuthored } from '@worldline/air';

const ref = (path) => ({ ref: path });
const chain = (steps) => steps.slice(1).map((step, i) => ({ from: steps[i].id, to: step.id }));

/** A plan of `count` steps in sequence: each emits the effect and awaits its receipt. */
function stepsInARow(name, count) {
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
  return { $kind: 'defplan', name, input: 'bench/Run@1', steps, edges: chain(steps) };
}

/** Waits for the one event that names its run. */
function parked() {
  const steps = [
    {
      id: 'wait',
      op: 'await_event',
      event: 'bench/Signal@1',
      where: { op: 'eq', args: [ref('@event.run'), ref('@plan.input.run')] },
      bind: { as: 'signal' },
    },
    { id: 'end', op: 'end' },
  ];
  return { $kind: 'defplan', name: 'bench/parked@1', input: 'bench/Run@1', steps, edges: chain(steps) };
}

/** Sleeps for as long as its input says. */
function nap() {
  const steps = [
    {
      id: 'nap',
      op: 'emit_effect',
      kind: 'timer.after',
      cap: 'cap_timer',
      params: { after_ns: ref('@plan.input.ns') },
      bind: { effect_id_as: 'handle' },
    },
    { id: 'wait', op: 'await_receipt', for: ref('@var:handle'), bind: { as: 'fired' } },
    { id: 'end', op: 'end' },
  ];
  return { $kind: 'defplan', name: 'bench/nap@1', input: 'bench/Nap@1', steps, edges: chain(steps) };
}

/** Does one step and tells the world, which wakes whoever is parked on the same run. */
function signal() {
  const steps = [
    {
      id: 'emit',
      op: 'emit_effect',
      kind: 'bench.noop',
      cap: 'cap_bench',
      params: { run: ref('@plan.input.run'), step: 0 },
      bind: { effect_id_as: 'handle' },
    },
    { id: 'await', op: 'await_receipt', for: ref('@var:handle'), bind: { as: 'answer' } },
    { id: 'tell', op: 'raise_event', event: 'bench/Signal@1', value: { run: ref('@plan.input.run') } },
    { id: 'end', op: 'end' },
  ];
  return { $kind: 'defplan', name: 'bench/signal@1', input: 'bench/Run@1', steps, edges: chain(steps) };
}

/** Does one step, as a child whose parent wants the answer. */
function worker() {
  const { steps, ...plan } = stepsInARow('bench/worker@1', 1);
  const end = { id: 'end', op: 'end', result: ref('@plan.input') };
  return { ...plan, output: 'bench/Run@1', steps: [...steps.slice(0, -1), end] };
}

/** Starts a worker per item and waits until all have ended. */
function fanOut() {
  const steps = [
    {
      id: 'spread',
      op: 'spawn_for_each',
      plan: 'bench/worker@1',
      inputs: ref('@plan.input.items'),
      bind: { handles_as: 'workers' },
    },
    { id: 'barrier', op: 'await_plans_all', handles: ref('@var:workers'), bind: { results_as: 'outcomes' } },
    { id: 'end', op: 'end' },
  ];
  return { $kind: 'defplan', name: 'bench/fan_out@1', input: 'bench/Items@1', steps, edges: chain(steps) };
}

const PLANS = [
  stepsInARow('bench/one_step@1', 1),
  stepsInARow('bench/ten_steps@1', 10),
  parked(),
  nap(),
  signal(),
  worker(),
  fanOut(),
];

const SCHEMAS = {
  'bench/Run@1': { record: { run: { nat: {} } } },
  'bench/Items@1': { record: { items: { list: { ref: 'bench/Run@1' } } } },
  'bench/Nap@1': { record: { run: { nat: {} }, ns: { nat: {} } } },
  'bench/Signal@1': { record: { run: { nat: {} } } },
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
  ...PLANS,
  {
    $kind: 'manifest',
    air_version: '1',
    schemas: Object.keys(SCHEMAS).map((name) => ({ name })),
    modules: [],
    plans: PLANS.map(({ name }) => ({ name })),
    effects: [{ name: 'bench/noop@1' }, { name: 'sys/timer.after@1' }],
    caps: [{ name: 'bench/cap@1' }],
    policies: [],
    defaults: {
      cap_grants: [
        { name: 'cap_bench', cap: 'bench/cap@1', params: {} },
        { name: 'cap_timer', cap: 'sys/timer@1', params: {} },
      ],
    },
    triggers: [],
  },
];

/** The checked definitions. */
export function definitions() {
  const loaded = loadAuthored([{ path: 'air/bench.air.json', text: JSON.stringify(NODES) }]);
  if (!loaded.ok) throw new Error(loaded.failure.map((d) => `${d.code}: ${d.message}`).join('\n'));
  return loaded.value;
}
