import { hashText } from '@worldline/canon';
import { type Data, printable, toJson } from './output.ts';

/** Enough of a hash to recognise and to type; commands accept it where it is unambiguous. */
export function shortHash(hash: Uint8Array): string {
  return hashText(hash).slice(0, 7 + 12);
}

/** JSON on one line, cut where a terminal line would be full of it. */
export function brief(json: Data, max = 120): string {
  const text = printable(toJson(json, false));
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
