import { type Catalog, type Json, type JsonObject, manifestParts } from '@worldline/air';
import { decode, hashText } from '@worldline/canon';
import { stop } from './failure.ts';
import type { Reader } from './reader.ts';

/** A manifest as the store of a world has it. */
export interface ActiveManifest {
  readonly hash: Uint8Array;
  /** Canonical, as JSON. */
  readonly json: JsonObject;
  /** Canonical bytes. */
  readonly bytes: Uint8Array;
  readonly catalog: Catalog;
}

/** The live manifest. @throws CommandError `journal.corrupt`. */
export async function activeManifest(reader: Reader): Promise<ActiveManifest> {
  return manifestAt(reader, (await reader.catalog()).manifestHash);
}

/** A manifest that the journal names. @throws CommandError `journal.corrupt` when the store lacks it. */
export function manifestAt(reader: Reader, hash: Uint8Array): ActiveManifest {
  const catalog = reader.catalogOf(hash);
  const bytes = reader.object(hash);
  if (bytes === undefined) return stop('journal.corrupt', `manifest ${hashText(hash)} is not in the store`);
  return { hash, json: nodeJson(bytes, hash), bytes, catalog };
}

/** A stored node. @throws CommandError `journal.corrupt`. */
export function nodeJson(bytes: Uint8Array, hash: Uint8Array): JsonObject {
  const decoded = decode(bytes);
  return decoded.ok ? (decoded.value as Json as JsonObject) : stop('journal.corrupt', `${hashText(hash)} is no node`);
}

/** How many definitions of its own a manifest lists. */
export function ownDefinitions(manifest: JsonObject): number {
  return Object.values(manifestParts(manifest).refs)
    .flat()
    .filter(({ name }) => !name.startsWith('sys/')).length;
}
