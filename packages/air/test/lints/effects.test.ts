import { chain, op, ref } from '../fixtures.ts';
import {
  ask,
  assign,
  child,
  corpus,
  DEADLINE,
  emit,
  end,
  got,
  heard,
  ID,
  joined,
  key,
  raise,
  say,
  send,
  spawn,
  status,
  tag,
  timer,
  to,
  web,
  write,
} from './support.ts';

/** Corpus of the lints about effects and their receipts. */

const keyless = (id: string) => {
  const { idempotency_key: _, ...step } = write(id);
  return step;
};

const blobRef = `sha256:${'0'.repeat(64)}`;

corpus('RL003', 'warning', {
  triggers: [
    ["an effect of one's own", { steps: [keyless('m'), end()] }, 't/p@1 m /steps/0'],
    ['a POST', { steps: [web('m', 'POST'), end()] }, 't/p@1 m /steps/0'],
    ['a method from the input', { steps: [web('m', ref('@plan.input.url')), end()] }, 't/p@1 m /steps/0'],
    [
      'a method from a variable that holds GET',
      { steps: [assign('a', 'x', { text: 'GET' }), web('m', ref('@var:x')), end()], edges: chain('a', 'm', 'done') },
      't/p@1 m /steps/1',
    ],
    [
      'blob.put',
      { steps: [emit('m', 'blob.put', 'blob', { blob_ref: blobRef, bytes: '' }), end()] },
      't/p@1 m /steps/0',
    ],
    ['two writes, of which one has a key', { steps: [write('m'), keyless('n'), end()] }, 't/p@1 n /steps/1'],
  ],
  spares: [
    ['a key', { steps: [write('m'), end()] }],
    ['GET', { steps: [web('m', 'GET'), end()] }],
    ['methods that read, in any case', { steps: [web('m', 'head'), web('n', 'Options'), end()] }],
    ['a timer, an approval and a message', { steps: [timer('m'), ask('n'), send('o'), end()] }],
    ['blob.get', { steps: [emit('m', 'blob.get', 'blob', { blob_ref: blobRef }), end()] }],
    ['introspection', { steps: [emit('m', 'introspect.journal_head', 'look', {}), end()] }],
    ['a POST with a key', { steps: [web('m', 'POST', { idempotency_key: key('m') }), end()] }],
  ],
});

const y = ref('@var:m_r.y');

corpus('RL004', 'warning', {
  triggers: [
    [
      'a slot behind an unguarded edge',
      { steps: [write('m'), got('m'), assign('a', 'x', y)], edges: chain('m', 'm_got', 'a') },
      't/p@1 a /steps/2/expr',
    ],
    [
      'a guard that looks at the payload only',
      { steps: [write('m'), got('m'), end()], edges: [to('m', 'm_got'), to('m_got', 'done', op('eq', y, { nat: 1 }))] },
      't/p@1 done /edges/1/when/args/0',
    ],
    [
      'the branch of the failure',
      {
        steps: [write('m'), got('m'), assign('a', 'x', y)],
        edges: [to('m', 'm_got'), to('m_got', 'a', status('m_r', 'ok', 'ne'))],
      },
      't/p@1 a /steps/2/expr',
    ],
    [
      'the status is looked at after the payload',
      {
        steps: [write('m'), got('m'), end()],
        edges: [to('m', 'm_got'), to('m_got', 'done', op('and', op('eq', y, { nat: 1 }), status('m_r')))],
      },
      't/p@1 done /edges/1/when/args/0/args/0',
    ],
    [
      'one of two ways to the step proves it',
      {
        steps: [write('m'), got('m'), assign('b', 'z', { nat: 1 }), assign('a', 'x', y)],
        edges: [to('m', 'm_got'), to('m_got', 'a', status('m_r')), to('m_got', 'b'), to('b', 'a')],
      },
      't/p@1 a /steps/3/expr',
    ],
  ],
  spares: [
    [
      'a guarded slot',
      {
        steps: [write('m'), got('m'), assign('a', 'x', y)],
        edges: [to('m', 'm_got'), to('m_got', 'a', status('m_r'))],
      },
    ],
    [
      'a guard that looks at the status first',
      {
        steps: [write('m'), got('m'), end()],
        edges: [to('m', 'm_got'), to('m_got', 'done', op('and', status('m_r'), op('eq', y, { nat: 1 })))],
      },
    ],
    [
      'or of a failure',
      {
        steps: [write('m'), got('m'), end()],
        edges: [to('m', 'm_got'), to('m_got', 'done', op('or', status('m_r', 'ok', 'ne'), op('eq', y, { nat: 1 })))],
      },
    ],
    [
      'only $status is read',
      { steps: [write('m'), got('m'), assign('a', 'x', ref('@var:m_r.$status'))], edges: chain('m', 'm_got', 'a') },
    ],
    [
      'the proof is some steps before',
      {
        steps: [write('m'), got('m'), assign('b', 'z', { nat: 1 }), assign('a', 'x', y)],
        edges: [to('m', 'm_got'), to('m_got', 'b', status('m_r')), to('b', 'a')],
      },
    ],
  ],
});

