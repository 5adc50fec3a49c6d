import { existsSync } from 'node:fs';
import { readIdentity, useNativeSha256 } from '@worldline/host';
import type { Store, WorldRow } from '@worldline/ports';
import type { Context } from '../context.ts';
import { checkDisk, checkFiles, checkNode, checkPermissions } from '../doctor/machine.ts';
import { checkProcess } from '../doctor/process.ts';
import { type Finding, Report } from '../doctor/report.ts';
import { checkFile, checkJournal, checkKeys, checkRow, checkStatus } from '../doctor/store.ts';
import { checkWorld } from '../doctor/world.ts';
import { EXIT } from '../exit-code.ts';
import { openReadOnly } from '../open-store.ts';
import { counted, printable } from '../output.ts';

/**
 * `worldline doctor`: what is wrong with this world and what can be done. It changes nothing, needs no world that can be
 * opened, and one check that fails does not keep the others from being made.
 */
export async function doctor(ctx: Context): Promise<void> {
  useNativeSha256();
  const report = new Report();
  const folder = await ctx.folder();
  checkNode(report, process.versions.node);
  const hasConfig = await checkFiles(ctx, report);
  if (existsSync(folder.dir)) {
    await report.look('permissions', () => checkPermissions(report, folder));
    await report.look('disk', () => checkDisk(report, folder.dir));
  }
  const identity = await report.look('world', async () => {
    const read = await readIdentity(folder);
    if (!read.ok) report.problem('world', 'world.damaged', read.failure.message, read.failure.hint);
    return read.ok ? (read.value ?? 'none') : undefined;
  });
  if (identity === 'none') report.ok('world', 'not created yet; "worldline run" does it');
  else if (hasConfig) await checkStored(ctx, report, identity);
  answer(ctx, report);
}

/** Everything that is in the store. @param identity - undefined when world.json cannot be read. */
async function checkStored(
  ctx: Context,
  report: Report,
  identity: Parameters<typeof checkRow>[2] | undefined,
): Promise<void> {
  const folder = await ctx.folder();
  const dir = await ctx.storeDir();
  const isReadable = await report.look('store', () => checkFile(report, dir));
  const store = isReadable === true ? await report.look('store', async () => await openReadOnly(dir)) : undefined;
  try {
    const nowNs = (await store?.nowNs()) ?? BigInt(Date.now()) * 1_000_000n;
    const row =
      store === undefined || identity === undefined
        ? undefined
        : await report.look('world', () => checkRow(report, store, identity));
    const isRunning = await report.look('lock', () => checkProcess(ctx, report, folder, row, nowNs));
    if (store !== undefined && row !== undefined)
      await checkContents(ctx, report, store, row, nowNs, isRunning === true);
  } finally {
    await store?.close();
  }
}

async function checkContents(
  ctx: Context,
  report: Report,
  store: Store,
  row: WorldRow,
  nowNs: bigint,
  isRunning: boolean,
): Promise<void> {
  const folder = await ctx.folder();
  const config = await ctx.config();
  const journal = await report.look('state', () => checkJournal(report, store, row, config, nowNs));
  checkStatus(report, row, journal?.kernel === undefined ? (journal?.reason ?? 'host_error') : undefined);
  await checkKeys(report, store, folder, row);
  if (journal?.kernel !== undefined)
    await checkWorld({ ctx, report, folder, config, store, row, kernel: journal.kernel, nowNs, isRunning });
}

const MARKS: Readonly<Record<Finding['level'], string>> = { ok: 'ok', warning: 'warning', problem: 'PROBLEM' };

function answer(ctx: Context, report: Report): void {
  const [problems, warnings] = [report.count('problem'), report.count('warning')];
  const width = Math.max(...report.findings.map(({ check }) => check.length));
  const lines = report.findings.flatMap(({ check, level, code, finding, help }) => {
    const mark = MARKS[level].padEnd(7);
    const painted = level === 'ok' ? mark : ctx.out.style(level === 'problem' ? 'red' : 'yellow', mark);
    return [
      `${painted}  ${check.padEnd(width)}  ${printable(finding)}${code === undefined ? '' : `  [${code}]`}`,
      ...(help === undefined ? [] : [`${' '.repeat(width + 11)}→ ${printable(help)}`]),
    ];
  });
  ctx.out.answer(
    [
      ...lines,
      '',
      problems + warnings === 0
        ? 'nothing is wrong'
        : `${counted(problems, 'problem')}, ${counted(warnings, 'warning')}`,
    ],
    { world: ctx.root, problems, warnings, checks: report.findings.map((finding) => ({ ...finding })) },
  );
  if (problems > 0) process.exitCode = EXIT.check;
}
