// Makes a fresh clone ready: installs what package-lock.json names, and does nothing when that is already there.
// Needs nothing but Node (18 or newer) and npm. Safe to call before every command and from two terminals at once.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { exclusively } from './lock.mjs';
import { findNode, PINNED, pinnedPackage, ROOT } from './node.mjs';

/** Packages of a lockfile by their place in the tree; undefined when the file is missing or unreadable. */
function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/**
 * Why node_modules is not what the lockfile says, or undefined when it is.
 *
 * npm writes node_modules/.package-lock.json as the last thing of an install, so an interrupted one is noticed too.
 * Contents are compared, not times: git gives every file of a clone the time of the clone.
 *
 * @param root - Folder with package-lock.json.
 * @param needed - Optional package that this machine cannot do without: the pinned Node.
 */
export function whyStale(root, needed) {
  const wanted = readPackages(join(root, 'package-lock.json'));
  if (!wanted)
    throw new Error('package-lock.json is missing or is not JSON: restore it with "git checkout package-lock.json".');
  const present = readPackages(join(root, 'node_modules', '.package-lock.json'));
  if (!present) return existsSync(join(root, 'node_modules')) ? 'an earlier install did not finish' : 'first run';
  for (const [place, entry] of Object.entries(wanted)) {
    if (!place.includes('node_modules/')) continue;
    const found = present[place];
    if (!found) {
      // Optional packages are for other machines, except the Node of this one.
      if (entry.optional && place !== `node_modules/${needed}`) continue;
      if (entry.devOptional) continue;
      return `${place} is missing`;
    }
    if (found.version !== entry.version || found.integrity !== entry.integrity) return `${place} changed`;
  }
  for (const place of Object.keys(present)) {
    if (place.includes('node_modules/') && !wanted[place]) return `${place} is no longer wanted`;
  }
  return undefined;
}

/** Run npm as the one that started us, else the one on PATH. Its warnings about the Node it runs on are noise here. */
function npmCi() {
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const cli = process.env.npm_execpath;
  const [command, prefix] = cli && /npm-cli\.[cm]?js$/.test(cli) ? [process.execPath, [cli]] : ['npm', []];
  const options = { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'], shell: process.platform === 'win32' };
  const result = spawnSync(command, [...prefix, ...args], options);
  if (result.error) throw new Error(`npm did not start: ${result.error.message}`);
  return result.status ?? 1;
}

async function main() {
  const needed = pinnedPackage();
  if (whyStale(ROOT, needed) !== undefined) {
    const status = await exclusively(
      () => {
        const reason = whyStale(ROOT, needed);
        if (reason === undefined) return 0;
        const node = needed ? ` and Node ${PINNED}` : '';
        console.log(`set-up: installing the packages of package-lock.json${node} into node_modules (${reason}) …`);
        const started = Date.now();
        const code = npmCi();
        if (code === 0) console.log(`set-up: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
        else console.error('set-up: "npm ci" failed; its message is above. Is the package registry reachable?');
        return code;
      },
      (pid) => console.log(`set-up: waiting for process ${pid}, which is setting up this folder …`),
    );
    if (status !== 0) return status;
  }
  findNode();
  return 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(`set-up: ${error.message}`);
    process.exitCode = 1;
  }
}