const literal = { literal: 's3cret' };
const secret = { secret: { alias: 't/key', version: 1 } };

corpus('RL005', 'warning', {
  triggers: [
    ['a text', { steps: [write('m', { params: { x: 'x', token: literal } })] }, 't/p@1 m /steps/0/params/record/token'],
    [
      'bytes',
      { steps: [write('m', { params: { x: 'x', bin: { literal: '' } } })] },
      't/p@1 m /steps/0/params/record/bin',
    ],
    [
      'beside an expression',
      { steps: [write('m', { params: { x: ID, token: literal } })] },
      't/p@1 m /steps/0/params/record/token',
    ],
    [
      'an expression as the literal',
      { steps: [write('m', { params: { x: 'x', token: { literal: ID } } })] },
      't/p@1 m /steps/0/params/record/token',
    ],
    [
      'in a list, once for each',
      { steps: [write('m', { params: { x: ID, list: [secret, literal, literal] } })] },
      't/p@1 m /steps/0/params/record/list/list/1',
      't/p@1 m /steps/0/params/record/list/list/2',
    ],
  ],
  spares: [
    ['a reference to a secret', { steps: [write('m', { params: { x: 'x', token: secret } })] }],
    ['no token', { steps: [write('m')] }],
    ['a text elsewhere', { steps: [write('m', { params: { x: 'literal' } })] }],
    ['null', { steps: [write('m', { params: { x: 'x', token: null, bin: null } })] }],
    ['a list of references', { steps: [write('m', { params: { x: ID, list: [secret, secret] } })] }],
    ['an arm of another variant', { steps: [say('s', { Failed: 'literal' })] }],
  ],
});

const approved = op('eq', ref('@var:a_r.decision'), { text: 'approved' });
const asked = [ask('a'), got('a'), end()];

