import { HASH, type Holds, IDENT, KIND, type Member, NAME, type NameOf, type Shape } from '@worldline/air';

/**
 * Shapes as JSON Schema.
 *
 * Dialect: draft-07. It is the one that VS Code, JetBrains and the language server of other editors implement in full;
 * of the later drafts each misses something. Keywords beyond it (`markdownDescription`, `defaultSnippets`,
 * `markdownEnumDescriptions`, `patternErrorMessage`, `doNotSuggest`) are VS Code's and ignored elsewhere.
 *
 * G1 What the parser takes, the schema takes: a valid file is never underlined. Where JSON Schema cannot say what the
 *    parser checks, the schema is silent and `worldline check` speaks.
 * G2 Whoever uses a definition describes it: what `$ref` leads to has no description of its own, since editors show the
 *    innermost one.
 */

export type JsonSchema = { readonly [keyword: string]: unknown };

/** A value that editors propose, with what it means. */
export type Proposal = readonly [value: string, says: string];

export interface SchemaOptions {
  /** May a member be null? */
  readonly nullable: (member: Member) => boolean;
  /** May objects hold `$comment`? */
  readonly comments: boolean;
  /** May a hash be left out, or be a placeholder, where its shape says so? */
  readonly fill?: boolean;
  /** Names of the definitions that list known names and kinds; others stay legal. */
  readonly names?: (of: NameOf) => string | undefined;
  readonly kinds?: (of: 'effect' | 'cap') => string | undefined;
  /** What else holds of the objects of a shape, and is worth proposing for them. */
  readonly more?: (shape: Shape) => JsonSchema;
}

export interface Snippet {
  readonly label: string;
  readonly description: string;
  /** JSON with places to fill in: `$1`, `${1:text}`. */
  readonly bodyText: string;
}

const COMMENT = 'A note for readers. It is dropped: no part of the definition and of its hash.';

/** Authors may write these where a hash will be filled in (`definitions.md` §8.3). */
const PLACEHOLDER = '^\\s*(?:[sS][hH][aA]256:?)?\\s*$';

export class SchemaWriter {
  readonly options: SchemaOptions;

  constructor(options: SchemaOptions) {
    this.options = options;
  }

  /** The `$comment` member, where the language allows it. @param quiet - Editors do not propose it. */
  comment(quiet = true): JsonSchema {
    return this.options.comments ? { $comment: { ...says(COMMENT), ...(quiet ? { doNotSuggest: true } : {}) } } : {};
  }

  /** An object with exactly the members of a shape. */
  object(shape: Shape): JsonSchema {
    const members = Object.entries(shape);
    const required = members.filter(([, member]) => this.mustBeThere(member)).map(([name]) => name);
    return {
      type: 'object',
      properties: {
        ...Object.fromEntries(members.map(([name, member]) => [name, this.member(member)])),
        ...this.comment(false),
      },
      ...(required.length === 0 ? {} : { required }),
      additionalProperties: false,
      ...this.options.more?.(shape),
    };
  }

  private mustBeThere({ required, holds }: Member): boolean {
    return required !== undefined && !(this.options.fill === true && holds.is === 'hash' && holds.fill === true);
  }

  member(member: Member): JsonSchema | false {
    const { holds } = member;
    if (holds.is === 'later' && holds.empty !== true) return false;
    const schema = this.holds(holds);
    return { ...says(member.says), ...(this.options.nullable(member) ? orNull(schema) : schema) };
  }

