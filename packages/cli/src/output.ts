import { type Json, JsonFloat } from '@worldline/air';
import { pointer } from '@worldline/canon';
import type { CommandFailure, Detail } from './failure.ts';

/**
 * Everything a command says (`host.md` §12.1). Data goes to stdout; notices and errors go to stderr; with `--json`
 * stdout carries exactly one object.
 */

export interface OutputOptions {
  readonly json: boolean;
  readonly pretty: boolean;
  readonly meta: boolean;
  readonly quiet: boolean;
}

export interface Streams {
  readonly stdout: {
    write(text: string | Uint8Array): unknown;
    readonly isTTY?: boolean | undefined;
    readonly columns?: number | undefined;
  };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean | undefined };
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Data of an answer: JSON, with bigints beyond 2^53 and absent members left out. */
export type Data =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Data[]
  | { readonly [key: string]: Data | undefined }
  | Json;

export interface Meta {
  readonly journal_height: number;
  readonly manifest_hash: string;
  readonly snapshot_hash?: string | undefined;
}

const STYLES = { red: 31, yellow: 33, cyan: 36, bold: 1, dim: 2 } as const;

export class Output {
  readonly options: OutputOptions;
  readonly #streams: Streams;
  readonly #warnings: string[] = [];
  #answered = false;

  constructor(options: OutputOptions, streams: Streams) {
    this.options = options;
    this.#streams = streams;
  }

  get json(): boolean {
    return this.options.json;
  }

  /** Width of the terminal; undefined when stdout is none. */
  get columns(): number | undefined {
    const { stdout } = this.#streams;
    return stdout.isTTY === true ? stdout.columns : undefined;
  }

  /** Something worth knowing that is not the answer. With `--json` it is a member `warnings` of the answer. */
  notice(text: string): void {
    if (this.options.quiet) return;
    if (this.options.json) this.#warnings.push(text);
    else this.#streams.stderr.write(`${this.#paint('stderr', 'yellow', 'notice')}: ${printable(text)}\n`);
  }

  /** What is going on while a command runs; nothing with `--json` or `--quiet`. */
  progress(text: string): void {
    if (!this.options.quiet && !this.options.json) this.#streams.stderr.write(`${printable(text)}\n`);
  }

  /** One line on a terminal that is written over and over while a long command runs, and is gone at its end. */
  transient(): { show(text: string): void; end(): void } {
    const { stderr } = this.#streams;
    if (this.options.quiet || this.options.json || stderr.isTTY !== true) return { show() {}, end() {} };
    let isShown = false;
    return {
      show(text) {
        isShown = true;
        stderr.write(`\r\u001b[K${printable(text)}`);
      },
      end() {
        if (isShown) stderr.write('\r\u001b[K');
      },
    };
  }

  /**
   * The answer.
   *
   * @param human - lines for people, already printable; an empty list prints nothing.
   */
  answer(human: readonly string[], data: Data, meta?: Meta): void {
    if (this.#answered) throw new Error('a command answers once');
    this.#answered = true;
    if (!this.options.json) {
      if (human.length > 0) this.#streams.stdout.write(`${human.join('\n')}\n`);
      return;
    }
    this.#object({
      data,
      ...(meta === undefined || !this.options.meta ? {} : { meta: { ...meta } }),
      ...(this.#warnings.length === 0 ? {} : { warnings: this.#warnings }),
    });
  }

  /** One line of a stream: an object of its own with `--json`. */
  line(human: string, data: Data): void {
    this.#answered = true;
    this.#streams.stdout.write(`${this.options.json ? toJson(data, false) : human}\n`);
  }

