import { fail, ok, type Path, type Result } from '@worldline/canon';
import { knownHint } from './check-path.ts';
import { suggestHint } from './diagnostic.ts';
import { parseExpr } from './expr-parse.ts';
import { type Json, type JsonObject, shorten } from './json.ts';
import { keep } from './literal-keep.ts';
import type { Trigger } from './node.ts';
import { members } from './node-json.ts';
import type { TriggerSource } from './node-manifest.ts';
import { isFollowing, schemaNotFound, slotProblem } from './node-plan-canonical.ts';
import { addAll, type Problem, type Report } from './node-read.ts';
import { readSlot, slotFromTree, slotToJson } from './slot.ts';
import type { Type, TypeScope } from './type.ts';
import { tryResolveType, typesEqual } from './type-resolve.ts';
import { exprsIn, type PlacedRef, placedRefs } from './validate-refs.ts';
import { isLost, lacksSchema, missingHint, type Pass, type World } from './validate-world.ts';

/** Triggers: V-430 … V-433, V-707, V-708 (`definitions.md` §7, §10). */

export const checkTriggers: Pass = (world) =>
  world.manifest.triggers.flatMap((trigger) => {
    const read = readTrigger(trigger, world);
    return read.ok ? [] : read.failure.map((problem): Problem => ({ origin: world.manifest.origin, ...problem }));
  });

/** Nothing is declared where a trigger runs. */
const NO_NAMES = { variables: new Set<string>(), steps: new Set<string>() };

/** What `correlate_by` may lead to (V-433). */
export const CORRELATION_KINDS: ReadonlySet<string> = new Set(['text', 'nat', 'int', 'uuid', 'hash', 'bytes']);

/** A trigger as far as it reads, with its canonical JSON, and everything that is wrong with it. */
export interface ReadTrigger {
  readonly trigger: Trigger;
  readonly json: JsonObject;
  readonly reports: readonly Report[];
}

/** A trigger ready to run; or everything that is wrong with it. */
export function readTrigger(source: TriggerSource, world: World): Result<ReadTrigger, readonly Report[]> {
  const read = draftTrigger(source, world);
  return read.reports.length > 0 ? fail(read.reports) : ok(read);
}

export function draftTrigger(source: TriggerSource, world: World): ReadTrigger {
  const reports: Report[] = [];
  const event: Type = { kind: 'ref', name: source.event };
  const eventKnown = world.scope.lookup(source.event) !== undefined;
  const { unread } = world.manifest;
  if (lacksSchema(world, source.event)) {
    reports.push(
      schemaNotFound('V-430', source.event, [...source.path, 'event'], missingHint(world, 'schemas', source.event)),
    );
  }
  const plan = world.plans.get(source.plan)?.source;
  if (plan === undefined && !isLost(world, 'plans', source.plan)) {
    reports.push({
      rule: 'V-431',
      code: 'plan.not_found',
      path: [...source.path, 'plan'],
      message: `there is no plan "${source.plan}"`,
      hint: missingHint(world, 'plans', source.plan),
      fields: { plan: source.plan },
    });
  }
  const input: Type | undefined =
    plan === undefined || world.scope.lookup(plan.input) === undefined ? undefined : { kind: 'ref', name: plan.input };
  const projects = source.inputExpr !== undefined || unread.has(...source.path, 'input_expr');
  if (!projects && eventKnown && input !== undefined && plan !== undefined) {
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
    // A type that is not known fits.
    const kinds = found.flatMap((type) => tryResolveType(type, world.scope)?.kind ?? []);
    if (found.length === 0 || !kinds.every((kind) => CORRELATION_KINDS.has(kind))) {
      reports.push({
        rule: 'V-433',
        code: 'trigger.correlate_by_invalid',
        path: [...source.path, 'correlate_by'],
        message:
          found.length === 0
            ? `"${shorten(source.correlateBy)}" is no path in ${source.event}`
            : `"${shorten(source.correlateBy)}" is ${kinds.join(', ')}, it must be text, nat, int, uuid, hash or bytes`,
        hint:
          found.length === 0
            ? pathHint(source.correlateBy, event, world.scope)
            : 'Name a field that identifies the event.',
        fields: { path: shorten(source.correlateBy) },
      });
    }
  }
  const when = source.when === undefined ? undefined : parseExpr(source.when, NO_NAMES);
  if (when?.ok === true && eventKnown) {
    const refs = placedRefs(when.value, source.when as Json);
    addAll(reports, checkRefs(refs, [...source.path, 'when'], event, world.scope));
  }
  const slot = readInput(source, input, event, eventKnown, world, reports);
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
    when: when?.ok === true ? keep(source.when as Json) : undefined,
    input_expr: slot?.json,
  });
  return { trigger, json, reports };
}

