import { bytesEqual, type CborValue, hashOf, hashText, ok, type Result, sha256, toHex } from '@worldline/canon';
import { ZERO_HASH_TEXT } from './builtins.ts';
import { buildCatalog } from './catalog.ts';
import type { Diagnostic } from './diagnostic.ts';
import { isJsonArray, isJsonObject, type Json, type JsonObject, member } from './json.ts';
import { readLiteral } from './literal-read.ts';
import { toSugar } from './literal-sugar.ts';
import { assembleWorld, builtinOf, SECTION_KINDS } from './load-resolve.ts';
import { readStoredWorld, resolveStored } from './load-stored.ts';
import { manifestOfParts, manifestParts } from './manifest-parts.ts';
import { encodeNode, members, nodeToJson, object, withoutKind } from './node-json.ts';
import { SECTIONS, type Section } from './node-manifest.ts';
import { type DefKind, parseNode } from './node-parse.ts';
import type { PlanSource } from './node-plan.ts';
import { canonicalPlan, checkPlanNames, slotType } from './node-plan-canonical.ts';
import { readSlot, slotToJson } from './slot.ts';
import type { Type, TypeScope } from './type.ts';
import { validate } from './validate.ts';
import { grantType, readGrant } from './validate-grants.ts';
import { lookupsOf, type World } from './validate-world.ts';

/**
 * A stored manifest as files may hold it, for `pull` (`packs.md` §6): what loads back gives the same hashes.
 *
 * A1  Members stand in reading order; hashes of references and lists that follow from the steps are left out.
 * A2  Literals of plans and grants are written in sugar wherever that reads back as what is stored, else as stored.
 */
export interface AuthoredDef {
  readonly kind: DefKind;
  readonly name: string;
  readonly node: JsonObject;
}

export class AuthoredWorld {
  /** With `$kind`. */
  readonly manifest: JsonObject;
  /** Definitions that are not built in, by kind and name. */
  readonly defs: ReadonlyMap<string, AuthoredDef>;
  readonly #world: World;
  readonly #json: JsonObject;
  readonly #get: (hash: Uint8Array) => Uint8Array | undefined;

