// One task of the repository, under its own Node: node tools/run.mjs build|demo|factory|test|bench|soak|soak:load|soak:check|check|docs|schemas|format [arguments]
// The root package.json calls this after tools/setup.mjs. It may itself run under an older Node, so it only starts others.
import { spawn } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import { exclusively } from './lock.mjs';
import { findNode, ROOT } from './node.mjs';

const bin = {
  tsc: 'node_modules/@typescript/native/bin/tsc',
  vitest: 'node_modules/vitest/vitest.mjs',
  biome: 'node_modules/@biomejs/biome/bin/biome',
};

let node;

/** Run a script of this repository under its Node; resolves to the exit code, 128 + n after signal n as shells do. */
function run(script, args = [], env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, [join(ROOT, script), ...args], {
      cwd: ROOT,
      stdio: 'inherit',
      // Scripts that call `node` by name meet the same one.
      env: {
        // Sources are stripped of their types once, not in every process and thread that a test starts.
        NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/node'),
        ...process.env,
        ...env,
        PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}`,
      },
    });
    // Ctrl-C reaches the whole group; waiting for the child lets it tidy up and keeps its exit code.
    const wait = () => {};
    const pass = () => child.kill('SIGTERM');
    process.on('SIGINT', wait);
    process.on('SIGTERM', pass);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      process.removeListener('SIGINT', wait);
      process.removeListener('SIGTERM', pass);
      resolve(code ?? 128 + ({ SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal] ?? 1));
    });
  });
}

/** Check types and bundle what changed. Two builds of one checkout take turns, so that nobody loads half-written files. */
function build(args = []) {
  return exclusively(
    () =>
      inOrder(
        () => run(bin.tsc, ['-b', ...args]),
        () => run('tools/bundle.mjs'),
      ),
    (pid) => console.log(`build: waiting for process ${pid}, which is setting up or building this folder …`),
  );
}

/** Run the steps until one fails. */
async function inOrder(...steps) {
  for (const step of steps) {
    const code = await step();
    if (code !== 0) return code;
  }
  return 0;
}

/** `.ci/run` counts tests from a report, which it asks for through the environment so that `npm test` stays as it is. */
function reporters() {
  const file = process.env.WORLDLINE_TEST_REPORT;
  return file ? ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`] : [];
}

/** `soak` is the random tests for longer. What the caller's environment says wins. */
const LONG = {
  WORLDLINE_KILLS: process.env.WORLDLINE_KILLS ?? '500',
  WORLDLINE_FUZZ_RUNS: process.env.WORLDLINE_FUZZ_RUNS ?? '2000',
  WORLDLINE_PUSH_RUNS: process.env.WORLDLINE_PUSH_RUNS ?? '500',
  WORLDLINE_GATES_COUNT: process.env.WORLDLINE_GATES_COUNT ?? 'full',
};

/**
 * What is known before a run: well-typed worlds that run to their end (with the 2 000 of the tests, a hundred thousand),
 * many more of them changed at random, many more mutants of sound worlds and much more hostile text.
 */
const CHECK = {
  WORLDLINE_CHECK_RUNS: process.env.WORLDLINE_CHECK_RUNS ?? '98000',
  WORLDLINE_CHANGED_RUNS: process.env.WORLDLINE_CHANGED_RUNS ?? '10000',
  WORLDLINE_MUTANTS: process.env.WORLDLINE_MUTANTS ?? '10000',
  WORLDLINE_FUZZ_RUNS: process.env.WORLDLINE_FUZZ_RUNS ?? '20000',
  WORLDLINE_ENVELOPE_RUNS: process.env.WORLDLINE_ENVELOPE_RUNS ?? '5000',
  WORLDLINE_LINT_RUNS: process.env.WORLDLINE_LINT_RUNS ?? '10000',
};

const LANGUAGE = [
  'test/language',
  'packages/air/test/envelope-known.test.ts',
  'packages/air/test/envelope-soundness.test.ts',
];

/** Random cases. */
const CASES = ['test/cases/hostile.test.ts', 'test/cases/pushes.test.ts', 'test/schemas/agreement.test.ts'];

/** The conformance gates at their full counts. */
const GATES = ['test/gates/examples.test.ts', 'test/gates/worlds.test.ts'];

/** Stores in trouble, and a world over one. */
const TROUBLE = [
  'packages/testkit/test/faulty-store.test.ts',
  'packages/store-sqlite/test/store-equivalence.test.ts',
  'packages/host/test/store-trouble.test.ts',
];

const tasks = {
  build: (args) => build(args),
  demo: (args) => inOrder(build, () => run('examples/01-release-gate/demo.mjs', args)),
  factory: (args) => inOrder(build, () => run('examples/10-factory/run.mjs', args)),
  test: (args) => inOrder(build, () => run(bin.vitest, ['run', ...reporters(), ...args])),
  bench: (args) => inOrder(build, () => run('tools/bench/main.mjs', args)),
  soak: (args) =>
    inOrder(build, () => run(bin.vitest, ['run', 'test/crash', ...GATES, ...CASES, ...TROUBLE, ...args], LONG)),
  'soak:check': (args) => inOrder(build, () => run(bin.vitest, ['run', ...LANGUAGE, ...args], CHECK)),
  'soak:load': (args) => inOrder(build, () => run('tools/bench/soak/main.mjs', args)),
  check: (args) => run('tools/check.mjs', args),
  docs: (args) => run('tools/docs.mjs', args),
  // From the sources, so that it needs no build.
  schemas: (args) => run('tools/schemas.mjs', args, { NODE_OPTIONS: '--conditions=worldline-source' }),
  format: (args) => run(bin.biome, ['format', '--write', ...(args.length > 0 ? args : ['.'])]),
};

const [task, ...args] = process.argv.slice(2);
if (!task || !Object.hasOwn(tasks, task)) {
  console.error(`usage: node tools/run.mjs ${Object.keys(tasks).join('|')} [arguments]`);
  process.exitCode = 2;
} else {
  try {
    node = findNode();
    process.exitCode = await tasks[task](args);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
