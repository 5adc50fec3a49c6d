import { compareUtf8, type Path } from '@worldline/canon';
import type { Expr, Slot } from './expr.ts';
import type { Json, JsonObject } from './json.ts';
import { keep } from './literal-keep.ts';
import type { EffectDef, PlanDef, Step } from './node.ts';
import { members, nonEmpty, object } from './node-json.ts';
import { BIND_MEMBERS, EXPR_MEMBERS, type PlanSource, type StepSource } from './node-plan.ts';
import type { Hint, Problem, Report } from './node-read.ts';
import { readSlot, type SlotTree, slotFromTree, slotToJson } from './slot.ts';
import type { Type, TypeScope } from './type.ts';
import { exprsIn } from './validate-refs.ts';
import type { ValueFailure } from './value-failure.ts';

/** From a plan as written to its canonical node and its parsed definition (`definitions.md` §5, rules V-514 … V-518). */

/** What a plan's slots are read with. */
export interface PlanLookups {
  readonly scope: TypeScope;
  readonly effect: (kind: string) => EffectDef | undefined;
  /** Input schema of a plan. */
  readonly planInput: (name: string) => string | undefined;
  /** Schemas of effects are reported at the effects (V-420), so a step that emits one says nothing about them. */
  readonly effectsChecked?: boolean;
  /** Of a schema, an effect kind or a plan that is not there: does that follow from something that was reported? */
  readonly isLost: (section: 'schemas' | 'effects' | 'plans', name: string) => boolean;
  /** What to try when a schema, an effect kind or a plan is not there. */
  readonly hint: (section: 'schemas' | 'effects' | 'plans', found: string) => Hint;
}

export interface CanonicalPlan {
  readonly def: PlanDef;
  /** With `$kind`. */
  readonly node: JsonObject;
}

/** Schemas, effect kinds and plans that a plan names must be there: V-514, V-517, V-518, V-701. */
export function checkPlanNames(source: PlanSource, lookups: PlanLookups): readonly Problem[] {
  const problems: Problem[] = [];
  const report = (problem: Report) => problems.push({ origin: source.origin, ...problem });
  const schema = (rule: string, name: string | undefined, path: Path) => {
    if (name !== undefined && lookups.scope.lookup(name) === undefined && !lookups.isLost('schemas', name)) {
      report(schemaNotFound(rule, name, path, lookups.hint('schemas', name)));
    }
  };
  if (source.input !== '') schema('V-518', source.input, ['input']);
  schema('V-518', source.output, ['output']);
  for (const [local, name] of source.locals) schema('V-518', name, ['locals', local]);
  for (const step of source.steps) {
    const at = ['steps', step.index];
    schema('V-517', step.event, [...at, 'event']);
    if (step.kind !== undefined) {
      const effect = lookups.effect(step.kind);
      if (effect === undefined) {
        if (lookups.isLost('effects', step.kind)) continue;
        report({
          rule: 'V-514',
          code: 'plan.effect_unknown',
          path: [...at, 'kind'],
          message: `step "${step.id}" emits "${step.kind}", which is not among the listed effects`,
          hint: lookups.hint('effects', step.kind),
          fields: { step: step.id, kind: step.kind },
        });
      } else if (
        lookups.effectsChecked !== true &&
        lookups.scope.lookup(effect.paramsSchema) === undefined &&
        !lookups.isLost('schemas', effect.paramsSchema)
      ) {
        report(
          schemaNotFound('V-514', effect.paramsSchema, [...at, 'kind'], lookups.hint('schemas', effect.paramsSchema)),
        );
      }
    }
    if (step.plan !== undefined && lookups.planInput(step.plan) === undefined && !lookups.isLost('plans', step.plan)) {
      report({
        rule: 'V-701',
        code: 'plan.not_found',
        path: [...at, 'plan'],
        message: `there is no plan "${step.plan}"`,
        hint: lookups.hint('plans', step.plan),
        fields: { plan: step.plan },
      });
    }
  }
  return problems;
}

export function schemaNotFound(rule: string, schema: string, path: Path, hint: Hint): Report {
  return {
    rule,
    code: 'schema.not_found',
    path,
    message: `there is no schema "${schema}"`,
    hint,
    fields: { schema },
  };
}

