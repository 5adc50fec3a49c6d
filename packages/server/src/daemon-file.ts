import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `.worldline/daemon.json` (`host.md` §1): how to reach the process that runs the world. Removed when it exits. */
export interface DaemonInfo {
  readonly pid: number;
  readonly http_url?: string | undefined;
  /** Path of the control socket, or name of the pipe. */
  readonly socket?: string | undefined;
  /** RFC 3339. */
  readonly started_at: string;
  readonly version: string;
}

export function daemonFile(dir: string): string {
  return join(dir, 'daemon.json');
}

/** @returns undefined when there is none, or none that can be read: nobody is reached by it then. */
export function readDaemonFile(dir: string): DaemonInfo | undefined {
  try {
    const info = JSON.parse(readFileSync(daemonFile(dir), 'utf8')) as Partial<DaemonInfo> | null;
    return Number.isSafeInteger(info?.pid) ? (info as DaemonInfo) : undefined;
  } catch {
    return undefined;
  }
}

/** Replaces what is there as a whole, so that no reader sees half of it. */
export function writeDaemonFile(dir: string, info: DaemonInfo): void {
  const path = daemonFile(dir);
  const temporary = `${path}.${info.pid}`;
  writeFileSync(temporary, `${JSON.stringify(info, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}

/** Removes the file if it is still that process's (`host.md` §1: another one may have taken the world over). */
export function removeDaemonFile(dir: string, pid: number): void {
  if (readDaemonFile(dir)?.pid === pid) rmSync(daemonFile(dir), { force: true });
}
