/**
 * Expected trouble is a returned value. A function that can fail for a reason the caller should handle returns
 * `Result`; a broken invariant throws.
 */

/** Where something is, from the document root: `['steps', 2, 'after', 0]`. */
export type Path = readonly (string | number)[];

/** A failure is data: a permanent code, where it is, what was found, what to try. */
export interface Failure {
  /** Permanent `area.reason` text that callers may branch on. Wording of `message` is not permanent. */
  readonly code: string;
  readonly path: Path;
  readonly message: string;
  /** The next thing to try, when there is one. */
  readonly hint?: string | undefined;
}

export type Result<T, F = Failure> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: F };

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function fail<F>(failure: F): { readonly ok: false; readonly failure: F } {
  return { ok: false, failure };
}

/** A failure turned into an exception, only at the outer edge where callers expect to catch. */
export class FailureError extends Error {
  override readonly name = 'FailureError';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(`${failure.code}: ${failure.message}`);
    this.failure = failure;
  }
}

/** The value, or a thrown `FailureError`. For tests, tools and places where a failure is a bug. */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new FailureError(result.failure);
}

/** JSON Pointer (RFC 6901) text of a path; the root is the empty string. */
export function pointer(path: Path): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
