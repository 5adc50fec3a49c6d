import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { loadAuthored, type SourceFile } from '@worldline/air';
import { hashText } from '@worldline/canon';
import { shown } from '../air-folder.ts';
import { type Fixed, fixTexts, writeFixed } from '../check-fix.ts';
import type { Context } from '../context.ts';
import { loadDefinitions } from '../definition-files.ts';
import { EXIT } from '../exit-code.ts';
import { CommandError, stop } from '../failure.ts';
import { applyIgnores, type Finding, failureFindings, inDocumentOrder, LEVEL_COLOURS, toFinding } from '../finding.ts';
import type { ResolvedImport } from '../imports.ts';
import { counted, type Data, printable } from '../output.ts';
import type { Contract } from '../pack-contract.ts';
import { SourceLines } from '../source-frame.ts';
import type { IgnoredFinding } from '../sync-file.ts';

export interface CheckFlags {
  readonly map?: string;
  readonly failOnWarning?: boolean;
  readonly only?: string;
  readonly ignore?: string;
  readonly fix?: boolean;
  readonly dryRun?: boolean;
}

/** What a check found, selected and in document order. */
export interface Report {
  readonly map: string | undefined;
  /** Text of the sync file. */
  readonly mapText: string | undefined;
  readonly airDir: string | undefined;
  readonly files: readonly SourceFile[];
  /** With the contracts of their plans. */
  readonly imports: ReadonlyMap<ResolvedImport, readonly Contract[]>;
  /** `sha256:…` of the plans that the manifest lists, while all is valid. */
  readonly planHashes: ReadonlyMap<string, string>;
  readonly findings: readonly Finding[];
  readonly errors: number;
  readonly warnings: number;
  /** Worth a look: they refuse nothing. */
  readonly infos: number;
  /** There is some error, shown or not. */
  readonly isBroken: boolean;
  /** Errors that `--only` and `--ignore` do not show. With errors, less is looked for. */
  readonly hiddenErrors: number;
}

/** `worldline check` (`packs.md` §4): what can be known before a run. Needs no daemon and no store. */
export async function check(ctx: Context, flags: CheckFlags): Promise<void> {
  if (flags.fix === true) return fix(ctx, flags);
  expectFix(flags);
  const report = await checkOnce(ctx, flags);
  ctx.out.answer(renderReport(ctx, report), reportData(ctx, report));
  if (failed(report, flags)) process.exitCode = EXIT.check;
}

/** `worldline check --fix`: writes what is certain, and reports what is left. */
async function fix(ctx: Context, flags: CheckFlags): Promise<void> {
  const { report, human, data } = await fixOnce(ctx, flags);
  ctx.out.answer([...human, '', ...renderReport(ctx, report)], { ...reportData(ctx, report), ...data });
  if (failed(report, flags)) process.exitCode = EXIT.check;
}

/** What was written, or would be, and what is found afterwards. */
export interface Fixes {
  readonly report: Report;
  readonly wrote: boolean;
  readonly human: readonly string[];
  readonly data: { readonly [key: string]: Data };
}

/** @throws CommandError `invalid_request` for `--dry-run` alone. */
export function expectFix(flags: CheckFlags): void {
  if (flags.dryRun === true && flags.fix !== true)
    stop('invalid_request', '--dry-run shows what --fix would do: give both');
}

/** A fix can make another one due: the hash of a plan that was changed is stale. More rounds than that are not about progress. */
const PASSES_MAX = 4;