  /** Empties the screen; nothing where stdout is no terminal. */
  clear(): void {
    // Screen and what scrolled out of it: the newest answer stands alone.
    if (this.#streams.stdout.isTTY === true && !this.options.json)
      this.#streams.stdout.write('\u001b[H\u001b[2J\u001b[3J');
  }

  /** Raw bytes for `--raw`. */
  bytes(bytes: Uint8Array): void {
    this.#answered = true;
    this.#streams.stdout.write(bytes);
  }

  failure(failure: CommandFailure): void {
    const at = failure.path === undefined || failure.path.length === 0 ? undefined : pointer(failure.path);
    if (this.options.json) {
      const details = {
        ...(at === undefined ? {} : { pointer: at }),
        ...(failure.hint === undefined ? {} : { hint: failure.hint }),
        ...(failure.details === undefined ? {} : { failures: failure.details.map((one) => ({ ...one })) }),
      };
      this.#object({
        error: {
          code: failure.code,
          message: failure.message,
          ...(Object.keys(details).length === 0 ? {} : { details }),
        },
      });
      return;
    }
    const lines = [`${this.#paint('stderr', 'red', `error[${failure.code}]`)}: ${printable(failure.message)}`];
    if (at !== undefined) lines.push(`  at ${printable(at)}`);
    const { details = [] } = failure;
    const [itself] = details.length === 1 ? details.filter((one) => isSaid(failure, one)) : [];
    for (const one of details) {
      const where = placeOf(one);
      if (one === itself) {
        if (!failure.message.startsWith(where)) lines.push(`  at ${printable(where)}`);
        continue;
      }
      lines.push(`  ${printable(where === '' ? '/' : where)}  ${one.code}  ${printable(one.message)}`);
      if (one.hint !== undefined) lines.push(`    hint: ${printable(one.hint)}`);
    }
    const isHinted = itself === undefined && details.some(({ hint }) => hint === failure.hint);
    if (failure.hint !== undefined && !isHinted)
      lines.push(`  ${this.#paint('stderr', 'cyan', 'hint')}: ${printable(failure.hint)}`);
    this.#streams.stderr.write(`${lines.join('\n')}\n`);
  }

  /** Text in a colour, where stdout is a terminal that wants colours. */
  style(style: keyof typeof STYLES, text: string): string {
    return this.#paint('stdout', style, text);
  }

  #paint(stream: 'stdout' | 'stderr', style: keyof typeof STYLES, text: string): string {
    const { env } = this.#streams;
    const colour = this.#streams[stream].isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
    return colour ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text;
  }

  #object(object: Data): void {
    this.#streams.stdout.write(`${toJson(object, this.options.pretty)}\n`);
  }
}

function placeOf({ file, line, column, pointer: at }: Detail): string {
  if (file === undefined) return at;
  return line === undefined ? file : `${file}:${line}:${column ?? 1}`;
}

/** A reason in a file that the failure itself has told already, place aside. */
function isSaid({ code, message, hint }: CommandFailure, one: Detail): boolean {
  return one.file !== undefined && one.code === code && message.endsWith(one.message) && one.hint === hint;
}

/** Control and format characters, line and paragraph separators: all but line feed and tab. */
const STEERING = /(?![\n\t])[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** Text without control characters, so that nothing from a world can steer the terminal. */
export function printable(text: string): string {
  return text.replace(STEERING, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `1 error`, `2 errors`. */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** A table: header line, columns two spaces apart, numbers to the right. */
export function table(
  header: readonly string[],
  rows: readonly (readonly (string | number | bigint | undefined)[])[],
): string[] {
  const cells = rows.map((row) =>
    header.map((_, i) =>
      printable(String(row[i] ?? ''))
        .replaceAll('\n', '\\n')
        .replaceAll('\t', ' '),
    ),
  );
  const right = header.map(
    (_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number' || typeof row[i] === 'bigint'),
  );
  const widths = header.map((title, i) => Math.max(width(title), ...cells.map((row) => width(row[i]!))));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) =>
        right[i] ? ' '.repeat(widths[i]! - width(cell)) + cell : cell + ' '.repeat(widths[i]! - width(cell)),
      )
      .join('  ')
      .trimEnd();
  return [line(header), ...cells.map(line)];
}

/** Columns that a text takes, near enough for tables: one per character. */
function width(text: string): number {
  return [...text].length;
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** JSON text; integers beyond 2^53−1 as decimal strings, bytes never appear. */
export function toJson(value: Data, pretty: boolean): string {
  return JSON.stringify(
    value,
    (_key, member: unknown) => {
      if (typeof member === 'bigint')
        return member <= MAX_SAFE && member >= -MAX_SAFE ? Number(member) : String(member);
      if (member instanceof JsonFloat) return Number(member.text);
      return member;
    },
    pretty ? 2 : undefined,
  );
}
