// The JavaScript of every package, in few files: node tools/bundle.mjs. tools/run.mjs calls it after the compiler, which
// checks types and writes declarations only. A start of the command loaded 250 modules, each to be found, read and linked;
// now it loads a dozen, and `worldline check` one.
//
// A package stays one module to all others (`@worldline/air` is the same object for the command and for a plugin), so
// nothing of the workspace is bundled into another package, but for PROGRAMS, and no npm package but those named here.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './node.mjs';

/** Entries beside `index`: what `bin/` starts, threads, and what other packages import by a path of its own. */
const ENTRIES = {
  cli: ['gates'],
  host: ['config'],
  kernel: ['config'],
  'store-sqlite': ['writer'],
  testkit: ['gates', 'gate-child'],
};

/**
 * Entries that the launcher runs as scripts, because V8 hands out more of what it compiled of a script than of a module. All
 * they need of the workspace is in them a second time, so they may load no plugin and start no thread. Each with what few of
 * its starts need (beginnings of paths in `src`), which gets files of its own.
 */
const PROGRAMS = {
  cli: {
    'check-program': [
      'command/check-watch',
      'command/explain',
      'diagnostics/',
      'pack-checks',
      'pack-contract',
      'suggest',
      'unlisted-refs',
    ],
  },
};

/** What they could reach and never do. */
const OUTSIDE = ['@worldline/host'];

/** npm packages that go into a bundle, with their licences in `dist/licenses.txt`. */
const INCLUDED = {
  cli: ['commander'],
};

/**
 * Modules that go into one file because nearly every command needs them. Left to itself, the bundler makes a file for every
 * set of commands that share something, and finding, reading and linking one takes Node a millisecond or two.
 */
const TOGETHER = {
  cli: {
    common: [
      'air-folder',
      'context',
      'definition-files',
      'failure',
      'finding',
      'folder',
      'import-lock',
      'imports',
      'npm-package',
      'output',
      'sync-file',
      'sync-file-shape',
      'text-width',
    ],
  },
};

/** Syntax that the oldest Node of `engines` reads; the compiler has the same. */
const TARGET = 'es2024';

const SELF = fileURLToPath(import.meta.url);

/** name → size and time of a file, by which a change is noticed; undefined when it is gone. */
function stamp(file) {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat && `${stat.size} ${stat.mtimeMs}`;
}

/** Whether the last bundle was made of these very files and is still there. */
function isFresh(dist, record) {
  if (!existsSync(record)) return false;
  let known;
  try {
    known = JSON.parse(readFileSync(record, 'utf8'));
  } catch {
    return false;
  }
  return (
    Object.entries(known.inputs).every(([file, was]) => stamp(join(ROOT, file)) === was) &&
    known.outputs.every((file) => existsSync(join(dist, file)))
  );
}

/** Whoever runs the command meanwhile reads the old file or the new one. */
function write(file, content) {
  mkdirSync(dirname(file), { recursive: true });
  if (existsSync(file) && readFileSync(file).equals(Buffer.from(content))) return;
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

/** Scripts that no bundle of today has: chunks of an earlier one, or single modules of an older checkout. */
function removeStale(dist, outputs) {
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile() && /[.]c?js(?:[.]map)?$/.test(entry.name) && !outputs.includes(relative(dist, file)))
      rmSync(file, { force: true });
  }
}

/** The folder of an npm package, as seen from a package of the workspace. */
function folderOf(name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (folder === dirname(folder)) throw new Error(`${name} is not installed`);
  }
}

function licences(names, from) {
  return names
    .map((name) => {
      const folder = folderOf(name, from);
      const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
      if (file === undefined) throw new Error(`${name} has no licence file to pass on`);
      return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
    })
    .join('\n');
}

/**
 * Commander can start programs as sub-commands. The command has none, and to import Node's module for it costs 6 ms, which
 * `worldline check` would pay each time.
 */
function isUnused(id, importer) {
  return id === 'node:child_process' && /[\\/]node_modules[\\/]commander[\\/]/.test(importer ?? '');
}

const withoutUnused = {
  name: 'without-unused',
  resolveId: (id, importer) => (isUnused(id, importer) ? '\0unused' : undefined),
  load: (id) => (id === '\0unused' ? 'export default {};' : undefined),
};

/**
 * The same code, line by line, as Node loads it soonest:
 *
 * - Modules of Node are taken as they are. An import statement would first read every property they export: of `node:fs`
 *   that loads promises and streams, of `node:process` it opens standard input.
 * - Nothing but ASCII, which is decoded and kept in half the time and space. Outside of comments such characters stand in
 *   literals only, and there an escape is the same.
 */
