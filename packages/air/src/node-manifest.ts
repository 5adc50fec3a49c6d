import type { Path } from '@worldline/canon';
import { ZERO_HASH_TEXT } from './builtins.ts';
import { isJsonArray, isJsonObject, type Json, type JsonObject, shorten } from './json.ts';
import type { SecretDef } from './node.ts';
import { readExpr } from './node-plan.ts';
import {
  given,
  isPlaceholder,
  type NodeReader,
  type Origin,
  optional,
  type ParseOptions,
  Unread,
} from './node-read.ts';
import { readAllowed, readSecretName } from './node-secret.ts';
import {
  AIR_VERSION,
  ALLOWED_SHAPE,
  BINDING_SHAPE,
  DEFAULTS_SHAPE,
  GRANT_SHAPE,
  INBOX_SHAPE,
  INLINE_SECRET_SHAPE,
  MANIFEST_SHAPE,
  REF_SHAPE,
  ROUTE_SHAPE,
  ROUTING_SHAPE,
  SECRET_REF_SHAPE,
  TRIGGER_SHAPE,
} from './node-shape.ts';

/**
 * The manifest as written (`definitions.md` §3.8), structure checked, references not yet resolved. What was reported while
 * it was read is left out; `unread` says where that was.
 */

export const SECTIONS = ['schemas', 'modules', 'plans', 'effects', 'caps', 'policies', 'secrets'] as const;

export type Section = (typeof SECTIONS)[number];

export interface RefSource {
  readonly name: string;
  /** The zero hash where an author left it out. */
  readonly hash: string;
  readonly path: Path;
}

export interface InlineSecret extends SecretDef {
  readonly path: Path;
  /** A given `{}` stays. */
  readonly hasPolicy: boolean;
}

export interface GrantSource {
  readonly name: string;
  readonly cap: string;
  readonly params: Json;
  readonly expiryNs?: bigint | undefined;
  readonly path: Path;
}

export interface TriggerSource {
  readonly event: string;
  readonly plan: string;
  readonly correlateBy?: string | undefined;
  readonly when?: Json | undefined;
  /** Present also when it is JSON null: a slot that is there holds the sugar value null. */
  readonly inputExpr?: Json | undefined;
  readonly path: Path;
}

export interface ManifestSource {
  readonly origin: Origin;
  readonly refs: Readonly<Record<Section, readonly RefSource[]>>;
  /** References and inline declarations in their order. */
  readonly secrets: readonly (RefSource | InlineSecret)[];
  readonly hasDefaults: boolean;
  readonly policy?: string | undefined;
  readonly grants: readonly GrantSource[];
  readonly bindings: readonly { readonly module: string; readonly slots: readonly (readonly [string, string])[] }[];
  readonly hasRouting: boolean;
  readonly events: readonly {
    readonly event: string;
    readonly reducer: string;
    readonly keyField?: string | undefined;
    readonly path: Path;
  }[];
  readonly inboxes: readonly { readonly source: string; readonly reducer: string; readonly path: Path }[];
  readonly triggers: readonly TriggerSource[];
  readonly unread: Unread;
  readonly lost: LostEntries;
}

/** Entries that did not read. */
export interface LostEntries {
  /** Sections that may list further names. */
  readonly sections: ReadonlySet<Section>;
  /** Names of grants of which nothing more is known. */
  readonly grants: ReadonlySet<string>;
  /** There may be grants of other names. */
  readonly anyGrant: boolean;
}

/** @returns what could be read; undefined when it is of another version of AIR. */
export function parseManifest(json: JsonObject, reader: NodeReader, options: ParseOptions): ManifestSource | undefined {
  if (!checkVersion(json, reader)) return undefined;
  reader.shape(json, [], MANIFEST_SHAPE);
  const refs = Object.fromEntries(
    SECTIONS.map((section) => [
      section,
      section === 'secrets'
        ? []
        : (reader.each(given(json, section), [section], (item, path) => readRef(item, path, reader, options)) ?? []),
    ]),
  ) as unknown as Record<Section, readonly RefSource[]>;
  const secrets =
    reader.each(given(json, 'secrets'), ['secrets'], (item, path) => readSecret(item, path, reader, options)) ?? [];
  const defaults = reader.shape(reader.take(json, [], MANIFEST_SHAPE, 'defaults'), ['defaults'], DEFAULTS_SHAPE);
  const policy = defaults && reader.take(defaults, ['defaults'], DEFAULTS_SHAPE, 'policy');
  const grants =
    defaults &&
    reader.each(given(defaults, 'cap_grants'), ['defaults', 'cap_grants'], (item, path) =>
      readGrant(item, path, reader),
    );
  const bindings = readBindings(json, reader);
  const routing = reader.shape(reader.take(json, [], MANIFEST_SHAPE, 'routing'), ['routing'], ROUTING_SHAPE);
  const events =
    routing &&
    reader.each(given(routing, 'events'), ['routing', 'events'], (item, path) => readRoute(item, path, reader));
  const inboxes =
    routing &&
    reader.each(given(routing, 'inboxes'), ['routing', 'inboxes'], (item, path) => readInbox(item, path, reader));
  const triggers = reader.each(given(json, 'triggers'), ['triggers'], (item, path) => readTrigger(item, path, reader));
  const unread = new Unread(reader.problems);
  return {
    origin: reader.origin,
    refs: { ...refs, secrets: secrets.filter((secret): secret is RefSource => 'hash' in secret) },
    secrets,
    hasDefaults: defaults !== undefined,
    policy,
    grants: grants ?? [],
    bindings,
    hasRouting: routing !== undefined,
    events: events ?? [],
    inboxes: inboxes ?? [],
    triggers: triggers ?? [],
    unread,
    lost: lostEntries(json, { ...refs, secrets: secrets as readonly unknown[] }, grants ?? [], unread),
  };
}

