import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './repository.ts';

/** Sessions that documents show: what was typed, and what it said. */

export const LAUNCHER = join(ROOT, 'packages', 'cli', 'bin', 'worldline.js');
export const ENV = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WORLDLINE_')));

export interface Exchange {
  readonly command: string;
  readonly output: string;
  /** Files that the document shows before the command, to be written first. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

/** The `$ command` lines of the ```console blocks, each with what is shown below it and the ```json file=… blocks above it. */
export function exchanges(markdown: string): Exchange[] {
  const found: { command: string; output: string; files: Exchange['files'] }[] = [];
  let files: Exchange['files'] = [];
  for (const [, path, block = ''] of markdown.matchAll(/^```(?:console|json file=(\S+))\n(.*?)^```$/gms)) {
    if (path !== undefined) {
      files = [...files, { path, text: block }];
      continue;
    }
    for (const line of block.split('\n').slice(0, -1)) {
      if (line.startsWith('$ ')) {
        found.push({ command: line.slice(2), output: '', files });
        files = [];
      } else found.at(-1)!.output += `${line}\n`;
    }
  }
  return found;
}

/** Hashes, identities and durations differ from run to run; everything else is taken at its word. */
export function steady(text: string): string {
  return (
    text
      .replace(/\b[0-9a-f]{64}\b/g, '<hash>')
      .replace(/\b[0-9a-f]{8}\b/g, '<short>')
      .replace(/\b\d+\.\d+ s\b/g, '<seconds>')
      // In a table, what is behind a duration depends on how long it is.
      .replace(/\b\d+\.\d\d(?:h|m|s|ms|µs)(?![\w])( ?) */g, '<duration>$1')
      .trimEnd()
  );
}

/** Types a command; `npx worldline` is the build of this working tree, and `node` is the Node that runs the tests. */
export function shell(command: string, cwd: string): string {
  const script = `npx() { shift; "$NODE" "$LAUNCHER" "$@"; }\nnode() { "$NODE" "$@"; }\n${command}`;
  const result = spawnSync('sh', ['-c', script], {
    cwd,
    encoding: 'utf8',
    env: { ...ENV, NODE: process.execPath, LAUNCHER, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return result.stdout + result.stderr;
}
