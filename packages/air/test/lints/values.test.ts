import { type Authored, chain, op, ref } from '../fixtures.ts';
import {
  assign,
  child,
  corpus,
  end,
  got,
  heard,
  ID,
  joined,
  mends,
  raise,
  say,
  spawn,
  status,
  tag,
  timer,
  to,
  write,
} from './support.ts';

/** Corpus of the lints about what steps bind and who reads it. */

const one = { nat: 1 };
const n = ref('@plan.input.n');

corpus('RL013', 'info', {
  triggers: [
    ['an assign', { steps: [assign('a', 'x', one), end()], edges: chain('a', 'done') }, 't/p@1 a /steps/0/bind/as'],
    ['an event', { steps: [heard('w'), end()], edges: chain('w', 'done') }, 't/p@1 w /steps/0/bind/as'],
    [
      'a receipt',
      { steps: [write('m'), got('m'), end()], edges: chain('m', 'm_got', 'done') },
      't/p@1 m_got /steps/1/bind/as',
    ],
    [
      'the outcome of a child',
      {
        steps: [spawn('k', 't/core_k@1'), joined('k'), end()],
        edges: chain('k', 'k_done', 'done'),
        more: [child('t/core_k@1', [end()])],
      },
      't/p@1 k_done /steps/1/bind/as',
    ],
    [
      'one of two, whose name is part of the other',
      { steps: [assign('a', 'x', one), assign('b', 'x.y', ref('@var:x')), end()], edges: chain('a', 'b', 'done') },
      't/p@1 b /steps/1/bind/as',
    ],
  ],
  spares: [
    ['read by a slot', { steps: [assign('a', 'x', ID), say('s', { Failed: ref('@var:x') })], edges: chain('a', 's') }],
    [
      'read by a guard',
      { steps: [assign('a', 'x', n), end()], edges: [to('a', 'done', op('eq', ref('@var:x'), one))] },
    ],
    [
      'read by an invariant',
      { steps: [assign('a', 'x', n), end()], edges: chain('a', 'done'), invariants: [op('gt', ref('@var:x'), one)] },
    ],
    [
      'read by a where',
      {
        steps: [
          assign('a', 'x', ID),
          heard('w', op('eq', ref('@event.request_id'), ref('@var:x'))),
          say('s', { Failed: ref('@var:w_e.kind') }),
        ],
        edges: chain('a', 'w', 's'),
      },
    ],
    [
      'read by the id of its step',
      { steps: [assign('a', 'x', ID), say('s', { Failed: ref('@step:a') })], edges: chain('a', 's') },
    ],
    ['a handle', { steps: [write('m'), end()], edges: chain('m', 'done') }],
  ],
});

const fork = (invariant: Authored) => ({
  steps: [assign('s', 'v', n), assign('a', 'x', one), end('left'), end('right')],
  edges: [to('s', 'a', op('eq', n, one)), to('a', 'left'), to('s', 'right', op('ne', n, one))],
  invariants: [invariant],
});

corpus('RL014', 'warning', {
  triggers: [
    ['a variable of one branch', fork(op('gt', ref('@var:x'), one)), 't/p@1 - /invariants/0/args/0'],
    ['a step of one branch', fork(op('gt', ref('@step:a'), one)), 't/p@1 - /invariants/0/args/0'],
    [
      'a variable of one branch beside one of both',
      fork(op('gt', ref('@var:v'), ref('@var:x'))),
      't/p@1 - /invariants/0/args/1',
    ],
    [
      'a receipt that a deadline may overtake',
      {
        steps: [write('m'), got('m'), heard('w'), end('left'), end('right')],
        edges: [to('m', 'm_got'), to('m_got', 'left'), to('w', 'right')],
        invariants: [status('m_r')],
      },
      't/p@1 - /invariants/0/args/0',
    ],
    ['the end of one branch', fork(op('eq', ref('@step:left'), ref('@step:left'))), 't/p@1 - /invariants/0/args/0'],
  ],
  spares: [
    ['a variable that all ends follow', fork(op('gt', ref('@var:v'), one))],
    ['the input', fork(op('gt', n, one))],
    [
      'a variable that each branch binds',
      {
        steps: [assign('s', 'v', n), assign('a', 'x', one), assign('b', 'x', { nat: 2 }), end('left'), end('right')],
        edges: [to('s', 'a', op('eq', n, one)), to('a', 'left'), to('s', 'b', op('ne', n, one)), to('b', 'right')],
        invariants: [op('gt', ref('@var:x'), one)],
      },
    ],
    [
      'a plan with one end',
      { steps: [assign('a', 'x', n), end()], edges: chain('a', 'done'), invariants: [op('gt', ref('@var:x'), one)] },
    ],
    [
      'the correlation id',
      {
        ...fork(op('ne', ref('@var:correlation_id'), { text: '' })),
        triggers: [{ event: 't/In@1', plan: 't/p@1', correlate_by: 'request_id' }],
      },
    ],
    [
      'the result of the only end',
      { output: 't/Nothing@1', steps: [end('done', 1)], invariants: [op('gt', ref('@step:done'), { nat: 0 })] },
    ],
  ],
});

