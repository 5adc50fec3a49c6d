import { existsSync, readFileSync } from 'node:fs';
import { inspectLock, isDeadWorker, type WorldFolder } from '@worldline/host';
import type { WorldRow } from '@worldline/ports';
import { defaultAddress, readDaemonFile } from '@worldline/server';
import { formatDuration } from '@worldline/summary';
import type { Context } from '../context.ts';
import { Control, controlSocket } from '../control.ts';
import { CommandError } from '../failure.ts';
import type { Report } from './report.ts';

/** Who runs the world: lock, lease, socket (`host.md` §1). */

/** How long a healthy process may take to answer, whatever `--timeout-ms` allows. */
const ANSWER_MS = 5_000;

/**
 * @param row - absent when the store cannot be read.
 * @returns whether a process runs the world and may write.
 */
export async function checkProcess(
  ctx: Context,
  report: Report,
  folder: WorldFolder,
  row: WorldRow | undefined,
  nowNs: bigint,
): Promise<boolean> {
  const state = await inspectLock(folder.lock);
  const lease = row?.lease;
  const isValid = lease !== undefined && lease.expiresAtNs > nowNs;
  if (state.state !== 'alive') {
    await checkNobody(report, folder, state.state === 'dead', isValid ? lease : undefined, nowNs);
    return false;
  }
  const { pid, mode, worker } = state.lock;
  if (row === undefined) {
    report.ok('lock', `process ${pid} holds it`);
  } else if (isStopped(pid)) {
    report.problem(
      'lock',
      'process.stopped',
      `process ${pid} holds this world and is stopped${isValid ? '' : '; its lease has run out, so another one may take it over'}`,
      `kill -CONT ${pid}, or "worldline run" here`,
    );
    return false;
  } else if (lease === undefined || lease.holder !== worker) {
    report.problem(
      'lock',
      'lock.mismatch',
      `process ${pid} holds the lock, but the lease is ${lease === undefined ? 'nobody’s' : `held by ${lease.holder}`}`,
      `end process ${pid}; it can write nothing`,
    );
    return false;
  } else if (!isValid) {
    report.problem(
      'lock',
      'lease.expired',
      `process ${pid} has not renewed its lease for ${formatDuration(nowNs - lease.expiresAtNs)}`,
      '"worldline run" takes the world over',
    );
    return false;
  } else report.ok('lock', `process ${pid} runs this world${mode === 'batch' ? ' for one command' : ''}`);
  if (mode === 'daemon') await checkControl(ctx, report, folder, pid);
  return true;
}

async function checkNobody(
  report: Report,
  folder: WorldFolder,
  isStale: boolean,
  lease: WorldRow['lease'],
  nowNs: bigint,
): Promise<void> {
  if (lease !== undefined && !(await isDeadWorker(lease.holder)))
    report.problem(
      'lock',
      'lease.held',
      `no process of this folder runs the world, but ${lease.holder} holds its lease for ${formatDuration(lease.expiresAtNs - nowNs)} more`,
      'wait until it ends, or end that process on its machine',
    );
  else if (isStale)
    report.warn('lock', 'lock.stale', 'the process that held the lock is gone', 'worldline run takes the world over');
  else report.ok('lock', 'nobody runs this world');
  const daemon = readDaemonFile(folder.dir);
  const left = [
    ...(daemon === undefined ? [] : ['daemon.json']),
    ...(process.platform !== 'win32' && existsSync(defaultAddress(folder.dir)) ? ['control.sock'] : []),
  ];
  if (left.length > 0)
    report.warn(
      'socket',
      'control.stale',
      `a process that is gone left ${left.join(' and ')}`,
      'worldline run replaces them',
    );
  else report.ok('socket', 'none, as nobody runs this world');
}

async function checkControl(ctx: Context, report: Report, folder: WorldFolder, pid: number): Promise<void> {
  const daemon = readDaemonFile(folder.dir);
  if (daemon?.pid !== pid) {
    report.problem(
      'socket',
      'control.missing',
      `process ${pid} runs this world and listens nowhere`,
      `kill -TERM ${pid} ends it cleanly; its log says why`,
    );
    return;
  }
  const control = new Control(ctx, await controlSocket(ctx), Math.min(ctx.flags.timeoutMs, ANSWER_MS));
  try {
    const info = await control.get('/api/info');
    report.ok('socket', `answers, version ${String(info['version'])}`);
  } catch (error) {
    if (!(error instanceof CommandError) || ctx.interrupted.aborted) throw error;
    const { code, message } = error.failure;
    if (code === 'draining') report.warn('socket', 'draining', 'the world is being stopped', 'wait a moment');
    else
      report.problem(
        'socket',
        code === 'timeout' ? 'control.silent' : 'control.unreachable',
        message,
        `kill -TERM ${pid} ends it cleanly`,
      );
  }
}

/** Stopped by a signal or a debugger, where the system tells. */
function isStopped(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The state stands after the command name, which may itself hold spaces and parentheses.
    const state = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[0];
    return state === 'T' || state === 't';
  } catch {
    return false;
  }
}
