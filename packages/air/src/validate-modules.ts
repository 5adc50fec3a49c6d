import type { Path } from '@worldline/canon';
import { BUILTINS, builtinEffect, effectiveScope } from './builtins.ts';
import { suggestHint } from './diagnostic.ts';
import type { ModuleDef } from './node.ts';
import { schemaNotFound } from './node-plan-canonical.ts';
import type { Problem, Report } from './node-read.ts';
import type { Type, TypeScope } from './type.ts';
import { tryResolveType, typesEqual } from './type-resolve.ts';
import { isLost, lacksGrant, lacksSchema, missingHint, type Pass, type World } from './validate-world.ts';
import { typeName } from './value-failure.ts';

/** Modules, what is routed to them, and the grants that fill their slots: V-401 … V-414 (`definitions.md` §10). */

type ReducerAbi = NonNullable<ModuleDef['reducer']>;

/** Events of what a reducer asked for; they carry the key of the cell that asked. */
const RECEIPT_SCHEMAS: ReadonlySet<string> = new Set([
  'sys/TimerFired@1',
  'sys/BlobPutResult@1',
  'sys/BlobGetResult@1',
]);

/** V-401 … V-406, V-413, V-414. */
export const checkRouting: Pass = (world) => {
  const problems: Problem[] = [];
  const report = (problem: Report) => problems.push({ origin: world.manifest.origin, ...problem });
  const seen = new Set<string>();
  for (const route of world.manifest.events) {
    const { event, reducer, path } = route;
    const key = JSON.stringify([event, reducer]);
    if (seen.has(key)) {
      report({
        rule: 'V-414',
        code: 'routing.duplicate',
        path,
        message: `"${event}" is routed to ${reducer} twice`,
        hint: 'Remove one of the routes.',
        fields: { event, reducer },
      });
    }
    seen.add(key);
    if (lacksSchema(world, event)) {
      report(schemaNotFound('V-401', event, [...path, 'event'], missingHint(world, 'schemas', event)));
    }
    const module = reducerOf(world, reducer, [...path, 'reducer'], 'V-402', report);
    if (module?.reducer === undefined || world.scope.lookup(event) === undefined) continue;
    const { event: family } = module.reducer;
    if (familyMember(event, family, world.scope) === false) {
      report({
        rule: 'V-403',
        code: 'routing.schema_mismatch',
        path: [...path, 'event'],
        message: `${reducer} takes ${family}, not ${event}`,
        hint: familyHint(event, family, world.scope),
        fields: { reducer, event, expected: family },
      });
    }
    keyField(route, module, world, report);
  }
  for (const { reducer, path } of world.manifest.inboxes) {
    reducerOf(world, reducer, [...path, 'reducer'], 'V-413', report);
  }
  return problems;
};

/** V-402, V-413. */
function reducerOf(
  world: World,
  name: string,
  path: Path,
  rule: string,
  report: (problem: Report) => void,
): ModuleDef | undefined {
  const module = world.modules.get(name)?.def;
  if (module?.reducer !== undefined) return module;
  if (module !== undefined || !isLost(world, 'modules', name)) {
    report({
      rule,
      code: 'routing.unknown_reducer',
      path,
      message: module === undefined ? `there is no module "${name}"` : `"${name}" is no reducer`,
      hint: module === undefined ? missingHint(world, 'modules', name) : 'Route to a module of kind "reducer".',
      fields: { reducer: name },
    });
  }
  return undefined;
}

/** Is the event what the reducer takes, or part of it? Undefined when that is not known. */
function familyMember(event: string, family: string, scope: TypeScope): boolean | undefined {
  if (event === family) return true;
  const type = scope.lookup(family);
  if (type === undefined) return undefined;
  if (type.kind === 'ref') return type.name === event;
  return type.kind === 'variant' && [...type.arms.values()].some((arm) => arm.kind === 'ref' && arm.name === event);
}

function familyHint(event: string, family: string, scope: TypeScope): string | undefined {
  const type = scope.lookup(family);
  const arms = type?.kind === 'variant' ? [...type.arms.values()] : type?.kind === 'ref' ? [type] : [];
  const names = [family, ...arms.flatMap((arm) => (arm.kind === 'ref' ? [arm.name] : []))];
  return suggestHint(event, names) ?? `Route one of ${names.slice(0, 8).join(', ')}, or add an arm to ${family}.`;
}

