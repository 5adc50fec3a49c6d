import { writeFileSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import type { Failure } from '@worldline/canon';
import {
  type CorrelationFilter,
  checkSummary,
  checkThresholds,
  correlationIs,
  linkJournals,
  readThresholds,
  type Summary,
  SummaryFold,
  type Threshold,
} from '@worldline/summary';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { CommandError, detail, stop } from '../failure.ts';
import { readJson } from '../input.ts';
import { labelOf, readJournal } from '../journal-source.ts';
import { type Data, type Meta, printable } from '../output.ts';
import { SummaryReport } from '../summary-report.ts';

export interface SummaryFlags {
  readonly from?: number;
  readonly to?: number;
  readonly plan?: string;
  readonly instances?: boolean;
  readonly correlations?: boolean;
  readonly correlation?: string;
  readonly journal?: readonly string[];
  readonly label?: readonly string[];
  readonly format?: 'text' | 'md';
  readonly out?: readonly string[];
  readonly check?: string;
}

/** `worldline trace-summary` (`summaries.md` §5–§9). */
export async function traceSummary(ctx: Context, flags: SummaryFlags): Promise<void> {
  const { from = 0, to, format = 'text', out = [] } = flags;
  if (to !== undefined && to < from) stop('invalid_request', `--to ${to} lies before --from ${from}`);
  if (ctx.out.json && flags.format !== undefined)
    stop('invalid_request', '--format and --json exclude each other', { hint: 'leave out one of them' });
  const thresholds = flags.check === undefined ? undefined : thresholdsOf(ctx, flags.check);
  const wanted =
    flags.correlation === undefined ? undefined : correlationIs(readJson(flags.correlation, '--correlation', ctx.cwd));
  const correlations: boolean | CorrelationFilter = wanted ?? flags.correlations === true;
  const each: Summary[] = [];
  let meta: Meta | undefined;
  for (const { journal, label } of journalsOf(ctx, flags)) {
    const { plan, instances } = flags;
    const fold = new SummaryFold({ label, plan, instances: instances === true, correlations, from, to });
    meta = await readJournal(ctx, journal, { from, to }, (batch) => fold.add(batch));
    each.push(fold.finish());
  }
  const { plan } = flags;
  if (plan !== undefined && each.every(({ plans }) => plans.length === 0))
    ctx.out.notice(`no run of ${plan} here; the totals are over all plans`);
  for (const { label, to: last } of each)
    if (last < from && from > 0)
      ctx.out.notice(
        `${label === undefined ? 'the journal' : `the journal of ${label}`} holds nothing from ${from} on`,
      );
  const report = new SummaryReport(each.length === 1 ? each : linkJournals(each, wanted), wanted !== undefined);
  for (const file of out) write(ctx, file, report);
  const problems = problemsOf(report.summaries, thresholds);
  const human = format === 'md' ? report.markdown() : report.text();
  ctx.out.answer(
    [
      human.trimEnd().split('\n').map(printable).join('\n'),
      ...(format === 'md' ? [] : verdict(ctx, problems, thresholds)),
    ],
    { ...(report.json() as { readonly [key: string]: Data }), ...checkJson(problems, thresholds) },
    each.length === 1 ? meta : undefined,
  );
  if (problems.length > 0) process.exitCode = EXIT.check;
}

/** Journals with their labels; several always have one each, for a journal holds no world name. */
function journalsOf(
  ctx: Context,
  { journal: journals = [], label: labels = [] }: SummaryFlags,
): readonly { readonly journal: string | undefined; readonly label: string | undefined }[] {
  const given: readonly (string | undefined)[] = journals.length === 0 ? [undefined] : journals;
  if (labels.length > given.length)
    stop('invalid_request', `there are ${labels.length} labels for ${given.length} journals`, {
      hint: 'labels belong to journals in their order',
    });
  const named = given.map((journal, i) => ({
    journal,
    label: labels[i] ?? (journal === undefined || given.length === 1 ? undefined : labelOf(journal, ctx.cwd)),
  }));
  const twice = named.find(
    ({ label }, i) => label !== undefined && named.slice(0, i).some((one) => one.label === label),
  );
  if (twice !== undefined)
    stop('invalid_request', `two journals have the label ${twice.label}`, { hint: 'tell them apart with --label' });
  return named;
}

function problemsOf(summaries: readonly Summary[], thresholds: readonly Threshold[] | undefined): readonly Failure[] {
  return summaries.flatMap((summary) => {
    const found = [...checkSummary(summary), ...(thresholds === undefined ? [] : checkThresholds(summary, thresholds))];
    if (summaries.length === 1) return found;
    return found.map((one) => ({ ...one, message: `${summary.label}: ${one.message}` }));
  });
}

/** What was found against the summary; a line also when thresholds were given and all hold. */
function verdict(
  ctx: Context,
  problems: readonly Failure[],
  thresholds: readonly Threshold[] | undefined,
): readonly string[] {
  if (problems.length === 0) return thresholds === undefined ? [] : ['', `all ${thresholds.length} thresholds hold`];
  const lines = problems.map(
    ({ code, message, hint }) =>
      `${ctx.out.style('red', code)}  ${printable(hint === undefined ? message : `${message}. ${hint}`)}`,
  );
  return ['', ...lines];
}

/** Beside the summary, never in the file of `--out`, which holds what the journal says and nothing else. */
function checkJson(
  problems: readonly Failure[],
  thresholds: readonly Threshold[] | undefined,
): { readonly [key: string]: Data } {
  if (thresholds === undefined && problems.length === 0) return {};
  return {
    check: {
      ok: problems.length === 0,
      thresholds: thresholds?.length ?? 0,
      problems: problems.map((problem) => ({ ...detail(problem) })),
    },
  };
}

function thresholdsOf(ctx: Context, file: string): readonly Threshold[] {
  const read = readThresholds(readJson(`@${file}`, '--check', ctx.cwd));
  if (read.ok) return read.value;
  throw new CommandError({
    code: 'invalid_request',
    message: `${file} does not hold thresholds`,
    details: read.failure.map(detail),
  });
}

/** As the file's name ends: `.md` Markdown, `.txt` the table, anything else JSON (`summaries.md` §9). */
function write(ctx: Context, file: string, report: SummaryReport): void {
  const kind = extname(file).toLowerCase();
  const text =
    kind === '.md'
      ? report.markdown()
      : kind === '.txt'
        ? report.text()
        : `${JSON.stringify(report.json(), undefined, 2)}\n`;
  try {
    writeFileSync(resolve(ctx.cwd, file), text);
  } catch (error) {
    stop('host_error', `${file} cannot be written: ${(error as Error).message}`, {
      hint: 'check that its folder exists and can be written',
    });
  }
}
