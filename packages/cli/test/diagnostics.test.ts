import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { checkOnce } from '../src/command/check.ts';
import { Context } from '../src/context.ts';
import { diagnosticsDocument, slug } from '../src/diagnostics/document.ts';
import type { DiagnosticEntry, Example } from '../src/diagnostics/entry.ts';
import { codesOfRule, DIAGNOSTIC_GROUPS, DIAGNOSTICS } from '../src/diagnostics/table.ts';
import { exampleWorld, folderOf } from '../src/diagnostics/world.ts';
import type { Finding } from '../src/finding.ts';
import { Output } from '../src/output.ts';
import { SourceLines } from '../src/source-frame.ts';

/** The table of diagnostics: every wrong example gives its code at its place, every right one gives nothing. */

const PACKAGES = fileURLToPath(new URL('../../', import.meta.url));
const ENTRIES = [...DIAGNOSTICS.values()];

/** Codes that no folder can show: of manifests that a world has stored, and of trouble with reading. */
const WITHOUT_EXAMPLE = [
  'hash.mismatch',
  'store.not_found',
  'ref.kind_mismatch',
  'ref.name_mismatch',
  'module.builtin_linked',
  'not_found',
  'host_error',
  'air.unreadable',
  'findings.truncated', // it stands behind a thousand others
  'import.archive', // Plug'n'Play, an archive, links, and more than 32 MiB
  'import.escapes_package',
  'import.too_large',
  'import.version',
];

/** What the command itself reports. */
const OWN_GROUPS: readonly string[] = ['Folder and configuration', 'Imports and packs'];

/** Findings of these groups say what to do next. */
const HINTED = [
  'Plans',
  'Triggers',
  'Effects, grants and policies',
  'Subplans',
  'Lints: plans that are valid and still go wrong',
  'Imports and packs',
];

/** Where the message has said that already: what was expected, and what is there. */
const SAYS_ALL = ['plan.literal_invalid', 'trigger.literal_invalid', 'grant.params_invalid', 'effect.variant_invalid'];

function groupOf({ code }: DiagnosticEntry): string {
  return DIAGNOSTIC_GROUPS.find(({ entries }) => entries.some((entry) => entry.code === code))?.title ?? '';
}

/** Codes of other commands, and texts of the sources that look like codes and are none. */
const NO_CODES_OF_CHECK: readonly RegExp[] = [
  /^patch\./, // changes of a running world
  /^manifest\.validation$/, // what other commands say about a folder with findings
  /^trigger\.(when|input_expr)$/, // names of slots
  /^value\.bad_text$/, // of values that are no JSON: texts read from JSON are well-formed
];

/** Nouns that codes of definitions begin with. */
const NOUNS =
  'findings|json|node|name|ident|hash|module|expr|manifest|import|def|air|ref|secret|store|type|schema|routing|reducer|effect|binding|trigger|plan|cap|grant|policy|value|patch';

