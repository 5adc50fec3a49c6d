/** Exit codes of `host.md` §12.1 and which failure code has which (§15). */
export const EXIT = {
  success: 0,
  failure: 1,
  usage: 2,
  unreachable: 3,
  notFound: 4,
  forbidden: 5,
  conflict: 6,
  check: 7,
  timeout: 8,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const CODES: Readonly<Record<string, ExitCode>> = {
  invalid_request: EXIT.usage,
  decode_error: EXIT.usage,
  'auth.required': EXIT.forbidden,
  'auth.invalid': EXIT.forbidden,
  'auth.scope': EXIT.forbidden,
  'auth.host': EXIT.forbidden,
  'auth.origin': EXIT.forbidden,
  'schema.reserved': EXIT.forbidden,
  'approval.role': EXIT.forbidden,
  'fabric.refused': EXIT.forbidden,
  not_found: EXIT.notFound,
  'def.missing': EXIT.notFound,
  'schema.unknown': EXIT.notFound,
  'plan.unknown': EXIT.notFound,
  'inbox.unrouted': EXIT.notFound,
  'receipt.unknown': EXIT.notFound,
  'trace.root_missing': EXIT.notFound,
  'fabric.no_inbox': EXIT.notFound,
  'blob.missing': EXIT.notFound,
  'store.not_found': EXIT.notFound,
  'store.missing': EXIT.notFound,
  'ingress.conflict': EXIT.conflict,
  'plan.not_live': EXIT.conflict,
  'approval.decided': EXIT.conflict,
  'fabric.schema_mismatch': EXIT.conflict,
  'config.conflict': EXIT.conflict,
  'effect.deferred': EXIT.conflict,
  'effect.in_flight': EXIT.conflict,
  'world.locked': EXIT.conflict,
  'world.archived': EXIT.conflict,
  timeout: EXIT.timeout,
  draining: EXIT.unreachable,
  opening: EXIT.unreachable,
  unreachable: EXIT.unreachable,
  'checkpoint.invalid': EXIT.check,
  'summary.inconsistent': EXIT.check,
  'build.stale': EXIT.check,
  'build.types_stale': EXIT.check,
  interrupted: EXIT.interrupted,
};

/** Exit code of a failure; 1 for every code that the table does not name. */
export function exitCode(code: string): ExitCode {
  return Object.hasOwn(CODES, code) ? CODES[code]! : EXIT.failure;
}
