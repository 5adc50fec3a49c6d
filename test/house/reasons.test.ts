import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REASONS } from '@worldline/summary';
import { expect, test } from 'vitest';
import { ROOT } from './repository.ts';

test('the guide about causes has every reason with its sentence, and no other', () => {
  const guide = readFileSync(join(ROOT, 'docs/guides/find-out-why.md'), 'utf8');
  const [table = ''] = guide.slice(guide.indexOf('| `reason` | |')).split('\n\n');
  const rows = [...table.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, code, text]) => [code, text]);
  expect(Object.fromEntries(rows)).toEqual({ ...REASONS });
});
