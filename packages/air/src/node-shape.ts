import type { StepOp } from './node.ts';
import { type Member, may, type NameOf, need, type Shape } from './shape.ts';

/** The members of every node kind, step, edge, grant, rule, route and trigger (`definitions.md` §3, §6, §7). */

/** `plans.md` §2.1. */
const STEPS_MAX = 512;
const EDGES_MAX = 2048;
const INVARIANTS_MAX = 64;

export const AIR_VERSION = '1';

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);
const NAT_MAX = 2n ** 64n - 1n;

const name = { is: 'name' } as const;
const schemaName = { is: 'name', of: 'schema' } as const;
const moduleName = { is: 'name', of: 'module' } as const;
const planName = { is: 'name', of: 'plan' } as const;
const ident = { is: 'ident' } as const;
const effectKind = { is: 'kind', of: 'effect' } as const;
const capType = { is: 'kind', of: 'cap' } as const;
const hash = { is: 'hash' } as const;
const text = { is: 'text' } as const;
const type = { is: 'type' } as const;
const expr = { is: 'expr' } as const;
const slot = { is: 'slot' } as const;

/** `$kind` is looked at before the shape is known, so it is no concern of the shape whether it is there. */
const $kind: Member<{ readonly is: 'text' }> = may(text, 'What this node defines.');

const ownName = need(name, 'a name', 'Its name, `namespace/name@version`. Others refer to it by this name.');

export const SCHEMA_SHAPE = {
  $kind,
  name: ownName,
  type: need(
    type,
    'a type expression',
    'The type of its values: an object with exactly one key, such as `{"text": {}}` or `{"record": {…}}`.',
  ),
} as const satisfies Shape;

export const REDUCER_ABI_SHAPE = {
  state: need(schemaName, 'a schema name', 'Schema of the state.'),
  event: need(
    schemaName,
    'a schema name',
    'Schema of the events it takes: a record, a reference, or a variant of references.',
  ),
  context: may(schemaName, 'Schema of the call context, `sys/ReducerContext@1`. Left out: it gets none.'),
  annotations: may(schemaName, 'Schema of what it may say about a call, for people.'),
  effects_emitted: may({ is: 'list', items: effectKind }, 'The kinds of effects it may emit.'),
  cap_slots: may(
    { is: 'map', keys: 'ident', values: capType },
    'Names of grants that it asks for, each with its cap type; `module_bindings` of the manifest fills them.',
  ),
} as const satisfies Shape;

export const PURE_ABI_SHAPE = {
  input: need(schemaName, 'a schema name', 'Schema of the input.'),
  output: need(schemaName, 'a schema name', 'Schema of the output.'),
  context: may(schemaName, 'Schema of the call context, `sys/PureContext@1`. Left out: it gets none.'),
} as const satisfies Shape;

export const ABI_SHAPE = {
  reducer: may({ is: 'object', shape: REDUCER_ABI_SHAPE }, 'For `"module_kind": "reducer"`: state and events.'),
  pure: may({ is: 'object', shape: PURE_ABI_SHAPE }, 'For `"module_kind": "pure"`: input and output.'),
} as const satisfies Shape;

export const MODULE_SHAPE = {
  $kind,
  name: ownName,
  module_kind: need(
    {
      is: 'choice',
      values: {
        reducer: 'Owns domain state: takes events, gives a new state and the events and effects that follow.',
        pure: 'A function from input to output, without state.',
      },
    },
    '"reducer" or "pure"',
    'Whether the module owns state (`reducer`) or is a function (`pure`).',
  ),
  wasm_hash: need(
    { is: 'hash', fill: true },
    'a hash',
    'Hash of the module’s artefact, WebAssembly or JavaScript. May be left out until it is built.',
  ),
  key_schema: may(schemaName, 'Schema of the key. A reducer that has one keeps a separate state per key.'),
  abi: need(
    { is: 'object', shape: ABI_SHAPE },
    'an object',
    'What goes in and comes out: exactly `reducer` or `pure`.',
  ),
} as const satisfies Shape;

