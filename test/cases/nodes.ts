/** Definition nodes for tests, as an author would write them. */

export type Node = Record<string, unknown>;
export type Expr = Record<string, unknown>;

export const ref = (text: string): Expr => ({ ref: text });
export const op = (name: string, ...args: Expr[]): Expr => ({ op: name, args });
export const eq = (a: Expr, b: Expr): Expr => op('eq', a, b);
export const txt = (s: string): Expr => ({ text: s });
export const nat = (n: number): Expr => ({ nat: n });
export const bool = (b: boolean): Expr => ({ bool: b });

export const assign = (id: string, as: string, expr: unknown): Node => ({ id, op: 'assign', expr, bind: { as } });
export const awaitReceipt = (id: string, handle: string, as: string): Node => ({
  id,
  op: 'await_receipt',
  for: ref(`@var:${handle}`),
  bind: { as },
});
export const awaitEvent = (id: string, event: string, as: string, where?: Expr): Node => ({
  id,
  op: 'await_event',
  event,
  ...(where === undefined ? {} : { where }),
  bind: { as },
});
export const raise = (id: string, event: string, value: unknown): Node => ({ id, op: 'raise_event', event, value });
/** Raises `t/Mark@1`, so that a test can see which steps ran. */
export const mark = (id: string): Node => raise(id, 't/Mark@1', { s: id });
export const end = (id: string, result?: unknown): Node => ({
  id,
  op: 'end',
  ...(result === undefined ? {} : { result }),
});
export const emit = (id: string, handle: string, params: unknown, more: Node = {}): Node => ({
  id,
  op: 'emit_effect',
  kind: 't.echo',
  cap: 'cap_t',
  params,
  bind: { effect_id_as: handle },
  ...more,
});
export const timer = (id: string, handle: string, afterNs: number, more: Node = {}): Node => ({
  id,
  op: 'emit_effect',
  kind: 'timer.after',
  cap: 'cap_timer',
  params: { after_ns: afterNs },
  bind: { effect_id_as: handle },
  ...more,
});
export const spawn = (id: string, child: string, input: unknown, handle: string): Node => ({
  id,
  op: 'spawn_plan',
  plan: child,
  input,
  bind: { handle_as: handle },
});
export const awaitPlan = (id: string, handle: Expr, as: string): Node => ({
  id,
  op: 'await_plan',
  for: handle,
  bind: { as },
});
export const spawnForEach = (id: string, child: string, inputs: unknown, handles: string, more: Node = {}): Node => ({
  id,
  op: 'spawn_for_each',
  plan: child,
  inputs,
  bind: { handles_as: handles },
  ...more,
});
export const awaitPlansAll = (id: string, handles: Expr, results: string): Node => ({
  id,
  op: 'await_plans_all',
  handles,
  bind: { results_as: results },
});
export const edge = (from: string, to: string, when?: Expr): Node => ({
  from,
  to,
  ...(when === undefined ? {} : { when }),
});

export const plan = (name: string, steps: Node[], edges: Node[] = [], more: Node = {}): Node => ({
  $kind: 'defplan',
  name,
  input: 't/In@1',
  steps,
  edges,
  ...more,
});

export const schema = (name: string, type: unknown): Node => ({ $kind: 'defschema', name, type });
const record = (fields: Node): Node => ({ record: fields });
const T = { text: {} };
const N = { nat: {} };

/** Schemas every case may use. */
export const SCHEMAS: Node[] = [
  schema('t/In@1', record({ id: T, n: { option: { int: {} } } })),
  schema('t/Mark@1', record({ s: T })),
  schema('t/Text@1', T),
  schema('t/Nat@1', N),
  schema('t/Int@1', { int: {} }),
  schema('t/Out@1', record({ n: N })),
  schema('t/Ready@1', record({ id: T })),
  schema('t/Other@1', record({ id: T })),
  schema('t/Reply@1', record({ correlation_id: T, body: { option: T } })),
  schema('t/Echo@1', record({ x: N })),
  schema('t/Echoed@1', record({ y: N })),
  schema('t/ArmA@1', record({ a: T })),
  schema('t/ArmB@1', record({ b: T })),
  schema('t/Either@1', { variant: { A: { ref: 't/ArmA@1' }, B: { ref: 't/ArmB@1' } } }),
  schema('t/Order@1', { variant: { Go: { ref: 't/In@1' }, Stop: { unit: {} } } }),
  schema('t/Score@1', record({ score: { int: {} } })),
];

export interface WorldOptions {
  readonly triggers?: Node[];
  readonly policy?: Node[];
  readonly schemas?: Node[];
  readonly grants?: Node[];
}

/** All nodes of a world that lists the given plans. */
export function world(plans: Node[], options: WorldOptions = {}): Node[] {
  const schemas = [...SCHEMAS, ...(options.schemas ?? [])];
  const nameOf = (node: Node) => ({ name: node['name'] });
  const policy =
    options.policy === undefined ? [] : [{ $kind: 'defpolicy', name: 't/policy@1', rules: options.policy }];
  const effect = {
    $kind: 'defeffect',
    name: 't/echo@1',
    kind: 't.echo',
    params_schema: 't/Echo@1',
    receipt_schema: 't/Echoed@1',
    cap_type: 't.cap',
    origin_scope: 'plan',
  };
  const cap = { $kind: 'defcap', name: 't/cap@1', cap_type: 't.cap', schema: { record: {} } };
  const manifest = {
    $kind: 'manifest',
    air_version: '1',
    schemas: schemas.map(nameOf),
    modules: [],
    plans: plans.map(nameOf),
    effects: [
      { name: 't/echo@1' },
      { name: 'sys/timer.after@1' },
      { name: 'sys/timer.set@1' },
      { name: 'sys/http.request@1' },
    ],
    caps: [{ name: 't/cap@1' }],
    policies: policy.map(nameOf),
    defaults: {
      ...(policy.length === 0 ? {} : { policy: 't/policy@1' }),
      cap_grants: options.grants ?? [
        { name: 'cap_t', cap: 't/cap@1', params: {} },
        { name: 'cap_timer', cap: 'sys/timer@1', params: {} },
        { name: 'cap_http', cap: 'sys/http.out@1', params: { hosts: ['ok.example'] } },
      ],
    },
    triggers: options.triggers ?? [],
  };
  return [...schemas, effect, cap, ...policy, ...plans, manifest];
}