corpus('RL006', 'warning', {
  triggers: [
    ['no guard at all', { steps: asked, edges: chain('a', 'a_got', 'done') }, 't/p@1 a /steps/0'],
    [
      'only the status is looked at',
      { steps: asked, edges: [to('a', 'a_got'), to('a_got', 'done', status('a_r'))] },
      't/p@1 a /steps/0',
    ],
    [
      'another field is looked at',
      {
        steps: asked,
        edges: [
          to('a', 'a_got'),
          to('a_got', 'done', op('and', status('a_r'), op('eq', ref('@var:a_r.approver'), { text: 'me' }))),
        ],
      },
      't/p@1 a /steps/0',
    ],
    [
      'the decision is only passed on',
      {
        steps: [...asked, say('s', { Failed: ref('@var:a_r.decision') })],
        edges: [to('a', 'a_got'), to('a_got', 's', status('a_r')), to('s', 'done')],
      },
      't/p@1 a /steps/0',
    ],
    [
      'what an assign has made of its status',
      {
        steps: [...asked, assign('s', 'fine', status('a_r')), end('no')],
        edges: [
          to('a', 'a_got'),
          to('a_got', 's'),
          to('s', 'done', ref('@var:fine')),
          to('s', 'no', op('not', ref('@var:fine'))),
        ],
      },
      't/p@1 a /steps/0',
    ],
    [
      'the decision of another approval is looked at',
      {
        steps: [ask('a'), got('a'), ask('b'), got('b'), end()],
        edges: [
          to('a', 'a_got'),
          to('a_got', 'b', op('and', status('a_r'), approved)),
          to('b', 'b_got'),
          to('b_got', 'done'),
        ],
      },
      't/p@1 b /steps/2',
    ],
  ],
  spares: [
    [
      'a guard right behind it',
      { steps: asked, edges: [to('a', 'a_got'), to('a_got', 'done', op('and', status('a_r'), approved))] },
    ],
    [
      'a guard some steps behind',
      {
        steps: [...asked, assign('s', 'x', { nat: 1 })],
        edges: [to('a', 'a_got'), to('a_got', 's', status('a_r')), to('s', 'done', approved)],
      },
    ],
    [
      'a guard against a denial',
      {
        steps: asked,
        edges: [
          to('a', 'a_got'),
          to(
            'a_got',
            'done',
            op('or', status('a_r', 'ok', 'ne'), op('ne', ref('@var:a_r.decision'), { text: 'approved' })),
          ),
        ],
      },
    ],
    [
      'the decision by get',
      {
        steps: asked,
        edges: [
          to('a', 'a_got'),
          to(
            'a_got',
            'done',
            op('and', status('a_r'), op('eq', op('get', ref('@var:a_r'), { text: 'decision' }), { text: 'approved' })),
          ),
        ],
      },
    ],
    [
      'the decision of the step',
      {
        steps: asked,
        edges: [
          to('a', 'a_got'),
          to('a_got', 'done', op('and', status('a_r'), op('eq', ref('@step:a_got.decision'), { text: 'approved' }))),
        ],
      },
    ],
    [
      'what an assign has made of it',
      {
        steps: [...asked, assign('s', 'fine', op('and', status('a_r'), approved)), end('no')],
        edges: [
          to('a', 'a_got'),
          to('a_got', 's'),
          to('s', 'done', ref('@var:fine')),
          to('s', 'no', op('not', ref('@var:fine'))),
        ],
      },
    ],
    ['an approval that nobody awaits', { steps: [ask('a'), end()] }],
    ['another effect', { steps: [write('m'), got('m'), end()], edges: chain('m', 'm_got', 'done') }],
  ],
});

const asks = [write('m'), got('m'), end()];

corpus('RL008', 'warning', {
  triggers: [
    ['nothing looks at the receipt', { steps: asks, edges: chain('m', 'm_got', 'done') }, 't/p@1 m_got /steps/1'],
    [
      'only the payload is read',
      { steps: [write('m'), got('m'), assign('a', 'x', y)], edges: chain('m', 'm_got', 'a') },
      't/p@1 m_got /steps/1',
    ],
    [
      'only the adapter is read',
      { steps: [write('m'), got('m'), assign('a', 'x', ref('@var:m_r.$adapter_id'))], edges: chain('m', 'm_got', 'a') },
      't/p@1 m_got /steps/1',
    ],
    [
      'the status of another receipt is read',
      {
        steps: [write('m'), got('m'), write('n'), got('n'), end()],
        edges: [to('m', 'm_got'), to('n', 'n_got'), to('n_got', 'done', status('n_r'))],
      },
      't/p@1 m_got /steps/1',
    ],
    [
      'a timer',
      { steps: [timer('arm'), got('arm'), end()], edges: chain('arm', 'arm_got', 'done') },
      't/p@1 arm_got /steps/1',
    ],
  ],
  spares: [
    ['a guard reads $status', { steps: asks, edges: [to('m', 'm_got'), to('m_got', 'done', status('m_r'))] }],
    [
      'a slot reads $status',
      { steps: [write('m'), got('m'), assign('a', 'x', ref('@var:m_r.$status'))], edges: chain('m', 'm_got', 'a') },
    ],
    [
      'a slot reads $error',
      {
        steps: [write('m'), got('m'), assign('a', 'x', ref('@var:m_r.$error.code'))],
        edges: [to('m', 'm_got'), to('m_got', 'a')],
      },
    ],
    ['an invariant reads it', { steps: asks, edges: chain('m', 'm_got', 'done'), invariants: [status('m_r')] }],
    [
      'by the id of the step',
      {
        steps: asks,
        edges: [to('m', 'm_got'), to('m_got', 'done', op('eq', ref('@step:m_got.$status'), { text: 'ok' }))],
      },
    ],
    ['an event has no status', { steps: [heard('w'), end()], edges: chain('w', 'done') }],
  ],
});