export const EFFECT_SHAPE = {
  $kind,
  name: ownName,
  kind: need(effectKind, 'an effect kind', 'The kind that emitters name, such as `mail.send`.'),
  params_schema: need(schemaName, 'a schema name', 'Schema of the parameters.'),
  receipt_schema: need(schemaName, 'a schema name', 'Schema of the payload of its receipts.'),
  cap_type: need(capType, 'a cap type', 'The type of grant that it takes to emit it.'),
  origin_scope: need(
    {
      is: 'choice',
      values: { reducer: 'Only reducers emit it.', plan: 'Only plans emit it.', both: 'Plans and reducers emit it.' },
    },
    '"reducer", "plan" or "both"',
    'Who may emit it.',
  ),
  description: may(text, 'A note for readers. It is no part of the definition and of its hash.'),
} as const satisfies Shape;

export const ENFORCER_SHAPE = {
  module: need(
    moduleName,
    'a module name',
    'The pure module that judges each effect: `sys/CapAllowAll@1`, a built-in enforcer, or one from `sys/CapCheckInput@1` to `sys/CapCheckOutput@1`.',
  ),
} as const satisfies Shape;

export const CAP_SHAPE = {
  $kind,
  name: ownName,
  cap_type: need(capType, 'a cap type', 'The type of capability; effects name the type they need.'),
  schema: need(type, 'a type expression', 'The type of the `params` of grants of this cap.'),
  enforcer: may(
    { is: 'object', shape: ENFORCER_SHAPE },
    'Who compares an effect with the grant. Left out: `sys/CapAllowAll@1`.',
  ),
} as const satisfies Shape;

export const RULE_WHEN_SHAPE = {
  effect_kind: may(effectKind, 'The effect has this kind.'),
  cap_name: may(ident, 'The effect uses this grant.'),
  cap_type: may(capType, 'The effect uses a grant of this cap type.'),
  origin_kind: may(
    { is: 'choice', values: { plan: 'A plan emits it.', reducer: 'A reducer emits it.' } },
    'Whether a plan or a reducer emits it.',
  ),
  origin_name: may(name, 'The plan or module of this name emits it.'),
} as const satisfies Shape;

export const RULE_SHAPE = {
  when: need(
    { is: 'object', shape: RULE_WHEN_SHAPE },
    'an object',
    'Conditions that must all hold; `{}` holds always.',
  ),
  decision: need(
    { is: 'choice', values: { allow: 'The effect may leave.', deny: 'The effect is refused.' } },
    '"allow" or "deny"',
    'What the rule decides for effects that it fits.',
  ),
} as const satisfies Shape;

export const POLICY_SHAPE = {
  $kind,
  name: ownName,
  rules: need(
    { is: 'list', items: { is: 'object', shape: RULE_SHAPE } },
    'a list of rules',
    'The first rule that fits decides; when none fits, the effect is refused.',
  ),
} as const satisfies Shape;

/** Who may refer to a secret. */
export const ALLOWED_SHAPE = {
  allowed_caps: may({ is: 'list', items: ident }, 'Grants under which it may be used; empty or left out: any.'),
  allowed_plans: may({ is: 'list', items: planName }, 'Plans that may refer to it; empty or left out: any.'),
} as const satisfies Shape;

export const SECRET_SHAPE = {
  $kind,
  name: need(
    { is: 'name', of: 'secret' },
    'a name',
    'Alias and version, `namespace/alias@1`. References name `{"alias": "namespace/alias", "version": 1}`.',
  ),
  binding_id: need(
    text,
    'a text',
    'Where the host finds the value, such as `env:API_KEY`. The value itself stays out.',
  ),
  expected_digest: may(hash, 'Hash of the value, when it must be exactly that one.'),
  ...ALLOWED_SHAPE,
} as const satisfies Shape;

const boundAs = { is: 'object', shape: { as: need(ident, 'a variable name', 'Name of the variable.') } } as const;

function binding<const M extends string>(member: M, says: string) {
  const shape = { [member]: need(ident, 'a variable name', 'Name of the variable.') } as Readonly<
    Record<M, Member<{ readonly is: 'ident' }>>
  >;
  return need({ is: 'object', shape }, `{"${member}": a variable name}`, says);
}

const id = need(ident, 'a step id', 'Name of the step in this plan. Edges and `@step:` references use it.');
const op = need(text, 'a step kind', 'What the step does.');
const childPlan = need(planName, 'a plan name', 'The plan to start; the manifest lists it.');
const boundResult = need(boundAs, '{"as": a variable name}', 'The variable that holds the result: `@var:NAME`.');

export interface StepShape {
  /** For people. */
  readonly says: string;
  /** Required members first: that is the order in which missing ones are reported. */
  readonly members: Shape;
}