/** V-404, V-405, V-406. */
function keyField(
  { event, reducer, keyField, path }: World['manifest']['events'][number],
  { keySchema }: ModuleDef,
  world: World,
  report: (problem: Report) => void,
): void {
  const at = [...path, 'key_field'];
  if (keyField === undefined) {
    if (keySchema === undefined || RECEIPT_SCHEMAS.has(event) || world.manifest.unread.has(...at)) return;
    report({
      rule: 'V-404',
      code: 'routing.key_field_missing',
      path,
      message: `${reducer} is keyed, so the route must say which field of ${event} holds the key`,
      hint: 'Add "key_field": a dot path into the event.',
      fields: { reducer },
    });
    return;
  }
  if (keySchema === undefined) {
    report({
      rule: 'V-405',
      code: 'routing.key_field_unexpected',
      path: at,
      message: `${reducer} is not keyed`,
      hint: 'Leave key_field out, or give the module a key_schema.',
      fields: { reducer },
    });
    return;
  }
  const key: Type = { kind: 'ref', name: keySchema };
  // The type of a key that is not known is any.
  if (tryResolveType(key, world.scope) === undefined) return;
  const found = keysAt(
    { kind: 'ref', name: event },
    keyField.split('.').filter((part) => part !== ''),
    world.scope,
  );
  const wrong = found.find((type) => type === undefined || !typesEqual(type, key, world.scope));
  if (found.length > 0 && found.every((type) => type !== undefined && typesEqual(type, key, world.scope))) return;
  const shown = wrong === undefined ? 'missing' : typeName(wrong, world.scope);
  report({
    rule: 'V-406',
    code: 'routing.key_field_mismatch',
    path: at,
    message:
      wrong === undefined
        ? `"${keyField}" is no path in ${event}`
        : `"${keyField}" is ${shown}, the key of ${reducer} is ${keySchema}`,
    hint:
      tryResolveType({ kind: 'ref', name: event }, world.scope)?.kind === 'variant'
        ? 'Fields of a variant begin with $value, and every arm must have the field.'
        : `Name a field of type ${keySchema}.`,
    fields: { reducer, event, key_field: keyField, expected: keySchema, found: shown },
  });
}

/** The types that the key has in an event: one, or one per arm but those of receipts; undefined for an arm without it. */
function keysAt(type: Type, parts: readonly string[], scope: TypeScope): readonly (Type | undefined)[] {
  const target = tryResolveType(type, scope);
  if (target?.kind !== 'variant') return [fieldAt(type, parts, scope)];
  const [first, ...rest] = parts;
  if (first !== '$value' || rest.length === 0) return [];
  const arms = [...target.arms.values()].filter((arm) => arm.kind !== 'ref' || !RECEIPT_SCHEMAS.has(arm.name));
  return arms.map((arm) => fieldAt(arm, rest, scope));
}

/** Through records and refs only. A field of a type that is not known is not known either. */
function fieldAt(type: Type, parts: readonly string[], scope: TypeScope): Type | undefined {
  if (parts.length === 0) return undefined;
  let current = type;
  for (const part of parts) {
    const target = tryResolveType(current, scope);
    if (target === undefined) return current;
    const field = target.kind === 'record' ? target.fields.get(part) : undefined;
    if (field === undefined) return undefined;
    current = field;
  }
  return current;
}

/** Receipts of a reducer's own effects come as events of these schemas. */
const RECEIPT_OF: Readonly<Record<string, string>> = {
  'timer.set': 'sys/TimerFired@1',
  'timer.after': 'sys/TimerFired@1',
  'blob.put': 'sys/BlobPutResult@1',
  'blob.get': 'sys/BlobGetResult@1',
};

/** V-407, V-408, V-410. */
export const checkModules: Pass = (world) => {
  const problems: Problem[] = [];
  for (const { def, origin } of world.modules.values()) {
    if (origin === undefined || def.reducer === undefined) continue;
    const report = (problem: Report) => problems.push({ origin, ...problem });
    eventFamily(def.name, def.reducer, world.scope, report);
    for (const [index, kind] of def.reducer.effectsEmitted.entries()) {
      emitted(def.name, def.reducer, kind, ['abi', 'reducer', 'effects_emitted', index], world, report);
    }
  }
  return problems;
};

/** V-407. */
function eventFamily(
  reducer: string,
  { event }: ReducerAbi,
  scope: TypeScope,
  report: (problem: Report) => void,
): void {
  const family = scope.lookup(event);
  if (family === undefined || family.kind === 'ref' || family.kind === 'record') return;
  const arms = family.kind === 'variant' ? [...family.arms.values()] : [];
  const refs = arms.flatMap((arm) => (arm.kind === 'ref' ? [arm.name] : []));
  const reason =
    family.kind !== 'variant'
      ? 'event family must be a ref, variant of refs, or record'
      : refs.length < arms.length
        ? 'variant arm is not a ref'
        : new Set(refs).size < refs.length
          ? 'duplicate event schema in variant'
          : undefined;
  if (reason === undefined) return;
  report({
    rule: 'V-407',
    code: 'reducer.event_family_invalid',
    path: ['abi', 'reducer', 'event'],
    message: `the events of ${reducer}, ${event}: ${reason}`,
    hint: 'Define each event as a schema of its own, and make a variant whose arms are refs to them.',
    fields: { reducer, event_schema: event, reason },
  });
}