export async function fixOnce(ctx: Context, flags: CheckFlags): Promise<Fixes> {
  const isDry = flags.dryRun === true;
  const fixed: Fixed[] = [];
  let report = await checkOnce(ctx, flags);
  let problem = report.isBroken ? 'correct the errors first' : undefined;
  for (let pass = 0; pass < PASSES_MAX && problem === undefined; pass++) {
    // What is imported is its publisher's to mend.
    const { map, mapText, files } = report;
    const before =
      map === undefined || mapText === undefined ? files : [...files, { path: shown(map, ctx.root), text: mapText }];
    const own = new Set(before.flatMap(({ path, imported }) => (imported === true ? [] : [path])));
    const wanted = report.findings.filter(({ edit, file }) => edit !== undefined && own.has(file ?? ''));
    const after = fixTexts(before, wanted);
    if (after.fixed.length === 0) break;
    // A plan at one of its limits is over it with one more slot.
    if (!loadAuthored(after.files.slice(0, files.length), { willRun: false }).ok)
      problem = 'the definitions would not be valid any more';
    else if (!isDry && !writeFixed(ctx.root, before, after.files)) problem = 'a file has changed since it was read';
    if (problem !== undefined) break;
    fixed.push(...after.fixed);
    if (isDry) break;
    report = await checkOnce(ctx, flags);
  }
  const human = fixed.flatMap(({ finding, file, inserted, removed }) => [
    `${isDry ? 'would fix' : 'fixed'} ${finding.code} at ${printable(`${file}:${finding.line}:${finding.column}`)}`,
    ...(removed === undefined ? [] : [ctx.out.style('red', `  - ${printable(removed)}`)]),
    ...(inserted === undefined ? [] : [ctx.out.style('cyan', `  + ${printable(inserted)}`)]),
  ]);
  if (problem !== undefined) human.push(`nothing ${fixed.length === 0 ? '' : 'more '}was fixed: ${problem}`);
  else if (fixed.length === 0) human.push('nothing to fix');
  const data = {
    dry_run: isDry,
    fixed: fixed.map(({ finding: { code, plan, step, line, column }, file, inserted, removed }) => ({
      code,
      ...(plan === undefined ? {} : { plan }),
      ...(step === undefined ? {} : { step }),
      file,
      ...(line === undefined ? {} : { line }),
      ...(column === undefined ? {} : { column }),
      ...(removed === undefined ? {} : { removed }),
      ...(inserted === undefined ? {} : { inserted }),
    })),
  };
  return { report, wrote: !isDry && fixed.length > 0, human, data };
}

export function failed(report: Report, flags: CheckFlags): boolean {
  // --only narrows what is shown, and --ignore says what shall not count.
  const errors = report.errors + (flags.only === undefined ? 0 : report.hiddenErrors);
  return errors > 0 || (report.warnings > 0 && flags.failOnWarning === true);
}

/** @throws CommandError `not_found` when there is no folder to check, `invalid_request` for flags. */
export async function checkOnce(ctx: Context, flags: CheckFlags): Promise<Report> {
  const wanted = codes(flags.only);
  const unwanted = codes(flags.ignore);
  const { map, mapText, airDir, files, imports, planHashes, findings: all, ignore } = await load(ctx, flags);
  const names = (finding: Finding) => [finding.code, finding.rule ?? '', finding.cause ?? ''];
  // Of a folder with errors, lints look at a part only.
  const isSound = all.every(({ level }) => level !== 'error');
  const mapShown = map === undefined ? undefined : shown(map, ctx.root);
  // A misspelt code would hide everything, and a script would take that for "no findings".
  if (flags.only !== undefined) await known(wanted, all.flatMap(names));
  const accepted = applyIgnores(all, ignore, mapShown, (code) => isSound || !code.startsWith('RL'));
  const selected = accepted.filter(
    (finding) =>
      (wanted.size === 0 || names(finding).some((name) => wanted.has(name))) &&
      !names(finding).some((name) => unwanted.has(name)),
  );
  const findings = inDocumentOrder(
    selected,
    files.map(({ path }) => path),
  );
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  return {
    map,
    mapText,
    airDir,
    files,
    imports,
    planHashes,
    findings,
    errors: count('error'),
    warnings: count('warning'),
    infos: count('info'),
    isBroken: !isSound,
    hiddenErrors: accepted.filter(({ level }) => level === 'error').length - count('error'),
  };
}

export function reportData(
  ctx: Context,
  { map, airDir, imports, planHashes, findings, hiddenErrors }: Report,
): { readonly [key: string]: Data } {
  return {
    ...(map === undefined ? {} : { map: shown(map, ctx.root) }),
    ...(airDir === undefined ? {} : { air_dir: shown(airDir, ctx.root) }),
    imports: [...imports].map(([found, contracts]) => importData(found, contracts, ctx.root, planHashes)),
    findings: findings.map(({ edit: _, ...finding }) => finding),
    ...(hiddenErrors === 0 ? {} : { hidden_errors: hiddenErrors }),
  };
}

