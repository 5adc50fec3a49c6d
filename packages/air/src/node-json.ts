import { type CborValue, encode } from '@worldline/canon';
import { emptyObject, type Json, type JsonObject } from './json.ts';
import type { CapDef, EffectDef, ModuleDef, PolicyDef, SchemaDef, SecretDef } from './node.ts';
import { typeToJson } from './type-parse.ts';

/** Definitions whose canonical node follows from their parsed form alone; plans keep their own (`node-plan-canonical.ts`). */
export type SimpleDef = SchemaDef | ModuleDef | EffectDef | CapDef | PolicyDef | SecretDef;

/** Canonical node with `$kind` (`definitions.md` §2, §3): defaults filled, members marked "omit" left out. */
export function nodeToJson(def: SimpleDef): JsonObject {
  switch (def.kind) {
    case 'defschema':
      return node(def, { type: typeToJson(def.type) });
    case 'defmodule':
      return node(def, {
        module_kind: def.moduleKind,
        wasm_hash: def.wasmHash,
        key_schema: def.keySchema,
        abi: members({
          reducer:
            def.reducer &&
            members({
              state: def.reducer.state,
              event: def.reducer.event,
              context: def.reducer.context,
              annotations: def.reducer.annotations,
              effects_emitted: nonEmpty(def.reducer.effectsEmitted),
              cap_slots: Object.keys(def.reducer.capSlots).length > 0 ? members(def.reducer.capSlots) : undefined,
            }),
          pure: def.pure && members({ input: def.pure.input, output: def.pure.output, context: def.pure.context }),
        }),
      });
    case 'defeffect':
      return node(def, {
        kind: def.effectKind,
        params_schema: def.paramsSchema,
        receipt_schema: def.receiptSchema,
        cap_type: def.capType,
        origin_scope: def.originScope,
      });
    case 'defcap':
      return node(def, {
        cap_type: def.capType,
        schema: typeToJson(def.schema),
        enforcer: members({ module: def.enforcer }),
      });
    case 'defpolicy':
      return node(def, {
        rules: def.rules.map((rule) =>
          members({
            when: members({
              effect_kind: rule.when.effectKind,
              cap_name: rule.when.capName,
              cap_type: rule.when.capType,
              origin_kind: rule.when.originKind,
              origin_name: rule.when.originName,
            }),
            decision: rule.decision,
          }),
        ),
      });
    case 'defsecret':
      return node(def, {
        binding_id: def.bindingId,
        expected_digest: def.expectedDigest,
        allowed_caps: nonEmpty(def.allowedCaps),
        allowed_plans: nonEmpty(def.allowedPlans),
      });
    default:
      return def satisfies never;
  }
}

/** Canonical node without `$kind`: what the hash of a built-in definition and of a manifest is taken of. */
export function withoutKind(json: JsonObject): JsonObject {
  return object(Object.entries(json).filter(([key]) => key !== '$kind'));
}

/** An object of the members that are not undefined. */
export function members(parts: Readonly<Record<string, Json | undefined>>): JsonObject {
  return object(Object.entries(parts));
}

export function nonEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined;
}

function node(def: SimpleDef, parts: Readonly<Record<string, Json | undefined>>): JsonObject {
  return object([['$kind', def.kind], ['name', def.name], ...Object.entries(parts)]);
}

/** An object without prototype, of the members that are not undefined. */
export function object(parts: readonly (readonly [string, Json | undefined])[]): JsonObject {
  const made = emptyObject();
  for (const [key, value] of parts) if (value !== undefined) made[key] = value;
  return made;
}

/**
 * Canonical bytes of a canonical node. Their SHA-256 is the node's hash (`values.md` §8).
 *
 * @param json - Holds no fractions: canonical literals have none.
 */
export function encodeNode(json: JsonObject): Uint8Array {
  return encode(json as CborValue);
}
