import type { Path } from '@worldline/canon';
import { type Diagnostic, type DiagnosticFields, type Edit, suggest, suggestHint } from './diagnostic.ts';
import {
  integerOf,
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  locateAll,
  memberNames,
  type Position,
  shorten,
} from './json.ts';
import { HASH, IDENT, KIND, NAME } from './name.ts';
import { type Held, type Holds, type Member, nullIsAbsent, type Shape } from './shape.ts';
import { jsonKind } from './value-failure.ts';

/** Reading node JSON member by member: the structural rules V-103 … V-107 (`definitions.md` §10). */

/** Where a node came from. */
export interface Origin {
  /** The node as written; a stored node is its canonical form. */
  readonly json: Json;
  /** Path of the node in its file: `[2]` for the third node of an array file. */
  readonly base: Path;
  readonly kind?: string | undefined;
  readonly name?: string | undefined;
  readonly file?:
    | { readonly path: string; readonly text: string; readonly index: number; readonly imported?: boolean | undefined }
    | undefined;
}

/** A finding before its position in the text is known. */
export interface Problem {
  readonly origin: Origin;
  readonly rule?: string | undefined;
  readonly code: string;
  readonly severity?: 'warning' | 'info' | undefined;
  /** Into the node; for the codes of `expressions.md` §13.6 into its canonical form. */
  readonly path: Path;
  /** The place in the node as written, where it differs from `path`: what an editor should show. */
  readonly at?: Path | undefined;
  /** Where it is known otherwise: in a text that is no JSON. */
  readonly position?: Position | undefined;
  /** Point at the member's key rather than its value. */
  readonly atKey?: boolean | undefined;
  readonly message: string;
  /** A function where finding one costs something: only what is shown is asked for. */
  readonly hint?: Hint;
  readonly fields?: DiagnosticFields | undefined;
  /** The known member that an unknown one was meant to be: it is not there, and still not missing. */
  readonly meant?: string | undefined;
  /** What would settle it, where that is certain and mechanical. */
  readonly edit?: Edit | undefined;
}

export type Hint = string | undefined | (() => string | undefined);

/** As `list.push(...items)`, for lists of any length: arguments are on the stack, and a file may hold a million nodes. */
export function addAll<T>(list: T[], items: Iterable<T>): void {
  for (const item of items) list.push(item);
}

/** Nobody reads more; what is left out is counted. */
const DIAGNOSTICS_MAX = 1000;

/** A name is compared with all others for a hint. Where so many names are wrong, more than names is. */
const LOOKED_UP_HINTS_MAX = 200;

/**
 * Findings in document order, each once, with file, line and column where the origin has a text. Findings of nodes
 * without a text keep the order in which they were found, and come first. Of more than a thousand, the first thousand and
 * `findings.truncated`, which says how many more there are.
 */
export function toDiagnostics(problems: readonly Problem[]): Diagnostic[] {
  const distinct = new Map<string, Problem>();
  for (const problem of problems) {
    const { origin } = problem;
    const key = JSON.stringify([
      problem.code,
      origin.file?.index ?? -1,
      origin.base,
      origin.kind ?? '',
      origin.name ?? '',
      problem.path,
      problem.message,
    ]);
    if (!distinct.has(key)) distinct.set(key, problem);
  }
  const placed = withPositions([...distinct.values()]);
  placed.sort((a, b) => a.file - b.file || a.offset - b.offset || a.order - b.order);
  let looked = 0;
  const diagnostics = placed.slice(0, DIAGNOSTICS_MAX).map(({ problem, position }) => {
    const { hint } = problem;
    if (typeof hint !== 'function') return toDiagnostic(problem, position, hint);
    looked += 1;
    return toDiagnostic(problem, position, looked > LOOKED_UP_HINTS_MAX ? undefined : hint());
  });
  if (placed.length > DIAGNOSTICS_MAX) diagnostics.push(truncated(placed.length));
  return diagnostics;
}

function toDiagnostic(problem: Problem, position: Position | undefined, hint: string | undefined): Diagnostic {
  const { origin } = problem;
  return {
    ...(problem.rule === undefined ? {} : { rule: problem.rule }),
    code: problem.code,
    severity: problem.severity ?? 'error',
    ...(origin.kind === undefined ? {} : { kind: origin.kind }),
    ...(origin.name === undefined ? {} : { name: origin.name }),
    path: problem.path,
    ...(origin.file === undefined ? {} : { file: origin.file.path }),
    ...(position ? { line: position.line, column: position.column } : {}),
    message: problem.message,
    ...(hint === undefined ? {} : { hint }),
    ...(problem.fields === undefined ? {} : { fields: problem.fields }),
    ...(problem.edit === undefined ? {} : { edit: { ...problem.edit, path: [...origin.base, ...problem.edit.path] } }),
  };
}

