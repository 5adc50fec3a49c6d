import { askCore, askTurnkey, replyCore, replyTurnkey } from './fixture-reqresp.ts';
import { differs, type Fixture, HOUR_NS, MINUTE_NS } from './fixture-world.ts';

export { type Fixture, fixtureNodes, HOUR_NS, MINUTE_NS, type Stage, settledBy } from './fixture-world.ts';

/** What happens to the fixtures: an HTTP service and people, here; another world in `fixture-reqresp.ts`. */

const site = (path: string) => `http://127.0.0.1/${path}`;
const price = (id: string, deadline_ns: number, url = site(`prices/${id}`)) => ({
  request_id: id,
  method: 'GET',
  url,
  headers: {},
  body_ref: null,
  deadline_ns,
});

const FETCH = 'pack.deadline/FetchRequest@1';
const deadlineTurnkey: Fixture = {
  example: '02-deadline-race-turnkey',
  pack: 'deadline-race',
  core: 'pack.deadline/core_fetch_by_deadline@1',
  settled: 'pack.deadline/FetchSettled@1',
  member: 'result',
  idMember: 'request_id',
  neverHolds: differs('@step:arm.params.deliver_at_ns', '@plan.input.deadline_ns'),
  request: FETCH,
  requestOf: (id) => price(id, HOUR_NS),
  finish: (stage, id) => stage.disconnect(id),
  unable: (code) => ({ Failed: { stage: 'plan', code } }),
  script: [
    ['a slow one is asked for', (s) => s.send(FETCH, price('slow', MINUTE_NS))],
    ['a quick one is asked for', (s) => s.send(FETCH, price('quick', HOUR_NS))],
    ['and one more', (s) => s.send(FETCH, price('gone', HOUR_NS))],
    ['the last is answered first', (s) => s.answer('/gone', 404)],
    ['then the one before', (s) => s.answer('/quick', 200)],
    ['one at nobody', (s) => s.send(FETCH, price('nobody', HOUR_NS))],
    ['which cannot be reached', (s) => s.disconnect('/nobody')],
    [
      'one where the grant does not reach',
      (s) => s.send(FETCH, price('elsewhere', HOUR_NS, 'http://example.net/prices/x')),
    ],
    ['the deadline of the slow one', (s) => s.pass(MINUTE_NS)],
    ['its answer, too late', (s) => s.answer('/slow', 200)],
    ['the other deadlines, too late as well', (s) => s.pass(HOUR_NS)],
  ],
  outcomes: [
    ['gone', { Done: { status: 404 } }],
    ['quick', { Done: { status: 200 } }],
    ['nobody', { Failed: { stage: 'fetch', code: 'http.connect' } }],
    ['elsewhere', { Failed: { stage: 'plan', code: 'cap_denied' } }],
    ['slow', { TimedOut: { deadline_ns: MINUTE_NS } }],
  ],
};

const QUOTE = 'shop/FetchByDeadlineRequested@1';
const quote = (id: string, within_ns: number) => ({
  request_id: id,
  price_url: site(`prices/${id}`),
  order_url: site(`orders/${id}`),
  within_ns,
});
const deadlineCore: Fixture = {
  example: '03-deadline-race-core',
  pack: 'deadline-race',
  core: deadlineTurnkey.core,
  settled: 'shop/QuoteSettled@1',
  member: 'price',
  idMember: 'request_id',
  neverHolds: differs('@step:arm.params.deliver_at_ns', '@plan.input.deadline_ns'),
  request: QUOTE,
  requestOf: (id) => quote(id, HOUR_NS),
  finish: (stage, id) => stage.disconnect(id),
  unable: (because) => ({ List: { because } }),
  script: [
    ['a slow one is asked for', (s) => s.send(QUOTE, quote('slow', MINUTE_NS))],
    ['a quick one', (s) => s.send(QUOTE, quote('quick', HOUR_NS))],
    ['and one that the desk will not take', (s) => s.send(QUOTE, quote('unlucky', HOUR_NS))],
    ['the last has its price first', (s) => s.answer('/prices/unlucky', 200)],
    ['then the one before', (s) => s.answer('/prices/quick', 200)],
    ['the desk takes one down', (s) => s.answer('/orders/quick', 201)],
    ['and cannot be reached for the other', (s) => s.disconnect('/orders/unlucky')],
    ['an article without a price', (s) => s.send(QUOTE, quote('gone', HOUR_NS))],
    ['so the supplier says', (s) => s.answer('/prices/gone', 404)],
    ['one at nobody', (s) => s.send(QUOTE, quote('nobody', HOUR_NS))],
    ['which cannot be reached', (s) => s.disconnect('/prices/nobody')],
    ['the deadline of the slow one', (s) => s.pass(MINUTE_NS)],
    ['its price, too late', (s) => s.answer('/prices/slow', 200)],
    ['the other deadlines, too late as well', (s) => s.pass(HOUR_NS)],
  ],
  outcomes: [
    ['quick', { Supplier: {} }],
    ['unlucky', { Unrecorded: { code: 'http.connect' } }],
    ['gone', { List: { because: 'the supplier has no price' } }],
    ['nobody', { List: { because: 'http.connect' } }],
    ['slow', { List: { because: 'the supplier was too slow' } }],
  ],
};