const kid = child('t/core_k@1', [end()]);
const all = { id: 'all', op: 'await_plans_all', handles: ref('@var:each_c'), bind: { results_as: 'all_o' } };
const each = {
  id: 'each',
  op: 'spawn_for_each',
  plan: 't/core_k@1',
  inputs: { list: [ref('@plan.input')] },
  bind: { handles_as: 'each_c' },
};

corpus('RL018', 'warning', {
  triggers: [
    [
      'a child that nobody awaits',
      { steps: [spawn('k', 't/core_k@1'), end()], more: [kid] },
      't/p@1 k /steps/0/bind/handle_as',
    ],
    ['children that nobody awaits', { steps: [each, end()], more: [kid] }, 't/p@1 each /steps/0/bind/handles_as'],
    [
      'an outcome that nobody reads',
      { steps: [spawn('k', 't/core_k@1'), joined('k'), end()], edges: chain('k', 'k_done', 'done'), more: [kid] },
      't/p@1 k_done /steps/1',
    ],
    [
      'only the value is read',
      {
        steps: [spawn('k', 't/core_k@1'), joined('k'), say('s', ref('@var:k_o.$value'))],
        edges: chain('k', 'k_done', 's'),
        more: [child('t/core_k@1', [end('done', { Done: null })], [], { output: 't/Out@1' })],
      },
      't/p@1 k_done /steps/1',
    ],
    [
      'only an invariant reads the tag',
      {
        steps: [spawn('k', 't/core_k@1'), joined('k'), end()],
        edges: chain('k', 'k_done', 'done'),
        invariants: [tag('@var:k_o', 'Ok')],
        more: [kid],
      },
      't/p@1 k_done /steps/1',
    ],
    [
      'outcomes that nobody reads',
      { steps: [each, all, end()], edges: chain('each', 'all', 'done'), more: [kid] },
      't/p@1 all /steps/1',
    ],
  ],
  spares: [
    [
      'a guard reads the tag',
      {
        steps: [spawn('k', 't/core_k@1'), joined('k'), end()],
        edges: [to('k', 'k_done'), to('k_done', 'done', tag('@var:k_o', 'Ok'))],
        more: [kid],
      },
    ],
    [
      'a slot reads the tag',
      {
        steps: [spawn('k', 't/core_k@1'), joined('k'), say('s', { Failed: ref('@var:k_o.$tag') })],
        edges: chain('k', 'k_done', 's'),
        more: [kid],
      },
    ],
    [
      'by the id of the step',
      {
        steps: [spawn('k', 't/core_k@1'), joined('k'), end()],
        edges: [to('k', 'k_done'), to('k_done', 'done', tag('@step:k_done', 'Ok'))],
        more: [kid],
      },
    ],
    [
      'the outcomes are counted',
      {
        steps: [each, all, end()],
        edges: [to('each', 'all'), to('all', 'done', op('gt', op('len', ref('@var:all_o')), one))],
        more: [kid],
      },
    ],
    [
      'a list of handles is awaited',
      {
        steps: [
          spawn('k', 't/core_k@1'),
          spawn('l', 't/core_k@1'),
          { ...all, handles: { list: [ref('@var:k_c'), ref('@var:l_c')] } },
          end(),
        ],
        edges: [to('all', 'done', op('gt', op('len', ref('@var:all_o')), one))],
        more: [kid],
      },
    ],
    ['no child', { steps: [end()] }],
  ],
});

