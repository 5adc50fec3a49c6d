// Processor time, which a busy neighbour does not lengthen as it does the wall clock.
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

/** Microseconds all threads of this process have computed: the store's, the collector's and the compiler's too. */
export function processUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/**
 * Microseconds this thread has computed; undefined where Node cannot tell (before 23.9). Linux moves this one in ticks
 * of up to 4 ms while the thread computes, so it serves for stretches of a second, not for one step.
 */
export function threadUs() {
  if (process.threadCpuUsage === undefined) return undefined;
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/**
 * What part of the machine this process gets when it asks for all of it, one thread per processor; 1 on a machine with
 * nothing else to do. One thread alone would not notice a neighbour on the other processor, which slows what a world does
 * in several threads.
 */
export async function machineShare() {
  const count = availableParallelism();
  // [0] how many threads are ready, [1] whether they run: 0 not yet, 1 run, 2 stop.
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const url = new URL('./busy-thread.mjs', import.meta.url);
  const threads = Array.from({ length: count - 1 }, () => new Worker(url, { workerData: shared }));
  while (Atomics.load(shared, 0) < threads.length) await setTimeout(5);
  const [began, us] = [performance.now(), processUs()];
  Atomics.store(shared, 1, 1);
  Atomics.notify(shared, 1);
  while (performance.now() - began < 500);
  const share = (processUs() - us) / 1000 / (performance.now() - began) / count;
  Atomics.store(shared, 1, 2);
  await Promise.all(threads.map((thread) => once(thread, 'exit')));
  return share;
}
