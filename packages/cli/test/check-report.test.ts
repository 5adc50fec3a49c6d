import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type CheckFlags, check, checkOnce, renderReport } from '../src/command/check.ts';
import { Context } from '../src/context.ts';
import { exampleWorld } from '../src/diagnostics/world.ts';
import { inDocumentOrder } from '../src/finding.ts';
import { Output } from '../src/output.ts';
import { textWidth } from '../src/text-width.ts';

/** How a report looks on a terminal, and how findings are chosen and ordered. */

const folder = mkdtempSync(join(tmpdir(), 'worldline-report-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;

function world(files: Readonly<Record<string, string>>): string {
  const root = join(folder, String(count++));
  mkdirSync(join(root, 'air'), { recursive: true });
  writeFileSync(join(root, 'air/world.json'), exampleWorld());
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  return root;
}

function context(root: string, terminal: { columns: number; env?: Record<string, string> } | undefined) {
  const said = { out: '' };
  const flags = { world: root, mode: 'auto', json: false, pretty: false, meta: true, quiet: true } as const;
  const stdout = {
    write: (text: string) => {
      said.out += text;
    },
    isTTY: terminal !== undefined,
    columns: terminal?.columns,
  };
  const env = terminal?.env ?? {};
  const ctx = new Context({
    flags: { ...flags, timeoutMs: 0, timeoutGiven: false },
    out: new Output(flags, { stdout, stderr: { write() {} }, env }),
    cwd: root,
    env: {},
    interrupted: new AbortController().signal,
    composition: {},
  });
  return { ctx, said };
}

const UNLISTED = '{ "$kind": "defschema", "name": "demo/Unlisted@1", "type": { "text": {} } }';
const BROKEN = '{ "$kind": "defschema", "name": "demo/Broken@1", "type": { "text": 1 } }';

const escapes = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');

describe('on a terminal', () => {
  test('severity and code are coloured, the mark too; NO_COLOR takes the colour and nothing else', async () => {
    const root = world({ 'air/x.json': BROKEN });
    const render = async (env: Record<string, string>) => {
      const { ctx } = context(root, { columns: 100, env });
      return renderReport(ctx, await checkOnce(ctx, {})).join('\n');
    };
    const [coloured, plain] = [await render({}), await render({ NO_COLOR: '1' })];
    expect(coloured).toContain('\u001b[31merror\u001b[0m');
    expect(coloured).toContain(`\u001b[31m${'^'.repeat('1'.length)}\u001b[0m`);
    expect(plain).toBe(coloured.replace(escapes, ''));
  });

  test.each([50, 80, 400])(
    'a source line is no wider than %i columns, so that the mark stays below its place',
    async (columns) => {
      const filler = Array.from({ length: 60 }, (_, index) => `"field${index}": { "text": {} }`).join(', ');
      const root = world({
        'air/x.json': `{ "$kind": "defschema", "name": "demo/Wide@1", "type": { "record": { ${filler}, "last": 7, ${filler.replaceAll('field', 'more')} } } }`,
      });
      const { ctx } = context(root, { columns, env: { NO_COLOR: '1' } });
      const lines = renderReport(ctx, await checkOnce(ctx, {}));
      const at = lines.findIndex((line) => /^ +\| +\^+$/.test(line));
      const [source, mark] = [lines[at - 1]!, lines[at]!];
      expect(textWidth(source)).toBeLessThanOrEqual(Math.min(columns, 120 + 10));
      expect(source.slice(mark.indexOf('^'), mark.lastIndexOf('^') + 1)).toBe('7');
    },
  );
});

describe('which findings are shown', () => {
  const codes = async (root: string, flags: CheckFlags) => {
    const { ctx } = context(root, undefined);
    return (await checkOnce(ctx, flags)).findings.map(({ code }) => code);
  };

  test('--only and --ignore take codes and rules', async () => {
    const root = world({ 'air/x.json': `[${BROKEN}]` });
    expect(await codes(root, {})).toEqual(['type.invalid']);
    expect(await codes(root, { only: 'type.invalid' })).toEqual(['type.invalid']);
    expect(await codes(root, { only: 'V-301' })).toEqual(['type.invalid']);
    expect(await codes(root, { only: 'V-302, plan.cyclic' })).toEqual([]);
    expect(await codes(root, { ignore: 'V-301' })).toEqual([]);
  });

  test('exit codes: 7 for an error, for a warning only with --fail-on-warning (host.md §12.1)', async () => {
    const exit = async (root: string, flags: CheckFlags) => {
      const before = process.exitCode;
      process.exitCode = undefined;
      try {
        await check(context(root, undefined).ctx, flags);
        return process.exitCode ?? 0;
      } finally {
        process.exitCode = before;
      }
    };
    const clean = world({});
    expect([await exit(clean, {}), await exit(clean, { failOnWarning: true })]).toEqual([0, 0]);
    const warned = world({ 'air/x.json': UNLISTED });
    expect([await exit(warned, {}), await exit(warned, { failOnWarning: true })]).toEqual([0, 7]);
    const broken = world({ 'air/x.json': BROKEN });
    expect([await exit(broken, {}), await exit(broken, { failOnWarning: true })]).toEqual([7, 7]);
    expect(await exit(broken, { ignore: 'type.invalid' })).toBe(0);
  });
});

test('document order: no file first, then files in the order they were read, then by place; equal places as found', () => {
  const at = (file: string | undefined, line?: number, column?: number, message = '') => ({
    code: 'x',
    level: 'error' as const,
    file,
    line,
    column,
    message,
  });
  const sorted = [
    at(undefined),
    at('worldline.json', 3, 1),
    at('air/b.json', 1, 2, 'first'),
    at('air/b.json', 1, 2, 'second'),
    at('air/b.json', 2, 1),
    at('air/a.json'),
    at('air/a.json', 10, 1),
  ];
  const mixed = [6, 2, 3, 0, 5, 4, 1].map((index) => sorted[index]!);
  expect(inDocumentOrder(mixed, ['air/b.json', 'air/a.json'])).toEqual(sorted);
});