corpus('RL012', 'info', {
  triggers: [
    ['an effect without an await', { steps: [write('m'), end()] }, 't/p@1 m /steps/0/bind/effect_id_as'],
    [
      'one of two',
      { steps: [write('m'), write('n'), got('n'), end()], edges: chain('n', 'n_got', 'done') },
      't/p@1 m /steps/0/bind/effect_id_as',
    ],
    ['a timer', { steps: [timer('arm'), end()] }, 't/p@1 arm /steps/0/bind/effect_id_as'],
    ['a message', { steps: [send('m'), end()] }, 't/p@1 m /steps/0/bind/effect_id_as'],
    [
      'what is sent is read all the same',
      { steps: [write('m'), assign('a', 'x', ref('@step:m.intent_hash')), end()], edges: chain('m', 'a', 'done') },
      't/p@1 m /steps/0/bind/effect_id_as',
    ],
  ],
  spares: [
    ['awaited', { steps: asks, edges: chain('m', 'm_got', 'done') }],
    ['awaited without an edge', { steps: asks }],
    [
      'awaited much later',
      { steps: [write('m'), heard('w'), got('m'), end()], edges: chain('m', 'w', 'm_got', 'done') },
    ],
    ['awaited behind a guard', { steps: asks, edges: [to('m', 'm_got', op('gt', ref('@plan.input.n'), { nat: 1 }))] }],
    ['no effect at all', { steps: [say('s'), end()], edges: chain('s', 'done') }],
  ],
});

const timedOut = { TimedOut: ref('@plan.input.deadline_ns') };
const arm = [timer('arm', DEADLINE), got('arm')];
const OUT = { output: 't/Out@1' };

