import { type Failure, fail, fromBase64, fromHex, ok, type Path, type Result } from '@worldline/canon';
import { decodeConfig, defaultConfig, encodeConfig, type WorldConfig, type WorldLimits } from '@worldline/kernel';
import type { TrustedKey } from './verifier.ts';

/**
 * `worldline.host.json` (`host.md` §13): how this machine runs a world. Not part of the world's state, except `world.*`,
 * which becomes the world's journaled configuration when it is created.
 */

export interface RetryPolicy {
  /** Retries after the first attempt. */
  readonly max: number;
  readonly baseMs: number;
  readonly factor: number;
  readonly capMs: number;
}

export interface EffectsConfig {
  readonly timeoutMs: number;
  readonly maxInFlight: number;
  readonly retry: RetryPolicy;
  /** Overrides by adapter id. */
  readonly retryOf: Readonly<Record<string, RetryPolicy>>;
  /** Claims of one outbox row before `delivery.exhausted`. */
  readonly claimsMax: number;
}

export interface HttpConfig {
  readonly timeoutMs: number;
  readonly maxBodyBytes: number;
  readonly redirects: 'manual' | 'recheck';
  readonly allowPrivate: readonly string[];
  readonly credentials: readonly HttpCredentialConfig[];
  readonly proxy?: string | undefined;
  readonly envProxy: boolean;
  readonly retryStatuses: readonly number[];
}

export interface HttpCredentialConfig {
  readonly grant: string;
  readonly origin: string;
  readonly header: string;
  readonly prefix?: string | undefined;
  readonly binding: string;
}

export interface ApprovalRule {
  readonly subjectPrefix: string;
  readonly roles: readonly string[];
}

export interface AdapterPlugin {
  /** Package name, or a path relative to the world folder. */
  readonly module: string;
  readonly export: string;
  readonly options: unknown;
}

export interface HostConfig {
  readonly effects: EffectsConfig;
  readonly http: HttpConfig;
  readonly approvals: { readonly rules: readonly ApprovalRule[]; readonly maxPending: number };
  readonly secrets: {
    readonly bindings: Readonly<Record<string, string>>;
    readonly allowPlaceholders: boolean;
    readonly allowEcho: readonly string[];
  };
  readonly receipts: { readonly trustedKeys: readonly TrustedKey[] };
  readonly governance: {
    /** The manifest may be replaced without a proposal. */
    readonly directApply: boolean;
  };
  readonly store: { readonly engine: 'sqlite'; readonly dir: string };
  readonly journal: { readonly fsync: 'group' | 'always'; readonly maxGroup: number };
  readonly snapshot: {
    readonly everyEntries: number;
    readonly everyMs: number;
    /** Newest baselines that are kept as restore roots. */
    readonly keep: number;
    /** Baselines are verified by replay, in the background. */
    readonly verify: boolean;
  };
  readonly shutdown: { readonly graceMs: number };
  /** What a new world gets. */
  readonly world: WorldConfig;
  readonly adapters: readonly AdapterPlugin[];
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly json: boolean };
}

const MIB = 1024 * 1024;

