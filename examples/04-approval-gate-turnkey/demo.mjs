// Three questions to a person: one yes, one no, one without an answer. A yes that comes too late changes nothing.
//
//   node examples/04-approval-gate-turnkey/demo.mjs
import { armOf, deadlineIn, runDemo } from '../demo-kit.mjs';

const SETTLED = 'pack.approval/AskSettled@1';

await runDemo(import.meta.url, async (demo) => {
  demo.say('A pipeline asks people before it deploys. There is no plan of its own in this world.');
  await demo.show('check');
  await demo.daemon();

  const ask = async (request_id, seconds) => {
    const context_ref = await demo.blob('notes.json', JSON.stringify({ release: request_id, changes: 12 }));
    const deadline_ns = deadlineIn(seconds);
    await demo.send(
      'pack.approval/Ask@1',
      { request_id, subject: `deploy ${request_id}`, requester: 'pipeline', context_ref, deadline_ns },
      request_id,
    );
  };
  /** Intents of the open questions, by subject. */
  const pending = async () => {
    const { approvals } = await demo.ask('approvals', 'ls');
    return new Map(approvals.map(({ subject, intent_hash }) => [subject, intent_hash]));
  };

  await ask('web-14', 600);
  await ask('billing-3', 600);
  const questions = await demo.until('two questions', async () => {
    const found = await pending();
    return found.size === 2 ? found : undefined;
  });
  demo.say('Two people decide, each with a reason.');
  await demo.ask('approvals', 'decide', questions.get('deploy web-14'), 'approve', '--rationale', 'all green');
  await demo.ask('approvals', 'decide', questions.get('deploy billing-3'), 'deny', '--rationale', 'not on a Friday');

  demo.say('Nobody looks at search-7 in time.');
  await ask('search-7', 2);
  const results = new Map((await demo.settled(SETTLED, 3)).map((event) => [event.request_id, event.result]));
  const expected = { 'web-14': 'Approved', 'billing-3': 'Denied', 'search-7': 'TimedOut' };
  for (const [id, arm] of Object.entries(expected)) {
    const result = results.get(id);
    const { approver, rationale } = result[arm] ?? {};
    demo.check(armOf(result) === arm, `${id}: ${arm}${rationale === undefined ? '' : `, "${rationale}"`}`);
    if (arm !== 'TimedOut') demo.check(typeof approver === 'string', `${id}: who said it is on record`);
  }

  demo.say('The question about search-7 is taken back: nobody can say yes to it any more.');
  await demo.until('the question is withdrawn', async () => (await pending()).size === 0);
  const receipts = await demo.journal('effect_receipt');
  demo.check(
    receipts.some(({ record }) => record.disposition === 'late' && record.error?.code === 'approval.withdrawn'),
    'its receipt is late, with approval.withdrawn',
  );
  demo.check((await demo.raised(SETTLED)).length === 3, 'nothing was settled twice');
});
