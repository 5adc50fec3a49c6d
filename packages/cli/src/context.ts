import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Json, type JsonFailure, locate, parseJson } from '@worldline/air';
import { fromUtf8, pointer } from '@worldline/canon';
import type { HostConfig, LeaseTimes, WorldFolder } from '@worldline/host';
import type { FailpointModule, Failpoints } from '@worldline/ports';
import { CommandError, detail, stop } from './failure.ts';
import { findWorld } from './folder.ts';
import type { Output } from './output.ts';
import { readSyncFile, type SyncFile } from './sync-file.ts';

/** Global flags after reading (`host.md` §12.1); environment variables stand in for absent flags. */
export interface GlobalFlags {
  readonly world?: string | undefined;
  readonly mode: 'auto' | 'daemon' | 'batch';
  readonly air?: string | undefined;
  readonly store?: string | undefined;
  /** Control socket to use instead of the one that the world folder names. */
  readonly control?: string | undefined;
  readonly json: boolean;
  readonly pretty: boolean;
  readonly meta: boolean;
  readonly quiet: boolean;
  readonly timeoutMs: number;
  /** `--timeout-ms` was given, by flag or environment. */
  readonly timeoutGiven: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What a program that contains this one may set, and nobody who types a command can: for tests of crashes and of lost
 * leases.
 */
export interface Composition {
  readonly leaseTimes?: LeaseTimes | undefined;
  readonly failpoints?: Failpoints | undefined;
  readonly storeFailpoints?: FailpointModule | undefined;
}

/** What every command gets. */
export class Context {
  readonly flags: GlobalFlags;
  readonly out: Output;
  readonly cwd: string;
  readonly env: Environment;
  /** Fires on SIGINT and SIGTERM. */
  readonly interrupted: AbortSignal;
  readonly composition: Composition;
  #root: string | undefined;
  #config: HostConfig | undefined;
  #worldEnv: Environment | undefined;

  constructor(parts: {
    flags: GlobalFlags;
    out: Output;
    cwd: string;
    env: Environment;
    interrupted: AbortSignal;
    composition: Composition;
  }) {
    this.flags = parts.flags;
    this.out = parts.out;
    this.cwd = parts.cwd;
    this.env = parts.env;
    this.interrupted = parts.interrupted;
    this.composition = parts.composition;
  }

  /** The same for another world folder, without what flags said of this one. */
  of(root: string): Context {
    const { json, pretty, meta, quiet, timeoutMs, timeoutGiven } = this.flags;
    const flags = { world: root, mode: 'auto', json, pretty, meta, quiet, timeoutMs, timeoutGiven } as const;
    const { out, cwd, env, interrupted } = this;
    return new Context({ flags, out, cwd, env, interrupted, composition: {} });
  }

  /** The world folder. @throws CommandError `not_found`. */
  get root(): string {
    this.#root ??= findWorld(this.flags.world, this.cwd);
    return this.#root;
  }

  /** Where the host keeps things in it. */
  async folder(): Promise<WorldFolder> {
    const { worldFolder } = await import('@worldline/host');
    return worldFolder(this.root);
  }

  /** The process environment over the world's `.env` (`host.md` §6.3). */
  get worldEnv(): Environment {
    this.#worldEnv ??= { ...readDotEnv(join(this.root, '.env')), ...this.env };
    return this.#worldEnv;
  }

  syncFile(map?: string): SyncFile {
    const air = this.flags.air === undefined ? undefined : resolve(this.cwd, this.flags.air);
    return readSyncFile(this.root, map === undefined ? undefined : resolve(this.cwd, map), air);
  }

  /** Host configuration: flag > environment > `worldline.host.json` > default. @throws CommandError `config.invalid`. */
  async config(): Promise<HostConfig> {
    if (this.#config !== undefined) return this.#config;
    const { readHostConfig } = await import('@worldline/host/config');
    const file = readHostFile(join(this.root, HOST_FILE));
    const read = readHostConfig(file?.json, this.worldEnv);
    if (!read.ok) {
      const [first] = read.failure;
      throw new CommandError({
        code: first?.code ?? 'config.invalid',
        message: `worldline.host.json: ${first?.message}`,
        path: first?.path,
        hint: first?.hint,
        details: read.failure.map((failure) => {
          if (failure.path[0] === 'env' || file === undefined) return detail(failure);
          const at = locate(file.text, failure.path, { key: failure.code === 'config.unknown_key' });
          return { ...detail(failure), file: HOST_FILE, line: at?.line, column: at?.column };
        }),
      });
    }
    const { store } = this.flags;
    this.#config = store === undefined ? read.value : { ...read.value, store: { ...read.value.store, dir: store } };
    return this.#config;
  }

  /**
   * Whether the world wants a policy (`kernel.md` §15), all that a check asks of the configuration. By default it does not: then the
   * code that reads configurations is not even loaded.
   */
  async requiresPolicy(): Promise<boolean> {
    const isConfigured =
      existsSync(join(this.root, HOST_FILE)) ||
      Object.keys(this.worldEnv).some((name) => name.startsWith('WORLDLINE_'));
    return isConfigured && (await this.config()).world.require_policy;
  }

  /** Folder of the embedded store, absolute. A relative one belongs to the world, but a flag to where it was typed. */
  async storeDir(): Promise<string> {
    const { dir } = (await this.config()).store;
    if (/^[a-z]+:\/\//.test(dir))
      stop('unsupported', 'not supported yet: stores other than a folder on this machine', {
        hint: 'name a folder with --store <dir>',
      });
    return this.flags.store === undefined ? resolve(this.root, dir) : resolve(this.cwd, dir);
  }
}

const HOST_FILE = 'worldline.host.json';

function readHostFile(path: string): { readonly text: string; readonly json: Json } | undefined {
  const refuse = (problem: string, at?: JsonFailure): never =>
    stop('config.invalid', `${HOST_FILE}${at === undefined ? '' : `:${at.line}:${at.column}`}: ${problem}`, {
      path: at?.path,
      details: [
        {
          code: 'config.invalid',
          pointer: pointer(at?.path ?? []),
          message: problem,
          file: HOST_FILE,
          line: at?.line,
          column: at?.column,
        },
      ],
    });
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return refuse(`cannot be read: ${(error as Error).message}`);
  }
  const text = fromUtf8(bytes) ?? refuse('not UTF-8 text');
  const json = parseJson(text);
  return json.ok ? { text, json: json.value } : refuse(json.failure.message, json.failure);
}

/** `NAME=value` lines; quotes are taken off, `#` starts a comment, everything else is literal. */
export function readDotEnv(path: string): Environment {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return {};
  }
  const env: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line);
    if (match === null) continue;
    const value = match[2]!;
    const quoted = /^(["'])(.*)\1$/.exec(value);
    env[match[1]!] = quoted === null ? value.replace(/\s+#.*$/, '') : quoted[2]!;
  }
  return env;
}
