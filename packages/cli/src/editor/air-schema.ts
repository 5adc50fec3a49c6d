import {
  GRANT_SHAPE,
  INLINE_SECRET_SHAPE,
  NODE_SHAPES,
  nullIsAbsent,
  SECRET_REF_SHAPE,
  type Shape,
  STEP_SHAPES,
} from '@worldline/air';
import { exprDefinitions, typeDefinitions } from './air-forms.ts';
import { builtinDefinitions, grantHints, knownKinds, knownNames, paramsHints } from './air-hints.ts';
import { NODE_SNIPPETS, STEP_SNIPPETS, snippetsOf } from './air-snippets.ts';
import { choice, has, type JsonSchema, SchemaWriter, says, when } from './json-schema.ts';

/** The JSON Schema of the files of an air folder: one node, or a list of nodes. */

const writer = new SchemaWriter({
  nullable: nullIsAbsent,
  comments: true,
  fill: true,
  names: knownNames,
  kinds: knownKinds,
  more,
});

export function airSchema(): JsonSchema {
  const node = { $ref: '#/definitions/node' };
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'AIR definitions',
    type: ['object', 'array'],
    defaultSnippets: NODE_SNIPPETS,
    ...when({ type: 'array' }, { items: node }, node),
    definitions: {
      node: { defaultSnippets: NODE_SNIPPETS, ...tagged('$kind', NODE_SHAPES) },
      step: { defaultSnippets: STEP_SNIPPETS, ...tagged('op', STEP_SHAPES) },
      secret: secretDefinition(),
      ...typeDefinitions(writer, writer.holds({ is: 'name', of: 'schema' })),
      ...exprDefinitions(writer),
      ...builtinDefinitions(),
    },
  };
}

/**
 * An object whose members depend on the value of one of them. Conditions, not alternatives: once the kind is known, the
 * message says what is wrong with that kind.
 */
function tagged(
  tag: string,
  kinds: Readonly<Record<string, { readonly says: string; readonly members: Shape }>>,
): JsonSchema {
  const tags = Object.entries(kinds).map(([kind, { says: sentence }]) => [kind, sentence] as const);
  const described = says(Object.values(kinds)[0]?.members[tag]?.says ?? '');
  return {
    type: 'object',
    allOf: [
      // First, since editors take the template of a member from the first schema that names it.
      { properties: { [tag]: { ...described, ...choice(tags) } }, required: [tag] },
      ...Object.entries(kinds).map(([kind, { members, says: sentence }]) =>
        when(has(tag, kind), { ...says(sentence), ...objectOf(members, tag) }),
      ),
    ],
  };
}

/** The members of a kind; what the tag may be is said already. */
function objectOf(members: Shape, tag: string): JsonSchema {
  const object = writer.object(members);
  return { ...object, properties: { ...(object['properties'] as object), [tag]: true } };
}

function more(shape: Shape): JsonSchema {
  const defaultSnippets = snippetsOf(shape);
  const conditions =
    shape === STEP_SHAPES.emit_effect.members
      ? paramsHints()
      : shape === GRANT_SHAPE
        ? grantHints()
        : shape === NODE_SHAPES.defmodule.members
          ? abiRules()
          : [];
  return {
    ...(defaultSnippets.length === 0 ? {} : { defaultSnippets }),
    ...(conditions.length === 0 ? {} : { allOf: conditions }),
  };
}

/** V-108: the ABI that a module has is that of its kind, and only reducers have keys. */
function abiRules(): readonly JsonSchema[] {
  const absent = { type: 'null' };
  const rule = (kind: string, other: string, properties: JsonSchema) =>
    when(has('module_kind', kind), {
      properties: {
        abi: { properties: { [kind]: { type: 'object' }, [other]: absent }, required: [kind] },
        ...properties,
      },
    });
  return [rule('reducer', 'pure', {}), rule('pure', 'reducer', { key_schema: absent })];
}

/** A reference in authored files; a stored manifest may hold the declaration itself. */
function secretDefinition(): JsonSchema {
  return {
    type: 'object',
    ...when({ required: ['alias'] }, writer.object(INLINE_SECRET_SHAPE), writer.object(SECRET_REF_SHAPE)),
  };
}
