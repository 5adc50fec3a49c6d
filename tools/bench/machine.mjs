// Where a number was measured.
import { spawnSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { ROOT } from '../node.mjs';

export function machine() {
  const processors = cpus();
  return {
    node: process.versions.node,
    processors: processors.length,
    processor: processors[0]?.model ?? 'unknown',
    memory_gib: Math.round(totalmem() / 1024 ** 3),
    platform: `${process.platform} ${process.arch}`,
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
  };
}

/** Short name of the commit, with a plus when files differ from it; null outside a clone. */
function commit() {
  const git = (...args) => spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
  const name = git('rev-parse', '--short', 'HEAD');
  if (name.status !== 0) return null;
  return `${name.stdout.trim()}${git('status', '--porcelain').stdout.trim() === '' ? '' : '+'}`;
}

export function machineLine({ node, processors, processor, memory_gib, platform, date, commit }) {
  return `Node ${node}, ${processors} × ${processor}, ${memory_gib} GiB, ${platform}, ${date}, commit ${commit ?? 'unknown'}`;
}