function importData(
  found: ResolvedImport,
  contracts: readonly Contract[],
  from: string,
  planHashes: ReadonlyMap<string, string>,
): Data {
  const { pack, root, entry, installed, defsHash } = found;
  const has = (role: string) => contracts.some((contract) => contract.role === role);
  return {
    pack,
    root: shown(root, from),
    source: entry.source.kind,
    ...(installed === undefined ? {} : { version: installed.version }),
    defs_hash: defsHash,
    has_plans: contracts.length > 0,
    turnkey_capable: has('entry'),
    composable_core_capable: has('core'),
    contracts: contracts.map((contract) => ({
      name: contract.name,
      role: contract.role,
      input: contract.input,
      ...(contract.output === undefined ? {} : { output: contract.output }),
      emitted_events: contract.emittedEvents,
      awaited_events: contract.awaitedEvents,
      required_caps: contract.requiredCaps,
      allowed_effects: contract.allowedEffects,
      children: contract.children,
      // Of the plan as the world would have it: what is not listed, or not valid, has none.
      ...(planHashes.has(contract.name) ? { hash: planHashes.get(contract.name) } : {}),
    })),
    unknown_role_plans: contracts.filter(({ role }) => role === 'unknown').map(({ name }) => name),
  };
}

const NOTHING_READ = { files: [], result: undefined, imports: [], findings: [] } as const;

interface Loaded extends Pick<Report, 'map' | 'mapText' | 'airDir' | 'files' | 'imports' | 'planHashes' | 'findings'> {
  readonly ignore: readonly IgnoredFinding[];
}

/** Sync file → configuration → files → definitions (`packs.md` §4.1). What says where to look comes before what is there. */
async function load(ctx: Context, flags: CheckFlags): Promise<Loaded> {
  const { root } = ctx;
  const sync = await attempt(() => ctx.syncFile(flags.map));
  if (sync.value === undefined) {
    const nothing = { files: [], imports: new Map(), planHashes: new Map() };
    return { map: undefined, mapText: undefined, airDir: undefined, ...nothing, findings: sync.findings, ignore: [] };
  }
  const { path: map, text: mapText, airDir, ignore } = sync.value;
  // All that is asked of it is whether a policy is demanded: with a broken one the definitions are checked all the same.
  const policy = await attempt(() => ctx.requiresPolicy());
  const read = await attempt(() =>
    loadDefinitions(ctx, sync.value!, policy.value ?? false, { lints: true, asListed: true }),
  );
  const { files, result, imports, findings: ofImports } = read.value ?? NOTHING_READ;
  const catalog = result?.ok === true ? result.value.catalog : undefined;
  // A folder without imports does not load what judges them.
  const packs = imports.length === 0 ? undefined : await import('../pack-checks.ts');
  const wiring = result === undefined ? [] : (packs?.packFindings(sync.value, root, imports, files, result) ?? []);
  const diagnostics = result === undefined ? [] : result.ok ? result.value.warnings : result.failure;
  return {
    map,
    mapText,
    airDir,
    files,
    imports: new Map(imports.map((found) => [found, packs?.contractsOf(found, imports) ?? []])),
    planHashes: new Map([...(catalog?.plans ?? [])].map(([name, { hash }]) => [name, hashText(hash)])),
    findings: [...policy.findings, ...read.findings, ...ofImports, ...wiring, ...diagnostics.map(toFinding)],
    ignore,
  };
}

