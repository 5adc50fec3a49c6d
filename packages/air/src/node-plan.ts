import type { Path } from '@worldline/canon';
import type { Expr } from './expr.ts';
import { parseExpr, type RefNames } from './expr-parse.ts';
import { isJsonObject, type Json, type JsonObject, shorten } from './json.ts';
import type { StepOp } from './node.ts';
import { given, type NodeReader, type Origin, Unread } from './node-read.ts';
import { EDGE_SHAPE, PLAN_SHAPE, STEP_OPS, STEP_SHAPES, type StepShape } from './node-shape.ts';
import { membersThat, type Shape } from './shape.ts';

/**
 * A plan as written (`definitions.md` §3.3, §6): structure checked, slots still JSON. What was reported while it was read
 * is left out; `unread` and `lost` say what might have stood there.
 */

export interface StepSource {
  /** Only for messages when it did not read. */
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
  readonly index: number;
  /** Empty when it did not read; so is `to`. */
  readonly from: string;
  readonly to: string;
  readonly when?: Expr | undefined;
  readonly whenJson?: Json | undefined;
}

/** Names of steps and variables of which nothing more is known, since the steps that have them did not read. */
export interface LostNames {
  readonly steps: ReadonlySet<string>;
  readonly variables: ReadonlySet<string>;
  /** Some step's id, or what some step binds, did not read either: any name may be one of these. */
  readonly anyStep: boolean;
  readonly anyVariable: boolean;
}

export interface PlanSource {
  readonly origin: Origin;
  readonly name: string;
  /** Empty when it did not read. */
  readonly input: string;
  readonly output?: string | undefined;
  readonly locals: ReadonlyMap<string, string>;
  readonly steps: readonly StepSource[];
  readonly edges: readonly EdgeSource[];
  /** As declared; empty when left out. */
  readonly requiredCaps: readonly string[];
  readonly allowedEffects: readonly string[];
  readonly invariants: readonly { readonly index: number; readonly expr: Expr; readonly json: Json }[];
  readonly names: RefNames;
  readonly unread: Unread;
  readonly lost: LostNames;
}

/** The variable that triggers bind (`builtins.md` §1). */
export const CORRELATION_ID = 'correlation_id';

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

/** @returns what could be read; undefined when not even the name. */
export function parsePlan(json: JsonObject, reader: NodeReader): PlanSource | undefined {
  reader.shape(json, [], PLAN_SHAPE);
  const name = reader.take(json, [], PLAN_SHAPE, 'name');
  const input = reader.take(json, [], PLAN_SHAPE, 'input');
  const output = reader.take(json, [], PLAN_SHAPE, 'output');
  const locals = new Map(reader.take(json, [], PLAN_SHAPE, 'locals'));
  checkSizes(json, reader);

  // Names first: where a reference ends depends on what is declared (`definitions.md` §4).
  const names = declaredNames(json, locals);
  const steps = reader.each(given(json, 'steps'), ['steps'], (item, path) => readStep(item, path, reader, names));
  const edges = reader.each(given(json, 'edges'), ['edges'], (item, path) => readEdge(item, path, reader, names));
  const requiredCaps = reader.take(json, [], PLAN_SHAPE, 'required_caps');
  const allowedEffects = reader.take(json, [], PLAN_SHAPE, 'allowed_effects');
  const invariants = reader.each(given(json, 'invariants'), ['invariants'], (item, path) => {
    const expr = readExpr(item, path, reader, names);
    return expr && { index: path[1] as number, expr, json: item };
  });
  if (name === undefined) return undefined;
  const unread = new Unread(reader.problems);
  return {
    origin: reader.origin,
    name,
    input: input ?? '',
    output,
    locals,
    steps: steps ?? [],
    edges: edges ?? [],
    requiredCaps: requiredCaps ?? [],
    allowedEffects: allowedEffects ?? [],
    invariants: invariants ?? [],
    names,
    unread,
    lost: lostNames(json, steps ?? [], unread),
  };
}

