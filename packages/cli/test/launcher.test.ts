import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { cleanUp, emptyFolder } from './support.ts';

const BIN = fileURLToPath(new URL('../bin/', import.meta.url));

afterAll(cleanUp);

/** The launcher in an installation of its own, with a script in place of the pinned Node. */
function installation(pinned?: string): string {
  const root = emptyFolder();
  cpSync(BIN, join(root, 'packages/cli/bin'), { recursive: true });
  if (pinned !== undefined) {
    const folder = join(root, `node_modules/node-${process.platform}-${process.arch}/bin`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'node'), `#!/bin/sh\n${pinned}\n`);
    chmodSync(join(folder, 'node'), 0o755);
  }
  return join(root, 'packages/cli/bin/worldline.js');
}

describe.skipIf(process.platform === 'win32')('the launcher (design decision D1, host.md §12)', () => {
  test('runs the pinned Node with its own path and all arguments, and passes the exit code on', () => {
    const bin = installation('shift; echo "$@"; exit 7');
    const run = spawnSync(process.execPath, [bin, 'event', 'send', 'a b'], { encoding: 'utf8' });
    expect(run.stdout).toBe('event send a b\n');
    expect(run.status).toBe(7);
  });

  test('starts no second process when the running Node has the pinned version', () => {
    const bin = installation('echo "started again"');
    const manifest = join(bin, `../../../../node_modules/node-${process.platform}-${process.arch}/package.json`);
    const run = (version: string) => {
      writeFileSync(manifest, JSON.stringify({ version }));
      return spawnSync(process.execPath, [bin, 'check'], { encoding: 'utf8' });
    };
    expect(run(process.version.slice(1)).stderr).toContain('npm run build');
    expect(run('24.0.0').stdout).toBe('started again\n');
  });

  test('passes signals on to the command, and the command’s death by signal back', async () => {
    const bin = installation('trap "exit 9" TERM; echo ready; while true; do sleep 0.05; done');
    const child = spawn(process.execPath, [bin]);
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
    child.stdout.once('data', () => child.kill('SIGTERM'));
    expect(await ended).toEqual({ code: 9, signal: null });

    const killed = spawnSync(process.execPath, [installation('kill -KILL $$')]);
    expect(killed.signal).toBe('SIGKILL');
  });

  test('without a pinned Node an old one is told which version is needed', () => {
    const bin = installation();
    const old = join(emptyFolder(), 'old.cjs');
    writeFileSync(old, "Object.defineProperty(process, 'version', { value: 'v22.12.0' });");
    const run = spawnSync(process.execPath, ['-r', old, bin, 'check'], { encoding: 'utf8' });
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(/^error\[node_version\]: worldline needs Node 22\.13 or newer, this is v22\.12\.0\n/);
  });

  test('a checkout that was not built says so', () => {
    const run = spawnSync(process.execPath, [installation(), 'check'], { encoding: 'utf8' });
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('npm run build');
  });

  test('is written in the syntax of 2009, so that any Node can read it far enough to say so', () => {
    const text = readFileSync(join(BIN, 'worldline.js'), 'utf8').replace(/\/\/.*$/gm, '');
    expect(text).not.toMatch(/=>|`|\b(let|const|class|async|await|import)\b|\?\?|\?\.|\.\.\./);
  });
});
