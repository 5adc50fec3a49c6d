import { chain, op, ref } from '../fixtures.ts';
import {
  assign,
  child,
  corpus,
  end,
  got,
  heard,
  ID,
  joined,
  say,
  spawn,
  status,
  tag,
  timer,
  to,
  write,
} from './support.ts';

/** Corpus of the lints about guards. */

const n = ref('@plan.input.n');
const ends = [end('a'), end('b'), end('c')];
const root = assign('s', 'v', { nat: 1 });
const asked = [write('m'), got('m'), ...ends];

/** One step, and the guards behind it. */
function fork(...guards: readonly unknown[]) {
  return { steps: [root, ...ends], edges: guards.map((guard, index) => to('s', ends[index].id, guard)) };
}

function reply(...guards: readonly unknown[]) {
  return {
    steps: asked,
    edges: [to('m', 'm_got'), ...guards.map((guard, index) => to('m_got', ends[index].id, guard))],
  };
}

const is = (number: number) => op('eq', n, { nat: number });

/** The guards behind the result of a child whose result is itself a variant. */
function outcome(...guards: readonly unknown[]) {
  const exits = guards.map((_, index) => end(`e${index}`));
  return {
    steps: [spawn('k', 't/core_k@1'), joined('k'), ...exits],
    edges: [to('k', 'k_done'), ...guards.map((guard, index) => to('k_done', `e${index}`, guard))],
    more: [child('t/core_k@1', [end('done', { Done: null })], [], { output: 't/Out@1' })],
  };
}

const result = (arm: string, inner?: string) =>
  inner === undefined ? tag('@var:k_o', arm) : op('and', tag('@var:k_o', arm), tag('@var:k_o.$value', inner));

corpus('RL009', 'warning', {
  triggers: [
    ['one guard', fork(is(1)), 't/p@1 s /steps/0'],
    ['only ok is followed', reply(status('m_r')), 't/p@1 m_got /steps/1'],
    ['ok and error, and no timeout', reply(status('m_r'), status('m_r', 'error')), 't/p@1 m_got /steps/1'],
    ['two constants', fork(is(1), is(2)), 't/p@1 s /steps/0'],
    ['a gap between two comparisons', fork(op('lt', n, { nat: 5 }), op('gt', n, { nat: 5 })), 't/p@1 s /steps/0'],
    ['an arm is left out', fork(tag('@plan.input.pay', 'Done'), tag('@plan.input.pay', 'Failed')), 't/p@1 s /steps/0'],
    [
      'an arm inside an arm is left out',
      outcome(result('Ok', 'Done'), result('Ok', 'Failed'), result('Error'), result('Canceled')),
      't/p@1 k_done /steps/1',
    ],
    [
      'every arm inside an arm, and another arm is left out',
      outcome(result('Ok', 'Done'), result('Ok', 'Failed'), result('Ok', 'TimedOut'), result('Error')),
      't/p@1 k_done /steps/1',
    ],
    ['not of an or', fork(op('or', is(1), is(2)), op('not', op('or', is(1), is(3)))), 't/p@1 s /steps/0'],
    [
      'more atoms than anybody tries',
      fork(
        op('or', ...Array.from({ length: 11 }, (_, index) => is(index))),
        op('and', ...Array.from({ length: 11 }, (_, index) => op('ne', n, { nat: index }))),
      ),
      't/p@1 s /steps/0',
    ],
    [
      'the wait beside it leads to an end that needs the step',
      { steps: [root, heard('w'), end('a')], edges: [to('s', 'a', is(1)), to('w', 'a')] },
      't/p@1 s /steps/0',
    ],
  ],
  spares: [
    ['eq and ne', fork(is(1), op('ne', n, { nat: 1 }))],
    ['ok, error and timeout', reply(status('m_r'), status('m_r', 'error'), status('m_r', 'timeout'))],
    ['lt and ge', fork(op('lt', n, { nat: 5 }), op('ge', n, { nat: 5 }))],
    ['le and gt, written from both sides', fork(op('le', n, { nat: 5 }), op('lt', { nat: 5 }, n))],
    ['less, equal and greater', fork(op('lt', n, { nat: 5 }), is(5), op('gt', n, { nat: 5 }))],
    [
      'every arm',
      fork(tag('@plan.input.pay', 'Done'), tag('@plan.input.pay', 'Failed'), tag('@plan.input.pay', 'TimedOut')),
    ],
    [
      'every arm inside an arm',
      outcome(
        result('Ok', 'Done'),
        result('Ok', 'Failed'),
        result('Ok', 'TimedOut'),
        result('Error'),
        result('Canceled'),
      ),
    ],
    ['one arm inside an arm, and not that one', outcome(result('Ok', 'Done'), op('not', result('Ok', 'Done')))],
    ['one arm, and not that arm', fork(tag('@plan.input.pay', 'Done'), tag('@plan.input.pay', 'Done', 'ne'))],
    ['an edge without a guard', { steps: [root, ...ends], edges: [to('s', 'a', is(1)), to('s', 'b')] }],
    [
      'a nested decision',
      reply(
        op('and', status('m_r'), is(1)),
        op('and', status('m_r'), op('ne', n, { nat: 1 })),
        status('m_r', 'ok', 'ne'),
      ),
    ],
    ['the opposite of an and', fork(op('and', is(1), is(2)), op('not', op('and', is(1), is(2))))],
    [
      'has and eq null',
      {
        steps: [write('m'), got('m'), ...ends],
        edges: [
          to('m', 'm_got'),
          to('m_got', 'a', op('eq', ref('@var:m_r.$error'), { null: {} })),
          to('m_got', 'b', op('ne', ref('@var:m_r.$error'), { null: {} })),
        ],
      },
    ],
    [
      'what is known at the step counts',
      {
        steps: [write('m'), got('m'), root, ...ends],
        edges: [
          to('m', 'm_got'),
          to('m_got', 'c', status('m_r', 'ok', 'ne')),
          to('m_got', 's', status('m_r')),
          to('s', 'a', status('m_r')),
        ],
      },
    ],
    [
      'a wait beside it leads to an end of its own',
      {
        steps: [root, heard('w'), end('a'), end('b')],
        edges: [to('s', 'a', is(1)), to('w', 'b')],
      },
    ],
    ['an end needs none', { steps: [end('a')] }],
  ],
});