function lostEntries(
  json: JsonObject,
  read: Readonly<Record<Section, readonly unknown[]>>,
  grants: readonly GrantSource[],
  unread: Unread,
): LostEntries {
  const sections = SECTIONS.filter((section) => {
    const list = given(json, section);
    return unread.has(section) && !(Array.isArray(list) && read[section].length === list.length);
  });
  const defaults = given(json, 'defaults');
  const list = isJsonObject(defaults) ? given(defaults, 'cap_grants') : undefined;
  const readable = new Set(grants.map(({ path }) => path.at(-1)));
  const lost = (isJsonArray(list) ? [...list.entries()] : []).flatMap(([index, grant]) =>
    readable.has(index) ? [] : [isJsonObject(grant) ? given(grant, 'name') : undefined],
  );
  const names = lost.filter((name) => typeof name === 'string');
  return {
    sections: new Set(sections),
    grants: new Set(names),
    anyGrant:
      names.length < lost.length ||
      (unread.has('defaults') && !isJsonObject(defaults)) ||
      (unread.has('defaults', 'cap_grants') && !isJsonArray(list)),
  };
}

/** A manifest of which nothing is known: for looking at definitions when there is none that reads. */
export function unreadManifest(origin: Origin): ManifestSource {
  const members = [...SECTIONS, 'defaults', 'module_bindings', 'routing', 'triggers'];
  return {
    origin,
    refs: Object.fromEntries(SECTIONS.map((section) => [section, []])) as unknown as ManifestSource['refs'],
    secrets: [],
    hasDefaults: false,
    grants: [],
    bindings: [],
    hasRouting: false,
    events: [],
    inboxes: [],
    triggers: [],
    unread: new Unread(members.map((member) => ({ path: [member] }))),
    lost: { sections: new Set(SECTIONS), grants: new Set(), anyGrant: true },
  };
}

export { AIR_VERSION };

/** V-201 comes before anything else: of another version we know nothing, not even what is wrong with it. */
function checkVersion(json: JsonObject, reader: NodeReader): boolean {
  const found = optional(json, 'air_version');
  if (found === AIR_VERSION) return true;
  if (found === undefined) {
    reader.report({
      rule: 'V-201',
      code: 'manifest.air_version_missing',
      path: ['air_version'],
      message: 'the manifest does not say its air_version',
      hint: `Add "air_version": "${AIR_VERSION}".`,
      fields: { supported: AIR_VERSION },
    });
  } else {
    const shown = typeof found === 'string' ? shorten(found) : typeof found === 'object' ? 'no text' : String(found);
    reader.report({
      rule: 'V-201',
      code: 'manifest.air_version_unsupported',
      path: ['air_version'],
      message: `air_version ${shown} is not supported`,
      hint: `Supported: "${AIR_VERSION}" (a text).`,
      fields: { found: shown, supported: AIR_VERSION },
    });
  }
  return false;
}

function readRef(json: Json, path: Path, reader: NodeReader, options: ParseOptions): RefSource | undefined {
  const fill = options.authored && isObjectWithPlaceholder(json);
  const ref = reader.shape(json, path, REF_SHAPE, fill ? 'hash' : undefined);
  if (ref === undefined) return undefined;
  const name = reader.take(ref, path, REF_SHAPE, 'name');
  const hash = fill ? ZERO_HASH_TEXT : reader.take(ref, path, REF_SHAPE, 'hash');
  return name === undefined ? undefined : { name, hash: hash ?? ZERO_HASH_TEXT, path };
}

function isObjectWithPlaceholder(json: Json): boolean {
  return typeof json === 'object' && json !== null && isPlaceholder((json as JsonObject)['hash']);
}

