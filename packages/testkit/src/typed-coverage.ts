import type { Catalog, Expr, Loaded, PlanDef, Slot, Step, Type } from '@worldline/air';
import type { TypedWorld } from './typed-world.ts';

/**
 * What of the language a loaded world uses: `step:emit_effect`, `op:concat`, `type:variant`, `root:event`,
 * `segment:$status`, `const:nat`, `build:map`, `slot:literal`, `plan:output` and so on, with how often each is there.
 * Many small worlds that leave a feature out prove nothing about it, so tests ask that each has been there.
 */
export function featuresOf(world: TypedWorld, { catalog, warnings }: Loaded): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const count = (feature: string): void => {
    found.set(feature, (found.get(feature) ?? 0) + 1);
  };
  for (const fact of world.facts) count(`fact:${fact}`);
  for (const { code } of warnings) count(`warning:${code}`);
  for (const [name, { def }] of catalog.schemas) if (!name.startsWith('sys/')) types(def.type, count);
  for (const { def } of catalog.plans.values()) plan(def, count);
  authority(catalog, count);
  for (const trigger of catalog.triggers) {
    count('trigger');
    if (trigger.correlateBy !== undefined) count('trigger:correlate_by');
    if (trigger.when !== undefined) {
      count('trigger:when');
      expression(trigger.when, count);
    }
    if (trigger.inputExpr !== undefined) slot('trigger:input_expr', trigger.inputExpr, count);
  }
  return found;
}

type Count = (feature: string) => void;

function types(type: Type, count: Count): void {
  count(`type:${type.kind}`);
  switch (type.kind) {
    case 'record':
      for (const field of type.fields.values()) types(field, count);
      return;
    case 'variant':
      for (const arm of type.arms.values()) types(arm, count);
      return;
    case 'list':
    case 'set':
    case 'option':
      return types(type.item, count);
    case 'map':
      count(`type:map of ${type.key.kind}`);
      return types(type.value, count);
    default:
  }
}

function authority(catalog: Catalog, count: Count): void {
  for (const grant of catalog.grants.values()) count(grant.expiryNs === undefined ? 'grant' : 'grant:expiry');
  for (const rule of catalog.policy?.rules ?? []) count(`policy:${rule.decision}`);
  if (catalog.secrets.length > 0) count('secret');
}

function plan(def: PlanDef, count: Count): void {
  if (def.output !== undefined) count('plan:output');
  if (def.locals.size > 0) count('plan:locals');
  if (def.steps.length > 6) count('plan:long');
  const binders = new Map<string, number>();
  const incoming = new Map<string, number>();
  for (const step of def.steps) {
    steps(step, count);
    const bound = 'as' in step ? step.as : undefined;
    if (bound !== undefined) binders.set(bound, (binders.get(bound) ?? 0) + 1);
  }
  if ([...binders.values()].some((times) => times > 1)) count('plan:several binders');
  for (const edge of def.edges) {
    incoming.set(edge.to, (incoming.get(edge.to) ?? 0) + 1);
    count(edge.when === undefined ? 'edge' : 'edge:when');
    if (edge.when !== undefined) expression(edge.when, count);
  }
  if ([...incoming.values()].some((edges) => edges > 1)) count('plan:join');
  const positions = new Map(def.steps.map(({ id }, index) => [id, index]));
  if (def.edges.some(({ from, to }) => positions.get(from)! > positions.get(to)!)) count('plan:declared out of order');
  for (const invariant of def.invariants) {
    count('plan:invariant');
    expression(invariant, count);
  }
}

function steps(step: Step, count: Count): void {
  count(`step:${step.op}`);
  switch (step.op) {
    case 'assign':
      return slot('assign', step.expr, count);
    case 'emit_effect':
      count(`kind:${step.kind}`);
      slot('emit', step.params, count);
      if (step.idempotencyKey !== undefined) slot('idempotency_key', step.idempotencyKey, count);
      return;
    case 'await_event':
      if (step.where === undefined) return;
      count('where');
      return expression(step.where, count);
    case 'raise_event':
      return slot('raise', step.value, count);
    case 'end':
      if (step.result !== undefined) slot('result', step.result, count);
      return;
    default:
  }
}

function slot(place: string, { expr }: Slot, count: Count): void {
  count(`${place}:${expr === undefined ? 'literal' : 'expression'}`);
  if (expr !== undefined) expression(expr, count);
}

function expression(expr: Expr, count: Count): void {
  switch (expr.form) {
    case 'ref':
      count(`root:${expr.name === 'correlation_id' ? 'correlation_id' : expr.root}`);
      for (const segment of expr.path) if (segment.startsWith('$')) count(`segment:${segment}`);
      return;
    case 'const':
      return count(`const:${expr.value.kind}`);
    case 'op':
      count(`op:${expr.op}`);
      for (const arg of expr.args) expression(arg, count);
      return;
    case 'record':
      count('build:record');
      for (const [, field] of expr.fields) expression(field, count);
      return;
    case 'list':
    case 'set':
      count(`build:${expr.form}`);
      for (const item of expr.items) expression(item, count);
      return;
    case 'map':
      count('build:map');
      for (const [key, value] of expr.entries) {
        expression(key, count);
        expression(value, count);
      }
      return;
    case 'variant':
      count('build:variant');
      if (expr.value !== undefined) expression(expr.value, count);
      return;
    default:
      return expr satisfies never;
  }
}
