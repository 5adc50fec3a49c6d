import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from './repository.ts';
import { ENV, exchanges, LAUNCHER, shell, steady } from './sessions.ts';

// What the documents show is what the command does: the sessions of README and guides are typed again, and every command that any
// document names is looked up in --help. Both use the build, as a reader would.

const GUIDES = join(ROOT, 'docs', 'guides');
/** Documents whose sessions are typed again. */
const DOCUMENTS = ['README.md', ...readdirSync(GUIDES).map((name) => join('docs', 'guides', name))].filter(
  // Importing from npm packages needs packages to be installed, so that guide shows files instead.
  (path) => path !== join('docs', 'guides', 'import-a-pack.md'),
);

describe.each(DOCUMENTS)('the sessions of %s can be typed as they stand', (document) => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'worldline-readme-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const session = exchanges(readFileSync(join(ROOT, document), 'utf8'));

  test('there are some', () => {
    expect(session.length).toBeGreaterThan(5);
  });

  // In order, in one folder: later commands build on earlier ones.
  test.each(session)('$command', ({ command, output, files }) => {
    for (const { path, text } of files) writeFileSync(join(folder, path), text);
    expect(steady(shell(command, folder))).toBe(steady(output));
  });
});

function* markdownFiles(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (['node_modules', 'dist', '.git', 'demo-world', 'demo-worlds', 'artifacts'].includes(entry.name)) continue;
    if (entry.isDirectory()) yield* markdownFiles(join(folder, entry.name));
    else if (entry.name.endsWith('.md')) yield join(folder, entry.name);
  }
}

/** Global flags that take a value. */
const VALUED = new Set(['-w', '--world', '--mode', '--air', '--store', '--timeout-ms']);

/** The one or two command words after `worldline`, behind global flags; undefined when there are none. */
function commandWords(rest: string): string | undefined {
  const tokens = rest.split(/\s+/);
  let at = 0;
  while (tokens[at]?.startsWith('-')) at += VALUED.has(tokens[at]!) ? 2 : 1;
  const isWord = (token: string | undefined) => token !== undefined && /^[a-z][a-z-]*$/.test(token);
  if (!isWord(tokens[at])) return undefined;
  return tokens.slice(at, isWord(tokens[at + 1]) ? at + 2 : at + 1).join(' ');
}

/** Commands that documents name in code: command → where. */
function namedCommands(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of markdownFiles(ROOT)) {
    const text = readFileSync(file, 'utf8');
    const blocks = [...text.matchAll(/^```(?:sh|console|)\n(.*?)^```$/gms), ...text.matchAll(/`([^`\n]+)`/g)];
    for (const [, code = ''] of blocks) {
      for (const [, rest = ''] of code.matchAll(/(?:^|[ $])worldline ([^\n]*)/gm)) {
        const command = commandWords(rest.replace(/\s+#.*/, ''));
        if (command !== undefined) found.set(command, relative(ROOT, file));
      }
    }
  }
  return found;
}

describe('every command that a document names exists', () => {
  const named = [...namedCommands()].map(([command, file]) => ({ command, file }));

  test('documents name commands', () => {
    expect(named.map(({ command }) => command)).toEqual(expect.arrayContaining(['check', 'journal tail', 'replay']));
  });

  /** Sub-commands that a help text lists. */
  const listed = (help: string) => [...help.matchAll(/^ {2}([a-z][a-z-]*)(?: |$)/gm)].map((m) => m[1]);
  const help = (words: readonly string[]) =>
    spawnSync(process.execPath, [LAUNCHER, ...words, '--help'], { encoding: 'utf8', env: ENV }).stdout;

  test.each(named)('worldline $command ($file)', ({ command }) => {
    const [first = '', second] = command.split(' ');
    const top = help([]);
    expect(listed(top)).toContain(first);
    if (second === undefined) return;
    const group = help([first]);
    // A command without sub-commands takes the second word as an argument.
    if (/^Usage: .*\[command\]/m.test(group)) expect(listed(group)).toContain(second);
  });
});
