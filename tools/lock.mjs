// One set-up or build at a time, however many terminals ask for one. Plain JavaScript for any Node from 18 on.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT } from './node.mjs';

const LOCK = join(ROOT, '.worldline-setup.lock');

/** Whether a process with this id runs on this machine. */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Process id in the lock file; undefined when there is none to read (released just now, or not yet written). */
function holder(file) {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

function tryTake(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  }
}

/** Take the lock of a process that died with it. Of several waiters one wins the rename; the others look again. */
function buryDead(file, pid) {
  const grave = `${file}.${process.pid}`;
  try {
    renameSync(file, grave);
  } catch {
    return;
  }
  // Between the look and the rename someone else may have buried it and taken the lock anew: give that one back.
  const taken = Number(readFileSync(grave, 'utf8'));
  if (taken && taken !== pid) renameSync(grave, file);
  else rmSync(grave, { force: true });
}

/**
 * Run `work` while no other process of this checkout does.
 *
 * @param {() => unknown} work
 * @param {(pid: number) => void} [onWait] - Called once with the holder's process id if there is a wait.
 * @param {string} [file] - The lock file: a process id, or absent.
 */
export async function exclusively(work, onWait, file = LOCK) {
  let said = false;
  while (!tryTake(file)) {
    const pid = holder(file);
    if (pid !== undefined && !isAlive(pid)) {
      buryDead(file, pid);
      continue;
    }
    if (!said && pid !== undefined) onWait?.(pid);
    said ||= pid !== undefined;
    await delay(100);
  }
  const release = () => rmSync(file, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}
