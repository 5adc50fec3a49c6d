import { existsSync, writeFileSync } from 'node:fs';
import type { FailpointModule, FailpointName, Failpoints } from '@worldline/ports';

/** What happens at one failpoint. Plain data: it goes to child processes and threads. */
export interface FailpointRule {
  readonly at: FailpointName;
  /** Only there with this at hand; absent: with anything. */
  readonly what?: string | undefined;
  /** 1, the default: the first time. */
  readonly hit?: number | undefined;
  /**
   * `kill`: the process ends as by `kill -9`. `EIO`, `ENOSPC`: the system's error, from this hit on `times` times.
   * `hold`: the thread stands still from the moment `file` appears until somebody removes it.
   */
  readonly act: 'kill' | 'EIO' | 'ENOSPC' | 'hold';
  /** 1 by default. */
  readonly times?: number | undefined;
  readonly file?: string | undefined;
}

/** Failpoints of the calling thread. */
export function failpoints(rules: readonly FailpointRule[]): Failpoints {
  const counts = rules.map(() => 0);
  return {
    reach(point, what) {
      rules.forEach((rule, i) => {
        if (rule.at !== point || (rule.what !== undefined && rule.what !== what)) return;
        counts[i]!++;
        const first = rule.hit ?? 1;
        if (counts[i]! >= first && counts[i]! < first + (rule.times ?? 1)) act(rule);
      });
    },
  };
}

/** The same for a thread that the store starts. */
export function failpointModule(rules: readonly FailpointRule[]): FailpointModule {
  return { url: import.meta.url, plan: rules };
}

function act(rule: FailpointRule): void {
  switch (rule.act) {
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      // The signal ends every thread, this one perhaps an instant later.
      for (;;) sleep(1_000);
    case 'EIO':
    case 'ENOSPC':
      throw systemError(rule.act);
    case 'hold':
      if (rule.file === undefined) throw new TypeError('hold needs a file');
      writeFileSync(rule.file, rule.at);
      while (existsSync(rule.file)) sleep(5);
      return;
    default:
      rule.act satisfies never;
  }
}

/** Like the errors of file calls and, for SQLite's own reads of `errcode`, like SQLITE_IOERR_FSYNC and SQLITE_FULL. */
function systemError(code: 'EIO' | 'ENOSPC'): Error {
  const message = code === 'EIO' ? 'disk I/O error' : 'database or disk is full';
  return Object.assign(new Error(`${message} (injected)`), {
    code,
    syscall: 'fsync',
    errcode: code === 'EIO' ? 1034 : 13,
  });
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