/** V-408, V-410. */
function emitted(
  reducer: string,
  abi: ReducerAbi,
  kind: string,
  path: Path,
  world: World,
  report: (problem: Report) => void,
): void {
  const receipt = RECEIPT_OF[kind];
  if (receipt !== undefined && familyMember(receipt, abi.event, world.scope) === false) {
    report({
      rule: 'V-408',
      code: 'reducer.receipt_schema_missing',
      path,
      message: `${reducer} emits ${kind}, and its events ${abi.event} have no arm for ${receipt}`,
      hint: `Make ${abi.event} a variant with an arm {"ref": "${receipt}"}.`,
      fields: { reducer, effect_kind: kind, event_schema: abi.event, receipt_schema: receipt },
    });
  }
  const effect = world.effects.get(kind)?.def ?? builtinEffect(kind)?.def;
  if (effect === undefined) {
    if (isLost(world, 'kinds', kind)) return;
    const kinds = () => [...world.effects.keys(), ...[...BUILTINS.effects.values()].map(({ def }) => def.effectKind)];
    report({
      rule: 'V-410',
      code: 'effect.not_found',
      path,
      message: `there is no effect kind "${kind}"`,
      hint: () => suggestHint(kind, kinds()) ?? 'Define it, and list it in manifest.effects.',
      fields: { kind },
    });
    return;
  }
  const scope = effectiveScope(effect);
  if (scope !== 'plan') return;
  report({
    rule: 'V-410',
    code: 'effect.origin_scope',
    path,
    message: `"${kind}" can be emitted by plans only`,
    hint: 'Raise an event instead, and let a plan emit the effect.',
    fields: { kind, scope },
  });
}

/** V-411, V-412. */
export const checkBindings: Pass = (world) => {
  const problems: Problem[] = [];
  const report = (problem: Report) => problems.push({ origin: world.manifest.origin, ...problem });
  const grants = new Map(world.manifest.grants.map((grant) => [grant.name, grant]));
  for (const { module: name, slots } of world.manifest.bindings) {
    const at = ['module_bindings', name];
    const module = world.modules.get(name)?.def;
    if (module === undefined && !isLost(world, 'modules', name) && !world.manifest.unread.has(...at)) {
      report({
        rule: 'V-412',
        code: 'binding.unknown_module',
        path: at,
        atKey: true,
        message: `there is no module "${name}"`,
        hint: missingHint(world, 'modules', name),
        fields: { module: name },
      });
    }
    const declared = module?.reducer?.capSlots ?? {};
    for (const [slot, grant] of slots) {
      const path = [...at, 'slots', slot];
      if (world.manifest.unread.has(...path)) continue;
      const expected = Object.hasOwn(declared, slot) ? declared[slot] : undefined;
      if (module !== undefined && expected === undefined && slot !== 'default') {
        report({
          rule: 'V-412',
          code: 'binding.unknown_slot',
          path,
          atKey: true,
          message: `${name} declares no slot "${slot}"`,
          hint: suggestHint(slot, [...Object.keys(declared), 'default']) ?? 'Declare it in abi.reducer.cap_slots.',
          fields: { module: name, slot },
        });
      }
      if (lacksGrant(world, grants, grant)) {
        report({
          rule: 'V-411',
          code: 'grant.not_found',
          path,
          message: `there is no grant "${grant}"`,
          hint: () => suggestHint(grant, grants.keys()) ?? 'Add it to manifest.defaults.cap_grants.',
          fields: { grant },
        });
      }
      const cap = grants.get(grant)?.cap;
      const found = cap === undefined ? undefined : world.caps.get(cap)?.def.capType;
      if (expected === undefined || found === undefined || expected === found) continue;
      report({
        rule: 'V-412',
        code: 'cap.type_mismatch',
        path,
        message: `slot "${slot}" of ${name} needs a grant of type "${expected}", "${grant}" is of type "${found}"`,
        hint: 'Bind a grant of that type.',
        fields: { grant, slot, expected, found },
      });
    }
  }
  return problems;
};

/** V-409. */
export const checkModuleSchemas: Pass = (world) =>
  [...world.modules.values()].flatMap(({ def, origin }) => {
    if (origin === undefined) return [];
    const { keySchema, reducer, pure } = def;
    const named: readonly (readonly [string | undefined, Path])[] = [
      [keySchema, ['key_schema']],
      [reducer?.state, ['abi', 'reducer', 'state']],
      [reducer?.event, ['abi', 'reducer', 'event']],
      [reducer?.context, ['abi', 'reducer', 'context']],
      [reducer?.annotations, ['abi', 'reducer', 'annotations']],
      [pure?.input, ['abi', 'pure', 'input']],
      [pure?.output, ['abi', 'pure', 'output']],
      [pure?.context, ['abi', 'pure', 'context']],
    ];
    return named.flatMap(([name, path]): Problem[] =>
      name === undefined || !lacksSchema(world, name)
        ? []
        : [{ origin, ...schemaNotFound('V-409', name, path, missingHint(world, 'schemas', name)) }],
    );
  });
