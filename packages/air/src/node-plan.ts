import type { Path } from '@worldline/canon';
import type { Expr } from './expr.ts';
import { parseExpr, type RefNames } from './expr-parse.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import type { StepOp } from './node.ts';
import { given, IDENT, KIND, type NodeReader, type Origin, optional } from './node-read.ts';

/** A plan as written (`definitions.md` §3.3, §6): structure checked, slots still JSON. */

export interface StepSource {
  readonly id: string;
  readonly op: StepOp;
  readonly index: number;
  /** emit_effect. */
  readonly kind?: string | undefined;
  readonly cap?: string | undefined;
  /** raise_event, await_event. */
  readonly event?: string | undefined;
  /** spawn_plan, spawn_for_each. */
  readonly plan?: string | undefined;
  readonly maxFanout?: number | undefined;
  /** The one variable that the step binds. */
  readonly bind?: string | undefined;
  /** `for`, `where` or `handles`. */
  readonly expr?: Expr | undefined;
  readonly exprJson?: Json | undefined;
  /** Slots by member name; a slot that holds JSON null is there. */
  readonly slots: ReadonlyMap<string, Json>;
}

export interface EdgeSource {
  readonly from: string;
  readonly to: string;
  readonly when?: Expr | undefined;
  readonly whenJson?: Json | undefined;
}

export interface PlanSource {
  readonly origin: Origin;
  readonly name: string;
  readonly input: string;
  readonly output?: string | undefined;
  readonly locals: ReadonlyMap<string, string>;
  readonly steps: readonly StepSource[];
  readonly edges: readonly EdgeSource[];
  /** As declared; empty when left out. */
  readonly requiredCaps: readonly string[];
  readonly allowedEffects: readonly string[];
  readonly invariants: readonly { readonly expr: Expr; readonly json: Json }[];
  readonly names: RefNames;
}

/** The variable that triggers bind (`builtins.md` §1). */
export const CORRELATION_ID = 'correlation_id';

/** `plans.md` §2.1. */
export const STEPS_MAX = 512;
export const EDGES_MAX = 2048;
export const INVARIANTS_MAX = 64;

interface StepShape {
  readonly required: Readonly<Record<string, string>>;
  readonly optional?: readonly string[];
  readonly bind?: string;
  readonly slots: readonly string[];
  readonly expr?: string;
}

const SHAPES: Readonly<Record<StepOp, StepShape>> = {
  raise_event: { required: { event: 'a schema name', value: 'a value or an expression' }, slots: ['value'] },
  emit_effect: {
    required: { kind: 'an effect kind', params: 'a value or an expression', cap: 'a grant name' },
    optional: ['idempotency_key'],
    bind: 'effect_id_as',
    slots: ['params', 'idempotency_key'],
  },
  await_receipt: { required: { for: 'a reference to an effect handle' }, bind: 'as', slots: [], expr: 'for' },
  await_event: { required: { event: 'a schema name' }, optional: ['where'], bind: 'as', slots: [], expr: 'where' },
  assign: { required: { expr: 'a value or an expression' }, bind: 'as', slots: ['expr'] },
  end: { required: {}, optional: ['result'], slots: ['result'] },
  spawn_plan: {
    required: { plan: 'a plan name', input: 'a value or an expression' },
    bind: 'handle_as',
    slots: ['input'],
  },
  await_plan: { required: { for: 'a reference to a plan handle' }, bind: 'as', slots: [], expr: 'for' },
  spawn_for_each: {
    required: { plan: 'a plan name', inputs: 'a list or an expression' },
    optional: ['max_fanout'],
    bind: 'handles_as',
    slots: ['inputs'],
  },
  await_plans_all: {
    required: { handles: 'a reference to plan handles' },
    bind: 'results_as',
    slots: [],
    expr: 'handles',
  },
};

const OPS = Object.keys(SHAPES) as StepOp[];

