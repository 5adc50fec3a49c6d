import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../node.mjs';
import { node, worldline } from '../run-command.mjs';
import { floor, median, percentile } from '../statistics.mjs';

/**
 * `worldline check` from its start to its end, on the example and on a world that `init` has just made, in turns with a
 * Node that does nothing: wall clock, and processor time of all threads.
 */
export async function start(bench) {
  const count = bench.pick({ full: 30, quick: 10, check: 12 });
  const fresh = bench.folder('fresh');
  await worldline('init', fresh);
  const example = bench.folder('example');
  // Without the state that a run in the example's own folder leaves.
  for (const part of ['air', 'worldline.json', 'worldline.host.json'])
    cpSync(join(ROOT, 'examples', '01-release-gate', part), join(example, part), { recursive: true });
  const runs = {
    bare: () => node('-e', '0'),
    fresh: () => worldline('check', '--world', fresh),
    example: () => worldline('check', '--world', example),
  };
  const taken = { bare: [], fresh: [], example: [] };
  for (const [name, run] of Object.entries(runs)) if (name !== 'bare') await run();
  for (let n = 0; n < count; n++) for (const [name, run] of Object.entries(runs)) taken[name].push(await run());

  const ms = (name) => taken[name].map((one) => one.ms);
  const cpu = (name) => taken[name].map((one) => one.cpuUs);
  const row = (id, name, what) => ({
    id,
    what: `worldline check, ${what}`,
    value: median(ms(name)),
    unit: 'ms',
    bound: { max: 200 },
    note: `median of ${count}, p90 ${percentile(ms(name), 0.9).toFixed(0)} ms; a Node that does nothing ${median(ms('bare')).toFixed(0)} ms, so ${(median(ms(name)) / median(ms('bare'))).toFixed(2)} ×`,
    gate: { value: floor(cpu(name)) / floor(cpu('bare')), unit: 'starts of Node', better: 'lower' },
  });
  return [
    row('start_check', 'fresh', 'a world that init made, from start to end'),
    row('start_check_example', 'example', 'the example, from start to end'),
  ];
}
