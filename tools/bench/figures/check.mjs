import { performance } from 'node:perf_hooks';
import { loadAuthored } from '@worldline/air';
import { useNativeSha256 } from '@worldline/host';
import { authoredWorld } from '../authored-world.mjs';
import { processUs, threadUs } from '../cpu-time.mjs';
import { floor, median, percentile } from '../statistics.mjs';

/** This thread's time, or that of all of them where Node does not know it. */
const cpuUs = () => threadUs() ?? processUs();

/**
 * What `worldline check` does with the texts of a folder: reading them, every rule, types, canonical bytes and hashes
 * (`loadAuthored`), in a process that has done it before. A plan has at most 512 steps, so one of 1 000 has the finding
 * `plan.too_large`, beside which all of it is checked; the same steps in two plans are a valid world.
 */
export async function check(bench) {
  useNativeSha256();
  const small = authoredWorld({ plans: 1, steps: 100 });
  const taken = [];
  for (let n = 0; n < bench.pick({ full: 200, quick: 60, check: 100 }); n++) {
    if (n % 5 === 0) bench.cpu.sample();
    const began = performance.now();
    loadAuthored(small);
    taken.push((performance.now() - began) * 1000);
  }
  return [
    {
      id: 'check_100',
      what: 'check of a plan of 100 steps',
      value: median(taken) / 1000,
      unit: 'ms',
      note: `median of ${taken.length}, fastest tenth ${(floor(taken) / 1000).toFixed(1)} ms`,
      gate: bench.cpu.gate(taken),
    },
    ...bench.pick({ full: bounded(15), quick: bounded(5), check: [] }),
    ...growth(bench),
  ];
}

function expectFindings(files, codes) {
  const loaded = loadAuthored(files);
  const found = loaded.ok ? loaded.value.warnings : loaded.failure;
  if (found.map(({ code }) => code).join() !== codes.join())
    throw new Error(`expected the findings [${codes}], got ${JSON.stringify(found.slice(0, 3))}`);
}

function bounded(count) {
  const row = (id, what, size, codes, max) => {
    const files = authoredWorld(size);
    expectFindings(files, codes);
    const [wall, cpu] = [[], []];
    for (let n = 0; n < count; n++) {
      const [began, us] = [performance.now(), cpuUs()];
      loadAuthored(files);
      wall.push(performance.now() - began);
      cpu.push((cpuUs() - us) / 1000);
    }
    const kib = Math.round(files.reduce((sum, { text }) => sum + text.length, 0) / 1024);
    return {
      id,
      what,
      value: median(wall),
      unit: 'ms',
      bound: { max },
      note: `median of ${count}, p95 ${percentile(wall, 0.95).toFixed(0)} ms; processor time of the thread ${median(cpu).toFixed(0)} ms, fastest tenth ${floor(cpu).toFixed(0)}; ${kib} KiB of JSON`,
    };
  };
  return [
    row('check_1000', 'check of a plan of 1000 steps', { plans: 1, steps: 1_000 }, ['plan.too_large'], 50),
    row('check_2x500', 'check of 2 plans of 500 steps', { plans: 2, steps: 500 }, [], 50),
    row('check_200x30', 'check of 200 plans of 30 steps', { plans: 200, steps: 30 }, [], 500),
  ];
}

/** Processor time per step of plans of 100, 1 000 and 10 000 steps, in turns. */
function growth(bench) {
  const sizes = bench.pick({ full: [100, 1_000, 10_000], quick: [100, 1_000, 10_000], check: [100, 1_000] });
  const worlds = sizes.map((steps) => authoredWorld({ plans: 1, steps }));
  const rounds = bench.pick({ full: 10, quick: 4, check: 10 });
  const perStep = sizes.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [which, files] of worlds.entries()) {
      // Many small ones count as one stretch: the clock of a thread's processor time moves in ticks of 4 ms.
      const times = Math.max(1, 1_000 / sizes[which]);
      const us = cpuUs();
      for (let n = 0; n < times; n++) loadAuthored(files);
      perStep[which].push((cpuUs() - us) / times / sizes[which]);
    }
  }
  const [of100, ...larger] = perStep.map(floor);
  return larger.map((us, n) => ({
    id: `check_growth_${sizes[n + 1]}`,
    what: `check of a step of ${sizes[n + 1]} against one of 100`,
    value: us / of100,
    unit: '×',
    note: `${us.toFixed(0)} to ${of100.toFixed(0)} µs of processor time, fastest tenth of ${rounds} rounds in turns`,
    ...(sizes[n + 1] === 1_000 ? { gate: { value: us / of100, unit: '×', better: 'lower' } } : {}),
  }));
}
