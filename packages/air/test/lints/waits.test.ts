import { chain, op, ref } from '../fixtures.ts';
import {
  ask,
  assign,
  corpus,
  DEADLINE,
  end,
  got,
  heard,
  ID,
  type LintWorldParts,
  say,
  send,
  status,
  timer,
  to,
  write,
} from './support.ts';

/** Corpus of the lints about waiting. */

const done = [end('done'), end('late')];

/** A wait that races a timer; the timer's branch ends in `late` unless the case says otherwise. */
function race(wait: unknown, emits: readonly unknown[], edges: readonly unknown[], more: Partial<LintWorldParts> = {}) {
  return { steps: [...emits, wait, timer('arm', DEADLINE), got('arm'), ...done], edges, ...more };
}

const bounded = [to('w', 'done'), to('arm_got', 'late')];

corpus('RL002', 'warning', {
  triggers: [
    [
      'an event is awaited, and nothing else happens',
      { steps: [heard('w'), end()], edges: chain('w', 'done') },
      't/p@1 w /steps/0',
    ],
    [
      'an approval is awaited, and nothing else happens',
      { steps: [ask('a'), got('a'), end()], edges: chain('a', 'a_got', 'done') },
      't/p@1 a_got /steps/1',
    ],
    [
      'the timer comes before the wait and not beside it',
      {
        steps: [timer('arm', DEADLINE), got('arm'), heard('w'), end()],
        edges: chain('arm', 'arm_got', 'w', 'done'),
      },
      't/p@1 w /steps/2',
    ],
    [
      'the timer is set only after the wait',
      race(heard('w'), [], [to('w', 'arm'), to('w', 'done'), to('arm_got', 'late')]),
      't/p@1 w /steps/0',
    ],
    [
      'the end behind the timer needs the wait as well',
      {
        steps: [heard('w'), timer('arm', DEADLINE), got('arm'), end()],
        edges: [to('w', 'done'), to('arm_got', 'done')],
      },
      't/p@1 w /steps/0',
    ],
    [
      'the end is reached only when the timer failed',
      race(heard('w'), [], [to('w', 'done'), to('arm_got', 'late', status('arm_r', 'ok', 'ne'))]),
      't/p@1 w /steps/0',
    ],
    [
      'two waits, of which the timer bounds one',
      {
        steps: [heard('w'), heard('x'), timer('arm', DEADLINE), got('arm'), ...done],
        edges: [to('w', 'x'), to('x', 'done'), to('w', 'arm'), to('arm_got', 'late')],
      },
      't/p@1 w /steps/0',
    ],
  ],
  spares: [
    ['an event races a timer', race(heard('w'), [], bounded)],
    ['an approval races a timer', { ...race(got('a', 'w'), [ask('a')], bounded) }],
    [
      'the receipt of another effect is bounded by its adapter',
      { steps: [write('m'), got('m'), end()], edges: chain('m', 'm_got', 'done') },
    ],
    ['the timer itself', { steps: [timer('arm'), got('arm'), end()], edges: chain('arm', 'arm_got', 'done') }],
    [
      'the end of the timer is guarded by success',
      race(heard('w'), [], [to('w', 'done'), to('arm_got', 'late', status('arm_r'))]),
    ],
    [
      'a plan with a decision variable goes on behind the timer',
      {
        steps: [
          assign('open', 'd', { text: 'open' }),
          heard('w'),
          timer('arm', DEADLINE),
          got('arm'),
          assign('give_up', 'd', { text: 'late' }),
          say('tell', { TimedOut: 1 }),
        ],
        edges: [
          to('open', 'w'),
          to('open', 'arm'),
          to('arm_got', 'give_up', op('eq', ref('@var:d'), { text: 'open' })),
          to('give_up', 'tell'),
        ],
      },
    ],
  ],
});

const skip = op('gt', ref('@plan.input.n'), { nat: 1 });

