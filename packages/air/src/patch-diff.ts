import { compareUtf8, hashText } from '@worldline/canon';
import type { Json, JsonObject } from './json.ts';
import { SECTION_KINDS } from './load-resolve.ts';
import { defaultsBlock, type ManifestParts, manifestParts } from './manifest-parts.ts';
import { members } from './node-json.ts';
import { SECTIONS } from './node-manifest.ts';
import type { DefKind } from './node-parse.ts';
import { addAll } from './node-read.ts';
import { blockHash } from './patch-apply.ts';

/** The smallest patch document that leads from one manifest to another (`packs.md` §7, step 5). */

export interface ManifestDiff {
  /** Undefined when nothing differs. */
  readonly document: JsonObject | undefined;
  /** Definitions that only the base has, and that stay. */
  readonly kept: readonly { readonly kind: DefKind; readonly name: string }[];
}

export interface DiffOptions {
  /** Remove what only the base has. */
  readonly prune?: boolean | undefined;
}

/**
 * @param base - The active manifest, canonical.
 * @param candidate - The manifest to reach, canonical; the order of its references is not a difference, and references to
 *   `sys/` names are none either: the compiler lists those that are needed.
 * @param node - Canonical node of a definition that the candidate lists.
 */
export function diffManifests(
  base: { readonly hash: Uint8Array; readonly manifest: JsonObject },
  candidate: JsonObject,
  node: (hash: string) => Json,
  options: DiffOptions = {},
): ManifestDiff {
  const before = manifestParts(base.manifest);
  const after = manifestParts(candidate);
  const { ops, kept } = diffDefs(before, after, node, options.prune === true);
  addAll(ops, diffBlocks(before, after));
  const document =
    ops.length === 0
      ? undefined
      : members({
          version: '1',
          base_manifest_hash: hashText(base.hash),
          patches: ops.map(([op, body]) => members({ [op]: body })),
        });
  return { document, kept };
}

type Op = readonly [op: string, body: JsonObject];

function diffDefs(
  before: ManifestParts,
  after: ManifestParts,
  node: (hash: string) => Json,
  prune: boolean,
): { readonly ops: Op[]; readonly kept: ManifestDiff['kept'] } {
  const ops: Op[] = [];
  const kept: { kind: DefKind; name: string }[] = [];
  for (const section of SECTIONS) {
    const kind = SECTION_KINDS[section];
    const ours = (parts: ManifestParts) =>
      new Map(
        parts.refs[section]
          .filter(({ name }) => !name.startsWith('sys/'))
          .sort((a, b) => compareUtf8(a.name, b.name))
          .map(({ name, hash }) => [name, hash]),
      );
    const [old, wanted] = [ours(before), ours(after)];
    for (const [name, hash] of wanted) {
      const current = old.get(name);
      if (current === undefined) ops.push(['add_def', members({ kind, node: node(hash) })]);
      else if (current !== hash)
        ops.push(['replace_def', members({ kind, name, new_node: node(hash), pre_hash: current })]);
    }
    for (const [name, hash] of old) {
      if (wanted.has(name)) continue;
      if (prune) ops.push(['remove_def', members({ kind, name, pre_hash: hash })]);
      else kept.push({ kind, name });
    }
  }
  return { ops, kept };
}

function diffBlocks(before: ManifestParts, after: ManifestParts): Op[] {
  const ops: Op[] = [];
  const [oldDefaults, newDefaults] = [defaultsBlock(before), defaultsBlock(after)];
  if (blockHash(oldDefaults) !== blockHash(newDefaults)) {
    const grants = blockHash(before.grants) === blockHash(after.grants) ? undefined : after.grants;
    const policy = before.policy === after.policy ? undefined : (after.policy ?? null);
    ops.push(['set_defaults', members({ pre_hash: blockHash(oldDefaults), policy, cap_grants: grants })]);
  }
  const block = (op: string, key: string, of: (parts: ManifestParts) => Json) => {
    const preHash = blockHash(of(before));
    if (preHash !== blockHash(of(after))) ops.push([op, members({ pre_hash: preHash, [key]: of(after) })]);
  };
  block('set_routing_events', 'events', (parts) => parts.events);
  block('set_routing_inboxes', 'inboxes', (parts) => parts.inboxes);
  block('set_triggers', 'triggers', (parts) => parts.triggers);
  block('set_module_bindings', 'bindings', (parts) => parts.bindings);
  return ops;
}
