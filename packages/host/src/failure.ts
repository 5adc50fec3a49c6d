import { type Failure, fail, type Path } from '@worldline/canon';

/** What the host answers when something cannot be done; codes are those of `host.md` §15. */
export interface HostFailure extends Failure {
  /** The single failures behind a refused value. */
  readonly details?: readonly Failure[] | undefined;
}

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: HostFailure };

export function refuse(
  code: string,
  message: string,
  extra: { readonly path?: Path; readonly hint?: string; readonly details?: readonly Failure[] } = {},
): { readonly ok: false; readonly failure: HostFailure } {
  const { path = [], hint, details } = extra;
  return fail({ code, path, message, hint, details });
}
