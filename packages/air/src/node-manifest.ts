import type { Path } from '@worldline/canon';
import { ZERO_HASH_TEXT } from './builtins.ts';
import { type Json, type JsonObject, shorten } from './json.ts';
import type { SecretDef } from './node.ts';
import { readExpr } from './node-plan.ts';
import { given, IDENT, isPlaceholder, type NodeReader, type Origin, optional, type ParseOptions } from './node-read.ts';
import { readAllowed, readSecretName } from './node-secret.ts';

/** The manifest as written (`definitions.md` §3.8), structure checked, references not yet resolved. */

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
  }[];
  readonly inboxes: readonly { readonly source: string; readonly reducer: string }[];
  readonly triggers: readonly TriggerSource[];
}

export function parseManifest(json: JsonObject, reader: NodeReader, options: ParseOptions): ManifestSource | undefined {
  if (!checkVersion(json, reader)) return undefined;
  reader.object(json, [], {
    $kind: null,
    air_version: '"1"',
    schemas: 'a list of references',
    modules: 'a list of references',
    plans: 'a list of references',
    caps: 'a list of references',
    policies: 'a list of references',
    effects: null,
    secrets: null,
    defaults: null,
    module_bindings: null,
    routing: null,
    triggers: null,
  });
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
  const defaults = reader.object(optional(json, 'defaults'), ['defaults'], { policy: null, cap_grants: null });
  const policy = defaults && reader.name(optional(defaults, 'policy'), ['defaults', 'policy']);
  const grants =
    defaults &&
    reader.each(given(defaults, 'cap_grants'), ['defaults', 'cap_grants'], (item, path) =>
      readGrant(item, path, reader),
    );
  const bindings = readBindings(given(json, 'module_bindings'), reader);
  const routing = reader.object(optional(json, 'routing'), ['routing'], { events: null, inboxes: null });
  const events =
    routing &&
    reader.each(given(routing, 'events'), ['routing', 'events'], (item, path) => readRoute(item, path, reader));
  const inboxes =
    routing &&
    reader.each(given(routing, 'inboxes'), ['routing', 'inboxes'], (item, path) => readInbox(item, path, reader));
  const triggers = reader.each(given(json, 'triggers'), ['triggers'], (item, path) => readTrigger(item, path, reader));
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
  };
}

export const AIR_VERSION = '1';

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
  const ref = reader.object(json, path, { name: 'a name', hash: fill ? null : 'a hash' });
  if (ref === undefined) return undefined;
  const name = reader.name(given(ref, 'name'), [...path, 'name']);
  const hash = fill ? ZERO_HASH_TEXT : reader.hash(given(ref, 'hash'), [...path, 'hash']);
  return name !== undefined && hash !== undefined ? { name, hash, path } : undefined;
}

function isObjectWithPlaceholder(json: Json): boolean {
  return (
    typeof json === 'object' &&
    json !== null &&
    typeof (json as JsonObject)['name'] === 'string' &&
    isPlaceholder((json as JsonObject)['hash'])
  );
}

