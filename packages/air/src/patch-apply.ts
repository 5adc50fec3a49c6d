import { type CborValue, hashOf, hashText, type Path } from '@worldline/canon';
import { ZERO_HASH_TEXT } from './builtins.ts';
import type { Json } from './json.ts';
import { SECTION_KINDS } from './load-resolve.ts';
import { defaultsBlock, type ManifestParts, type ManifestRef } from './manifest-parts.ts';
import { SECTIONS, type Section } from './node-manifest.ts';
import type { DefKind } from './node-parse.ts';
import type { Origin, Problem } from './node-read.ts';
import type { PatchDocument, PatchOp, PatchRef } from './patch-document.ts';

/**
 * The rules between the operations of a patch and its base (`governance.md` §2.1, §2.2, §2.3, §2.5).
 *
 * P1  Every `pre_hash` is compared with the base, never with what an earlier operation made of it. No two operations
 *     touch the same thing, so their order never shows.
 * P2  Whatever is looked up is looked up by kind and name: a schema and a module of one name are two things.
 */

export interface OwnNode {
  readonly kind: DefKind;
  readonly name: string;
  readonly node: Json;
  /** Of the node in the document. */
  readonly path: Path;
  /** `add_def` of a definition that the base has: right only if it is the same one. */
  readonly mustEqual: string | undefined;
}

export interface Draft {
  /** References to nodes of the patch have the zero hash until those are hashed. */
  readonly parts: ManifestParts;
  /** By `kind name`. */
  readonly own: ReadonlyMap<string, OwnNode>;
  /** Hashes that were written beside a node of the patch, to be compared with its own. */
  readonly written: readonly PatchRef[];
  /** References that name a node of the store. */
  readonly stored: readonly PatchRef[];
  readonly warnings: readonly Problem[];
}

export function keyOf(def: { readonly kind: DefKind; readonly name: string }): string {
  return `${def.kind} ${def.name}`;
}

export function sectionOfKind(kind: DefKind): Section {
  return SECTIONS.find((section) => SECTION_KINDS[section] === kind) as Section;
}

/** @returns every problem in document order; the draft is good when there is none. */
export function applyPatch(
  document: PatchDocument,
  base: ManifestParts,
  options: { readonly requireHashes: boolean },
): { readonly draft: Draft; readonly problems: readonly Problem[] } {
  return new Application(document, base, options.requireHashes).run();
}

class Application {
  readonly #origin: Origin;
  readonly #ops: readonly PatchOp[];
  readonly #base: ManifestParts;
  readonly #requireHashes: boolean;
  readonly #problems: Problem[] = [];
  readonly #warnings: Problem[] = [];
  readonly #refs: Record<Section, Map<string, ManifestRef>>;
  #parts: ManifestParts;
  readonly #own = new Map<string, OwnNode>();
  readonly #written: PatchRef[] = [];
  readonly #stored: PatchRef[] = [];
  /** `kind name` and block operations, to the operation that touches them. */
  readonly #touched = new Map<string, PatchOp['op']>();

