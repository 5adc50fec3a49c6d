import { stop } from './failure.ts';

/**
 * Hex digits of an intent hash as people type it: whole or its beginning, with or without `sha256:`, as a table prints it.
 *
 * @param list - the command that shows them.
 * @throws CommandError `invalid_request`.
 */
export function intentDigits(text: string, list: string): string {
  const digits = text.replace(/^sha256:/, '').replace(/…$/, '');
  if (/^[0-9a-f]{4,64}$/.test(digits)) return digits;
  return stop('invalid_request', `"${text.slice(0, 80)}" is not an intent hash`, {
    hint: `it is "sha256:" and at least four hex digits in lower case; "${list}" shows them`,
  });
}

const CANDIDATES_MAX = 8;

/** @throws CommandError `invalid_request` that names what the beginning may mean. */
export function ambiguous(text: string, candidates: readonly string[]): never {
  const shown = candidates.slice(0, CANDIDATES_MAX);
  const more = candidates.length > shown.length ? `\n… and ${candidates.length - shown.length} more` : '';
  stop('invalid_request', `${candidates.length} intents begin with ${text}`, {
    hint: `give more digits of one of these:\n${shown.join('\n')}${more}`,
  });
}