  holds(holds: Holds): JsonSchema {
    switch (holds.is) {
      case 'name':
        return proposing(
          {
            type: 'string',
            pattern: NAME.source,
            patternErrorMessage: 'A name reads namespace/name@version, such as acme/order@1.',
          },
          holds.of === undefined ? undefined : this.options.names?.(holds.of),
        );
      case 'ident':
        return {
          type: 'string',
          pattern: IDENT.source,
          patternErrorMessage: 'Letter or "_" first, then letters, digits, "_", "." or "-"; at most 64 characters.',
        };
      case 'kind':
        return proposing(
          {
            type: 'string',
            pattern: KIND.source,
            patternErrorMessage: 'Lower-case letter first, then lower-case letters, digits, "_", "." or "-".',
          },
          this.options.kinds?.(holds.of),
        );
      case 'hash': {
        const placeholder = this.options.fill === true && holds.fill === true;
        return {
          type: placeholder ? ['string', 'null'] : 'string',
          pattern: placeholder ? `${PLACEHOLDER}|${HASH.source}` : HASH.source,
          patternErrorMessage: 'A hash is "sha256:" and 64 lower-case hex digits.',
        };
      }
      case 'text':
        return {
          type: 'string',
          ...(holds.notEmpty === true ? { minLength: 1 } : {}),
          ...(holds.pattern === undefined ? {} : { pattern: holds.pattern.source }),
        };
      case 'flag':
        return { type: 'boolean' };
      case 'integer': {
        const number = { type: 'integer', minimum: Number(holds.min), maximum: Number(holds.max) };
        return holds.plain === true ? number : { anyOf: [number, { type: 'string', pattern: '^[+-]?[0-9]{1,40}$' }] };
      }
      case 'exactly':
        return { enum: [holds.value] };
      case 'choice':
        return choice(Object.entries(holds.values));
      case 'list':
        return {
          type: 'array',
          ...(holds.max === undefined ? {} : { maxItems: holds.max }),
          items: this.holds(holds.items),
        };
      case 'map':
        return this.map(holds);
      case 'object':
        return this.object(holds.shape);
      case 'step':
      case 'secret':
      case 'expr':
      case 'slot':
      case 'type':
        return refTo(holds.is);
      case 'json':
        return {};
      case 'later':
        return {
          doNotSuggest: true,
          anyOf: [
            { type: 'array', maxItems: 0 },
            { type: 'object', propertyNames: { enum: ['$comment'] } },
          ],
        };
      default:
        return holds satisfies never;
    }
  }

  private map(holds: Holds & { readonly is: 'map' }): JsonSchema {
    const { name, ident, text } = { name: NAME.source, ident: IDENT.source, text: undefined };
    const keys = { name, ident, text }[holds.keys];
    return {
      type: 'object',
      properties: this.comment(),
      ...(keys === undefined
        ? {}
        : { propertyNames: { pattern: this.options.comments ? `^\\$comment$|${keys}` : keys } }),
      additionalProperties: this.holds(holds.values),
    };
  }
}

/** A definition of the same schema, behind `allOf`: draft-07 ignores what stands beside a bare `$ref`. */
export function refTo(definition: string): JsonSchema {
  return { allOf: [{ $ref: `#/definitions/${definition}` }] };
}

/** What else must hold of a value that fits a condition, and of one that does not. */
export function when(condition: JsonSchema, fits: JsonSchema, otherwise?: JsonSchema): JsonSchema {
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema, never awaited
  return { if: condition, then: fits, ...(otherwise === undefined ? {} : { else: otherwise }) };
}

/** A member has this value. */
export function has(member: string, value: string): JsonSchema {
  // Editors take conditions for descriptions too: what stands in one must not be proposed.
  return { properties: { [member]: { const: value, doNotSuggest: true } }, required: [member] };
}

/** A description for people: plain, and with its Markdown where it has some. */
export function says(markdown: string): JsonSchema {
  const plain = markdown.replaceAll('`', '');
  return plain === markdown ? { description: plain } : { description: plain, markdownDescription: markdown };
}

/** One of some texts, each with what it means. */
export function choice(values: readonly Proposal[]): JsonSchema {
  return {
    type: 'string',
    enum: values.map(([value]) => value),
    markdownEnumDescriptions: values.map(([, meaning]) => meaning),
  };
}

/**
 * The same schema, some of whose values editors propose. The open schema comes first: its message is the one shown.
 *
 * @param known - Name of the definition that lists them.
 */
function proposing(open: JsonSchema, known: string | undefined): JsonSchema {
  return known === undefined ? open : { anyOf: [open, { $ref: `#/definitions/${known}` }] };
}

/** The same schema, or null. */
export function orNull(schema: JsonSchema): JsonSchema {
  const { type, enum: values, anyOf, allOf } = schema;
  if (Array.isArray(anyOf)) return { ...schema, anyOf: [...anyOf, { type: 'null' }] };
  if (Array.isArray(allOf)) return { anyOf: [...allOf, { type: 'null' }] };
  if (type === undefined) return schema;
  const types = Array.isArray(type) ? type : [type];
  return {
    ...schema,
    type: types.includes('null') ? types : [...types, 'null'],
    ...(Array.isArray(values) ? { enum: [...values, null] } : {}),
  };
}
