import {
  CONSTANT_FORMS,
  CONSTRUCTOR_FORMS,
  type ConstantForm,
  DEC128,
  FORM_MEMBERS,
  HASH,
  IDENT,
  INT_MAX,
  INT_MIN,
  INTEGER_TEXT,
  MAP_MEMBERS,
  NAT_MAX,
  OPERATIONS,
  type Operation,
  REF_ROOTS,
  RESERVED_SEGMENTS,
  TYPE_FORMS,
  type TypeForm,
  type TypeKind,
  typeKinds,
  UUID,
} from '@worldline/air';
import { EXPR_SNIPPETS } from './air-snippets.ts';
import { choice, type JsonSchema, refTo, type SchemaWriter, says, when } from './json-schema.ts';

/** Type expressions, expressions and slots as definitions of a JSON Schema. */

const SEGMENT = `(?:[^.$][^.]*|${[...RESERVED_SEGMENTS].map((segment) => `\\${segment}`).join('|')})`;

/**
 * References as far as the text alone tells (`expressions.md` §3). Behind `@var:` and `@step:` more is legal than looks
 * so, since a declared name may itself end with a dot.
 */
const NAME_PART = IDENT.source.replace('.', '').replace('^', '').replace('$', '');
const REF = `^(?:@plan\\.input|@event)(?:\\.${SEGMENT})*$|^@(?:var|step):${NAME_PART}(?:\\.[\\s\\S]*)?$`;

/** Names of fields and arms (`values.md` §1). */
const FIELD = '^[^$]|^\\$comment$';

/** An object with exactly one member, `$comment` aside. */
function oneMember(writer: SchemaWriter, members: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return {
    type: 'object',
    properties: { ...members, ...writer.comment() },
    additionalProperties: false,
    ...when({ required: ['$comment'] }, { minProperties: 2, maxProperties: 2 }, { minProperties: 1, maxProperties: 1 }),
  };
}

/** `{}`. */
function nothing(writer: SchemaWriter): JsonSchema {
  return { type: 'object', properties: writer.comment(), additionalProperties: false };
}

/** An object of fields or arms. */
function fields(writer: SchemaWriter, value: JsonSchema): JsonSchema {
  return {
    type: 'object',
    properties: writer.comment(),
    propertyNames: { pattern: FIELD },
    additionalProperties: value,
  };
}

/** Definitions `type`, and what may be a key, an element and optional. */
export function typeDefinitions(writer: SchemaWriter, schemaName: JsonSchema): Readonly<Record<string, JsonSchema>> {
  const body = (kind: TypeKind): JsonSchema => {
    const form: TypeForm = TYPE_FORMS[kind];
    switch (form.body) {
      case 'nothing':
        return nothing(writer);
      case 'type':
        return refTo(kind === 'set' ? 'setItem' : kind === 'option' ? 'optionItem' : 'type');
      case 'members': {
        const members = fields(writer, { $ref: '#/definitions/type' });
        if (kind === 'record') return members;
        return { ...members, ...when({ required: ['$comment'] }, { minProperties: 2 }, { minProperties: 1 }) };
      }
      case 'key and value':
        return {
          type: 'object',
          properties: {
            key: { ...says(MAP_MEMBERS.key), ...refTo('mapKey') },
            value: { ...says(MAP_MEMBERS.value), ...refTo('type') },
            ...writer.comment(),
          },
          required: Object.keys(MAP_MEMBERS),
          additionalProperties: false,
        };
      case 'schema name':
        return schemaName;
      default:
        return form.body satisfies never;
    }
  };
  const among = (kinds: readonly TypeKind[]): JsonSchema =>
    oneMember(
      writer,
      Object.fromEntries(kinds.map((kind) => [kind, { ...says(TYPE_FORMS[kind].says), ...body(kind) }])),
    );
  return {
    type: among(typeKinds(() => true)),
    setItem: among(typeKinds((form) => form.setItem === true)),
    mapKey: among(typeKinds((form) => form.mapKey === true)),
    optionItem: among(typeKinds((form) => form.notOptional !== true)),
  };
}

function constant(tag: string, form: ConstantForm, writer: SchemaWriter): JsonSchema {
  switch (form.body) {
    case 'nothing':
      return nothing(writer);
    case 'bool':
      return { type: 'boolean' };
    case 'integer': {
      const signed = form.kind === 'int' || form.kind === 'duration';
      const [minimum, maximum] = signed ? [INT_MIN, INT_MAX] : [0n, NAT_MAX];
      return {
        anyOf: [
          { type: 'integer', minimum: Number(minimum), maximum: Number(maximum) },
          { type: 'string', pattern: INTEGER_TEXT.source },
        ],
      };
    }
    case 'text': {
      const pattern = TEXT_PATTERNS[tag];
      return pattern === undefined ? { type: 'string' } : { type: 'string', pattern };
    }
    default:
      return form.body satisfies never;
  }
}

const TEXT_PATTERNS: Readonly<Record<string, string>> = {
  dec128: DEC128.source,
  hash: HASH.source,
  uuid: UUID.source,
  bytes_b64: '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$',
};

