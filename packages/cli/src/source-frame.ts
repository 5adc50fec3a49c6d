import { printable } from './output.ts';
import { charactersOf, characterWidth, textWidth } from './text-width.ts';

/** The source line of a finding, and below it a mark under the place. */
export interface SourceFrame {
  /** The line, or the part of it around the place, ready to print. */
  readonly line: string;
  /** Columns before the mark. */
  readonly indent: number;
  /** Columns of the mark, at least one. */
  readonly width: number;
}

/** Texts of the files that findings are in; where lines begin is found once per text. */
export class SourceLines {
  readonly #text: string;
  #starts: readonly number[] | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** Offset of a place; line and column from 1, the column in UTF-16 units, a byte order mark not counted. */
  offset(line: number, column: number): number {
    const start = this.#start(line);
    const mark = start === 0 && this.#text.startsWith('\ufeff') ? 1 : 0;
    return Math.min(start + mark + column - 1, this.#text.length);
  }

  /** A line without its end. */
  #lineAt(line: number): { readonly from: number; readonly to: number } {
    const from = this.#start(line);
    const next = this.#text.indexOf('\n', from);
    const to = next < 0 ? this.#text.length : next;
    return { from, to: this.#text[to - 1] === '\r' && to > from ? to - 1 : to };
  }

  /**
   * @param columnsMax - of the printed line.
   * @returns undefined when the text has no such line.
   */
  frame(line: number, column: number, columnsMax: number): SourceFrame | undefined {
    if (this.#start(line) > this.#text.length) return undefined;
    const { from, to } = this.#lineAt(line);
    const at = Math.min(this.offset(line, column), to);
    const end = Math.max(Math.min(tokenEnd(this.#text, at), to), at);
    // Only the neighbourhood is looked at: a minified file is one line of megabytes.
    const reach = 2 * columnsMax;
    const windowFrom = whole(this.#text, Math.max(from, at - reach));
    const windowTo = Math.min(to, at + reach);
    const cells: Cell[] = [];
    for (const character of charactersOf(this.#text.slice(windowFrom, windowTo))) {
      const text = shownCharacter(character.text);
      const plain = text === character.text;
      cells.push({
        text,
        width: plain ? characterWidth(text) : textWidth(text),
        at: windowFrom + character.at,
      });
    }
    const first = cells.findIndex((cell) => cell.at >= at);
    const before = first < 0 ? cells : cells.slice(0, first);
    const rest = first < 0 ? [] : cells.slice(first);
    // A third of the room goes to what stands before the place, more when what follows is short.
    const restColumns = Math.max(1, Math.min(sum(rest), Math.ceil((columnsMax * 2) / 3)));
    const cutLeft = windowFrom > from || sum(before) > columnsMax - restColumns;
    const shown = cutLeft ? fitting(before.reverse(), columnsMax - restColumns - 1).reverse() : before;
    const indent = sum(shown) + (cutLeft ? 1 : 0);
    const cutRight = windowTo < to || sum(rest) > columnsMax - indent;
    const tail = cutRight ? fitting(rest, columnsMax - indent - 1) : rest;
    const text = [...shown, ...tail].map((cell) => cell.text).join('');
    return {
      line: `${cutLeft ? '…' : ''}${text}${cutRight ? '…' : ''}`,
      indent,
      width: Math.max(1, sum(tail.filter((cell) => cell.at < end))),
    };
  }

  #start(line: number): number {
    this.#starts ??= lineStarts(this.#text);
    return this.#starts[line - 1] ?? Number.POSITIVE_INFINITY;
  }
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** One character of a line as it is printed. */
interface Cell {
  readonly text: string;
  readonly width: number;
  readonly at: number;
}

function sum(cells: readonly Cell[]): number {
  return cells.reduce((total, { width }) => total + width, 0);
}

/** The first cells that fit. */
function fitting(cells: readonly Cell[], columns: number): Cell[] {
  let used = 0;
  const end = cells.findIndex(({ width }) => {
    used += width;
    return used > columns;
  });
  return cells.slice(0, end < 0 ? cells.length : end);
}

/** Not in the middle of a surrogate pair. */
function whole(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff ? at + 1 : at;
}

/** Tabs take two columns wherever they stand, control characters are spelt out, a byte order mark is not shown. */
function shownCharacter(character: string): string {
  if (character === '\t') return '  ';
  if (character === '\ufeff') return '';
  return printable(character);
}

const WORD = /[A-Za-z0-9_.+$-]+/y;

/**
 * End of the JSON token at a place: of a string its closing quote, of a number or word its last character, of an object
 * or list its closing bracket. A place that begins no token is one character long, and so is what does not end.
 */
export function tokenEnd(text: string, at: number): number {
  const first = text[at];
  if (first === '"') return stringEnd(text, at) ?? at + 1;
  if (first === '{' || first === '[') return bracketEnd(text, at) ?? at + 1;
  WORD.lastIndex = at;
  const word = WORD.exec(text)?.[0];
  return at + Math.max(1, word?.length ?? 0);
}

function stringEnd(text: string, at: number): number | undefined {
  for (let end = at + 1; end < text.length; end += 1) {
    const c = text[end];
    if (c === '\\') end += 1;
    else if (c === '"') return end + 1;
    else if (c === '\n') return undefined;
  }
  return undefined;
}

/** Only on one line: what goes on over several is marked at its beginning. */
function bracketEnd(text: string, at: number): number | undefined {
  let depth = 0;
  for (let end = at; end < text.length; end += 1) {
    const c = text[end];
    if (c === '\n') return undefined;
    if (c === '"') {
      const closed = stringEnd(text, end);
      if (closed === undefined) return undefined;
      end = closed - 1;
    } else if (c === '{' || c === '[') depth += 1;
    else if (c === '}' || c === ']') {
      depth -= 1;
      if (depth === 0) return end + 1;
    }
  }
  return undefined;
}
