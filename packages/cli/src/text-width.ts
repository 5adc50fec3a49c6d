/** Columns that text takes on a terminal, so that a caret below it stands where it belongs. */

/** Characters of two columns: East Asian wide and full-width ones (UAX #11, `W` and `F`), and pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;

/** Characters of none: marks that sit on the one before, and format characters. */
const NOTHING = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

const ASCII = /^[\x20-\x7e]*$/;

let graphemes: Intl.Segmenter | undefined;

/** What a reader sees as one character, each with its place in the text in UTF-16 units. */
export function* charactersOf(text: string): Generator<{ readonly text: string; readonly at: number }> {
  // Made when first needed: it takes longer to make than a small folder to check.
  graphemes ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  for (const { segment, index } of graphemes.segment(text)) yield { text: segment, at: index };
}

/** Columns of one character of `charactersOf`. Terminals differ on the rarest ones; none is off by more than one. */
export function characterWidth(character: string): number {
  if (NOTHING.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Columns of a text without line breaks and tabs. */
export function textWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of charactersOf(text)) width += characterWidth(character.text);
  return width;
}