/** A slot as it runs, and the JSON that its node stores. */
export interface ReadSlot {
  readonly slot: Slot;
  readonly json: Json;
}

/** What could be read of a plan. */
export interface ReadPlan {
  /** The plan with holes: what did not read is a reference to nothing, a name that leads nowhere. */
  readonly draft: PlanDef;
  /** By position in `source.steps`, then by member name; a slot that did not read is left out. */
  readonly slots: readonly ReadonlyMap<string, ReadSlot>[];
  /** When all of them did and nothing of the plan was reported before. */
  readonly plan?: CanonicalPlan | undefined;
  readonly problems: readonly Problem[];
}

/**
 * Read the slots of a plan and put its canonical node together.
 *
 * @param source - Names that `checkPlanNames` reports with the same lookups make their slots ones of unknown type.
 */
export function canonicalPlan(source: PlanSource, lookups: PlanLookups): ReadPlan {
  const reader = new SlotReader(source, lookups);
  const slots = source.steps.map((step) => reader.slots(step));
  const complete = source.steps.every((step, position) => slots[position]?.size === step.slots.size);
  const draft = definition(source, slots);
  const isSound = source.unread.isEmpty && complete && reader.problems.length === 0;
  return {
    draft,
    slots,
    plan: isSound ? { def: draft, node: nodeOf(source, draft, slots) } : undefined,
    problems: reader.problems,
  };
}

function definition(source: PlanSource, slots: ReadPlan['slots']): PlanDef {
  const derived = derivedLists(source);
  // Unlike none: there is one, and nobody knows which.
  const output = source.unread.has('output') ? '' : source.output;
  return {
    kind: 'defplan',
    name: source.name,
    input: source.input,
    ...(output === undefined ? {} : { output }),
    locals: source.locals,
    steps: source.steps.map((step, position) => stepOf(step, slots[position])),
    edges: source.edges.map(({ from, to, when }) => (when === undefined ? { from, to } : { from, to, when })),
    requiredCaps: sortedOr(source.requiredCaps, derived.caps),
    allowedEffects: sortedOr(source.allowedEffects, derived.effects),
    invariants: source.invariants.map(({ expr }) => expr),
  };
}

/** @param def - Of the source, without holes. */
function nodeOf(source: PlanSource, def: PlanDef, slots: ReadPlan['slots']): JsonObject {
  return members({
    $kind: 'defplan',
    name: def.name,
    input: def.input,
    output: def.output,
    locals: def.locals.size > 0 ? object([...def.locals]) : undefined,
    steps: source.steps.map((step, position) => stepNode(step, slots[position])),
    edges: nonEmpty(
      source.edges.map(({ from, to, whenJson }) =>
        members({ from, to, when: whenJson === undefined ? undefined : keep(whenJson) }),
      ),
    ),
    required_caps: nonEmpty(def.requiredCaps),
    allowed_effects: nonEmpty(def.allowedEffects),
    invariants: nonEmpty(source.invariants.map(({ json }) => keep(json))),
  });
}

function stepNode(step: StepSource, slots: ReadPlan['slots'][number] | undefined): JsonObject {
  const bindMember = BIND_MEMBERS[step.op];
  const exprMember = EXPR_MEMBERS[step.op];
  return object([
    ['id', step.id],
    ['op', step.op],
    ['kind', step.kind],
    ['cap', step.cap],
    ['event', step.event],
    ['plan', step.plan],
    ['max_fanout', step.maxFanout],
    ...[...(slots ?? [])].map(([name, slot]) => [name, slot.json] as const),
    ...(exprMember !== undefined && step.exprJson !== undefined ? [[exprMember, keep(step.exprJson)] as const] : []),
    ...(bindMember !== undefined && step.bind !== undefined
      ? [['bind', object([[bindMember, step.bind]])] as const]
      : []),
  ]);
}

/** A reference that no name can spell: nothing is known of it. */
const HOLE: Expr = { form: 'ref', root: 'var', name: '#', path: [], text: '@var:#' };

