import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeadWorker, workerId } from '@worldline/host';

/** Begins the name of every folder that a gate keeps a store in while it runs. */
const PREFIX = 'worldline-gates-';
/** Says in such a folder whose it is, in the words of a lease. */
const OWNER = 'owner';
/** What ends a process that does not listen. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Scratch {
  /** Absolute. */
  readonly dir: string;
  /** Removes the folder. */
  remove(): void;
}

/**
 * A folder of this process, for as long as it is needed: it goes with `remove`, and with the process when a signal ends that.
 *
 * @param beforeRemoval - Ends whatever writes into the folder; also called from a signal, so it may not wait.
 */
export async function makeScratch(beforeRemoval: () => void): Promise<Scratch> {
  const owner = await workerId();
  const dir = mkdtempSync(join(tmpdir(), PREFIX));
  const remove = () => {
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
    beforeRemoval();
    // What has just been killed may have made one more file.
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  };
  const onSignal = (signal: NodeJS.Signals) => {
    // Who else listens makes an end in their own way, and comes by `remove`.
    if (process.listenerCount(signal) > 1) return;
    remove();
    process.kill(process.pid, signal);
  };
  // In front: a listener for one signal only does not count any more once it has been called.
  for (const signal of SIGNALS) process.prependListener(signal, onSignal);
  writeFileSync(join(dir, OWNER), owner);
  return { dir, remove };
}

/**
 * Removes what processes left that were killed without a word. Folders of processes that live, of other machines and of
 * other users stay.
 */
export async function removeStaleScratch(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const dir = join(tmpdir(), name);
    try {
      if (await isDeadWorker(readFileSync(join(dir, OWNER), 'utf8'))) rmSync(dir, { recursive: true, force: true });
    } catch (error) {
      // Without an owner it is being made just now; of others it is not ours to look into; or somebody was faster.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    }
  }
}
