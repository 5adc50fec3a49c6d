import type { Logger, LogLevel } from '@worldline/ports';
import type { HostEvent } from './dispatcher.ts';
import type { Redactor } from './secrets.ts';

/** What a host tells beside the journal: best effort, to whoever watches at that moment (`host.md` §9, topic `host`). */
export type HostReport =
  | HostEvent
  | {
      readonly event: 'log';
      readonly level: LogLevel;
      readonly message: string;
      readonly fields?: Readonly<Record<string, unknown>> | undefined;
    };

/** Hands reports on, with every known secret replaced (`host.md` §6.4). */
export class HostWatch {
  readonly #redactor: Redactor;
  readonly #listeners = new Set<(report: HostReport) => void>();

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  /** @param listener - must not throw. @returns a function that ends it. */
  listen(listener: (report: HostReport) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  report(report: HostReport): void {
    if (this.#listeners.size === 0) return;
    const told = this.#redactor.data(report) as HostReport;
    for (const listener of this.#listeners) listener(told);
  }

  /** The same logger, with whoever watches; what is said for developers only is for the log alone. */
  logger(log: Logger): Logger {
    const line =
      (level: LogLevel): Logger['info'] =>
      (message, fields) => {
        log[level](message, fields);
        this.report({ event: 'log', level, message, fields });
      };
    return {
      debug: (message, fields) => log.debug(message, fields),
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
    };
  }
}
