// The checks that are not tests: node tools/check.mjs [--list | part…]; all parts without arguments. `.ci/run` runs each.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { checkDocs } from './docs-check.mjs';
import { findNode, ROOT } from './node.mjs';

const node = findNode();

function script(path, ...args) {
  return () => {
    const result = spawnSync(node, [join(ROOT, path), ...args], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
    return result.status === 0;
  };
}

const biome = 'node_modules/@biomejs/biome/bin/biome';
const PURE = ['canon', 'air', 'kernel', 'summary', 'ports'].map((name) => `packages/${name}/src`);

/** Name → what it promises, and how it is tried. The first words of a broken promise are printed with it. */
export const PARTS = {
  format: { promise: 'every file is formatted (npm run format mends it)', run: script(biome, 'format', '.') },
  lint: { promise: 'no lint finding, warnings included', run: script(biome, 'lint', '--error-on-warnings', '.') },
  types: {
    promise: 'sources compile, tests type-check',
    run: () =>
      script('tools/run.mjs', 'build')() &&
      script('node_modules/@typescript/native/bin/tsc', '-p', 'tsconfig.test.json')(),
  },
  schemas: {
    promise: 'schemas/ says what the parsers read (npm run schemas mends it)',
    run: script('tools/run.mjs', 'schemas', '--check'),
  },
  order: {
    promise: 'packages import only what the table in .dependency-cruiser.mjs allows',
    run: script(
      'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs',
      '--config',
      '.dependency-cruiser.mjs',
      'packages',
      'test',
    ),
  },
  purity: {
    promise: 'pure packages use ECMAScript and nothing of the platform',
    run: script(
      biome,
      'lint',
      '--only=style/noRestrictedGlobals',
      '--only=correctness/noNodejsModules',
      '--only=plugin',
      '--max-diagnostics=none',
      ...PURE,
    ),
  },
  docs: { promise: 'links resolve, commands exist, every dependency has its reason', run: () => checkDocs(ROOT) },
};

const args = process.argv.slice(2);
if (args.includes('--list')) {
  console.log(Object.keys(PARTS).join('\n'));
} else {
  const unknown = args.filter((name) => !Object.hasOwn(PARTS, name));
  if (unknown.length > 0) {
    console.error(`no such check: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`);
    process.exitCode = 2;
  } else {
    for (const name of args.length > 0 ? args : Object.keys(PARTS)) {
      const passed = PARTS[name].run();
      console.log(`${passed ? 'ok    ' : 'FAILED'} ${name}: ${PARTS[name].promise}`);
      if (!passed) process.exitCode = 1;
    }
  }
}
