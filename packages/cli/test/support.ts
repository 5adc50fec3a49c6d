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

/** A command that is running. */
export interface Started {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /** A moment later, for those who look whether it has got somewhere. @throws when it has ended. */
  running(): Promise<void>;
  readonly ended: Promise<Finished>;
}

export function start(args: readonly string[], options: RunOptions = {}): Started {
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
  return {
    pid: child.pid!,
    kill: (signal) => child.kill(signal),
    async running() {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`worldline ${args.join(' ')} ended early: ${stderr}`);
    },
    ended: new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (exit) => resolve({ exit, stdout, stderr, json: () => JSON.parse(stdout) }));
    }),
  };
}

export function worldline(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return start(args, options).ended;
}

/** Starts a command and interrupts it once `ready` has found what it waits for. */
export async function interrupted(
  args: readonly string[],
  world: string,
  ready: () => Promise<boolean>,
): Promise<Finished> {
  const command = start(args, { cwd: world });
  while (!(await ready())) await command.running();
  command.kill('SIGINT');
  return command.ended;
}

export interface Daemon {
  readonly pid: number;
  stop(signal?: NodeJS.Signals): Promise<{ readonly exit: number | null; readonly stderr: string }>;
}

/** `worldline run`, ready when its lock says so. */
export async function daemon(world: string, args: readonly string[] = []): Promise<Daemon> {
  const command = start(['run', ...args], { cwd: world });
  for (;;) {
    const status = await worldline(['status', '--json'], { cwd: world });
    if (status.exit === 0 && status.json().data.daemon !== null && status.json().data.daemon !== undefined) break;
    await command.running();
  }
  return {
    pid: command.pid,
    stop(signal = 'SIGTERM') {
      command.kill(signal);
      return command.ended;
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