corpus('RL007', 'warning', {
  triggers: [
    [
      'the emit is guarded and the await depends on it by its handle only',
      {
        steps: [assign('s', 'v', { nat: 1 }), write('m'), got('m'), end()],
        edges: [to('s', 'm', skip), to('m_got', 'done')],
      },
      't/p@1 m_got /steps/2',
    ],
    [
      'the await also follows another step',
      {
        steps: [assign('s', 'v', { nat: 1 }), write('m'), got('m'), end()],
        edges: [to('s', 'm', skip), to('m', 'm_got'), to('s', 'm_got'), to('m_got', 'done')],
      },
      't/p@1 m_got /steps/2',
    ],
    [
      'the emit follows a step that can be skipped',
      {
        steps: [assign('s', 'v', { nat: 1 }), assign('t', 'w', { nat: 1 }), write('m'), got('m'), end()],
        edges: [to('s', 't', skip), to('t', 'm'), to('s', 'm_got'), to('m_got', 'done')],
      },
      't/p@1 m_got /steps/3',
    ],
    [
      'the await follows a sibling under the same guard',
      {
        steps: [assign('s', 'v', { nat: 1 }), assign('t', 'w', { nat: 1 }), write('m'), got('m'), end()],
        edges: [to('s', 't', skip), to('s', 'm', skip), to('t', 'm_got'), to('m_got', 'done')],
      },
      't/p@1 m_got /steps/3',
    ],
    [
      'all of several edges into the emit are guarded',
      {
        steps: [assign('s', 'v', { nat: 1 }), assign('t', 'w', { nat: 1 }), write('m'), got('m'), end()],
        edges: [to('s', 'm', skip), to('t', 'm', skip), to('m_got', 'done')],
      },
      't/p@1 m_got /steps/3',
    ],
  ],
  spares: [
    ['the emit always runs', { steps: [write('m'), got('m'), end()], edges: chain('m', 'm_got', 'done') }],
    [
      'the emit is a root and the await has no edge',
      { steps: [write('m'), got('m'), end()], edges: [to('m_got', 'done')] },
    ],
    [
      'the await follows the guarded emit only',
      {
        steps: [assign('s', 'v', { nat: 1 }), write('m'), got('m'), end()],
        edges: [to('s', 'm', skip), to('m', 'm_got'), to('m_got', 'done')],
      },
    ],
    [
      'the await follows a step that is skipped with the emit',
      {
        steps: [assign('s', 'v', { nat: 1 }), write('m'), assign('t', 'w', { nat: 1 }), got('m'), end()],
        edges: [to('s', 'm', skip), to('m', 't'), to('t', 'm_got'), to('m_got', 'done')],
      },
    ],
    [
      'one of the edges into the emit has no guard',
      {
        steps: [assign('s', 'v', { nat: 1 }), assign('t', 'w', { nat: 1 }), write('m'), got('m'), end()],
        edges: [to('s', 'm', skip), to('t', 'm'), to('m_got', 'done')],
      },
    ],
    [
      'a guarded await of an emit that always runs',
      { steps: [write('m'), got('m'), end()], edges: [to('m', 'm_got', skip), to('m_got', 'done')] },
    ],
  ],
});

