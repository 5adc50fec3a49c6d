import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveType, type SecretDef, type Type, type TypeScope } from '@worldline/air';
import { type CborValue, fromUtf8, hashText, sha256 } from '@worldline/canon';
import type { Logger } from '@worldline/ports';

/**
 * Secrets (`host.md` §6): references stay in everything that is hashed, journaled or judged; plaintext exists only in
 * the adapter's copy of the params, for one attempt.
 */

export type SecretProblem = { readonly ok: false; readonly code: string; readonly message: string };
export type ResolvedSecret = { readonly ok: true; readonly bytes: Uint8Array } | SecretProblem;

export interface SecretSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `.worldline/secrets`; absent: `file:` bindings resolve to nothing. */
  readonly dir?: string | undefined;
  /** `secrets.bindings`: other binding ids, each mapped to one of the built-in forms. */
  readonly bindings: Readonly<Record<string, string>>;
  /** `secrets.allow_placeholders`. */
  readonly placeholders: boolean;
}

const FILE_NAME = /^[A-Za-z0-9._-]+$/;

export class SecretResolver {
  readonly #sources: SecretSources;
  readonly #redactor: Redactor;

  constructor(sources: SecretSources, redactor: Redactor) {
    this.#sources = sources;
    this.#redactor = redactor;
  }

  /**
   * The plaintext of one declared secret, checked in the order of §6.1.
   *
   * @param use - grant and origin of the effect; absent when a declaration is only probed.
   */
  async resolve(
    declared: readonly SecretDef[],
    ref: { readonly alias: string; readonly version: bigint },
    use?: { readonly grant: string; readonly plan: string | undefined },
  ): Promise<ResolvedSecret> {
    const label = `${ref.alias}@${ref.version}`;
    const def = declared.find((d) => d.alias === ref.alias && BigInt(d.version) === ref.version);
    if (def === undefined) return problem('secret_unknown', `no secret ${label} is declared`);
    if (use !== undefined) {
      const capDenied = def.allowedCaps.length > 0 && !def.allowedCaps.includes(use.grant);
      const planDenied =
        def.allowedPlans.length > 0 && (use.plan === undefined || !def.allowedPlans.includes(use.plan));
      if (capDenied || planDenied)
        return problem('secret_denied', `secret ${label} is not for this ${capDenied ? 'grant' : 'plan'}`);
    }
    const found = this.#sources.placeholders
      ? new TextEncoder().encode(`placeholder:${label}`)
      : await this.#fetch(def.bindingId);
    if (found === undefined) return problem('secret.unavailable', `secret ${label} cannot be resolved`);
    if (
      def.expectedDigest !== undefined &&
      !this.#sources.placeholders &&
      hashText(sha256(found)) !== def.expectedDigest
    ) {
      return problem('secret.digest_mismatch', `secret ${label} is not the expected value`);
    }
    this.#redactor.remember(ref.alias, found);
    return { ok: true, bytes: found };
  }

  /** Plaintext of a binding that host configuration names itself (`http.credentials`), without a declaration. */
  async binding(bindingId: string): Promise<string | undefined> {
    const found = this.#sources.placeholders
      ? new TextEncoder().encode(`placeholder:${bindingId}`)
      : await this.#fetch(bindingId);
    if (found === undefined) return undefined;
    this.#redactor.remember(bindingId, found);
    return fromUtf8(found);
  }

  /** Warns about every declared secret that cannot be used now (§6.2). */
  async probe(declared: readonly SecretDef[], log: Logger): Promise<readonly string[]> {
    const missing: string[] = [];
    for (const def of declared) {
      const resolved = await this.resolve(declared, { alias: def.alias, version: BigInt(def.version) });
      if (resolved.ok) continue;
      missing.push(`${def.alias}@${def.version}`);
      log.warn('a secret is not available', { secret: `${def.alias}@${def.version}`, code: resolved.code });
    }
    return missing;
  }

