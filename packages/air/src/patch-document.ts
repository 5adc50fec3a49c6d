import { fail, ok, type Path, type Result, utf8 } from '@worldline/canon';
import { ZERO_HASH_TEXT } from './builtins.ts';
import { type Diagnostic, suggestHint } from './diagnostic.ts';
import { isJsonObject, type Json, type JsonObject, memberNames, parseJson } from './json.ts';
import { members, object } from './node-json.ts';
import { AIR_VERSION, type Section } from './node-manifest.ts';
import { DEF_KINDS, type DefKind, parseNode } from './node-parse.ts';
import { given, isPlaceholder, NodeReader, type Origin, optional, type Problem, toDiagnostics } from './node-read.ts';
import { readSecretName } from './node-secret.ts';

/**
 * Patch documents (`governance.md` §2): what an author, an agent or `push` writes to change a manifest. This file reads
 * one; `patch-apply.ts` has the rules between operations and the base, `patch-compile.ts` the way to a candidate.
 */

/** What is wrong with a patch. `path` points into the document. */
export interface PatchFailure extends Diagnostic {
  /** Of `manifest.validation`: what is wrong with the candidate, each at its node. */
  readonly details?: readonly Diagnostic[] | undefined;
}

/** A reference as written; a missing hash is the zero hash, to be filled in. */
export interface PatchRef {
  readonly kind: DefKind;
  readonly name: string;
  readonly hash: string;
  readonly path: Path;
}

export type BlockOp =
  | 'set_routing_events'
  | 'set_routing_inboxes'
  | 'set_triggers'
  | 'set_module_bindings'
  | 'set_secrets';

export type PatchOp = { readonly path: Path } & (
  | { readonly op: 'add_def'; readonly kind: DefKind; readonly name: string; readonly node: Json }
  | {
      readonly op: 'replace_def';
      readonly kind: DefKind;
      readonly name: string;
      readonly node: Json;
      readonly preHash: string;
    }
  | { readonly op: 'remove_def'; readonly kind: DefKind; readonly name: string; readonly preHash: string }
  | {
      readonly op: 'set_manifest_refs';
      readonly add: readonly PatchRef[];
      readonly remove: readonly Omit<PatchRef, 'hash'>[];
    }
  | {
      readonly op: 'set_defaults';
      readonly preHash: string | undefined;
      /** null clears, undefined leaves alone. */
      readonly policy: string | null | undefined;
      readonly grants: readonly Json[] | undefined;
    }
  | { readonly op: 'set_secrets'; readonly preHash: string; readonly secrets: readonly PatchRef[] }
  | {
      readonly op: 'set_routing_events' | 'set_routing_inboxes' | 'set_triggers';
      readonly preHash: string;
      readonly items: readonly Json[];
    }
  | { readonly op: 'set_module_bindings'; readonly preHash: string; readonly bindings: JsonObject }
);

export interface PatchDocument {
  /** The document, as the origin of findings. */
  readonly origin: Origin;
  readonly base: string;
  readonly ops: readonly PatchOp[];
}

/** Limits of `governance.md` §2. */
export const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;
export const OPS_MAX = 2_000;
export const NODE_BYTES_MAX = 1024 * 1024;

/** Name of the document in findings. */
export const PATCH_FILE = 'patch';

const OPS = [
  'add_def',
  'replace_def',
  'remove_def',
  'set_manifest_refs',
  'set_defaults',
  'set_routing_events',
  'set_routing_inboxes',
  'set_triggers',
  'set_module_bindings',
  'set_secrets',
] as const satisfies readonly PatchOp['op'][];

/**
 * Reads a patch document.
 *
 * @returns every structural problem in document order: `patch.schema`, `patch.version`, `patch.kind`,
 *   `patch.kind_mismatch`, `patch.name_mismatch`, `patch.too_large`.
 */
