import type { Path } from '@worldline/canon';
import { grantSchema } from './builtins.ts';
import { suggestHint } from './diagnostic.ts';
import { integerOf, isJsonArray, isJsonObject, type Json, memberNames, shorten } from './json.ts';
import { literalToTree } from './literal.ts';
import { readLiteral } from './literal-read.ts';
import type { SecretDef } from './node.ts';
import type { GrantSource } from './node-manifest.ts';
import { slotType } from './node-plan-canonical.ts';
import { addAll, type Hint, type Origin, type Problem } from './node-read.ts';
import type { Type, TypeScope } from './type.ts';
import { tryResolveType } from './type-resolve.ts';
import { isLost, lacksGrant, lookupsOf, missingHint, type Pass, type World } from './validate-world.ts';

/** Secrets: V-612 … V-618 (`definitions.md` §10). */

/** V-612, V-613. */
export const checkDeclaredSecrets: Pass = (world) => {
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const { def, origin, path, listedAt } of world.secrets) {
    const fields = { alias: shorten(def.alias), version: def.version };
    if (def.bindingId.trim() === '') {
      problems.push({
        origin,
        rule: 'V-612',
        code: 'secret.binding_missing',
        path: [...path, 'binding_id'],
        message: `secret ${fields.alias}@${def.version} has a blank binding_id`,
        hint: 'Say where the host finds the value, such as "env:API_KEY".',
        fields,
      });
    }
    const key = JSON.stringify([def.alias, def.version]);
    if (seen.has(key)) {
      problems.push({
        origin: world.manifest.origin,
        rule: 'V-613',
        code: 'secret.duplicate',
        path: listedAt,
        message: `secret ${fields.alias}@${def.version} is declared twice`,
        hint: 'List it once.',
        fields,
      });
    }
    seen.add(key);
  }
  return problems;
};

/** V-614 … V-616 in the slots of plans. */
export const checkPlanSecrets: Pass = (world) => {
  const lookups = lookupsOf(world);
  const secrets = secretsByUse(world);
  const problems: Problem[] = [];
  for (const [name, { source }] of world.plans) {
    const slots = world.read.get(name)?.slots;
    for (const [position, step] of source.steps.entries()) {
      for (const slot of step.slots.keys()) {
        const type = slotType(step, slot, source, lookups);
        const json = slots?.[position]?.get(slot)?.json;
        if (type === undefined || type === 'missing' || json === undefined) continue;
        for (const ref of secretsIn(json, type, world.scope)) {
          problems.push(
            ...judge(ref, world, secrets, {
              origin: source.origin,
              path: ['steps', step.index, slot, ...writtenPath(step.slots.get(slot), ref.path)],
              context: `plan ${name}`,
              plan: name,
              grant: slot === 'params' ? step.cap : undefined,
            }),
          );
        }
      }
    }
  }
  return problems;
};

/** V-614 … V-616, then V-618, in grant params. These come before anything is known about the cap itself. */
export const checkGrantSecrets: Pass = (world) => {
  const secrets = secretsByUse(world);
  const problems: Problem[] = [];
  for (const grant of world.manifest.grants) {
    const refs = secretsInGrant(grant, world);
    const where = {
      origin: world.manifest.origin,
      path: [...grant.path, 'params'],
      context: `cap grant ${grant.name}`,
    };
    for (const ref of refs) {
      const path = [...where.path, ...writtenPath(grant.params, ref.path)];
      addAll(problems, judge(ref, world, secrets, { ...where, path, grant: grant.name }));
    }
    if (refs.length > 0) {
      problems.push({
        origin: where.origin,
        rule: 'V-618',
        code: 'secret.in_grant',
        path: where.path,
        message: `the params of grant "${grant.name}" hold a secret reference`,
        hint: 'Grants are shown and hashed; put the reference into the effect params.',
        fields: { grant: grant.name },
      });
    }
  }
  return problems;
};

