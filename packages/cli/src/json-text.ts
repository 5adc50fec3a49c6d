/** Where values begin and end in a JSON text that is known to be one. */

export interface Range {
  readonly start: number;
  /** Behind its last character. */
  readonly end: number;
}

const STRING = /"(?:[^"\\]|\\.)*"/y;
const PLAIN = /[^\s,\]}]+/y;
const SPACE = /\s*/y;

/** @param start - of a value. */
export function valueAt(text: string, start: number): Range {
  let depth = 0;
  let at = start;
  do {
    const char = text[at];
    if (char === '"') at = ended(STRING, text, at);
    else if (char === '{' || char === '[') [depth, at] = [depth + 1, at + 1];
    else if (char === '}' || char === ']') [depth, at] = [depth - 1, at + 1];
    else if (depth === 0) at = ended(PLAIN, text, at);
    else at += 1;
  } while (depth > 0 && at < text.length);
  return { start, end: at };
}

/** The items of a list. @param start - of the list. */
export function itemsOf(text: string, start: number): readonly Range[] {
  const items: Range[] = [];
  for (let at = ended(SPACE, text, start + 1); at < text.length && text[at] !== ']'; ) {
    const item = valueAt(text, at);
    items.push(item);
    at = ended(SPACE, text, item.end);
    if (text[at] === ',') at = ended(SPACE, text, at + 1);
  }
  return items;
}

function ended(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  // A text that is none after all: further on, so that nobody waits for its end.
  return match === null ? at + 1 : at + match[0].length;
}