export const STEP_SHAPES = {
  raise_event: {
    says: 'Raises an event in this world. It is routed to reducers, waits and triggers like any other.',
    members: {
      id,
      op,
      event: need(schemaName, 'a schema name', 'Schema of the event.'),
      value: need(slot, 'a value or an expression', 'The event: a value of that schema, or an expression.'),
    },
  },
  emit_effect: {
    says: 'Asks the outside for something. Grant and policy are asked first; `await_receipt` waits for the answer.',
    members: {
      id,
      op,
      kind: need(effectKind, 'an effect kind', 'The kind of effect; the manifest lists its definition.'),
      params: need(
        slot,
        'a value or an expression',
        'The parameters: a value of the effect’s params schema; parts may be expressions.',
      ),
      cap: need(ident, 'a grant name', 'The grant that permits it, by its name in `defaults.cap_grants`.'),
      idempotency_key: may(slot, 'A hash: effects with the same key are done at most once. Left out: none.'),
      bind: binding('effect_id_as', 'The variable that holds the effect’s handle, for `await_receipt`.'),
    },
  },
  await_receipt: {
    says: 'Waits for the receipt of an effect that an earlier step emitted.',
    members: {
      id,
      op,
      for: need(expr, 'a reference to an effect handle', 'The handle: `{"ref": "@var:HANDLE"}`.'),
      bind: need(
        boundAs,
        '{"as": a variable name}',
        'The variable that holds the receipt: its payload, and `$status`, `$error`, `$adapter_id`, `$cost_cents`.',
      ),
    },
  },
  await_event: {
    says: 'Waits for an event. Without `where`, the next one of its schema is taken.',
    members: {
      id,
      op,
      event: need(schemaName, 'a schema name', 'Schema of the event to wait for.'),
      where: may(
        expr,
        'Which event is meant: a bool expression over `@event` and what the plan knows. An error in it means that the event does not match.',
      ),
      bind: need(boundAs, '{"as": a variable name}', 'The variable that holds the event: `@var:NAME`.'),
    },
  },
  assign: {
    says: 'Computes a value and binds it to a variable.',
    members: {
      id,
      op,
      expr: need(
        slot,
        'a value or an expression',
        'The value or expression. Plain JSON needs a declared type of the variable in `locals`.',
      ),
      bind: need(boundAs, '{"as": a variable name}', 'The variable: `@var:NAME`. `locals` may give it a schema.'),
    },
  },
  end: {
    says: 'Ends the plan with success.',
    members: {
      id,
      op,
      result: may(slot, 'The result: a value of the plan’s `output` schema, or an expression. Only with `output`.'),
    },
  },
  spawn_plan: {
    says: 'Starts another plan. `await_plan` waits for its end.',
    members: {
      id,
      op,
      plan: childPlan,
      input: need(slot, 'a value or an expression', 'Its input: a value of that plan’s `input` schema.'),
      bind: binding('handle_as', 'The variable that holds the child’s handle, for `await_plan`.'),
    },
  },
  await_plan: {
    says: 'Waits for the end of a plan that an earlier step spawned.',
    members: {
      id,
      op,
      for: need(expr, 'a reference to a plan handle', 'The handle: `{"ref": "@var:HANDLE"}`.'),
      bind: boundResult,
    },
  },
  spawn_for_each: {
    says: 'Starts one plan per input, all or none. `await_plans_all` waits for their ends.',
    members: {
      id,
      op,
      plan: childPlan,
      inputs: need(slot, 'a list or an expression', 'The list of inputs, each of that plan’s `input` schema.'),
      max_fanout: may(
        { is: 'integer', min: 1n, max: SAFE_MAX },
        'With more inputs than this the step fails before any child starts.',
      ),
      bind: binding('handles_as', 'The variable that holds the list of handles, in the order of the inputs.'),
    },
  },
  await_plans_all: {
    says: 'Waits for the ends of all plans behind a list of handles.',
    members: {
      id,
      op,
      handles: need(
        expr,
        'a reference to plan handles',
        'The handles: `{"ref": "@var:HANDLES"}`, or a `list` of them.',
      ),
      bind: binding('results_as', 'The variable that holds the list of results, in the order of the handles.'),
    },
  },
} as const satisfies { readonly [O in StepOp]: StepShape };

