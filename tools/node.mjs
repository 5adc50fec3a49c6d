// Which Node runs this repository. Plain JavaScript for any Node from 18 on: it has to run before anything is installed.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the repository. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The version this repository is developed and tested on. */
export const PINNED = readFileSync(join(ROOT, '.node-version'), 'utf8').trim();

/** The oldest Node with an unflagged `node:sqlite`. */
const OLDEST = [22, 13];

/** The npm package that carries the pinned Node for this machine, or undefined where there is none. */
export function pinnedPackage() {
  if (process.platform !== 'linux') return undefined;
  return process.arch === 'x64' || process.arch === 'arm64' ? `node-linux-${process.arch}` : undefined;
}

/**
 * Path of the Node to use: the pinned one when it is installed, else the running one when it is new enough.
 *
 * @throws Error with a sentence for people when neither will do.
 */
export function findNode() {
  const name = pinnedPackage();
  const pinned = name && join(ROOT, 'node_modules', name, 'bin', 'node');
  if (pinned && existsSync(pinned)) return pinned;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return process.execPath;
  throw new Error(
    `Worldline needs Node ${OLDEST.join('.')} or newer and runs here under ${process.versions.node}.\n` +
      `On Linux (x64, arm64) "npm ci" brings Node ${PINNED} along; elsewhere install it from https://nodejs.org and try again.`,
  );
}
