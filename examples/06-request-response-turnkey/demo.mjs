// A desk asks a lab, in two processes. The lab is killed and comes back; questions wait for it, or for their deadline.
//
//   node examples/06-request-response-turnkey/demo.mjs
import { armOf, deadlineIn, runWorlds } from '../demo-kit.mjs';

const ASK = 'pack.reqresp/Ask@1';
const REQUEST = 'pack.reqresp/Request@1';
const RESPONSE = 'pack.reqresp/Response@1';
const SETTLED = 'pack.reqresp/AskSettled@1';

await runWorlds(import.meta.url, ['desk', 'lab'], async ({ desk, lab }) => {
  desk.say('Two worlds on one machine. Neither has a plan of its own.');
  await desk.show('check');
  await lab.show('check');
  await desk.daemon();
  await lab.daemon();

  const sample = await desk.blob('sample.json', '{"sample":"water"}');
  const ask = (correlation_id, dest_world, seconds) => {
    const value = { correlation_id, dest_world, reply_world: 'desk', topic: 'purity', body_ref: sample };
    return desk.send(ASK, { ...value, deadline_ns: deadlineIn(seconds) }, correlation_id);
  };
  const outcome = async (id) => {
    const settled = await desk.until(`${id} is settled`, async () =>
      (await desk.raised(SETTLED)).find(({ correlation_id }) => correlation_id === id),
    );
    return armOf(settled.result);
  };

  desk.say('The desk asks, and the lab answers.');
  await ask('water', 'lab', 600);
  desk.check((await outcome('water')) === 'Settled', 'water: Settled');

  await lab.kill();
  desk.say('kill -9 of the lab. The desk goes on asking: one question can wait, one cannot.');
  await ask('oil', 'lab', 600);
  await ask('milk', 'lab', 1);
  desk.check((await outcome('milk')) === 'TimedOut', 'milk: TimedOut');
  await ask('air', 'elsewhere', 600);
  desk.check((await outcome('air')) === 'Failed', 'air: Failed, no grant covers the world elsewhere');

  await lab.daemon();
  desk.say('The lab is back, and finds both messages in its inbox.');
  desk.check((await outcome('oil')) === 'Settled', 'oil: Settled');
  const answers = await desk.until('the late answer', async () => {
    const events = (await desk.journal('domain_event')).filter(({ record }) => record.schema === RESPONSE);
    return events.length === 3 ? events : undefined;
  });
  desk.check(answers.length === 3, 'the answer about milk has come too, after its deadline');
  desk.check((await desk.raised(SETTLED)).length === 4, 'four questions, four outcomes: nothing was settled twice');
  const requests = (await lab.journal('domain_event')).filter(({ record }) => record.schema === REQUEST);
  const asked = new Set(requests.map(({ record }) => record.value.correlation_id));
  lab.check(requests.length === 3 && asked.size === 3, 'three requests came in, each once');
  lab.check(
    requests.every(({ record }) => record.ingress_id.startsWith('fabric:desk/')),
    'every one of them from desk',
  );
});
