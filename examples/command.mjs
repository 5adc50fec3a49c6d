// The worldline command, as the demos of the numbered examples call it. Plain Node, no packages.
import { spawn } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
export const WORLDLINE = join(ROOT, 'packages/cli/bin/worldline.js');

/** Starts a command on the world in a folder. @param stdout - `ignore` for one that says nothing there. */
export function start(folder, args, stdout = 'pipe') {
  return spawn(process.execPath, [WORLDLINE, '--world', folder, ...args], { stdio: ['ignore', stdout, 'pipe'] });
}

/** @returns `{ code, stdout, stderr }` of a command that was started. */
export function ended(child) {
  return new Promise((settle, reject) => {
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', reject);
    child.on('close', (code) => settle({ code, stdout, stderr }));
  });
}

/**
 * The data of a command.
 *
 * @param run - takes its words, and gives what `ended` does.
 * @throws when the command fails.
 */
export async function ask(run, ...args) {
  const { code, stdout, stderr } = await run('--json', ...args);
  if (code !== 0) throw new Error(`worldline ${args.join(' ')} exited ${code}: ${stdout}${stderr}`);
  return JSON.parse(stdout).data;
}

/** All records of some kinds, oldest first: `{ seq, kind, record }`. @param run - as of `ask`. */
export async function journal(run, kinds) {
  const entries = [];
  for (let from = 0; ; ) {
    const page = await ask(run, 'journal', 'tail', '--from', `${from}`, '--limit', '1000', '--kinds', kinds.join(','));
    entries.push(...page.entries);
    if (page.entries.length < 1000) return entries;
    from = page.to;
  }
}
