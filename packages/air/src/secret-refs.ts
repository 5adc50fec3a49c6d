import type { Path } from '@worldline/canon';
import type { SecretDef } from './node.ts';
import type { Type, TypeScope } from './type.ts';
import { resolveType } from './type-resolve.ts';
import type { Value } from './value.ts';
import { keyName } from './value-order.ts';

/**
 * Secret references, found by schema and never by shape (`kernel.md` §11): data that merely looks like a reference is
 * not one, so nothing is ever substituted into it.
 */
export interface SecretRef {
  readonly alias: string;
  readonly version: bigint;
  /** From the value's root: field, map key, index, `$value` for a variant's payload (`values.md` §9). */
  readonly path: Path;
}

/** A field is a secret reference when its schema chain passes through this name. */
export const SECRET_REF_SCHEMA = 'sys/SecretRef@1';

/**
 * The references in a value, in document order.
 *
 * @param value - Conforms to `type`.
 * @throws TypeError when it does not: a reference that goes unseen would leave the gate unchecked.
 */
export function secretRefs(value: Value, type: Type, scope: TypeScope): readonly SecretRef[] {
  if (!mayHoldSecrets(type, scope)) return NOTHING;
  const found: SecretRef[] = [];
  collect(value, type, { scope, path: [], found });
  return found;
}

const NOTHING: readonly SecretRef[] = [];

interface Search {
  readonly scope: TypeScope;
  readonly path: (string | number)[];
  readonly found: SecretRef[];
}

/** Most types hold no secrets and are asked about for each effect, so the answer is kept per scope and type. */
const answers = new WeakMap<TypeScope, WeakMap<Type, boolean>>();

export function mayHoldSecrets(type: Type, scope: TypeScope): boolean {
  let known = answers.get(scope);
  if (known === undefined) {
    known = new WeakMap();
    answers.set(scope, known);
  }
  let answer = known.get(type);
  if (answer === undefined) {
    answer = searchType(type, scope);
    known.set(type, answer);
  }
  return answer;
}

/** Schemas do not recur (V-305), so this ends. */
function searchType(type: Type, scope: TypeScope): boolean {
  switch (type.kind) {
    case 'ref':
      return passesThroughSecretRef(type, scope) || mayHoldSecrets(resolveType(type, scope), scope);
    case 'record':
      return [...type.fields.values()].some((field) => mayHoldSecrets(field, scope));
    case 'variant':
      return [...type.arms.values()].some((arm) => mayHoldSecrets(arm, scope));
    case 'list':
    case 'option':
      return mayHoldSecrets(type.item, scope);
    case 'map':
      return mayHoldSecrets(type.value, scope);
    default:
      // Scalars, and sets, whose elements are scalars.
      return false;
  }
}

/** An alias of the schema is the schema. */
export function passesThroughSecretRef(type: Type, scope: TypeScope): boolean {
  let current: Type | undefined = type;
  while (current?.kind === 'ref') {
    if (current.name === SECRET_REF_SCHEMA) return true;
    current = scope.lookup(current.name);
  }
  return false;
}

function collect(value: Value, type: Type, search: Search): void {
  const { scope } = search;
  if (!mayHoldSecrets(type, scope)) return;
  if (passesThroughSecretRef(type, scope)) {
    search.found.push(readRef(value, search.path));
    return;
  }
  const resolved = resolveType(type, scope);
  switch (resolved.kind) {
    case 'option':
      if (value.kind !== 'null') collect(value, resolved.item, search);
      return;
    case 'record':
      if (value.kind !== 'record') throw unexpected(value, 'record');
      // The value's own order is the canonical one, whatever order the type was made in.
      for (const [name, field] of value.fields) {
        const fieldType = resolved.fields.get(name);
        if (fieldType === undefined) throw unexpected(value, 'record of this schema');
        below(field, fieldType, name, search);
      }
      return;
    case 'variant': {
      if (value.kind !== 'variant') throw unexpected(value, 'variant');
      const arm = resolved.arms.get(value.tag);
      if (arm === undefined) throw unexpected(value, 'variant of this schema');
      below(value.value, arm, '$value', search);
      return;
    }
    case 'list':
      if (value.kind !== 'list') throw unexpected(value, 'list');
      value.items.forEach((item, index) => below(item, resolved.item, index, search));
      return;
    case 'map':
      if (value.kind !== 'map') throw unexpected(value, 'map');
      for (const [key, item] of value.entries) below(item, resolved.value, keyName(key), search);
      return;
    default:
      return;
  }
}

function below(value: Value, type: Type, part: string | number, search: Search): void {
  search.path.push(part);
  collect(value, type, search);
  search.path.pop();
}

function readRef(value: Value, path: Path): SecretRef {
  const alias = value.kind === 'record' ? value.fields.get('alias') : undefined;
  const version = value.kind === 'record' ? value.fields.get('version') : undefined;
  if (alias?.kind !== 'text' || version?.kind !== 'nat') throw unexpected(value, SECRET_REF_SCHEMA);
  return { alias: alias.value, version: version.value, path: [...path] };
}

function unexpected(value: Value, expected: string): TypeError {
  return new TypeError(`value does not conform to its schema: expected ${expected}, got ${value.kind}`);
}

export interface SecretDenial {
  readonly code: 'secret_unknown' | 'secret_denied';
  readonly message: string;
}

/** May an effect of this plan under this grant refer to the secret (`kernel.md` §11)? Undefined: yes. */
export function judgeSecret(
  secrets: readonly SecretDef[],
  ref: { readonly alias: string; readonly version: bigint },
  use: { readonly cap: string; readonly plan: string },
): SecretDenial | undefined {
  const label = `${ref.alias}@${ref.version}`;
  const secret = secrets.find((s) => s.alias === ref.alias && BigInt(s.version) === ref.version);
  if (secret === undefined) return { code: 'secret_unknown', message: `secret ${label} is not declared` };
  const capAllowed = secret.allowedCaps.length === 0 || secret.allowedCaps.includes(use.cap);
  const planAllowed = secret.allowedPlans.length === 0 || secret.allowedPlans.includes(use.plan);
  return capAllowed && planAllowed
    ? undefined
    : { code: 'secret_denied', message: `secret ${label} is not permitted here` };
}
