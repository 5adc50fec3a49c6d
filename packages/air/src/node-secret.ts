import type { Path } from '@worldline/canon';
import { type Json, type JsonObject, shorten } from './json.ts';
import { given, IDENT, type NodeReader } from './node-read.ts';

/** What defsecrets, secret references and inline declarations of a manifest share (`definitions.md` §3.7, §3.8). */

/** `allowed_caps` and `allowed_plans`, of a defsecret or of an inline secret's policy. */
export function readAllowed(
  json: JsonObject,
  path: Path,
  reader: NodeReader,
): { readonly allowedCaps: readonly string[]; readonly allowedPlans: readonly string[] } {
  return {
    allowedCaps:
      reader.each(given(json, 'allowed_caps'), [...path, 'allowed_caps'], (item, at) =>
        reader.ident(item, at, IDENT),
      ) ?? [],
    allowedPlans:
      reader.each(given(json, 'allowed_plans'), [...path, 'allowed_plans'], (item, at) => reader.name(item, at)) ?? [],
  };
}

/** V-611: the name of a secret is its alias, `@` and a version; V-105 for the rest of it. */
export function readSecretName(
  json: Json | undefined,
  path: Path,
  reader: NodeReader,
): { readonly name: string; readonly alias: string; readonly version: number } | undefined {
  const found = reader.text(json, path);
  if (found === undefined) return undefined;
  const at = found.lastIndexOf('@');
  const digits = found.slice(at + 1);
  const version = Number(digits);
  const reason =
    at < 0
      ? 'missing @version suffix'
      : /^0+$/.test(digits)
        ? 'version must be >= 1'
        : /^[1-9][0-9]*$/.test(digits) && Number.isSafeInteger(version)
          ? undefined
          : 'version is not a positive integer';
  if (reason !== undefined) {
    return reader.report({
      rule: 'V-611',
      code: 'secret.name_invalid',
      path,
      message: `"${shorten(found)}": ${reason}`,
      fields: { name: shorten(found), reason },
    });
  }
  const name = reader.name(found, path);
  return name === undefined ? undefined : { name, alias: name.slice(0, at), version };
}
