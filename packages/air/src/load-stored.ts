import {
  bytesEqual,
  type CborValue,
  decodeCanonical,
  fail,
  hashText,
  ok,
  parseHashText,
  type Result,
  sha256,
} from '@worldline/canon';
import { buildCatalog } from './catalog.ts';
import type { Diagnostic } from './diagnostic.ts';
import { emptyObject, type Json, type JsonObject, shorten } from './json.ts';
import {
  assembleWorld,
  builtinOf,
  duplicateKinds,
  duplicateRefs,
  listedEffects,
  type Resolved,
  reservedName,
  SECTION_KINDS,
} from './load-resolve.ts';
import type { Catalog } from './node.ts';
import { type ManifestSource, type RefSource, SECTIONS, type Section } from './node-manifest.ts';
import { type ParsedNode, parseNode } from './node-parse.ts';
import { addAll, type Origin, type Problem, toDiagnostics } from './node-read.ts';
import { validate } from './validate.ts';
import type { LoadOptions, World } from './validate-world.ts';

/** Loading a stored manifest (`definitions.md` §9). */

/**
 * The catalog of a manifest in the store.
 *
 * @param manifestHash - 32 bytes; of the manifest without `$kind`, or of bytes that carry one.
 * @param get - The bytes of an object, or undefined when the store does not have it.
 * @returns all errors of the first stage that has any, the primary one first.
 */
export function loadStored(
  manifestHash: Uint8Array,
  get: (hash: Uint8Array) => Uint8Array | undefined,
  options: LoadOptions = {},
): Result<Catalog, readonly Diagnostic[]> {
  const read = readStoredWorld(manifestHash, get, options);
  if (!read.ok) return read;
  const { world, json } = read.value;
  // Of bytes with `$kind` the manifest hash is still the one without it.
  return ok(buildCatalog(world, Object.hasOwn(json, '$kind') ? undefined : manifestHash).catalog);
}

/** A stored manifest with everything that it lists, valid; and its node as it is stored. */
export function readStoredWorld(
  manifestHash: Uint8Array,
  get: (hash: Uint8Array) => Uint8Array | undefined,
  options: LoadOptions = {},
): Result<{ readonly world: World; readonly json: JsonObject }, readonly Diagnostic[]> {
  const found = readObject(manifestHash, get);
  if (!found.ok) {
    const origin: Origin = { json: null, base: [], kind: 'manifest' };
    return fail(toDiagnostics([{ origin, ...found.failure, path: [] }]));
  }
  const parsed = parseNode({ json: found.value, base: [] }, { authored: false, manifest: true });
  if (parsed.node?.kind !== 'manifest') {
    const problems = parsed.problems.length > 0 ? parsed.problems : [notAManifest(found.value)];
    return fail(toDiagnostics(problems));
  }
  const manifest = parsed.node.source;
  const resolved = resolveStored(manifest, get);
  if (!resolved.ok) return fail(toDiagnostics(resolved.failure));
  const world = assembleWorld(manifest, resolved.value);
  const problems = validate(world, options);
  if (problems.length > 0) return fail(toDiagnostics(problems));
  return ok({ world, json: found.value as JsonObject });
}

const NO_HASH = new Uint8Array(32);

function notAManifest(json: Json): Problem {
  return {
    origin: { json, base: [], kind: 'manifest' },
    rule: 'V-204',
    code: 'air.manifest_missing',
    path: [],
    message: 'the object is not a manifest',
  };
}

export type ReadFailure = Pick<Problem, 'rule' | 'code' | 'message' | 'hint' | 'fields'>;

/** V-209. */
export function readObject(
  hash: Uint8Array,
  get: (hash: Uint8Array) => Uint8Array | undefined,
): Result<Json, ReadFailure> {
  const shown = hashText(hash);
  const bytes = get(hash);
  if (bytes === undefined) {
    return fail({
      rule: 'V-209',
      code: 'store.not_found',
      message: `${shown} is not in the store`,
      fields: { hash: shown },
    });
  }
  const actual = sha256(bytes);
  if (!bytesEqual(actual, hash)) {
    return fail({
      rule: 'V-209',
      code: 'hash.mismatch',
      message: `the bytes stored as ${shown} have the hash ${hashText(actual)}`,
      fields: { expected: shown, got: hashText(actual) },
    });
  }
  const decoded = decodeCanonical(bytes);
  const json = decoded.ok ? toJson(decoded.value) : undefined;
  if (json === undefined) {
    return fail({
      rule: 'V-101',
      code: 'json.invalid',
      message: `the object ${shown} is not a node in canonical form`,
      fields: { hash: shown },
    });
  }
  return ok(json);
}

