import { type Failure, fail, fromBase64, fromHex, ok, type Result } from '@worldline/canon';
import {
  decodeConfig,
  defaultConfig,
  encodeConfig,
  type WorldConfig,
  type WorldLimits,
} from '@worldline/kernel/config';
import { type FabricConfig, readFabric, readFabricAccept } from './config-fabric.ts';
import { Reader, Section } from './config-section.ts';
import { DEFAULT_SERVER, readServer, type ServerConfig } from './config-server.ts';
import {
  ADAPTER_SHAPE,
  APPROVAL_RULE_SHAPE,
  CREDENTIAL_SHAPE,
  HOST_CONFIG_SHAPE,
  RETRY_SHAPE,
  TRUSTED_KEY_SHAPE,
} from './config-shape.ts';
import type { TrustedKey } from './verifier.ts';

export type { FabricConfig, PeerConfig } from './config-fabric.ts';
export type { ServerConfig } from './config-server.ts';
export { HOST_CONFIG_SHAPE };

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

export interface WebhookConfig {
  readonly url: string;
  /** Where its key is found: `env:…`, `file:…` or an id of `secrets.bindings`. */
  readonly secret: string;
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
  readonly approvals: {
    readonly rules: readonly ApprovalRule[];
    readonly maxPending: number;
    /** Is told of each pending approval. */
    readonly webhook?: WebhookConfig | undefined;
  };
  readonly fabric: FabricConfig;
  readonly server: ServerConfig;
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

/**
 * Sending a message again is always the same message, and a peer that is being restarted is back within seconds: it is
 * tried for as long as the time limit allows.
 */
const MESSAGE_RETRY: RetryPolicy = { max: 30, baseMs: 250, factor: 2, capMs: 5_000 };

export function defaultHostConfig(): HostConfig {
  return {
    effects: {
      timeoutMs: 30_000,
      maxInFlight: 64,
      retry: { max: 2, baseMs: 250, factor: 2, capMs: 5_000 },
      retryOf: { 'host.fabric': MESSAGE_RETRY },
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
    fabric: { peers: new Map(), maxBytes: MIB },
    server: DEFAULT_SERVER,
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
  const root = reader.object(json ?? {}, [], Object.keys(HOST_CONFIG_SHAPE));
  const at = (name: keyof typeof HOST_CONFIG_SHAPE): Section => reader.section(root, name);
  const secrets = readSecrets(at('secrets'), d.secrets);
  const config: HostConfig = {
    effects: readEffects(at('effects'), d.effects),
    http: readHttp(at('http'), d.http),
    approvals: readApprovals(at('approvals'), d.approvals, secrets.bindings),
    fabric: readFabric(at('fabric'), d.fabric, secrets.bindings),
    server: readServer(at('server'), env),
    secrets,
    receipts: readReceipts(at('receipts')),
    governance: readGovernance(at('governance'), d.governance),
    store: readStore(at('store'), d.store),
    journal: readJournal(at('journal'), d.journal),
    snapshot: readSnapshot(at('snapshot'), d.snapshot),
    shutdown: { graceMs: at('shutdown').count('grace_ms', d.shutdown.graceMs) },
    // Defaults need no proof.
    world: root['world'] === undefined ? d.world : readWorld(at('world'), d.world),
    adapters: readAdapters(reader, root['adapters']),
    log: readLog(at('log'), d.log),
  };
  const withEnv = applyEnvironment(config, env, reader);
  return reader.problems.length > 0 ? fail(reader.problems) : ok(withEnv);
}

/** Keys of proposals come with them. */
function readGovernance(s: Section, d: HostConfig['governance']): HostConfig['governance'] {
  return { directApply: s.flag('direct_apply', d.directApply) };
}

function readEffects(s: Section, d: EffectsConfig): EffectsConfig {
  return {
    ...d,
    retryOf: { ...d.retryOf, ...s.map('retry', RETRY_SHAPE, (item) => readRetry(item, d.retry)) },
    timeoutMs: s.count('timeout_ms', d.timeoutMs),
    maxInFlight: s.count('max_in_flight', d.maxInFlight),
  };
}

/** `effects.retry.<adapter id>`. */
function readRetry(s: Section, d: RetryPolicy): RetryPolicy {
  return {
    max: s.count('max', d.max),
    baseMs: s.count('base_ms', d.baseMs),
    factor: s.count('factor', d.factor),
    capMs: s.count('cap_ms', d.capMs),
  };
}

function readHttp(s: Section, d: HttpConfig): HttpConfig {
  return {
    timeoutMs: s.count('timeout_ms', d.timeoutMs),
    maxBodyBytes: s.count('max_body_bytes', d.maxBodyBytes),
    redirects: s.choice('redirects', d.redirects),
    allowPrivate: s.texts('allow_private'),
    credentials: s.list('credentials', CREDENTIAL_SHAPE, (c) => {
      c.needed();
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

function readApprovals(
  s: Section,
  d: HostConfig['approvals'],
  bindings: HostConfig['secrets']['bindings'],
): HostConfig['approvals'] {
  const webhook = s.optionalChild('webhook');
  return {
    webhook: webhook === undefined ? undefined : readWebhook(webhook, bindings),
    maxPending: s.count('max_pending', d.maxPending),
    rules: s.list('rules', APPROVAL_RULE_SHAPE, (rule) => {
      return { subjectPrefix: rule.optionalText('subject_prefix') ?? '', roles: rule.texts('roles') };
    }),
  };
}

function readWebhook(s: Section, bindings: HostConfig['secrets']['bindings']): WebhookConfig {
  s.needed();
  const url = s.text('url', '');
  const parsed = URL.parse(url);
  const isAddress = parsed !== null && ['http:', 'https:'].includes(parsed.protocol);
  if (url !== '' && !(isAddress && parsed.username + parsed.password + parsed.hash === ''))
    s.refuse('url', 'expected an http or https address without user and fragment');
  return { url, secret: s.place('secret', bindings) };
}

function readSecrets(s: Section, d: HostConfig['secrets']): HostConfig['secrets'] {
  return {
    bindings: s.textMap('bindings'),
    allowPlaceholders: s.flag('allow_placeholders', d.allowPlaceholders),
    allowEcho: s.texts('allow_echo'),
  };
}

function readReceipts(s: Section): HostConfig['receipts'] {
  return {
    trustedKeys: s.list('trusted_keys', TRUSTED_KEY_SHAPE, (k): TrustedKey | undefined => {
      k.needed();
      // Without this an HMAC key that is missing would be the empty one, which everybody has.
      if (!k.has('key')) return undefined;
      const text = k.text('key', '');
      const key = fromHex(text) ?? fromBase64(text);
      const alg = k.choice<TrustedKey['alg']>('alg', 'ed25519');
      if (key === undefined || key.length === 0 || (alg === 'ed25519' && key.length !== 32)) {
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
  if (s.raw('engine') === 'postgres' || s.has('url'))
    s.refuse('engine', 'not supported yet: stores other than "sqlite"');
  else s.choice('engine', 'sqlite');
  return { engine: 'sqlite', dir: s.text('dir', d.dir) };
}

function readJournal(s: Section, d: HostConfig['journal']): HostConfig['journal'] {
  return { fsync: s.choice('fsync', d.fsync), maxGroup: s.count('max_group', d.maxGroup) };
}

function readSnapshot(s: Section, d: HostConfig['snapshot']): HostConfig['snapshot'] {
  return {
    everyEntries: s.count('every_entries', d.everyEntries),
    everyMs: s.count('every_ms', d.everyMs),
    keep: s.count('keep', d.keep),
    verify: s.flag('verify', d.verify),
  };
}

/** `world.*`: members carry their journaled names, so the kernel's own reader judges them. */
function readWorld(s: Section, d: WorldConfig): WorldConfig {
  const limits = s.child('limits');
  const read = Object.fromEntries(
    Object.entries(d.limits).map(([name, value]) => [name, limits.count(name, value as number)]),
  );
  const origin = s.raw('logical_origin');
  const config: WorldConfig = {
    ...d,
    limits: read as unknown as WorldLimits,
    clock: s.choice('clock', d.clock),
    engine_profile: s.text('engine_profile', d.engine_profile),
    fabric_accept: readFabricAccept(s, d.fabric_accept),
    opaque_state_ok: s.flag('opaque_state_ok', d.opaque_state_ok),
    receipt_verification: s.choice('receipt_verification', d.receipt_verification),
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
  if (value === undefined) return [];
  const { adapters } = HOST_CONFIG_SHAPE;
  return new Section(reader, { adapters: value }, [], { adapters }).list('adapters', ADAPTER_SHAPE, (a) => {
    a.needed();
    return { module: a.text('module', ''), export: a.text('export', 'default'), options: a.raw('options') };
  });
}

function readLog(s: Section, d: HostConfig['log']): HostConfig['log'] {
  return { level: s.choice('level', d.level), json: s.flag('json', d.json) };
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