export function readPatch(text: string): Result<PatchDocument, readonly PatchFailure[]> {
  const file = { path: PATCH_FILE, text, index: 0 };
  if (utf8(text).length > DOCUMENT_BYTES_MAX) {
    const origin: Origin = { json: null, base: [], file: { ...file, text: '' } };
    return fail(toDiagnostics([tooLarge(origin, [], `the document is over ${DOCUMENT_BYTES_MAX} bytes`)]));
  }
  const json = parseJson(text);
  if (!json.ok) {
    const { path, message, line, column } = json.failure;
    return fail([{ code: 'patch.schema', severity: 'error', path, message, file: PATCH_FILE, line, column }]);
  }
  const origin: Origin = { json: json.value, base: [], file };
  const reader = new PatchReader(origin);
  const document = reader.document(json.value);
  return document === undefined || reader.problems.length > 0 ? fail(toDiagnostics(reader.problems)) : ok(document);
}

export function tooLarge(origin: Origin, path: Path, message: string): Problem {
  return { origin, code: 'patch.too_large', path, message, hint: 'Change a world of this size in several patches.' };
}

/** Reports of the node reader are `patch.schema` here; its code stays as `cause`. */
class PatchReader {
  readonly problems: Problem[] = [];
  readonly #origin: Origin;

  constructor(origin: Origin) {
    this.#origin = origin;
  }

  #report(code: string, path: Path, message: string, hint?: string): undefined {
    this.problems.push({ origin: this.#origin, code, path, message, hint });
    return undefined;
  }

  /** Reads with a reader of its own, so that what it reports can be told from what others did. */
  #read<T>(read: (reader: NodeReader) => T): T {
    const reader = new NodeReader(this.#origin);
    const value = read(reader);
    this.#take(reader.problems, (path) => path);
    return value;
  }

  #take(problems: readonly Problem[], place: (path: Path) => Path): void {
    for (const problem of problems) {
      const fields = { ...problem.fields, cause: problem.code };
      this.problems.push({
        ...problem,
        origin: this.#origin,
        rule: undefined,
        code: 'patch.schema',
        path: place(problem.path),
        fields,
      });
    }
  }

  document(json: Json): PatchDocument | undefined {
    const document = this.#read((reader) =>
      reader.object(json, [], {
        version: null,
        base_manifest_hash: 'a manifest hash',
        patches: 'a list of operations',
      }),
    );
    if (document === undefined) return undefined;
    const version = given(document, 'version');
    if (version !== undefined && version !== '1') {
      return this.#report('patch.version', ['version'], 'only version "1" of patch documents is known', 'Write "1".');
    }
    const base = this.#read((reader) => reader.hash(given(document, 'base_manifest_hash'), ['base_manifest_hash']));
    const patches = this.#read((reader) => reader.list(given(document, 'patches'), ['patches']));
    if (patches === undefined) return undefined;
    if (patches.length === 0) this.#report('patch.schema', ['patches'], 'a patch has at least one operation');
    if (patches.length > OPS_MAX) {
      this.problems.push(tooLarge(this.#origin, ['patches'], `a patch has at most ${OPS_MAX} operations`));
      return undefined;
    }
    const ops = patches.flatMap((item, i) => this.#op(item, ['patches', i]) ?? []);
    return base === undefined ? undefined : { origin: this.#origin, base, ops };
  }

  #op(json: Json, at: Path): PatchOp | undefined {
    if (!isJsonObject(json)) return this.#report('patch.schema', at, 'an operation is an object with one key');
    const names = memberNames(json);
    const [op] = names;
    if (op === undefined || names.length !== 1)
      return this.#report('patch.schema', at, `an operation has exactly one key, this one has ${names.length}`);
    const known = OPS.find((name) => name === op);
    const path = [...at, op];
    if (known === undefined)
      return this.#report('patch.schema', path, `unknown operation "${op}"`, suggestHint(op, OPS));
    const body = json[op] as Json;
    switch (known) {
      case 'add_def':
        return this.#addDef(body, path);
      case 'replace_def':
        return this.#replaceDef(body, path);
      case 'remove_def': {
        const read = this.#body(body, path, { kind: 'a definition kind', name: 'a name', pre_hash: 'a hash' });
        if (read === undefined) return undefined;
        const kind = this.#kind(given(read, 'kind'), path);
        const name = this.#name(kind, given(read, 'name'), [...path, 'name']);
        const preHash = this.#hash(read, path);
        if (kind === undefined || name === undefined || preHash === undefined) return undefined;
        return { op: known, kind, name, preHash, path };
      }
      case 'set_manifest_refs':
        return this.#refs(body, path);
      case 'set_defaults':
        return this.#defaults(body, path);
      case 'set_secrets': {
        const read = this.#body(body, path, { pre_hash: 'a hash', secrets: 'a list of references' });
        const preHash = read && this.#hash(read, path);
        const at = [...path, 'secrets'];
        const secrets =
          read &&
          this.#read((reader) => reader.list(given(read, 'secrets'), at))?.flatMap((item, i) => {
            const ref = this.#ref(item, [...at, i], 'defsecret', { name: 'a name', hash: null });
            return ref ?? [];
          });
        return preHash === undefined || secrets === undefined ? undefined : { op: known, preHash, secrets, path };
      }
      case 'set_routing_events':
        return this.#list(known, 'events', (events) => ({ routing: members({ events }) }), ['routing'], body, path);
      case 'set_routing_inboxes':
        return this.#list(known, 'inboxes', (inboxes) => ({ routing: members({ inboxes }) }), ['routing'], body, path);
      case 'set_triggers':
        return this.#list(known, 'triggers', (triggers) => ({ triggers }), [], body, path);
      case 'set_module_bindings': {
        const read = this.#body(body, path, { pre_hash: 'a hash', bindings: 'an object' });
        const preHash = read && this.#hash(read, path);
        const bindings = read && given(read, 'bindings');
        if (preHash === undefined || bindings === undefined) return undefined;
        const at = [...path, 'bindings'];
        if (!isJsonObject(bindings)) return this.#report('patch.schema', at, 'expected an object');
        this.#block({ module_bindings: bindings }, ['module_bindings'], at);
        return { op: known, preHash, bindings, path };
      }
      default:
        return known satisfies never;
    }
  }

