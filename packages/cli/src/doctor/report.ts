import { FailureError } from '@worldline/canon';
import { CommandError, withHint } from '../failure.ts';

/** What `worldline doctor` found out about one thing. */
export interface Finding {
  /** What was looked at: `lock`. */
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'problem';
  /** Permanent; absent when nothing is wrong. */
  readonly code?: string | undefined;
  readonly finding: string;
  /** A command or a change that helps. */
  readonly help?: string | undefined;
}

/** Collects findings; a check that fails itself is a finding too, and the others go on. */
export class Report {
  readonly findings: Finding[] = [];

  ok(check: string, finding: string): void {
    this.findings.push({ check, level: 'ok', finding });
  }

  warn(check: string, code: string, finding: string, help?: string): void {
    this.findings.push({ check, level: 'warning', code, finding, help });
  }

  problem(check: string, code: string, finding: string, help?: string): void {
    this.findings.push({ check, level: 'problem', code, finding, help });
  }

  count(level: Finding['level']): number {
    return this.findings.filter((finding) => finding.level === level).length;
  }

  /** @returns what `run` gave; undefined when it failed, which is then a problem with the failure's own code. */
  async look<T>(check: string, run: () => Promise<T> | T): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (error instanceof CommandError || error instanceof FailureError) {
        const { code, message, hint } = withHint(error.failure);
        this.problem(check, code, message, hint);
      } else {
        const { code, message } = error as NodeJS.ErrnoException;
        this.problem(check, 'host_error', code === undefined ? String(error) : message);
      }
      return undefined;
    }
  }
}

/** `2 GiB`, `14 MiB` */
export function sizeText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [size, unit] = [bytes, 0];
  while (size >= 1024 && unit < units.length - 1) [size, unit] = [size / 1024, unit + 1];
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}