/** V-617: what a secret allows must be there. */
export const checkSecretPolicies: Pass = (world) => {
  const grants = new Set(world.manifest.grants.map(({ name }) => name));
  const problems: Problem[] = [];
  for (const { def, origin, path } of world.secrets) {
    // An inline declaration keeps the lists under `policy`.
    const at = path.length > 0 ? [...path, 'policy'] : path;
    for (const [index, cap] of def.allowedCaps.entries()) {
      if (!lacksGrant(world, grants, cap)) continue;
      problems.push({
        origin,
        rule: 'V-617',
        code: 'grant.not_found',
        path: [...at, 'allowed_caps', index],
        message: `there is no grant "${cap}"`,
        hint: () => suggestHint(cap, grants) ?? 'Add it to manifest.defaults.cap_grants.',
        fields: { grant: cap },
      });
    }
    for (const [index, plan] of def.allowedPlans.entries()) {
      if (world.plans.has(plan) || isLost(world, 'plans', plan)) continue;
      problems.push({
        origin,
        rule: 'V-617',
        code: 'plan.not_found',
        path: [...at, 'allowed_plans', index],
        message: `there is no plan "${plan}"`,
        hint: missingHint(world, 'plans', plan),
        fields: { plan },
      });
    }
  }
  return problems;
};

interface SecretUse {
  readonly alias: string;
  readonly version: bigint;
  /** In the structure of the value, ending at a map: fields, list indices, `$value`. */
  readonly path: Path;
}

const SECRET_REF = 'sys/SecretRef@1';

/**
 * Literal secret references in a canonical literal or expression tree, found by schema: a literal record where the type
 * says `sys/SecretRef@1`, also inside expressions.
 */
export function secretsIn(json: Json, type: Type, scope: TypeScope): readonly SecretUse[] {
  const found: SecretUse[] = [];
  // Where an entry of a map is written depends on its lens and on sorting; the map itself is near enough.
  const visit = (part: Json | undefined, expected: Type, path: Path, inMap: boolean): void => {
    if (!isJsonObject(part)) return;
    if (namesSecret(expected, scope)) {
      const use = secretOf(part, path);
      if (use !== undefined) found.push(use);
      return;
    }
    const below = (step: string | number): Path => (inMap ? path : [...path, step]);
    const target = tryResolveType(expected, scope);
    switch (target?.kind) {
      case 'option':
        visit(part, target.item, path, inMap);
        break;
      case 'record': {
        const fields = part['record'];
        if (!isJsonObject(fields)) break;
        for (const [name, field] of target.fields) visit(fields[name], field, below(name), inMap);
        break;
      }
      case 'variant': {
        const envelope = isJsonObject(part['variant']) ? part['variant'] : part;
        const arm = typeof envelope['tag'] === 'string' ? target.arms.get(envelope['tag']) : undefined;
        if (arm !== undefined) visit(envelope['value'], arm, below('$value'), inMap);
        break;
      }
      case 'list': {
        const items = part['list'];
        if (!isJsonArray(items)) break;
        for (const [index, item] of items.entries()) visit(item, target.item, below(index), inMap);
        break;
      }
      case 'map': {
        const entries = part['map'];
        if (!isJsonArray(entries)) break;
        for (const entry of entries) if (isJsonObject(entry)) visit(entry['value'], target.value, path, true);
        break;
      }
      default:
        break;
    }
  };
  visit(json, type, [], false);
  return found;
}

function namesSecret(type: Type, scope: TypeScope): boolean {
  let current: Type | undefined = type;
  // Aliases of aliases end: cycles were refused with the types.
  while (current?.kind === 'ref') {
    if (current.name === SECRET_REF) return true;
    current = scope.lookup(current.name);
  }
  return false;
}

function secretOf(json: Json, path: Path): SecretUse | undefined {
  const record = isJsonObject(json) ? json['record'] : undefined;
  const alias = isJsonObject(record) ? record['alias'] : undefined;
  const version = isJsonObject(record) ? record['version'] : undefined;
  const text = isJsonObject(alias) ? alias['text'] : undefined;
  const number = isJsonObject(version) ? integerOf(version['nat']) : undefined;
  return typeof text === 'string' && number !== undefined ? { alias: text, version: number, path } : undefined;
}

function secretsInGrant(grant: GrantSource, world: World): readonly SecretUse[] {
  const cap = world.caps.get(grant.cap)?.def;
  if (cap === undefined) return isLost(world, 'caps', grant.cap) ? [] : secretsByShape(grant.params);
  const type = grantSchema(cap, grantMembers(grant));
  const params = readLiteral(grant.params, type, world.scope);
  return params.ok ? secretsIn(literalToTree(params.value), type, world.scope) : [];
}

