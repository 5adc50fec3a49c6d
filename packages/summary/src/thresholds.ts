import { integerOf, isJsonObject, type Json } from '@worldline/air';
import { type Failure, fail, ok, type Path, type Result } from '@worldline/canon';
import { type SummaryJson, summaryToJson } from './json.ts';
import type { Summary } from './summary.ts';

/**
 * Thresholds that a summary must keep (`summaries.md` §9): `{"totals.runs.live": {"max": 0}, …}`.
 *
 * H1 A path that matches nothing fails: a misspelt one would hold for ever.
 * H2 `errors`, `ingress_rejected` and `reducer_faults` list only what occurred. A name that they do not list counts 0,
 *    and `*` over an empty one holds, unless a `min` asks for something.
 */
export interface Threshold {
  /** As it was written. */
  readonly path: string;
  readonly parts: readonly PathPart[];
  readonly max?: bigint | undefined;
  readonly min?: bigint | undefined;
  /** `max` of single members that the last `*` of the path matches. */
  readonly except: ReadonlyMap<string, bigint>;
}

/** `select` is what stands in brackets: the name of a plan of `plans`, or a member whatever signs are in its name. */
type PathPart = { readonly kind: 'member' | 'select'; readonly name: string } | { readonly kind: 'any' };

interface Match {
  /** From the root of the summary, as the path of a threshold would be written. */
  readonly at: string;
  readonly value: SummaryJson;
  /** What the last `*` stands for. */
  readonly star?: string | undefined;
}

/** Members that hold a number for each name that occurred. */
const COUNTS_BY_NAME: ReadonlySet<string> = new Set(['errors', 'ingress_rejected', 'reducer_faults']);

/** @returns the thresholds in their order, or every fault of the document with its path. */
export function readThresholds(document: Json): Result<readonly Threshold[], readonly Failure[]> {
  const faults: Failure[] = [];
  const fault = (path: Path, message: string, hint?: string): undefined => {
    faults.push({ code: 'thresholds.invalid', path, message, ...(hint === undefined ? {} : { hint }) });
  };
  const bound = (value: Json, path: Path): bigint | undefined => {
    // As in a summary, where integers above 2⁵³−1 are decimal texts (§6).
    const integer = typeof value === 'string' && /^[0-9]{1,30}$/.test(value) ? BigInt(value) : integerOf(value);
    return integer === undefined || integer < 0n ? fault(path, 'a bound is a whole number from 0') : integer;
  };
  if (!isJsonObject(document)) {
    fault([], 'thresholds are an object: a path of the summary, and its bounds', EXAMPLE);
    return fail(faults);
  }
  const read: Threshold[] = [];
  for (const [path, rule] of Object.entries(document)) {
    const parts = partsOf(path);
    if (parts === undefined) {
      fault(
        [path],
        'this is no path',
        'Write members with dots between them, * for any one member, plans[<Name>] for a plan.',
      );
      continue;
    }
    if (!isJsonObject(rule)) {
      fault([path], 'bounds are an object with max, min and except', EXAMPLE);
      continue;
    }
    for (const member of Object.keys(rule)) {
      if (!['max', 'min', 'except'].includes(member)) fault([path, member], 'bounds are max, min and except');
    }
    const { max, min, except } = rule;
    if (max === undefined && min === undefined) fault([path], 'there is neither a max nor a min', EXAMPLE);
    const exceptions = new Map<string, bigint>();
    if (except !== undefined) {
      if (!isJsonObject(except)) fault([path, 'except'], 'except is an object: a name, and its max');
      else if (max === undefined)
        fault([path, 'except'], 'except gives single members another max, and there is no max');
      else if (!parts.some(({ kind }) => kind === 'any')) fault([path, 'except'], 'except needs a * in the path');
      else {
        for (const [name, value] of Object.entries(except)) {
          exceptions.set(name, bound(value, [path, 'except', name]) ?? 0n);
        }
      }
    }
    read.push({
      path,
      parts,
      max: max === undefined ? undefined : bound(max, [path, 'max']),
      min: min === undefined ? undefined : bound(min, [path, 'min']),
      except: exceptions,
    });
  }
  return faults.length > 0 ? fail(faults) : ok(read);
}

const EXAMPLE = 'For example {"totals.errors.*": {"max": 0, "except": {"policy_denied": 1}}}.';

