import {
  bytesEqual,
  type CborValue,
  compareUtf8,
  encode,
  fail,
  hashText,
  ok,
  type Path,
  parseHashText,
  type Result,
  sha256,
  utf8,
} from '@worldline/canon';
import { BUILTINS, builtinEffect, ZERO_HASH_TEXT } from './builtins.ts';
import { buildCatalog } from './catalog.ts';
import { checkStaticTypes } from './check-types.ts';
import type { Diagnostic } from './diagnostic.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import type { StoredObjectLike } from './load-authored.ts';
import { assembleWorld, type Resolved, SECTION_KINDS } from './load-resolve.ts';
import { readObject, resolveStored } from './load-stored.ts';
import { type ManifestParts, manifestOfParts, manifestParts } from './manifest-parts.ts';
import type { Catalog } from './node.ts';
import { encodeNode, nodeToJson, withoutKind } from './node-json.ts';
import type { ManifestSource, RefSource, Section } from './node-manifest.ts';
import { type ParsedNode, parseNode } from './node-parse.ts';
import { canonicalPlan, checkPlanNames } from './node-plan-canonical.ts';
import { addAll, type Origin, type Problem, toDiagnostics } from './node-read.ts';
import { applyPatch, type Draft, keyOf, type OwnNode } from './patch-apply.ts';
import {
  NODE_BYTES_MAX,
  type PatchDocument,
  type PatchFailure,
  type PatchRef,
  readPatch,
  tooLarge,
} from './patch-document.ts';
import { type PatchSummary, patchSummary } from './patch-summary.ts';
import { validate } from './validate.ts';
import { checkGrantParams } from './validate-grants.ts';
import { checkListedTypes } from './validate-types.ts';
import { type LoadOptions, lookupsOf, type World } from './validate-world.ts';

/** From a patch document and its base to the candidate manifest (`governance.md` §2.4 … §2.7). */

export interface CompileOptions extends LoadOptions {
  /** `--require-hashes`: a hash that could be filled in is an error. */
  readonly requireHashes?: boolean;
}

export interface CompiledPatch {
  /** `H(compiled patch)`, 32 bytes. */
  readonly patchHash: Uint8Array;
  readonly manifestBase: Uint8Array;
  /** Of the candidate. */
  readonly manifestHash: Uint8Array;
  readonly catalog: Catalog;
  /** Nodes of the patch, the candidate manifest, the compiled patch, the document. */
  readonly objects: readonly StoredObjectLike[];
  /** Of the document's text. */
  readonly documentHash: Uint8Array;
  readonly summary: PatchSummary;
  readonly warnings: readonly Diagnostic[];
}

export type GetObject = (hash: Uint8Array) => Uint8Array | undefined;

/**
 * Compiles a patch document. Nothing is written: what has to be stored is in the result.
 *
 * @param get - Bytes of an object of the store: base manifest, its definitions, linked nodes, module artefacts.
 * @returns all failures of the first step that has any, in document order (`governance.md` §9).
 */
export function compilePatch(
  text: string,
  get: GetObject,
  options: CompileOptions = {},
): Result<CompiledPatch, readonly PatchFailure[]> {
  const document = readPatch(text);
  if (!document.ok) return document;
  const base = readBase(document.value, get);
  if (!base.ok) return base;
  const baseParts = manifestParts(base.value.manifest);
  const { draft, problems } = applyPatch(document.value, baseParts, { requireHashes: options.requireHashes === true });
  if (problems.length > 0) return fail(toDiagnostics(problems));
  const candidate = new Candidate(document.value, draft, get).build(options);
  if (!candidate.ok) return candidate;

  const { catalog, manifest, manifestBytes, nodes, warnings } = candidate.value;
  const compiled = encodeCompiledPatch({ manifest, nodes: nodes.map(({ json }) => json) });
  const patchHash = sha256(compiled);
  const documentBytes = utf8(text);
  const documentHash = sha256(documentBytes);
  return ok({
    patchHash,
    manifestBase: base.value.hash,
    manifestHash: catalog.manifestHash,
    catalog,
    objects: [
      ...nodes.map(({ hash, bytes }) => ({ hash, bytes })),
      { hash: catalog.manifestHash, bytes: manifestBytes },
      { hash: patchHash, bytes: compiled },
      { hash: documentHash, bytes: documentBytes },
    ],
    documentHash,
    summary: patchSummary({ hash: base.value.hash, parts: baseParts }, manifestParts(manifest), patchHash),
    warnings,
  });
}