corpus('RL010', 'warning', {
  triggers: [
    [
      'both waits lead to one end',
      {
        steps: [heard('w'), timer('arm', DEADLINE), got('arm'), end()],
        edges: [to('w', 'done'), to('arm_got', 'done')],
      },
      't/p@1 done /steps/3',
    ],
    [
      'a receipt and a timer join',
      {
        steps: [write('m'), got('m'), timer('arm', DEADLINE), got('arm'), end()],
        edges: [to('m_got', 'done'), to('arm_got', 'done')],
      },
      't/p@1 done /steps/4',
    ],
    [
      'the join is some steps further on',
      {
        steps: [
          heard('w'),
          timer('arm'),
          got('arm'),
          assign('a', 'x', { nat: 1 }),
          assign('b', 'y', { nat: 1 }),
          say('s'),
          end(),
        ],
        edges: [to('w', 'a'), to('arm_got', 'b'), to('a', 's'), to('b', 's'), to('s', 'done')],
      },
      't/p@1 s /steps/5',
    ],
    [
      'two timers join',
      {
        steps: [timer('arm'), got('arm'), timer('bell'), got('bell'), end()],
        edges: [to('arm_got', 'done'), to('bell_got', 'done')],
      },
      't/p@1 done /steps/4',
    ],
    [
      'two joins of one race',
      {
        steps: [heard('w'), timer('arm'), got('arm'), say('s'), say('t')],
        edges: [to('w', 's'), to('arm_got', 's'), to('w', 't'), to('arm_got', 't')],
      },
      't/p@1 s /steps/3',
      't/p@1 t /steps/4',
    ],
  ],
  spares: [
    ['each outcome has an end', race(heard('w'), [], bounded)],
    [
      'the timer follows the wait',
      {
        steps: [heard('w'), timer('arm'), got('arm'), end()],
        edges: [to('w', 'arm'), to('w', 'done'), to('arm_got', 'done')],
      },
    ],
    [
      'two waits join, and no timer',
      { steps: [heard('w'), write('m'), got('m'), end()], edges: [to('w', 'done'), to('m_got', 'done')] },
    ],
    ['one predecessor', { steps: [timer('arm'), got('arm'), end()], edges: chain('arm', 'arm_got', 'done') }],
    [
      'only the timer is joined with a step that waits for nothing',
      {
        steps: [assign('a', 'x', { nat: 1 }), timer('arm'), got('arm'), end()],
        edges: [to('a', 'done'), to('arm_got', 'done')],
      },
    ],
  ],
});

const eq = (a: unknown, b: unknown) => op('eq', a, b);
const mine = eq(ref('@event.request_id'), ID);

corpus('RL015', 'warning', {
  triggers: [
    [
      'the answer is awaited behind the receipt of the send',
      { steps: [send('m'), got('m'), heard('w'), end()], edges: chain('m', 'm_got', 'w', 'done') },
      't/p@1 w /steps/2',
    ],
    [
      'some steps further on',
      {
        steps: [send('m'), got('m'), assign('a', 'x', { nat: 1 }), heard('w'), end()],
        edges: chain('m', 'm_got', 'a', 'w', 'done'),
      },
      't/p@1 w /steps/3',
    ],
    [
      'the equation is written the other way round',
      {
        steps: [send('m'), got('m'), heard('w', eq(ID, ref('@event.request_id'))), end()],
        edges: chain('m', 'm_got', 'w', 'done'),
      },
      't/p@1 w /steps/2',
    ],
    [
      'the equation is one of several conjuncts',
      {
        steps: [send('m'), got('m'), heard('w', op('and', eq(ref('@event.kind'), { text: 'a' }), mine)), end()],
        edges: chain('m', 'm_got', 'w', 'done'),
      },
      't/p@1 w /steps/2',
    ],
    [
      'a variable stands for what was sent',
      {
        steps: [
          assign('a', 'x', ID),
          send('m'),
          got('m'),
          heard('w', eq(ref('@event.request_id'), ref('@var:x'))),
          end(),
        ],
        edges: chain('a', 'm', 'm_got', 'w', 'done'),
      },
      't/p@1 w /steps/3',
    ],
  ],
  spares: [
    [
      'the answer is awaited beside the receipt',
      { steps: [send('m'), got('m'), heard('w'), end()], edges: [to('m', 'm_got'), to('m', 'w'), to('w', 'done')] },
    ],
    [
      'the receipt before is not of a message',
      {
        steps: [write('m', { params: { x: ID } }), got('m'), heard('w'), end()],
        edges: chain('m', 'm_got', 'w', 'done'),
      },
    ],
    [
      'the message does not hold what the answer must equal',
      {
        steps: [send('m', ref('@plan.input.url')), got('m'), heard('w'), end()],
        edges: chain('m', 'm_got', 'w', 'done'),
      },
    ],
    [
      'the event is compared by ne',
      {
        steps: [send('m'), got('m'), heard('w', op('ne', ref('@event.request_id'), ID)), end()],
        edges: chain('m', 'm_got', 'w', 'done'),
      },
    ],
    [
      'the receipt is not awaited before',
      { steps: [send('m'), heard('w'), got('m'), end()], edges: chain('m', 'w', 'm_got', 'done') },
    ],
  ],
});

