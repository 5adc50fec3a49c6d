import { fail, hashOf, ok, type Result } from '@worldline/canon';
import {
  BUILTIN_ENFORCERS,
  BUILTINS,
  builtinEffect,
  CAP_ALLOW_ALL,
  effectiveEnforcer,
  effectiveScope,
  grantSchema,
} from './builtins.ts';
import { knownHint } from './check-path.ts';
import { suggestHint } from './diagnostic.ts';
import type { Json } from './json.ts';
import { readKeptLiteral } from './literal-read.ts';
import type { CapDef, EffectDef, Grant } from './node.ts';
import type { GrantSource } from './node-manifest.ts';
import { isFollowing, type PlanLookups, schemaNotFound } from './node-plan-canonical.ts';
import { addAll, type Origin, type Problem } from './node-read.ts';
import type { Type, TypeScope } from './type.ts';
import { tryResolveType, typesEqual } from './type-resolve.ts';
import { grantMembers } from './validate-secrets.ts';
import { isLost, lacksGrant, lookupsOf, missingHint, type Pass } from './validate-world.ts';
import { encodeValue } from './value-cbor.ts';
import type { ValueFailure } from './value-failure.ts';

/** Grants, caps, effects and policies: V-420, V-421, V-519, V-522, V-601 … V-608 (`definitions.md` §10). */

/** V-601, V-602. */
export const checkGrants: Pass = (world) => {
  const problems: Problem[] = [];
  const { origin } = world.manifest;
  const seen = new Set<string>();
  for (const grant of world.manifest.grants) {
    if (seen.has(grant.name)) {
      problems.push({
        origin,
        rule: 'V-601',
        code: 'grant.duplicate',
        path: [...grant.path, 'name'],
        message: `two grants are called "${grant.name}"`,
        hint: 'Remove one of them, or give it another name.',
        fields: { grant: grant.name },
      });
    }
    seen.add(grant.name);
    if (world.caps.has(grant.cap) || isLost(world, 'caps', grant.cap)) continue;
    problems.push({
      origin,
      rule: 'V-602',
      code: 'cap.def_not_found',
      path: [...grant.path, 'cap'],
      message: `grant "${grant.name}": there is no cap "${grant.cap}"`,
      hint: missingHint(world, 'caps', grant.cap),
      fields: { cap: grant.cap },
    });
  }
  return problems;
};

/** V-605. A listed module that is not built in is refused as unsupported, elsewhere. */
export const checkEnforcers: Pass = (world) =>
  [...world.caps.values()].flatMap(({ def, origin }) => {
    if (origin === undefined || def.enforcer === CAP_ALLOW_ALL || BUILTIN_ENFORCERS.has(def.enforcer)) return [];
    const module = world.modules.get(def.enforcer)?.def;
    if (module === undefined && isLost(world, 'modules', def.enforcer)) return [];
    if (module?.pure?.input === 'sys/CapCheckInput@1' && module.pure.output === 'sys/CapCheckOutput@1') return [];
    return [
      {
        origin,
        rule: 'V-605',
        code: 'cap.enforcer_invalid',
        path: ['enforcer', 'module'],
        message: `"${def.enforcer}" is no enforcer: neither built in nor a listed pure module from sys/CapCheckInput@1 to sys/CapCheckOutput@1`,
        hint: () =>
          suggestHint(def.enforcer, [CAP_ALLOW_ALL, ...BUILTIN_ENFORCERS, ...world.modules.keys()]) ??
          knownHint('Built in are', [CAP_ALLOW_ALL, ...BUILTIN_ENFORCERS]),
        fields: { cap: def.name, module: def.enforcer },
      },
    ];
  });

const VARIANT_BASES = ['fabric.send', 'mcp.call'] as const;

/** V-420. */
export function effectSchemas(
  def: EffectDef,
  origin: Origin,
  { scope, isLost: isLostName, hint }: Pick<PlanLookups, 'scope' | 'isLost' | 'hint'>,
): readonly Problem[] {
  const parts = [
    ['params_schema', def.paramsSchema],
    ['receipt_schema', def.receiptSchema],
  ] as const;
  return parts.flatMap(([member, schema]) =>
    scope.lookup(schema) !== undefined || isLostName('schemas', schema)
      ? []
      : [{ origin, ...schemaNotFound('V-420', schema, [member], hint('schemas', schema)) }],
  );
}