  async #fetch(bindingId: string, depth = 0): Promise<Uint8Array | undefined> {
    if (bindingId.startsWith('env:')) {
      const value = this.#sources.env[bindingId.slice(4)];
      return value === undefined ? undefined : new TextEncoder().encode(value);
    }
    if (bindingId.startsWith('file:')) return this.#readFile(bindingId.slice(5));
    const mapped = Object.hasOwn(this.#sources.bindings, bindingId) ? this.#sources.bindings[bindingId] : undefined;
    // One step is enough: a configured id maps to a built-in form.
    return mapped === undefined || depth > 0 ? undefined : this.#fetch(mapped, depth + 1);
  }

  async #readFile(name: string): Promise<Uint8Array | undefined> {
    const { dir } = this.#sources;
    if (dir === undefined || !FILE_NAME.test(name) || name === '.' || name === '..') return undefined;
    const path = join(dir, name);
    try {
      // A link could lead out of the folder.
      if (!(await lstat(path)).isFile()) return undefined;
      return new Uint8Array(await readFile(path));
    } catch {
      return undefined;
    }
  }
}

function problem(code: string, message: string): SecretProblem {
  return { ok: false, code, message };
}

const SECRET_REF = 'sys/SecretRef@1';

/** Whether values of a type can hold a secret reference. Recursive schemas end at the name seen before. */
export function mayHoldSecrets(type: Type, scope: TypeScope, seen: ReadonlySet<string> = new Set()): boolean {
  switch (type.kind) {
    case 'ref': {
      if (type.name === SECRET_REF) return true;
      if (seen.has(type.name)) return false;
      const target = scope.lookup(type.name);
      return target !== undefined && mayHoldSecrets(target, scope, new Set(seen).add(type.name));
    }
    case 'record':
      return [...type.fields.values()].some((t) => mayHoldSecrets(t, scope, seen));
    case 'variant':
      return [...type.arms.values()].some((t) => mayHoldSecrets(t, scope, seen));
    case 'list':
    case 'set':
    case 'option':
      return mayHoldSecrets(type.item, scope, seen);
    case 'map':
      return mayHoldSecrets(type.value, scope, seen);
    default:
      return false;
  }
}

type Resolve = (ref: { readonly alias: string; readonly version: bigint }) => Promise<ResolvedSecret>;

/**
 * A copy of canonical params in which each secret reference, found by schema, has become the `literal` arm.
 *
 * @returns the first problem: the unresolved reference is never sent.
 */
export async function injectSecrets(
  value: CborValue,
  type: Type,
  scope: TypeScope,
  resolve: Resolve,
): Promise<{ readonly ok: true; readonly value: CborValue } | SecretProblem> {
  if (!mayHoldSecrets(type, scope)) return { ok: true, value };
  const here = resolveType(type, scope);
  const inject = (v: CborValue, t: Type) => injectSecrets(v, t, scope, resolve);
  switch (here.kind) {
    case 'option':
      return value === null ? { ok: true, value } : inject(value, here.item);
    case 'list':
    case 'set':
      return each(value as readonly CborValue[], (item) => inject(item, here.item));
    case 'record':
      return injectMembers(value as Members, (name) => here.fields.get(name), inject);
    case 'map':
      return value instanceof Map
        ? injectEntries(value, (v) => inject(v, here.value))
        : injectMembers(value as Members, () => here.value, inject);
    case 'variant': {
      const { $tag, $value } = value as { readonly $tag: string; readonly $value: CborValue };
      const arm = here.arms.get($tag);
      if (arm === undefined) return { ok: true, value };
      if (arm.kind === 'ref' && arm.name === SECRET_REF) {
        const { alias, version } = $value as { readonly alias: string; readonly version: number | bigint };
        return literalArm(await resolve({ alias, version: BigInt(version) }), here.arms.get('literal'), scope);
      }
      const inner = await inject($value, arm);
      return inner.ok ? { ok: true, value: { $tag, $value: inner.value } } : inner;
    }
    default:
      return { ok: true, value };
  }
}

type Members = { readonly [key: string]: CborValue | undefined };

function literalArm(
  resolved: ResolvedSecret,
  literal: Type | undefined,
  scope: TypeScope,
): { readonly ok: true; readonly value: CborValue } | SecretProblem {
  if (!resolved.ok) return resolved;
  const kind = literal === undefined ? undefined : resolveType(literal, scope).kind;
  if (kind === 'bytes') return { ok: true, value: { $tag: 'literal', $value: resolved.bytes } };
  const text = kind === 'text' ? fromUtf8(resolved.bytes) : undefined;
  if (text === undefined) return problem('secret.type', 'the secret is not what its field takes');
  return { ok: true, value: { $tag: 'literal', $value: text } };
}

