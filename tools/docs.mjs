// Documents that are made from the sources: node tools/run.mjs docs. A test fails while a committed one is not current.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { diagnosticsDocument } from '../packages/cli/src/diagnostics/document.ts';
import { ROOT } from './node.mjs';

const DOCUMENTS = {
  'docs/diagnostics.md': diagnosticsDocument,
};

for (const [path, text] of Object.entries(DOCUMENTS)) {
  writeFileSync(join(ROOT, path), text());
  console.log(path);
}
