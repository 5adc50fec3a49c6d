import { type Failure, type Path, pointer } from '@worldline/canon';
import { suggestHint } from './diagnostic.ts';
import { isJsonArray, isJsonObject, type Json, JsonFloat, memberNames, shorten } from './json.ts';
import type { Type, TypeScope } from './type.ts';
import { tryResolveType } from './type-resolve.ts';
import { usualHint } from './usual-hint.ts';

/** What is wrong with a value (`values.md` §9). `path` follows the structure of the value, not its spelling. */
export interface ValueFailure extends Failure {
  /** Name of the nearest enclosing named schema, else the label of the slot. */
  readonly schema?: string | undefined;
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
  /** Path in the JSON as written, tag wrappers included: where an editor should point. Absent for values read from CBOR. */
  readonly at?: Path | undefined;
  readonly field?: string | undefined;
  readonly tag?: string | undefined;
  /** The offending text, cut. */
  readonly text?: string | undefined;
  /** Byte offset of a decoding failure. */
  readonly offset?: number | undefined;
}

type Extra = Omit<ValueFailure, keyof Failure | 'schema' | 'at'> & { readonly hint?: string | undefined };

/** A hostile value could have a failure per byte. Beyond this many, the rest adds nothing for the reader. */
const FAILURES_MAX = 1000;

/** A suggestion compares with every known word, which hostile input must not buy a thousand times. */
const HINTS_MAX = 20;

/** Collects failures in document order, and knows where the reading stands. Paths are copied only when something is wrong. */
export class Problems {
  failures: ValueFailure[] = [];
  readonly path: (string | number)[] = [];
  /** Undefined when the source is not JSON. */
  readonly at: (string | number)[] | undefined;
  schema: string | undefined;

  constructor(options: { readonly label?: string | undefined; readonly json?: boolean } = {}) {
    this.schema = options.label;
    this.at = options.json === true ? [] : undefined;
  }

  report(code: string, problem: string, extra: Extra = {}): undefined {
    if (this.failures.length >= FAILURES_MAX) return undefined;
    const path = [...this.path];
    const hint = extra.hint ?? (this.at === undefined ? undefined : usualHint(code, extra));
    this.failures.push({
      code,
      ...(this.schema === undefined ? {} : { schema: this.schema }),
      path,
      ...(this.at === undefined ? {} : { at: [...this.at] }),
      ...extra,
      ...(hint === undefined ? {} : { hint }),
      message: path.length === 0 ? problem : `${shorten(pointer(path), 200)}: ${problem}`,
    });
    return undefined;
  }

  /** "Did you mean …?" for a word that is none of the known ones; only for the first failures, since nobody reads more. */
  near(word: string, known: Iterable<string>): { readonly hint?: string } {
    const hint = this.failures.length < HINTS_MAX ? suggestHint(word, known) : undefined;
    return hint === undefined ? {} : { hint };
  }

  mismatch(expected: string, got: string, hint?: string): undefined {
    return this.report('value.type_mismatch', `expected ${expected}, got ${got}`, {
      expected,
      got,
      ...(hint === undefined ? {} : { hint }),
    });
  }

  /** Report something about the text of a scalar. */
  text(code: string, problem: string, text: string, extra: Extra = {}): undefined {
    const short = shorten(text);
    return this.report(code, `${problem}: ${JSON.stringify(short)}`, { ...extra, text: short });
  }

  /** Run `step` one level down. Not for hot paths, which push and pop themselves. */
  inside<T>(part: string | number, step: () => T): T {
    this.path.push(part);
    const result = step();
    this.path.pop();
    return result;
  }

  /** As `inside`, where the spelling adds other parts than the structure. */
  insideJson<T>(parts: Path, at: Path, step: () => T): T {
    const depth = this.path.length;
    const depthAt = this.at?.length ?? 0;
    this.path.push(...parts);
    this.at?.push(...at);
    const result = step();
    this.path.length = depth;
    if (this.at) this.at.length = depthAt;
    return result;
  }
}

/** Name of what a JSON value looks like, in the words of types (`values.md` §9). */
export function jsonKind(json: Json): string {
  if (json === null) return 'null';
  if (typeof json === 'boolean') return 'bool';
  if (typeof json === 'string') return 'text';
  if (typeof json === 'number' || typeof json === 'bigint') return 'int';
  if (json instanceof JsonFloat) return 'dec128';
  if (isJsonArray(json)) return 'list';
  return isExpressionForm(json) ? 'expression' : 'record';
}

/** Does this object have the members of a reference or an operation (`values.md` §3.3, rule 1)? */
export function isExpressionForm(json: Json): boolean {
  if (!isJsonObject(json)) return false;
  if (Object.hasOwn(json, 'ref')) {
    const ref = json['ref'];
    return typeof ref === 'string' && ref.startsWith('@') && memberNames(json).length === 1;
  }
  return Object.hasOwn(json, 'op') && Object.hasOwn(json, 'args') && memberNames(json).length === 2;
}

/** Name of a type in messages: an option reads as what it may hold, a ref as its target. */
export function typeName(type: Type, scope: TypeScope): string {
  const target = tryResolveType(type, scope);
  if (target === undefined) return type.kind === 'ref' ? type.name : type.kind;
  return target.kind === 'option' ? typeName(target.item, scope) : target.kind;
}
