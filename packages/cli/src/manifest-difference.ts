import {
  AuthoredWorld,
  type AuthorityChange,
  authorityChanges,
  type CompiledPatch,
  compilePatch,
  diffManifests,
  type Json,
  type JsonObject,
  type Loaded,
  type ManifestDiff,
  manifestParts,
  printJson,
} from '@worldline/air';
import { compareUtf8, hashText, toHex } from '@worldline/canon';
import type { Kernel } from '@worldline/kernel';
import { type ActiveManifest, activeManifest, nodeJson } from './active-manifest.ts';
import type { Context } from './context.ts';
import { loadDefinitions } from './definition-files.ts';
import { CommandError, detail } from './failure.ts';
import type { Reader } from './reader.ts';

/** What separates the definitions of a folder from those that a world runs (`packs.md` §7). */
export interface ManifestDifference {
  readonly active: ActiveManifest;
  /** Undefined when nothing would change. */
  readonly change: ManifestChange | undefined;
  /** In the world only, and staying there. */
  readonly kept: ManifestDiff['kept'];
}

export interface ManifestChange {
  readonly document: JsonObject;
  readonly compiled: CompiledPatch;
  readonly authority: readonly AuthorityChange[];
  /** Grants as an author writes them, by name; before and after. */
  readonly grants: { readonly before: ReadonlyMap<string, string>; readonly after: ReadonlyMap<string, string> };
}

/**
 * The folder's definitions against the live ones.
 *
 * @param prune - what the folder lacks is to go.
 * @throws CommandError with the code of a patch that does not compile: in a folder that `check` accepts, because of what
 *   would be kept.
 */
export async function difference(
  reader: Reader,
  loaded: Loaded,
  options: { readonly prune: boolean; readonly requirePolicy: boolean },
): Promise<ManifestDifference> {
  const active = await activeManifest(reader);
  const { document, kept } = diffOf(active, loaded, options.prune);
  if (document === undefined) return { active, change: undefined, kept };
  const get = (hash: Uint8Array) => reader.object(hash);
  const compiled = compilePatch(printJson(document, 2), get, { requirePolicy: options.requirePolicy });
  if (!compiled.ok) {
    const first = compiled.failure[0]!;
    const why = first.details ?? compiled.failure;
    const hint =
      kept.length === 0 ? first.hint : 'the world has definitions that this folder lacks; --prune-defs removes them';
    throw new CommandError({
      code: first.code,
      message: first.message,
      path: first.path,
      hint,
      details: why.map(detail),
    });
  }
  const made = new Map(compiled.value.objects.map((object) => [toHex(object.hash), object.bytes]));
  const getNew = (hash: Uint8Array) => made.get(toHex(hash)) ?? get(hash);
  const { manifestHash } = compiled.value;
  const authority = authorityChanges(active.json, nodeJson(getNew(manifestHash)!, manifestHash));
  const grants = { before: writtenGrants(active.hash, get), after: writtenGrants(manifestHash, getNew) };
  return { active, change: { document, compiled: compiled.value, authority, grants }, kept };
}

function writtenGrants(
  manifestHash: Uint8Array,
  get: (hash: Uint8Array) => Uint8Array | undefined,
): ReadonlyMap<string, string> {
  const world = AuthoredWorld.of(manifestHash, get);
  if (!world.ok) throw new Error(`a manifest that was loaded before does not load: ${world.failure[0]?.message}`);
  const { grants } = manifestParts(world.value.manifest);
  return new Map(grants.map((grant) => [String((grant as JsonObject)['name']), printJson(grant)]));
}

function diffOf(active: ActiveManifest, loaded: Loaded, prune: boolean): ManifestDiff {
  const nodes = new Map(loaded.objects.map((object) => [hashText(object.hash), object]));
  const node = (text: string): Json => {
    const object = nodes.get(text);
    if (object === undefined) throw new Error(`loaded definitions lack ${text}`);
    return nodeJson(object.bytes, object.hash);
  };
  const base = { hash: active.hash, manifest: active.json };
  return diffManifests(base, loaded.manifestNode as JsonObject, node, { prune });
}

/** Whether a folder says something else than the world runs; false when it does not load, which is for `check` to explain. */
export async function folderDiffers(ctx: Context, reader: Reader): Promise<boolean> {
  try {
    const { result } = await loadDefinitions(ctx, ctx.syncFile(), false);
    if (!result.ok) return false;
    const { document, kept } = diffOf(await activeManifest(reader), result.value, false);
    return document !== undefined || kept.length > 0;
  } catch (error) {
    // A world runs from its store: a folder that is gone or broken is no reason to stop.
    if (error instanceof CommandError) return false;
    throw error;
  }
}

/** Runs that would end, or do end, under another manifest than the one that is to be active. */
export interface PinnedRuns {
  readonly plan: string;
  readonly planIds: readonly number[];
}

/** Live runs by plan, oldest first. */
export function pinnedRuns(kernel: Kernel, active: Uint8Array): readonly PinnedRuns[] {
  const byPlan = new Map<string, number[]>();
  for (const { id, name, manifestHash } of kernel.instances()) {
    if (toHex(manifestHash) === toHex(active)) continue;
    byPlan.set(name, [...(byPlan.get(name) ?? []), id]);
  }
  return [...byPlan].sort(([a], [b]) => compareUtf8(a, b)).map(([plan, planIds]) => ({ plan, planIds }));
}
