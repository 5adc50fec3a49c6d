// A desk has samples examined by a lab, each world with a plan of its own around those of the pack.
//
//   node examples/07-request-response-core/demo.mjs
import { armOf, runWorlds, SECOND_NS } from '../demo-kit.mjs';

const RECEIVED = 'desk/SampleReceived@1';
const CLOSED = 'desk/SampleClosed@1';
const HANDLED = 'lab/RequestHandled@1';

await runWorlds(import.meta.url, ['desk', 'lab'], async ({ desk, lab }) => {
  desk.say('A desk takes samples in; a lab on the same machine examines them.');
  await desk.show('check');
  await lab.show('check');
  await desk.daemon();

  const sample_ref = await desk.blob('sample.json', '{"sample":"water"}');
  const submit = (sample_id, test, seconds) =>
    desk.send(RECEIVED, { sample_id, test, sample_ref, within_ns: seconds * SECOND_NS }, sample_id);
  const verdict = async (id) => {
    const closed = await desk.until(`${id} is closed`, async () =>
      (await desk.raised(CLOSED)).find(({ sample_id }) => sample_id === id),
    );
    return closed.verdict;
  };

  desk.say('The lab has never run: there is no world yet that a message could be left for.');
  await submit('early', 'purity', 2);
  const early = armOf(await verdict('early'));
  desk.check(early === 'Unanswered', `early: ${early}`);

  await lab.daemon();
  desk.say('Now it runs. It knows one test.');
  await submit('water', 'purity', 600);
  await submit('wine', 'age', 600);
  const [water, wine] = [await verdict('water'), await verdict('wine')];
  desk.check(armOf(water) === 'Examined', `water: ${armOf(water)}`);
  desk.check(JSON.stringify(water).includes(sample_ref), 'the report about water is the one that the lab sent');
  desk.check(JSON.stringify(wine).includes('topic_unknown'), `wine: ${armOf(wine)} (topic_unknown)`);

  await desk.kill();
  desk.say('kill -9 of the desk. The lab goes on; what it answers waits in the inbox of the desk.');
  await desk.daemon();
  await submit('oil', 'purity', 600);
  await desk.kill();
  const handled = await lab.until('the lab has handled three requests', async () => {
    const events = await lab.raised(HANDLED);
    return events.length >= 3 ? events : undefined;
  });
  lab.check(
    handled.every(({ outcome }) => ['Answered', 'Refused'].includes(armOf(outcome))),
    'every answer was sent, also while the desk was down',
  );
  await desk.daemon();
  const oil = await verdict('oil');
  desk.check(armOf(oil) === 'Examined', `oil: ${armOf(oil)}`);
  desk.check((await desk.raised(CLOSED)).length === 4, 'four samples, four verdicts');
});