function truncated(total: number): Diagnostic {
  return {
    code: 'findings.truncated',
    severity: 'warning',
    path: [],
    message: `${total - DIAGNOSTICS_MAX} more findings are not shown`,
    hint: 'Correct some of these and check again.',
    fields: { shown: DIAGNOSTICS_MAX, total },
  };
}

interface PlacedProblem {
  readonly problem: Problem;
  readonly position: Position | undefined;
  readonly file: number;
  readonly offset: number;
  readonly order: number;
}

/** Each file is scanned once, whatever number of findings it has. */
function withPositions(problems: readonly Problem[]): PlacedProblem[] {
  const byFile = new Map<number, number[]>();
  for (const [order, { origin, position }] of problems.entries()) {
    if (origin.file === undefined || position !== undefined) continue;
    const list = byFile.get(origin.file.index);
    if (list === undefined) byFile.set(origin.file.index, [order]);
    else list.push(order);
  }
  const positions = problems.map(({ position }) => position);
  for (const orders of byFile.values()) {
    const places = orders.map((order) => {
      const { origin, path, at, atKey } = problems[order] as Problem;
      return { path: [...origin.base, ...(at ?? path)], key: atKey };
    });
    const { text } = (problems[orders[0] as number] as Problem).origin.file as { readonly text: string };
    for (const [index, position] of locateAll(text, places).entries()) positions[orders[index] as number] = position;
  }
  return problems.map((problem, order) => ({
    problem,
    position: positions[order],
    file: problem.origin.file?.index ?? -1,
    offset: positions[order]?.offset ?? 0,
    order,
  }));
}

/** The member, with JSON null taken as absent: for optional scalars and objects (`definitions.md` §1). */
export function optional(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? (object[key] ?? undefined) : undefined;
}