const operations: readonly (readonly [string, Operation])[] = Object.entries(OPERATIONS);

const operator = choice(operations.map(([name, { takes, says: sentence }]) => [name, `${sentence} ${takes}`]));

/** Definitions `expr` and `slot`. */
export function exprDefinitions(writer: SchemaWriter): Readonly<Record<string, JsonSchema>> {
  const expr = { $ref: '#/definitions/expr' };
  const tagAndValue = {
    type: 'object',
    properties: {
      tag: { ...says(FORM_MEMBERS.tag), type: 'string' },
      value: { ...says(FORM_MEMBERS.value), ...refTo('expr') },
      ...writer.comment(),
    },
    required: ['tag'],
    additionalProperties: false,
  };
  const entry = {
    type: 'object',
    properties: {
      key: { ...says(FORM_MEMBERS.key), ...refTo('expr') },
      value: { ...says(FORM_MEMBERS.value), ...refTo('expr') },
      ...writer.comment(),
    },
    required: ['key', 'value'],
    additionalProperties: false,
  };
  const constructed = {
    record: fields(writer, expr),
    list: { type: 'array', items: expr },
    set: { type: 'array', items: expr },
    map: { type: 'array', items: entry },
    variant: tagAndValue,
  } satisfies { readonly [C in keyof typeof CONSTRUCTOR_FORMS]: JsonSchema };
  const forms = {
    ref: {
      ...says(FORM_MEMBERS.ref),
      type: 'string',
      pattern: REF,
      patternErrorMessage: 'References begin with @plan.input, @var:NAME, @step:ID or @event, followed by .segments.',
      defaultSnippets: Object.entries(REF_ROOTS).map(([root, description]) => ({
        label: root,
        description,
        body: root,
      })),
    },
    op: { ...says(FORM_MEMBERS.op), ...operator },
    args: { ...says(FORM_MEMBERS.args), type: 'array', minItems: 1, items: expr },
    ...Object.fromEntries(
      Object.entries(CONSTANT_FORMS).map(([tag, form]) => [
        tag,
        { ...says(form.says), ...constant(tag, form, writer) },
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(CONSTRUCTOR_FORMS).map(([tag, form]) => [
        tag,
        { ...says(form.says), ...constructed[tag as keyof typeof constructed] },
      ]),
    ),
  };
  const { type, properties, additionalProperties, ...exactlyOne } = oneMember(writer, forms);
  return {
    expr: {
      type,
      properties,
      additionalProperties,
      defaultSnippets: EXPR_SNIPPETS,
      ...when(
        { anyOf: [{ required: ['op'] }, { required: ['args'] }] },
        {
          required: ['op', 'args'],
          propertyNames: { enum: ['op', 'args', '$comment'], doNotSuggest: true },
          allOf: arities(),
        },
        exactlyOne,
      ),
    },
    ...slotDefinitions(writer),
  };
}

/** How many operands each operation takes, one condition per number. */
function arities(): readonly JsonSchema[] {
  const byCount = new Map<string, string[]>();
  for (const [name, { args }] of operations) byCount.set(args.join(), [...(byCount.get(args.join()) ?? []), name]);
  return [...byCount.values()].map((names) => {
    const [min, max] = OPERATIONS[names[0] as keyof typeof OPERATIONS].args;
    return when(
      { properties: { op: { enum: names, doNotSuggest: true } } },
      { properties: { args: { minItems: min, ...(Number.isFinite(max) ? { maxItems: max } : {}) } } },
    );
  });
}

/**
 * A value or an expression. What a value looks like, its schema says elsewhere; but an object with exactly the members
 * of an operation or of a reference is one, wherever it stands (`values.md` §3.3), so it must be well formed.
 */
function slotDefinitions(writer: SchemaWriter): Readonly<Record<string, JsonSchema>> {
  const slot = { $ref: '#/definitions/slot' };
  const only = (...members: string[]) => ({ propertyNames: { enum: [...members, '$comment'], doNotSuggest: true } });
  const expressionForm = {
    type: 'object',
    anyOf: [
      { required: ['op', 'args'], ...only('op', 'args') },
      { required: ['ref'], properties: { ref: { type: 'string', pattern: '^@', doNotSuggest: true } }, ...only('ref') },
    ],
  };
  // A value may have members of these names, so they are proposed and nothing is demanded of them.
  const value = {
    properties: {
      ref: { ...says(FORM_MEMBERS.ref), ...refTo('slot') },
      op: { ...says(FORM_MEMBERS.op), ...refTo('slot'), examples: operations.map(([name]) => name) },
      args: { ...says(FORM_MEMBERS.args), ...refTo('slot') },
      // Fields of a tagged record may have any name; as a whole they are no operation.
      record: { doNotSuggest: true, ...refTo('slotValue') },
      ...writer.comment(),
    },
    additionalProperties: slot,
    items: slot,
  };
  return {
    slot: {
      defaultSnippets: EXPR_SNIPPETS,
      ...when(expressionForm, { $ref: '#/definitions/expr' }, { $ref: '#/definitions/slotValue' }),
    },
    slotValue: value,
  };
}