function readInput(
  source: TriggerSource,
  input: Type | undefined,
  event: Type,
  eventKnown: boolean,
  world: World,
  reports: Report[],
): { readonly slot: NonNullable<Trigger['inputExpr']>; readonly json: Json } | undefined {
  if (source.inputExpr === undefined) return undefined;
  const path = [...source.path, 'input_expr'];
  if (input === undefined) {
    const { refs, failures } = exprsIn(source.inputExpr, NO_NAMES);
    const place = { rule: 'V-109', code: 'expr.invalid', slot: 'input_expr' };
    addAll(
      reports,
      failures.map((failure) => slotProblem(failure, path, place)),
    );
    if (eventKnown) addAll(reports, checkRefs(refs, path, event, world.scope));
    return undefined;
  }
  const tree = readSlot(source.inputExpr, input, world.scope, 'input_expr');
  const slot = tree.ok ? slotFromTree(tree.value, NO_NAMES) : tree;
  if (!tree.ok || !slot.ok) {
    for (const failure of slot.ok ? [] : slot.failure) {
      if (isFollowing(failure)) continue;
      reports.push(slotProblem(failure, path, { rule: 'V-708', code: 'trigger.literal_invalid', slot: 'input_expr' }));
    }
    if (eventKnown) addAll(reports, checkRefs(exprsIn(source.inputExpr, NO_NAMES).refs, path, event, world.scope));
    return undefined;
  }
  if (slot.value.expr !== undefined && eventKnown) {
    addAll(reports, checkRefs(placedRefs(slot.value.expr, source.inputExpr), path, event, world.scope));
  }
  return { slot: slot.value, json: slotToJson(tree.value) };
}

/** V-707. */
function checkRefs(refs: readonly PlacedRef[], path: Path, event: Type, scope: TypeScope): readonly Report[] {
  return refs.flatMap(({ ref, path: inner }) => {
    if (ref.root === 'event' && typesAt(event, ref.path, scope).length > 0) return [];
    return [
      {
        rule: 'V-707',
        code: 'trigger.unknown_ref',
        path: [...path, ...inner, 'ref'],
        message:
          ref.root === 'event'
            ? `"${shorten(ref.text)}" is no path in the event`
            : `"${shorten(ref.text)}": a trigger may read only @event`,
        hint: ref.root === 'event' ? pathHint(ref.path.join('.'), event, scope) : 'Write @event.<field>.',
        fields: { reference: shorten(ref.text) },
      },
    ];
  });
}

/**
 * The types that a path may lead to: one per arm below a variant's `$value`, each once; none when the path leads nowhere.
 * Options on the way are looked through, the last one is not (`expressions.md` §3.1). Below a type that is not known lies
 * one that is not known.
 */
export function typesAt(type: Type, path: readonly string[], scope: TypeScope): readonly Type[] {
  let types: readonly Type[] = [type];
  for (const segment of path) {
    // Each once: arms that share their types would double with every variant on the way.
    const next = new Map<Type | string, Type>();
    const add = (found: Type | undefined) => {
      if (found !== undefined) next.set(found.kind === 'ref' ? found.name : found, found);
    };
    for (const each of types) for (const found of stepInto(each, segment, scope)) add(found);
    types = [...next.values()];
  }
  return types;
}

/** Longest chain of options of options that is looked through; V-304 allows none. */
const OPTIONS_MAX = 64;

function stepInto(type: Type, segment: string, scope: TypeScope): Iterable<Type | undefined> {
  let current = type;
  let target = tryResolveType(current, scope);
  for (let hops = 0; target?.kind === 'option' && hops < OPTIONS_MAX; hops += 1) {
    current = target.item;
    target = tryResolveType(current, scope);
  }
  switch (target?.kind) {
    case 'record':
      return [target.fields.get(segment)];
    case 'map':
      return target.key.kind === 'text' ? [target.value] : [];
    case 'variant':
      if (segment === '$tag') return [TAG];
      return segment === '$value' ? target.arms.values() : [];
    case undefined:
      return [current];
    default:
      return [];
  }
}

const TAG: Type = { kind: 'text' };

/** Suggest a field for the first segment that leads nowhere. */
function pathHint(path: string, event: Type, scope: TypeScope): string | undefined {
  const segments = path.split('.');
  const good = segments.findIndex((_, index) => typesAt(event, segments.slice(0, index + 1), scope).length === 0);
  const found = segments[good];
  if (found === undefined) return undefined;
  const parents = typesAt(event, segments.slice(0, good), scope).map((type) => tryResolveType(type, scope));
  if (parents.some((parent) => parent?.kind === 'variant')) return 'Fields of a variant begin with $value.';
  const fields = parents.flatMap((parent) => (parent?.kind === 'record' ? [...parent.fields.keys()] : []));
  return (
    suggestHint(found, fields) ??
    knownHint('The fields there are', [...new Set(fields)]) ??
    'Name the whole value: it has no fields.'
  );
}
