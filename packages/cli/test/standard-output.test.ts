import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { cleanUp, emptyFolder } from './support.ts';

const CHILD = fileURLToPath(new URL('./standard-output-child.ts', import.meta.url));

/** More than any pipe holds. */
const LINES = 20_000;

afterAll(cleanUp);

function expectAll(text: string): void {
  const lines = text.split('\n').slice(0, -1);
  expect(lines).toHaveLength(LINES);
  for (const [n, line] of lines.entries()) if (!line.startsWith(`${n}.`)) expect.unreachable(`line ${n}: ${line}`);
}

describe('standard output', () => {
  test.each(['blocking', 'nonblocking'])(
    'of a %s pipe: everything arrives in order, however slow the reader',
    async (mode) => {
      const child = spawn(process.execPath, [CHILD, String(LINES), mode], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(child, 'close');
      // It fills the pipe before anybody reads.
      await new Promise((resolve) => setTimeout(resolve, 300));
      let text = '';
      for await (const chunk of child.stdout) {
        text += chunk;
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await ended).toEqual([0, null]);
      expectAll(text);
    },
  );

  test('to a file', () => {
    const file = join(emptyFolder(), 'out');
    const fd = openSync(file, 'w');
    const run = spawnSync(process.execPath, [CHILD, String(LINES)], { stdio: ['ignore', fd, 'inherit'] });
    closeSync(fd);
    expect(run.status).toBe(0);
    expectAll(readFileSync(file, 'utf8'));
  });

  test.each(['blocking', 'nonblocking'])('a reader of a %s pipe that closes early has seen enough', async (mode) => {
    const child = spawn(process.execPath, [CHILD, String(LINES), mode], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = once(child, 'close');
    let said = '';
    child.stderr.on('data', (data) => {
      said += data;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await ended).toEqual([0, null]);
    expect(said).toBe('');
  });

  test.runIf(existsSync('/dev/full'))('a device that takes nothing is an error', () => {
    const fd = openSync('/dev/full', 'w');
    const run = spawnSync(process.execPath, [CHILD, '2'], { stdio: ['ignore', fd, 'pipe'], encoding: 'utf8' });
    closeSync(fd);
    expect(run.status).not.toBe(0);
    expect(run.stderr).toContain('ENOSPC');
  });
});