async function each(
  items: readonly CborValue[],
  inject: (item: CborValue) => Promise<{ readonly ok: true; readonly value: CborValue } | SecretProblem>,
): Promise<{ readonly ok: true; readonly value: CborValue } | SecretProblem> {
  const out: CborValue[] = [];
  for (const item of items) {
    const injected = await inject(item);
    if (!injected.ok) return injected;
    out.push(injected.value);
  }
  return { ok: true, value: out };
}

async function injectEntries(
  map: ReadonlyMap<CborValue, CborValue>,
  inject: (item: CborValue) => Promise<{ readonly ok: true; readonly value: CborValue } | SecretProblem>,
): Promise<{ readonly ok: true; readonly value: CborValue } | SecretProblem> {
  const out = new Map<CborValue, CborValue>();
  for (const [key, item] of map) {
    const injected = await inject(item);
    if (!injected.ok) return injected;
    out.set(key, injected.value);
  }
  return { ok: true, value: out };
}

async function injectMembers(
  members: Members,
  typeOf: (name: string) => Type | undefined,
  inject: (item: CborValue, type: Type) => Promise<{ readonly ok: true; readonly value: CborValue } | SecretProblem>,
): Promise<{ readonly ok: true; readonly value: CborValue } | SecretProblem> {
  const out: { [key: string]: CborValue } = Object.create(null);
  for (const [name, item] of Object.entries(members)) {
    if (item === undefined) continue;
    const type = typeOf(name);
    const injected = type === undefined ? ({ ok: true, value: item } as const) : await inject(item, type);
    if (!injected.ok) return injected;
    out[name] = injected.value;
  }
  return { ok: true, value: out };
}

/** Shorter values would redact innocent text. */
const REDACTED_BYTES_MIN = 6;

/** Knows every secret resolved in this process, to keep it out of logs, errors and the store (`host.md` §6.4). */
export class Redactor {
  /** Secret as latin1 text, so that text and bytes are searched alike → alias. */
  readonly #known = new Map<string, string>();

  remember(alias: string, bytes: Uint8Array): void {
    if (bytes.length >= REDACTED_BYTES_MIN) this.#known.set(Buffer.from(bytes).toString('latin1'), alias);
  }

  get knowsSecrets(): boolean {
    return this.#known.size > 0;
  }

  /** Replaces every known secret by `«redacted:<alias>»`. */
  text(value: string): string {
    if (this.#known.size === 0) return value;
    let out = value;
    for (const [latin, alias] of this.#known) {
      const secret = Buffer.from(latin, 'latin1').toString('utf8');
      if (out.includes(secret)) out = out.replaceAll(secret, `«redacted:${alias}»`);
    }
    return out;
  }

  /** @returns the alias of a secret that the bytes hold verbatim. */
  leak(bytes: Uint8Array): string | undefined {
    if (this.#known.size === 0) return undefined;
    const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const [latin, alias] of this.#known) if (haystack.includes(latin, 0, 'latin1')) return alias;
    return undefined;
  }

  /** Text in JSON-like data, keys included; cycles and exotic objects are cut. */
  data(value: unknown, depth = 0): unknown {
    if (typeof value === 'string') return this.text(value);
    if (value === null || typeof value !== 'object' || depth > 32)
      return typeof value === 'object' && value !== null ? '…' : value;
    if (value instanceof Uint8Array) return this.leak(value) === undefined ? value : '«redacted»';
    if (Array.isArray(value)) return value.map((item) => this.data(item, depth + 1));
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [this.text(k), this.data(v, depth + 1)]));
  }

  /** The same logger with every secret replaced. */
  logger(log: Logger): Logger {
    const line =
      (level: keyof Logger): Logger['info'] =>
      (message, fields) =>
        log[level](
          this.text(message),
          fields === undefined ? undefined : (this.data(fields) as Record<string, unknown>),
        );
    return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  }
}