function stepOf(step: StepSource, read: ReadPlan['slots'][number] | undefined): Step {
  const { id } = step;
  const slot = (name: string): Slot => read?.get(name)?.slot ?? { expr: HOLE };
  const optionalSlot = (name: string): Slot | undefined => (step.slots.has(name) ? slot(name) : undefined);
  // Unlike any name that reads.
  const bound = step.bind ?? `#${step.index}`;
  const { kind = '', cap = '', event = '', plan = '' } = step;
  switch (step.op) {
    case 'assign':
      return { op: step.op, id, expr: slot('expr'), as: bound };
    case 'emit_effect': {
      const idempotencyKey = optionalSlot('idempotency_key');
      return {
        op: step.op,
        id,
        kind,
        params: slot('params'),
        cap,
        ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
        effectIdAs: bound,
      };
    }
    case 'await_receipt':
      return { op: step.op, id, handle: handleOf(step.expr) ?? '', as: bound };
    case 'await_event':
      return { op: step.op, id, event, ...(step.expr === undefined ? {} : { where: step.expr }), as: bound };
    case 'raise_event':
      return { op: step.op, id, event, value: slot('value') };
    case 'spawn_plan':
      return { op: step.op, id, plan, input: slot('input'), handleAs: bound };
    case 'await_plan':
      return { op: step.op, id, for: step.expr ?? HOLE, as: bound };
    case 'spawn_for_each':
      return {
        op: step.op,
        id,
        plan,
        inputs: slot('inputs'),
        ...(step.maxFanout === undefined ? {} : { maxFanout: step.maxFanout }),
        handlesAs: bound,
      };
    case 'await_plans_all':
      return { op: step.op, id, handles: step.expr ?? HOLE, resultsAs: bound };
    case 'end': {
      const result = optionalSlot('result');
      return { op: step.op, id, ...(result === undefined ? {} : { result }) };
    }
    default:
      return step.op satisfies never;
  }
}

/** Grants and kinds of the emitting steps: sorted, each once (`definitions.md` §3.3). */
export function derivedLists(source: PlanSource): {
  readonly caps: readonly string[];
  readonly effects: readonly string[];
} {
  return {
    caps: sortedSet(source.steps.flatMap((step) => step.cap ?? [])),
    effects: sortedSet(source.steps.flatMap((step) => step.kind ?? [])),
  };
}

export function sortedSet(list: readonly string[]): readonly string[] {
  return [...new Set(list)].sort(compareUtf8);
}

function sortedOr(declared: readonly string[], derived: readonly string[]): readonly string[] {
  return declared.length > 0 ? sortedSet(declared) : derived;
}

/** Is this about a schema that a type names and that is not there? That was reported where the type stands (V-306). */
export function isFollowing(failure: ValueFailure): boolean {
  return failure.code === 'schema.not_found';
}

/** Findings about a slot: form errors keep their code (V-109), a value that does not fit gets the rule's. */
export function slotProblem(
  failure: ValueFailure,
  path: Path,
  place: { readonly rule: string; readonly code: string; readonly slot: string; readonly step?: string | undefined },
): Report {
  const at = [...path, ...(failure.at ?? failure.path)];
  const { slot, step } = place;
  if (failure.code === 'expr.invalid' || failure.code === 'expr_too_large') {
    return { rule: 'V-109', code: failure.code, path: at, message: failure.message, hint: failure.hint };
  }
  if (failure.code === 'plan.literal_needs_schema') {
    return {
      rule: 'V-515',
      code: failure.code,
      path: at,
      message: `${slot}: ${failure.message}`,
      hint: failure.hint,
      fields: { slot, ...(step === undefined ? {} : { step }) },
    };
  }
  return {
    rule: place.rule,
    code: place.code,
    path: at,
    // A field that does not belong there is its name, not its value.
    atKey: failure.code === 'value.unknown_field' || undefined,
    message: `${slot}: ${failure.message}`,
    hint: failure.hint,
    fields: {
      slot,
      cause: failure.code,
      ...(step === undefined ? {} : { step }),
      ...(failure.schema === undefined ? {} : { schema: failure.schema }),
      ...(failure.expected === undefined ? {} : { expected: failure.expected }),
      ...(failure.got === undefined ? {} : { got: failure.got }),
    },
  };
}

const HASH_TYPE: Type = { kind: 'hash' };

function refTo(name: string): Type {
  return { kind: 'ref', name };
}

