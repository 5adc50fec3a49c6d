import type { Path } from '@worldline/canon';
import { CAP_ALLOW_ALL, ZERO_HASH_TEXT } from './builtins.ts';
import { suggestHint } from './diagnostic.ts';
import { isJsonObject, type Json, type JsonObject, shorten } from './json.ts';
import type { CapDef, EffectDef, ModuleDef, PolicyDef, PolicyRule, SchemaDef, SecretDef } from './node.ts';
import type { SimpleDef } from './node-json.ts';
import { type ManifestSource, parseManifest } from './node-manifest.ts';
import { type PlanSource, parsePlan } from './node-plan.ts';
import {
  given,
  IDENT,
  isPlaceholder,
  KIND,
  NodeReader,
  type Origin,
  optional,
  type ParseOptions,
  type Problem,
} from './node-read.ts';
import { readAllowed, readSecretName } from './node-secret.ts';
import type { Type } from './type.ts';
import { parseType } from './type-parse.ts';

/** Reading the node kinds from JSON: rules V-1xx and V-301 … V-304, V-307 (`definitions.md` §3, §10). */

export type DefKind = SimpleDef['kind'] | 'defplan';

export const DEF_KINDS: readonly DefKind[] = [
  'defschema',
  'defmodule',
  'defplan',
  'defeffect',
  'defcap',
  'defpolicy',
  'defsecret',
];

export type ParsedNode =
  | { readonly kind: 'manifest'; readonly origin: Origin; readonly source: ManifestSource }
  | { readonly kind: 'defplan'; readonly origin: Origin; readonly name: string; readonly source: PlanSource }
  | { readonly kind: SimpleDef['kind']; readonly origin: Origin; readonly name: string; readonly def: SimpleDef };

/**
 * Read one node.
 *
 * @param origin - Without kind and name: they are read here and part of every problem.
 * @returns the node if its structure is right; else what is wrong, in document order.
 */
export function parseNode(
  origin: Pick<Origin, 'json' | 'base' | 'file'>,
  options: ParseOptions,
): { readonly node?: ParsedNode | undefined; readonly problems: readonly Problem[] } {
  const { json } = origin;
  const outer = new NodeReader(origin);
  if (!isJsonObject(json)) {
    outer.badField([], 'a node (an object with $kind)', json);
    return { problems: outer.problems };
  }
  const kind = options.manifest === true && !Object.hasOwn(json, '$kind') ? 'manifest' : given(json, '$kind');
  const known: readonly string[] = [...DEF_KINDS, 'manifest'];
  if (typeof kind !== 'string' || !known.includes(kind)) {
    const found = typeof kind === 'string' ? shorten(kind) : kind === undefined ? 'nothing' : 'no text';
    outer.report({
      rule: 'V-102',
      code: 'node.unknown_kind',
      path: kind === undefined ? [] : ['$kind'],
      message: kind === undefined ? 'a node needs $kind' : `unknown $kind: ${found}`,
      hint: (typeof kind === 'string' ? suggestHint(kind, known) : undefined) ?? `Known kinds: ${known.join(', ')}.`,
      fields: { found },
    });
    return { problems: outer.problems };
  }
  const name = given(json, 'name');
  const reader = new NodeReader({
    ...origin,
    kind,
    ...(kind !== 'manifest' && typeof name === 'string' ? { name: shorten(name) } : {}),
  });
  const node = parseKind(kind as DefKind | 'manifest', json, reader, options);
  return { node: reader.problems.length === 0 ? node : undefined, problems: reader.problems };
}

function parseKind(
  kind: DefKind | 'manifest',
  json: JsonObject,
  reader: NodeReader,
  options: ParseOptions,
): ParsedNode | undefined {
  const { origin } = reader;
  if (kind === 'manifest') {
    const source = parseManifest(json, reader, options);
    return source && { kind, origin, source };
  }
  if (kind === 'defplan') {
    const source = parsePlan(json, reader);
    return source && { kind, origin, name: source.name, source };
  }
  const def = SIMPLE[kind](json, reader, options);
  return def && { kind, origin, name: def.name, def };
}

type SimpleParser = (json: JsonObject, reader: NodeReader, options: ParseOptions) => SimpleDef | undefined;

const SIMPLE: Readonly<Record<SimpleDef['kind'], SimpleParser>> = {
  defschema: parseSchema,
  defmodule: parseModule,
  defeffect: parseEffect,
  defcap: parseCap,
  defpolicy: parsePolicy,
  defsecret: parseSecret,
};

/** Members that every definition has. */
const COMMON = { $kind: null, name: 'a name' } as const;

function parseSchema(json: JsonObject, reader: NodeReader): SchemaDef | undefined {
  reader.object(json, [], { ...COMMON, type: 'a type expression' });
  const name = reader.name(given(json, 'name'), ['name']);
  const type = readType(given(json, 'type'), ['type'], reader);
  return name !== undefined && type !== undefined ? { kind: 'defschema', name, type } : undefined;
}