/** Every code that the sources of the language could report, however they do it. */
const REPORTED: ReadonlySet<string> = (() => {
  const found = new Set<string>();
  const folder = join(PACKAGES, 'air/src');
  for (const name of readdirSync(folder)) {
    // What the gate answers while a plan runs, and what the envelope answers about it, are no findings.
    if (/^(enforcer|envelope|url|secret-refs)\b/.test(name)) continue;
    const text = readFileSync(join(folder, name), 'utf8');
    for (const [, code] of text.matchAll(new RegExp(`'((?:${NOUNS})\\.[a-z0-9_]+)'`, 'g'))) found.add(code!);
    // Codes of the checker have no noun.
    for (const [, code] of text.matchAll(/(?:code: |report\(|code = )'([a-z]+(?:_[a-z]+)+)'/g)) found.add(code!);
    for (const { code } of ENTRIES) if (!code.includes('.') && text.includes(`'${code}'`)) found.add(code);
  }
  return found;
})();

const folder = mkdtempSync(join(tmpdir(), 'worldline-table-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;

interface Checked {
  readonly findings: readonly Finding[];
  readonly file: string;
  /** Offset in that file at which a finding stands. */
  offset(finding: Finding): number | undefined;
  readonly markAt: number | undefined;
  readonly text: string;
}

async function check(example: Example): Promise<Checked> {
  const { files, file, markAt } = folderOf(example);
  const root = join(folder, String(count++));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const flags = { world: root, mode: 'auto', json: true, pretty: false, meta: true, quiet: true } as const;
  const ctx = new Context({
    flags: { ...flags, timeoutMs: 0, timeoutGiven: false },
    out: new Output(flags, { stdout: { write() {} }, stderr: { write() {} }, env: {} }),
    cwd: root,
    env: {},
    interrupted: new AbortController().signal,
    composition: {},
  });
  const { findings } = await checkOnce(ctx, {});
  const text = files[file]!;
  const lines = new SourceLines(text);
  return {
    findings,
    file,
    markAt,
    text,
    offset: ({ file: at, line, column }) =>
      at === file && line !== undefined ? lines.offset(line, column ?? 1) : undefined,
  };
}

/** What was found, for messages. */
function told(findings: readonly Finding[]): string[] {
  return findings.map(
    ({ code, cause, file, line, column, message }) =>
      `${code}${cause === undefined ? '' : `/${cause}`} ${file}:${line}:${column} ${message}`,
  );
}

function isOf(entry: DiagnosticEntry): (finding: Finding) => boolean {
  return ({ code, cause }) => code === entry.code || cause === entry.code;
}

describe('every example', () => {
  test('the world around them has no finding', async () => {
    const { findings } = await check({ part: 'folder', text: exampleWorld() });
    expect(told(findings)).toEqual([]);
  });

  const shown = ENTRIES.filter(({ wrong }) => wrong !== undefined);

  /**
   * Examples are pieces: what a piece binds, the rest of the plan would read. So notes about that are left out, but in the
   * examples of the lints themselves.
   */
  const counts = (entry: DiagnosticEntry, { code, level }: Finding) =>
    entry.beside?.includes(code) !== true && (level !== 'info' || entry.code.startsWith('RL'));

  test.each(shown.map((entry) => [entry.code, entry] as const))(
    '%s: the right form has no finding',
    async (_, entry) => {
      const { findings } = await check(entry.right!);
      expect(told(findings.filter((finding) => counts(entry, finding)))).toEqual([]);
    },
  );

  // A code that nothing reports yet has its entry already; its example is judged from the day it is reported.
  const isReported = ({ code }: DiagnosticEntry) => REPORTED.has(code) || !isAwaited(code) || code.startsWith('PK');
  test.each(shown.filter(isReported).map((entry) => [entry.code, entry] as const))(
    '%s: the wrong form has that finding at the mark, and no other',
    async (_, entry) => {
      const { findings, offset, markAt, text } = await check(entry.wrong!);
      const others = findings.filter((finding) => counts(entry, finding) || finding.code === entry.code);
      expect(told(others.filter((finding) => !isOf(entry)(finding)))).toEqual([]);
      expect(told(others)).toHaveLength(1);
      const [finding] = others as [Finding];
      expect(finding.level).toBe(entry.severity);
      if (HINTED.includes(groupOf(entry)) && !SAYS_ALL.includes(entry.code)) expect(finding.hint).toMatch(/./);
      // The rest of the file from the place on, cut: a message that can be read when the two differ.
      const from = (at: number | undefined) => (at === undefined ? 'no place' : text.slice(at, at + 60));
      expect(from(offset(finding))).toBe(markAt === undefined ? 'no place' : from(markAt));
      if (finding.rule !== undefined && finding.code === entry.code) expect(entry.rules).toContain(finding.rule);
    },
  );
});

/** Codes of the specification that this version may not report yet. */
function isAwaited(code: string): boolean {
  return !code.includes('.') || /^(routing|reducer|binding)\.|^module\.builtin_linked$/.test(code);
}

describe('docs/diagnostics.md', () => {
  test('is made from this table: npm run docs writes it anew', () => {
    const file = join(PACKAGES, '../docs/diagnostics.md');
    expect(readFileSync(file, 'utf8') === diagnosticsDocument(), 'run: npm run docs').toBe(true);
  });

  test('has a heading of its own for every code, and JSON examples that are JSON', () => {
    const text = diagnosticsDocument();
    const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => slug(heading!));
    expect(new Set(headings).size).toBe(headings.length);
    for (const code of DIAGNOSTICS.keys()) expect(headings).toContain(slug(code));
    const blocks = [...text.matchAll(/^```json\n([\s\S]*?)^```$/gm)];
    expect(blocks.length).toBeGreaterThan(ENTRIES.length);
    for (const [, json] of blocks) expect(() => JSON.parse(json!), json).not.toThrow();
  });
});

describe('the table is complete', () => {
  test('every code that the sources of the language can report has an entry', () => {
    const missing = [...REPORTED].filter(
      (code) => !DIAGNOSTICS.has(code) && !NO_CODES_OF_CHECK.some((pattern) => pattern.test(code)),
    );
    expect(missing).toEqual([]);
  });

  test('every entry of the language is reported somewhere', () => {
    const own = new Set(
      DIAGNOSTIC_GROUPS.filter(({ title }) => OWN_GROUPS.includes(title)).flatMap(({ entries }) =>
        entries.map(({ code }) => code),
      ),
    );
    const nobody = ENTRIES.filter(({ code }) => !own.has(code) && !isAwaited(code) && !REPORTED.has(code));
    expect(nobody.map(({ code }) => code)).toEqual([]);
    const sources = ['src', 'src/command', '../host/src', '../air/src'].flatMap((sub) => {
      const dir = join(PACKAGES, 'cli', sub);
      return readdirSync(dir)
        .filter((name) => name.endsWith('.ts'))
        .map((name) => readFileSync(join(dir, name), 'utf8'));
    });
    for (const code of own)
      expect(
        sources.some((text) => text.includes(`'${code}'`)),
        code,
      ).toBe(true);
  });

  test('each code once, each with a wrong and a right example but those that no folder shows', () => {
    const codes = DIAGNOSTIC_GROUPS.flatMap(({ entries }) => entries.map(({ code }) => code));
    expect(new Set(codes).size).toBe(codes.length);
    expect(
      ENTRIES.filter(({ wrong, right }) => wrong === undefined || right === undefined)
        .map(({ code }) => code)
        .sort(),
    ).toEqual([...WITHOUT_EXAMPLE].sort());
  });

  test('every numbered rule of definitions.md §10 leads to a code', () => {
    const rules = [
      [101, 109],
      [201, 211],
      [301, 307],
      [401, 414],
      [420, 421],
      [430, 433],
      [501, 523],
      [601, 608],
      [611, 618],
      [701, 708],
    ].flatMap(([from, to]) => Array.from({ length: to! - from! + 1 }, (_, index) => `V-${from! + index}`));
    expect(rules.filter((rule) => codesOfRule(rule).length === 0)).toEqual([]);
    expect(ENTRIES.flatMap((entry) => entry.rules).filter((rule) => !rules.includes(rule))).toEqual([]);
  });

  test('texts are sentences, of a length that somebody reads', () => {
    for (const { code, title, meaning, rules } of ENTRIES) {
      expect(title, code).toMatch(/^\S.*\.$/);
      expect(title.length, code).toBeLessThan(110);
      expect(meaning, code).toMatch(/[.…)]$/);
      expect(meaning.length, code).toBeGreaterThan(60);
      expect(meaning.length, code).toBeLessThan(520);
      for (const rule of rules) expect(rule, code).toMatch(/^V-\d{3}$/);
    }
  });
});
