import { compareUtf8, type Path } from '@worldline/canon';
import type { Expr, Slot } from './expr.ts';
import type { Json, JsonObject } from './json.ts';
import { keep } from './literal-read.ts';
import type { EffectDef, PlanDef, Step } from './node.ts';
import { members, nonEmpty, object } from './node-json.ts';
import { BIND_MEMBERS, EXPR_MEMBERS, type PlanSource, type StepSource } from './node-plan.ts';
import type { Problem, Report } from './node-read.ts';
import { readSlot, type SlotTree, slotFromTree, slotToJson } from './slot.ts';
import type { Type, TypeScope } from './type.ts';
import type { ValueFailure } from './value-failure.ts';

/** From a plan as written to its canonical node and its parsed definition (`definitions.md` §5, rules V-514 … V-518). */

/** What a plan's slots are read with. */
export interface PlanLookups {
  readonly scope: TypeScope;
  readonly effect: (kind: string) => EffectDef | undefined;
  /** Input schema of a plan. */
  readonly planInput: (name: string) => string | undefined;
  /** What to try when a schema, an effect kind or a plan is not there. */
  readonly hint: (section: 'schemas' | 'effects' | 'plans', found: string) => string | undefined;
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
    if (name !== undefined && lookups.scope.lookup(name) === undefined) {
      report(schemaNotFound(rule, name, path, lookups.hint('schemas', name)));
    }
  };
  schema('V-518', source.input, ['input']);
  schema('V-518', source.output, ['output']);
  for (const [local, name] of source.locals) schema('V-518', name, ['locals', local]);
  for (const step of source.steps) {
    const at = ['steps', step.index];
    schema('V-517', step.event, [...at, 'event']);
    if (step.kind !== undefined) {
      const effect = lookups.effect(step.kind);
      if (effect === undefined) {
        report({
          rule: 'V-514',
          code: 'plan.effect_unknown',
          path: [...at, 'kind'],
          message: `step "${step.id}" emits "${step.kind}", which is not among the listed effects`,
          hint: lookups.hint('effects', step.kind),
          fields: { step: step.id, kind: step.kind },
        });
      } else if (lookups.scope.lookup(effect.paramsSchema) === undefined) {
        report(
          schemaNotFound('V-514', effect.paramsSchema, [...at, 'kind'], lookups.hint('schemas', effect.paramsSchema)),
        );
      }
    }
    if (step.plan !== undefined && lookups.planInput(step.plan) === undefined) {
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

export function schemaNotFound(rule: string, schema: string, path: Path, hint: string | undefined): Report {
  return {
    rule,
    code: 'schema.not_found',
    path,
    message: `there is no schema "${schema}"`,
    hint,
    fields: { schema },
  };
}

/**
 * Read the slots of a plan and put its canonical node together.
 *
 * @param source - Its names passed `checkPlanNames` with the same lookups; a slot whose type is not there is passed over.
 * @returns no plan if a slot was reported.
 */
export function canonicalPlan(
  source: PlanSource,
  lookups: PlanLookups,
): { readonly plan?: CanonicalPlan | undefined; readonly problems: readonly Problem[] } {
  const reader = new SlotReader(source, lookups);
  const steps = source.steps.map((step) => reader.step(step));
  if (reader.problems.length > 0 || steps.some((step) => step === undefined)) return { problems: reader.problems };
  const ready = steps as readonly { def: Step; json: JsonObject }[];
  const derived = derivedLists(source);
  const def: PlanDef = {
    kind: 'defplan',
    name: source.name,
    input: source.input,
    ...(source.output === undefined ? {} : { output: source.output }),
    locals: source.locals,
    steps: ready.map((step) => step.def),
    edges: source.edges.map(({ from, to, when }) => (when === undefined ? { from, to } : { from, to, when })),
    requiredCaps: sortedOr(source.requiredCaps, derived.caps),
    allowedEffects: sortedOr(source.allowedEffects, derived.effects),
    invariants: source.invariants.map(({ expr }) => expr),
  };
  const node = members({
    $kind: 'defplan',
    name: def.name,
    input: def.input,
    output: def.output,
    locals: def.locals.size > 0 ? object([...def.locals]) : undefined,
    steps: ready.map((step) => step.json),
    edges: nonEmpty(
      source.edges.map(({ from, to, whenJson }) =>
        members({ from, to, when: whenJson === undefined ? undefined : keep(whenJson) }),
      ),
    ),
    required_caps: nonEmpty(def.requiredCaps),
    allowed_effects: nonEmpty(def.allowedEffects),
    invariants: nonEmpty(source.invariants.map(({ json }) => keep(json))),
  });
  return { plan: { def, node }, problems: [] };
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
      return known(lookups.effect(step.kind as string)?.paramsSchema);
    case 'idempotency_key':
      return HASH_TYPE;
    case 'value':
      return known(step.event);
    case 'result':
      return known(source.output);
    case 'input':
      return known(lookups.planInput(step.plan as string));
    case 'inputs': {
      const item = known(lookups.planInput(step.plan as string));
      return item === 'missing' ? item : { kind: 'list', item };
    }
    default: {
      const local = source.locals.get(step.bind as string);
      return local === undefined ? undefined : known(local);
    }
  }
}

class SlotReader {
  readonly problems: Problem[] = [];
  private readonly source: PlanSource;
  private readonly lookups: PlanLookups;

  constructor(source: PlanSource, lookups: PlanLookups) {
    this.source = source;
    this.lookups = lookups;
  }

  step(step: StepSource): { readonly def: Step; readonly json: JsonObject } | undefined {
    const slots = new Map<string, { slot: Slot; json: Json }>();
    let good = true;
    for (const [name, json] of step.slots) {
      const read = this.slot(step, name, json);
      if (read === undefined) good = false;
      else slots.set(name, read);
    }
    if (!good) return undefined;
    const bindMember = BIND_MEMBERS[step.op];
    const exprMember = EXPR_MEMBERS[step.op];
    const json = object([
      ['id', step.id],
      ['op', step.op],
      ['kind', step.kind],
      ['cap', step.cap],
      ['event', step.event],
      ['plan', step.plan],
      ['max_fanout', step.maxFanout],
      ...[...slots].map(([name, slot]) => [name, slot.json] as const),
      ...(exprMember !== undefined && step.exprJson !== undefined ? [[exprMember, keep(step.exprJson)] as const] : []),
      ...(bindMember !== undefined && step.bind !== undefined
        ? [['bind', object([[bindMember, step.bind]])] as const]
        : []),
    ]);
    return { def: this.definition(step, (name) => slots.get(name)?.slot), json };
  }

  private slot(step: StepSource, name: string, json: Json): { slot: Slot; json: Json } | undefined {
    const slot = `${step.op}.${name}`;
    const path = ['steps', step.index, name];
    if (name === 'result' && this.source.output === undefined) {
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
    if (type === 'missing') return undefined;
    const label = name === 'idempotency_key' ? name : slot;
    const read = readSlot(json, type, this.lookups.scope, label);
    const ready = read.ok ? slotFromTree(read.value, this.source.names) : read;
    if (read.ok && ready.ok) return { slot: ready.value, json: slotToJson(read.value satisfies SlotTree) };
    const rule = SLOT_RULES[step.op] ?? 'V-514';
    for (const failure of ready.ok ? [] : ready.failure) {
      this.report(slotProblem(failure, path, { rule, code: 'plan.literal_invalid', slot, step: step.id }));
    }
    return undefined;
  }

  private definition(step: StepSource, slot: (name: string) => Slot | undefined): Step {
    // The structure was checked when the plan was read: what a step kind requires is there.
    const { id } = step;
    const bound = step.bind as string;
    switch (step.op) {
      case 'assign':
        return { op: step.op, id, expr: slot('expr') as Slot, as: bound };
      case 'emit_effect': {
        const idempotencyKey = slot('idempotency_key');
        return {
          op: step.op,
          id,
          kind: step.kind as string,
          params: slot('params') as Slot,
          cap: step.cap as string,
          ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
          effectIdAs: bound,
        };
      }
      case 'await_receipt':
        return { op: step.op, id, handle: handleOf(step.expr) ?? '', as: bound };
      case 'await_event':
        return {
          op: step.op,
          id,
          event: step.event as string,
          ...(step.expr === undefined ? {} : { where: step.expr }),
          as: bound,
        };
      case 'raise_event':
        return { op: step.op, id, event: step.event as string, value: slot('value') as Slot };
      case 'spawn_plan':
        return { op: step.op, id, plan: step.plan as string, input: slot('input') as Slot, handleAs: bound };
      case 'await_plan':
        return { op: step.op, id, for: step.expr as Expr, as: bound };
      case 'spawn_for_each':
        return {
          op: step.op,
          id,
          plan: step.plan as string,
          inputs: slot('inputs') as Slot,
          ...(step.maxFanout === undefined ? {} : { maxFanout: step.maxFanout }),
          handlesAs: bound,
        };
      case 'await_plans_all':
        return { op: step.op, id, handles: step.expr as Expr, resultsAs: bound };
      case 'end': {
        const result = slot('result');
        return { op: step.op, id, ...(result === undefined ? {} : { result }) };
      }
      default:
        return step.op satisfies never;
    }
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
