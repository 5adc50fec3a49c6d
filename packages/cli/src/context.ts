import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseJson } from '@worldline/air';
import { fromUtf8 } from '@worldline/canon';
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
    const { readHostConfig } = await import('@worldline/host');
    const path = join(this.root, 'worldline.host.json');
    const read = readHostConfig(readHostFile(path), this.worldEnv);
    if (!read.ok) {
      const [first] = read.failure;
      throw new CommandError({
        code: first?.code ?? 'config.invalid',
        message: `worldline.host.json: ${first?.message}`,
        path: first?.path,
        hint: first?.hint,
        details: read.failure.map((failure) => ({
          ...detail(failure),
          file: failure.path[0] === 'env' ? undefined : 'worldline.host.json',
        })),
      });
    }
    const { store } = this.flags;
    this.#config = store === undefined ? read.value : { ...read.value, store: { ...read.value.store, dir: store } };
    return this.#config;
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

function readHostFile(path: string): unknown {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return stop('config.invalid', `worldline.host.json cannot be read: ${(error as Error).message}`);
  }
  const text = fromUtf8(bytes) ?? stop('config.invalid', 'worldline.host.json is not UTF-8 text');
  const json = parseJson(text);
  if (json.ok) return json.value;
  const { line, column, message, path: at } = json.failure;
  return stop('config.invalid', `worldline.host.json:${line}:${column}: ${message}`, { path: at });
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
