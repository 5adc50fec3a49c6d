import { unwrap } from '@worldline/canon';
import { expect, test } from 'vitest';
import { type HostReport, Redactor } from '../src/index.ts';
import { Bench, fakeAdapter, job, okOutcome, recordingLog, until } from './bench-world.ts';

/** What a host tells beside the journal (`host.md` §3.2, §9). */

test('log lines and attempts reach whoever watches, as long as somebody does, and without a secret (§6.4)', async () => {
  const redactor = new Redactor();
  redactor.remember('t/key', new TextEncoder().encode('sesame-open'));
  const log = recordingLog();
  const adapter = fakeAdapter(async (_, ctx) => {
    ctx.log.debug('for developers');
    ctx.log.info('with sesame-open', { by: ['sesame-open'] });
    return okOutcome();
  });
  const bench = await Bench.create();
  const world = await bench.open({ adapters: [adapter], redactor, log });
  const told: HostReport[] = [];
  const run = async (id: string) => {
    unwrap(await world.startPlan({ plan: 't/call_plan@1', input: job(id) }));
    await until(async () => (await bench.done()).includes(id));
  };
  await run('before');
  const stop = world.onReport((report) => told.push(report));
  await run('watched');
  stop();
  await run('after');
  const emissionSeq = (await bench.records()).filter(({ record }) => record.record_kind === 'effect_intent')[1]!.seq;
  expect(told).toEqual([
    { event: 'dispatch', emissionSeq, kind: 't.call', attempt: 1 },
    {
      event: 'log',
      level: 'info',
      message: 'with «redacted:t/key»',
      fields: { by: ['«redacted:t/key»'] },
    },
  ]);
  // The log has every line, whoever watches.
  expect(log.lines.filter((line) => line.includes('«redacted:t/key»'))).toHaveLength(3);
  expect(log.lines.filter((line) => line.includes('for developers'))).toHaveLength(3);
  await world.close();
});
