import type { Diagnostic, SourceFile } from '@worldline/air';
import { pointer } from '@worldline/canon';
import { loadFolder, shown } from '../air-folder.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { CommandError, stop } from '../failure.ts';
import { counted, printable } from '../output.ts';
import type { IgnoredFinding } from '../sync-file.ts';

export interface CheckFlags {
  readonly map?: string;
  readonly failOnWarning?: boolean;
  readonly only?: string;
  readonly ignore?: string;
}

/** One finding (`packs.md` §4). */
interface Finding {
  readonly code: string;
  readonly level: 'error' | 'warning';
  readonly rule?: string | undefined;
  readonly kind?: string | undefined;
  readonly name?: string | undefined;
  /** JSON Pointer into the node. */
  readonly path?: string | undefined;
  readonly plan?: string | undefined;
  readonly step?: string | undefined;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  readonly message: string;
  readonly fix?: string | undefined;
}

/** `worldline check` (`packs.md` §4): what can be known before a run. Needs no daemon and no store. */
export async function check(ctx: Context, flags: CheckFlags): Promise<void> {
  const { root } = ctx;
  const outcome = await load(ctx, flags, root);
  const wanted = codes(flags.only);
  const unwanted = codes(flags.ignore);
  const selected = applyIgnores(outcome.findings, outcome.ignore).filter(
    (finding) =>
      (wanted.size === 0 || wanted.has(finding.code) || wanted.has(finding.rule ?? '')) &&
      !unwanted.has(finding.code) &&
      !unwanted.has(finding.rule ?? ''),
  );
  const findings = [...selected].sort((a, b) => Number(a.level === 'warning') - Number(b.level === 'warning'));
  const errors = findings.filter((finding) => finding.level === 'error').length;
  const warnings = findings.length - errors;
  const human = findings.flatMap((finding) => [...show(ctx, finding, outcome.files), '']);
  human.push(
    errors + warnings === 0
      ? `${ctx.out.style('bold', 'no findings')} in ${counted(outcome.files.length, 'file')}`
      : `${counted(errors, 'error')}, ${counted(warnings, 'warning')}`,
  );
  ctx.out.answer(human, {
    map: outcome.map === undefined ? undefined : shown(outcome.map, root),
    air_dir: outcome.airDir === undefined ? undefined : shown(outcome.airDir, root),
    imports: [],
    findings: findings.map((finding) => ({ ...finding })),
  });
  if (errors > 0 || (warnings > 0 && flags.failOnWarning === true)) process.exitCode = EXIT.check;
}

interface Outcome {
  readonly map: string | undefined;
  readonly airDir: string | undefined;
  readonly files: readonly SourceFile[];
  readonly findings: readonly Finding[];
  readonly ignore: readonly IgnoredFinding[];
}

/** Sync file → files → definitions; what fails first is the only thing reported (`packs.md` §4.1). */
async function load(ctx: Context, flags: CheckFlags, root: string): Promise<Outcome> {
  let map: string | undefined;
  let airDir: string | undefined;
  try {
    const sync = ctx.syncFile(flags.map);
    ({ path: map, airDir } = sync);
    const config = await ctx.config();
    const { files, result } = loadFolder(airDir, root, config.world.require_policy);
    const diagnostics = result.ok ? result.value.warnings : result.failure;
    return { map, airDir, files, findings: diagnostics.map(toFinding), ignore: sync.ignore };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    // A folder that is not there was a wrong request; what stands in its files is a finding.
    if (error.failure.code === 'not_found') throw error;
    const details = error.failure.details ?? [];
    const findings: Finding[] =
      details.length === 0
        ? [
            {
              code: error.failure.code,
              level: 'error',
              path: pointer(error.failure.path ?? []),
              message: error.failure.message,
              fix: error.failure.hint,
            },
          ]
        : details.map((one) => ({
            code: one.code,
            level: 'error',
            path: one.pointer,
            file: one.file,
            line: one.line,
            column: one.column,
            message: one.message,
            fix: one.hint,
          }));
    return { map, airDir, files: [], findings, ignore: [] };
  }
}

function toFinding(diagnostic: Diagnostic): Finding {
  const { code, severity, rule, kind, name, path, file, line, column, message, hint, fields } = diagnostic;
  const step = fields?.['step'];
  return {
    code,
    level: severity,
    rule,
    kind,
    name,
    path: pointer(path),
    plan: kind === 'defplan' ? name : undefined,
    step: typeof step === 'string' ? step : undefined,
    file,
    line,
    column,
    message,
    fix: hint,
  };
}

/** Silences accepted findings; an entry that silences nothing is a finding itself (`packs.md` §1 `checks.ignore`). */
function applyIgnores(findings: readonly Finding[], ignore: readonly IgnoredFinding[]): readonly Finding[] {
  const used = new Set<IgnoredFinding>();
  const left = findings.filter((finding) => {
    const entry = ignore.find(
      (one) =>
        one.code === finding.code &&
        (one.plan === undefined || one.plan === finding.plan) &&
        (one.step === undefined || one.step === finding.step),
    );
    if (entry !== undefined) used.add(entry);
    // An error would stop the world all the same, so only warnings can be silenced.
    return entry === undefined || finding.level === 'error';
  });
  const unused = ignore.filter((entry) => !used.has(entry));
  return [
    ...left,
    ...unused.map((entry): Finding => {
      const path = `/checks/ignore/${ignore.indexOf(entry)}`;
      return {
        code: 'checks.ignore_unused',
        level: 'warning',
        path,
        file: 'worldline.json',
        message: `nothing here has the code ${entry.code}`,
        fix: 'remove this entry of checks.ignore',
      };
    }),
  ];
}

function codes(list: string | undefined): Set<string> {
  if (list === undefined) return new Set();
  const found = list
    .split(',')
    .map((code) => code.trim())
    .filter((code) => code !== '');
  if (found.length === 0) stop('invalid_request', 'expected codes, separated by commas');
  return new Set(found);
}

/** `file:line:col  code  message`, the source line with a caret, the hint. */
function show(ctx: Context, finding: Finding, files: readonly SourceFile[]): string[] {
  const { out } = ctx;
  const place =
    finding.file === undefined
      ? (finding.path ?? '')
      : `${finding.file}${finding.line === undefined ? '' : `:${finding.line}:${finding.column ?? 1}`}`;
  const code = out.style(finding.level === 'error' ? 'red' : 'yellow', finding.code);
  const lines = [`${out.style('bold', printable(place === '' ? '/' : place))}  ${code}  ${printable(finding.message)}`];
  const source = files.find((file) => file.path === finding.file)?.text.split(/\r?\n/)[(finding.line ?? 0) - 1];
  if (source !== undefined && finding.line !== undefined) {
    const column = finding.column ?? 1;
    // A long line is shown around its place only.
    const from = Math.max(0, column - 61);
    const excerpt = printable(source.slice(from, from + 120)).replaceAll('\t', ' ');
    const gutter = String(finding.line);
    lines.push(`  ${out.style('dim', `${gutter} |`)} ${excerpt}`);
    lines.push(
      `  ${' '.repeat(gutter.length)} ${out.style('dim', '|')} ${' '.repeat(column - 1 - from)}${out.style('red', '^')}`,
    );
  }
  const about = finding.name === undefined ? finding.path : `${finding.name} ${finding.path ?? ''}`.trim();
  if (about !== undefined && about !== '' && finding.file !== undefined) lines.push(`  in ${printable(about)}`);
  if (finding.fix !== undefined) lines.push(`  ${out.style('cyan', 'hint')}: ${printable(finding.fix)}`);
  return lines;
}