/**
 * Bytes of a compiled patch: the whole candidate manifest and the definitions that the patch adds or replaces, by kind
 * and name (`governance.md` §1).
 */
export function encodeCompiledPatch(patch: {
  readonly manifest: JsonObject;
  readonly nodes: readonly JsonObject[];
}): Uint8Array {
  const nodes = [...patch.nodes].sort(
    (a, b) => compareUtf8(String(a['$kind']), String(b['$kind'])) || compareUtf8(String(a['name']), String(b['name'])),
  );
  return encode({ manifest: patch.manifest, nodes } as CborValue);
}

function readBase(
  document: PatchDocument,
  get: GetObject,
): Result<{ readonly hash: Uint8Array; readonly manifest: JsonObject }, readonly PatchFailure[]> {
  const hash = parseHashText(document.base);
  const found = hash === undefined ? undefined : readObject(hash, get);
  const unknown = (message: string) =>
    fail(
      toDiagnostics([
        {
          origin: document.origin,
          code: 'patch.base_unknown',
          path: ['base_manifest_hash'],
          message,
          hint: 'Name the manifest that is active in the world.',
        },
      ]),
    );
  if (hash === undefined || found === undefined || !found.ok) return unknown(`the store holds no ${document.base}`);
  const parsed = parseNode({ json: found.value, base: [] }, { authored: false, manifest: true });
  if (parsed.node?.kind !== 'manifest' || !isJsonObject(found.value))
    return unknown(`${document.base} is not a manifest`);
  return ok({ hash, manifest: withoutKind(found.value) });
}

interface HashedNode {
  readonly own: OwnNode;
  readonly json: JsonObject;
  readonly bytes: Uint8Array;
  readonly hash: Uint8Array;
}

interface Built {
  readonly catalog: Catalog;
  readonly manifest: JsonObject;
  readonly manifestBytes: Uint8Array;
  readonly nodes: readonly HashedNode[];
  readonly warnings: readonly Diagnostic[];
}

/** The working manifest on its way to a candidate. */
class Candidate {
  readonly #document: PatchDocument;
  readonly #draft: Draft;
  readonly #get: GetObject;
  readonly #parsed = new Map<string, ParsedNode>();

  constructor(document: PatchDocument, draft: Draft, get: GetObject) {
    this.#document = document;
    this.#draft = draft;
    this.#get = get;
  }

