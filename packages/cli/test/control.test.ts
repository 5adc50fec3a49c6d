import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { cleanUp, daemon, worldline, worldOf } from './support.ts';

/** The control socket and `stop` (host.md §1, §8.1, §12.2). Tests start the built command: npx tsc -b packages/cli */

// Each command is a process of its own, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });
afterAll(cleanUp);

const socketOf = (world: string) => join(world, '.worldline/control.sock');
const daemonFile = (world: string) => join(world, '.worldline/daemon.json');
const info = (world: string) => JSON.parse(readFileSync(daemonFile(world), 'utf8'));

/** A socket file that nobody listens on, as a killed process leaves it. */
async function deadSocket(path: string): Promise<void> {
  const holder = spawn(
    process.execPath,
    ['-e', `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  await once(holder, 'close');
}

describe('stop', () => {
  test('ends the running world and waits until its process, lock, socket and daemon.json are gone', async () => {
    const world = worldOf('minimal');
    const running = await daemon(world);
    const stopped = await worldline(['stop', '--json'], { cwd: world });
    expect([stopped.exit, stopped.json()]).toEqual([0, { data: { stopped: true } }]);
    for (const left of ['lock', 'daemon.json', 'control.sock'])
      expect(existsSync(join(world, '.worldline', left))).toBe(false);
    expect(() => process.kill(running.pid, 0)).toThrow();
    expect((await running.stop()).exit).toBe(0);
    const again = await worldline(['stop'], { cwd: world });
    expect([again.exit, again.stderr]).toEqual([3, expect.stringContaining('error[unreachable]')]);
  });

  test('a world that never ran, and one that is not running, are not running: 3', async () => {
    const world = worldOf('minimal');
    expect((await worldline(['stop', '--json'], { cwd: world })).json().error.code).toBe('unreachable');
    await worldline(['run', '--batch'], { cwd: world });
    const stopped = await worldline(['stop', '--json'], { cwd: world });
    expect([stopped.exit, stopped.json().error.code]).toEqual([3, 'unreachable']);
  });

  test('two at once: both wait for the same end', async () => {
    const world = worldOf('minimal');
    const running = await daemon(world);
    const stops = await Promise.all([worldline(['stop'], { cwd: world }), worldline(['stop'], { cwd: world })]);
    // The slower one may find the world gone before it has asked.
    expect(stops.map(({ exit }) => exit).sort()).toEqual([0, expect.toBeOneOf([0, 3])]);
    expect((await running.stop()).exit).toBe(0);
  });

  test('a process that is stopped by the system does not answer: a timeout, and nothing is broken', async () => {
    const world = worldOf('minimal');
    const running = await daemon(world);
    const { pid } = info(world);
    process.kill(pid, 'SIGSTOP');
    try {
      const stopped = await worldline(['stop', '--json', '--timeout-ms', '700'], { cwd: world });
      expect([stopped.exit, stopped.json().error.code]).toEqual([8, 'timeout']);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    expect((await worldline(['stop'], { cwd: world })).exit).toBe(0);
    expect((await running.stop()).exit).toBe(0);
  });
});

describe('the control socket', () => {
  test('is open to its owner only, is named in daemon.json, and replaces one that a killed process left', async () => {
    const world = worldOf('minimal');
    await worldline(['run', '--batch'], { cwd: world });
    await deadSocket(socketOf(world));
    writeFileSync(daemonFile(world), JSON.stringify({ pid: 999_999_999, socket: '/nowhere', version: '0' }));
    const running = await daemon(world);
    while (
      !existsSync(daemonFile(world)) ||
      info(world).pid !== JSON.parse(readFileSync(join(world, '.worldline/lock'), 'utf8')).pid
    );
    expect(lstatSync(socketOf(world)).mode & 0o777).toBe(0o600);
    expect(lstatSync(daemonFile(world)).mode & 0o777).toBe(0o600);
    expect(info(world)).toEqual({
      pid: expect.any(Number),
      socket: socketOf(world),
      started_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      version: expect.any(String),
    });
    expect((await worldline(['stop'], { cwd: world })).exit).toBe(0);
    expect((await running.stop()).exit).toBe(0);
  });

  test('in a folder too deep for a socket it lies in a private temporary folder, and is tidied up after a kill', async () => {
    const base = worldOf('minimal');
    const world = join(base, ...Array.from({ length: 8 }, (_, i) => `${'deep'.repeat(5)}-${i}`));
    mkdirSync(dirname(world), { recursive: true });
    expect((await worldline(['init', world])).exit).toBe(0);
    const running = await daemon(world);
    while (!existsSync(daemonFile(world)));
    const { socket, pid } = info(world);
    expect(dirname(dirname(socket))).toBe(tmpdir());
    expect(lstatSync(dirname(socket)).mode & 0o777).toBe(0o700);
    process.kill(pid, 'SIGKILL');
    await running.stop();
    expect(existsSync(dirname(socket))).toBe(true);
    const next = await daemon(world);
    while (!existsSync(daemonFile(world)) || info(world).pid === pid);
    expect(existsSync(dirname(socket))).toBe(false);
    const { socket: another } = info(world);
    expect((await worldline(['stop'], { cwd: world })).exit).toBe(0);
    expect((await next.stop()).exit).toBe(0);
    expect(existsSync(dirname(another))).toBe(false);
  });

  test('--control with nobody there is unreachable, with another world behind it is refused', async () => {
    const [world, other] = [worldOf('minimal'), worldOf('minimal')];
    const running = await daemon(world);
    const elsewhere = await daemon(other);
    const none = await worldline(['--control', 'nowhere.sock', 'stop', '--json'], { cwd: world });
    expect([none.exit, none.json().error.code]).toEqual([3, 'unreachable']);
    const wrong = await worldline(['stop', '--json'], { cwd: world, env: { WORLDLINE_CONTROL: socketOf(other) } });
    expect([wrong.exit, wrong.json().error.code]).toEqual([2, 'invalid_request']);
    expect((await worldline(['--control', socketOf(world), 'stop'], { cwd: world })).exit).toBe(0);
    expect((await worldline(['stop'], { cwd: other })).exit).toBe(0);
    await Promise.all([running.stop(), elsewhere.stop()]);
  });

  test('something else that listens there is told apart: no JSON, no world', async () => {
    const world = worldOf('minimal');
    const running = await daemon(world);
    const path = join(mkdtempSync(join(tmpdir(), 'wl-cli-')), 's');
    const server = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi'));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const got = await worldline(['--control', path, 'stop', '--json'], { cwd: world });
    expect([got.exit, got.json().error.code]).toEqual([1, 'host_error']);
    server.close();
    expect((await worldline(['stop'], { cwd: world })).exit).toBe(0);
    await running.stop();
  });
});
