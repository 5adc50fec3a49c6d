// The command and other programs, in processes of their own.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { ROOT } from '../node.mjs';

const LAUNCHER = join(ROOT, 'packages', 'cli', 'bin', 'worldline.js');

/**
 * `worldline <args>`.
 *
 * @returns its standard output, milliseconds from start to end, microseconds that its threads computed, and the most bytes of
 *   memory it had.
 */
export function worldline(...args) {
  return node(LAUNCHER, ...args);
}

/** `node <args>`, likewise. */
export function node(...args) {
  return run(['--require', join(ROOT, 'tools', 'bench', 'cpu-at-exit.cjs'), ...args]);
}

/** A script beside this one; it prints one JSON value. */
export async function script(name, ...args) {
  const { stdout } = await run([join(ROOT, 'tools', 'bench', name), ...args]);
  return JSON.parse(stdout);
}

function run(args) {
  // The caller's settings of the command are not the bench's.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WORLDLINE_')));
  const began = performance.now();
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const cpuUs = Number(/^cpu_us ([0-9]+)$/m.exec(stderr)?.[1]);
      const maxRss = Number(/^max_rss_kib ([0-9]+)$/m.exec(stderr)?.[1]) * 1024;
      if (code === 0) resolve({ stdout, ms: performance.now() - began, cpuUs, maxRss });
      else reject(new Error(`${args.join(' ')} ended with ${code}:\n${stderr}${stdout}`));
    });
  });
}
