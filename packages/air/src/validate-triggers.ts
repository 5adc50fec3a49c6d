import { fail, ok, type Path, type Result } from '@worldline/canon';
import { suggestHint } from './diagnostic.ts';
import type { Expr } from './expr.ts';
import { parseExpr } from './expr-parse.ts';
import type { Json, JsonObject } from './json.ts';
import { keep } from './literal-read.ts';
import type { Trigger } from './node.ts';
import { members } from './node-json.ts';
import type { TriggerSource } from './node-manifest.ts';
import { schemaNotFound, slotProblem } from './node-plan-canonical.ts';
import type { Problem, Report } from './node-read.ts';
import { readSlot, slotFromTree, slotToJson } from './slot.ts';
import type { Type, TypeScope } from './type.ts';
import { tryResolveType, typesEqual } from './type-resolve.ts';
import { placedRefs } from './validate-refs.ts';
import { missingHint, type Pass, type World } from './validate-world.ts';

/** Triggers: V-430 … V-433, V-707, V-708 (`definitions.md` §7, §10). */

export const checkTriggers: Pass = (world) =>
  world.manifest.triggers.flatMap((trigger) => {
    const read = readTrigger(trigger, world);
    return read.ok ? [] : read.failure.map((problem): Problem => ({ origin: world.manifest.origin, ...problem }));
  });

/** Nothing is declared where a trigger runs. */
const NO_NAMES = { variables: new Set<string>(), steps: new Set<string>() };

const CORRELATION_KINDS: ReadonlySet<string> = new Set(['text', 'nat', 'int', 'uuid', 'hash', 'bytes']);

/** A trigger ready to run, with its canonical JSON; or everything that is wrong with it. */
export function readTrigger(
  source: TriggerSource,
  world: World,
): Result<{ readonly trigger: Trigger; readonly json: JsonObject }, readonly Report[]> {
  const reports: Report[] = [];
  const event: Type = { kind: 'ref', name: source.event };
  const eventKnown = world.scope.lookup(source.event) !== undefined;
  if (!eventKnown) {
    reports.push(
      schemaNotFound('V-430', source.event, [...source.path, 'event'], missingHint(world, 'schemas', source.event)),
    );
  }
  const plan = world.plans.get(source.plan)?.source;
  if (plan === undefined) {
    reports.push({
      rule: 'V-431',
      code: 'plan.not_found',
      path: [...source.path, 'plan'],
      message: `there is no plan "${source.plan}"`,
      hint: missingHint(world, 'plans', source.plan),
      fields: { plan: source.plan },
    });
  }
  const input: Type | undefined = plan && { kind: 'ref', name: plan.input };
  if (source.inputExpr === undefined && eventKnown && input !== undefined && plan !== undefined) {
    if (!typesEqual(event, input, world.scope)) {
      reports.push({
        rule: 'V-432',
        code: 'trigger.input_mismatch',
        path: [...source.path, 'event'],
        message: `the plan takes ${plan.input}, the event is ${source.event}`,
        hint: "Project the event with input_expr, or change the plan's input.",
        fields: { event: source.event, plan: source.plan, expected: plan.input },
      });
    }
  }
  if (source.correlateBy !== undefined && eventKnown) {
    const found = typesAt(event, source.correlateBy.split('.'), world.scope);
    if (
      found.length === 0 ||
      !found.every((type) => CORRELATION_KINDS.has(tryResolveType(type, world.scope)?.kind ?? ''))
    ) {
      const kinds = found.map((type) => tryResolveType(type, world.scope)?.kind ?? 'ref').join(', ');
      reports.push({
        rule: 'V-433',
        code: 'trigger.correlate_by_invalid',
        path: [...source.path, 'correlate_by'],
        message:
          found.length === 0
            ? `"${source.correlateBy}" is no path in ${source.event}`
            : `"${source.correlateBy}" is ${kinds}, it must be text, nat, int, uuid, hash or bytes`,
        hint: found.length === 0 ? pathHint(source.correlateBy, event, world.scope) : undefined,
        fields: { path: source.correlateBy },
      });
    }
  }
  const when = source.when === undefined ? undefined : parseExpr(source.when, NO_NAMES);
  if (when?.ok === true && eventKnown) {
    reports.push(...checkRefs(when.value, source.when as Json, [...source.path, 'when'], event, world.scope));
  }
  const slot = readInput(source, input, event, eventKnown, world, reports);
  if (reports.length > 0) return fail(reports);
  const trigger: Trigger = {
    event: source.event,
    plan: source.plan,
    ...(source.correlateBy === undefined ? {} : { correlateBy: source.correlateBy.split('.') }),
    ...(when?.ok === true ? { when: when.value } : {}),
    ...(slot === undefined ? {} : { inputExpr: slot.slot }),
  };
  const json = members({
    event: source.event,
    plan: source.plan,
    correlate_by: source.correlateBy,
    when: source.when === undefined ? undefined : keep(source.when),
    input_expr: slot?.json,
  });
  return ok({ trigger, json });
}

