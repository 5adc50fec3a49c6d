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
  mends,
  raise,
  spawn,
  timer,
  to,
  write,
} from './support.ts';

/** Corpus of the lints that follow triggers and spawns from plan to plan. */

const eq = (a: unknown, b: unknown) => op('eq', a, b);
const trigger = { event: 't/In@1', plan: 't/p@1', correlate_by: 'request_id' };
const field = ref('@event.request_id');
const waiting = (where: unknown) => ({
  steps: [heard('w', where), end()],
  edges: chain('w', 'done'),
  triggers: [trigger],
});
const project = (input: unknown) => ({
  event: 't/Ev@1',
  plan: 't/p@1',
  correlate_by: 'request_id',
  input_expr: input,
});
const whole = { deadline_ns: 1, n: 1, url: 'u', pay: { Done: null }, order: { id: 'o' } };

/** `t/p@1` spawns a child that waits. */
function family(input: unknown, where: unknown, more: readonly unknown[] = []) {
  return {
    steps: [spawn('k', 't/core_k@1', input), ...more, end()],
    triggers: [trigger],
    more: [child('t/core_k@1', [heard('w', where), end()], chain('w', 'done'))],
  };
}

corpus('RL001', 'warning', {
  triggers: [
    ['a constant', waiting(eq(field, { text: 'fixed' })), 't/p@1 w /steps/0/where'],
    ['another field of the input', waiting(eq(field, ref('@plan.input.url'))), 't/p@1 w /steps/0/where'],
    ['ne', waiting(op('ne', field, ID)), 't/p@1 w /steps/0/where'],
    ['under or', waiting(op('or', eq(field, ID), eq(ref('@event.kind'), { text: 'a' }))), 't/p@1 w /steps/0/where'],
    ['contains', waiting(op('contains', field, ID)), 't/p@1 w /steps/0/where'],
    [
      'a variable that holds the key',
      {
        steps: [assign('a', 'x', ID), heard('w', eq(field, ref('@var:x'))), end()],
        edges: chain('a', 'w', 'done'),
        triggers: [trigger],
      },
      't/p@1 w /steps/1/where',
    ],
    [
      'the trigger builds the input from another field',
      { ...waiting(eq(field, ID)), triggers: [project({ ...whole, request_id: ref('@event.kind') })] },
      't/p@1 w /steps/0/where',
    ],
    [
      'a child that gets another id',
      family({ ...whole, request_id: ref('@plan.input.url') }, eq(field, ID)),
      't/core_k@1 w /steps/0/where',
    ],
    [
      'a child that one of two spawns gives another id',
      family(ref('@plan.input'), eq(field, ID), [spawn('l', 't/core_k@1', { ...whole, request_id: 'fixed' })]),
      't/core_k@1 w /steps/0/where',
    ],
    [
      'children of a list',
      {
        steps: [
          {
            id: 'each',
            op: 'spawn_for_each',
            plan: 't/core_k@1',
            inputs: { list: [ref('@plan.input')] },
            bind: { handles_as: 'c' },
          },
          end(),
        ],
        triggers: [trigger],
        more: [child('t/core_k@1', [heard('w', eq(field, ID)), end()], chain('w', 'done'))],
      },
      't/core_k@1 w /steps/0/where',
    ],
  ],
  spares: [
    ['the key of the input', waiting(eq(field, ID))],
    [
      'the other way round, among other conjuncts',
      waiting(op('and', eq(ref('@event.kind'), { text: 'a' }), eq(ID, field))),
    ],
    ['the correlation id', waiting(eq(field, ref('@var:correlation_id')))],
    [
      'a trigger without correlate_by',
      { ...waiting(eq(ref('@event.kind'), { text: 'a' })), triggers: [{ event: 't/In@1', plan: 't/p@1' }] },
    ],
    ['a plan that nothing triggers', { ...waiting(eq(ref('@event.kind'), { text: 'a' })), triggers: [] }],
    [
      'the trigger builds the field from the key',
      { ...waiting(eq(field, ref('@plan.input.url'))), triggers: [project({ ...whole, request_id: 'x', url: field })] },
    ],
    [
      'a field of a record',
      {
        ...waiting(eq(field, ref('@plan.input.order.id'))),
        triggers: [project({ ...whole, request_id: 'x', order: { id: field } })],
      },
    ],
    ['a child that gets the whole input', family(ref('@plan.input'), eq(field, ID))],
    ['a child that gets the key', family({ ...whole, request_id: ID }, eq(field, ID))],
    [
      'a child that gets the key in another field',
      family({ ...whole, request_id: 'x', url: ref('@var:correlation_id') }, eq(field, ref('@plan.input.url'))),
    ],
    [
      'a child with the inherited correlation id',
      family({ ...whole, request_id: 'x' }, eq(field, ref('@var:correlation_id'))),
    ],
  ],
});

