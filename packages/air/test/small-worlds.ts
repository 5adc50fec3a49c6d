import fc from 'fast-check';
import { type Authored, chain, INT, manifestOf, NAT, plan, record, schema, TEXT } from './fixtures.ts';

/** Small worlds that differ in everything that a patch changes. */

export const SHAPES: Authored[] = [
  record({ id: TEXT }),
  record({ id: TEXT, n: NAT }),
  record({ id: TEXT, n: { option: INT } }),
];
const LETTERS = ['A', 'B', 'C', 'D'];

/** A plan that needs no more than the schema it takes. */
function variant(letter: string, which: number): Authored {
  const name = `demo/run_${letter.toLowerCase()}@1`;
  const input = `demo/${letter}@1`;
  const wait = {
    id: 'wait',
    op: 'emit_effect',
    kind: 'timer.after',
    params: { after_ns: 1000 + which },
    cap: 'clock',
    bind: { effect_id_as: 'h' },
  };
  const done = { id: 'done', op: 'end' };
  if (which === 0) return plan(name, { input, steps: [done] });
  return plan(name, { input, steps: [wait, done], edges: chain('wait', 'done') });
}

const choice = fc.record({
  shape: fc.integer({ min: 0, max: SHAPES.length - 1 }),
  plan: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
  trigger: fc.boolean(),
});

/** Authored nodes, the manifest first; references in any order. */
export const worldArb = fc
  .record({
    letters: fc.shuffledSubarray(LETTERS),
    choices: fc.tuple(choice, choice, choice, choice),
    web: fc.boolean(),
    policy: fc.option(fc.integer({ min: 0, max: 1 }), { nil: undefined }),
    secret: fc.option(fc.constantFrom('env:A', 'env:B'), { nil: undefined }),
    emptyDefaults: fc.boolean(),
  })
  .map(({ letters, choices, web, policy, secret, emptyDefaults }) => {
    const of = (letter: string) => choices[LETTERS.indexOf(letter)]!;
    const withPlan = letters.filter((letter) => of(letter).plan !== undefined);
    const defs: Authored[] = [
      ...letters.map((letter) => schema(`demo/${letter}@1`, SHAPES[of(letter).shape])),
      ...withPlan.map((letter) => variant(letter, of(letter).plan!)),
      ...(policy === undefined
        ? []
        : [
            {
              $kind: 'defpolicy',
              name: 'demo/policy@1',
              rules: [{ when: { effect_kind: 'timer.after' }, decision: policy === 0 ? 'allow' : 'deny' }],
            },
          ]),
      ...(secret === undefined ? [] : [{ $kind: 'defsecret', name: 'demo/key@1', binding_id: secret }]),
    ];
    const needsClock = withPlan.some((letter) => of(letter).plan !== 0);
    const grants = [
      ...(needsClock ? [{ name: 'clock', cap: 'sys/timer@1', params: {} }] : []),
      ...(web ? [{ name: 'web', cap: 'sys/http.out@1', params: { hosts: ['b.example', 'a.example'] } }] : []),
    ];
    const defaults = {
      ...(policy === undefined ? {} : { policy: 'demo/policy@1' }),
      ...(grants.length === 0 ? {} : { cap_grants: grants }),
    };
    const triggers = withPlan
      .filter((letter) => of(letter).trigger)
      .map((letter) => ({ event: `demo/${letter}@1`, plan: `demo/run_${letter.toLowerCase()}@1`, correlate_by: 'id' }));
    return [
      manifestOf(defs, {
        // The one built-in effect, always listed: the compiler adds what is needed and removes nothing.
        effects: [{ name: 'sys/timer.after@1' }],
        ...(Object.keys(defaults).length > 0 || emptyDefaults ? { defaults } : {}),
        ...(triggers.length === 0 ? {} : { triggers }),
      }),
      ...defs,
    ];
  });
