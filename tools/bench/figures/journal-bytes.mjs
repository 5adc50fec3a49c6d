/**
 * Bytes of the journal per step: bodies of the batches of runs of ten steps, start and end included, divided by ten.
 * Counted, not timed.
 */
export async function journalBytes(bench) {
  const live = await bench.live();
  const runs = bench.pick({ full: 100, quick: 20, check: 20 });
  let [bodies, chains, objects] = [0, 0, 0];
  const stop = live.world.onBatch(({ batch, objects: made }) => {
    if (batch.index?.snapshot !== undefined) return;
    bodies += batch.body.length;
    chains += batch.chain.length;
    for (const { bytes } of made) objects += bytes.length;
  });
  for (let i = 0; i < runs; i++) await live.run('bench/ten_steps@1');
  stop();
  const perStep = bodies / (runs * 10);
  return [
    {
      id: 'journal_bytes',
      what: 'journal bytes per step',
      value: perStep,
      unit: 'bytes',
      bound: { max: 1200 },
      note: `${runs} runs of ten steps; beside it ${Math.round(chains / runs / 10)} bytes of chain values and ${Math.round(objects / runs / 10)} of objects`,
      gate: { value: perStep, unit: 'bytes', better: 'lower', isCounted: true },
    },
  ];
}
