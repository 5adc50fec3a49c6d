import {
  BUILTINS,
  type CapDef,
  type EffectDef,
  type ModuleDef,
  type NameOf,
  type SchemaDef,
  type Type,
} from '@worldline/air';
import { choice, has, type JsonSchema, says, when } from './json-schema.ts';

/** What editors can propose of the built-in catalogue: names, kinds, and the fields of parameters and grants. */

/** The definition that lists the built-in names of a kind. */
export function knownNames(of: NameOf): string | undefined {
  return { schema: 'builtinSchema', effect: 'builtinEffect', cap: 'builtinCap', module: 'builtinModule' }[of as string];
}

/** The definition that lists the built-in effect kinds or cap types. */
export function knownKinds(of: 'effect' | 'cap'): string {
  return { effect: 'builtinEffectKind', cap: 'builtinCapType' }[of];
}

/** Definitions with the built-in names and kinds, each with what it is. */
export function builtinDefinitions(): Readonly<Record<string, JsonSchema>> {
  const [schemas, modules, effects, caps] = [BUILTINS.schemas, BUILTINS.modules, BUILTINS.effects, BUILTINS.caps].map(
    (defs) => [...defs.values()].map(({ def }) => def),
  ) as [SchemaDef[], ModuleDef[], EffectDef[], CapDef[]];
  return {
    builtinSchema: choice(schemas.map((def) => [def.name, code(notation(def.type))])),
    builtinModule: choice(modules.map((def) => [def.name, `Built-in ${def.moduleKind} module.`])),
    builtinEffect: choice(effects.map((def) => [def.name, aboutEffect(def)])),
    builtinEffectKind: choice(effects.map((def) => [def.effectKind, aboutEffect(def)])),
    builtinCap: choice(caps.map((def) => [def.name, `Grants say ${code(notation(def.schema))}.`])),
    builtinCapType: choice(caps.map((def) => [def.capType, `Cap type of ${code(def.name)}.`])),
  };
}

function aboutEffect(def: EffectDef): string {
  const params = BUILTINS.schemas.get(def.paramsSchema);
  const fields = params === undefined ? '' : `: ${code(notation(params.def.type))}`;
  return `Takes a grant of type ${code(def.capType)}. Params ${code(def.paramsSchema)}${fields}. Receipt ${code(def.receiptSchema)}.`;
}

/** For each built-in effect kind: the fields of its `params`, when the step names that kind. */
export function paramsHints(): readonly JsonSchema[] {
  return [...BUILTINS.effects.values()].map(({ def }) =>
    when(has('kind', def.effectKind), { properties: { params: hint({ kind: 'ref', name: def.paramsSchema }) } }),
  );
}

/** The same for grants of built-in caps. */
export function grantHints(): readonly JsonSchema[] {
  return [...BUILTINS.caps.values()].map(({ def }) =>
    when(has('cap', def.name), { properties: { params: hint(def.schema) } }),
  );
}

/**
 * The members that a value of a type has in plain JSON, proposed and described. Nothing is demanded: the value may be
 * written in the tagged lens, or be an expression.
 */
function hint(type: Type, depth = 0): JsonSchema {
  const target = resolved(type);
  if (depth > 3) return {};
  switch (target.kind) {
    case 'record':
      return { properties: members(target.fields, depth) };
    case 'variant':
      return { properties: members(target.arms, depth) };
    case 'list':
    case 'set':
      return { items: hint(target.item, depth + 1) };
    case 'option':
      return hint(target.item, depth);
    default:
      return {};
  }
}

function members(types: ReadonlyMap<string, Type>, depth: number): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(
    [...types].map(([name, type]) => [name, { ...says(code(notation(type))), ...hint(type, depth + 1) }]),
  );
}

function resolved(type: Type): Type {
  if (type.kind !== 'ref') return type;
  const target = BUILTINS.schemas.get(type.name);
  return target === undefined ? { kind: 'unit' } : resolved(target.def.type);
}

/** A type in the notation of the documents: `{a: text, b?: nat}`. */
function notation(type: Type): string {
  switch (type.kind) {
    case 'record':
      return `{${[...type.fields].map(([name, field]) => (field.kind === 'option' ? `${name}?: ${notation(field.item)}` : `${name}: ${notation(field)}`)).join(', ')}}`;
    case 'variant':
      return `variant(${[...type.arms].map(([name, arm]) => (arm.kind === 'unit' ? name : `${name}: ${notation(arm)}`)).join(', ')})`;
    case 'list':
    case 'set':
    case 'option':
      return `${type.kind}<${notation(type.item)}>`;
    case 'map':
      return `map<${notation(type.key)}, ${notation(type.value)}>`;
    case 'ref':
      return type.name;
    default:
      return type.kind;
  }
}

function code(text: string): string {
  return `\`${text}\``;
}
