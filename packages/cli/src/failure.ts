import { type Failure, type Path, pointer } from '@worldline/canon';

/** One of several reasons behind a failure, as `--json` shows it. */
export interface Detail {
  readonly code: string;
  /** JSON Pointer into the document that was given. */
  readonly pointer: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

/** What went wrong with a command, for a person and for a program. */
export interface CommandFailure {
  readonly code: string;
  readonly message: string;
  readonly path?: Path | undefined;
  readonly hint?: string | undefined;
  readonly details?: readonly Detail[] | undefined;
}

/** Thrown by commands; caught once, where it becomes output and an exit code. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly failure: CommandFailure;

  constructor(failure: CommandFailure) {
    super(`${failure.code}: ${failure.message}`);
    this.failure = failure;
  }
}

const SEE_DOCTOR = '"worldline doctor" says why, and what to do';

/** What helps wherever such a failure comes from, in case nothing nearer is known. */
const HINTS: Readonly<Record<string, string>> = {
  'journal.corrupt': '"worldline journal verify" names what is damaged; restore the store from a copy',
  'world.archived': SEE_DOCTOR,
  'world.paused': SEE_DOCTOR,
  'world.quarantined': SEE_DOCTOR,
};

/** The failure with the next thing to do, if there is one. */
export function withHint(failure: CommandFailure): CommandFailure {
  const hint = failure.hint ?? (Object.hasOwn(HINTS, failure.code) ? HINTS[failure.code] : undefined);
  return hint === undefined ? failure : { ...failure, hint };
}

/** Stops the command. */
export function stop(code: string, message: string, rest: Omit<CommandFailure, 'code' | 'message'> = {}): never {
  throw new CommandError({ code, message, ...rest });
}

interface Located extends Failure {
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

/** A failure of another package as a detail. */
export function detail(failure: Located): Detail {
  const { code, message, hint, file, line, column } = failure;
  return { code, pointer: pointer(failure.path), message, hint, file, line, column };
}

/** Stops with a failure of another package, its own failures as details. */
export function stopWith(failure: Failure & { readonly details?: readonly Failure[] | undefined }): never {
  throw new CommandError({
    code: failure.code,
    message: failure.message,
    path: failure.path,
    hint: failure.hint,
    ...(failure.details === undefined || failure.details.length === 0 ? {} : { details: failure.details.map(detail) }),
  });
}
