import type { Path } from '@worldline/canon';
import { type Json, type JsonObject, shorten } from './json.ts';
import type { NodeReader } from './node-read.ts';
import { ALLOWED_SHAPE } from './node-shape.ts';

/** What defsecrets, secret references and inline declarations of a manifest share (`definitions.md` §3.7, §3.8). */

/** `allowed_caps` and `allowed_plans`, of a defsecret or of an inline secret's policy. */
export function readAllowed(
  json: JsonObject,
  path: Path,
  reader: NodeReader,
): { readonly allowedCaps: readonly string[]; readonly allowedPlans: readonly string[] } {
  return {
    allowedCaps: reader.take(json, path, ALLOWED_SHAPE, 'allowed_caps') ?? [],
    allowedPlans: reader.take(json, path, ALLOWED_SHAPE, 'allowed_plans') ?? [],
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
      hint: 'Secrets are called alias@version, with versions from 1: mail/key@1.',
      fields: { name: shorten(found), reason },
    });
  }
  const name = reader.name(found, path);
  return name === undefined ? undefined : { name, alias: name.slice(0, at), version };
}