export const STEP_OPS = Object.keys(STEP_SHAPES) as readonly StepOp[];

export const EDGE_SHAPE = {
  from: need(ident, 'a step id', 'The step that must have finished.'),
  to: need(ident, 'a step id', 'The step that waits for it.'),
  when: may(expr, 'A bool expression, looked at when `from` has finished. False: `to` is not reached by this edge.'),
} as const satisfies Shape;

export const PLAN_SHAPE = {
  $kind,
  name: ownName,
  input: need(schemaName, 'a schema name', 'Schema of its input: `@plan.input`.'),
  output: may(schemaName, 'Schema of its result. With it, every `end` step has a `result`.'),
  locals: may(
    { is: 'map', keys: 'ident', values: schemaName },
    'Schemas of variables: what `assign` binds to such a name is checked against its schema.',
  ),
  steps: need(
    { is: 'list', items: { is: 'step' }, max: STEPS_MAX },
    'a list of steps',
    'What the plan does. Order is given by `edges`; steps without an edge to them start at once.',
  ),
  edges: may(
    { is: 'list', items: { is: 'object', shape: EDGE_SHAPE }, max: EDGES_MAX },
    'Which step waits for which, and under which condition. They form no cycle.',
  ),
  required_caps: may(
    { is: 'list', items: ident },
    'The grants that its steps use. Left out: derived from them; given: it must be equal to that.',
  ),
  allowed_effects: may(
    { is: 'list', items: effectKind },
    'The kinds of effects that its steps emit. Left out: derived from them; given: it must be equal to that.',
  ),
  invariants: may(
    { is: 'list', items: expr, max: INVARIANTS_MAX },
    'Bool expressions that must hold whenever they can be evaluated. One that fails ends the plan with an error.',
  ),
} as const satisfies Shape;

export const REF_SHAPE = {
  name: need(name, 'a name', 'Name of the definition.'),
  hash: need(
    { is: 'hash', fill: true },
    'a hash',
    'Hash of the definition. In authored files it may be left out: it is filled in.',
  ),
} as const satisfies Shape;

/** The same with a name that is checked as the name of a secret (V-611). */
export const SECRET_REF_SHAPE = {
  ...REF_SHAPE,
  name: need({ is: 'name', of: 'secret' }, 'a name', 'Name of the defsecret, `namespace/alias@1`.'),
} as const satisfies Shape;

/** Only in stored manifests and patches (V-205). */
export const INLINE_SECRET_SHAPE = {
  alias: need(
    text,
    'a text',
    'Alias of the secret. Stored manifests only: authored files define a `defsecret` and list its name.',
  ),
  version: need({ is: 'integer', min: 1n, max: SAFE_MAX }, 'an integer', 'Version of the secret, from 1.'),
  binding_id: need(text, 'a text', 'Where the host finds the value.'),
  expected_digest: may(hash, 'Hash of the value, when it must be exactly that one.'),
  policy: may({ is: 'object', shape: ALLOWED_SHAPE }, 'Who may refer to it.'),
} as const satisfies Shape;

export const GRANT_SHAPE = {
  name: need(ident, 'a grant name', 'Name of the grant; steps name it as `cap`.'),
  cap: need({ is: 'name', of: 'cap' }, 'a defcap name', 'The capability that is granted, such as `sys/http.out@1`.'),
  params: need({ is: 'json' }, "a value of the cap's schema", 'How far the grant goes: a value of the cap’s schema.'),
  expiry_ns: may(
    { is: 'integer', min: 0n, max: NAT_MAX },
    'Logical time, in nanoseconds, from which on the grant is refused. Beyond 2^53 as decimal text.',
  ),
} as const satisfies Shape;

export const DEFAULTS_SHAPE = {
  policy: may(
    { is: 'name', of: 'policy' },
    'The policy that judges every effect. Left out: what the grants allow is allowed.',
  ),
  cap_grants: may(
    { is: 'list', items: { is: 'object', shape: GRANT_SHAPE } },
    'What plans and reducers are permitted.',
  ),
} as const satisfies Shape;

export const BINDING_SHAPE = {
  slots: need(
    { is: 'map', keys: 'ident', values: ident },
    'an object',
    'The grant behind each cap slot of the module.',
  ),
} as const satisfies Shape;