/** Member names of grant params, in either lens. */
export function grantMembers(grant: GrantSource): readonly string[] {
  if (!isJsonObject(grant.params)) return [];
  const record = grant.params['record'];
  return memberNames(isJsonObject(record) ? record : grant.params);
}

/** Without the cap's schema only the look of the JSON is left: `{alias, version}` in either lens. */
function secretsByShape(json: Json): readonly SecretUse[] {
  if (isJsonArray(json)) return json.flatMap(secretsByShape);
  if (!isJsonObject(json)) return [];
  const tagged = secretOf(json, []);
  if (tagged !== undefined) return [tagged];
  const version = integerOf(json['version']);
  if (typeof json['alias'] === 'string' && version !== undefined && memberNames(json).length === 2) {
    return [{ alias: json['alias'], version, path: [] }];
  }
  return memberNames(json).flatMap((name) => secretsByShape(json[name] as Json));
}

/**
 * A path in the structure of a value as a path in its JSON, whatever lens that is written in. It ends early where the
 * spelling is not recognised.
 */
function writtenPath(json: Json | undefined, path: Path): Path {
  const [part, ...rest] = path;
  if (part === undefined) return [];
  for (const at of spellings(json, part)) {
    const inner = at.reduce<Json | undefined>((found, key) => childOf(found, key), json);
    if (inner !== undefined) return [...at, ...writtenPath(inner, rest)];
  }
  return [];
}

function spellings(json: Json | undefined, part: string | number): readonly Path[] {
  if (part !== '$value') return [[typeof part === 'number' ? 'list' : 'record', part], [part]];
  const arm = isJsonObject(json) ? memberNames(json) : [];
  return [
    ['variant', 'value'],
    ['$value'],
    ...(arm.includes('tag') ? [['value']] : []),
    ...(arm.length === 1 ? [arm] : []),
  ];
}

function childOf(json: Json | undefined, key: string | number): Json | undefined {
  if (isJsonArray(json)) return typeof key === 'number' ? json[key] : undefined;
  return isJsonObject(json) && Object.hasOwn(json, key) ? json[key] : undefined;
}

interface Place {
  readonly origin: Origin;
  readonly path: Path;
  readonly context: string;
  readonly plan?: string | undefined;
  /** The grant under which the reference goes out. */
  readonly grant?: string | undefined;
}

/** By `alias@version`; of two that are declared twice the first. */
type SecretsByUse = ReadonlyMap<string, SecretDef>;

function secretsByUse(world: World): SecretsByUse {
  return new Map([...world.secrets].reverse().map(({ def }) => [`${def.alias}@${def.version}`, def]));
}

/** V-614, V-615, V-616: the first that applies. */
function judge(use: SecretUse, world: World, secrets: SecretsByUse, place: Place): readonly Problem[] {
  const { origin, path, context } = place;
  const shown = shorten(use.alias);
  const fields = { alias: shown, version: Number(use.version), context };
  const problem = (rule: string, code: string, message: string, hint?: Hint): readonly Problem[] => [
    { origin, rule, code, path, message: `${context}: ${message}`, hint, fields },
  ];
  if (use.version < 1n)
    return problem(
      'V-614',
      'secret.version_invalid',
      `secret ${shown} needs a version from 1`,
      'Versions count from 1.',
    );
  const name = `${use.alias}@${use.version}`;
  const secret = secrets.get(name);
  if (secret === undefined) {
    if (isLost(world, 'secrets', name)) return [];
    return problem(
      'V-615',
      'secret.unknown',
      `secret ${shown}@${use.version} is not declared`,
      missingHint(world, 'secrets', name),
    );
  }
  const planDenied =
    place.plan !== undefined && secret.allowedPlans.length > 0 && !secret.allowedPlans.includes(place.plan);
  const grantDenied =
    place.grant !== undefined && secret.allowedCaps.length > 0 && !secret.allowedCaps.includes(place.grant);
  if (!planDenied && !grantDenied) return [];
  return problem(
    'V-616',
    'secret.not_permitted',
    planDenied
      ? `secret ${shown}@${use.version} does not allow this plan`
      : `secret ${shown}@${use.version} does not allow the grant "${place.grant}"`,
    planDenied ? 'Add the plan to allowed_plans of the secret.' : 'Add the grant to allowed_caps of the secret.',
  );
}