function readInput(
  source: TriggerSource,
  input: Type | undefined,
  event: Type,
  eventKnown: boolean,
  world: World,
  reports: Report[],
): { readonly slot: NonNullable<Trigger['inputExpr']>; readonly json: Json } | undefined {
  if (source.inputExpr === undefined || input === undefined) return undefined;
  const path = [...source.path, 'input_expr'];
  const tree = readSlot(source.inputExpr, input, world.scope, 'input_expr');
  const slot = tree.ok ? slotFromTree(tree.value, NO_NAMES) : tree;
  if (!tree.ok || !slot.ok) {
    for (const failure of slot.ok ? [] : slot.failure) {
      reports.push(slotProblem(failure, path, { rule: 'V-708', code: 'trigger.literal_invalid', slot: 'input_expr' }));
    }
    return undefined;
  }
  if (slot.value.expr !== undefined && eventKnown) {
    reports.push(...checkRefs(slot.value.expr, source.inputExpr, path, event, world.scope));
  }
  return { slot: slot.value, json: slotToJson(tree.value) };
}

/** V-707. */
function checkRefs(expr: Expr, json: Json, path: Path, event: Type, scope: TypeScope): readonly Report[] {
  return placedRefs(expr, json).flatMap(({ ref, path: inner }) => {
    if (ref.root === 'event' && typesAt(event, ref.path, scope).length > 0) return [];
    return [
      {
        rule: 'V-707',
        code: 'trigger.unknown_ref',
        path: [...path, ...inner, 'ref'],
        message:
          ref.root === 'event'
            ? `"${ref.text}" is no path in the event`
            : `"${ref.text}": a trigger may read only @event`,
        hint: ref.root === 'event' ? pathHint(ref.path.join('.'), event, scope) : undefined,
        fields: { reference: ref.text },
      },
    ];
  });
}

/**
 * The types that a path may lead to: one per arm below a variant's `$value`, none when the path leads nowhere. Options
 * on the way are looked through, the last one is not (`expressions.md` §3.1).
 */
export function typesAt(type: Type, path: readonly string[], scope: TypeScope): readonly Type[] {
  const [segment, ...rest] = path;
  if (segment === undefined) return [type];
  const target = tryResolveType(type, scope);
  switch (target?.kind) {
    case 'option':
      return typesAt(target.item, path, scope);
    case 'record': {
      const field = target.fields.get(segment);
      return field === undefined ? [] : typesAt(field, rest, scope);
    }
    case 'map':
      return target.key.kind === 'text' ? typesAt(target.value, rest, scope) : [];
    case 'variant':
      if (segment === '$tag') return typesAt({ kind: 'text' }, rest, scope);
      return segment === '$value' ? [...target.arms.values()].flatMap((arm) => typesAt(arm, rest, scope)) : [];
    default:
      return [];
  }
}

/** Suggest a field for the first segment that leads nowhere. */
function pathHint(path: string, event: Type, scope: TypeScope): string | undefined {
  const segments = path.split('.');
  const good = segments.findIndex((_, index) => typesAt(event, segments.slice(0, index + 1), scope).length === 0);
  const found = segments[good];
  if (found === undefined) return undefined;
  const parents = typesAt(event, segments.slice(0, good), scope).map((type) => tryResolveType(type, scope));
  if (parents.some((parent) => parent?.kind === 'variant')) return 'Fields of a variant begin with $value.';
  return suggestHint(
    found,
    parents.flatMap((parent) => (parent?.kind === 'record' ? [...parent.fields.keys()] : [])),
  );
}
