// The JSON Schemas of `schemas/`, made from the descriptions that the parsers read: node tools/run.mjs schemas [--check]
// Without --check the files are written.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { schemaFiles, schemaText } from '../packages/cli/src/editor/editor-files.ts';
import { ROOT } from './node.mjs';

const folder = join(ROOT, 'schemas');
const check = process.argv.includes('--check');

mkdirSync(folder, { recursive: true });
const files = new Map([...schemaFiles()].map(([name, schema]) => [name, schemaText(schema)]));
for (const [name, text] of files) {
  const present = readdirSync(folder).includes(name) ? readFileSync(join(folder, name), 'utf8') : undefined;
  if (present === text) continue;
  if (!check) writeFileSync(join(folder, name), text);
  else {
    console.error(`schemas/${name} is not what the parser reads: run npm run schemas`);
    process.exitCode = 1;
  }
}
for (const name of readdirSync(folder)) {
  if (files.has(name) || name === 'README.md') continue;
  console.error(`schemas/${name} is made by nobody`);
  process.exitCode = 1;
}
