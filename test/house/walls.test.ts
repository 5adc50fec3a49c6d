import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RepositoryCopy } from './repository.ts';

// The walls of the house, tried with the tools and the configuration of `.ci/run`: a fault planted in a pure package is
// caught, and the message names it.

const PURE = ['canon', 'air', 'kernel', 'summary', 'ports'];

type Outcome = ReturnType<RepositoryCopy['check']>;

/** What an outcome says about one file: the paragraphs that name it. */
function findings(outcome: Outcome | undefined, file: string): string {
  const paragraphs = (outcome?.output ?? '').split(
    outcome?.output.includes(' ━━') ? /\n(?=packages\/)/ : /\n(?= *error )/,
  );
  return paragraphs.filter((paragraph) => paragraph.includes(file)).join('\n');
}

interface Fault {
  readonly name: string;
  readonly check: 'purity' | 'order';
  readonly source: string;
  /** What the finding must say. */
  readonly says: RegExp;
}

const faults: readonly Fault[] = [
  { name: 'Date.now()', check: 'purity', source: 'export const now = Date.now();\n', says: /global variable Date/ },
  { name: 'new Date()', check: 'purity', source: 'export const now = new Date();\n', says: /global variable Date/ },
  { name: 'Math.random()', check: 'purity', source: 'export const r = Math.random();\n', says: /Randomness arrives/ },
  {
    name: 'Math under another name',
    check: 'purity',
    source: 'export const { random } = Math;\n',
    says: /Math members by name/,
  },
  {
    name: "Math['random']",
    check: 'purity',
    source: "export const r = Math['random']();\n",
    says: /Math members by name/,
  },
  {
    name: 'an inexact Math member',
    check: 'purity',
    source: 'export const r = Math.log(2);\n',
    says: /Not deterministic/,
  },
  { name: 'globalThis', check: 'purity', source: 'export const d = globalThis;\n', says: /global variable globalThis/ },
  {
    name: 'a locale comparison',
    check: 'purity',
    source: "export const c = 'a'.localeCompare('b');\n",
    says: /locale/,
  },
  {
    name: 'an optional locale call',
    check: 'purity',
    source: 'export const c = (n?: number) => n?.toLocaleString();\n',
    says: /locale/,
  },
  { name: 'Intl', check: 'purity', source: 'export const c = new Intl.Collator();\n', says: /global variable Intl/ },
  {
    name: 'a node:fs import',
    check: 'purity',
    source: "export { readFileSync } from 'node:fs';\n",
    says: /builtin module/,
  },
  {
    name: 'a dynamic node:fs import',
    check: 'purity',
    source: "export const fs = () => import('node:fs');\n",
    says: /builtin module/,
  },
  { name: 'setTimeout', check: 'purity', source: 'export const t = setTimeout;\n', says: /global variable setTimeout/ },
  { name: 'process', check: 'purity', source: 'export const p = process;\n', says: /global variable process/ },
  {
    name: 'a node:fs import, seen as an import',
    check: 'order',
    source: "export { readFileSync } from 'node:fs';\n",
    says: /pure-no-platform/,
  },
  {
    name: 'a type of a Node module',
    check: 'order',
    source: "import type { Stats } from 'node:fs';\nexport type S = Stats;\n",
    says: /pure-no-platform/,
  },
  {
    name: 'an npm package',
    check: 'order',
    source: "import { encode } from 'cborg';\nexport const e = encode;\n",
    says: /pure-no-npm/,
  },
  {
    name: 'an upward import',
    check: 'order',
    source: "import * as host from '@worldline/host';\nexport const h = host;\n",
    says: /order-/,
  },
  {
    name: 'an upward import of a type only',
    check: 'order',
    source: "import type * as host from '@worldline/host';\nexport type H = typeof host;\n",
    says: /order-/,
  },
];

/** Every fault is planted in a file of its own, so that one run of a check tells all of them apart. */
const place = (index: number) => `packages/canon/src/planted-${index}.ts`;