/** `plan.too_large`. The rest is checked all the same: every rule takes time in proportion to the plan. */
function checkSizes(json: JsonObject, reader: NodeReader): void {
  for (const field of ['steps', 'edges', 'invariants'] as const) {
    const { max } = PLAN_SHAPE[field].holds;
    const list = given(json, field);
    if (!Array.isArray(list) || list.length <= max) continue;
    reader.report({
      code: 'plan.too_large',
      path: [field],
      message: `a plan has at most ${max} ${field}, this one has ${list.length}`,
      hint: 'Split the plan into several that start each other by events.',
      fields: { field, max, got: list.length },
    });
  }
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

function lostNames(json: JsonObject, read: readonly StepSource[], unread: Unread): LostNames {
  const list = given(json, 'steps');
  const readable = new Set(read.map(({ index }) => index));
  const steps = new Set<string>();
  const variables = new Set<string>();
  let anyStep = !Array.isArray(list);
  let anyVariable = anyStep || unread.has('locals');
  for (const [index, step] of Array.isArray(list) ? (list as readonly Json[]).entries() : []) {
    if (!isJsonObject(step)) {
      anyStep = true;
      anyVariable = true;
    } else if (readable.has(index)) {
      anyStep ||= unread.has('steps', index, 'id');
      anyVariable ||= unread.has('steps', index, 'bind');
    } else {
      const { id, bind } = step;
      if (typeof id === 'string') steps.add(id);
      else anyStep = true;
      // Its kind did not read, so it may well bind nothing.
      const bound = isJsonObject(bind) ? Object.values(bind) : [];
      for (const name of bound) if (typeof name === 'string') variables.add(name);
    }
  }
  return { steps, variables, anyStep, anyVariable };
}

function readStep(json: Json, path: Path, reader: NodeReader, names: RefNames): StepSource | undefined {
  if (!isJsonObject(json)) return reader.badField(path, 'a step', json);
  if (!Object.hasOwn(json, 'op')) return reader.badField([...path, 'op'], 'a step kind', undefined);
  const op = reader.oneOf(json['op'], [...path, 'op'], STEP_OPS);
  if (op === undefined) return undefined;
  const { shape, bindMember, exprMember, slots } = STEPS[op];
  reader.shape(json, path, shape);
  const take = (member: string) => (Object.hasOwn(shape, member) ? reader.take(json, path, shape, member) : undefined);
  const index = path[1] as number;
  const id = take('id') as string | undefined;
  const kind = take('kind') as string | undefined;
  const cap = take('cap') as string | undefined;
  const event = take('event') as string | undefined;
  const plan = take('plan') as string | undefined;
  // V-705.
  const maxFanout = take('max_fanout') as bigint | undefined;
  const bind =
    bindMember === undefined ? undefined : readBind(given(json, 'bind'), shape, bindMember, [...path, 'bind'], reader);
  const exprJson = exprMember === undefined ? undefined : reader.take(json, path, shape, exprMember);
  const expr =
    exprJson === undefined ? undefined : readExpr(exprJson as Json, [...path, exprMember as string], reader, names);
  return {
    id: id ?? (typeof json['id'] === 'string' ? shorten(json['id']) : `#${index}`),
    op,
    index,
    kind,
    cap,
    event,
    plan,
    ...(maxFanout === undefined ? {} : { maxFanout: Number(maxFanout) }),
    bind,
    expr,
    exprJson: exprJson as Json | undefined,
    slots: new Map(slots.filter((slot) => Object.hasOwn(json, slot)).map((slot) => [slot, json[slot] as Json])),
  };
}

function readBind(
  json: Json | undefined,
  step: Shape,
  member: string,
  path: Path,
  reader: NodeReader,
): string | undefined {
  const shape = bindShape(step);
  const bind = shape && reader.shape(json, path, shape);
  return shape && bind && (reader.take(bind, path, shape, member) as string | undefined);
}

function readEdge(json: Json, path: Path, reader: NodeReader, names: RefNames): EdgeSource | undefined {
  const edge = reader.shape(json, path, EDGE_SHAPE);
  if (edge === undefined) return undefined;
  const from = reader.take(edge, path, EDGE_SHAPE, 'from');
  const to = reader.take(edge, path, EDGE_SHAPE, 'to');
  const whenJson = reader.take(edge, path, EDGE_SHAPE, 'when');
  const when = whenJson === undefined ? undefined : readExpr(whenJson, [...path, 'when'], reader, names);
  return { index: path[1] as number, from: from ?? '', to: to ?? '', when, whenJson };
}

function bindShape(step: Shape): Shape | undefined {
  const holds = step['bind']?.holds;
  return holds?.is === 'object' ? holds.shape : undefined;
}

interface StepParts {
  readonly shape: Shape;
  /** The one member of `bind`; steps without one bind nothing. */
  readonly bindMember: string | undefined;
  /** The one member that holds an `Expr`. */
  readonly exprMember: string | undefined;
  readonly slots: readonly string[];
}

const STEPS = everyStep(({ members: shape }): StepParts => {
  const bind = bindShape(shape);
  return {
    shape,
    bindMember: bind && Object.keys(bind)[0],
    exprMember: membersThat(shape, 'expr')[0],
    slots: membersThat(shape, 'slot'),
  };
});

/** What binds a variable, by step kind; steps without one bind nothing. */
export const BIND_MEMBERS = everyStep((_, op) => STEPS[op].bindMember);

/** The `Expr` member of a step kind. */
export const EXPR_MEMBERS = everyStep((_, op) => STEPS[op].exprMember);

function everyStep<T>(read: (step: StepShape, op: StepOp) => T): Readonly<Record<StepOp, T>> {
  return Object.fromEntries(STEP_OPS.map((op) => [op, read(STEP_SHAPES[op], op)])) as Record<StepOp, T>;
}