/** V-420, V-421. */
export const checkEffects: Pass = (world) => {
  const problems: Problem[] = [];
  for (const { def, origin } of world.effects.values()) {
    if (origin === undefined) continue;
    addAll(problems, effectSchemas(def, origin, lookupsOf(world)));
    const base = VARIANT_BASES.find((kind) => def.effectKind.startsWith(`${kind}.`));
    const baseDef = base === undefined ? undefined : builtinEffect(base)?.def;
    if (base === undefined || baseDef === undefined) continue;
    const reasons: [reason: string, path: string, wrong: boolean, expected: string][] = [
      ['cap_type', 'cap_type', def.capType !== baseDef.capType, `cap type "${baseDef.capType}"`],
      ['receipt_schema', 'receipt_schema', def.receiptSchema !== baseDef.receiptSchema, baseDef.receiptSchema],
      ['origin_scope', 'origin_scope', def.originScope !== 'plan', 'scope "plan"'],
      [
        'params',
        'params_schema',
        world.scope.lookup(def.paramsSchema) !== undefined && !isVariantParams(base, def.paramsSchema, world.scope),
        base === 'fabric.send'
          ? 'a record {dest_world: text, value: ref, key?: bytes, correlation_id?: text, mode?: text}'
          : 'a record like sys/McpCallParams@1 whose arguments are a record',
      ],
    ];
    for (const [reason, path, wrong, expected] of reasons) {
      if (!wrong) continue;
      problems.push({
        origin,
        rule: 'V-421',
        code: 'effect.variant_invalid',
        path: [path],
        message: `"${def.effectKind}" extends ${base} and needs ${expected}`,
        hint: `Give it that, or call the kind something that does not begin with "${base}.".`,
        fields: { kind: def.effectKind, reason },
      });
    }
  }
  return problems;
};

/** The params record of a typed variant (`host.md` §5.7, §5.8). */
function isVariantParams(base: (typeof VARIANT_BASES)[number], schema: string, scope: TypeScope): boolean {
  const fields = fieldsOf({ kind: 'ref', name: schema }, scope);
  const published = fieldsOf(
    { kind: 'ref', name: base === 'fabric.send' ? 'sys/FabricSendParams@1' : 'sys/McpCallParams@1' },
    scope,
  );
  // Behind an alias the schema may be one that did not read.
  if (fields === undefined && tryResolveType({ kind: 'ref', name: schema }, scope) === undefined) return true;
  if (fields === undefined || published === undefined) return false;
  const own = base === 'fabric.send' ? 'value' : 'arguments';
  const required = base === 'fabric.send' ? ['dest_world', 'value'] : ['server', 'tool', 'arguments'];
  if (required.some((name) => !fields.has(name))) return false;
  return [...fields].every(([name, type]) => {
    // What is sent is named by its schema; the kernel puts that name where the base kind has `schema`.
    if (name === own) return base === 'fabric.send' ? type.kind === 'ref' : isRecordOrLost(type, scope);
    const same = name === 'schema' && base === 'fabric.send' ? undefined : published.get(name);
    return same !== undefined && typesEqual(type, same, scope);
  });
}

/** A schema that did not read was reported, and may be a record. */
function isRecordOrLost(type: Type, scope: TypeScope): boolean {
  const target = tryResolveType(type, scope);
  return target === undefined || target.kind === 'record';
}

function fieldsOf(type: Type, scope: TypeScope): ReadonlyMap<string, Type> | undefined {
  let current: Type | undefined = type;
  while (current?.kind === 'ref') current = scope.lookup(current.name);
  return current?.kind === 'record' ? current.fields : undefined;
}

/** V-519, V-522. What V-520 asks follows from these, since the derived lists equal the steps' own (V-506, V-507). */
export const checkPlanEffects: Pass = (world) => {
  const grants = new Map(world.manifest.grants.map((grant) => [grant.name, grant]));
  const problems: Problem[] = [];
  for (const { source } of world.plans.values()) {
    for (const step of source.steps) {
      if (step.op !== 'emit_effect') continue;
      const effect = step.kind === undefined ? undefined : world.effects.get(step.kind)?.def;
      const at = ['steps', step.index];
      const { kind, cap } = step;
      const grant = cap === undefined ? undefined : grants.get(cap);
      const found = grant && world.caps.get(grant.cap)?.def.capType;
      // A grant is there or not, whatever is emitted under it.
      if (cap !== undefined && lacksGrant(world, grants, cap)) {
        problems.push({
          origin: source.origin,
          rule: 'V-519',
          code: 'grant.not_found',
          path: [...at, 'cap'],
          message: `there is no grant "${cap}"`,
          hint: () => suggestHint(cap, grants.keys()) ?? 'Add it to manifest.defaults.cap_grants.',
          fields: { grant: cap },
        });
      }
      if (effect === undefined || kind === undefined) continue;
      if (cap !== undefined && found !== undefined && found !== effect.capType) {
        problems.push({
          origin: source.origin,
          rule: 'V-519',
          code: 'cap.type_mismatch',
          path: [...at, 'cap'],
          message: `"${kind}" needs a grant of type "${effect.capType}", "${cap}" is of type "${found}"`,
          hint: `Name a grant whose cap is of type "${effect.capType}".`,
          fields: { grant: cap, effect: kind, expected: effect.capType, found },
        });
      }
      const scope = effectiveScope(effect);
      if (scope === 'reducer') {
        problems.push({
          origin: source.origin,
          rule: 'V-522',
          code: 'effect.origin_scope',
          path: [...at, 'kind'],
          message: `"${kind}" can be emitted by reducers only`,
          hint: 'Raise an event instead, and let a reducer emit the effect.',
          fields: { step: step.id, kind, scope },
        });
      }
    }
  }
  return problems;
};