const TYPE_RULES: Readonly<Record<string, string>> = {
  'type.invalid': 'V-301',
  'type.bad_map_key': 'V-302',
  'type.bad_set_element': 'V-303',
  'type.ambiguous_option': 'V-304',
  'type.bad_member': 'V-307',
};

function readType(json: Json | undefined, path: Path, reader: NodeReader): Type | undefined {
  if (json === undefined) return undefined;
  const read = parseType(json);
  if (read.ok) return read.value;
  for (const failure of read.failure) {
    reader.report({
      rule: TYPE_RULES[failure.code],
      code: failure.code,
      path: [...path, ...failure.path],
      message: failure.message,
      hint: failure.hint,
      fields: failure.got === undefined ? undefined : { found: failure.got },
    });
  }
  return undefined;
}

function parseModule(json: JsonObject, reader: NodeReader, options: ParseOptions): ModuleDef | undefined {
  const placeholder = options.authored && isPlaceholder(given(json, 'wasm_hash'));
  reader.object(json, [], {
    ...COMMON,
    module_kind: '"reducer" or "pure"',
    wasm_hash: placeholder ? null : 'a hash',
    key_schema: null,
    abi: 'an object',
  });
  const name = reader.name(given(json, 'name'), ['name']);
  const moduleKind = reader.oneOf(given(json, 'module_kind'), ['module_kind'], ['reducer', 'pure'] as const);
  const wasmHash = placeholder ? ZERO_HASH_TEXT : reader.hash(given(json, 'wasm_hash'), ['wasm_hash']);
  const keySchema = reader.name(optional(json, 'key_schema'), ['key_schema']);
  const abi = reader.object(given(json, 'abi'), ['abi'], { reducer: null, pure: null });
  if (abi === undefined || moduleKind === undefined) return undefined;

  const other = moduleKind === 'reducer' ? 'pure' : 'reducer';
  const has = { reducer: optional(abi, 'reducer'), pure: optional(abi, 'pure') };
  if (has[moduleKind] === undefined || has[other] !== undefined) {
    reader.report({
      rule: 'V-108',
      code: 'module.abi_mismatch',
      path: has[other] === undefined ? ['abi'] : ['abi', other],
      message: `a ${moduleKind} module has exactly abi.${moduleKind}`,
      fields: { module_kind: moduleKind },
    });
  }
  if (moduleKind === 'pure' && optional(json, 'key_schema') !== undefined) {
    reader.report({
      rule: 'V-108',
      code: 'module.abi_mismatch',
      path: ['key_schema'],
      message: 'only reducers have key_schema',
      fields: { module_kind: moduleKind },
    });
  }
  const reducer = parseReducerAbi(has.reducer, reader);
  const pure = parsePureAbi(has.pure, reader);
  if (name === undefined || wasmHash === undefined) return undefined;
  return {
    kind: 'defmodule',
    name,
    moduleKind,
    wasmHash,
    ...(keySchema === undefined ? {} : { keySchema }),
    ...(reducer === undefined ? {} : { reducer }),
    ...(pure === undefined ? {} : { pure }),
  };
}

function parseReducerAbi(json: Json | undefined, reader: NodeReader): ModuleDef['reducer'] {
  const at = ['abi', 'reducer'];
  const abi = reader.object(json, at, {
    state: 'a schema name',
    event: 'a schema name',
    context: null,
    annotations: null,
    effects_emitted: null,
    cap_slots: null,
  });
  if (abi === undefined) return undefined;
  const state = reader.name(given(abi, 'state'), [...at, 'state']);
  const event = reader.name(given(abi, 'event'), [...at, 'event']);
  const context = reader.name(optional(abi, 'context'), [...at, 'context']);
  const annotations = reader.name(optional(abi, 'annotations'), [...at, 'annotations']);
  const effectsEmitted = reader.each(given(abi, 'effects_emitted'), [...at, 'effects_emitted'], (item, path) =>
    reader.ident(item, path, KIND),
  );
  const capSlots: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [slot, value] of reader.entries(given(abi, 'cap_slots'), [...at, 'cap_slots']) ?? []) {
    const path = [...at, 'cap_slots', slot];
    if (!IDENT.test(slot)) reader.badIdent(slot, path, IDENT);
    const capType = reader.ident(value, path, KIND);
    if (capType !== undefined) capSlots[slot] = capType;
  }
  if (state === undefined || event === undefined) return undefined;
  return { state, event, context, annotations, effectsEmitted: effectsEmitted ?? [], capSlots };
}

function parsePureAbi(json: Json | undefined, reader: NodeReader): ModuleDef['pure'] {
  const at = ['abi', 'pure'];
  const abi = reader.object(json, at, { input: 'a schema name', output: 'a schema name', context: null });
  if (abi === undefined) return undefined;
  const input = reader.name(given(abi, 'input'), [...at, 'input']);
  const output = reader.name(given(abi, 'output'), [...at, 'output']);
  const context = reader.name(optional(abi, 'context'), [...at, 'context']);
  return input !== undefined && output !== undefined ? { input, output, context } : undefined;
}

