// Four prices, each not later than a deadline: one comes in time, one does not, one has nobody to give it, one may not be
// asked for.
//
//   node examples/02-deadline-race-turnkey/demo.mjs
import { armOf, deadlineIn, runDemo } from '../demo-kit.mjs';

const REQUEST = 'pack.deadline/FetchRequest@1';
const SETTLED = 'pack.deadline/FetchSettled@1';

await runDemo(import.meta.url, async (demo) => {
  demo.say('The shop asks a supplier for prices. There is no plan of its own in this world.');
  await demo.show('check');
  const supplier = await demo.service('service.mjs');
  await demo.daemon();

  const ask = (request_id, url, seconds) =>
    demo.send(
      REQUEST,
      { request_id, method: 'GET', url, headers: {}, body_ref: null, deadline_ns: deadlineIn(seconds) },
      request_id,
    );
  await ask('lamp', `${supplier}/prices/lamp`, 600);
  await ask('chair', `${supplier}/prices/chair`, 3);
  await ask('nobody', 'http://127.0.0.1:9/prices/lamp', 600);
  await ask('elsewhere', 'http://127.0.0.1.example.net/prices/lamp', 600);

  demo.say('The supplier holds its answer about the chair back until the deadline has passed.');
  const settled = new Map((await demo.settled(SETTLED, 4)).map((event) => [event.request_id, event.result]));
  const expected = { lamp: 'Done', chair: 'TimedOut', nobody: 'Failed', elsewhere: 'Failed' };
  for (const [id, arm] of Object.entries(expected)) {
    const result = settled.get(id);
    const { stage, code } = result[arm]?.$value ?? result.$value ?? result[arm] ?? {};
    const why = arm === 'Failed' ? ` (${stage}: ${code})` : '';
    demo.check(armOf(result) === arm, `${id}: ${armOf(result)}${why}`);
  }

  await fetch(`${supplier}/release`, { method: 'POST' });
  demo.say('Now the supplier answers. It is too late, and that is on record:');
  const late = await demo.until('the late answer', async () => {
    const receipts = await demo.journal('effect_receipt');
    return receipts.find(({ record }) => record.disposition === 'late' && record.adapter_id === 'host.http');
  });
  demo.check(late.record.status === 'ok', 'the receipt of the chair has disposition late');
  demo.check((await demo.raised(SETTLED)).length === 4, 'nothing was settled twice');
});
