import type { Path } from '@worldline/canon';
import { type Diagnostic, type DiagnosticFields, suggestHint } from './diagnostic.ts';
import {
  integerOf,
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  locate,
  memberNames,
  type Position,
  shorten,
} from './json.ts';
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
  readonly file?: { readonly path: string; readonly text: string; readonly index: number } | undefined;
}

/** A finding before its position in the text is known. */
export interface Problem {
  readonly origin: Origin;
  readonly rule?: string | undefined;
  readonly code: string;
  readonly severity?: 'warning' | undefined;
  readonly path: Path;
  /** Point at the member's key rather than its value. */
  readonly atKey?: boolean | undefined;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly fields?: DiagnosticFields | undefined;
}

/** Each position is found by scanning its text, so a file of nothing but mistakes must not have one scan per mistake. */
const DIAGNOSTICS_MAX = 1000;

/**
 * Findings in document order, each once, with file, line and column where the origin has a text. Findings of nodes
 * without a text keep the order in which they were found. Of more than a thousand, the first thousand.
 */
export function toDiagnostics(problems: readonly Problem[]): Diagnostic[] {
  const seen = new Set<string>();
  const positionOf = positions();
  const placed: { diagnostic: Diagnostic; file: number; offset: number; order: number }[] = [];
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
    if (seen.has(key)) continue;
    if (seen.size >= DIAGNOSTICS_MAX) break;
    seen.add(key);
    const position = positionOf(problem);
    placed.push({
      diagnostic: {
        ...(problem.rule === undefined ? {} : { rule: problem.rule }),
        code: problem.code,
        severity: problem.severity ?? 'error',
        ...(origin.kind === undefined ? {} : { kind: origin.kind }),
        ...(origin.name === undefined ? {} : { name: origin.name }),
        path: problem.path,
        ...(origin.file === undefined ? {} : { file: origin.file.path }),
        ...(position ? { line: position.line, column: position.column } : {}),
        message: problem.message,
        ...(problem.hint === undefined ? {} : { hint: problem.hint }),
        ...(problem.fields === undefined ? {} : { fields: problem.fields }),
      },
      file: origin.file?.index ?? -1,
      offset: position?.offset ?? 0,
      order: placed.length,
    });
  }
  placed.sort((a, b) => a.file - b.file || a.offset - b.offset || a.order - b.order);
  return placed.map(({ diagnostic }) => diagnostic);
}

/** Finds positions, scanning each file once per node instead of once per finding. */
function positions(): (problem: Problem) => Position | undefined {
  const starts = new Map<string, Position | undefined>();
  return ({ origin: { file, base }, path, atKey }) => {
    if (file === undefined) return undefined;
    const key = JSON.stringify([file.index, base]);
    if (!starts.has(key)) starts.set(key, locate(file.text, base));
    const start = starts.get(key);
    const inner = start && locate(file.text.slice(start.offset), path, { key: atKey ?? false });
    if (start === undefined || inner === undefined) return start;
    return {
      line: start.line + inner.line - 1,
      column: inner.line === 1 ? start.column + inner.column - 1 : inner.column,
      offset: start.offset + inner.offset,
    };
  };
}

/** Patterns of `values.md` §1. */
export const NAME = /^[a-z][a-z0-9._-]*\/[A-Za-z_][A-Za-z0-9._-]*@[1-9][0-9]*$/;
export const HASH = /^sha256:[0-9a-f]{64}$/;
/** EffectKind, CapType. */
export const KIND = /^[a-z][a-z0-9_.-]*$/;
/** StepId, VarName, CapGrantName, cap slot. */
export const IDENT = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;

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
    const kind = got === undefined ? 'nothing' : jsonKind(got);
    return this.report({
      rule: 'V-103',
      code: 'node.bad_field',
      path,
      message:
        got === undefined
          ? `"${shorten(field)}" is missing: expected ${expected}`
          : `expected ${expected}, got ${kind}`,
      hint,
      fields: { field, expected, got: kind },
    });
  }

  /**
   * An object with exactly the given members.
   *
   * @param members - Required ones map to a description of what is expected, optional ones to `null`.
   */
  object(json: Json | undefined, path: Path, members: Readonly<Record<string, string | null>>): JsonObject | undefined {
    if (json === undefined) return undefined;
    if (!isJsonObject(json)) return this.badField(path, 'an object', json);
    for (const field of memberNames(json)) {
      if (Object.hasOwn(members, field)) continue;
      this.report({
        rule: 'V-104',
        code: 'node.unknown_field',
        path: [...path, field],
        atKey: true,
        message: `unknown member "${shorten(field)}"`,
        hint: suggestHint(field, Object.keys(members)) ?? knownMembers(members),
        fields: { field: shorten(field) },
      });
    }
    for (const [field, expected] of Object.entries(members)) {
      if (expected !== null && !Object.hasOwn(json, field)) this.badField([...path, field], expected, undefined);
    }
    return json;
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
      hint: suggestHint(json, values),
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
