import type { Diagnostic, Edit } from '@worldline/air';
import { pointer } from '@worldline/canon';
import type { CommandFailure } from './failure.ts';
import type { IgnoredFinding } from './sync-file.ts';

/**
 * One finding of `worldline check` (`packs.md` §4). `name` and `def`, `fix` and `hint` are the same thing in the words of
 * `packs.md` §4 and of `expressions.md` §13.6.
 */
export interface Finding {
  readonly code: string;
  readonly level: 'error' | 'warning' | 'info';
  /** `V-512`. */
  readonly rule?: string | undefined;
  readonly kind?: string | undefined;
  readonly name?: string | undefined;
  readonly def?: string | undefined;
  /** JSON Pointer into the node; for type errors into its canonical form. */
  readonly path?: string | undefined;
  readonly plan?: string | undefined;
  readonly step?: string | undefined;
  /** The code of the value error behind this one. */
  readonly cause?: string | undefined;
  readonly expected?: string | undefined;
  readonly found?: string | undefined;
  readonly file?: string | undefined;
  /** From 1; columns in UTF-16 units, as editors count. */
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  readonly message: string;
  readonly fix?: string | undefined;
  readonly hint?: string | undefined;
  /** What `check --fix` would write. */
  readonly edit?: Edit | undefined;
}

export const LEVEL_COLOURS = { error: 'red', warning: 'yellow', info: 'cyan' } as const;

export function toFinding(diagnostic: Diagnostic): Finding {
  const { code, severity, rule, kind, name, path, file, line, column, message, hint, fields, edit } = diagnostic;
  const text = (...keys: string[]): string | undefined => {
    for (const key of keys) {
      const value = fields?.[key];
      if (value !== undefined) return typeof value === 'object' ? value.join(', ') : String(value);
    }
    return undefined;
  };
  return {
    code,
    level: severity,
    rule,
    kind,
    name,
    def: name,
    path: pointer(path),
    plan: kind === 'defplan' ? name : undefined,
    step: text('step'),
    cause: text('cause'),
    expected: text('expected', 'derived', 'supported'),
    found: text('found', 'got', 'declared'),
    file,
    line,
    column,
    message,
    fix: hint,
    hint,
    ...(edit === undefined ? {} : { edit }),
  };
}

/** What stopped before there was anything to check, as findings: each reason, or the failure itself. */
export function failureFindings(failure: CommandFailure): readonly Finding[] {
  const { code, message, path, hint, details = [] } = failure;
  if (details.length === 0) {
    return [{ code, level: 'error', path: pointer(path ?? []), message, fix: hint, hint }];
  }
  return details.map((one) => ({
    code: one.code,
    level: 'error',
    path: one.pointer,
    file: one.file,
    line: one.line,
    column: one.column,
    message: one.message,
    fix: one.hint,
    hint: one.hint,
  }));
}

/**
 * Silences accepted findings; an entry that silences nothing is a finding itself (`packs.md` §1 `checks.ignore`).
 *
 * @param file - the sync file, as findings show it.
 * @param isSearched - False for codes that nobody looked for: that there is none of them says nothing.
 */
export function applyIgnores(
  findings: readonly Finding[],
  ignore: readonly IgnoredFinding[],
  file: string | undefined,
  isSearched: (code: string) => boolean = () => true,
): readonly Finding[] {
  const used = new Set<IgnoredFinding>();
  const inVain = new Set<IgnoredFinding>();
  const left = findings.filter((finding) => {
    const entries = ignore.filter(
      (one) =>
        one.code === finding.code &&
        (one.plan === undefined || one.plan === finding.plan) &&
        (one.step === undefined || one.step === finding.step),
    );
    // An error would stop the world all the same, so only warnings can be silenced.
    const isError = finding.level === 'error';
    for (const entry of entries) (isError ? inVain : used).add(entry);
    return entries.length === 0 || isError;
  });
  const unused = ignore.filter((entry) => !used.has(entry) && (inVain.has(entry) || isSearched(entry.code)));
  return [
    ...left,
    ...unused.map((entry): Finding => {
      const isVain = inVain.has(entry);
      const hint = `${isVain ? 'correct what was found, and ' : ''}remove this entry of checks.ignore`;
      return {
        code: 'checks.ignore_unused',
        level: 'warning',
        path: `/checks/ignore/${ignore.indexOf(entry)}`,
        file,
        message: isVain
          ? `${entry.code} is an error here, and an error cannot be silenced`
          : `nothing here has the code ${entry.code}`,
        fix: hint,
        hint,
        // A finding that is left may be the one that was meant, by a plan that has another name now; so may a misspelt code.
        ...(left.some(({ code }) => code === entry.code) || !/^(RL|PK)\d{3}$/.test(entry.code)
          ? {}
          : { edit: { kind: 'remove', path: ['checks', 'ignore', ignore.indexOf(entry)] } }),
        ...(entry.position === undefined ? {} : { line: entry.position.line, column: entry.position.column }),
      };
    }),
  ];
}

/**
 * In document order: what concerns no file first, then file by file in the order they were read, then by place. Findings
 * of one place stay as they were found.
 */
export function inDocumentOrder(findings: readonly Finding[], files: readonly string[]): readonly Finding[] {
  const order = new Map(files.map((file, index) => [file, index]));
  const rank = (finding: Finding) => {
    // How many are not shown is said behind those that are.
    if (finding.code === 'findings.truncated') return Number.POSITIVE_INFINITY;
    return finding.file === undefined ? -2 : (order.get(finding.file) ?? -1);
  };
  return [...findings].sort(
    (a, b) =>
      Math.sign(rank(a) - rank(b)) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.line === undefined ? 0 : a.column! - (b.column ?? 0)),
  );
}
