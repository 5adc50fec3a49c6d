import { readFileSync, realpathSync } from 'node:fs';
import module from 'node:module';
import { dirname, join, resolve, sep } from 'node:path';
import { isJsonObject, type Json, type JsonObject, member, parseJson } from '@worldline/air';
import type { CommandFailure } from './failure.ts';
import { isFolder } from './folder.ts';
import type { NpmSource } from './sync-file.ts';

/** Finding the definitions of an installed package (`packs.md` §2.2). No code of it is executed; `exports` means nothing here. */

export interface InstalledPackage {
  /** Absolute, symbolic links resolved. */
  readonly root: string;
  readonly name: string;
  readonly version: string;
  /** Folder of the definitions inside the package, with `/`. */
  readonly airDir: string;
  /** Installed under another name than its own. */
  readonly isAlias: boolean;
}

type Found =
  | { readonly ok: true; readonly value: InstalledPackage }
  | { readonly ok: false; readonly failure: CommandFailure };

/** What Yarn's loader offers when the process runs under it. */
export interface PlugAndPlay {
  resolveToUnqualified(request: string, issuer: string): string | null;
}

/** @param base - folder of the sync file, absolute. */
export async function findPackage(source: NpmSource, base: string, pnp = loaderOf(base)): Promise<Found> {
  const name = source.package;
  const start = source.from === undefined ? base : resolve(base, source.from);
  const folder = pnp === undefined ? walk(name, start) : ask(pnp, name, start);
  if (folder === undefined) {
    return refuse('import.package_missing', `no package "${name}" is installed for ${start}`, {
      hint: `add "${name}" to devDependencies and install`,
    });
  }
  if (folder.includes(`.zip${sep}`)) {
    return refuse('import.archive', `"${name}" is inside an archive: ${folder}`, { hint: `run "yarn unplug ${name}"` });
  }
  const root = realpathSync(folder);
  const about = packageJson(join(root, 'package.json'));
  if (about === undefined) {
    return refuse('import.parse', `package.json of "${name}" is no JSON object`, { hint: 'install the package anew' });
  }
  const [ownName, version] = [text(about, 'name') ?? name, text(about, 'version') ?? '0.0.0'];
  if (source.version !== undefined) {
    const { satisfies, validRange } = (await import('semver')).default;
    if (validRange(source.version) === null) {
      return refuse('import.version', `"${source.version}" is no range of versions`, {
        hint: 'a range such as ^2.1.0',
      });
    }
    if (!satisfies(version, source.version, { includePrerelease: false })) {
      const hint = `install a version that satisfies ${source.version}, or change the range`;
      return refuse('import.version', `version ${version} of "${name}" is installed, not ${source.version}`, { hint });
    }
  }
  const airDir = source.airDir ?? folderOf(about, source.pack);
  return { ok: true, value: { root, name: ownName, version, airDir: clean(airDir), isAlias: ownName !== name } };
}

function refuse(code: string, message: string, rest: Pick<CommandFailure, 'hint'>): Found {
  return { ok: false, failure: { code, message, ...rest } };
}

/** The nearest `node_modules` that has it. */
function walk(name: string, start: string): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name);
    if (isFolder(found) && packageExists(found)) return found;
    if (folder === dirname(folder)) return undefined;
  }
}

function packageExists(folder: string): boolean {
  try {
    readFileSync(join(folder, 'package.json'));
    return true;
  } catch {
    return false;
  }
}

function ask(pnp: PlugAndPlay, name: string, start: string): string | undefined {
  try {
    return pnp.resolveToUnqualified(name, `${start}${sep}`) ?? undefined;
  } catch {
    // It throws for what is not installed.
    return undefined;
  }
}

function loaderOf(base: string): PlugAndPlay | undefined {
  const { findPnpApi } = module as unknown as { readonly findPnpApi?: (from: string) => PlugAndPlay | null };
  return process.versions['pnp'] === undefined ? undefined : (findPnpApi?.(base) ?? undefined);
}

function packageJson(path: string): JsonObject | undefined {
  const json = parseJson(readFileSync(path, 'utf8'));
  return json.ok && isJsonObject(json.value) ? json.value : undefined;
}

function folderOf(about: JsonObject, pack: string | undefined): string {
  const settings = member(about, 'worldline');
  const fields = settings !== undefined && isJsonObject(settings) ? settings : undefined;
  if (pack === undefined) return (fields && text(fields, 'air')) ?? 'air';
  return `${(fields && text(fields, 'planPacks')) ?? 'air/exports/plan-packs'}/${pack}`;
}

function text(fields: JsonObject, key: string): string | undefined {
  const value: Json | undefined = member(fields, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** `./air/` and `air` are one folder. */
function clean(folder: string): string {
  const parts = folder.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
  return parts.length === 0 ? '.' : parts.join('/');
}
