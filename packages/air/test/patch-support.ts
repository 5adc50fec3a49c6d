import { hashText, pointer, type Result, toHex } from '@worldline/canon';
import {
  type CompiledPatch,
  type CompileOptions,
  compilePatch,
  type JsonObject,
  type Loaded,
  type PatchFailure,
} from '../src/index.ts';
import { type Authored, load } from './fixtures.ts';

/** A world in memory that patches are tried on. */
export class PatchBase {
  readonly #objects = new Map<string, Uint8Array>();
  manifest!: JsonObject;
  hash!: Uint8Array;

  constructor(nodes: readonly Authored[] | Loaded) {
    this.use('catalog' in nodes ? nodes : loaded(nodes));
  }

  /** Makes a loaded manifest the base. */
  use(from: Loaded): void {
    this.put(from.objects);
    this.manifest = from.manifestNode as JsonObject;
    this.hash = from.catalog.manifestHash;
  }

  put(objects: readonly { readonly hash: Uint8Array; readonly bytes: Uint8Array }[]): void {
    for (const { hash, bytes } of objects) this.#objects.set(toHex(hash), bytes);
  }

  readonly get = (hash: Uint8Array) => this.#objects.get(toHex(hash));

  get objectCount(): number {
    return this.#objects.size;
  }

  /** Hash that the base lists for a name. */
  ref(section: string, name: string): string {
    const list = (this.manifest as Authored)[section] as { name: string; hash: string }[];
    return list.find((ref) => ref.name === name)!.hash;
  }

  document(patches: readonly Authored[], more: Authored = {}): Authored {
    return { version: '1', base_manifest_hash: hashText(this.hash), patches, ...more };
  }

  compile(patches: readonly Authored[], options?: CompileOptions): Result<CompiledPatch, readonly PatchFailure[]> {
    return this.compileDocument(this.document(patches), options);
  }

  compileDocument(document: Authored, options?: CompileOptions): Result<CompiledPatch, readonly PatchFailure[]> {
    return compilePatch(JSON.stringify(document), this.get, options);
  }
}

export function loaded(nodes: readonly Authored[]): Loaded {
  const result = load(nodes);
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}

/** `code pointer` of every failure. */
export function refusals(result: Result<unknown, readonly PatchFailure[]>): string[] {
  return result.ok ? [] : result.failure.map(({ code, path }) => `${code} ${pointer(path)}`.trimEnd());
}

/** The compiled patch. @throws with what was wrong. */
export function compiled(result: Result<CompiledPatch, readonly PatchFailure[]>): CompiledPatch {
  if (!result.ok) throw new Error(JSON.stringify(result.failure, undefined, 1));
  return result.value;
}
