/**
 * Who may import whom. The table is the design: read it top to bottom and every arrow points up.
 *
 * Type-only imports count: a kernel that names a host type depends on the host. `tools/check.mjs order` runs this,
 * `test/house/order.test.ts` proves that it bites.
 */

/** Workspace packages that each package's sources may import. Order: canon → air → kernel → summary → ports, then I/O. */
const MAY_IMPORT = {
  // Pure: decisions and data. Only other pure packages above them, no Node module, no npm package.
  canon: [],
  air: ['canon'],
  kernel: ['canon', 'air'],
  summary: ['canon', 'air', 'kernel'],
  ports: ['canon', 'air', 'kernel'],
  // Drivers: pure packages only. They never meet the host; the command line introduces them.
  adapters: ['canon', 'air', 'kernel', 'summary', 'ports'],
  'store-sqlite': ['canon', 'air', 'kernel', 'summary', 'ports'],
  // The loop: pure packages only.
  host: ['canon', 'air', 'kernel', 'summary', 'ports'],
  // What answers requests for a world that a host runs.
  server: ['canon', 'air', 'kernel', 'summary', 'ports', 'host'],
  // The test bench may hold a host, and the store of standalone worlds: the crash gate kills a process over it.
  testkit: ['canon', 'air', 'kernel', 'summary', 'ports', 'host', 'store-sqlite'],
  // Composition root: hosts and drivers meet here.
  cli: ['canon', 'air', 'kernel', 'summary', 'ports', 'host', 'server', 'adapters', 'store-sqlite', 'testkit'],
};

const PURE = ['canon', 'air', 'kernel', 'summary', 'ports'];
const pure = PURE.join('|');
const any = Object.keys(MAY_IMPORT).join('|');

/** What another package may import: its index, and what its package.json exports by a path of its own. */
const FRONT_DOORS = [
  '^packages/[^/]+/src/index[.]ts$',
  '^packages/(?:host|kernel)/src/config[.]ts$',
  '^packages/(?:testkit|cli)/src/gates[.]ts$',
];

/** One rule per package: its sources import themselves and what the table allows, nothing else of this workspace. */
const order = Object.entries(MAY_IMPORT).map(([name, allowed]) => ({
  name: `order-${name}`,
  comment: `packages/${name} may import ${allowed.length === 0 ? 'no other package' : allowed.join(', ')}; see ARCHITECTURE.md`,
  severity: 'error',
  from: { path: `^packages/${name}/src/` },
  to: { path: '^packages/', pathNot: `^packages/(?:${[name, ...allowed].join('|')})/` },
}));

export default {
  forbidden: [
    ...order,
    {
      name: 'table-is-complete',
      comment: 'A new package gets its line in the table of .dependency-cruiser.mjs before its first import.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: `^packages/(?:${any})/` },
      to: {},
    },
    {
      name: 'pure-no-platform',
      comment: 'Pure packages import no Node module: time, disk and network arrive as arguments or records.',
      severity: 'error',
      from: { path: `^packages/(?:${pure})/src/` },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pure-no-npm',
      comment: 'Pure packages have no runtime dependencies (design decision D11).',
      severity: 'error',
      from: { path: `^packages/(?:${pure})/src/` },
      to: { path: 'node_modules' },
    },
    {
      name: 'front-door',
      comment: 'Another package is imported by its name, and what it does not export is its own business.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '^packages/[^/]+/(?:src|dist)/', pathNot: ['^packages/$1/', ...FRONT_DOORS] },
    },
    {
      name: 'front-door-by-name',
      comment: 'Import @worldline/x, not a relative path into another package.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '^packages/', pathNot: '^packages/$1/', dependencyTypes: ['local'] },
    },
    {
      name: 'sources-do-not-import-tests',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { path: '(?:^|/)test/|^tools/|^examples/' },
    },
    {
      name: 'declared',
      comment: 'What a source imports stands in the dependencies of its own package.json.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^node:' },
    },
    {
      name: 'no-cycles',
      comment:
        'Two modules that need each other to load are one module, or hide a third. Types and lazy imports may go both ways.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only', 'dynamic-import'] } },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(?:^|/)dist/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['worldline-source', 'types', 'node', 'import', 'default'],
      extensions: ['.ts', '.mts', '.mjs', '.js', '.json', '.d.ts'],
    },
  },
};
