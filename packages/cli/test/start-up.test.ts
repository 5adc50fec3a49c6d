import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cleanUp, worldline, worldOf } from './support.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Says on stderr, when the process ends, which files it has loaded as modules or scripts. */
const LISTEN = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks, Module } from 'node:module';
  const files = [];
  registerHooks({ load(url, context, next) { files.push(url); return next(url, context); } });
  const before = new Set(process.moduleLoadList);
  process.on('exit', () => {
    const scripts = Object.keys(Module._cache).map((file) => 'file://' + file);
    const builtins = process.moduleLoadList.filter((name) => !before.has(name));
    process._rawDebug('LOADED ' + JSON.stringify({ files: [...new Set([...files, ...scripts])], builtins }));
  });
`)}`;

interface Start {
  /** From the root of the repository. */
  readonly files: readonly string[];
  /** What is bundled in them, likewise. */
  readonly sources: readonly string[];
  /** Modules of Node that were not there when the launcher began, as \`process.moduleLoadList\` names them. */
  readonly builtins: readonly string[];
}

async function start(args: readonly string[], cwd: string): Promise<Start> {
  const run = await worldline(args, { cwd, env: { NODE_OPTIONS: `--import ${LISTEN}` } });
  expect(run.exit).toBe(0);
  const line = run.stderr.split('\n').find((each) => each.startsWith('LOADED '));
  const said = JSON.parse(line?.slice('LOADED '.length) ?? '') as { files: string[]; builtins: string[] };
  const files = said.files.filter((url) => url.startsWith('file:')).map((url) => fileURLToPath(url));
  return {
    files: files.map((file) => relative(ROOT, file)),
    sources: files.flatMap(sourcesOf).map((file) => relative(ROOT, file)),
    builtins: said.builtins.map((name) => name.replace(/^\S+ /, '')),
  };
}

/** The sources of a bundle, from its map. Without one it only passes on what others hold; any other file is its own source. */
function sourcesOf(file: string): readonly string[] {
  const map = `${file}.map`;
  if (!existsSync(map)) return file.includes(`${sep}dist${sep}`) ? [] : [file];
  const { sources } = JSON.parse(readFileSync(map, 'utf8')) as { readonly sources: readonly string[] };
  return sources.map((source) => resolve(dirname(file), source));
}

afterAll(cleanUp);

/** Neither the language nor the command. */
const others = ({ sources }: Start) =>
  sources.filter((source) => !/^packages\/(?:air|canon|cli)\/|node_modules\/commander\//.test(source)).sort();

describe('what a start of "worldline check" loads (docs/decisions/0005)', () => {
  let loaded: Start;
  beforeAll(async () => {
    loaded = await start(['check'], worldOf('minimal'));
  });

  test('is the launcher and one file', () => {
    expect(loaded.files.map((file) => file.replace('packages/cli/', '')).sort()).toEqual([
      'bin/compiled-script.js',
      'bin/start.js',
      'bin/worldline.js',
      'dist/check-program.cjs',
    ]);
  });

  test('is the language, the command and how a configuration is read: no kernel, no host, no store, no network', () => {
    expect(loaded.sources).toContain('packages/air/src/load-authored.ts');
    expect(others(loaded)).toEqual([
      'packages/host/src/config-fabric.ts',
      'packages/host/src/config-section.ts',
      'packages/host/src/config-server.ts',
      'packages/host/src/config-shape.ts',
      'packages/host/src/config.ts',
      'packages/kernel/src/config.ts',
      'packages/kernel/src/wire.ts',
    ]);
  });

  test('is no file more where there is a configuration', async () => {
    const world = worldOf('minimal');
    writeFileSync(join(world, 'worldline.host.json'), '{}');
    expect((await start(['check'], world)).files).toEqual(loaded.files);
  });

  test('is nothing of Node that takes long to load', () => {
    expect(loaded.builtins).not.toEqual([]);
    const slow = [
      'crypto',
      'child_process',
      'http',
      'sqlite',
      'worker_threads',
      'net',
      'stream',
      'internal/fs/promises',
      'internal/fs/streams',
    ];
    expect(loaded.builtins.filter((name) => slow.includes(name))).toEqual([]);
  });

  test('holds no other command', () => {
    const commands = loaded.sources.filter((source) => source.startsWith('packages/cli/src/command/'));
    expect(commands).toEqual(['packages/cli/src/command/check.ts']);
  });
});

describe('"worldline check" as a program of its own (docs/decisions/0005)', () => {
  test('says the same as among the other commands', async () => {
    const world = worldOf('minimal');
    const [apart, among] = [
      await worldline(['check', '--quiet'], { cwd: world }),
      await worldline(['--quiet', 'check'], { cwd: world }),
    ];
    expect(apart).toMatchObject({ exit: 0, stdout: among.stdout, stderr: among.stderr });

    writeFileSync(join(world, 'air', 'more.air.json'), '{ "air": 1, ');
    const [broken, other] = [
      await worldline(['check', '--json', '--no-meta'], { cwd: world }),
      await worldline(['--json', '--no-meta', 'check'], { cwd: world }),
    ];
    expect(broken).toMatchObject({ exit: 7, stdout: other.stdout, stderr: other.stderr });
  });
});