/** V-109: report an expression that is none. */
export function readExpr(json: Json, path: Path, reader: NodeReader, names?: RefNames): Expr | undefined {
  const parsed = parseExpr(json, names);
  if (parsed.ok) return parsed.value;
  for (const failure of parsed.failure) {
    reader.report({
      rule: 'V-109',
      code: failure.code,
      path: [...path, ...failure.path],
      message: failure.message,
      hint: failure.hint,
    });
  }
  return undefined;
}

export function parsePlan(json: JsonObject, reader: NodeReader): PlanSource | undefined {
  reader.object(json, [], {
    $kind: null,
    name: 'a name',
    input: 'a schema name',
    output: null,
    locals: null,
    steps: 'a list of steps',
    edges: null,
    required_caps: null,
    allowed_effects: null,
    invariants: null,
  });
  const name = reader.name(given(json, 'name'), ['name']);
  const input = reader.name(given(json, 'input'), ['input']);
  const output = reader.name(optional(json, 'output'), ['output']);
  const locals = readLocals(given(json, 'locals'), reader);
  if (!checkSizes(json, reader)) return undefined;

  // Names first: where a reference ends depends on what is declared (`definitions.md` §4).
  const names = declaredNames(json, locals);
  const steps = reader.each(given(json, 'steps'), ['steps'], (item, path) => readStep(item, path, reader, names));
  const edges = reader.each(given(json, 'edges'), ['edges'], (item, path) => readEdge(item, path, reader, names));
  const requiredCaps = reader.each(given(json, 'required_caps'), ['required_caps'], (item, path) =>
    reader.ident(item, path, IDENT),
  );
  const allowedEffects = reader.each(given(json, 'allowed_effects'), ['allowed_effects'], (item, path) =>
    reader.ident(item, path, KIND),
  );
  const invariants = reader.each(given(json, 'invariants'), ['invariants'], (item, path) => {
    const expr = readExpr(item, path, reader, names);
    return expr && { expr, json: item };
  });
  if (name === undefined || input === undefined || steps === undefined) return undefined;
  return {
    origin: reader.origin,
    name,
    input,
    output,
    locals,
    steps,
    edges: edges ?? [],
    requiredCaps: requiredCaps ?? [],
    allowedEffects: allowedEffects ?? [],
    invariants: invariants ?? [],
    names,
  };
}

/** `plan.too_large` comes before the parts are looked at: it bounds what checking costs. */
function checkSizes(json: JsonObject, reader: NodeReader): boolean {
  let good = true;
  const limits = { steps: STEPS_MAX, edges: EDGES_MAX, invariants: INVARIANTS_MAX };
  for (const [field, max] of Object.entries(limits)) {
    const list = given(json, field);
    if (!Array.isArray(list) || list.length <= max) continue;
    good = false;
    reader.report({
      code: 'plan.too_large',
      path: [field],
      message: `a plan has at most ${max} ${field}, this one has ${list.length}`,
      hint: 'Split the plan into several that start each other by events.',
      fields: { field, max, got: list.length },
    });
  }
  return good;
}

function readLocals(json: Json | undefined, reader: NodeReader): ReadonlyMap<string, string> {
  const locals = new Map<string, string>();
  for (const [name, value] of reader.entries(json, ['locals']) ?? []) {
    const path = ['locals', name];
    if (!IDENT.test(name)) reader.badIdent(name, path, IDENT);
    const schema = reader.name(value, path);
    if (schema !== undefined) locals.set(name, schema);
  }
  return locals;
}

/** Locals, bind names and `correlation_id`; step ids. Malformed steps are passed over here and reported later. */
function declaredNames(json: JsonObject, locals: ReadonlyMap<string, string>): RefNames {
  const variables = new Set([...locals.keys(), CORRELATION_ID]);
  const steps = new Set<string>();
  const list = given(json, 'steps');
  for (const step of Array.isArray(list) ? (list as readonly Json[]) : []) {
    if (!isJsonObject(step)) continue;
    if (typeof step['id'] === 'string') steps.add(step['id']);
    if (isJsonObject(step['bind'])) {
      for (const value of Object.values(step['bind'])) if (typeof value === 'string') variables.add(value);
    }
  }
  return { variables, steps };
}

