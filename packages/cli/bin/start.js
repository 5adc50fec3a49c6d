// Runs the command itself. Apart from worldline.js, because an old Node cannot even read this syntax.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const url = require('node:url');

const main = path.join(__dirname, '..', 'dist', 'main.js');
if (!fs.existsSync(main)) {
  console.error('error[host_error]: this checkout has not been built');
  console.error('  hint: run "npm run build" first');
  process.exit(1);
}

// The embedded store uses node:sqlite on purpose; its notice would stand before the first line of every command.
const emitWarning = process.emitWarning;
process.emitWarning = function (warning, ...rest) {
  const text = typeof warning === 'string' ? warning : warning.message;
  if (/^SQLite is an experimental feature/.test(text)) return;
  emitWarning.call(process, warning, ...rest);
};

import(url.pathToFileURL(main).href).then(
  (module) => module.main(process.argv.slice(2)),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