function quickToLoad(code) {
  return code
    .replace(/^import (.+) from "(node:[a-z_/]+)";$/gm, (_, names, module) => {
      const from = `process.getBuiltinModule("${module}")`;
      const [, whole, some] = /^(?:\* as )?([\w$]+)?(?:, )?(?:\{(.+)\})?$/.exec(names);
      const parts = some && `{${some.replaceAll(' as ', ': ')}}`;
      return [whole, parts]
        .filter((each) => each !== undefined)
        .map((each) => `const ${each} = ${from};`)
        .join(' ');
    })
    .replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** By its last line the launcher knows whether what V8 compiled belongs to this very text. */
function withHash(code) {
  return `${code.trimEnd()}\n// ${createHash('sha256').update(code).digest('hex')}\n`;
}

function groupsOf(files, folder) {
  return Object.entries(files).map(([name, modules]) => {
    const ids = new Set(modules.map((module) => join(folder, 'src', `${module}.ts`)));
    for (const id of ids) if (!existsSync(id)) throw new Error(`${id} is to go into ${name}.js, and is not there`);
    return { name, test: (id) => ids.has(id) };
  });
}

async function bundle(name) {
  const folder = join(ROOT, 'packages', name);
  const dist = join(folder, 'dist');
  const record = join(dist, '.bundle.json');
  if (isFresh(dist, record)) return false;
  const included = INCLUDED[name] ?? [];
  const { rolldown } = await import('rolldown');
  const isOwn = (id, importer) =>
    /^[./\\\0]/.test(id) || id.startsWith(folder) || included.includes(id) || isUnused(id, importer);
  const inputs = new Set([SELF, join(ROOT, 'package-lock.json')]);
  const outputs = [];

  const make = async (entries, input, format) => {
    const build = await rolldown({
      cwd: folder,
      input: Object.fromEntries(entries.map((entry) => [entry, `src/${entry}.ts`])),
      platform: 'node',
      // Modules that several entries share may go into the file of one of them.
      preserveEntrySignatures: 'allow-extension',
      plugins: [withoutUnused],
      transform: { target: TARGET },
      onLog: (level, log) => {
        // A program has on purpose in one file what the command takes apart.
        if (log.code === 'INEFFECTIVE_DYNAMIC_IMPORT' && format.format === 'cjs') return;
        throw new Error(`bundle of ${name}: ${level}: ${log.message}`);
      },
      ...input,
    });
    const { output } = await build.generate({
      dir: dist,
      // Half of the text, which Node would decode at every start.
      comments: false,
      sourcemap: true,
      ...format,
    });
    for (const chunk of output) {
      const content =
        chunk.type !== 'chunk'
          ? chunk.source
          : format.format === 'cjs'
            ? withHash(quickToLoad(chunk.code))
            : quickToLoad(chunk.code);
      write(join(dist, chunk.fileName), content);
      for (const module of chunk.moduleIds ?? []) if (existsSync(module)) inputs.add(module);
      outputs.push(chunk.fileName);
    }
    for (const file of await build.watchFiles) inputs.add(file);
    await build.close();
  };

  await make(
    ['index', ...(ENTRIES[name] ?? [])],
    { external: (id, importer) => !isOwn(id, importer) },
    {
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: '[name].js',
      codeSplitting: TOGETHER[name] === undefined || {
        includeDependenciesRecursively: false,
        groups: groupsOf(TOGETHER[name], folder),
      },
    },
  );
  for (const [entry, apart] of Object.entries(PROGRAMS[name] ?? {}))
    await make(
      [entry],
      {
        external: (id, importer) => !isOwn(id, importer) && (OUTSIDE.includes(id) || !id.startsWith('@worldline/')),
        resolve: { conditionNames: ['worldline-source', 'import'] },
      },
      {
        format: 'cjs',
        entryFileNames: '[name].cjs',
        chunkFileNames: '[name].cjs',
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [{ name: entry, test: (id) => !apart.some((start) => id.startsWith(join(folder, 'src', start))) }],
        },
      },
    );
  if (included.length > 0) {
    write(join(dist, 'licenses.txt'), licences(included, folder));
    outputs.push('licenses.txt');
  }
  removeStale(dist, outputs);
  const stamps = [...inputs].sort().map((file) => [relative(ROOT, file), stamp(file)]);
  write(record, JSON.stringify({ inputs: Object.fromEntries(stamps), outputs }));
  return true;
}

const names = readdirSync(join(ROOT, 'packages')).filter((name) => existsSync(join(ROOT, 'packages', name, 'src')));
await Promise.all(names.map(bundle));