/** Decoded CBOR as JSON; undefined when it holds bytes or a map with other keys than texts. */
function toJson(value: CborValue): Json | undefined {
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint8Array || value instanceof Map) return undefined;
  if (Array.isArray(value)) {
    const items = (value as readonly CborValue[]).map(toJson);
    return items.some((item) => item === undefined) ? undefined : (items as readonly Json[]);
  }
  const object = emptyObject();
  for (const [key, part] of Object.entries(value as Readonly<Record<string, CborValue>>)) {
    const json = toJson(part);
    if (json === undefined) return undefined;
    object[key] = json;
  }
  return object;
}

/**
 * Every reference of a manifest: V-203, V-207 … V-211.
 *
 * @param own - Node that stands for a reference whatever hash it names; for candidates whose nodes are not stored yet.
 */
export function resolveStored(
  manifest: ManifestSource,
  get: (hash: Uint8Array) => Uint8Array | undefined,
  own: (section: Section, name: string) => ParsedNode | undefined = () => undefined,
): Result<readonly Resolved[], readonly Problem[]> {
  const problems: Problem[] = [];
  const resolved: Resolved[] = [];
  for (const section of SECTIONS) {
    for (const ref of manifest.refs[section]) {
      const node = own(section, ref.name);
      if (node !== undefined) {
        resolved.push({ section, ref, hash: parseHashText(ref.hash) ?? NO_HASH, node });
        continue;
      }
      const found = resolve(section, ref, manifest.origin, get);
      if (found.ok) resolved.push(found.value);
      else addAll(problems, found.failure);
    }
  }
  addAll(problems, duplicateRefs(manifest));
  addAll(problems, duplicateKinds(listedEffects(resolved), manifest.origin));
  return problems.length > 0 ? fail(problems) : ok(resolved);
}

/** V-203, V-207 … V-210 for one reference. */
function resolve(
  section: Section,
  ref: RefSource,
  origin: Origin,
  get: (hash: Uint8Array) => Uint8Array | undefined,
): Result<Resolved, readonly Problem[]> {
  const reserved = reservedName(section, ref, origin);
  if (reserved !== undefined) return fail([reserved]);
  const hash = parseHashText(ref.hash);
  if (hash === undefined) throw new Error('a reference passed V-107 with a hash that does not read');
  const builtin = builtinOf(section, ref.name);
  if (builtin !== undefined) {
    if (bytesEqual(builtin.hash, hash)) return ok({ section, ref, hash, builtin: builtin.def });
    if (section !== 'modules') {
      const [expected, got] = [hashText(builtin.hash), ref.hash];
      return fail([
        {
          origin,
          rule: 'V-207',
          code: 'hash.mismatch',
          path: [...ref.path, 'hash'],
          message: `${ref.name} has the published hash ${expected}, not ${got}`,
          fields: { name: ref.name, expected, got },
        },
      ]);
    }
    // V-208: a linked copy must be a stored defmodule; the runtime runs its own implementation all the same.
  }
  const found = readObject(hash, get);
  if (!found.ok) return fail([{ origin, ...found.failure, path: [...ref.path, 'hash'] }]);
  const parsed = parseNode({ json: found.value, base: [] }, { authored: false });
  if (parsed.node === undefined) return fail(parsed.problems);
  const mismatch = checkNode(section, ref, parsed.node, origin);
  return mismatch === undefined ? ok({ section, ref, hash, node: parsed.node }) : fail([mismatch]);
}

/** V-210. */
function checkNode(section: Section, ref: RefSource, node: ParsedNode, origin: Origin): Problem | undefined {
  const expected = SECTION_KINDS[section];
  if (node.kind === 'manifest' || node.kind !== expected) {
    return {
      origin,
      rule: 'V-210',
      code: 'ref.kind_mismatch',
      path: ref.path,
      message: `${ref.name} is listed under ${section}, its node is a ${node.kind}`,
      fields: { name: ref.name, expected, found: node.kind },
    };
  }
  if (node.name === ref.name) return undefined;
  return {
    origin,
    rule: 'V-210',
    code: 'ref.name_mismatch',
    path: [...ref.path, 'name'],
    message: `listed as ${ref.name}, its node is called ${shorten(node.name)}`,
    fields: { name: ref.name, found: shorten(node.name) },
  };
}