/** @returns undefined when it is no path. */
function partsOf(path: string): readonly PathPart[] | undefined {
  const parts: PathPart[] = [];
  const token = /(\[[^\]]+\])|(\.?)([^.[\]]+)/y;
  while (token.lastIndex < path.length) {
    const at = token.lastIndex;
    const found = token.exec(path);
    if (found === null) return undefined;
    const [, select, dot, member = ''] = found;
    if (select !== undefined) {
      if (at === 0) return undefined;
      parts.push({ kind: 'select', name: select.slice(1, -1) });
    } else {
      // Exactly the first part has no dot before it.
      if ((at === 0) !== (dot === '')) return undefined;
      parts.push(member === '*' ? { kind: 'any' } : { kind: 'member', name: member });
    }
  }
  return parts.length === 0 ? undefined : parts;
}

/** @returns One failure with code `summary.threshold` per violation, in the order of the thresholds; none when all hold. */
export function checkThresholds(summary: Summary, thresholds: readonly Threshold[]): readonly Failure[] {
  const json = summaryToJson(summary);
  return thresholds.flatMap((threshold) => violations(json, threshold));
}

function violations(summary: SummaryJson, { path, parts, max, min, except }: Threshold): readonly Failure[] {
  const violation = (at: string, message: string, hint?: string): Failure => ({
    code: 'summary.threshold',
    path: [path],
    message: `${at} ${message}`,
    ...(hint === undefined ? {} : { hint }),
  });
  const matches = matchesOf({ at: '', value: summary }, parts);
  if (matches === undefined)
    return [violation(path, 'matches nothing in the summary', 'Its members are those of trace-summary --json.')];
  if (matches.length === 0)
    return min === undefined || min === 0n ? [] : [violation(path, `is empty, at least ${min} must be there`)];
  return matches.flatMap(({ at, value, star }) => {
    const number = numberOf(value);
    if (number === undefined) return [violation(at, 'is no number', 'Name a member below it.')];
    const most = (star === undefined ? undefined : except.get(star)) ?? max;
    return [
      ...(most !== undefined && number > most ? [violation(at, `is ${number}, at most ${most} is allowed`)] : []),
      ...(min !== undefined && number < min ? [violation(at, `is ${number}, at least ${min} is asked for`)] : []),
    ];
  });
}

/** @returns undefined when the path matches nothing; an empty list when `*` stands over something that is empty (H2). */
function matchesOf(from: Match, parts: readonly PathPart[], name?: string): readonly Match[] | undefined {
  const [part, ...rest] = parts;
  if (part === undefined) return [from];
  const members = membersOf(from.value);
  if (members === undefined) return undefined;
  if (part.kind === 'any') {
    const found = [...members].map(([key, value]) =>
      matchesOf({ at: below(from.at, key), value, star: key }, rest, key),
    );
    const matched = found.filter((one) => one !== undefined);
    return found.length > 0 && matched.length === 0 ? undefined : matched.flat();
  }
  // A name may have dots, like that of an effect kind: so many parts as it takes.
  for (let taken = 1; taken <= parts.length; taken++) {
    const key = part.kind === 'select' ? part.name : joined(parts.slice(0, taken));
    if (key === undefined || (part.kind === 'select' && taken > 1)) break;
    const value = members.get(key);
    const found =
      value === undefined ? undefined : matchesOf({ ...from, at: below(from.at, key), value }, parts.slice(taken), key);
    if (found !== undefined) return found;
  }
  const key = part.kind === 'select' && rest.length === 0 ? part.name : joined(parts);
  const isCount = name !== undefined && COUNTS_BY_NAME.has(name) && key !== undefined && !members.has(key);
  return isCount ? [{ ...from, at: below(from.at, key), value: 0 }] : undefined;
}

function joined(parts: readonly PathPart[]): string | undefined {
  const names = parts.map((part) => (part.kind === 'member' ? part.name : undefined));
  return names.includes(undefined) ? undefined : names.join('.');
}

function below(at: string, key: string): string {
  if (at === '') return key;
  return /^\w+$/.test(key) ? `${at}.${key}` : `${at}[${key}]`;
}

/** Of an object its members; of a list its rows by the plan they are about. */
function membersOf(value: SummaryJson): ReadonlyMap<string, SummaryJson> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!isList(value)) return new Map(Object.entries(value));
  return new Map(
    value.map((row, index) => {
      const plan = typeof row === 'object' && row !== null && !isList(row) ? row['plan_name'] : undefined;
      return [typeof plan === 'string' ? plan : String(index), row];
    }),
  );
}

function isList(value: SummaryJson): value is readonly SummaryJson[] {
  return Array.isArray(value);
}

/** Integers above 2⁵³−1 are decimal texts (§6). */
function numberOf(value: SummaryJson): bigint | undefined {
  if (typeof value === 'number') return BigInt(value);
  return typeof value === 'string' && /^-?[0-9]+$/.test(value) ? BigInt(value) : undefined;
}