function readSecret(
  json: Json,
  path: Path,
  reader: NodeReader,
  options: ParseOptions,
): RefSource | InlineSecret | undefined {
  if (typeof json === 'object' && json !== null && Object.hasOwn(json, 'name')) {
    const fill = options.authored && isObjectWithPlaceholder(json);
    const ref = reader.object(json, path, { name: 'a name', hash: fill ? null : 'a hash' });
    if (ref === undefined) return undefined;
    const secret = readSecretName(given(ref, 'name'), [...path, 'name'], reader);
    const hash = fill ? ZERO_HASH_TEXT : reader.hash(given(ref, 'hash'), [...path, 'hash']);
    return secret !== undefined && hash !== undefined ? { name: secret.name, hash, path } : undefined;
  }
  const inline = reader.object(json, path, {
    alias: 'a text',
    version: 'an integer',
    binding_id: 'a text',
    expected_digest: null,
    policy: null,
  });
  if (inline === undefined) return undefined;
  const alias = reader.text(given(inline, 'alias'), [...path, 'alias']);
  const version = reader.integer(given(inline, 'version'), [...path, 'version'], {
    min: 1n,
    max: BigInt(Number.MAX_SAFE_INTEGER),
  });
  const bindingId = reader.text(given(inline, 'binding_id'), [...path, 'binding_id']);
  const expectedDigest = reader.hash(optional(inline, 'expected_digest'), [...path, 'expected_digest']);
  const at = [...path, 'policy'];
  const policy = reader.object(optional(inline, 'policy'), at, { allowed_caps: null, allowed_plans: null });
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
  const grant = reader.object(json, path, {
    name: 'a grant name',
    cap: 'a defcap name',
    params: "a value of the cap's schema",
    expiry_ns: null,
  });
  if (grant === undefined) return undefined;
  const name = reader.ident(given(grant, 'name'), [...path, 'name'], IDENT);
  const cap = reader.name(given(grant, 'cap'), [...path, 'cap']);
  const params = given(grant, 'params');
  const expiryNs = reader.integer(optional(grant, 'expiry_ns'), [...path, 'expiry_ns'], {
    min: 0n,
    max: 18446744073709551615n,
  });
  if (name === undefined || cap === undefined || params === undefined) return undefined;
  return { name, cap, params, ...(expiryNs === undefined ? {} : { expiryNs }), path };
}

function readBindings(json: Json | undefined, reader: NodeReader): ManifestSource['bindings'] {
  return (reader.entries(json, ['module_bindings']) ?? []).map(([module, value]) => {
    const at = ['module_bindings', module];
    reader.name(module, at);
    const binding = reader.object(value, at, { slots: 'an object' });
    const slots = (binding && reader.entries(given(binding, 'slots'), [...at, 'slots'])) ?? [];
    return {
      module,
      slots: slots.flatMap(([slot, grant]) => {
        const path = [...at, 'slots', slot];
        if (!IDENT.test(slot)) reader.badIdent(slot, path, IDENT);
        const name = reader.ident(grant, path, IDENT);
        return name === undefined ? [] : [[slot, name] as const];
      }),
    };
  });
}

function readRoute(json: Json, path: Path, reader: NodeReader): ManifestSource['events'][number] | undefined {
  const route = reader.object(json, path, { event: 'a schema name', reducer: 'a module name', key_field: null });
  if (route === undefined) return undefined;
  const event = reader.name(given(route, 'event'), [...path, 'event']);
  const reducer = reader.name(given(route, 'reducer'), [...path, 'reducer']);
  const keyField = reader.text(optional(route, 'key_field'), [...path, 'key_field']);
  return event !== undefined && reducer !== undefined ? { event, reducer, keyField } : undefined;
}

function readInbox(json: Json, path: Path, reader: NodeReader): ManifestSource['inboxes'][number] | undefined {
  const inbox = reader.object(json, path, { source: 'a text', reducer: 'a module name' });
  if (inbox === undefined) return undefined;
  const source = reader.text(given(inbox, 'source'), [...path, 'source']);
  const reducer = reader.name(given(inbox, 'reducer'), [...path, 'reducer']);
  return source !== undefined && reducer !== undefined ? { source, reducer } : undefined;
}

function readTrigger(json: Json, path: Path, reader: NodeReader): TriggerSource | undefined {
  const trigger = reader.object(json, path, {
    event: 'a schema name',
    plan: 'a plan name',
    correlate_by: null,
    when: null,
    input_expr: null,
  });
  if (trigger === undefined) return undefined;
  const event = reader.name(given(trigger, 'event'), [...path, 'event']);
  const plan = reader.name(given(trigger, 'plan'), [...path, 'plan']);
  const correlateBy = reader.text(optional(trigger, 'correlate_by'), [...path, 'correlate_by']);
  const when = optional(trigger, 'when');
  if (when !== undefined) readExpr(when, [...path, 'when'], reader);
  if (event === undefined || plan === undefined) return undefined;
  return { event, plan, correlateBy, when, inputExpr: given(trigger, 'input_expr'), path };
}