function parseEffect(json: JsonObject, reader: NodeReader): EffectDef | undefined {
  reader.object(json, [], {
    ...COMMON,
    kind: 'an effect kind',
    params_schema: 'a schema name',
    receipt_schema: 'a schema name',
    cap_type: 'a cap type',
    origin_scope: '"reducer", "plan" or "both"',
    description: null,
  });
  const name = reader.name(given(json, 'name'), ['name']);
  const effectKind = reader.ident(given(json, 'kind'), ['kind'], KIND);
  const paramsSchema = reader.name(given(json, 'params_schema'), ['params_schema']);
  const receiptSchema = reader.name(given(json, 'receipt_schema'), ['receipt_schema']);
  const capType = reader.ident(given(json, 'cap_type'), ['cap_type'], KIND);
  const originScope = reader.oneOf(given(json, 'origin_scope'), ['origin_scope'], ['reducer', 'plan', 'both'] as const);
  reader.text(optional(json, 'description'), ['description']);
  if (
    name === undefined ||
    effectKind === undefined ||
    paramsSchema === undefined ||
    receiptSchema === undefined ||
    capType === undefined ||
    originScope === undefined
  ) {
    return undefined;
  }
  return { kind: 'defeffect', name, effectKind, paramsSchema, receiptSchema, capType, originScope };
}

function parseCap(json: JsonObject, reader: NodeReader): CapDef | undefined {
  reader.object(json, [], { ...COMMON, cap_type: 'a cap type', schema: 'a type expression', enforcer: null });
  const name = reader.name(given(json, 'name'), ['name']);
  const capType = reader.ident(given(json, 'cap_type'), ['cap_type'], KIND);
  const schema = readType(given(json, 'schema'), ['schema'], reader);
  const enforcer = reader.object(optional(json, 'enforcer'), ['enforcer'], { module: 'a module name' });
  const module = enforcer && reader.name(given(enforcer, 'module'), ['enforcer', 'module']);
  if (name === undefined || capType === undefined || schema === undefined) return undefined;
  return { kind: 'defcap', name, capType, schema, enforcer: module ?? CAP_ALLOW_ALL };
}

function parsePolicy(json: JsonObject, reader: NodeReader): PolicyDef | undefined {
  reader.object(json, [], { ...COMMON, rules: 'a list of rules' });
  const name = reader.name(given(json, 'name'), ['name']);
  const rules = reader.each(given(json, 'rules'), ['rules'], (item, path) => parseRule(item, path, reader));
  return name !== undefined && rules !== undefined ? { kind: 'defpolicy', name, rules } : undefined;
}

function parseRule(json: Json, path: Path, reader: NodeReader): PolicyRule | undefined {
  const rule = reader.object(json, path, { when: 'an object', decision: '"allow" or "deny"' });
  if (rule === undefined) return undefined;
  const at = [...path, 'when'];
  const when = reader.object(given(rule, 'when'), at, {
    effect_kind: null,
    cap_name: null,
    cap_type: null,
    origin_kind: null,
    origin_name: null,
  });
  const effectKind = when && reader.ident(optional(when, 'effect_kind'), [...at, 'effect_kind'], KIND);
  const capName = when && reader.ident(optional(when, 'cap_name'), [...at, 'cap_name'], IDENT);
  const capType = when && reader.ident(optional(when, 'cap_type'), [...at, 'cap_type'], KIND);
  const originKind =
    when && reader.oneOf(optional(when, 'origin_kind'), [...at, 'origin_kind'], ['plan', 'reducer'] as const);
  const originName = when && reader.name(optional(when, 'origin_name'), [...at, 'origin_name']);
  const decision = reader.oneOf(given(rule, 'decision'), [...path, 'decision'], ['allow', 'deny'] as const);
  if (when === undefined || decision === undefined) return undefined;
  return { when: { effectKind, capName, capType, originKind, originName }, decision };
}

function parseSecret(json: JsonObject, reader: NodeReader): SecretDef | undefined {
  reader.object(json, [], {
    ...COMMON,
    binding_id: 'a text',
    expected_digest: null,
    allowed_caps: null,
    allowed_plans: null,
  });
  const secret = readSecretName(given(json, 'name'), ['name'], reader);
  const bindingId = reader.text(given(json, 'binding_id'), ['binding_id']);
  const expectedDigest = reader.hash(optional(json, 'expected_digest'), ['expected_digest']);
  const allowed = readAllowed(json, [], reader);
  if (secret === undefined || bindingId === undefined) return undefined;
  return {
    kind: 'defsecret',
    ...secret,
    bindingId,
    ...(expectedDigest === undefined ? {} : { expectedDigest }),
    ...allowed,
  };
}
