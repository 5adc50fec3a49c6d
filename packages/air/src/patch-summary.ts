import { compareUtf8, hashText } from '@worldline/canon';
import type { Json } from './json.ts';
import { SECTION_KINDS } from './load-resolve.ts';
import { defaultsBlock, type ManifestParts } from './manifest-parts.ts';
import { members } from './node-json.ts';
import { SECTIONS } from './node-manifest.ts';
import type { DefKind } from './node-parse.ts';
import { blockHash } from './patch-apply.ts';

/**
 * `sys/GovPatchSummary@1` (`governance.md` §2.7): what a patch changes, found by comparing base and candidate. It is never
 * taken from the operations, so nobody can say one thing and do another.
 */
export interface PatchSummary {
  readonly baseManifestHash: Uint8Array;
  readonly patchHash: Uint8Array;
  /** Sorted. */
  readonly ops: readonly string[];
  /** By kind, name and action. */
  readonly defChanges: readonly DefChange[];
  /** Sorted. */
  readonly manifestSections: readonly ManifestSection[];
}

export type DefAction = 'added' | 'changed' | 'removed';

export interface DefChange {
  readonly kind: DefKind;
  readonly name: string;
  readonly action: DefAction;
}

export type ManifestSection =
  | 'defaults'
  | 'routing_events'
  | 'routing_inboxes'
  | 'triggers'
  | 'module_bindings'
  | 'secrets'
  | 'manifest_refs';

const OP_OF_ACTION: Readonly<Record<DefAction, string>> = {
  added: 'add_def',
  changed: 'replace_def',
  removed: 'remove_def',
};

export function patchSummary(
  base: { readonly hash: Uint8Array; readonly parts: ManifestParts },
  candidate: ManifestParts,
  patchHash: Uint8Array,
): PatchSummary {
  const defChanges = changedDefs(base.parts, candidate);
  const manifestSections = changedSections(base.parts, candidate, defChanges.length > 0);
  const ops = new Set([
    ...defChanges.map(({ action }) => OP_OF_ACTION[action]),
    ...manifestSections.map((section) => `set_${section}`),
  ]);
  return {
    baseManifestHash: base.hash,
    patchHash,
    ops: [...ops].sort(compareUtf8),
    defChanges,
    manifestSections,
  };
}

/** One entry per reference that differs, by kind, name and action. */
export function changedDefs(base: ManifestParts, candidate: ManifestParts): readonly DefChange[] {
  const changes: DefChange[] = [];
  for (const section of SECTIONS) {
    const kind = SECTION_KINDS[section];
    const before = new Map(base.refs[section].map(({ name, hash }) => [name, hash]));
    const after = new Map(candidate.refs[section].map(({ name, hash }) => [name, hash]));
    for (const [name, hash] of after) {
      const old = before.get(name);
      if (old === undefined) changes.push({ kind, name, action: 'added' });
      else if (old !== hash) changes.push({ kind, name, action: 'changed' });
    }
    for (const name of before.keys()) if (!after.has(name)) changes.push({ kind, name, action: 'removed' });
  }
  return changes.sort((a, b) => compareUtf8(a.kind, b.kind) || compareUtf8(a.name, b.name));
}

function changedSections(base: ManifestParts, candidate: ManifestParts, refsDiffer: boolean): ManifestSection[] {
  const blocks: readonly (readonly [ManifestSection, (parts: ManifestParts) => Json])[] = [
    ['defaults', defaultsBlock],
    ['module_bindings', (parts) => parts.bindings],
    ['routing_events', (parts) => parts.events],
    ['routing_inboxes', (parts) => parts.inboxes],
    ['secrets', (parts) => sortedSecrets(parts)],
    ['triggers', (parts) => parts.triggers],
  ];
  const sections = blocks
    .filter(([, block]) => blockHash(block(base)) !== blockHash(block(candidate)))
    .map(([section]) => section);
  return (refsDiffer ? [...sections, 'manifest_refs' as const] : sections).sort(compareUtf8);
}

/** The order of the list says nothing. */
function sortedSecrets(parts: ManifestParts): readonly string[] {
  return parts.secrets.map(blockHash).sort(compareUtf8);
}

/** As sugar of its schema, for people and tools. */
export function summaryToJson(summary: PatchSummary): Json {
  return members({
    base_manifest_hash: hashText(summary.baseManifestHash),
    patch_hash: hashText(summary.patchHash),
    ops: summary.ops,
    def_changes: summary.defChanges.map(({ kind, name, action }) =>
      members({ kind, name, action: members({ [action]: null }) }),
    ),
    manifest_sections: summary.manifestSections,
  });
}
