// Runs the command itself. Apart from worldline.js, because an old Node cannot even read this syntax.
'use strict';

const fs = require('node:fs');
const { enableCompileCache, getCompileCacheDir } = require('node:module');
const path = require('node:path');

const dist = path.join(__dirname, '..', 'dist');
if (!fs.existsSync(path.join(dist, 'index.js'))) {
  console.error('error[host_error]: this checkout has not been built');
  console.error('  hint: run "npm run build" first');
  process.exit(1);
}

// What was compiled once is read the next time. In the package's own folder, because nobody else can write there; where
// this user cannot either, or NODE_DISABLE_COMPILE_CACHE is set, there is none.
const compiled = path.join(dist, '.compiled');
enableCompileCache(compiled);

// The embedded store uses node:sqlite on purpose; its notice would stand before the first line of every command.
const emitWarning = process.emitWarning;
process.emitWarning = function (warning, ...rest) {
  const text = typeof warning === 'string' ? warning : warning.message;
  if (/^SQLite is an experimental feature/.test(text)) return;
  emitWarning.call(process, warning, ...rest);
};

load().then(
  (module) => module.main(process.argv.slice(2)),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);

async function load() {
  if (process.argv[2] !== 'check') return import('../dist/index.js');
  const program = path.join(dist, 'check-program.cjs');
  // Named for this very Node. Of a folder that NODE_COMPILE_CACHE names instead, the name is taken and nothing more.
  const folder = getCompileCacheDir();
  if (folder === undefined) return require(program);
  return require('./compiled-script.js').requireCompiled(program, path.join(compiled, path.basename(folder)));
}