export function defaultHostConfig(): HostConfig {
  return {
    effects: {
      timeoutMs: 30_000,
      maxInFlight: 64,
      retry: { max: 2, baseMs: 250, factor: 2, capMs: 5_000 },
      retryOf: {},
      claimsMax: 5,
    },
    http: {
      timeoutMs: 30_000,
      maxBodyBytes: 10 * MIB,
      redirects: 'manual',
      allowPrivate: [],
      credentials: [],
      envProxy: false,
      retryStatuses: [],
    },
    approvals: { rules: [], maxPending: 10_000 },
    secrets: { bindings: {}, allowPlaceholders: false, allowEcho: [] },
    receipts: { trustedKeys: [] },
    governance: { directApply: true },
    store: { engine: 'sqlite', dir: '.worldline/store' },
    journal: { fsync: 'group', maxGroup: 256 },
    snapshot: { everyEntries: 1_000, everyMs: 300_000, keep: 3, verify: false },
    shutdown: { graceMs: 10_000 },
    world: defaultConfig(),
    adapters: [],
    log: { level: 'info', json: false },
  };
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the configuration of a world folder.
 *
 * @param json - parsed `worldline.host.json`; undefined when there is none.
 * @param env - process environment, which wins over the file.
 * @returns every problem, in document order: codes `config.unknown_key`, `config.invalid`, `unsupported`; paths into
 *   the file, or into `env` for environment variables.
 */
export function readHostConfig(json: unknown, env: Environment): Result<HostConfig, readonly Failure[]> {
  const reader = new Reader();
  const d = defaultHostConfig();
  const root = reader.object(json ?? {}, [], ROOT_KEYS);
  const at = (name: string): Section => reader.section(root, name);
  const config: HostConfig = {
    effects: readEffects(at('effects'), d.effects),
    http: readHttp(at('http'), d.http),
    approvals: readApprovals(at('approvals'), d.approvals),
    secrets: readSecrets(at('secrets'), d.secrets),
    receipts: readReceipts(at('receipts')),
    governance: readGovernance(at('governance'), d.governance),
    store: readStore(at('store'), d.store),
    journal: readJournal(at('journal'), d.journal),
    snapshot: readSnapshot(at('snapshot'), d.snapshot),
    shutdown: { graceMs: at('shutdown').only('grace_ms').count('grace_ms', d.shutdown.graceMs) },
    world: readWorld(at('world'), d.world),
    adapters: readAdapters(reader, root['adapters']),
    log: readLog(at('log'), d.log),
  };
  const withEnv = applyEnvironment(config, env, reader);
  return reader.problems.length > 0 ? fail(reader.problems) : ok(withEnv);
}

const ROOT_KEYS = [
  'effects',
  'http',
  'approvals',
  'secrets',
  'receipts',
  'governance',
  'store',
  'journal',
  'snapshot',
  'shutdown',
  'world',
  'adapters',
  'log',
];

/** Keys of the specification that a later release brings. */
const LATER_KEYS = new Set(['server', 'publish', 'llm', 'mcp', 'fabric', 'vault']);

type JsonObject = Readonly<Record<string, unknown>>;

class Reader {
  readonly problems: Failure[] = [];

  add(code: string, path: Path, message: string, hint?: string): void {
    this.problems.push({ code, path, message, hint });
  }

  object(value: unknown, path: Path, keys: readonly string[]): JsonObject {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      this.add('config.invalid', path, 'expected an object');
      return {};
    }
    for (const key of Object.keys(value)) {
      if (keys.includes(key)) continue;
      if (path.length === 0 && LATER_KEYS.has(key)) {
        this.add('unsupported', [key], `not supported yet: "${key}"`, 'Remove this section.');
        continue;
      }
      const near = nearest(key, keys);
      const hint = near === undefined ? `Known keys: ${keys.join(', ')}.` : `Did you mean "${near}"?`;
      this.add('config.unknown_key', [...path, key], `unknown key "${key}"`, hint);
    }
    return value as JsonObject;
  }

  section(root: JsonObject, name: string): Section {
    return new Section(this, root[name] ?? {}, [name]);
  }
}

/** One object of the file: its keys are declared with `only`, then read with a default each. */
class Section {
  readonly #reader: Reader;
  readonly #path: Path;
  #value: unknown;

  constructor(reader: Reader, value: unknown, path: Path) {
    this.#reader = reader;
    this.#value = value;
    this.#path = path;
  }

  only(...keys: string[]): this {
    this.#value = this.#reader.object(this.#value, this.#path, keys);
    return this;
  }

  #read<T>(key: string, expected: string, otherwise: T, test: (value: unknown) => T | undefined): T {
    const value = (this.#value as JsonObject)[key];
    if (value === undefined) return otherwise;
    const read = test(value);
    if (read !== undefined) return read;
    this.#reader.add('config.invalid', [...this.#path, key], `expected ${expected}`);
    return otherwise;
  }