function readSecret(
  json: Json,
  path: Path,
  reader: NodeReader,
  options: ParseOptions,
): RefSource | InlineSecret | undefined {
  if (typeof json === 'object' && json !== null && Object.hasOwn(json, 'name')) {
    const fill = options.authored && isObjectWithPlaceholder(json);
    const ref = reader.shape(json, path, SECRET_REF_SHAPE, fill ? 'hash' : undefined);
    if (ref === undefined) return undefined;
    const secret = readSecretName(given(ref, 'name'), [...path, 'name'], reader);
    const hash = fill ? ZERO_HASH_TEXT : reader.take(ref, path, SECRET_REF_SHAPE, 'hash');
    return secret === undefined ? undefined : { name: secret.name, hash: hash ?? ZERO_HASH_TEXT, path };
  }
  const inline = reader.shape(json, path, INLINE_SECRET_SHAPE);
  if (inline === undefined) return undefined;
  const alias = reader.take(inline, path, INLINE_SECRET_SHAPE, 'alias');
  const version = reader.take(inline, path, INLINE_SECRET_SHAPE, 'version');
  const bindingId = reader.take(inline, path, INLINE_SECRET_SHAPE, 'binding_id');
  const expectedDigest = reader.take(inline, path, INLINE_SECRET_SHAPE, 'expected_digest');
  const at = [...path, 'policy'];
  const policy = reader.shape(reader.take(inline, path, INLINE_SECRET_SHAPE, 'policy'), at, ALLOWED_SHAPE);
  const allowed = policy ? readAllowed(policy, at, reader) : { allowedCaps: [], allowedPlans: [] };
  if (alias === undefined || version === undefined || bindingId === undefined) return undefined;
  return {
    kind: 'defsecret',
    name: `${alias}@${version}`,
    alias,
    version: Number(version),
    bindingId,
    ...(expectedDigest === undefined ? {} : { expectedDigest }),
    ...allowed,
    hasPolicy: policy !== undefined,
    path,
  };
}

function readGrant(json: Json, path: Path, reader: NodeReader): GrantSource | undefined {
  const grant = reader.shape(json, path, GRANT_SHAPE);
  if (grant === undefined) return undefined;
  const name = reader.take(grant, path, GRANT_SHAPE, 'name');
  const cap = reader.take(grant, path, GRANT_SHAPE, 'cap');
  const params = reader.take(grant, path, GRANT_SHAPE, 'params');
  const expiryNs = reader.take(grant, path, GRANT_SHAPE, 'expiry_ns');
  if (name === undefined || cap === undefined || params === undefined) return undefined;
  return { name, cap, params, ...(expiryNs === undefined ? {} : { expiryNs }), path };
}

function readBindings(json: JsonObject, reader: NodeReader): ManifestSource['bindings'] {
  return (reader.entries(given(json, 'module_bindings'), ['module_bindings']) ?? []).map(([module, value]) => {
    const at = ['module_bindings', module];
    reader.name(module, at);
    const binding = reader.shape(value, at, BINDING_SHAPE);
    return { module, slots: (binding && reader.take(binding, at, BINDING_SHAPE, 'slots')) ?? [] };
  });
}

function readRoute(json: Json, path: Path, reader: NodeReader): ManifestSource['events'][number] | undefined {
  const route = reader.shape(json, path, ROUTE_SHAPE);
  if (route === undefined) return undefined;
  const event = reader.take(route, path, ROUTE_SHAPE, 'event');
  const reducer = reader.take(route, path, ROUTE_SHAPE, 'reducer');
  const keyField = reader.take(route, path, ROUTE_SHAPE, 'key_field');
  return event !== undefined && reducer !== undefined ? { event, reducer, keyField, path } : undefined;
}

function readInbox(json: Json, path: Path, reader: NodeReader): ManifestSource['inboxes'][number] | undefined {
  const inbox = reader.shape(json, path, INBOX_SHAPE);
  if (inbox === undefined) return undefined;
  const source = reader.take(inbox, path, INBOX_SHAPE, 'source');
  const reducer = reader.take(inbox, path, INBOX_SHAPE, 'reducer');
  return source !== undefined && reducer !== undefined ? { source, reducer, path } : undefined;
}

function readTrigger(json: Json, path: Path, reader: NodeReader): TriggerSource | undefined {
  const trigger = reader.shape(json, path, TRIGGER_SHAPE);
  if (trigger === undefined) return undefined;
  const event = reader.take(trigger, path, TRIGGER_SHAPE, 'event');
  const plan = reader.take(trigger, path, TRIGGER_SHAPE, 'plan');
  const correlateBy = reader.take(trigger, path, TRIGGER_SHAPE, 'correlate_by');
  const when = reader.take(trigger, path, TRIGGER_SHAPE, 'when');
  if (when !== undefined) readExpr(when, [...path, 'when'], reader);
  if (event === undefined || plan === undefined) return undefined;
  const inputExpr = reader.take(trigger, path, TRIGGER_SHAPE, 'input_expr');
  return { event, plan, correlateBy, when, inputExpr, path };
}