/** The member as it is, null included: for required members, lists, maps and slots. */
export function given(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

export type Report = Omit<Problem, 'origin'>;

/**
 * Reads one node and collects what is wrong with it. Every method takes an absent value (`undefined`) silently, since
 * `object` already reported a missing required member, and returns undefined for a value that it reported.
 */
export class NodeReader {
  readonly origin: Origin;
  readonly problems: Problem[] = [];

  constructor(origin: Origin) {
    this.origin = origin;
  }

  report(problem: Report): undefined {
    this.problems.push({ origin: this.origin, ...problem });
    return undefined;
  }

  badField(path: Path, expected: string, got: Json | undefined, hint?: string): undefined {
    const field = String(path.at(-1) ?? '');
    const usual = got === undefined ? `Add "${shorten(field)}": ${expected}.` : `Write ${expected} here.`;
    const kind = got === undefined ? 'nothing' : jsonKind(got);
    return this.report({
      rule: 'V-103',
      code: 'node.bad_field',
      path,
      message:
        got === undefined
          ? `"${shorten(field)}" is missing: expected ${expected}`
          : `expected ${expected}, got ${kind}`,
      hint: hint ?? usual,
      fields: { field, expected, got: kind },
    });
  }

  /**
   * An object with exactly the given members, where no shape describes it.
   *
   * @param members - Required ones map to a description of what is expected, optional ones to `null`.
   */
  object(json: Json | undefined, path: Path, members: Readonly<Record<string, string | null>>): JsonObject | undefined {
    if (json === undefined) return undefined;
    if (!isJsonObject(json)) return this.badField(path, 'an object', json);
    const meant = new Set<string>();
    for (const field of memberNames(json)) {
      if (!Object.hasOwn(members, field)) this.unknownField(field, path, members, json, meant);
    }
    for (const [field, expected] of Object.entries(members)) {
      if (expected === null || Object.hasOwn(json, field) || meant.has(field)) continue;
      this.badField([...path, field], expected, undefined);
    }
    return json;
  }

  /**
   * An object with the members of a shape.
   *
   * @param filled - A required member that may be missing here, because what is missing will be filled in.
   */
  shape(json: Json | undefined, path: Path, shape: Shape, filled?: string): JsonObject | undefined {
    if (json === undefined) return undefined;
    if (!isJsonObject(json)) return this.badField(path, 'an object', json);
    const meant = new Set<string>();
    for (const field of memberNames(json)) {
      if (!Object.hasOwn(shape, field)) this.unknownField(field, path, shape, json, meant);
    }
    for (const field in shape) {
      const { required } = shape[field] as Member;
      if (required === undefined || field === filled || Object.hasOwn(json, field) || meant.has(field)) continue;
      this.badField([...path, field], required, undefined);
    }
    return json;
  }

  /** One member of an object, read as its shape says. What is neither scalar nor a list or map of them comes as it is. */
  take<S extends Shape, M extends keyof S & string>(
    object: JsonObject,
    path: Path,
    shape: S,
    member: M,
  ): Held<S[M]['holds'], Json> | undefined {
    const described = shape[member] as Member;
    const json = nullIsAbsent(described) ? optional(object, member) : given(object, member);
    return json === undefined
      ? undefined
      : (this.held(json, [...path, member], described.holds) as Held<S[M]['holds'], Json> | undefined);
  }

  private held(json: Json, path: Path, holds: Holds): unknown {
    switch (holds.is) {
      case 'name':
        return this.name(json, path);
      case 'ident':
        return this.ident(json, path, IDENT);
      case 'kind':
        return this.ident(json, path, KIND);
      case 'hash':
        return this.hash(json, path);
      case 'text':
        return this.text(json, path);
      case 'integer':
        return this.integer(json, path, holds);
      case 'choice':
        return this.oneOf(json, path, Object.keys(holds.values));
      case 'list':
        return this.each(json, path, (item, at) => this.held(item, at, holds.items));
      case 'map':
        return this.entries(json, path)?.flatMap(([key, value]) => {
          const at = [...path, key];
          if (holds.keys === 'name') this.name(key, at);
          else if (holds.keys === 'ident' && !IDENT.test(key)) this.badIdent(key, at, IDENT);
          const read = this.held(value, at, holds.values);
          return read === undefined ? [] : [[key, read] as const];
        });
      default:
        return json;
    }
  }

  /** @param meant - Members that are not there because they are misspelt; the one that `field` stands for is added. */
  private unknownField(
    field: string,
    path: Path,
    members: Readonly<Record<string, unknown>>,
    json: JsonObject,
    meant: Set<string>,
  ): void {
    const known = Object.keys(members);
    const near = suggest(
      field,
      known.filter((member) => !Object.hasOwn(json, member) && !meant.has(member)),
    );
    if (near !== undefined) meant.add(near);
    this.report({
      rule: 'V-104',
      code: 'node.unknown_field',
      path: [...path, field],
      atKey: true,
      message: `unknown member "${shorten(field)}"`,
      hint: near === undefined ? (suggestHint(field, known) ?? knownMembers(members)) : `Did you mean "${near}"?`,
      fields: { field: shorten(field) },
      meant: near,
    });
  }

  list(json: Json | undefined, path: Path): readonly Json[] | undefined {
    if (json === undefined) return undefined;
    return isJsonArray(json) ? json : this.badField(path, 'a list', json);
  }

  /** Members of a JSON map, `$comment` left out. */
  entries(json: Json | undefined, path: Path): readonly (readonly [string, Json])[] | undefined {
    if (json === undefined) return undefined;
    if (!isJsonObject(json)) return this.badField(path, 'an object', json);
    return memberNames(json).map((key) => [key, json[key] as Json]);
  }

  text(json: Json | undefined, path: Path): string | undefined {
    if (json === undefined) return undefined;
    return typeof json === 'string' ? json : this.badField(path, 'a text', json);
  }

  oneOf<T extends string>(json: Json | undefined, path: Path, values: readonly T[]): T | undefined {
    if (json === undefined) return undefined;
    const value = values.find((candidate) => candidate === json);
    if (value !== undefined) return value;
    const expected = values.map((candidate) => `"${candidate}"`).join(' or ');
    if (typeof json !== 'string') return this.badField(path, expected, json);
    return this.report({
      rule: 'V-103',
      code: 'node.bad_field',
      path,
      message: `expected ${expected}, got "${shorten(json)}"`,
      hint: suggestHint(json, values) ?? `Write ${expected} here.`,
      fields: { field: String(path.at(-1)), expected, got: shorten(json) },
    });
  }

  /** V-105. */
  name(json: Json | undefined, path: Path): string | undefined {
    const found = this.text(json, path);
    if (found === undefined || NAME.test(found)) return found;
    return this.report({
      rule: 'V-105',
      code: 'name.invalid',
      path,
      message: `"${shorten(found)}" is not a name`,
      hint: 'Names read namespace/name@version: lower-case namespace, version from 1 without leading zero.',
      fields: { found: shorten(found) },
    });
  }

  /** V-106. */
  ident(json: Json | undefined, path: Path, pattern: RegExp): string | undefined {
    const found = this.text(json, path);
    if (found === undefined || pattern.test(found)) return found;
    return this.badIdent(found, path, pattern);
  }

  badIdent(found: string, path: Path, pattern: RegExp): undefined {
    const field = String(path.at(-1) ?? '');
    return this.report({
      rule: 'V-106',
      code: 'ident.invalid',
      path,
      message: `"${shorten(found)}" is not an identifier`,
      hint:
        pattern === KIND
          ? 'Lower-case letter first, then lower-case letters, digits, "_", "." or "-".'
          : 'Letter or "_" first, then letters, digits, "_", "." or "-"; at most 64 characters.',
      fields: { field: shorten(field), found: shorten(found) },
    });
  }

  /** V-107. */
  hash(json: Json | undefined, path: Path): string | undefined {
    const found = this.text(json, path);
    if (found === undefined || HASH.test(found)) return found;
    return this.report({
      rule: 'V-107',
      code: 'hash.invalid',
      path,
      message: `"${shorten(found)}" is not a hash`,
      hint: 'A hash is "sha256:" and 64 lower-case hex digits.',
      fields: { found: shorten(found) },
    });
  }

  /** An integer in range; a decimal text counts, since large integers are printed so (`values.md` §3.4). */
  integer(json: Json | undefined, path: Path, range: { min: bigint; max: bigint }): bigint | undefined {
    if (json === undefined) return undefined;
    const value =
      typeof json === 'string' && /^[+-]?[0-9]{1,40}$/.test(json) ? BigInt(json.replace(/^\+/, '')) : integerOf(json);
    const expected = `an integer from ${range.min} to ${range.max}`;
    if (value === undefined) return this.badField(path, expected, json);
    if (value >= range.min && value <= range.max) return value;
    return this.report({
      rule: 'V-103',
      code: 'node.bad_field',
      path,
      message: `expected ${expected}, got ${value}`,
      hint: value < range.min ? `The least is ${range.min}.` : `The most is ${range.max}.`,
      fields: { field: String(path.at(-1)), expected, got: String(value) },
    });
  }

  /** A list whose items are all read by `read`; items that were reported are left out. */
  each<T>(json: Json | undefined, path: Path, read: (item: Json, path: Path) => T | undefined): T[] | undefined {
    return this.list(json, path)?.flatMap((item, index) => {
      const value = read(item, [...path, index]);
      return value === undefined ? [] : [value];
    });
  }
}

function knownMembers(members: Readonly<Record<string, unknown>>): string {
  return `Known members: ${Object.keys(members).join(', ')}.`;
}

/**
 * The places of a node that were reported while it was read. What stands there is not known, so nothing that would follow
 * from it is a finding of its own.
 */
export class Unread {
  readonly #places = new Set<string>();

  constructor(problems: readonly Pick<Report, 'path' | 'meant'>[]) {
    for (const { path, meant } of problems) {
      this.#add(path);
      if (meant !== undefined) this.#add([...path.slice(0, -1), meant]);
    }
  }

  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  /** Was something reported at this place or below it? */
  has(...path: Path): boolean {
    return this.#places.has(JSON.stringify(path));
  }

  #add(path: Path): void {
    for (let length = 0; length <= path.length; length += 1) this.#places.add(JSON.stringify(path.slice(0, length)));
  }
}

export interface ParseOptions {
  /** Hashes may be left out or be placeholders (`definitions.md` §8.3): authored files only. */
  readonly authored: boolean;
  /** Take a node without `$kind` for a manifest: stored manifests. */
  readonly manifest?: boolean;
}

/** Is this what authors leave where a hash will be filled in (`definitions.md` §8.3)? */
export function isPlaceholder(json: Json | undefined): boolean {
  return json === undefined || json === null || (typeof json === 'string' && /^(|sha256|sha256:)$/i.test(json.trim()));
}
