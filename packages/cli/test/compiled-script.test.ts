import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { cleanUp, emptyFolder } from './support.ts';

const LOADER = fileURLToPath(new URL('../bin/compiled-script.js', import.meta.url));

afterAll(cleanUp);

/** A script with its hash, as the bundler writes it: each function says its name. */
function script(file: string, names: readonly string[]): void {
  const code = names.map((name) => `exports.${name} = function () { return '${name}'; };`).join('\n');
  writeFileSync(file, `${code}\n// ${createHash('sha256').update(code).digest('hex')}\n`);
}

/** What its function `name` says, in a process that keeps what was compiled in `folder`. */
function call(file: string, folder: string, name: string): string {
  const text = `require(${JSON.stringify(LOADER)}).requireCompiled(${JSON.stringify(file)}, ${JSON.stringify(folder)})`;
  const run = spawnSync(process.execPath, ['-p', `${text}.${name}()`], { encoding: 'utf8' });
  expect(run.stderr).toBe('');
  return run.stdout.trim();
}

describe('a script and what V8 compiled of it (docs/decisions/0005)', () => {
  test('what the first runs compiled is kept, and later ones leave it alone', () => {
    const [root, folder] = [emptyFolder(), emptyFolder()];
    const file = join(root, 'some.cjs');
    script(file, ['one', 'two']);
    const kept = () => readFileSync(join(folder, 'some.cjs'));

    expect(call(file, folder, 'one')).toBe('one');
    const first = kept();
    expect(call(file, folder, 'two')).toBe('two');
    // It holds both functions now: it was taken up, and not begun again.
    expect(kept().length).toBeGreaterThan(first.length);
    for (let run = 3; run <= 5; run++) call(file, folder, 'one');
    const fifth = kept();
    call(file, folder, 'two');
    expect(kept()).toEqual(fifth);
    expect(readdirSync(folder)).toEqual(['some.cjs']);
  });

  test('another text of the same length never runs what was compiled of the first', () => {
    const [root, folder] = [emptyFolder(), emptyFolder()];
    const file = join(root, 'some.cjs');
    script(file, ['one']);
    call(file, folder, 'one');
    script(file, ['two']);
    expect(call(file, folder, 'two')).toBe('two');
    expect(call(file, folder, 'two')).toBe('two');
  });

  test('a file that is empty, cut short, lost a sector or has a wrong bit is begun again', () => {
    const [root, folder] = [emptyFolder(), emptyFolder()];
    const file = join(root, 'some.cjs');
    script(file, ['one']);
    call(file, folder, 'one');
    const kept = join(folder, 'some.cjs');
    const whole = readFileSync(kept);
    const header = whole.indexOf('  ');
    const sector = Buffer.from(whole).fill(0, 200, 712);
    const bit = Buffer.from(whole);
    bit[whole.length - 9] = (bit[whole.length - 9] as number) ^ 1;
    const cut = whole.subarray(0, whole.length - 100);
    for (const damaged of [Buffer.alloc(0), whole.subarray(0, header), cut, sector, bit]) {
      writeFileSync(kept, damaged);
      expect(call(file, folder, 'one')).toBe('one');
      expect(readFileSync(kept)).not.toEqual(damaged);
      expect(readFileSync(kept).length).toBeGreaterThanOrEqual(whole.length);
    }
  });

  test('where nothing can be kept, it runs all the same', () => {
    const root = emptyFolder();
    const file = join(root, 'some.cjs');
    script(file, ['one']);
    expect(call(file, join(file, 'no-folder'), 'one')).toBe('one');
  });
});