  build(options: LoadOptions): Result<Built, readonly PatchFailure[]> {
    const failed = (problems: readonly Problem[]) => fail(toDiagnostics(problems));
    const unread = this.#parseNodes();
    if (unread.length > 0) return failed(unread);
    const unlinked = [...this.#draft.stored.flatMap((ref) => this.#checkStored(ref)), ...this.#checkModules()];
    if (unlinked.length > 0) return failed(unlinked);

    const source = this.#source(this.#withBuiltins(this.#draft.parts));
    const own = (section: Section, name: string) => this.#parsed.get(`${SECTION_KINDS[section]} ${name}`);
    const resolved = resolveStored(source, this.#get, own);
    if (!resolved.ok) return this.#invalid(resolved.failure);
    const world = assembleWorld(source, resolved.value);
    const badTypes = checkListedTypes(world, options);
    if (badTypes.length > 0) return this.#invalid(badTypes);
    const slots = this.#readSlots(world);
    if (slots.length > 0) return failed(slots);
    const invalid = validate(world, options);
    if (invalid.length > 0) return this.#invalid(invalid);
    const typed = options.staticTypes === false ? [] : checkStaticTypes(world, options);
    const illTyped = typed.filter(({ severity }) => severity !== 'warning');
    if (illTyped.length > 0) return this.#invalid(illTyped);

    const hashed = this.#hash(world);
    if (!hashed.ok) return failed(hashed.failure);
    const { nodes } = hashed.value;
    const byKey = new Map(nodes.map((node) => [keyOf(node.own), node]));
    const filled = fill(
      source,
      resolved.value,
      (section, name) => byKey.get(`${SECTION_KINDS[section]} ${name}`)?.hash,
    );
    const final = assembleWorld(filled.manifest, filled.resolved);
    for (const [name, plan] of world.canonical) final.canonical.set(name, plan);
    const { catalog, manifest, manifestBytes } = buildCatalog(final);
    return ok({
      catalog,
      manifest,
      manifestBytes,
      nodes: nodes.filter(({ own }) => own.mustEqual === undefined),
      warnings: toDiagnostics([...this.#draft.warnings, ...hashed.value.warnings, ...typed]),
    });
  }

  /** A failure inside a node of the patch, at its place in the document. */
  #within(node: OwnNode, problem: Problem, code: string): Problem {
    const { origin } = this.#document;
    return {
      ...problem,
      origin: { ...origin, kind: node.kind, name: node.name },
      rule: undefined,
      code,
      path: [...node.path, ...problem.path],
      fields: { ...problem.fields, cause: problem.code },
    };
  }

  #parseNodes(): readonly Problem[] {
    const problems: Problem[] = [];
    for (const [key, node] of this.#draft.own) {
      const { file } = this.#document.origin;
      const parsed = parseNode({ json: node.node, base: node.path, file }, { authored: false });
      addAll(
        problems,
        parsed.problems.map((problem) => this.#within(node, problem, 'patch.schema')),
      );
      if (parsed.node !== undefined) this.#parsed.set(key, parsed.node);
    }
    return problems;
  }

  /** A reference by hash alone names a node of that kind and name in the store (`governance.md` §2.1). */
  #checkStored(ref: PatchRef): readonly Problem[] {
    const unresolved = (why: string): readonly Problem[] => [
      {
        origin: this.#document.origin,
        code: 'patch.ref_unresolved',
        path: [...ref.path, 'hash'],
        message: `${ref.kind} ${ref.name}: ${why}`,
      },
    ];
    const hash = parseHashText(ref.hash);
    const found = hash === undefined ? undefined : readObject(hash, this.#get);
    if (found === undefined || !found.ok) return unresolved(`${ref.hash} is not in the store`);
    const { node } = parseNode({ json: found.value, base: [] }, { authored: false });
    if (node === undefined || node.kind === 'manifest') return unresolved(`${ref.hash} is no definition`);
    if (node.kind !== ref.kind || node.name !== ref.name) return unresolved(`${ref.hash} is ${node.kind} ${node.name}`);
    return [];
  }

  #checkModules(): readonly Problem[] {
    return [...this.#draft.own].flatMap(([key, own]): Problem[] => {
      const parsed = this.#parsed.get(key);
      if (parsed === undefined || !('def' in parsed) || parsed.def.kind !== 'defmodule') return [];
      const { wasmHash } = parsed.def;
      const hash = parseHashText(wasmHash);
      if (wasmHash !== ZERO_HASH_TEXT && hash !== undefined && this.#get(hash) !== undefined) return [];
      return [
        {
          origin: this.#document.origin,
          code: 'patch.module_bytes_missing',
          path: [...own.path, 'wasm_hash'],
          message: `the bytes of ${own.name} are not in the store`,
          hint: 'Store the artefact first, and write its hash.',
        },
      ];
    });
  }

  /** The built-in references without which the candidate would not load (`governance.md` §2.5). */
  #withBuiltins(parts: ManifestParts): ManifestParts {
    const nodes = [...this.#parsed.values(), ...this.#draft.stored.flatMap((ref) => this.#storedNode(ref) ?? [])];
    const kinds = nodes.flatMap((node) => emittedKinds(node));
    const ownKinds = new Set(
      nodes.flatMap((node) => ('def' in node && node.def.kind === 'defeffect' ? [node.def.effectKind] : [])),
    );
    const effects = kinds.flatMap((kind) => (ownKinds.has(kind) ? [] : (builtinEffect(kind)?.def.name ?? [])));
    const reducers = [...parts.events, ...parts.inboxes].flatMap((route) => {
      const name = isJsonObject(route) ? route['reducer'] : undefined;
      return typeof name === 'string' && BUILTINS.modules.has(name) ? [name] : [];
    });
    return {
      ...parts,
      refs: {
        ...parts.refs,
        effects: withRefs(parts.refs.effects, effects, (name) => BUILTINS.effects.get(name)!.hash),
        modules: withRefs(parts.refs.modules, reducers, (name) => BUILTINS.modules.get(name)!.hash),
      },
    };
  }

  #storedNode(ref: PatchRef): ParsedNode | undefined {
    const found = readObject(parseHashText(ref.hash)!, this.#get);
    return found.ok ? parseNode({ json: found.value, base: [] }, { authored: false }).node : undefined;
  }

  #source(parts: ManifestParts): ManifestSource {
    const parsed = parseNode({ json: manifestOfParts(parts), base: [] }, { authored: false, manifest: true });
    // Base and blocks were read one by one; together they are a manifest.
    if (parsed.node?.kind !== 'manifest') throw new Error('blocks that read do not make a manifest');
    return parsed.node.source;
  }

  /** Step 4 of the pipeline: literals of plans and grants by the schemas of the candidate. */
  #readSlots(world: World): readonly Problem[] {
    const problems: Problem[] = [];
    const lookups = lookupsOf(world);
    for (const own of this.#draft.own.values()) {
      const plan = own.kind === 'defplan' ? world.plans.get(own.name) : undefined;
      // A name that leads nowhere is for the validation to report.
      if (plan === undefined || checkPlanNames(plan.source, lookups).length > 0) continue;
      const read = canonicalPlan(plan.source, lookups);
      // What does not read cannot be the definition that the base has.
      if (read.problems.length > 0 && own.mustEqual !== undefined) problems.push(existing(this.#document.origin, own));
      else
        addAll(
          problems,
          read.problems.map((problem) => this.#within(own, problem, 'patch.normalize')),
        );
      world.read.set(own.name, read);
      if (read.plan !== undefined) world.canonical.set(own.name, read.plan);
    }
    const defaults = this.#document.ops.find((op) => op.op === 'set_defaults');
    if (defaults?.op === 'set_defaults' && defaults.grants !== undefined) {
      const at: Path = [...defaults.path, 'cap_grants'];
      problems.push(
        ...checkGrantParams(world, {}).map((problem) => ({
          ...problem,
          origin: this.#document.origin,
          rule: undefined,
          code: 'patch.normalize',
          path: [...at, ...problem.path.slice(2)],
        })),
      );
    }
    return problems;
  }

  /** Step 5: canonical bytes of the patch's nodes, and what was written about their hashes. */
  #hash(
    world: World,
  ): Result<{ readonly nodes: readonly HashedNode[]; readonly warnings: readonly Problem[] }, readonly Problem[]> {
    const problems: Problem[] = [];
    const warnings: Problem[] = [];
    const nodes: HashedNode[] = [];
    const { origin } = this.#document;
    for (const [key, own] of this.#draft.own) {
      const parsed = this.#parsed.get(key)!;
      const json = 'def' in parsed ? nodeToJson(parsed.def) : world.canonical.get(own.name)!.node;
      const bytes = encodeNode(json);
      if (bytes.length > NODE_BYTES_MAX) {
        problems.push(tooLarge(origin, own.path, `${own.name} is over ${NODE_BYTES_MAX} bytes`));
        continue;
      }
      const hash = sha256(bytes);
      nodes.push({ own, json, bytes, hash });
      if (own.mustEqual === undefined) continue;
      if (own.mustEqual === hashText(hash)) {
        const message = `the base lists this ${own.kind} ${own.name} already`;
        warnings.push({ origin, code: 'patch.def_unchanged', severity: 'warning', path: own.path, message });
      } else {
        problems.push(existing(origin, own));
      }
    }
    const byKey = new Map(nodes.map((node) => [keyOf(node.own), node]));
    for (const ref of this.#draft.written) {
      const hash = byKey.get(keyOf(ref))?.hash;
      if (hash === undefined || hashText(hash) === ref.hash) continue;
      const message = `a node of this patch gives ${ref.kind} ${ref.name} the hash ${hashText(hash)}`;
      problems.push({ origin, code: 'patch.duplicate_op', path: ref.path, message, hint: 'Leave the hash out.' });
    }
    return problems.length > 0 ? fail(problems) : ok({ nodes, warnings });
  }

  /** The candidate would not load: what is wrong, at its nodes. */
  #invalid(problems: readonly Problem[]): Result<never, readonly PatchFailure[]> {
    const details = toDiagnostics(problems);
    // A definition that is already there is what the author has to know, whatever else its new form breaks.
    const taken = [...this.#draft.own.values()].filter((own) => own.mustEqual !== undefined && this.#differs(own));
    if (taken.length > 0) return fail(toDiagnostics(taken.map((own) => existing(this.#document.origin, own))));
    const first = details[0];
    return fail([
      {
        code: 'manifest.validation',
        severity: 'error',
        path: [],
        message: `the candidate is not a valid manifest: ${first === undefined ? 'it does not load' : `${first.code}: ${first.message}`}`,
        ...(first?.hint === undefined ? {} : { hint: first.hint }),
        details,
      },
    ]);
  }

  /** Cheap and sure for everything but plans, whose bytes depend on a candidate that does not load. */
  #differs(own: OwnNode): boolean {
    const parsed = this.#parsed.get(keyOf(own));
    if (parsed === undefined || !('def' in parsed)) return false;
    return own.mustEqual !== hashText(sha256(encodeNode(nodeToJson(parsed.def))));
  }
}

function existing(origin: Origin, own: OwnNode): Problem {
  return {
    origin,
    code: 'patch.def_exists',
    path: [...own.path, 'name'],
    message: `the base lists another ${own.kind} ${own.name}`,
    hint: 'Use replace_def, or give the definition a new version.',
  };
}

function emittedKinds(node: ParsedNode): readonly string[] {
  if (node.kind === 'defplan') return node.source.steps.flatMap(({ kind }) => kind ?? []);
  return 'def' in node && node.def.kind === 'defmodule' ? (node.def.reducer?.effectsEmitted ?? []) : [];
}

function withRefs(
  refs: ManifestParts['refs'][Section],
  names: readonly string[],
  hashOfName: (name: string) => Uint8Array,
): ManifestParts['refs'][Section] {
  const listed = new Set(refs.map(({ name }) => name));
  const missing = [...new Set(names)].filter((name) => !listed.has(name));
  return [...refs, ...missing.map((name) => ({ name, hash: hashText(hashOfName(name)) }))];
}

/** The manifest and its resolved references with the hashes of the patch's own nodes. */
function fill(
  manifest: ManifestSource,
  resolved: readonly Resolved[],
  own: (section: Section, name: string) => Uint8Array | undefined,
): { readonly manifest: ManifestSource; readonly resolved: readonly Resolved[] } {
  const filled = new Map<RefSource, RefSource>();
  const withHashes = resolved.map((each): Resolved => {
    const hash = own(each.section, each.ref.name);
    if (hash === undefined || bytesEqual(hash, each.hash)) return each;
    const ref = { ...each.ref, hash: hashText(hash) };
    filled.set(each.ref, ref);
    return { ...each, ref, hash };
  });
  const replace = (ref: RefSource): RefSource => filled.get(ref) ?? ref;
  const refs = Object.fromEntries(
    Object.entries(manifest.refs).map(([section, list]) => [section, list.map(replace)]),
  ) as unknown as ManifestSource['refs'];
  return {
    manifest: {
      ...manifest,
      refs,
      secrets: manifest.secrets.map((secret) => ('hash' in secret ? replace(secret) : secret)),
    },
    resolved: withHashes,
  };
}
