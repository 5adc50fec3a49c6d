import type { Failure, Path } from '@worldline/canon';

/**
 * One finding about a node, a file or a manifest (`definitions.md` §10). `path` is a JSON pointer into the node as it was
 * written; `line` and `column` count from 1 and are there when the node came from a text file.
 */
export interface Diagnostic extends Failure {
  /** `V-512`, where `definitions.md` numbers the rule. */
  readonly rule?: string | undefined;
  /** `info` is worth a look and refuses nothing. */
  readonly severity: 'error' | 'warning' | 'info';
  /** `$kind` of the node. */
  readonly kind?: string | undefined;
  /** Name of the node; a manifest has none. */
  readonly name?: string | undefined;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  /** The fields that the rule names (`step`, `grant`, `expected`, `got`, …), for tools. */
  readonly fields?: Readonly<Record<string, string | number | readonly string[]>> | undefined;
  /** What would settle it, where that is certain and mechanical. */
  readonly edit?: Edit | undefined;
}

export type Edit = AddedMember | ReplacedText | AppendedItem | RemovedItem | WrappedValue;

/** A member that is added to an object of a file, in front of one that is there. */
export interface AddedMember {
  readonly kind: 'add';
  /** The object, from the root of the file. */
  readonly path: Path;
  readonly member: string;
  /** The value, as JSON on one line. */
  readonly text: string;
  readonly before: string;
}

/** A value that takes the place of a JSON string. */
export interface ReplacedText {
  readonly kind: 'replace';
  /** The string, from the root of the file. */
  readonly path: Path;
  /** The value, as JSON on one line. */
  readonly text: string;
}

/** An item that is added behind the last one of a list. */
export interface AppendedItem {
  readonly kind: 'append';
  /** The list, from the root of the file. */
  readonly path: Path;
  /** The item, as JSON on one line. */
  readonly text: string;
}

/** An item that goes from its list. */
export interface RemovedItem {
  readonly kind: 'remove';
  /** The item, from the root of the file. */
  readonly path: Path;
}

/** A value that becomes part of another one. */
export interface WrappedValue {
  readonly kind: 'wrap';
  /** The value, from the root of the file. */
  readonly path: Path;
  /** JSON on one line, but for the value between the two. */
  readonly open: string;
  readonly close: string;
}

export type DiagnosticFields = NonNullable<Diagnostic['fields']>;

/** Names of a cycle, the first again at the end, as findings show them: of a long one the beginning and the end. */
export function shownCycle(names: readonly string[]): readonly string[] {
  return names.length <= CYCLE_SHOWN ? names : [...names.slice(0, CYCLE_SHOWN - 3), '…', ...names.slice(-2)];
}

const CYCLE_SHOWN = 16;

/**
 * The known word that `found` most likely meant.
 *
 * @returns The candidate with the least edit distance, if that is at most a third of the longer word; on equal distance
 *   the first in the given order.
 */
export function suggest(found: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  // Nobody mistypes a text of that length; the bound also keeps the cost of hostile input small.
  if (found.length > 200) return undefined;
  for (const word of known) {
    const third = Math.max(1, Math.floor(Math.max(found.length, word.length) / 3));
    const limit = Math.min(third, bestDistance - 1);
    if (limit < 0) return best;
    if (Math.abs(word.length - found.length) > limit) continue;
    const distance = editDistance(found, word, limit);
    if (distance > limit) continue;
    best = word;
    bestDistance = distance;
  }
  return best;
}

/** "Did you mean …?", or nothing when no known word is near. */
export function suggestHint(found: string, known: Iterable<string>): string | undefined {
  const word = suggest(found, known);
  return word === undefined ? undefined : `Did you mean "${word}"?`;
}

/**
 * Insertions, deletions, replacements and swaps of neighbours (optimal string alignment), in UTF-16 units.
 *
 * @param limit - What is farther apart need not be told exactly: then the result is more than `limit`.
 */
function editDistance(a: string, b: string, limit: number): number {
  // What both begin and end with costs nothing, and names of one world have much of it.
  let start = 0;
  let end = 0;
  const shorter = Math.min(a.length, b.length);
  while (start < shorter && a.charCodeAt(start) === b.charCodeAt(start)) start += 1;
  while (end < shorter - start && a.charCodeAt(a.length - 1 - end) === b.charCodeAt(b.length - 1 - end)) end += 1;
  const rows = a.length - start - end;
  const columns = b.length - start - end;
  if (rows === 0 || columns === 0) return Math.max(rows, columns);
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: columns + 1 }, (_, j) => j);
  for (let i = 1; i <= rows; i++) {
    const row = [i];
    let least = i;
    const unit = a.charCodeAt(start + i - 1);
    for (let j = 1; j <= columns; j++) {
      const other = b.charCodeAt(start + j - 1);
      let cost = Math.min(
        (previous[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (previous[j - 1] as number) + (unit === other ? 0 : 1),
      );
      const isSwap = i > 1 && j > 1 && unit === b.charCodeAt(start + j - 2) && a.charCodeAt(start + i - 2) === other;
      if (isSwap) cost = Math.min(cost, (beforePrevious[j - 2] as number) + 1);
      row.push(cost);
      if (cost < least) least = cost;
    }
    // A later row is at least as far, but for a swap, which spans two.
    if (least > limit + 1) return least;
    beforePrevious = previous;
    previous = row;
  }
  return previous[columns] as number;
}