function readStep(json: Json, path: Path, reader: NodeReader, names: RefNames): StepSource | undefined {
  if (!isJsonObject(json)) return reader.badField(path, 'a step', json);
  if (!Object.hasOwn(json, 'op')) return reader.badField([...path, 'op'], 'a step kind', undefined);
  const op = reader.oneOf(json['op'], [...path, 'op'], OPS);
  if (op === undefined) return undefined;
  const shape = SHAPES[op];
  reader.object(json, path, {
    id: 'a step id',
    op: 'a step kind',
    ...shape.required,
    ...Object.fromEntries((shape.optional ?? []).map((member) => [member, null])),
    ...(shape.bind === undefined ? {} : { bind: `{"${shape.bind}": a variable name}` }),
  });
  const id = reader.ident(given(json, 'id'), [...path, 'id'], IDENT);
  const kind = op === 'emit_effect' ? reader.ident(given(json, 'kind'), [...path, 'kind'], KIND) : undefined;
  const cap = op === 'emit_effect' ? reader.ident(given(json, 'cap'), [...path, 'cap'], IDENT) : undefined;
  const event = 'event' in shape.required ? reader.name(given(json, 'event'), [...path, 'event']) : undefined;
  const plan = 'plan' in shape.required ? reader.name(given(json, 'plan'), [...path, 'plan']) : undefined;
  // V-705.
  const maxFanout =
    op === 'spawn_for_each'
      ? reader.integer(optional(json, 'max_fanout'), [...path, 'max_fanout'], {
          min: 1n,
          max: BigInt(Number.MAX_SAFE_INTEGER),
        })
      : undefined;
  const bind =
    shape.bind === undefined ? undefined : readBind(given(json, 'bind'), shape.bind, [...path, 'bind'], reader);
  const exprJson =
    shape.expr === undefined
      ? undefined
      : shape.expr === 'where'
        ? optional(json, shape.expr)
        : given(json, shape.expr);
  const expr = exprJson === undefined ? undefined : readExpr(exprJson, [...path, shape.expr as string], reader, names);
  if (id === undefined) return undefined;
  return {
    id,
    op,
    index: path[1] as number,
    kind,
    cap,
    event,
    plan,
    ...(maxFanout === undefined ? {} : { maxFanout: Number(maxFanout) }),
    bind,
    expr,
    exprJson,
    slots: new Map(shape.slots.filter((slot) => Object.hasOwn(json, slot)).map((slot) => [slot, json[slot] as Json])),
  };
}

function readBind(json: Json | undefined, member: string, path: Path, reader: NodeReader): string | undefined {
  const bind = reader.object(json, path, { [member]: 'a variable name' });
  return bind && reader.ident(given(bind, member), [...path, member], IDENT);
}

function readEdge(json: Json, path: Path, reader: NodeReader, names: RefNames): EdgeSource | undefined {
  const edge = reader.object(json, path, { from: 'a step id', to: 'a step id', when: null });
  if (edge === undefined) return undefined;
  const from = reader.ident(given(edge, 'from'), [...path, 'from'], IDENT);
  const to = reader.ident(given(edge, 'to'), [...path, 'to'], IDENT);
  const whenJson = optional(edge, 'when');
  const when = whenJson === undefined ? undefined : readExpr(whenJson, [...path, 'when'], reader, names);
  return from !== undefined && to !== undefined ? { from, to, when, whenJson } : undefined;
}

/** What binds a variable, by step kind; steps without one bind nothing. */
export const BIND_MEMBERS: Readonly<Record<StepOp, string | undefined>> = Object.fromEntries(
  OPS.map((op) => [op, SHAPES[op].bind]),
) as Record<StepOp, string | undefined>;

/** The `Expr` member of a step kind. */
export const EXPR_MEMBERS: Readonly<Record<StepOp, string | undefined>> = Object.fromEntries(
  OPS.map((op) => [op, SHAPES[op].expr]),
) as Record<StepOp, string | undefined>;
