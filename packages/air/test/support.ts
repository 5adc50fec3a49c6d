import { unwrap } from '@worldline/canon';
import { typeFromNotation } from '../src/builtins-notation.ts';
import { type Json, parseJson, type Type, type TypeScope, type ValueFailure } from '../src/index.ts';

/** Helpers of this package's tests. */

/** A type in the notation of the documents: `{a: int, b?: text}`. */
export function type(notation: string): Type {
  return typeFromNotation(notation);
}

/** JSON read as the package reads it. */
export function json(text: string): Json {
  return unwrap(parseJson(text));
}

/** Named schemas, types in notation. */
export function scopeOf(schemas: { readonly [name: string]: string }): TypeScope {
  const types = new Map(Object.entries(schemas).map(([name, notation]) => [name, type(notation)]));
  return { lookup: (name) => types.get(name) };
}

/** Schemas that the vectors and examples of `values.md` use. */
export const SCHEMAS: TypeScope = scopeOf({
  'com.acme/Point@1': '{x: int, y: int}',
  'com.acme/Ev@1': 'variant(Go: com.acme/Point@1, Stop, Opt: option<nat>)',
  'com.acme/Alias@1': 'com.acme/Alias2@1',
  'com.acme/Alias2@1': 'com.acme/Point@1',
  'com.acme/Loop@1': 'com.acme/Loop2@1',
  'com.acme/Loop2@1': 'com.acme/Loop@1',
  'sys/TimerSetParams@1': '{deliver_at_ns: nat, key?: text}',
  'sys/HttpRequestParams@1': '{method: text, url: text, headers: map<text, text>, body_ref?: hash}',
});

/** Failures as `code path`, the two things a test may rely on. */
export function summary(failures: readonly ValueFailure[]): string[] {
  return failures.map((failure) => `${failure.code} /${failure.path.join('/')}`);
}
