/**
 * Bytes of the journal per step: the body of the one batch that a sequential step costs, a receipt that leads to the next
 * intent (`journal.md` §3). Beside it what a run of ten steps costs as a whole, start and end included. Counted, not timed.
 */
export async function journalBytes(bench) {
  const live = await bench.live();
  const runs = bench.pick({ full: 100, quick: 20, check: 20 });
  let [steps, stepBodies, bodies, chains, objects] = [0, 0, 0, 0, 0];
  const stop = live.world.onBatch(({ batch, objects: made }) => {
    if (batch.index?.snapshot !== undefined) return;
    bodies += batch.body.length;
    if (batch.settled.length === 1 && batch.emitted.length === 1) {
      steps++;
      stepBodies += batch.body.length;
    }
    chains += batch.chain.length;
    for (const { bytes } of made) objects += bytes.length;
  });
  for (let i = 0; i < runs; i++) await live.run('bench/ten_steps@1');
  stop();
  const perStep = stepBodies / steps;
  return [
    {
      id: 'journal_bytes',
      what: 'journal bytes per step',
      value: perStep,
      unit: 'bytes',
      bound: { max: 1200 },
      note: `${steps} steps; a whole run of ten, start and end included: ${Math.round(bodies / runs / 10)} a step, beside it ${Math.round(chains / runs / 10)} bytes of chain values and ${Math.round(objects / runs / 10)} of objects`,
      gate: { value: perStep, unit: 'bytes', better: 'lower', isCounted: true },
    },
  ];
}
