import { differs, type Fixture, HOUR_NS, MINUTE_NS } from './fixture-world.ts';

/** Both sides of request and response, each as a world of its own; what the other side says is an event from outside. */

const ASK = 'pack.reqresp/Ask@1';
const REQUEST = 'pack.reqresp/Request@1';
const RESPONSE = 'pack.reqresp/Response@1';
const BODY = `sha256:${'a'.repeat(64)}`;

const answered = (id: string, answer: object, from_world = 'lab') => ({ correlation_id: id, from_world, answer });
const ANSWER = { Answered: { body_ref: BODY } };
const NO = { Refused: { code: 'busy' } };

const ask = (id: string, deadline_ns: number, dest_world = 'lab') => ({
  correlation_id: id,
  dest_world,
  reply_world: 'desk',
  topic: 'purity',
  body_ref: BODY,
  deadline_ns,
});

export const askTurnkey: Fixture = {
  example: '06-request-response-turnkey/desk',
  pack: 'request-response',
  core: 'pack.reqresp/core_ask@1',
  settled: 'pack.reqresp/AskSettled@1',
  member: 'result',
  idMember: 'correlation_id',
  request: ASK,
  requestOf: (id) => ask(id, HOUR_NS),
  finish: (stage, id) => stage.refuse(id),
  neverHolds: differs('@step:arm.params.deliver_at_ns', '@plan.input.deadline_ns'),
  unable: (code) => ({ Failed: { stage: 'plan', code } }),
  script: [
    ['nobody will answer this', (s) => s.send(ASK, ask('silence', MINUTE_NS))],
    ['a question', (s) => s.send(ASK, ask('good', HOUR_NS))],
    ['and another', (s) => s.send(ASK, ask('busy', HOUR_NS))],
    ['the last is answered before anybody says that it was taken', (s) => s.send(RESPONSE, answered('busy', NO))],
    ['which is said too late', (s) => s.deliver('busy')],
    ['the one before is taken', (s) => s.deliver('good')],
    ['somebody else answers it', (s) => s.send(RESPONSE, answered('good', NO, 'other'))],
    ['the lab does', (s) => s.send(RESPONSE, answered('good', ANSWER))],
    ['and once more', (s) => s.send(RESPONSE, answered('good', NO))],
    ['one that is not taken', (s) => s.send(ASK, ask('lost', HOUR_NS))],
    ['says the lab', (s) => s.refuse('lost')],
    ['one where the grant does not reach', (s) => s.send(ASK, ask('elsewhere', HOUR_NS, 'elsewhere'))],
    ['the first was taken', (s) => s.deliver('silence')],
    ['its deadline', (s) => s.pass(MINUTE_NS)],
    ['its answer, too late', (s) => s.send(RESPONSE, answered('silence', ANSWER))],
    ['the other deadlines, too late as well', (s) => s.pass(HOUR_NS)],
  ],
  outcomes: [
    ['busy', { Settled: NO }],
    ['good', { Settled: ANSWER }],
    ['lost', { Failed: { stage: 'send', code: 'fabric.refused' } }],
    ['elsewhere', { Failed: { stage: 'plan', code: 'cap_denied' } }],
    ['silence', { TimedOut: { deadline_ns: MINUTE_NS } }],
  ],
};

const SAMPLE = 'desk/SampleReceived@1';
const sample = (id: string, within_ns: number) => ({ sample_id: id, test: 'purity', sample_ref: BODY, within_ns });

export const askCore: Fixture = {
  example: '07-request-response-core/desk',
  pack: 'request-response',
  core: askTurnkey.core,
  settled: 'desk/SampleClosed@1',
  member: 'verdict',
  idMember: 'sample_id',
  request: SAMPLE,
  requestOf: (id) => sample(id, HOUR_NS),
  finish: askTurnkey.finish,
  neverHolds: askTurnkey.neverHolds,
  unable: (code) => ({ Undelivered: { code } }),
  script: [
    ['nobody will examine this', (s) => s.send(SAMPLE, sample('silence', MINUTE_NS))],
    ['a sample', (s) => s.send(SAMPLE, sample('good', HOUR_NS))],
    ['and another', (s) => s.send(SAMPLE, sample('busy', HOUR_NS))],
    ['the last is answered first', (s) => s.send(RESPONSE, answered('busy', NO))],
    ['then the one before', (s) => s.send(RESPONSE, answered('good', ANSWER))],
    ['that both were taken is said too late', (s) => s.deliver('busy')],
    ['of both', (s) => s.deliver('good')],
    ['one that is not taken', (s) => s.send(SAMPLE, sample('lost', HOUR_NS))],
    ['says the lab', (s) => s.refuse('lost')],
    ['the first was taken', (s) => s.deliver('silence')],
    ['its deadline', (s) => s.pass(MINUTE_NS)],
    ['its answer, too late', (s) => s.send(RESPONSE, answered('silence', ANSWER))],
    ['the other deadlines, too late as well', (s) => s.pass(HOUR_NS)],
  ],
  outcomes: [
    ['busy', { Rejected: { code: 'busy' } }],
    ['good', { Examined: { report_ref: BODY } }],
    ['lost', { Undelivered: { code: 'fabric.refused' } }],
    ['silence', { Unanswered: {} }],
  ],
};

const request = (id: string, topic = 'purity') => ({
  correlation_id: id,
  to_world: 'lab',
  reply_world: 'desk',
  topic,
  body_ref: BODY,
});

export const replyTurnkey: Fixture = {
  example: '06-request-response-turnkey/lab',
  pack: 'request-response',
  core: 'pack.reqresp/core_reply@1',
  settled: 'pack.reqresp/ReplySettled@1',
  member: 'result',
  idMember: 'correlation_id',
  request: REQUEST,
  requestOf: (id) => request(id),
  finish: askTurnkey.finish,
  neverHolds: differs('@step:send.params.dest_world', '@plan.input.request.reply_world'),
  unable: askTurnkey.unable,
  script: [
    ['a request', (s) => s.send(REQUEST, request('good'))],
    ['and another', (s) => s.send(REQUEST, request('lost'))],
    ['the answer to the last is not taken', (s) => s.refuse('lost')],
    ['that to the one before is', (s) => s.deliver('good')],
  ],
  outcomes: [
    ['lost', { Failed: { stage: 'send', code: 'fabric.refused' } }],
    ['good', { Sent: null }],
  ],
};

export const replyCore: Fixture = {
  ...replyTurnkey,
  example: '07-request-response-core/lab',
  settled: 'lab/RequestHandled@1',
  member: 'outcome',
  unable: (code) => ({ Unsent: { code } }),
  script: [
    ['a request about something else', (s) => s.send(REQUEST, request('odd', 'weather'))],
    ...replyTurnkey.script,
    ['the refusal is taken', (s) => s.deliver('odd')],
  ],
  outcomes: [
    ['lost', { Unsent: { code: 'fabric.refused' } }],
    ['good', { Answered: null }],
    ['odd', { Refused: null }],
  ],
};
