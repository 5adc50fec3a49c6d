import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type AddedMember, type Edit, locate, type SourceFile } from '@worldline/air';
import type { Path } from '@worldline/canon';
import { stop } from './failure.ts';
import type { Finding } from './finding.ts';
import { itemsOf, type Range, valueAt } from './json-text.ts';

/**
 * `worldline check --fix`: what is certain and mechanical, written into the text where it belongs.
 *
 * FX1 A text is changed where it must be, and nothing else in it: what an author has laid out stays as it is.
 * FX2 Nothing is written unless everything can be, and what comes out is valid.
 */

export interface Fixed {
  readonly finding: Finding;
  readonly file: string;
  /** What comes into the text; absent where something only goes. */
  readonly inserted?: string;
  /** What goes from it. */
  readonly removed?: string;
}

/**
 * The texts with the edits of these findings in them. Findings without one are passed over, and so is the later of two that
 * touch the same place: it is found again.
 */
export function fixTexts(
  files: readonly SourceFile[],
  findings: readonly Finding[],
): { readonly files: readonly SourceFile[]; readonly fixed: readonly Fixed[] } {
  const fixed: Fixed[] = [];
  const changed = files.map((file) => {
    const changes = findings
      .flatMap((finding) => {
        if (finding.edit === undefined || finding.file !== file.path) return [];
        const change = changeOf(file.text, finding.edit);
        return change === undefined ? [] : [{ finding, ...change }];
      })
      .sort((a, b) => a.start - b.start);
    let text = '';
    let from = 0;
    const seen = new Set<string>();
    for (const { finding, start, end, inserted, says } of changes) {
      const what = `${start} ${finding.edit?.kind === 'add' ? finding.edit.member : inserted}`;
      if (start < from || seen.has(what)) continue;
      seen.add(what);
      text += file.text.slice(from, start) + inserted;
      from = end;
      fixed.push({ finding, file: file.path, ...says });
    }
    return from === 0 && text === '' ? file : { ...file, text: text + file.text.slice(from) };
  });
  return { files: changed, fixed };
}

/** What takes the place of a range, and what is said about it. */
interface Change extends Range {
  readonly inserted: string;
  readonly says: Pick<Fixed, 'inserted' | 'removed'>;
}

function changeOf(text: string, edit: Edit): Change | undefined {
  switch (edit.kind) {
    case 'add':
      return addition(text, edit);
    case 'append': {
      const list = locate(text, edit.path)?.offset;
      return list === undefined || text[list] !== '[' ? undefined : appendix(text, list, edit.text);
    }
    case 'remove':
      return removal(text, edit.path);
    case 'replace': {
      const place = placeOf(text, edit.path);
      return place && { ...place, inserted: edit.text, says: { inserted: edit.text } };
    }
    case 'wrap': {
      const place = placeOf(text, edit.path);
      if (place === undefined) return undefined;
      const { open, close } = edit;
      const inserted = open + text.slice(place.start, place.end) + close;
      return { ...place, inserted, says: { inserted: `${open}…${close}` } };
    }
    default:
      return edit satisfies never;
  }
}

function placeOf(text: string, path: Path): Range | undefined {
  const offset = locate(text, path)?.offset;
  return offset === undefined ? undefined : valueAt(text, offset);
}

/** In front of the key of the member that it goes before: on a line of its own if that key begins one. */
function addition(text: string, { path, member, text: value, before }: AddedMember): Change | undefined {
  const [start, present] = [before, member].map((name) => {
    const offset = locate(text, [...path, name], { key: true })?.offset;
    // Without that member it is the object that is found.
    return offset === undefined || text[offset] !== '"' ? undefined : offset;
  });
  if (start === undefined || present !== undefined) return undefined;
  const added = `${JSON.stringify(member)}: ${value},`;
  return { start, end: start, inserted: added + (ownLine(text, start) ?? ' '), says: { inserted: added } };
}

/** Behind the last item: on a line of its own if that one begins one. */
function appendix(text: string, list: number, item: string): Change {
  const last = itemsOf(text, list).at(-1);
  const start = last?.end ?? list + 1;
  const inserted = last === undefined ? item : `,${ownLine(text, last.start) ?? ' '}${item}`;
  return { start, end: start, inserted, says: { inserted: item } };
}

/** With the comma and the space that part it from its neighbour. */
function removal(text: string, path: Path): Change | undefined {
  const index = path.at(-1);
  const list = locate(text, path.slice(0, -1))?.offset;
  if (list === undefined || text[list] !== '[' || typeof index !== 'number') return undefined;
  const items = itemsOf(text, list);
  const item = items[index];
  if (item === undefined) return undefined;
  const [before, after] = [items[index - 1], items[index + 1]];
  const start = after === undefined ? (before?.end ?? list + 1) : item.start;
  const end = after?.start ?? (before === undefined ? text.indexOf(']', item.end) : item.end);
  return { start, end, inserted: '', says: { removed: text.slice(item.start, item.end).replace(/\s+/g, ' ') } };
}

/** The line end and the indent of what begins its line; undefined for what does not. */
function ownLine(text: string, start: number): string | undefined {
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const indent = text.slice(lineStart, start);
  if (indent.trim() !== '' || lineStart === 0) return undefined;
  return (text.startsWith('\r', lineStart - 2) ? '\r\n' : '\n') + indent;
}

/**
 * @returns false, and writes nothing, when one of them is not what was read any more: somebody works on it.
 * @throws CommandError `host_error` for a file that cannot be written; those before it are.
 */
export function writeFixed(root: string, before: readonly SourceFile[], after: readonly SourceFile[]): boolean {
  const changed = after.filter((file, index) => file.text !== before[index]?.text);
  const read = new Map(before.map(({ path, text }) => [path, text]));
  if (changed.some(({ path }) => textNow(resolve(root, path)) !== read.get(path))) return false;
  for (const file of changed) {
    try {
      writeFileSync(resolve(root, file.path), file.text);
    } catch (error) {
      stop('host_error', `${file.path} cannot be written: ${(error as Error).message}`, {
        hint: 'let this user write it, and fix again',
      });
    }
  }
  return true;
}

function textNow(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
