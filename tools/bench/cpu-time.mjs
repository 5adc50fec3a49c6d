// Processor time, which a busy neighbour does not lengthen as it does the wall clock.
import { performance } from 'node:perf_hooks';

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

/** What part of a processor this thread gets when it asks for all of one; 1 on a machine with nothing else to do. */
export function processorShare() {
  const [began, us] = [performance.now(), processUs()];
  while (performance.now() - began < 300);
  return (processUs() - us) / 1000 / (performance.now() - began);
}
