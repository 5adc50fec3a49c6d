import type { Logger, LogLevel } from '@worldline/ports';
import { printable } from './output.ts';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** Log lines of a running world on stderr: for people, or one JSON object each. */
export function streamLogger(
  write: (line: string) => void,
  options: { readonly level: LogLevel; readonly json: boolean },
): Logger {
  const from = LEVELS.indexOf(options.level);
  const at =
    (level: LogLevel) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
      if (LEVELS.indexOf(level) < from) return;
      const time = new Date().toISOString();
      if (options.json) {
        write(
          `${JSON.stringify({ time, level, message, ...fields }, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}\n`,
        );
        return;
      }
      const rest = Object.entries(fields).map(
        ([name, value]) =>
          ` ${name}=${typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : (JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? 'undefined')}`,
      );
      write(`${time} ${level.padEnd(5)} ${printable(message + rest.join(''))}\n`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