/** Packages `from` whose sources must not import package `to`. */
const arrows: readonly (readonly [from: string, to: string])[] = [
  ['canon', 'air'],
  ['air', 'kernel'],
  ['kernel', 'summary'],
  ['kernel', 'ports'],
  ['summary', 'ports'],
  ['ports', 'host'],
  ['adapters', 'host'],
  ['store-sqlite', 'host'],
  ['store-sqlite', 'adapters'],
  ['host', 'adapters'],
  ['host', 'store-sqlite'],
  ['host', 'testkit'],
  ['host', 'server'],
  ['server', 'adapters'],
  ['testkit', 'adapters'],
  ['testkit', 'server'],
  ['server', 'testkit'],
];

let copy: RepositoryCopy;
const clean: Record<string, Outcome> = {};
const planted: Record<string, Outcome> = {};

beforeAll(() => {
  copy = new RepositoryCopy();
  for (const check of ['purity', 'order']) clean[check] = copy.check(check);

  faults.forEach(({ source }, index) => copy.write(place(index), source));
  for (const name of PURE) {
    copy.write(
      `packages/${name}/src/planted.ts`,
      "import 'node:fs';\nexport const x = [Date.now(), Math.random(), 'a'.localeCompare('b')];\n",
    );
  }
  for (const [from, to] of arrows) {
    copy.write(
      `packages/${from}/src/planted-arrow-${to}.ts`,
      `import * as other from '@worldline/${to}';\nexport const o = other;\n`,
    );
  }
  copy.write(
    'packages/air/src/planted-side-door.ts',
    "import { ok } from '../../canon/src/result.ts';\nexport const o = ok;\n",
  );
  copy.write(
    'packages/canon/src/planted-a.ts',
    "import { b } from './planted-b.ts';\nexport const a = (): unknown => b;\n",
  );
  copy.write(
    'packages/canon/src/planted-b.ts',
    "import { a } from './planted-a.ts';\nexport const b = (): unknown => a;\n",
  );
  copy.write('packages/stray/package.json', '{ "name": "@worldline/stray", "version": "0.1.0", "type": "module" }\n');
  copy.write('packages/stray/src/index.ts', "import { ok } from '@worldline/canon';\nexport const o = ok;\n");
  for (const check of ['purity', 'order']) planted[check] = copy.check(check);
  // Four runs of the tools over all sources, on whatever machine.
}, 600_000);

afterAll(() => copy?.close());

describe('what a pure package must not do is caught', () => {
  test.each(['purity', 'order'])('%s has nothing to say about the sources as they are', (check) => {
    expect(clean[check]).toMatchObject({ passed: true });
  });

  test.each(['purity', 'order'])('%s fails when a fault is planted', (check) => {
    expect(planted[check]?.passed).toBe(false);
  });

  test.each(faults.map((fault, index) => ({ ...fault, index })))('$check catches $name', ({ check, index, says }) => {
    expect(findings(planted[check], place(index))).toMatch(says);
  });

  test.each(PURE)('the purity rules reach packages/%s', (name) => {
    const found = findings(planted.purity, `packages/${name}/src/planted.ts`);
    for (const says of [/builtin module/, /global variable Date/, /Randomness arrives/, /machine's locale/]) {
      expect(found).toMatch(says);
    }
  });
});

describe('the order of packages holds', () => {
  test.each(arrows)('packages/%s may not import packages/%s', (from, to) => {
    expect(findings(planted.order, `packages/${from}/src/planted-arrow-${to}.ts`)).toContain(`order-${from}`);
  });

  test('a file behind the front door of another package is out of reach', () => {
    expect(findings(planted.order, 'packages/air/src/planted-side-door.ts')).toMatch(
      /front-door:.*canon\/src\/result\.ts/,
    );
  });

  test('two modules that need each other to load are reported', () => {
    expect(planted.order?.output).toMatch(/no-cycles: packages\/canon\/src\/planted-[ab]\.ts/);
  });

  test('a package without a line in the table is reported', () => {
    expect(findings(planted.order, 'packages/stray/src/index.ts')).toContain('table-is-complete');
  });
});