  #body(json: Json, path: Path, shape: Readonly<Record<string, string | null>>): JsonObject | undefined {
    return this.#read((reader) => reader.object(json, path, shape));
  }

  #hash(body: JsonObject, path: Path): string | undefined {
    return this.#read((reader) => reader.hash(given(body, 'pre_hash'), [...path, 'pre_hash']));
  }

  #kind(json: Json | undefined, path: Path): DefKind | undefined {
    if (json === undefined) return undefined;
    const kind = DEF_KINDS.find((each) => each === json);
    if (kind !== undefined) return kind;
    const hint = typeof json === 'string' ? suggestHint(json, DEF_KINDS) : undefined;
    return this.#report(
      'patch.kind',
      [...path, 'kind'],
      'no kind of definition',
      hint ?? `Kinds: ${DEF_KINDS.join(', ')}.`,
    );
  }

  #name(kind: DefKind | undefined, json: Json | undefined, path: Path): string | undefined {
    return this.#read((reader) =>
      kind === 'defsecret' ? readSecretName(json, path, reader)?.name : reader.name(json, path),
    );
  }

  #addDef(json: Json, path: Path): PatchOp | undefined {
    const body = this.#body(json, path, { kind: 'a definition kind', node: 'a node' });
    if (body === undefined) return undefined;
    const kind = this.#kind(given(body, 'kind'), path);
    const node = given(body, 'node');
    if (node === undefined || kind === undefined) return undefined;
    const name = this.#node(kind, node, [...path, 'node']);
    return name === undefined ? undefined : { op: 'add_def', kind, name, node, path };
  }

  #replaceDef(json: Json, path: Path): PatchOp | undefined {
    const body = this.#body(json, path, {
      kind: 'a definition kind',
      name: 'a name',
      new_node: 'a node',
      pre_hash: 'a hash',
    });
    if (body === undefined) return undefined;
    const kind = this.#kind(given(body, 'kind'), path);
    const name = this.#name(kind, given(body, 'name'), [...path, 'name']);
    const preHash = this.#hash(body, path);
    const node = given(body, 'new_node');
    if (node === undefined || kind === undefined) return undefined;
    const found = this.#node(kind, node, [...path, 'new_node']);
    if (name === undefined || preHash === undefined || found === undefined) return undefined;
    if (found !== name) {
      return this.#report(
        'patch.name_mismatch',
        [...path, 'new_node', 'name'],
        `the node is called ${found}, not ${name}`,
      );
    }
    return { op: 'replace_def', kind, name, node, preHash, path };
  }

  /** @returns the name of a node whose kind is right; its members are read with the candidate. */
  #node(kind: DefKind, node: Json, path: Path): string | undefined {
    if (!isJsonObject(node)) return this.#report('patch.schema', path, 'a node is an object with $kind');
    const found = given(node, '$kind');
    if (found !== kind) {
      const shown = typeof found === 'string' ? `"${found}"` : 'nothing';
      return this.#report('patch.kind_mismatch', [...path, '$kind'], `expected $kind "${kind}", found ${shown}`);
    }
    if (!Object.hasOwn(node, 'name')) return this.#report('patch.schema', path, 'a node has a name');
    return this.#name(kind, given(node, 'name'), [...path, 'name']);
  }

  #ref(
    json: Json,
    path: Path,
    fixed: DefKind | undefined,
    shape: Readonly<Record<string, string | null>>,
  ): PatchRef | undefined {
    const body = this.#body(json, path, shape);
    if (body === undefined) return undefined;
    const kind = fixed ?? this.#kind(given(body, 'kind'), path);
    const name = this.#name(kind, given(body, 'name'), [...path, 'name']);
    const hash = given(body, 'hash');
    const read = isPlaceholder(hash) ? ZERO_HASH_TEXT : this.#read((reader) => reader.hash(hash, [...path, 'hash']));
    if (kind === undefined || name === undefined || read === undefined) return undefined;
    return { kind, name, hash: read, path };
  }

  #refs(json: Json, path: Path): PatchOp | undefined {
    const body = this.#body(json, path, { add: null, remove: null });
    if (body === undefined) return undefined;
    if (!Object.hasOwn(body, 'add') && !Object.hasOwn(body, 'remove'))
      return this.#report('patch.schema', path, 'at least one of "add" and "remove" is needed');
    const each = (key: 'add' | 'remove', shape: Readonly<Record<string, string | null>>) =>
      this.#read((reader) => reader.list(given(body, key), [...path, key]))?.flatMap(
        (item, i) => this.#ref(item, [...path, key, i], undefined, shape) ?? [],
      ) ?? [];
    const add = each('add', { kind: 'a definition kind', name: 'a name', hash: null });
    const remove = each('remove', { kind: 'a definition kind', name: 'a name' });
    return { op: 'set_manifest_refs', add, remove, path };
  }

  #defaults(json: Json, path: Path): PatchOp | undefined {
    const body = this.#body(json, path, { pre_hash: null, policy: null, cap_grants: null });
    if (body === undefined) return undefined;
    const preHash = this.#read((reader) => reader.hash(optional(body, 'pre_hash'), [...path, 'pre_hash']));
    const written = given(body, 'policy');
    const policy = written === null ? null : this.#read((reader) => reader.name(written, [...path, 'policy']));
    const at = [...path, 'cap_grants'];
    const grants = this.#read((reader) => reader.list(given(body, 'cap_grants'), at));
    if (grants !== undefined)
      this.#block({ defaults: members({ cap_grants: grants }) }, ['defaults', 'cap_grants'], at);
    return { op: 'set_defaults', preHash, policy, grants, path };
  }

  #list(
    op: 'set_routing_events' | 'set_routing_inboxes' | 'set_triggers',
    key: string,
    block: (items: readonly Json[]) => Readonly<Record<string, Json>>,
    outer: Path,
    json: Json,
    path: Path,
  ): PatchOp | undefined {
    const body = this.#body(json, path, { pre_hash: 'a hash', [key]: 'a list' });
    const preHash = body && this.#hash(body, path);
    const at = [...path, key];
    const items = body && this.#read((reader) => reader.list(given(body, key), at));
    if (preHash === undefined || items === undefined) return undefined;
    this.#block(block(items), [...outer, key], at);
    return { op, preHash, items, path };
  }

  /** A block is read as part of a manifest that has nothing else, and found fault with where the document has it. */
  #block(block: Readonly<Record<string, Json>>, inner: Path, at: Path): void {
    const empty = ['schemas', 'modules', 'plans', 'caps', 'policies'] as const satisfies readonly Section[];
    const json = object([
      ['air_version', AIR_VERSION],
      ...empty.map((section) => [section, []] as const),
      ...Object.entries(block),
    ]);
    const { problems } = parseNode({ json, base: [] }, { authored: false, manifest: true });
    this.#take(problems, (path) => [...at, ...path.slice(inner.length)]);
  }
}
