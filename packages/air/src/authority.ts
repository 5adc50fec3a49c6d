import { compareUtf8 } from '@worldline/canon';
import { type Json, type JsonObject, printJson } from './json.ts';
import { type ManifestParts, type ManifestRef, manifestParts } from './manifest-parts.ts';
import { blockHash } from './patch-apply.ts';
import type { DefAction } from './patch-summary.ts';

/**
 * What a change of manifest does to authority (`governance.md` §4.4, `ledger_deltas`): everything that decides which
 * effects may leave, so that whoever approves or pushes sees it.
 */
export interface AuthorityChange {
  readonly ledger: 'capability' | 'policy' | 'grant' | 'default_policy' | 'secret' | 'binding';
  readonly name: string;
  readonly change: DefAction;
  /** Hash, name or canonical JSON of what stood there. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

/** By ledger in the order above, then name. Both manifests canonical. */
export function authorityChanges(base: JsonObject, candidate: JsonObject): readonly AuthorityChange[] {
  const [before, after] = [manifestParts(base), manifestParts(candidate)];
  const refs = (of: (parts: ManifestParts) => readonly ManifestRef[]) => (parts: ManifestParts) =>
    new Map(of(parts).map(({ name, hash }) => [name, hash]));
  return [
    ...changes(
      'capability',
      before,
      after,
      refs((parts) => parts.refs.caps),
    ),
    ...changes(
      'policy',
      before,
      after,
      refs((parts) => parts.refs.policies),
    ),
    ...changes(
      'grant',
      before,
      after,
      named((parts) => parts.grants),
    ),
    ...changes('default_policy', before, after, (parts) =>
      parts.policy === undefined ? new Map() : new Map([['default', parts.policy]]),
    ),
    ...changes('secret', before, after, (parts) => secretsOf(parts)),
    ...changes('binding', before, after, bindingsOf),
  ];
}

function changes(
  ledger: AuthorityChange['ledger'],
  base: ManifestParts,
  candidate: ManifestParts,
  entries: (parts: ManifestParts) => ReadonlyMap<string, string>,
): readonly AuthorityChange[] {
  const [before, after] = [entries(base), entries(candidate)];
  const names = [...new Set([...before.keys(), ...after.keys()])].sort(compareUtf8);
  return names.flatMap((name): AuthorityChange[] => {
    const [old, wanted] = [before.get(name), after.get(name)];
    if (old === wanted) return [];
    const change = old === undefined ? 'added' : wanted === undefined ? 'removed' : 'changed';
    return [{ ledger, name, change, before: old, after: wanted }];
  });
}

function named(of: (parts: ManifestParts) => readonly Json[]) {
  return (parts: ManifestParts): ReadonlyMap<string, string> =>
    new Map(of(parts).map((grant) => [String((grant as JsonObject)['name']), printJson(grant)]));
}

/** References by name, inline declarations by alias and version. */
function secretsOf(parts: ManifestParts): ReadonlyMap<string, string> {
  return new Map(
    parts.secrets.map((secret) => {
      const { name, hash, alias, version } = secret as JsonObject;
      return name === undefined
        ? [`${String(alias)}@${String(version)}`, blockHash(secret)]
        : [String(name), String(hash)];
    }),
  );
}

function bindingsOf(parts: ManifestParts): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(parts.bindings).flatMap(([module, binding]) =>
      Object.entries(((binding as JsonObject)['slots'] ?? {}) as JsonObject).map(([slot, grant]): [string, string] => [
        `${module}#${slot}`,
        String(grant),
      ]),
    ),
  );
}