/** What stops a step is a finding. That there is no such folder is not: the request was wrong. */
async function attempt<T>(
  step: () => T | Promise<T>,
): Promise<{ readonly value?: T; readonly findings: readonly Finding[] }> {
  try {
    return { value: await step(), findings: [] };
  } catch (error) {
    if (!(error instanceof CommandError) || error.failure.code === 'not_found') throw error;
    return { findings: failureFindings(error.failure) };
  }
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

/**
 * @param found - names of what was found, which are known whatever they are.
 * @throws CommandError `invalid_request` for a word that is neither a code, nor a rule, nor found.
 */
async function known(wanted: ReadonlySet<string>, found: readonly string[]): Promise<void> {
  const strange = [...wanted].filter((word) => !found.includes(word));
  if (strange.length === 0) return;
  const { DIAGNOSTICS } = await import('../diagnostics/table.ts');
  const all = new Set([...DIAGNOSTICS].flatMap(([code, { rules }]) => [code, ...rules]));
  const word = strange.find((one) => !all.has(one));
  if (word === undefined) return;
  const { didYouMean } = await import('../suggest.ts');
  stop('invalid_request', `--only: there is no code or rule "${printable(word)}"`, {
    hint: didYouMean(word.toUpperCase(), all) ?? didYouMean(word, all) ?? '"worldline check --explain" lists all codes',
  });
}

/** One line for each import: what can be made of it. */
function importLines({ imports }: Report): readonly string[] {
  if (imports.size === 0) return [];
  const lines = [...imports].map(([found, contracts]) => {
    const roles = new Set(contracts.map(({ role }) => role));
    const profiles = [...(roles.has('entry') ? ['turnkey'] : []), ...(roles.has('core') ? ['composable-core'] : [])];
    const version = found.installed === undefined ? '' : ` ${found.installed.version}`;
    const what = profiles.length > 0 ? profiles.join(', ') : roles.size > 0 ? 'no profile' : 'definitions only';
    return `import ${printable(found.pack + version)}: ${what}, ${counted(found.nodes.length, 'definition')}`;
  });
  return [...lines, ''];
}

/** For people: each import, each finding with its source line, then how many there are. */
export function renderReport(ctx: Context, report: Report): string[] {
  const { files, findings, errors, warnings, infos } = report;
  const lines = new Map<string, SourceLines | undefined>();
  const linesOf = (file: string): SourceLines | undefined => {
    if (!lines.has(file)) {
      const text = files.find(({ path }) => path === file)?.text ?? textOf(resolve(ctx.root, file));
      lines.set(file, text === undefined ? undefined : new SourceLines(text));
    }
    return lines.get(file);
  };
  const human = [...importLines(report), ...findings.flatMap((finding) => [...show(ctx, finding, linesOf), ''])];
  const { hiddenErrors } = report;
  if (hiddenErrors > 0)
    human.push(
      `${counted(hiddenErrors, 'error')} ${hiddenErrors === 1 ? 'is' : 'are'} not shown: leave out --only and --ignore`,
    );
  if (findings.length === 0) {
    human.push(`${ctx.out.style('bold', 'no findings')} in ${counted(files.length, 'file')}`);
    return human;
  }
  const places = new Set(findings.flatMap(({ file }) => file ?? [])).size;
  const where = places === 0 ? '' : ` in ${counted(places, 'file')}`;
  const more = infos === 0 ? '' : `, ${infos} info`;
  human.push(`${counted(errors, 'error')}, ${counted(warnings, 'warning')}${more}${where}`);
  human.push(ctx.out.style('dim', `what a code means: worldline check --explain ${findings[0]?.code}`));
  return human;
}

/** For files that are not definitions: the sync file and the configuration. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const COLUMNS = 120;
const COLUMNS_MIN = 40;

/** `file:line:col  severity  code  rule  message`, the source line with a mark below, where in the node, the hint. */
function show(ctx: Context, finding: Finding, linesOf: (file: string) => SourceLines | undefined): string[] {
  const { out } = ctx;
  const { file, line, column = 1, level, code, rule, cause, name, path, fix } = finding;
  const place = file === undefined ? (path ?? '') : `${file}${line === undefined ? '' : `:${line}:${column}`}`;
  const colour = LEVEL_COLOURS[level];
  const lines = [
    [
      out.style('bold', printable(place === '' ? '/' : place)),
      out.style(colour, level),
      out.style(colour, code),
      ...(rule === undefined ? [] : [rule]),
      printable(finding.message),
    ].join('  '),
  ];
  const gutter = String(line ?? '');
  const columnsMax = Math.max(COLUMNS_MIN, Math.min(COLUMNS, out.columns ?? COLUMNS) - gutter.length - 6);
  const frame = file === undefined || line === undefined ? undefined : linesOf(file)?.frame(line, column, columnsMax);
  if (frame !== undefined) {
    const mark = `${' '.repeat(frame.indent)}${out.style(colour, '^'.repeat(frame.width))}`;
    lines.push(`  ${out.style('dim', `${gutter} |`)} ${frame.line}`);
    lines.push(`  ${' '.repeat(gutter.length)} ${out.style('dim', '|')} ${mark}`);
  }
  const about = [name, file === undefined ? undefined : path].filter((part) => part !== undefined && part !== '');
  if (about.length > 0) {
    const because = cause === undefined ? '' : `, ${cause}`;
    lines.push(`  in ${printable(about.join(' '))}${because}`);
  }
  if (fix !== undefined) lines.push(`  ${out.style('cyan', 'hint')}: ${printable(fix)}`);
  return lines;
}