  private constructor(world: World, json: JsonObject, get: (hash: Uint8Array) => Uint8Array | undefined) {
    this.#world = world;
    this.#json = withoutKind(json);
    this.#get = get;
    this.manifest = authoredManifest(withSugaredGrants(this.#json, world));
    this.defs = new Map(authoredDefs(world).map((def) => [`${def.kind} ${def.name}`, def]));
  }

  /** @param get - The bytes of a stored object. */
  static of(
    manifestHash: Uint8Array,
    get: (hash: Uint8Array) => Uint8Array | undefined,
  ): Result<AuthoredWorld, readonly Diagnostic[]> {
    // What was read is all that is asked for later, when the store may be closed.
    const seen = new Map<string, Uint8Array | undefined>();
    const remember = (hash: Uint8Array) => {
      const bytes = get(hash);
      seen.set(toHex(hash), bytes);
      return bytes;
    };
    const read = readStoredWorld(manifestHash, remember);
    if (!read.ok) return read;
    return ok(new AuthoredWorld(read.value.world, read.value.json, (hash) => seen.get(toHex(hash))));
  }

  /** Is this node, as a folder has it, the manifest or a definition of this world? Its wording is its author's. */
  isSame(node: Json): boolean {
    const parsed = parseNode({ json: node, base: [] }, { authored: true });
    if (parsed.node === undefined) return false;
    if (parsed.node.kind === 'manifest') return isJsonObject(node) && this.#isSameManifest(node);
    const section = SECTIONS.find((each) => SECTION_KINDS[each] === parsed.node?.kind) as Section;
    const { name } = parsed.node;
    const listed = this.#world.manifest.refs[section].find((ref) => ref.name === name);
    if (listed === undefined) return false;
    if (parsed.node.kind !== 'defplan') {
      const def = parsed.node.def;
      return hashText(sha256(encodeNode(nodeToJson(def)))) === listed.hash;
    }
    const lookups = lookupsOf(this.#world);
    if (checkPlanNames(parsed.node.source, lookups).length > 0) return false;
    const { plan } = canonicalPlan(parsed.node.source, lookups);
    return plan !== undefined && hashText(sha256(encodeNode(plan.node))) === listed.hash;
  }

  /** The order of references is no difference, nor are built-in ones that the folder lists beyond those of the world. */
  #isSameManifest(node: JsonObject): boolean {
    const hashes = this.#world.manifest.refs;
    const filled = SECTIONS.map((section) => {
      const list = member(node, section);
      if (!isJsonArray(list)) return [section, list] as const;
      return [
        section,
        list.map((ref) => {
          const name = isJsonObject(ref) ? member(ref, 'name') : undefined;
          if (typeof name !== 'string') return ref;
          const known = hashes[section].find((each) => each.name === name)?.hash;
          const builtin = builtinOf(section, name)?.hash;
          return members({ name, hash: known ?? (builtin === undefined ? ZERO_HASH_TEXT : hashText(builtin)) });
        }),
      ] as const;
    });
    const json = object([...Object.entries(withoutKind(node)), ...filled]);
    const parsed = parseNode({ json, base: [] }, { authored: false, manifest: true });
    if (parsed.node?.kind !== 'manifest') return false;
    const resolved = resolveStored(parsed.node.source, this.#get);
    if (!resolved.ok) return false;
    const world = assembleWorld(parsed.node.source, resolved.value);
    if (validate(world, {}).length > 0) return false;
    return bytesEqual(comparable(buildCatalog(world).manifest, this.#json), comparable(this.#json, this.#json));
  }
}

/** One hash for what two manifests mean: in the one form, and with the built-in references of `other` where it has them all. */
function comparable(manifest: JsonObject, other: JsonObject): Uint8Array {
  const parts = manifestParts(manifest);
  const others = manifestParts(other).refs;
  const refs = Object.fromEntries(
    SECTIONS.map((section) => {
      const own = parts.refs[section].filter(({ name }) => !name.startsWith('sys/'));
      const builtin = parts.refs[section].filter(({ name }) => name.startsWith('sys/'));
      const wanted = others[section].filter(({ name }) => name.startsWith('sys/'));
      const hasAll = wanted.every(({ name }) => builtin.some((ref) => ref.name === name));
      return [section, [...own, ...(hasAll ? wanted : builtin)]];
    }),
  ) as unknown as typeof parts.refs;
  return hashOf(manifestOfParts({ ...parts, refs }) as CborValue);
}

function authoredManifest(json: JsonObject): JsonObject {
  const order = [
    'air_version',
    'schemas',
    'modules',
    'plans',
    'effects',
    'caps',
    'policies',
    'secrets',
    'defaults',
    'module_bindings',
    'routing',
    'triggers',
  ];
  const sections: readonly string[] = SECTIONS;
  const bare = (ref: Json) =>
    isJsonObject(ref) && Object.hasOwn(ref, 'name') ? members({ name: member(ref, 'name') }) : ref;
  return object([
    ['$kind', 'manifest'],
    ...order.map((key) => {
      const value = member(json, key);
      return [key, sections.includes(key) && isJsonArray(value) ? value.map(bare) : arranged(key, value)] as const;
    }),
  ]);
}

/** Members of grants, routes and triggers in reading order; a stored map has them by length. */
function arranged(key: string, value: Json | undefined): Json | undefined {
  const inOrder = (of: Json, names: readonly string[]): Json =>
    isJsonObject(of) ? object(names.map((name) => [name, member(of, name)] as const)) : of;
  const each = (list: Json | undefined, names: readonly string[]) =>
    isJsonArray(list) ? list.map((item) => inOrder(item, names)) : list;
  if (key === 'triggers') return each(value, ['event', 'plan', 'correlate_by', 'when', 'input_expr']);
  if (key === 'defaults' && isJsonObject(value)) {
    const grants = each(member(value, 'cap_grants'), ['name', 'cap', 'params', 'expiry_ns']);
    return members({ policy: member(value, 'policy'), cap_grants: grants });
  }
  if (key === 'routing' && isJsonObject(value)) {
    return members({
      events: each(member(value, 'events'), ['event', 'reducer', 'key_field']),
      inboxes: each(member(value, 'inboxes'), ['source', 'reducer']),
    });
  }
  return value;
}

function authoredDefs(world: World): readonly AuthoredDef[] {
  const simple = [world.schemas, world.modules, world.effects, world.caps, world.policies].flatMap((section) =>
    [...section.values()].flatMap((each) =>
      each.origin === undefined ? [] : [{ kind: each.def.kind, name: each.def.name, node: nodeToJson(each.def) }],
    ),
  );
  const secrets = world.secrets.flatMap(({ def, path }) =>
    // Declared inside the manifest: no node of its own, and no file may hold it (V-205).
    path.length > 0 ? [] : [{ kind: def.kind, name: def.name, node: nodeToJson(def) }],
  );
  const plans = [...world.plans.keys()].map((name) => ({
    kind: 'defplan' as const,
    name,
    node: authoredPlan(world.canonical.get(name)!.node, world.plans.get(name)!.source, world),
  }));
  return [...simple, ...plans, ...secrets];
}

/** Lists that follow from the steps are filled in again when the plan is read (V-506, V-507). */
function authoredPlan(node: JsonObject, source: PlanSource, world: World): JsonObject {
  const lookups = lookupsOf(world);
  const steps = member(node, 'steps') as readonly JsonObject[];
  const sugared = steps.map((step, i) => {
    const { slots } = source.steps[i]!;
    return object(
      Object.entries(step).map(([key, json]) => {
        const type = slots.has(key) ? slotType(source.steps[i]!, key, source, lookups) : undefined;
        return [key, type === undefined || type === 'missing' ? json : sugarOfSlot(json, type, world.scope)] as const;
      }),
    );
  });
  return object(
    Object.entries(node).flatMap(([key, json]) => {
      if (key === 'required_caps' || key === 'allowed_effects') return [];
      return [[key, key === 'steps' ? sugared : json] as const];
    }),
  );
}

function sugarOfSlot(stored: Json, type: Type, scope: TypeScope): Json {
  const read = readSlot(stored, type, scope);
  if (!read.ok || read.value.literal === undefined) return stored;
  return firstThatReads(stored, toSugar(read.value.literal, type, scope), (json) => {
    const again = readSlot(json, type, scope);
    return again.ok ? slotToJson(again.value) : undefined;
  });
}

function withSugaredGrants(json: JsonObject, world: World): JsonObject {
  const defaults = member(json, 'defaults');
  const grants = isJsonObject(defaults) ? member(defaults, 'cap_grants') : undefined;
  if (!isJsonObject(defaults) || !isJsonArray(grants)) return json;
  const sugared = world.manifest.grants.map((source, i) => {
    const cap = world.caps.get(source.cap)!.def;
    const type = grantType(source, cap);
    const stored = member(grants[i] as JsonObject, 'params') as Json;
    const value = readLiteral(stored, type, world.scope);
    if (!value.ok) return grants[i] as Json;
    const params = firstThatReads(stored, toSugar(value.value, type, world.scope), (given) => {
      const read = readGrant({ ...source, params: given }, cap, world.scope);
      return read.ok ? read.value.params : undefined;
    });
    return object([...Object.entries(grants[i] as JsonObject), ['params', params]]);
  });
  return object([
    ...Object.entries(json),
    ['defaults', object([...Object.entries(defaults), ['cap_grants', sugared]])],
  ]);
}

/** Sugar without its absent options, sugar as it is, or what is stored: whichever reads as what is stored. */
function firstThatReads(stored: Json, sugar: Json, read: (json: Json) => Json | undefined): Json {
  const same = (json: Json | undefined) =>
    json !== undefined && bytesEqual(hashOf(json as CborValue), hashOf(stored as CborValue));
  return [withoutNulls(sugar), sugar].find((json) => same(read(json))) ?? stored;
}

function withoutNulls(json: Json): Json {
  if (isJsonArray(json)) return json.map(withoutNulls);
  if (!isJsonObject(json)) return json;
  return object(
    Object.entries(json).flatMap(([key, part]) => (part === null ? [] : [[key, withoutNulls(part)] as const])),
  );
}