const is = (value: string) => eq(ref('@event.kind'), { text: value });

corpus('RL021', 'info', {
  triggers: [
    ['two waits with one predicate', { steps: [heard('w'), heard('x'), end()], edges: [] }, 't/p@1 x /steps/1'],
    [
      'predicates about different fields',
      { steps: [heard('w', is('a')), heard('x', mine), end()], edges: [] },
      't/p@1 x /steps/1',
    ],
    [
      'the same constant in both',
      { steps: [heard('w', is('a')), heard('x', op('and', mine, is('a'))), end()], edges: [] },
      't/p@1 x /steps/1',
    ],
    [
      'different constants under or',
      { steps: [heard('w', op('or', is('a'), mine)), heard('x', is('b')), end()], edges: [] },
      't/p@1 x /steps/1',
    ],
    [
      'a third wait meets one of two that are disjoint',
      { steps: [heard('w', is('a')), heard('x', is('b')), heard('y', is('a')), end()], edges: [] },
      't/p@1 y /steps/2',
    ],
  ],
  spares: [
    ['different constants', { steps: [heard('w', is('a')), heard('x', is('b')), end()], edges: [] }],
    ['one after the other', { steps: [heard('w'), heard('x'), end()], edges: chain('w', 'x', 'done') }],
    ['different events', { steps: [heard('w'), heard('x', mine, 't/Other@1'), end()], edges: [] }],
    [
      'different constants among other conjuncts',
      { steps: [heard('w', op('and', mine, is('a'))), heard('x', op('and', is('b'), mine)), end()], edges: [] },
    ],
    [
      'different numbers',
      {
        steps: [heard('w', eq(ref('@event.n'), { nat: 1 })), heard('x', eq({ nat: 2 }, ref('@event.n'))), end()],
        edges: [],
      },
    ],
  ],
});

corpus('RL022', 'info', {
  triggers: [
    ['ne', { steps: [heard('w', op('ne', ref('@event.request_id'), ID)), end()] }, 't/p@1 w /steps/0/where'],
    ['equations under or', { steps: [heard('w', op('or', mine, is('a'))), end()] }, 't/p@1 w /steps/0/where'],
    [
      'an operation on the field',
      { steps: [heard('w', eq(op('concat', ref('@event.request_id'), { text: '!' }), ID)), end()] },
      't/p@1 w /steps/0/where',
    ],
    [
      'two fields of the event',
      { steps: [heard('w', eq(ref('@event.request_id'), ref('@event.kind'))), end()] },
      't/p@1 w /steps/0/where',
    ],
    [
      'a variable that two steps bind',
      {
        steps: [
          assign('a', 'x', { text: 'a' }),
          assign('b', 'x', { text: 'b' }),
          heard('w', eq(ref('@event.kind'), ref('@var:x'))),
          end(),
        ],
        edges: chain('a', 'b', 'w', 'done'),
      },
      't/p@1 w /steps/2/where',
    ],
    [
      'the field is taken with get',
      { steps: [heard('w', eq(op('get', ref('@event'), { text: 'request_id' }), ID)), end()] },
      't/p@1 w /steps/0/where',
    ],
  ],
  spares: [
    ['the input', { steps: [heard('w'), end()] }],
    ['the other way round', { steps: [heard('w', eq(ID, ref('@event.request_id'))), end()] }],
    ['a constant', { steps: [heard('w', is('a')), end()] }],
    [
      'among other conjuncts',
      { steps: [heard('w', op('and', op('ne', ref('@event.kind'), { text: 'a' }), mine)), end()] },
    ],
    [
      'a variable that one step binds, in an operation',
      {
        steps: [
          assign('a', 'x', ID),
          heard('w', eq(ref('@event.kind'), op('concat', ref('@var:x'), { text: '!' }))),
          end(),
        ],
        edges: chain('a', 'w', 'done'),
      },
    ],
    [
      'the correlation id',
      {
        steps: [heard('w', eq(ref('@event.request_id'), ref('@var:correlation_id'))), end()],
        triggers: [{ event: 't/In@1', plan: 't/p@1', correlate_by: 'request_id' }],
      },
    ],
  ],
});