const never = op('eq', { nat: 1 }, { nat: 2 });

corpus('RL011', 'warning', {
  triggers: [
    ['behind an end', { steps: [end('a'), say('s')], edges: chain('a', 's') }, 't/p@1 s /steps/1'],
    [
      'a guard of constants that is false',
      { steps: [root, end('a')], edges: [to('s', 'a', never)] },
      't/p@1 a /steps/1',
    ],
    [
      'a conjunct that is false',
      { steps: [root, end('a')], edges: [to('s', 'a', op('and', is(1), never))] },
      't/p@1 a /steps/1',
    ],
    [
      'a status that the branch excludes',
      {
        steps: [write('m'), got('m'), root, end('a')],
        edges: [to('m', 'm_got'), to('m_got', 's', status('m_r')), to('s', 'a', status('m_r', 'ok', 'ne'))],
      },
      't/p@1 a /steps/3',
    ],
    [
      'ok in the branch of the failure',
      {
        steps: [write('m'), got('m'), root, end('a')],
        edges: [to('m', 'm_got'), to('m_got', 's', status('m_r', 'timeout')), to('s', 'a', status('m_r'))],
      },
      't/p@1 a /steps/3',
    ],
    [
      'a tag that the branch excludes',
      {
        steps: [root, assign('t', 'w', { nat: 1 }), end('a')],
        edges: [to('s', 't', tag('@plan.input.pay', 'Done')), to('t', 'a', tag('@plan.input.pay', 'Failed'))],
      },
      't/p@1 a /steps/2',
    ],
    [
      'not the tag of the branch',
      {
        steps: [root, assign('t', 'w', { nat: 1 }), end('a')],
        edges: [to('s', 't', tag('@plan.input.pay', 'Done')), to('t', 'a', tag('@plan.input.pay', 'Done', 'ne'))],
      },
      't/p@1 a /steps/2',
    ],
    [
      'what follows a step that never runs',
      { steps: [end('a'), say('s'), end('b')], edges: chain('a', 's', 'b') },
      't/p@1 s /steps/1',
      't/p@1 b /steps/2',
    ],
    [
      'every one of several edges',
      { steps: [end('a'), root, end('b')], edges: [to('a', 'b'), to('s', 'b', never)] },
      't/p@1 b /steps/2',
    ],
  ],
  spares: [
    ['a root', { steps: [end('a')] }],
    ['a guard that depends', { steps: [root, end('a')], edges: [to('s', 'a', is(1))] }],
    ['an or with a false part', { steps: [root, end('a')], edges: [to('s', 'a', op('or', is(1), never))] }],
    ['one way of two', { steps: [end('a'), root, end('b')], edges: [to('a', 'b'), to('s', 'b')] }],
    [
      'the same status again',
      {
        steps: [write('m'), got('m'), root, end('a')],
        edges: [to('m', 'm_got'), to('m_got', 's', status('m_r')), to('s', 'a', status('m_r'))],
      },
    ],
    [
      'one of the failures in the branch of all',
      {
        steps: [write('m'), got('m'), root, end('a')],
        edges: [to('m', 'm_got'), to('m_got', 's', status('m_r', 'ok', 'ne')), to('s', 'a', status('m_r', 'timeout'))],
      },
    ],
    [
      'ok is not a timeout',
      {
        steps: [write('m'), got('m'), root, end('a')],
        edges: [to('m', 'm_got'), to('m_got', 's', status('m_r')), to('s', 'a', status('m_r', 'timeout', 'ne'))],
      },
    ],
    [
      'another variant of the same type',
      {
        steps: [spawn('k', 't/core_k@1'), joined('k'), root, end('a')],
        edges: [
          to('k', 'k_done'),
          to('k_done', 's', tag('@var:k_o', 'Ok')),
          to('s', 'a', tag('@plan.input.pay', 'Failed')),
        ],
        more: [child('t/core_k@1', [end()])],
      },
    ],
    [
      'a timer beside',
      {
        steps: [timer('arm'), got('arm'), heard('w', op('eq', ref('@event.request_id'), ID)), end('a')],
        edges: [to('w', 'a'), to('arm_got', 'a')],
      },
    ],
  ],
});