/** Longer than a subject may be (`host.md` §5.6). */
const TOO_LONG = 'x'.repeat(513);

const ASK = 'pack.approval/Ask@1';
const ask = (id: string, deadline_ns: number, subject = `deploy ${id}`) => ({
  request_id: id,
  subject,
  requester: 'pipeline',
  context_ref: null,
  deadline_ns,
});
const approvalTurnkey: Fixture = {
  example: '04-approval-gate-turnkey',
  pack: 'approval-gate',
  core: 'pack.approval/core_approval_gate@1',
  settled: 'pack.approval/AskSettled@1',
  member: 'result',
  idMember: 'request_id',
  neverHolds: differs('@step:arm.params.deliver_at_ns', '@plan.input.deadline_ns'),
  request: ASK,
  requestOf: (id) => ask(id, HOUR_NS),
  finish: (stage, id) => stage.decide(`deploy ${id}`, 'denied'),
  unable: deadlineTurnkey.unable,
  script: [
    ['somebody will not answer this', (s) => s.send(ASK, ask('silence', MINUTE_NS))],
    ['a question', (s) => s.send(ASK, ask('good', HOUR_NS))],
    ['and another', (s) => s.send(ASK, ask('bad', HOUR_NS))],
    ['no to the last', (s) => s.decide('deploy bad', 'denied')],
    ['yes to the one before', (s) => s.decide('deploy good', 'approved')],
    ['one that nobody can be asked', (s) => s.send(ASK, ask('long', HOUR_NS, TOO_LONG))],
    ['the deadline of the first', (s) => s.pass(MINUTE_NS)],
    ['the other deadlines, too late', (s) => s.pass(HOUR_NS)],
  ],
  outcomes: [
    ['bad', { Denied: { approver: 'ann' } }],
    ['good', { Approved: { approver: 'ann' } }],
    ['long', { Failed: { stage: 'approval', code: 'approval.subject_too_long' } }],
    ['silence', { TimedOut: { deadline_ns: MINUTE_NS } }],
  ],
};

const DEPLOY = 'deploy/ApprovalGateRequested@1';
const deploy = (id: string, within_ns: number, build = id) => ({
  request_id: id,
  build,
  requester: 'pipeline',
  manifest_ref: null,
  url: site(`deployments/${id}`),
  within_ns,
});
const approvalCore: Fixture = {
  example: '05-approval-gate-core',
  pack: 'approval-gate',
  core: approvalTurnkey.core,
  settled: 'deploy/DeploySettled@1',
  member: 'outcome',
  idMember: 'request_id',
  neverHolds: differs('@step:arm.params.deliver_at_ns', '@plan.input.deadline_ns'),
  request: DEPLOY,
  requestOf: (id) => deploy(id, HOUR_NS),
  finish: (stage, id) => stage.decide(`deploy ${id}`, 'denied'),
  unable: (code) => ({ Failed: { code } }),
  script: [
    ['somebody will not answer this', (s) => s.send(DEPLOY, deploy('silence', MINUTE_NS))],
    ['a good build', (s) => s.send(DEPLOY, deploy('good', HOUR_NS))],
    ['a bad one', (s) => s.send(DEPLOY, deploy('bad', HOUR_NS))],
    ['and one that the cluster will not take', (s) => s.send(DEPLOY, deploy('unlucky', HOUR_NS))],
    ['yes to the last', (s) => s.decide('deploy unlucky', 'approved')],
    ['no to the bad one', (s) => s.decide('deploy bad', 'denied')],
    ['yes to the good one', (s) => s.decide('deploy good', 'approved')],
    ['it is deployed', (s) => s.answer('/deployments/good', 201)],
    ['the other cannot be', (s) => s.disconnect('/deployments/unlucky')],
    ['one that nobody can be asked', (s) => s.send(DEPLOY, deploy('long', HOUR_NS, TOO_LONG))],
    ['the deadline of the first', (s) => s.pass(MINUTE_NS)],
    ['the other deadlines, too late', (s) => s.pass(HOUR_NS)],
  ],
  outcomes: [
    ['bad', { Denied: { approver: 'ann' } }],
    ['good', { Deployed: { status: 201, approver: 'ann' } }],
    ['unlucky', { Failed: { code: 'http.connect' } }],
    ['long', { Failed: { code: 'approval.subject_too_long' } }],
    ['silence', { NoAnswer: null }],
  ],
};

/** Every fixture of `patterns.md` §7; two worlds for each profile of request and response. */
export const FIXTURES: readonly Fixture[] = [
  deadlineTurnkey,
  deadlineCore,
  approvalTurnkey,
  approvalCore,
  askTurnkey,
  replyTurnkey,
  askCore,
  replyCore,
];
