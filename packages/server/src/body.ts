import { JsonFloat } from '@worldline/air';
import { type Failure, pointer } from '@worldline/canon';
import type { HostFailure } from '@worldline/host';

/** Bodies of answers (`host.md` §8.2). */

/** JSON with bigints, and absent members left out. */
export type Body =
  | null
  | boolean
  | number
  | bigint
  | string
  | JsonFloat
  | readonly Body[]
  | { readonly [key: string]: Body | undefined };

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** Integers beyond 2^53−1 become decimal strings. */
export function bodyText(body: Body): string {
  return JSON.stringify(body, (_key, member: unknown) => {
    if (typeof member === 'bigint') return member <= MAX_SAFE && member >= -MAX_SAFE ? Number(member) : String(member);
    return member instanceof JsonFloat ? Number(member.text) : member;
  });
}

/** `{ code, message, details? }`; the details say where, what to try, and which single failures lie behind it. */
export function failureBody(failure: HostFailure): Body {
  const details = {
    pointer: failure.path.length === 0 ? undefined : pointer(failure.path),
    hint: failure.hint,
    failures: failure.details === undefined || failure.details.length === 0 ? undefined : failure.details.map(single),
  };
  const isEmpty = Object.values(details).every((member) => member === undefined);
  return { code: failure.code, message: failure.message, details: isEmpty ? undefined : details };
}

function single(failure: Failure): Body {
  return { code: failure.code, pointer: pointer(failure.path), message: failure.message, hint: failure.hint };
}
