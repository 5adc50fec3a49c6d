// Three deployments behind one gate: approved, denied, and not answered. Only what somebody said yes to reaches the cluster,
// and it is the very bytes that this person was shown.
//
//   node examples/05-approval-gate-core/demo.mjs
import { armOf, runDemo, SECOND_NS } from '../demo-kit.mjs';

const SETTLED = 'deploy/DeploySettled@1';

await runDemo(import.meta.url, async (demo) => {
  demo.say('Deployments wait for a person. The plan that deploys asks first, in a child, and goes on.');
  await demo.show('check');
  const url = await demo.service('service.mjs');
  await demo.daemon();

  const request = async (build, seconds) => {
    const manifest_ref = await demo.blob('manifest.json', JSON.stringify({ build, replicas: 3 }));
    await demo.send(
      'deploy/ApprovalGateRequested@1',
      {
        request_id: build,
        build,
        requester: 'pipeline',
        manifest_ref,
        url: `${url}/deployments/${build}`,
        within_ns: seconds * SECOND_NS,
      },
      build,
    );
  };
  const deployed = async () => (await fetch(`${url}/deployments`)).json();

  await request('web-14', 600);
  await request('billing-3', 600);
  const questions = await demo.until('two questions', async () => {
    const { approvals } = await demo.ask('approvals', 'ls');
    return approvals.length === 2 ? new Map(approvals.map((one) => [one.subject, one])) : undefined;
  });
  demo.check((await deployed()).length === 0, 'nothing is deployed while people think');

  demo.say('The approver reads what would be posted, and decides.');
  const web = questions.get('deploy web-14').intent_hash;
  const shown = (await demo.ask('approvals', 'get', web)).context;
  demo.check(JSON.stringify(shown).includes('replicas'), 'the question shows the manifest that will be posted');
  await demo.ask('approvals', 'decide', web, 'approve');
  await demo.ask('approvals', 'decide', questions.get('deploy billing-3').intent_hash, 'deny');
  await request('search-7', 2);

  const outcomes = new Map((await demo.settled(SETTLED, 3)).map((event) => [event.request_id, event.outcome]));
  const expected = { 'web-14': 'Deployed', 'billing-3': 'Denied', 'search-7': 'NoAnswer' };
  for (const [id, arm] of Object.entries(expected)) demo.check(armOf(outcomes.get(id)) === arm, `${id}: ${arm}`);
  demo.check(
    JSON.stringify(await deployed()) ===
      JSON.stringify([{ build: 'web-14', manifest: { build: 'web-14', replicas: 3 } }]),
    'the cluster got web-14, once, with the bytes that were approved',
  );
});
