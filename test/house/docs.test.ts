import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProblems } from '../../tools/docs-check.mjs';
import { RepositoryCopy } from './repository.ts';

describe('documents that stopped being true are found', () => {
  let copy: RepositoryCopy;
  let problems: readonly string[];

  beforeAll(() => {
    copy = new RepositoryCopy();
    const heading = '# Planted\n\n## A heading, with *marks*\n\n';
    copy.write(
      'PLANTED.md',
      `${heading}[gone](nowhere.md) [here](#a-heading-with-marks) [not here](#other) [out](../../etc/hosts)\n` +
        'Run `npm run no-such-script` or `npm run demo`, then `node tools/no-such-file.mjs`.\n',
    );
    copy.write('docs/planted/README.md', '# Index\n\n- [one](one.md)\n');
    copy.write('docs/planted/one.md', '# One\n');
    copy.write('docs/planted/two.md', '# Two\n');
    copy.write('docs/dependencies.md', '| `biome` | `1.0.0` | gone |\n| `vitest` | `0.0.1` | old |\n');
    problems = findProblems(copy.root);
  });
  afterAll(() => copy.close());

  test.each([
    'PLANTED.md:5: the link nowhere.md leads nowhere',
    'PLANTED.md:5: this file has no heading for #other',
    'PLANTED.md:6: there is no npm script "no-such-script"',
    'PLANTED.md:6: there is no tools/no-such-file.mjs',
    'docs/planted/README.md: two.md is not listed',
    'docs/dependencies.md: biome is not a dependency any more',
  ])('%s', (problem) => {
    expect(problems).toContain(problem);
  });

  test('a link out of the repository, a dependency without a line and a wrong version are found', () => {
    const all = problems.join('\n');
    expect(all).toMatch(/PLANTED\.md:5: the link \.\.\/\.\.\/etc\/hosts leads nowhere|leaves the repository/);
    expect(all).toMatch(/no line for fast-check/);
    expect(all).toMatch(/vitest is written as 0\.0\.1, package\.json says/);
  });

  test('what is true is left alone', () => {
    const all = problems.join('\n');
    expect(all).not.toMatch(/a-heading-with-marks/);
    expect(all).not.toMatch(/script "demo"/);
    expect(all).not.toMatch(/one\.md is not listed/);
    expect(all).not.toMatch(/package-lock\.json/);
  });
});
