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
  isPlaceholder,
  NodeReader,
  type Origin,
  optional,
  type ParseOptions,
  type Problem,
} from './node-read.ts';
import { readAllowed, readSecretName } from './node-secret.ts';
import {
  ABI_SHAPE,
  CAP_SHAPE,
  EFFECT_SHAPE,
  ENFORCER_SHAPE,
  MODULE_SHAPE,
  NODE_SHAPES,
  POLICY_SHAPE,
  PURE_ABI_SHAPE,
  REDUCER_ABI_SHAPE,
  RULE_SHAPE,
  RULE_WHEN_SHAPE,
  SCHEMA_SHAPE,
  SECRET_SHAPE,
} from './node-shape.ts';
import type { Type } from './type.ts';
import { parseType } from './type-parse.ts';

/** Reading the node kinds from JSON: rules V-1xx and V-301 … V-304, V-307 (`definitions.md` §3, §10). */

export type DefKind = SimpleDef['kind'] | 'defplan';

export const DEF_KINDS = Object.keys(NODE_SHAPES).filter((kind): kind is DefKind => kind !== 'manifest');

export type ParsedNode =
  | { readonly kind: 'manifest'; readonly origin: Origin; readonly source: ManifestSource }
  | { readonly kind: 'defplan'; readonly origin: Origin; readonly name: string; readonly source: PlanSource }
  | { readonly kind: SimpleDef['kind']; readonly origin: Origin; readonly name: string; readonly def: SimpleDef };

/** A node that was read: `node` when its structure is right, else what is wrong with it and what can be said all the same. */
export interface ReadNode {
  readonly node?: ParsedNode | undefined;
  /**
   * What the node says as far as it reads, for looking on after a problem. Of a plan and a manifest what was reported is
   * left out; any other definition is here only when it says everything that its kind says.
   */
  readonly partial?: ParsedNode | undefined;
  /** In document order within each object. */
  readonly problems: readonly Problem[];
  /** `$kind`, when it is one. */
  readonly kind?: ParsedNode['kind'] | undefined;
  /** The name as it is written, good or not. */
  readonly name?: string | undefined;
}

/**
 * Read one node.
 *
 * @param origin - Without kind and name: they are read here and part of every problem.
 */
export function parseNode(origin: Pick<Origin, 'json' | 'base' | 'file'>, options: ParseOptions): ReadNode {
  const { json } = origin;
  const outer = new NodeReader(origin);
  const name = isJsonObject(json) ? given(json, 'name') : undefined;
  if (!isJsonObject(json)) {
    outer.badField([], 'a node (an object with $kind)', json);
    return { problems: outer.problems };
  }
  const kind = options.manifest === true && !Object.hasOwn(json, '$kind') ? 'manifest' : given(json, '$kind');
  const known: readonly string[] = Object.keys(NODE_SHAPES);
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
    return { problems: outer.problems, ...(typeof name === 'string' ? { name } : {}) };
  }
  const reader = new NodeReader({
    ...origin,
    kind,
    ...(kind !== 'manifest' && typeof name === 'string' ? { name: shorten(name) } : {}),
  });
  const read = parseKind(kind as ParsedNode['kind'], json, reader, options);
  const { problems } = reader;
  return {
    node: problems.length === 0 ? read : undefined,
    partial: read !== undefined && (isReadInParts(kind) || problems.every(isHarmless)) ? read : undefined,
    problems,
    kind: kind as ParsedNode['kind'],
    ...(typeof name === 'string' ? { name } : {}),
  };
}

function isReadInParts(kind: string): boolean {
  return kind === 'defplan' || kind === 'manifest';
}