corpus('RL020', 'warning', {
  triggers: [
    [
      'a step beside',
      { steps: [assign('a', 'x', n), say('s', { TimedOut: ref('@var:x') })] },
      't/p@1 s /steps/1/value/record/result/variant/value',
    ],
    [
      'by the id of the step',
      { steps: [assign('a', 'x', n), assign('b', 'z', ref('@step:a'))] },
      't/p@1 b /steps/1/expr',
    ],
    [
      'a step that comes later',
      { steps: [assign('b', 'z', ref('@var:x')), assign('a', 'x', n)], edges: chain('b', 'a') },
      't/p@1 b /steps/0/expr',
    ],
    [
      'a guard',
      {
        steps: [assign('a', 'x', n), assign('s', 'v', one), end()],
        edges: [to('s', 'done', op('eq', ref('@var:x'), one))],
      },
      't/p@1 done /edges/0/when/args/0',
    ],
    [
      'a where',
      { steps: [assign('a', 'x', ID), heard('w', op('eq', ref('@event.request_id'), ref('@var:x')))] },
      't/p@1 w /steps/1/where/args/1',
    ],
    [
      'a variable that only its own step binds',
      { steps: [assign('a', 'x', op('add', ref('@var:x'), one))], locals: { x: 't/Nothing@1' } },
      't/p@1 a /steps/0/expr/args/0',
    ],
  ],
  spares: [
    ['a step before', { steps: [assign('a', 'x', n), assign('b', 'z', ref('@var:x'))], edges: chain('a', 'b') }],
    [
      'some steps before',
      { steps: [assign('a', 'x', n), say('s'), assign('b', 'z', ref('@var:x'))], edges: chain('a', 's', 'b') },
    ],
    [
      'one of two branches before',
      {
        steps: [assign('s', 'v', n), assign('a', 'x', one), assign('b', 'z', ref('@var:x'))],
        edges: [to('s', 'a', op('eq', n, one)), to('a', 'b'), to('s', 'b')],
      },
    ],
    ['a handle, by its data edge', { steps: [write('m'), got('m'), end()] }],
    [
      'the correlation id',
      {
        steps: [assign('b', 'z', ref('@var:correlation_id'))],
        triggers: [{ event: 't/In@1', plan: 't/p@1', correlate_by: 'request_id' }],
      },
    ],
    ['a local that a start binds', { steps: [assign('b', 'z', ref('@var:x'))], locals: { x: 't/Nothing@1' } }],
    [
      'the source of a guarded edge',
      { steps: [assign('a', 'x', n), end()], edges: [to('a', 'done', op('eq', ref('@var:x'), one))] },
    ],
    ['the input', { steps: [raise('s', 't/Small@1', { ask: ID, note: ID })] }],
  ],
});

mends('RL020', [
  ['no edge is there yet', { steps: [assign('a', 'x', n), assign('b', 'z', ref('@var:x'))] }, 'add'],
  [
    'an edge is there',
    { steps: [write('m'), got('m'), say('s', { TimedOut: ref('@var:m_r.y') })], edges: chain('m', 'm_got') },
    'append',
  ],
  [
    'two read it',
    {
      steps: [assign('a', 'x', n), assign('b', 'z', ref('@var:x')), assign('c', 'v', ref('@var:x')), end()],
      edges: chain('b', 'done'),
    },
    'append',
    'append',
  ],
  [
    'what it reads comes later',
    { steps: [assign('b', 'z', ref('@var:x')), assign('a', 'x', n)], edges: chain('b', 'a') },
    '-',
  ],
  ['two may bind it', { steps: [assign('a', 'x', n), assign('c', 'x', one), assign('b', 'z', ref('@var:x'))] }, '-'],
  [
    'what it reads may be skipped',
    {
      steps: [assign('s', 'v', one), assign('a', 'x', n), assign('b', 'z', ref('@var:x'))],
      edges: [to('s', 'a', op('eq', n, one))],
    },
    '-',
  ],
  [
    'who reads it may be skipped',
    {
      steps: [assign('s', 'v', one), assign('a', 'x', n), assign('b', 'z', ref('@var:x'))],
      edges: [to('s', 'b', op('eq', n, one))],
    },
    '-',
  ],
  [
    'a start may bind it',
    { steps: [assign('a', 'x', n), assign('b', 'z', ref('@var:x'))], locals: { x: 't/Nothing@1' } },
    '-',
  ],
  [
    'a deadline would be joined with what it races',
    {
      steps: [write('m'), got('m'), timer('t'), got('t'), say('s', { TimedOut: ref('@var:t_r.delivered_at_ns') })],
      edges: chain('m_got', 's'),
    },
    '-',
  ],
]);
