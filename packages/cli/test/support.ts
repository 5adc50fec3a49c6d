import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Starts the built command, as a user does. */

const BIN = fileURLToPath(new URL('../bin/worldline.js', import.meta.url));
const TEMPLATES = fileURLToPath(new URL('../templates/', import.meta.url));

export interface Finished {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as JSON; fails the test when it is not exactly one value. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it, and a wrong guess fails them
  json(): any;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  readonly env?: Record<string, string>;
}

function environment(extra: Record<string, string> = {}): Record<string, string> {
  const own = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith('WORLDLINE_'),
  );
  return { ...Object.fromEntries(own), ...extra };
}

export function worldline(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd: options.cwd,
      env: environment(options.env),
      stdio: 'pipe',
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
    child.on('error', reject);
    child.on('close', (exit) => resolve({ exit, stdout, stderr, json: () => JSON.parse(stdout) }));
  });
}

/** Starts a command and interrupts it once `ready` has found what it waits for. */
export async function interrupted(
  args: readonly string[],
  world: string,
  ready: () => Promise<boolean>,
): Promise<Finished> {
  const child = spawn(process.execPath, [BIN, ...args], { cwd: world, env: environment(), stdio: 'pipe' });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  while (!(await ready()) && child.exitCode === null);
  child.kill('SIGINT');
  const exit = await closed;
  return { exit, stdout, stderr, json: () => JSON.parse(stdout) };
}

export interface Daemon {
  readonly pid: number;
  stop(signal?: NodeJS.Signals): Promise<{ readonly exit: number | null; readonly stderr: string }>;
}

/** `worldline run`, ready when its lock says so. */
export async function daemon(world: string, args: readonly string[] = []): Promise<Daemon> {
  const child = spawn(process.execPath, [BIN, 'run', ...args], {
    cwd: world,
    env: environment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  let gone = false;
  closed.then(() => {
    gone = true;
  });
  for (;;) {
    const status = await worldline(['status', '--json'], { cwd: world });
    if (status.exit === 0 && status.json().data.daemon !== null && status.json().data.daemon !== undefined) break;
    if (gone) throw new Error(`worldline run ended early: ${stderr}`);
  }
  return {
    pid: child.pid!,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      return { exit: await closed, stderr };
    },
  };
}

const folders: string[] = [];

/** A fresh folder of a template, removed by `cleanUp`. */
export function worldOf(template: 'minimal' | 'http'): string {
  const folder = emptyFolder();
  cpSync(join(TEMPLATES, template), folder, { recursive: true });
  return folder;
}

export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'worldline-cli-'));
  folders.push(folder);
  return folder;
}

export function cleanUp(): void {
  for (const folder of folders.splice(0)) if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
}
