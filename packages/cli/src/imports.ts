import { type Dirent, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import {
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  locate,
  parseJson,
  type SourceFile,
} from '@worldline/air';
import { compareUtf8, fromUtf8, type Path, pointer } from '@worldline/canon';
import { shown } from './air-folder.ts';
import { CommandError, type Detail } from './failure.ts';
import { isFolder } from './folder.ts';
import { defsHash } from './import-lock.ts';
import { findPackage } from './npm-package.ts';
import type { ImportEntry, SyncFile } from './sync-file.ts';

/**
 * Definitions from elsewhere (`packs.md` §2): found, read and looked over here; merged with those of the folder by the
 * loader.
 *
 * I1 Only JSON files are read. No code of a package is executed, nothing is fetched.
 * I2 Nothing outside of a package is read for it, whatever links it holds.
 * I3 An import brings definitions: no manifest, no built-in names, no imports of its own.
 */

export interface ResolvedImport {
  readonly entry: ImportEntry;
  /** Folder of the definitions: absolute, symbolic links resolved. */
  readonly root: string;
  /** Name of the plan pack, or of the folder. */
  readonly pack: string;
  /** The root is inside a folder of plan packs (`packs.md` §4.2, PK001). */
  readonly isPack: boolean;
  /** Of the package; undefined for a path. */
  readonly installed: { readonly name: string; readonly version: string; readonly airDir: string } | undefined;
  readonly files: readonly SourceFile[];
  /** Definitions in the order of the files. */
  readonly nodes: readonly ImportedNode[];
  readonly folders: readonly string[];
  /** `sha256:…` over all definitions (`packs.md` §2.5). */
  readonly defsHash: string;
  /** What does not stop, and should be known. */
  readonly warnings: readonly Detail[];
}

export interface ImportedNode {
  readonly json: JsonObject;
  readonly kind: string;
  readonly name: string;
  readonly file: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
}

const FILES_MAX = 2_000;
const FILE_BYTES_MAX = 4 * 1024 * 1024;
const BYTES_MAX = 32 * 1024 * 1024;

/**
 * Every import of a sync file.
 *
 * @param shownFrom - folder that the paths in findings are relative to.
 * @throws CommandError with the first trouble of each entry as details.
 */
export async function readImports(sync: SyncFile, shownFrom: string): Promise<readonly ResolvedImport[]> {
  const found: ResolvedImport[] = [];
  const problems: Detail[] = [];
  for (const entry of sync.imports) {
    try {
      found.push(await readImport(sync, entry, shownFrom));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const here = {
        pointer: pointer(['air', 'imports', entry.index, ...error.part]),
        file: sync.path === undefined ? undefined : shown(sync.path, shownFrom),
        ...entry.positionOf(error.part),
      };
      for (const problem of error.problems)
        problems.push(problem.file === undefined ? { ...problem, ...here } : problem);
    }
  }
  const [first] = problems;
  if (first !== undefined) {
    const where = first.file === undefined ? '' : `${first.file}: `;
    throw new CommandError({
      code: first.code,
      message: `${where}${first.message}`,
      hint: first.hint,
      details: problems,
    });
  }
  return found;
}

/** What reading the imports looks at, as far as it is there: for whoever waits for changes. */
export async function importPaths(
  sync: SyncFile,
): Promise<{ readonly files: readonly string[]; readonly folders: readonly string[] }> {
  const files: string[] = [];
  const folders: string[] = [];
  for (const { source } of sync.imports) {
    try {
      let root = source.kind === 'path' ? resolve(sync.base, source.path) : undefined;
      if (source.kind === 'npm') {
        const installed = await findPackage(source, sync.base);
        if (!installed.ok) continue;
        files.push(join(installed.value.root, 'package.json'));
        root = resolve(installed.value.root, installed.value.airDir);
      }
      const found = list(root!, undefined);
      files.push(...found.paths);
      folders.push(...found.folders);
    } catch (error) {
      // What cannot be read now may come back: the check says why it cannot.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    }
  }
  return { files, folders };
}

/** What is wrong with one import: with a part of its entry, or in its files. */
class Refused extends Error {
  readonly problems: readonly Detail[];
  readonly part: Path;

  constructor(problems: readonly Detail[], part: Path) {
    super('import refused');
    this.problems = problems;
    this.part = part;
  }
}

/** @param part - of the entry. */
function refuse(code: string, message: string, hint: string, part: Path = []): never {
  throw new Refused([{ code, pointer: '', message, hint }], part);
}

async function readImport(sync: SyncFile, entry: ImportEntry, shownFrom: string): Promise<ResolvedImport> {
  const { source } = entry;
  const warnings: Detail[] = [];
  const warn = (message: string, hint: string) =>
    warnings.push({
      code: 'import.shape',
      pointer: pointer(['air', 'imports', entry.index]),
      message,
      hint,
      file: sync.path === undefined ? undefined : shown(sync.path, shownFrom),
      ...entry.position,
    });
  if (source.kind === 'path') {
    const given = resolve(sync.base, source.path);
    if (!isFolder(given))
      refuse('import.shape', `there is no folder ${source.path}`, 'name a folder with definitions', ['path']);
    if (isAbsolute(source.path)) warn(`${source.path} means something on this machine alone`, 'write a relative path');
    const root = realpathSync(given);
    return { ...readRoot(root, undefined, shownFrom), entry, installed: undefined, warnings };
  }
  const installed = await findPackage(source, sync.base);
  if (!installed.ok) {
    const { code, message, hint = '' } = installed.failure;
    return refuse(code, message, hint, ['npm', code === 'import.version' ? 'version' : 'package']);
  }
  const { root: packageRoot, name, version, airDir, isAlias } = installed.value;
  const given = resolve(packageRoot, airDir);
  const part: Path = ['npm', source.pack !== undefined ? 'pack' : source.airDir !== undefined ? 'air_dir' : 'package'];
  if (!isInside(given, packageRoot))
    refuse('import.escapes_package', `${airDir} is outside of "${name}"`, STAY_INSIDE, part);
  if (!isFolder(given)) {
    const what = source.pack === undefined ? `folder ${airDir}` : `pack "${source.pack}"`;
    // A check that finds nothing loads no suggestions.
    const { didYouMean } = await import('./suggest.ts');
    const near = source.pack === undefined ? undefined : didYouMean(source.pack, foldersIn(dirname(given)));
    refuse('import.shape', `"${name}" has no ${what}`, near ?? `look into ${shown(packageRoot, shownFrom)}`, part);
  }
  const root = realpathSync(given);
  if (!isInside(root, packageRoot))
    refuse('import.escapes_package', `${airDir} leads out of "${name}"`, STAY_INSIDE, part);
  if (isAlias) warn(`"${source.package}" is installed as an alias of "${name}"`, 'name the package itself if you can');
  return { ...readRoot(root, packageRoot, shownFrom), entry, installed: { name, version, airDir }, warnings };
}

/** Names of the folders right below one, which need not be there. */
function foldersIn(folder: string): readonly string[] {
  if (!isFolder(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
    .sort(compareUtf8);
}

const STAY_INSIDE = 'ask who publishes the package; what it needs must be in it';

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (!isAbsolute(way) && way !== '..' && !way.startsWith(`..${sep}`));
}

/** @param bound - folder that every file must be in; undefined for a path import. */
function readRoot(root: string, bound: string | undefined, shownFrom: string) {
  const { paths, folders } = list(root, bound);
  if (paths.length > FILES_MAX)
    refuse('import.too_large', `more than ${FILES_MAX} files below ${shown(root, shownFrom)}`, TOO_LARGE);
  let left = BYTES_MAX;
  const files: SourceFile[] = [];
  const nodes: ImportedNode[] = [];
  const problems: Detail[] = [];
  for (const path of paths) {
    const file = shown(path, shownFrom);
    const { size } = statSync(path);
    left -= size;
    if (size > FILE_BYTES_MAX) refuse('import.too_large', `${file} has more than ${FILE_BYTES_MAX} bytes`, TOO_LARGE);
    if (left < 0)
      refuse(
        'import.too_large',
        `the files below ${shown(root, shownFrom)} have more than ${BYTES_MAX} bytes`,
        TOO_LARGE,
      );
    const text = fromUtf8(readFileSync(path));
    if (text === undefined) {
      problems.push({ code: 'import.parse', pointer: '', message: 'not UTF-8 text', hint: 'save it as UTF-8', file });
      continue;
    }
    files.push({ path: file, text, imported: true });
    readNodes({ path: file, text }, nodes, problems);
  }
  if (problems.length > 0) throw new Refused(problems, []);
  const parts = root.split(sep);
  const packsAt = parts.lastIndexOf('plan-packs');
  const isPack = packsAt >= 0 && packsAt < parts.length - 1;
  return {
    root,
    pack: isPack ? parts[packsAt + 1]! : basename(root),
    isPack,
    files,
    nodes,
    folders,
    defsHash: defsHash(nodes),
  };
}

const TOO_LARGE = 'import a folder that holds definitions only';

/** `*.json` below a folder, in path order; links are followed as far as `bound` reaches. */
function list(root: string, bound: string | undefined): { readonly paths: string[]; readonly folders: string[] } {
  const found: (readonly [order: string, path: string])[] = [];
  const folders: string[] = [];
  const seen = new Set<string>();
  const walk = (folder: string) => {
    const real = realpathSync(folder);
    if (seen.has(real)) return;
    seen.add(real);
    folders.push(folder);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      const kind = kindOf(entry, path, bound);
      // What the host of a world keeps beside its definitions, keys and tokens among it, is nobody's definition.
      if (entry.name === '.worldline') continue;
      if (kind === 'folder') walk(path);
      else if (kind === 'file' && /\.json$/i.test(entry.name) && entry.name !== 'worldline.json')
        found.push([relative(root, path).split(sep).join('/'), path]);
      // One more than may be: enough to know.
      if (found.length > FILES_MAX) return;
    }
  };
  walk(root);
  return { paths: found.sort(([a], [b]) => compareUtf8(a, b)).map(([, path]) => path), folders };
}

function kindOf(entry: Dirent, path: string, bound: string | undefined): 'folder' | 'file' | undefined {
  if (entry.isDirectory()) return 'folder';
  if (entry.isFile()) return 'file';
  if (!entry.isSymbolicLink()) return undefined;
  const target = statSync(path, { throwIfNoEntry: false });
  if (target === undefined) return undefined;
  const isWanted = target.isDirectory() || /\.json$/i.test(entry.name);
  if (isWanted && bound !== undefined && !isInside(realpathSync(path), bound))
    refuse('import.escapes_package', `${shown(path, bound)} leads out of the package`, STAY_INSIDE);
  return target.isDirectory() ? 'folder' : target.isFile() ? 'file' : undefined;
}

/** A file holds one node or a list of nodes; a blank one holds nothing. */
function readNodes({ path: file, text }: SourceFile, nodes: ImportedNode[], problems: Detail[]): void {
  if (text.replace(/^\ufeff/, '').trim() === '') return;
  const json = parseJson(text);
  if (!json.ok) {
    const { path, message, hint, line, column } = json.failure;
    problems.push({ code: 'import.parse', pointer: pointer(path), message, hint, file, line, column });
    return;
  }
  const list: readonly (readonly [Json, Path])[] = isJsonArray(json.value)
    ? json.value.map((node, i) => [node, [i]] as const)
    : [[json.value, []]];
  for (const [node, path] of list) {
    const problem = (code: string, at: Path, message: string, hint: string) =>
      problems.push({ code, pointer: pointer(at), message, hint, file, ...locate(text, at) });
    if (!isJsonObject(node)) {
      problem(
        'import.parse',
        path,
        'expected a definition: an object with "$kind" and "name"',
        'move the file elsewhere',
      );
      continue;
    }
    const [kind, name] = [node['$kind'], node['name']];
    if (kind === 'manifest') {
      problem('import.manifest', path, 'an import brings no manifest', 'import the folder of the definitions alone');
    } else if (typeof kind !== 'string' || typeof name !== 'string') {
      const missing = typeof kind === 'string' ? '"name"' : '"$kind"';
      problem(
        'import.parse',
        path,
        `a definition without ${missing}`,
        'move the file elsewhere if it is no definition',
      );
    } else if (name.startsWith('sys/')) {
      problem(
        'import.sys_def',
        [...path, 'name'],
        `"${name}": definitions under sys/ come with the runtime only`,
        'remove it',
      );
    } else {
      const at = locate(text, path);
      nodes.push({ json: node, kind, name, file, line: at?.line, column: at?.column });
    }
  }
}