/** The type a slot is read with (`definitions.md` §5); `missing` when a name behind it does not resolve. */
export function slotType(
  step: StepSource,
  name: string,
  source: PlanSource,
  lookups: PlanLookups,
): Type | undefined | 'missing' {
  const known = (schema: string | undefined): Type | 'missing' =>
    schema !== undefined && lookups.scope.lookup(schema) !== undefined ? refTo(schema) : 'missing';
  switch (name) {
    case 'params':
      return known(step.kind === undefined ? undefined : lookups.effect(step.kind)?.paramsSchema);
    case 'idempotency_key':
      return HASH_TYPE;
    case 'value':
      return known(step.event);
    case 'result':
      return known(source.output);
    case 'input':
      return known(childInput(step, lookups));
    case 'inputs': {
      const item = known(childInput(step, lookups));
      return item === 'missing' ? item : { kind: 'list', item };
    }
    default: {
      const local = step.bind === undefined ? undefined : source.locals.get(step.bind);
      if (local !== undefined) return known(local);
      return step.bind === undefined || source.unread.has('locals') ? 'missing' : undefined;
    }
  }
}

function childInput(step: StepSource, lookups: PlanLookups): string | undefined {
  return step.plan === undefined ? undefined : lookups.planInput(step.plan);
}

class SlotReader {
  readonly problems: Problem[] = [];
  private readonly source: PlanSource;
  private readonly lookups: PlanLookups;

  constructor(source: PlanSource, lookups: PlanLookups) {
    this.source = source;
    this.lookups = lookups;
  }

  slots(step: StepSource): ReadonlyMap<string, ReadSlot> {
    const slots = new Map<string, ReadSlot>();
    for (const [name, json] of step.slots) {
      const read = this.slot(step, name, json);
      if (read !== undefined) slots.set(name, read);
    }
    return slots;
  }

  private slot(step: StepSource, name: string, json: Json): ReadSlot | undefined {
    const slot = `${step.op}.${name}`;
    const path = ['steps', step.index, name];
    if (name === 'result' && this.source.output === undefined && !this.source.unread.has('output')) {
      this.expressions(step, name, json);
      return this.report({
        rule: 'V-516',
        code: 'plan.literal_needs_schema',
        path,
        message: `step "${step.id}" has a result, but the plan declares no output`,
        hint: "Declare the plan's output schema, or leave the result out.",
        fields: { slot, step: step.id },
      });
    }
    const type = slotType(step, name, this.source, this.lookups);
    if (type === 'missing') {
      this.expressions(step, name, json);
      return undefined;
    }
    const label = name === 'idempotency_key' ? name : slot;
    const read = readSlot(json, type, this.lookups.scope, label);
    const ready = read.ok ? slotFromTree(read.value, this.source.names) : read;
    if (read.ok && ready.ok) return { slot: ready.value, json: slotToJson(read.value satisfies SlotTree) };
    const rule = SLOT_RULES[step.op] ?? 'V-514';
    for (const failure of ready.ok ? [] : ready.failure) {
      if (isFollowing(failure)) continue;
      this.report(slotProblem(failure, path, { rule, code: 'plan.literal_invalid', slot, step: step.id }));
    }
    return undefined;
  }

  /** What can be said of a slot whose type is not known: expressions in it are well formed, whatever the type (V-109). */
  private expressions(step: StepSource, name: string, json: Json): void {
    const path = ['steps', step.index, name];
    const place = { rule: 'V-109', code: 'expr.invalid', slot: `${step.op}.${name}` };
    for (const failure of exprsIn(json, this.source.names).failures) this.report(slotProblem(failure, path, place));
  }

  private report(problem: Report): undefined {
    this.problems.push({ origin: this.source.origin, ...problem });
    return undefined;
  }
}

const SLOT_RULES: Readonly<Partial<Record<Step['op'], string>>> = {
  emit_effect: 'V-514',
  assign: 'V-515',
  end: 'V-516',
  raise_event: 'V-517',
  spawn_plan: 'V-702',
  spawn_for_each: 'V-702',
};

/** The variable of `{"ref": "@var:<handle>"}`, or undefined for any other expression. */
export function handleOf(expr: Expr | undefined): string | undefined {
  return expr?.form === 'ref' && expr.root === 'var' && expr.path.length === 0 ? expr.name : undefined;
}