corpus('RL016', 'warning', {
  triggers: [
    [
      'the end behind a deadline has another arm',
      { ...OUT, steps: [...arm, end('done', { Done: null })], edges: chain('arm', 'arm_got', 'done') },
      't/p@1 done /steps/2',
    ],
    [
      'the end behind a deadline has no result',
      { steps: [timer('arm', { text: 'deadline:x' }), got('arm'), end()], edges: chain('arm', 'arm_got', 'done') },
      't/p@1 done /steps/2',
    ],
    [
      'the event that says it is not on the way to the end',
      {
        steps: [...arm, say('s', timedOut), end()],
        edges: [to('arm', 'arm_got'), to('arm_got', 's'), to('arm_got', 'done')],
      },
      't/p@1 done /steps/3',
    ],
    [
      'an end says it without a timer',
      { ...OUT, steps: [heard('w'), end('done', timedOut)], edges: chain('w', 'done') },
      't/p@1 done /steps/1/result',
    ],
    [
      'an event says it without a timer',
      { steps: [say('s', { TimedOut: 1 }), end()], edges: chain('s', 'done') },
      't/p@1 s /steps/0/value',
    ],
    [
      'a constant that is meant to be relative',
      { steps: [timer('arm', { text: 'delay:x' }, 60_000_000_000)] },
      't/p@1 arm /steps/0/params/record/deliver_at_ns',
    ],
    [
      'the largest such constant beside an expression',
      { steps: [timer('arm', op('concat', { text: 'delay:' }, ID), 999_999_999_999_999)] },
      't/p@1 arm /steps/0/params/record/deliver_at_ns',
    ],
  ],
  spares: [
    [
      'the end says it',
      {
        ...OUT,
        steps: [...arm, end('done', timedOut)],
        edges: [to('arm', 'arm_got'), to('arm_got', 'done', status('arm_r'))],
      },
    ],
    [
      'an event says it on the way',
      { steps: [...arm, say('s', timedOut), end()], edges: chain('arm', 'arm_got', 's', 'done') },
    ],
    [
      'an end for a timer that failed',
      {
        ...OUT,
        steps: [...arm, end('done', { Failed: 'timer' })],
        edges: [to('arm', 'arm_got'), to('arm_got', 'done', status('arm_r', 'ok', 'ne'))],
      },
    ],
    [
      'a timer that is no deadline',
      {
        steps: [timer('arm', op('concat', { text: 'delay:' }, ID)), got('arm'), end()],
        edges: chain('arm', 'arm_got', 'done'),
      },
    ],
    [
      'zero asks for the clock, and a real time is one',
      { steps: [timer('arm', { text: 'clock:x' }, 0), timer('late', { text: 'delay:x' }, 1_000_000_000_000_000)] },
    ],
    [
      "a child's deadline",
      {
        steps: [spawn('k', 't/core_k@1'), joined('k'), say('s', { TimedOut: 1 }), end()],
        edges: [
          to('k', 'k_done'),
          to('k_done', 's', op('and', tag('@var:k_o', 'Ok'), tag('@var:k_o.$value', 'TimedOut'))),
          to('s', 'done'),
        ],
        more: [child('t/core_k@1', [...arm, end('done', timedOut)], chain('arm', 'arm_got', 'done'), OUT)],
      },
    ],
  ],
});

const constantKey = op('hash', { record: { op: { text: 'p.m' } } });

corpus('RL017', 'warning', {
  triggers: [
    [
      'a hash of constants',
      { steps: [write('m', { idempotency_key: constantKey })] },
      't/p@1 m /steps/0/idempotency_key',
    ],
    ['a hash', { steps: [write('m', { idempotency_key: blobRef })] }, 't/p@1 m /steps/0/idempotency_key'],
    [
      'a hash of a text',
      { steps: [write('m', { idempotency_key: op('hash', { text: 'once' }) })] },
      't/p@1 m /steps/0/idempotency_key',
    ],
    [
      'a GET with one',
      { steps: [web('m', 'GET', { idempotency_key: constantKey })] },
      't/p@1 m /steps/0/idempotency_key',
    ],
    [
      'one of two',
      { steps: [write('m'), write('n', { idempotency_key: constantKey })] },
      't/p@1 n /steps/1/idempotency_key',
    ],
  ],
  spares: [
    ['the id of the request', { steps: [write('m')] }],
    ['no key', { steps: [web('m', 'GET')] }],
    ['the id alone', { steps: [write('m', { idempotency_key: op('hash', ID) })] }],
    [
      'a variable',
      { steps: [assign('a', 'x', key('m')), write('m', { idempotency_key: ref('@var:x') })], edges: chain('a', 'm') },
    ],
    [
      'the receipt of another step',
      {
        steps: [write('m'), got('m'), write('n', { idempotency_key: op('hash', ref('@step:m.intent_hash')) })],
        edges: chain('m', 'm_got', 'n'),
      },
    ],
    ['no effect', { steps: [raise('s', 't/Small@1', { ask: 'a', note: 'b' })] }],
  ],
});
