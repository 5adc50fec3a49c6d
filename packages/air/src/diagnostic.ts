import type { Failure } from '@worldline/canon';

/**
 * One finding about a node, a file or a manifest (`definitions.md` §10). `path` is a JSON pointer into the node as it was
 * written; `line` and `column` count from 1 and are there when the node came from a text file.
 */
export interface Diagnostic extends Failure {
  /** `V-512`, where `definitions.md` numbers the rule. */
  readonly rule?: string | undefined;
  readonly severity: 'error' | 'warning';
  /** `$kind` of the node. */
  readonly kind?: string | undefined;
  /** Name of the node; a manifest has none. */
  readonly name?: string | undefined;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  /** The fields that the rule names (`step`, `grant`, `expected`, `got`, …), for tools. */
  readonly fields?: Readonly<Record<string, string | number | readonly string[]>> | undefined;
}

export type DiagnosticFields = NonNullable<Diagnostic['fields']>;

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
    const limit = Math.max(1, Math.floor(Math.max(found.length, word.length) / 3));
    if (Math.abs(word.length - found.length) > limit) continue;
    const distance = editDistance(found, word);
    if (distance <= limit && distance < bestDistance) {
      best = word;
      bestDistance = distance;
    }
  }
  return best;
}

/** "Did you mean …?", or nothing when no known word is near. */
export function suggestHint(found: string, known: Iterable<string>): string | undefined {
  const word = suggest(found, known);
  return word === undefined ? undefined : `Did you mean "${word}"?`;
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment), in UTF-16 units. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforePrevious[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforePrevious = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}
