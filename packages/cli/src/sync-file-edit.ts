import { type JsonObject, locate, printJson } from '@worldline/air';

/**
 * Changes of `worldline.json` as its author would make them by hand: every other character stays.
 *
 * The text was read before: it is strict JSON of the right shape.
 */

export interface Lock {
  /** Of the entry in `air.imports`. */
  readonly index: number;
  readonly lock: string | JsonObject;
}

/** The text with these locks in place of the ones it has, or behind the other members of their entries. */
export function withLocks(text: string, locks: readonly Lock[]): string {
  let edited = text;
  // From the end, so that what was located stays where it is.
  for (const { index, lock } of [...locks].sort((a, b) => b.index - a.index)) {
    const entry = ['air', 'imports', index];
    const start = locate(edited, entry)!.offset;
    // Of a member that is not there, the place of its object is told.
    const old = locate(edited, [...entry, 'lock'])!.offset;
    const value = printJson(lock);
    if (old !== start) {
      edited = edited.slice(0, old) + value + edited.slice(endOf(edited, old));
      continue;
    }
    // Behind the last member, before the space that leads to the brace.
    const brace = endOf(edited, start) - 1;
    const last = edited.slice(0, brace).trimEnd().length;
    const inside = edited.slice(start + 1, last);
    const indent = /^\s*/.exec(inside)![0];
    const space = indent.includes('\n') ? indent : ' ';
    edited = `${edited.slice(0, last)},${space}"lock": ${value}${edited.slice(last)}`;
  }
  return edited;
}

/** Offset behind the JSON value that starts at `start`. */
function endOf(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const unit = text[at]!;
    if (unit === '"') {
      at += 1;
      while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
      if (depth === 0) return at + 1;
    } else if (unit === '{' || unit === '[') {
      depth += 1;
    } else if (unit === '}' || unit === ']') {
      depth -= 1;
      if (depth === 0) return at + 1;
      // The end of the object around a number, true, false or null.
      if (depth < 0) return at;
    } else if (depth === 0 && /[\s,]/.test(unit)) {
      return at;
    }
  }
  return text.length;
}
