import type { DiagnosticEntry, Example, Mark } from './entry.ts';
import { PART_NAMES } from './entry.ts';
import { DIAGNOSTIC_GROUPS } from './table.ts';
import { exampleWorld } from './world.ts';

/** `docs/diagnostics.md`, made from the table. */
export function diagnosticsDocument(): string {
  const lines: string[] = [
    '# Diagnostics',
    '',
    '<!-- Made by "node tools/run.mjs docs" from packages/cli/src/diagnostics. Change it there. -->',
    '',
    'Every code that `worldline check` can print: what it means, why it is trouble, what to do, and an example of each. The',
    'same texts are shown by `worldline check --explain plan.cyclic`; `worldline check --explain V-505` shows the codes of a',
    'rule, and `worldline check --explain` lists them all. Codes and rule numbers are permanent, wording is not.',
    '',
    'An *error* keeps the world from starting; a *warning* does not, and `worldline check --fail-on-warning` refuses it; an *info* is',
    'worth a look and refuses nothing. What is meant can be silenced under `checks.ignore` of `worldline.json`, with its reason.',
    '',
    ...DIAGNOSTIC_GROUPS.map(
      ({ title, entries }) =>
        `- [${title}](#${slug(title)}): ${entries.map(({ code }) => `[\`${code}\`](#${slug(code)})`).join(', ')}`,
    ),
    '- [The world of the examples](#the-world-of-the-examples)',
    '',
    'Examples are pieces: the title above each says of what. What they name beside is in',
    '[the world of the examples](#the-world-of-the-examples). The tests load every one of them: a wrong one gives its code at',
    'the place named, a right one gives no finding.',
    '',
  ];
  for (const { title, entries } of DIAGNOSTIC_GROUPS) {
    lines.push(`## ${title}`, '', '| Code | Severity | Rules | |', '|---|---|---|---|');
    for (const { code, severity, rules, title: sentence } of entries)
      lines.push(`| [\`${code}\`](#${slug(code)}) | ${severity} | ${rules.join(', ')} | ${sentence} |`);
    lines.push('', ...entries.flatMap(section));
  }
  lines.push(
    '## The world of the examples',
    '',
    'Examples that are not a whole folder stand in this world. One that defines a name anew takes the place of the definition',
    'here, and the manifest lists what it defines beside. An expression is the `expr` of an `assign` step of `demo/example@1`.',
    '',
    '```json',
    exampleWorld().trimEnd(),
    '```',
  );
  return `${lines.join('\n')}\n`;
}

function section(entry: DiagnosticEntry): string[] {
  const { code, severity, rules, title, meaning, wrong, right } = entry;
  const about = [severity, ...rules].join(', ');
  return [
    `### \`${code}\``,
    '',
    `**${title}** (${about})`,
    '',
    meaning,
    '',
    ...(wrong === undefined ? [] : block('Wrong', wrong)),
    ...(right === undefined ? [] : block('Right', right)),
  ];
}

function block(label: string, example: Example): string[] {
  const { text, mark } = shownText(example);
  const place = mark === undefined ? '' : `; found at ${placeText(text, mark)}`;
  // What is no JSON, by intention or because something was left out, is not coloured as if it were.
  return [`${label}, ${PART_NAMES[example.part]}${place}:`, '', isJson(text) ? '```json' : '```text', text, '```', ''];
}

/** `line 3, "edegs"`. */
function placeText(text: string, mark: Mark): string {
  const { line } = positionIn(text, mark.at);
  const marked = text.slice(mark.at, mark.at + mark.length).split('\n')[0]!;
  const cut = marked.length > 60 ? `${marked.slice(0, 60)}…` : marked;
  return `line ${line}, \`${cut}\``;
}

export function shownText(example: Example): { readonly text: string; readonly mark?: Mark | undefined } {
  return example.shown ?? { text: example.text, mark: example.mark };
}

/** Line and column from 1. */
export function positionIn(text: string, at: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, at);
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The name that links to a heading use. */
export function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}