const again = raise('s', 't/In@1', ref('@plan.input'));
const start = (event: string, name: string, input = true) => ({
  event,
  plan: name,
  ...(input && event !== 't/In@1' ? { input_expr: { ...whole, request_id: ref('@event.request_id') } } : {}),
});
const self = start('t/In@1', 't/p@1');
const ping = raise('s', 't/Other@1', { request_id: ID, kind: 'k' });
const pong = child('t/q@1', [again, end()], chain('s', 'done'));
const both = [start('t/Other@1', 't/q@1'), self];

corpus('RL019', 'warning', {
  triggers: [
    [
      'a plan raises what starts it',
      { steps: [again, end()], edges: chain('s', 'done'), triggers: [self] },
      't/p@1 s /steps/0',
    ],
    [
      'two plans start each other',
      { steps: [ping, end()], edges: chain('s', 'done'), triggers: both, more: [pong] },
      't/p@1 s /steps/0',
    ],
    [
      'a child raises what starts its parent',
      {
        steps: [spawn('k', 't/q@1'), end()],
        triggers: [self],
        more: [pong],
      },
      't/p@1 k /steps/0',
    ],
    [
      'the wait comes after the raise',
      {
        steps: [again, timer('arm'), got('arm'), end()],
        edges: chain('s', 'arm', 'arm_got', 'done'),
        triggers: [self],
      },
      't/p@1 s /steps/0',
    ],
    [
      'the wait is beside the raise',
      { steps: [again, heard('w'), end()], edges: [to('s', 'done')], triggers: [self] },
      't/p@1 s /steps/0',
    ],
    [
      'the child that is awaited before waits for nothing itself',
      {
        steps: [spawn('k', 't/core_k@1'), joined('k'), again, end()],
        edges: chain('k', 'k_done', 's', 'done'),
        triggers: [self],
        more: [child('t/core_k@1', [end()])],
      },
      't/p@1 s /steps/2',
    ],
  ],
  spares: [
    [
      'a receipt is awaited before',
      { steps: [write('m'), got('m'), again, end()], edges: chain('m', 'm_got', 's', 'done'), triggers: [self] },
    ],
    [
      'an event is awaited before',
      { steps: [heard('w'), again, end()], edges: chain('w', 's', 'done'), triggers: [self] },
    ],
    [
      'one of two plans waits',
      {
        steps: [ping, end()],
        edges: chain('s', 'done'),
        triggers: both,
        more: [child('t/q@1', [timer('arm'), got('arm'), again, end()], chain('arm', 'arm_got', 's', 'done'))],
      },
    ],
    [
      'the event starts another plan, which raises nothing',
      {
        steps: [ping, end()],
        edges: chain('s', 'done'),
        triggers: both,
        more: [child('t/q@1', [end()])],
      },
    ],
    ['no trigger', { steps: [again, end()], edges: chain('s', 'done') }],
    [
      'the parent waits before it spawns',
      {
        steps: [heard('w'), spawn('k', 't/q@1'), end()],
        edges: chain('w', 'k', 'done'),
        triggers: [self],
        more: [pong],
      },
    ],
    [
      'the child that is awaited before waits',
      {
        steps: [spawn('k', 't/core_k@1'), joined('k'), again, end()],
        edges: chain('k', 'k_done', 's', 'done'),
        triggers: [self],
        more: [child('t/core_k@1', [heard('w'), end()], chain('w', 'done'))],
      },
    ],
  ],
});

const kind = ref('@event.kind');
const text = (word: string) => ({ text: word });

mends('RL001', [
  ['only constants are compared', family(ref('@plan.input'), eq(kind, text('a'))), 'wrap'],
  [
    'only constants, under and',
    family(ref('@plan.input'), op('and', eq(kind, text('a')), op('ne', kind, text('b')))),
    'append',
  ],
  [
    'nothing is compared',
    {
      steps: [spawn('k', 't/core_k@1', ref('@plan.input')), end()],
      triggers: [trigger],
      more: [
        child(
          't/core_k@1',
          [{ id: 'w', op: 'await_event', event: 't/Ev@1', bind: { as: 'w_e' } }, end()],
          chain('w', 'done'),
        ),
      ],
    },
    'add',
  ],
  [
    'something of the run is compared, who knows how',
    family(ref('@plan.input'), eq(kind, ref('@plan.input.url'))),
    '-',
  ],
  ['the field is compared already', waiting(eq(field, text('fixed'))), '-'],
  ['the field is excluded', waiting(op('ne', field, text('fixed'))), '-'],
  [
    'the event has no field for the id',
    {
      steps: [spawn('k', 't/core_k@1', ref('@plan.input')), end()],
      triggers: [{ ...trigger, correlate_by: 'url' }],
      more: [
        child('t/core_k@1', [heard('w', eq(ref('@event.ask'), text('a')), 't/Small@1'), end()], chain('w', 'done')),
      ],
    },
    '-',
  ],
  [
    'the field that is there has another type',
    {
      steps: [spawn('k', 't/core_k@1', ref('@plan.input')), end()],
      triggers: [{ ...trigger, event: 't/Ev@1', correlate_by: 'n', input_expr: { ...whole, request_id: 'x' } }],
      more: [child('t/core_k@1', [heard('w', eq(kind, text('a')), 't/Other@1'), end()], chain('w', 'done'))],
    },
    '-',
  ],
]);
