import {
  isJsonArray,
  isJsonObject,
  type Json,
  JsonFloat,
  type JsonObject,
  memberNames,
  printJson,
  ZERO_HASH_TEXT,
} from '@worldline/air';
import { type CborValue, compareUtf8, hashOf, hashText, pointer } from '@worldline/canon';
import { shown } from './air-folder.ts';
import type { Environment } from './context.ts';
import type { Detail } from './failure.ts';
import type { ResolvedImport } from './imports.ts';
import type { SyncFile } from './sync-file.ts';

/** Locks of imports (`packs.md` §2.5): what was imported when somebody last looked. */

/**
 * `H` over the ascending list of `[kind, name, authoring hash]`, each once: how definitions are spread over files, and what
 * else the world has, does not matter.
 */
export function defsHash(
  nodes: readonly { readonly json: JsonObject; readonly kind: string; readonly name: string }[],
): string {
  const rows = new Map(
    nodes.map(({ json, kind, name }) => {
      const row = [kind, name, authoringHash(json)] as const;
      return [row.join(' '), row] as const;
    }),
  );
  const order = [...rows.values()].sort(
    (a, b) => compareUtf8(a[0], b[0]) || compareUtf8(a[1], b[1]) || compareUtf8(a[2], b[2]),
  );
  return hashText(hashOf(order.map((row) => [...row])));
}

/** Hash of a node as it was written, before anything is filled in from its world. */
function authoringHash(node: JsonObject): string {
  const hash = node['wasm_hash'];
  const isOpen =
    node['$kind'] === 'defmodule' && (hash === undefined || hash === null || hash === '' || hash === 'sha256:');
  return hashText(hashOf(plainJson(isOpen ? { ...node, wasm_hash: ZERO_HASH_TEXT } : node)));
}

/** Fractions are no values of the language; where one stands by mistake its text counts. */
export function plainJson(json: Json): CborValue {
  if (json instanceof JsonFloat) return json.text;
  if (isJsonArray(json)) return json.map(plainJson);
  if (!isJsonObject(json)) return json;
  return Object.fromEntries(memberNames(json).map((key) => [key, plainJson(json[key] as Json)]));
}

/** The lock that says what is there now. */
export function lockOf({ entry: { source }, installed, defsHash: hash }: ResolvedImport): JsonObject {
  if (source.kind === 'path' || installed === undefined) {
    return {
      source: 'path',
      path: (source.kind === 'path' ? source.path : '').split('\\').join('/'),
      defs_hash: hash,
    };
  }
  const { name, version, airDir } = installed;
  return { source: 'npm', package: name, version, air_dir: airDir, defs_hash: hash };
}

export type LockState = 'same' | 'missing' | 'different';

/** A text compares the definitions alone, an object every member that it has. */
export function lockState(found: ResolvedImport): LockState {
  const { lock } = found.entry;
  if (lock === undefined) return 'missing';
  if (typeof lock === 'string') return lock === found.defsHash ? 'same' : 'different';
  const now = lockOf(found);
  return memberNames(lock).every((key) => lock[key] === now[key]) ? 'same' : 'different';
}

/** Locks that are missing or different, as findings. */
export function lockProblems(sync: SyncFile, imports: readonly ResolvedImport[], shownFrom: string): readonly Detail[] {
  return imports.flatMap((found): Detail[] => {
    const state = lockState(found);
    if (state === 'same') return [];
    const { entry, pack } = found;
    const is = state === 'missing' ? 'has no lock' : 'is not what its lock says';
    return [
      {
        code: state === 'missing' ? 'import.lock_missing' : 'import.lock_mismatch',
        pointer: pointer(['air', 'imports', entry.index]),
        message: `import "${pack}" ${is}; now it would be "lock": ${printJson(lockOf(found))}`,
        hint: 'look at what changed, then run "worldline sync lock"',
        file: sync.path === undefined ? undefined : shown(sync.path, shownFrom),
        ...entry.position,
      },
    ];
  });
}

/** Do missing and different locks stop a command? */
export function locksAreStrict(env: Environment): boolean {
  const ci = env['CI'];
  const isCi = ci !== undefined && ci !== '' && !['false', '0'].includes(ci.toLowerCase());
  return isCi || ['1', 'true', 'yes', 'on'].includes(env['WORLDLINE_IMPORT_LOCK_STRICT']?.toLowerCase() ?? '');
}