  count(key: string, otherwise: number, min = 0): number {
    return this.#read(key, `a whole number from ${min}`, otherwise, (v) =>
      typeof v === 'number' && Number.isSafeInteger(v) && v >= min ? v : undefined,
    );
  }

  flag(key: string, otherwise: boolean): boolean {
    return this.#read(key, 'true or false', otherwise, (v) => (typeof v === 'boolean' ? v : undefined));
  }

  text(key: string, otherwise: string): string {
    return this.#read(key, 'text', otherwise, (v) => (typeof v === 'string' && v !== '' ? v : undefined));
  }

  /** Nanoseconds since the Unix epoch, as decimal text: a JSON number is not exact enough. */
  instantNs(key: string): bigint | undefined {
    return this.#read<bigint | undefined>(key, 'nanoseconds since 1970 as decimal text', undefined, (v) =>
      typeof v === 'string' && /^\d{1,19}$/.test(v) ? BigInt(v) : undefined,
    );
  }

  optionalText(key: string): string | undefined {
    return this.#read<string | undefined>(key, 'text', undefined, (v) => (typeof v === 'string' ? v : undefined));
  }

  choice<T extends string>(key: string, choices: readonly T[], otherwise: T): T {
    return this.#read(key, choices.map((c) => `"${c}"`).join(' or '), otherwise, (v) => choices.find((c) => c === v));
  }

  texts(key: string): readonly string[] {
    return this.#read<readonly string[]>(key, 'a list of texts', [], (v) =>
      Array.isArray(v) && v.every((item) => typeof item === 'string') ? (v as string[]) : undefined,
    );
  }

  counts(key: string): readonly number[] {
    return this.#read<readonly number[]>(key, 'a list of whole numbers', [], (v) =>
      Array.isArray(v) && v.every((item) => Number.isSafeInteger(item)) ? (v as number[]) : undefined,
    );
  }

  textMap(key: string): Readonly<Record<string, string>> {
    return this.#read<Readonly<Record<string, string>>>(key, 'an object of texts', {}, (v) =>
      v !== null &&
      typeof v === 'object' &&
      !Array.isArray(v) &&
      Object.values(v).every((item) => typeof item === 'string')
        ? (v as Record<string, string>)
        : undefined,
    );
  }

  list<T>(key: string, read: (item: Section) => T | undefined): readonly T[] {
    const items = this.#read<readonly unknown[]>(key, 'a list', [], (v) => (Array.isArray(v) ? v : undefined));
    return items.flatMap((item, i) => read(new Section(this.#reader, item, [...this.#path, key, i])) ?? []);
  }

  child(key: string): Section {
    return new Section(this.#reader, (this.#value as JsonObject)[key] ?? {}, [...this.#path, key]);
  }

  names(): readonly string[] {
    return this.#value !== null && typeof this.#value === 'object' ? Object.keys(this.#value) : [];
  }

  refuse(key: string, message: string): void {
    this.#reader.add('config.invalid', [...this.#path, key], message);
  }

  has(key: string): boolean {
    return (this.#value as JsonObject)[key] !== undefined;
  }

  raw(key: string): unknown {
    return (this.#value as JsonObject)[key];
  }
}

/** Keys of proposals come with them. */
function readGovernance(s: Section, d: HostConfig['governance']): HostConfig['governance'] {
  s.only('direct_apply');
  return { directApply: s.flag('direct_apply', d.directApply) };
}

function readEffects(s: Section, d: EffectsConfig): EffectsConfig {
  s.only('timeout_ms', 'max_in_flight', 'retry');
  const retry = s.child('retry');
  const retryOf = Object.fromEntries(retry.names().map((id) => [id, readRetry(retry.child(id), d.retry)]));
  return {
    ...d,
    timeoutMs: s.count('timeout_ms', d.timeoutMs, 1),
    maxInFlight: s.count('max_in_flight', d.maxInFlight, 1),
    retryOf,
  };
}

/** `effects.retry.<adapter id>`. */
function readRetry(s: Section, d: RetryPolicy): RetryPolicy {
  s.only('max', 'base_ms', 'factor', 'cap_ms');
  return {
    max: s.count('max', d.max),
    baseMs: s.count('base_ms', d.baseMs),
    factor: s.count('factor', d.factor, 1),
    capMs: s.count('cap_ms', d.capMs),
  };
}

function readHttp(s: Section, d: HttpConfig): HttpConfig {
  s.only(
    'timeout_ms',
    'max_body_bytes',
    'redirects',
    'allow_private',
    'credentials',
    'proxy',
    'env_proxy',
    'retry_statuses',
  );
  return {
    timeoutMs: s.count('timeout_ms', d.timeoutMs, 1),
    maxBodyBytes: s.count('max_body_bytes', d.maxBodyBytes),
    redirects: s.choice('redirects', ['manual', 'recheck'], d.redirects),
    allowPrivate: s.texts('allow_private'),
    credentials: s.list('credentials', (c) => {
      c.only('grant', 'origin', 'header', 'prefix', 'binding');
      for (const key of ['grant', 'origin', 'header', 'binding']) if (!c.has(key)) c.refuse(key, `"${key}" is missing`);
      const [grant, origin, header, binding] = [
        c.text('grant', ''),
        c.text('origin', ''),
        c.text('header', ''),
        c.text('binding', ''),
      ];
      return { grant, origin, header, prefix: c.optionalText('prefix'), binding };
    }),
    proxy: s.optionalText('proxy'),
    envProxy: s.flag('env_proxy', d.envProxy),
    retryStatuses: s.counts('retry_statuses'),
  };
}

function readApprovals(s: Section, d: HostConfig['approvals']): HostConfig['approvals'] {
  s.only('rules', 'max_pending');
  return {
    maxPending: s.count('max_pending', d.maxPending),
    rules: s.list('rules', (rule) => {
      rule.only('subject_prefix', 'roles');
      return { subjectPrefix: rule.optionalText('subject_prefix') ?? '', roles: rule.texts('roles') };
    }),
  };
}

function readSecrets(s: Section, d: HostConfig['secrets']): HostConfig['secrets'] {
  s.only('bindings', 'allow_placeholders', 'allow_echo');
  return {
    bindings: s.textMap('bindings'),
    allowPlaceholders: s.flag('allow_placeholders', d.allowPlaceholders),
    allowEcho: s.texts('allow_echo'),
  };
}

function readReceipts(s: Section): HostConfig['receipts'] {
  s.only('trusted_keys');
  return {
    trustedKeys: s.list('trusted_keys', (k): TrustedKey | undefined => {
      k.only('adapter_id', 'key_id', 'alg', 'key', 'kinds', 'from_ns', 'until_ns');
      const text = k.text('key', '');
      const key = fromHex(text) ?? fromBase64(text);
      const alg = k.choice('alg', ['ed25519', 'hmac-sha256'], 'ed25519');
      if (key === undefined || (alg === 'ed25519' && key.length !== 32)) {
        k.refuse('key', 'expected a key in hex or base64; an Ed25519 key has 32 bytes');
        return undefined;
      }
      return {
        adapterId: k.text('adapter_id', ''),
        keyId: k.text('key_id', ''),
        alg,
        key,
        kinds: k.texts('kinds'),
        fromNs: k.instantNs('from_ns'),
        untilNs: k.instantNs('until_ns'),
      };
    }),
  };
}

function readStore(s: Section, d: HostConfig['store']): HostConfig['store'] {
  s.only('engine', 'dir', 'url');
  if (s.raw('engine') === 'postgres' || s.has('url'))
    s.refuse('engine', 'not supported yet: stores other than "sqlite"');
  else s.choice('engine', ['sqlite'], 'sqlite');
  return { engine: 'sqlite', dir: s.text('dir', d.dir) };
}

function readJournal(s: Section, d: HostConfig['journal']): HostConfig['journal'] {
  s.only('fsync', 'max_group');
  return { fsync: s.choice('fsync', ['group', 'always'], d.fsync), maxGroup: s.count('max_group', d.maxGroup, 1) };
}

function readSnapshot(s: Section, d: HostConfig['snapshot']): HostConfig['snapshot'] {
  s.only('every_entries', 'every_ms', 'keep', 'verify');
  return {
    everyEntries: s.count('every_entries', d.everyEntries, 1),
    everyMs: s.count('every_ms', d.everyMs, 1),
    keep: s.count('keep', d.keep, 1),
    verify: s.flag('verify', d.verify),
  };
}

/** `world.*`: members carry their journaled names, so the kernel's own reader judges them. */
function readWorld(s: Section, d: WorldConfig): WorldConfig {
  s.only(
    'clock',
    'engine_profile',
    'fabric_accept',
    'limits',
    'opaque_state_ok',
    'receipt_verification',
    'require_policy',
    'logical_origin',
  );
  const limits = s.child('limits').only(...Object.keys(d.limits));
  const read = Object.fromEntries(
    Object.entries(d.limits).map(([name, value]) => [name, limits.count(name, value as number)]),
  );
  if (s.has('fabric_accept')) s.refuse('fabric_accept', 'not supported yet: messages between worlds');
  const origin = s.raw('logical_origin');
  const config: WorldConfig = {
    ...d,
    limits: read as unknown as WorldLimits,
    clock: s.choice('clock', ['wall', 'virtual'], d.clock),
    engine_profile: s.text('engine_profile', d.engine_profile),
    opaque_state_ok: s.flag('opaque_state_ok', d.opaque_state_ok),
    receipt_verification: s.choice('receipt_verification', ['required', 'off'], d.receipt_verification),
    require_policy: s.flag('require_policy', d.require_policy),
    ...(origin === undefined ? {} : { logical_origin: logicalOrigin(s, origin) }),
  };
  const checked = decodeConfig(encodeConfig(config));
  if (!checked.ok) s.refuse(String(checked.failure.path[0] ?? ''), checked.failure.message);
  return config;
}

function logicalOrigin(s: Section, origin: unknown): bigint {
  const text = typeof origin === 'number' && Number.isSafeInteger(origin) ? String(origin) : origin;
  if (typeof text === 'string' && /^(0|[1-9][0-9]{0,19})$/.test(text) && BigInt(text) < 2n ** 64n) return BigInt(text);
  s.refuse('logical_origin', 'expected nanoseconds as a whole number, or as decimal text beyond 2^53');
  return 0n;
}

function readAdapters(reader: Reader, value: unknown): readonly AdapterPlugin[] {
  const list = new Section(reader, { adapters: value }, []);
  if (value === undefined) return [];
  return list.list('adapters', (a) => {
    a.only('module', 'export', 'options');
    if (!a.has('module')) a.refuse('module', '"module" is missing');
    return { module: a.text('module', ''), export: a.text('export', 'default'), options: a.raw('options') };
  });
}

function readLog(s: Section, d: HostConfig['log']): HostConfig['log'] {
  s.only('level', 'json');
  return { level: s.choice('level', ['debug', 'info', 'warn', 'error'], d.level), json: s.flag('json', d.json) };
}

function applyEnvironment(config: HostConfig, env: Environment, reader: Reader): HostConfig {
  const count = (name: string, otherwise: number): number => {
    const text = env[name];
    if (text === undefined || text === '') return otherwise;
    if (/^[0-9]{1,15}$/.test(text)) return Number(text);
    reader.add('config.invalid', ['env', name], 'expected a whole number');
    return otherwise;
  };
  const timeoutMs = count('WORLDLINE_EFFECT_TIMEOUT_MS', config.effects.timeoutMs);
  const http = {
    ...config.http,
    timeoutMs: count('WORLDLINE_HTTP_TIMEOUT_MS', config.http.timeoutMs),
    maxBodyBytes: count('WORLDLINE_HTTP_MAX_BODY_BYTES', config.http.maxBodyBytes),
  };
  const level = env['WORLDLINE_LOG'];
  const levels = ['debug', 'info', 'warn', 'error'] as const;
  const known = levels.find((l) => l === level);
  if (level !== undefined && level !== '' && known === undefined)
    reader.add('config.invalid', ['env', 'WORLDLINE_LOG'], `expected ${levels.join(', ')}`);
  const json = env['WORLDLINE_LOG_JSON'];
  return {
    ...config,
    effects: { ...config.effects, timeoutMs },
    http,
    store: { ...config.store, dir: env['WORLDLINE_STORE'] || config.store.dir },
    log: {
      level: known ?? config.log.level,
      json: json === undefined || json === '' ? config.log.json : json === 'true' || json === '1',
    },
  };
}

/** The known key that differs by at most two edits. */
function nearest(key: string, keys: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = 3;
  for (const candidate of keys) {
    const d = distance(key, candidate);
    if (d < bestDistance) [best, bestDistance] = [candidate, d];
  }
  return best;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