/** Something that is too much, and stands for nothing that is missing. */
function isHarmless({ code, meant }: Problem): boolean {
  return code === 'node.unknown_field' && meant === undefined;
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

function parseSchema(json: JsonObject, reader: NodeReader): SchemaDef | undefined {
  reader.shape(json, [], SCHEMA_SHAPE);
  const name = reader.take(json, [], SCHEMA_SHAPE, 'name');
  const type = readType(reader.take(json, [], SCHEMA_SHAPE, 'type'), ['type'], reader);
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
  reader.shape(json, [], MODULE_SHAPE, placeholder ? 'wasm_hash' : undefined);
  const name = reader.take(json, [], MODULE_SHAPE, 'name');
  const moduleKind = reader.take(json, [], MODULE_SHAPE, 'module_kind');
  const wasmHash = placeholder ? ZERO_HASH_TEXT : reader.take(json, [], MODULE_SHAPE, 'wasm_hash');
  const keySchema = reader.take(json, [], MODULE_SHAPE, 'key_schema');
  const abi = reader.shape(reader.take(json, [], MODULE_SHAPE, 'abi'), ['abi'], ABI_SHAPE);
  if (abi === undefined || moduleKind === undefined) return undefined;

  const other = moduleKind === 'reducer' ? 'pure' : 'reducer';
  const has = {
    reducer: reader.take(abi, ['abi'], ABI_SHAPE, 'reducer'),
    pure: reader.take(abi, ['abi'], ABI_SHAPE, 'pure'),
  };
  if (has[moduleKind] === undefined || has[other] !== undefined) {
    reader.report({
      rule: 'V-108',
      code: 'module.abi_mismatch',
      path: has[other] === undefined ? ['abi'] : ['abi', other],
      message: `a ${moduleKind} module has exactly abi.${moduleKind}`,
      hint: has[other] === undefined ? `Add "${moduleKind}".` : `Leave out abi.${other}, or make it a ${other} module.`,
      fields: { module_kind: moduleKind },
    });
  }
  if (moduleKind === 'pure' && optional(json, 'key_schema') !== undefined) {
    reader.report({
      rule: 'V-108',
      code: 'module.abi_mismatch',
      path: ['key_schema'],
      message: 'only reducers have key_schema',
      hint: 'Leave it out: a pure module has no cells.',
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
  const abi = reader.shape(json, at, REDUCER_ABI_SHAPE);
  if (abi === undefined) return undefined;
  const state = reader.take(abi, at, REDUCER_ABI_SHAPE, 'state');
  const event = reader.take(abi, at, REDUCER_ABI_SHAPE, 'event');
  const context = reader.take(abi, at, REDUCER_ABI_SHAPE, 'context');
  const annotations = reader.take(abi, at, REDUCER_ABI_SHAPE, 'annotations');
  const effectsEmitted = reader.take(abi, at, REDUCER_ABI_SHAPE, 'effects_emitted') ?? [];
  const capSlots: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [slot, capType] of reader.take(abi, at, REDUCER_ABI_SHAPE, 'cap_slots') ?? []) capSlots[slot] = capType;
  if (state === undefined || event === undefined) return undefined;
  return { state, event, context, annotations, effectsEmitted, capSlots };
}

function parsePureAbi(json: Json | undefined, reader: NodeReader): ModuleDef['pure'] {
  const at = ['abi', 'pure'];
  const abi = reader.shape(json, at, PURE_ABI_SHAPE);
  if (abi === undefined) return undefined;
  const input = reader.take(abi, at, PURE_ABI_SHAPE, 'input');
  const output = reader.take(abi, at, PURE_ABI_SHAPE, 'output');
  const context = reader.take(abi, at, PURE_ABI_SHAPE, 'context');
  return input !== undefined && output !== undefined ? { input, output, context } : undefined;
}

function parseEffect(json: JsonObject, reader: NodeReader): EffectDef | undefined {
  reader.shape(json, [], EFFECT_SHAPE);
  const name = reader.take(json, [], EFFECT_SHAPE, 'name');
  const effectKind = reader.take(json, [], EFFECT_SHAPE, 'kind');
  const paramsSchema = reader.take(json, [], EFFECT_SHAPE, 'params_schema');
  const receiptSchema = reader.take(json, [], EFFECT_SHAPE, 'receipt_schema');
  const capType = reader.take(json, [], EFFECT_SHAPE, 'cap_type');
  const originScope = reader.take(json, [], EFFECT_SHAPE, 'origin_scope');
  reader.take(json, [], EFFECT_SHAPE, 'description');
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
  reader.shape(json, [], CAP_SHAPE);
  const name = reader.take(json, [], CAP_SHAPE, 'name');
  const capType = reader.take(json, [], CAP_SHAPE, 'cap_type');
  const schema = readType(reader.take(json, [], CAP_SHAPE, 'schema'), ['schema'], reader);
  const enforcer = reader.shape(reader.take(json, [], CAP_SHAPE, 'enforcer'), ['enforcer'], ENFORCER_SHAPE);
  const module = enforcer && reader.take(enforcer, ['enforcer'], ENFORCER_SHAPE, 'module');
  if (name === undefined || capType === undefined || schema === undefined) return undefined;
  return { kind: 'defcap', name, capType, schema, enforcer: module ?? CAP_ALLOW_ALL };
}

function parsePolicy(json: JsonObject, reader: NodeReader): PolicyDef | undefined {
  reader.shape(json, [], POLICY_SHAPE);
  const name = reader.take(json, [], POLICY_SHAPE, 'name');
  const rules = reader.each(given(json, 'rules'), ['rules'], (item, path) => parseRule(item, path, reader));
  return name !== undefined && rules !== undefined ? { kind: 'defpolicy', name, rules } : undefined;
}

function parseRule(json: Json, path: Path, reader: NodeReader): PolicyRule | undefined {
  const rule = reader.shape(json, path, RULE_SHAPE);
  if (rule === undefined) return undefined;
  const at = [...path, 'when'];
  const when = reader.shape(reader.take(rule, path, RULE_SHAPE, 'when'), at, RULE_WHEN_SHAPE);
  const effectKind = when && reader.take(when, at, RULE_WHEN_SHAPE, 'effect_kind');
  const capName = when && reader.take(when, at, RULE_WHEN_SHAPE, 'cap_name');
  const capType = when && reader.take(when, at, RULE_WHEN_SHAPE, 'cap_type');
  const originKind = when && reader.take(when, at, RULE_WHEN_SHAPE, 'origin_kind');
  const originName = when && reader.take(when, at, RULE_WHEN_SHAPE, 'origin_name');
  const decision = reader.take(rule, path, RULE_SHAPE, 'decision');
  if (when === undefined || decision === undefined) return undefined;
  return { when: { effectKind, capName, capType, originKind, originName }, decision };
}

function parseSecret(json: JsonObject, reader: NodeReader): SecretDef | undefined {
  reader.shape(json, [], SECRET_SHAPE);
  const secret = readSecretName(given(json, 'name'), ['name'], reader);
  const bindingId = reader.take(json, [], SECRET_SHAPE, 'binding_id');
  const expectedDigest = reader.take(json, [], SECRET_SHAPE, 'expected_digest');
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