  constructor(document: PatchDocument, base: ManifestParts, requireHashes: boolean) {
    this.#origin = document.origin;
    this.#ops = document.ops;
    this.#base = base;
    this.#requireHashes = requireHashes;
    this.#parts = base;
    this.#refs = Object.fromEntries(
      SECTIONS.map((section) => [section, new Map(base.refs[section].map((ref) => [ref.name, ref]))]),
    ) as Record<Section, Map<string, ManifestRef>>;
  }

  run(): { readonly draft: Draft; readonly problems: readonly Problem[] } {
    // Definitions first: a reference beside a node of the patch may stand before it.
    for (const op of this.#ops) this.#define(op);
    // Then references, so that the list of secrets can be compared with all that is said about them.
    for (const op of this.#ops) if (op.op === 'set_manifest_refs') this.#setRefs(op);
    for (const op of this.#ops) this.#set(op);
    const order = new Map(this.#ops.map((op, i) => [String(op.path[1]), i]));
    const at = (problem: Problem) => order.get(String(problem.path[1])) ?? 0;
    const refs = Object.fromEntries(
      SECTIONS.map((section) => [section, [...this.#refs[section].values()]]),
    ) as unknown as ManifestParts['refs'];
    return {
      draft: {
        parts: { ...this.#parts, refs },
        own: this.#own,
        written: this.#written,
        stored: this.#stored,
        warnings: this.#warnings,
      },
      problems: [...this.#problems].sort((a, b) => at(a) - at(b)),
    };
  }

  #report(code: string, path: Path, message: string, hint?: string): false {
    this.#problems.push({ origin: this.#origin, code, path, message, hint });
    return false;
  }

  #warn(code: string, path: Path, message: string): void {
    this.#warnings.push({ origin: this.#origin, code, severity: 'warning', path, message });
  }

  // Operations on definitions

  #define(op: PatchOp): void {
    if (op.op !== 'add_def' && op.op !== 'replace_def' && op.op !== 'remove_def') return;
    const { kind, name, path } = op;
    const named = op.op === 'add_def' ? [...path, 'node'] : path;
    if (!this.#isOurs(name, named) || !this.#isFirst(keyOf(op), op.op, path, `${kind} ${name}`)) return;
    const section = sectionOfKind(kind);
    const before = this.#base.refs[section].find((ref) => ref.name === name);
    if (op.op === 'add_def') {
      this.#own.set(keyOf(op), { kind, name, node: op.node, path: [...path, 'node'], mustEqual: before?.hash });
    } else {
      if (before === undefined) {
        this.#report(
          'patch.def_missing',
          [...path, 'name'],
          `the base lists no ${kind} ${name}`,
          'Use add_def for a new one.',
        );
        return;
      }
      if (!this.#guards(op.preHash, before.hash, path)) return;
      if (op.op === 'remove_def') {
        this.#refs[section].delete(name);
        return;
      }
      this.#own.set(keyOf(op), { kind, name, node: op.node, path: [...path, 'new_node'], mustEqual: undefined });
    }
    this.#refs[section].set(name, { name, hash: ZERO_HASH_TEXT });
  }

  #isOurs(name: string, path: Path): boolean {
    if (!name.startsWith('sys/')) return true;
    return this.#report(
      'patch.sys_immutable',
      [...path, 'name'],
      `${name} belongs to the runtime`,
      'A built-in definition that the candidate needs is listed by itself.',
    );
  }

  /** Remembers what the operation touches. @returns whether nothing else does. */
  #isFirst(key: string, op: PatchOp['op'], path: Path, what: string): boolean {
    const other = this.#touched.get(key);
    this.#touched.set(key, op);
    if (other === undefined) return true;
    return this.#report('patch.duplicate_op', path, `${other} of this patch changes ${what} already`);
  }

  #guards(preHash: string, current: string, path: Path): boolean {
    if (preHash === current) return true;
    return this.#report(
      'patch.pre_hash',
      [...path, 'pre_hash'],
      `the base has ${current}, the patch was made for ${preHash}`,
      'Make the patch again from the manifest that is active now.',
    );
  }

  // Operations on references and blocks

  #set(op: PatchOp): void {
    switch (op.op) {
      case 'add_def':
      case 'replace_def':
      case 'remove_def':
      case 'set_manifest_refs':
        return;
      case 'set_secrets':
        return this.#setSecrets(op);
      case 'set_defaults':
        return this.#setDefaults(op);
      case 'set_routing_events':
        if (this.#isBlock(op, this.#base.events)) this.#parts = { ...this.#parts, events: op.items };
        return;
      case 'set_routing_inboxes':
        if (this.#isBlock(op, this.#base.inboxes)) this.#parts = { ...this.#parts, inboxes: op.items };
        return;
      case 'set_triggers':
        if (this.#isBlock(op, this.#base.triggers)) this.#parts = { ...this.#parts, triggers: op.items };
        return;
      case 'set_module_bindings':
        if (this.#isBlock(op, this.#base.bindings)) this.#parts = { ...this.#parts, bindings: op.bindings };
        return;
      default:
        return op satisfies never;
    }
  }

  #isBlock(op: { op: PatchOp['op']; preHash: string; path: Path }, current: Json): boolean {
    return this.#isFirst(op.op, op.op, op.path, 'this block') && this.#guards(op.preHash, blockHash(current), op.path);
  }

  #setRefs(op: Extract<PatchOp, { op: 'set_manifest_refs' }>): void {
    for (const ref of op.add) this.#addRef(ref);
    for (const ref of op.remove) this.#removeRef(ref);
  }

  #addRef(ref: PatchRef): void {
    if (!this.#isOurs(ref.name, ref.path)) return;
    const key = keyOf(ref);
    const other = this.#touched.get(key);
    if (other === 'add_def' || other === 'replace_def') {
      this.#beside(ref);
      return;
    }
    if (!this.#isFirst(key, 'set_manifest_refs', ref.path, `${ref.kind} ${ref.name}`)) return;
    this.#link(ref);
  }

  /** A reference beside the node it names: it may leave the hash to the compiler, or must have the right one. */
  #beside(ref: PatchRef): void {
    if (ref.hash !== ZERO_HASH_TEXT) this.#written.push(ref);
    else if (this.#requireHashes) this.#unresolved(ref, 'its hash is not written');
  }

  #link(ref: PatchRef): void {
    if (ref.hash === ZERO_HASH_TEXT) {
      this.#unresolved(ref, 'its hash is not written, and no node of this patch gives it');
      return;
    }
    this.#stored.push(ref);
    this.#refs[sectionOfKind(ref.kind)].set(ref.name, { name: ref.name, hash: ref.hash });
  }

  #unresolved(ref: PatchRef, why: string): false {
    return this.#report('patch.ref_unresolved', [...ref.path, 'hash'], `${ref.kind} ${ref.name}: ${why}`);
  }

  #removeRef(ref: Omit<PatchRef, 'hash'>): void {
    if (!this.#isOurs(ref.name, ref.path)) return;
    if (!this.#isFirst(keyOf(ref), 'set_manifest_refs', ref.path, `${ref.kind} ${ref.name}`)) return;
    if (!this.#refs[sectionOfKind(ref.kind)].delete(ref.name))
      this.#warn('patch.ref_absent', ref.path, `the base lists no ${ref.kind} ${ref.name}`);
  }

  #setDefaults(op: Extract<PatchOp, { op: 'set_defaults' }>): void {
    if (!this.#isFirst(op.op, op.op, op.path, 'this block')) return;
    if (op.preHash !== undefined && !this.#guards(op.preHash, blockHash(defaultsBlock(this.#base)), op.path)) return;
    const policy = op.policy === undefined ? this.#base.policy : (op.policy ?? undefined);
    if (op.policy === null && this.#base.policy !== undefined) {
      const message = 'without a default policy every effect is allowed that its grant allows';
      this.#warn('patch.no_policy', [...op.path, 'policy'], message);
    }
    this.#parts = { ...this.#parts, policy, grants: op.grants ?? this.#base.grants };
  }

  /** The final list: it names every secret that the patch adds or replaces, and none that it removes. */
  #setSecrets(op: Extract<PatchOp, { op: 'set_secrets' }>): void {
    if (!this.#isBlock(op, this.#base.secrets)) return;
    const { secrets } = this.#refs;
    const named = new Set(op.secrets.map(({ name }) => name));
    if (named.size < op.secrets.length) this.#report('patch.duplicate_op', op.path, 'a secret is listed twice');
    for (const [key, other] of this.#touched) {
      if (!key.startsWith('defsecret ')) continue;
      const name = key.slice('defsecret '.length);
      const isRight = other === 'set_manifest_refs' ? false : (other === 'remove_def') !== named.has(name);
      if (!isRight)
        this.#report('patch.duplicate_op', op.path, `${other} of this patch says otherwise about secret ${name}`);
    }
    for (const name of [...secrets.keys()]) if (!named.has(name)) secrets.delete(name);
    for (const ref of op.secrets) {
      if (!this.#isOurs(ref.name, ref.path)) continue;
      if (this.#own.has(keyOf(ref))) this.#beside(ref);
      else this.#link(ref);
    }
    this.#parts = { ...this.#parts, secrets: [] };
  }
}

/** Hash of a block over its canonical bytes (`governance.md` §2.2). */
export function blockHash(block: Json): string {
  return hashText(hashOf(block as CborValue));
}