/** V-606, V-607. */
export const checkPolicies: Pass = (world) => {
  const grants = new Set(world.manifest.grants.map(({ name }) => name));
  const kinds = new Set([...world.effects.keys(), ...[...BUILTINS.effects.values()].map(({ def }) => def.effectKind)]);
  const problems: Problem[] = [];
  for (const { def, origin } of world.policies.values()) {
    if (origin === undefined) continue;
    for (const [index, { when }] of def.rules.entries()) {
      const at = ['rules', index, 'when'];
      const { effectKind, capName } = when;
      if (effectKind !== undefined && !kinds.has(effectKind) && !isLost(world, 'kinds', effectKind)) {
        problems.push({
          origin,
          rule: 'V-606',
          code: 'effect.not_found',
          path: [...at, 'effect_kind'],
          message: `there is no effect kind "${effectKind}"`,
          hint: () => suggestHint(effectKind, kinds) ?? 'Define it, and list it in manifest.effects.',
          fields: { kind: effectKind },
        });
      }
      if (capName !== undefined && lacksGrant(world, grants, capName)) {
        problems.push({
          origin,
          rule: 'V-607',
          code: 'grant.not_found',
          path: [...at, 'cap_name'],
          message: `there is no grant "${capName}"`,
          hint: () => suggestHint(capName, grants) ?? 'Add it to manifest.defaults.cap_grants.',
          fields: { grant: capName },
        });
      }
    }
  }
  return problems;
};

/** V-603. */
export const checkGrantParams: Pass = (world) => {
  const problems: Problem[] = [];
  for (const source of world.manifest.grants) {
    const cap = world.caps.get(source.cap)?.def;
    if (cap === undefined) continue;
    const grant = readGrant(source, cap, world.scope);
    if (grant.ok) continue;
    for (const failure of grant.failure) {
      if (isFollowing(failure)) continue;
      problems.push({
        origin: world.manifest.origin,
        rule: 'V-603',
        code: 'grant.params_invalid',
        path: [...source.path, 'params', ...(failure.at ?? failure.path)],
        atKey: failure.code === 'value.unknown_field' || undefined,
        message: `grant "${source.name}": ${failure.message}`,
        hint: unknownFieldHint(failure, cap) ?? failure.hint,
        fields: {
          grant: source.name,
          cap: source.cap,
          cause: failure.code,
          ...(failure.expected === undefined ? {} : { expected: failure.expected }),
          ...(failure.got === undefined ? {} : { got: failure.got }),
        },
      });
    }
  }
  return problems;
};

function unknownFieldHint(failure: ValueFailure, cap: CapDef): string | undefined {
  if (failure.code !== 'value.unknown_field' || failure.field === undefined || cap.schema.kind !== 'record')
    return undefined;
  return suggestHint(failure.field, cap.schema.fields.keys());
}

/** V-604, V-608. */
export const checkDefaultPolicy: Pass = (world, options) => {
  const { policy, origin, hasDefaults, unread } = world.manifest;
  if (policy === undefined) {
    const isUnread = unread.has('defaults', 'policy') || (unread.has('defaults') && !hasDefaults);
    if (options.requirePolicy !== true || isUnread) return [];
    return [
      {
        origin,
        rule: 'V-608',
        code: 'policy.required',
        path: ['defaults', 'policy'],
        message: 'this world needs a default policy',
        hint: 'Name a listed defpolicy in manifest.defaults.policy.',
      },
    ];
  }
  if (world.policies.has(policy) || isLost(world, 'policies', policy)) return [];
  return [
    {
      origin,
      rule: 'V-604',
      code: 'policy.not_found',
      path: ['defaults', 'policy'],
      message: `there is no policy "${policy}"`,
      hint: missingHint(world, 'policies', policy),
      fields: { policy },
    },
  ];
};

/** What the params of a grant are read with. */
export function grantType(source: GrantSource, cap: CapDef): Type {
  return grantSchema(cap, grantMembers(source));
}

/**
 * A grant with its params normalised, and the JSON that the manifest keeps of the params (`definitions.md` §3.8).
 * `grantHash` is over `{defcap_ref, cap_type, params_cbor, expiry_ns?}` (`values.md` §8).
 */
export function readGrant(
  source: GrantSource,
  cap: CapDef,
  scope: TypeScope,
): Result<{ readonly grant: Grant; readonly params: Json }, readonly ValueFailure[]> {
  const read = readKeptLiteral(source.params, grantType(source, cap), scope, cap.name);
  if (!read.ok) return fail(read.failure);
  const paramsCbor = encodeValue(read.value.value);
  const grantHash = hashOf({
    defcap_ref: cap.name,
    cap_type: cap.capType,
    params_cbor: paramsCbor,
    expiry_ns: source.expiryNs,
  });
  return ok({
    grant: {
      name: source.name,
      cap: cap.name,
      capType: cap.capType,
      enforcer: effectiveEnforcer(cap),
      paramsCbor,
      ...(source.expiryNs === undefined ? {} : { expiryNs: source.expiryNs }),
      grantHash,
    },
    params: read.value.json,
  });
}