export const ROUTE_SHAPE = {
  event: need(schemaName, 'a schema name', 'Schema of the events.'),
  reducer: need(moduleName, 'a module name', 'The reducer that gets them.'),
  key_field: may(
    text,
    'Dot path to the key in the event, for a keyed reducer. Into a variant it begins with `$value.`.',
  ),
} as const satisfies Shape;

export const INBOX_SHAPE = {
  source: need(text, 'a text', 'Name of the source.'),
  reducer: need(moduleName, 'a module name', 'The reducer that gets what comes in.'),
} as const satisfies Shape;

export const ROUTING_SHAPE = {
  events: may({ is: 'list', items: { is: 'object', shape: ROUTE_SHAPE } }, 'Which events go to which reducer.'),
  inboxes: may({ is: 'list', items: { is: 'object', shape: INBOX_SHAPE } }, 'Which source feeds which reducer.'),
} as const satisfies Shape;

export const TRIGGER_SHAPE = {
  event: need(schemaName, 'a schema name', 'The plan starts for each event of this schema.'),
  plan: need(planName, 'a plan name', 'The plan to start.'),
  correlate_by: may(
    text,
    'Dot path to a value of the event. It becomes `@var:correlation_id`, and every `await_event` of the plan must use it.',
  ),
  when: may(expr, 'A bool expression over `@event`. False, or an error in it: the plan does not start.'),
  input_expr: may(slot, 'The plan’s input, made from `@event`. Left out: the event itself.'),
} as const satisfies Shape;

/** References of a section: the same members, a name of one kind. */
function refs<const O extends NameOf>(of: O) {
  return {
    is: 'list',
    items: { is: 'object', shape: { ...REF_SHAPE, name: { ...REF_SHAPE.name, holds: { is: 'name', of } } } },
  } as const;
}

export const MANIFEST_SHAPE = {
  $kind,
  air_version: need(
    { is: 'choice', values: { [AIR_VERSION]: 'The version of the language.' } },
    `"${AIR_VERSION}"`,
    `Version of the language: \`"${AIR_VERSION}"\`.`,
  ),
  schemas: need(refs('schema'), 'a list of references', 'The schemas of this world, by name.'),
  modules: need(refs('module'), 'a list of references', 'The modules of this world, by name.'),
  plans: need(refs('plan'), 'a list of references', 'The plans of this world, by name.'),
  caps: need(refs('cap'), 'a list of references', 'The capabilities of this world, by name.'),
  policies: need(refs('policy'), 'a list of references', 'The policies of this world, by name.'),
  effects: may(
    refs('effect'),
    'The effects that plans and reducers may emit, built-in ones (`sys/http.request@1`) included.',
  ),
  secrets: may({ is: 'list', items: { is: 'secret' } }, 'The secrets that plans may refer to, by name.'),
  defaults: may({ is: 'object', shape: DEFAULTS_SHAPE }, 'Policy and grants.'),
  module_bindings: may(
    { is: 'map', keys: 'name', values: { is: 'object', shape: BINDING_SHAPE } },
    'Which grants the cap slots of a module mean.',
  ),
  routing: may({ is: 'object', shape: ROUTING_SHAPE }, 'Which events go to which reducers.'),
  triggers: may({ is: 'list', items: { is: 'object', shape: TRIGGER_SHAPE } }, 'Which events start which plans.'),
} as const satisfies Shape;

/** Every node kind: what it is for, and its members. */
export const NODE_SHAPES = {
  defschema: { says: 'A named type.', members: SCHEMA_SHAPE },
  defmodule: { says: 'Code: a reducer that owns state, or a pure function.', members: MODULE_SHAPE },
  defplan: { says: 'A plan: a graph of steps.', members: PLAN_SHAPE },
  defeffect: { says: 'A kind of effect: its parameters, its receipt, the capability it takes.', members: EFFECT_SHAPE },
  defcap: { says: 'A kind of capability: what its grants can say, and who enforces it.', members: CAP_SHAPE },
  defpolicy: { says: 'Rules that allow or deny effects, after the grant has.', members: POLICY_SHAPE },
  defsecret: {
    says: 'A secret that plans may refer to, by alias and version. It holds no value.',
    members: SECRET_SHAPE,
  },
  manifest: {
    says: 'The manifest: which definitions make up this world, what they may do, and what starts them. One per world.',
    members: MANIFEST_SHAPE,
  },
} as const satisfies Readonly<Record<string, { readonly says: string; readonly members: Shape }>>;
