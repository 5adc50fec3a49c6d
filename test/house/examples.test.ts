import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from './repository.ts';
import { exchanges, shell, steady } from './sessions.ts';

// The sessions in the READMEs of examples and in docs/patterns are typed again, in a copy of examples and packs: what they
// leave behind is not left in the working tree.

class Workshop {
  readonly root = mkdtempSync(join(tmpdir(), 'worldline-examples-'));

  constructor() {
    const isSource = (path: string) => !/\/(?:\.worldline|node_modules|demo-worlds?)$/.test(path);
    for (const name of ['examples', 'packs'])
      cpSync(join(ROOT, name), join(this.root, name), { recursive: true, filter: isSource });
    symlinkSync(join(ROOT, 'packages'), join(this.root, 'packages'));
    const scope = join(this.root, 'node_modules', '@worldline');
    mkdirSync(scope, { recursive: true });
    for (const name of readdirSync(join(ROOT, 'packs')))
      if (existsSync(join(ROOT, 'packs', name, 'package.json')))
        symlinkSync(join(this.root, 'packs', name), join(scope, name));
  }

  close(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

function pagesIn(folder: string): readonly string[] {
  return existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((name) =>
        name.endsWith('.md') && !/(?:^|\/)(?:\.worldline|node_modules)\//.test(name) ? [join(folder, name)] : [],
      )
    : [];
}

const documents = ['examples', 'docs/patterns']
  .flatMap((name) => pagesIn(join(ROOT, name)))
  .map((path) => ({ document: relative(ROOT, path), session: exchanges(readFileSync(path, 'utf8')) }))
  .filter(({ session }) => session.length > 0)
  .sort((a, b) => (a.document < b.document ? -1 : 1));

test('the patterns and their examples show sessions', () => {
  expect(documents.map(({ document }) => document)).toEqual(
    expect.arrayContaining([
      'docs/patterns/approval-gate.md',
      'docs/patterns/deadline-race.md',
      'examples/02-deadline-race-turnkey/README.md',
      'examples/03-deadline-race-core/README.md',
      'examples/04-approval-gate-turnkey/README.md',
      'examples/05-approval-gate-core/README.md',
      'examples/06-request-response-turnkey/README.md',
      'examples/07-request-response-core/README.md',
    ]),
  );
});

describe.each(documents)('the session of $document can be typed as it stands', ({ session }) => {
  let workshop: Workshop;
  beforeAll(() => {
    workshop = new Workshop();
  });
  afterAll(() => workshop.close());

  // In order, in one copy: later commands build on earlier ones.
  test.each(session)('$command', { timeout: 600_000 }, ({ command, output }) => {
    expect(steady(shell(command, workshop.root))).toBe(steady(output));
  });
});
