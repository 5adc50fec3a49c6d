import type { Context } from '../context.ts';
import { positionIn, shownText, slug } from '../diagnostics/document.ts';
import { type DiagnosticEntry, type Example, PART_NAMES } from '../diagnostics/entry.ts';
import { codesOfRule, DIAGNOSTIC_GROUPS, DIAGNOSTICS } from '../diagnostics/table.ts';
import { stop } from '../failure.ts';
import { LEVEL_COLOURS } from '../finding.ts';
import { type Data, printable } from '../output.ts';
import { didYouMean } from '../suggest.ts';
import { textWidth } from '../text-width.ts';

/**
 * `worldline check --explain`: what a code means, or the codes of a rule; without either, all codes by group. Needs no
 * world.
 *
 * @param query - `true` when none was given.
 * @throws CommandError `not_found` with the nearest code or rule.
 */
export function explain(ctx: Context, query: string | true): void {
  if (query === true) return list(ctx);
  const entries = find(query);
  ctx.out.answer(
    entries.flatMap((entry, index) => [...(index === 0 ? [] : ['', '']), ...describe(ctx, entry)]),
    { query, entries: entries.map(entryData) },
  );
}

function find(query: string): readonly DiagnosticEntry[] {
  const word = query.trim();
  const entry = DIAGNOSTICS.get(word) ?? DIAGNOSTICS.get(word.toLowerCase()) ?? DIAGNOSTICS.get(word.toUpperCase());
  if (entry !== undefined) return [entry];
  const number = /^v-?(\d{3})$/i.exec(word)?.[1];
  const rules = [...new Set([...DIAGNOSTICS.values()].flatMap((each) => each.rules))];
  const found = number === undefined ? [] : codesOfRule(`V-${number}`);
  if (found.length > 0) return found;
  return stop('not_found', `there is no code or rule "${printable(word)}"`, {
    hint: didYouMean(word, [...DIAGNOSTICS.keys(), ...rules]) ?? '"worldline check --explain" lists all codes',
  });
}

function list(ctx: Context): void {
  const width = Math.max(...[...DIAGNOSTICS.keys()].map((code) => code.length));
  const { out } = ctx;
  const human = DIAGNOSTIC_GROUPS.flatMap(({ title, entries }, index) => [
    ...(index === 0 ? [] : ['']),
    out.style('bold', title),
    ...entries.map(
      (entry) =>
        `  ${out.style(LEVEL_COLOURS[entry.severity], entry.code)}${' '.repeat(width - entry.code.length)}  ${entry.title}`,
    ),
  ]);
  ctx.out.answer(human, {
    groups: DIAGNOSTIC_GROUPS.map(({ title, entries }) => ({
      title,
      codes: entries.map(({ code, severity, rules, title: sentence }) => ({ code, severity, rules, title: sentence })),
    })),
  });
}

const COLUMNS = 100;

function describe(ctx: Context, entry: DiagnosticEntry): string[] {
  const { out } = ctx;
  const { code, severity, rules, title, meaning, wrong, right } = entry;
  const colour = LEVEL_COLOURS[severity];
  return [
    [out.style('bold', code), out.style(colour, severity), ...rules].join('  '),
    title,
    '',
    ...wrapped(meaning, Math.min(COLUMNS, out.columns ?? COLUMNS)),
    ...(wrong === undefined ? [] : ['', `wrong, ${PART_NAMES[wrong.part]}:`, ...indented(ctx, wrong, colour)]),
    ...(right === undefined ? [] : ['', `right, ${PART_NAMES[right.part]}:`, ...indented(ctx, right, colour)]),
    '',
    out.style('dim', `docs/diagnostics.md#${slug(code)}`),
  ];
}

/** The text, with a line of marks below the place. */
function indented(
  ctx: Context,
  example: Example,
  colour: (typeof LEVEL_COLOURS)[DiagnosticEntry['severity']],
): string[] {
  const { text, mark } = shownText(example);
  const at = mark === undefined ? undefined : positionIn(text, mark.at);
  return text.split('\n').flatMap((line, index) => {
    const shown = `  ${line}`;
    if (at === undefined || mark === undefined || index + 1 !== at.line) return [shown];
    const before = textWidth(line.slice(0, at.column - 1));
    const marked = line.slice(at.column - 1, at.column - 1 + mark.length);
    return [shown, `  ${' '.repeat(before)}${ctx.out.style(colour, '^'.repeat(Math.max(1, textWidth(marked))))}`];
  });
}

/** Lines of at most so many columns, broken at spaces. */
function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function entryData(entry: DiagnosticEntry): Data {
  const { code, severity, rules, title, meaning, wrong, right } = entry;
  return {
    code,
    severity,
    rules,
    title,
    meaning,
    ...(wrong === undefined ? {} : { wrong: exampleData(wrong) }),
    ...(right === undefined ? {} : { right: exampleData(right) }),
    document: `docs/diagnostics.md#${slug(code)}`,
  };
}

function exampleData(example: Example): Data {
  const { text, mark } = shownText(example);
  if (mark === undefined) return { part: example.part, text };
  return { part: example.part, text, ...positionIn(text, mark.at), length: mark.length };
}
