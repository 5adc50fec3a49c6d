import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';

/**
 * The lock file of a world folder (`host.md` §1): the local form of the lease. It tells who runs the world; the lease
 * in the store decides.
 *
 * O1  A lock is stale when its process is dead: no such pid, another start time, or another boot.
 * O2  A process removes or replaces only its own lock, or one that it may take over.
 */
export interface LockInfo {
  readonly pid: number;
  /** When the process started, as the system names it; compared for equality only. */
  readonly started_at: string;
  readonly boot_id: string;
  readonly mode: 'daemon' | 'batch';
  /** Worker id that holds the lease. */
  readonly worker: string;
  readonly epoch: number;
}

export type LockState =
  | { readonly state: 'absent' }
  /** Its process is gone: the lease may be taken over from `lock.worker` at once. */
  | { readonly state: 'dead'; readonly lock: LockInfo | undefined }
  /** Its process lives; whether it still may write is for the lease to say. */
  | { readonly state: 'alive'; readonly lock: LockInfo; readonly since: Date };

export async function inspectLock(path: string): Promise<LockState> {
  const lock = await readLock(path);
  if (lock === undefined) return { state: 'absent' };
  // Half a file is what a crash inside a write leaves; nobody holds it.
  if (lock === 'damaged') return { state: 'dead', lock: undefined };
  if (!(await isAlive(lock))) return { state: 'dead', lock };
  // The file is replaced with every lease, so its time is that of the holder's.
  const made = await stat(path).catch(() => undefined);
  return { state: 'alive', lock, since: made?.mtime ?? new Date() };
}

/** Replaces the lock by this process's; called after the lease was acquired. */
export async function writeLock(
  path: string,
  own: { readonly mode: LockInfo['mode']; readonly worker: string; readonly epoch: number },
): Promise<LockInfo> {
  const info: LockInfo = {
    pid: process.pid,
    started_at: await startTime(process.pid),
    boot_id: await bootId(),
    ...own,
  };
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(info)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  return info;
}

/**
 * Name of this process as a lease holder. It tells which process it is, so that a later one on the same machine can
 * prove it dead although no lock file speaks of it: a crash may fall between the lease and the lock.
 */
export async function workerId(): Promise<string> {
  return `${await bootId()}/${process.pid}/${await startTime(process.pid)}/${randomBytes(6).toString('hex')}`;
}

/** Process of a worker that `workerId` named. */
export function workerPid(worker: string): number | undefined {
  const pid = Number(worker.split('/')[1]);
  return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
}

/** Whether `worker` was a process of this boot of this machine that is gone. */
export async function isDeadWorker(worker: string): Promise<boolean> {
  const [boot_id, pid, started_at] = worker.split('/');
  if (boot_id !== (await bootId()) || pid === undefined || started_at === undefined || started_at === '') return false;
  return !(await isAlive({ boot_id, pid: Number(pid), started_at }));
}

/** Removes the lock if it is still the one that `writeLock` gave. */
export async function removeLock(path: string, own: LockInfo): Promise<void> {
  const lock = await readLock(path);
  if (lock === undefined || lock === 'damaged' || lock.pid !== own.pid || lock.worker !== own.worker) return;
  await rm(path, { force: true });
}

async function readLock(path: string): Promise<LockInfo | 'damaged' | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const lock = JSON.parse(text) as Partial<LockInfo> | null;
    const whole =
      lock !== null && typeof lock === 'object' && Number.isSafeInteger(lock.pid) && typeof lock.worker === 'string';
    return whole ? (lock as LockInfo) : 'damaged';
  } catch {
    return 'damaged';
  }
}

/** Whether the process that a lock names still is that process: pids are used again. */
export async function isAlive(lock: Pick<LockInfo, 'boot_id' | 'pid' | 'started_at'>): Promise<boolean> {
  if (lock.boot_id !== (await bootId())) return false;
  try {
    process.kill(lock.pid, 0);
  } catch (error) {
    // No permission means that the process exists.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return (await startTime(lock.pid)) === lock.started_at;
}

let boot: string | undefined;

/** Changes with every start of the machine where the system tells it; else it names the machine only. */
async function bootId(): Promise<string> {
  boot ??= await readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    (text) => text.trim(),
    () => `host:${hostname()}`,
  );
  return boot;
}

/** Start time of a process in the system's own words; empty where it cannot be asked. */
async function startTime(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    try {
      const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
      // Field 22, counted after the command name, which may itself hold spaces and parentheses.
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    } catch {
      return '';
    }
  }
  if (process.platform === 'win32') return '';
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}
