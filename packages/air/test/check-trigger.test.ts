import { describe, expect, test } from 'vitest';
import { diagnose, found, planWorld } from './check-support.ts';
import { type Authored, op, ref } from './fixtures.ts';

/** Types of triggers (expressions.md §3, §13; plans.md §11). */

const txt = (text: string) => ({ text });
const schemas = { In: '{id: text, n: nat}', Ev: '{id: text, n: int, o?: text, v: variant(A: {s: text}, B)}' };
const run = (parts: Authored) =>
  found(planWorld({ schemas, triggers: [{ event: 't/Ev@1', plan: 't/p@1', ...parts }] }));
const whole = { id: ref('@event.id'), n: ref('@event.n') };

describe('when', () => {
  test.each([
    [op('eq', ref('@event.id'), txt('a')), []],
    [ref('@event.id'), ['not_bool /triggers/0/when']],
    [op('eq', ref('@event.n'), txt('a')), ['never_equal /triggers/0/when']],
    [op('eq', { nat: 1 }, { nat: 1 }), ['~predicate_constant /triggers/0/when']],
    [op('starts_with', ref('@event.o'), txt('a')), ['~option_unwrap_unproven /triggers/0/when/args/0']],
    [op('and', op('has', ref('@event'), txt('o')), op('starts_with', ref('@event.o'), txt('a'))), []],
    // V-707 reports the path, and once.
    [op('eq', ref('@event.nope'), txt('a')), ['trigger.unknown_ref /triggers/0/when/args/0/ref']],
    [op('eq', op('get', ref('@event'), txt('nope')), txt('a')), ['unknown_field /triggers/0/when/args/0']],
  ] as const)('%j %j', (when, expected) => {
    expect(run({ when, input_expr: whole })).toEqual(expected);
  });
});

describe('input_expr', () => {
  test.each([
    [whole, []],
    [{ id: ref('@event.n'), n: 1 }, ['slot_type /triggers/0/input_expr/record/id']],
    [{ record: { id: ref('@event.id') } }, ['value.missing_field /triggers/0/input_expr/record/n']],
    [ref('@event'), ['slot_type /triggers/0/input_expr']],
    [{ id: ref('@event.$value.s'), n: 1 }, ['trigger.unknown_ref /triggers/0/input_expr/id/ref']],
    [{ id: ref('@event.v.$value.s'), n: 1 }, ['~variant_unrefined /triggers/0/input_expr/record/id']],
  ] as const)('%j %j', (input_expr, expected) => {
    expect(run({ input_expr })).toEqual(expected);
  });

  test('without it the event must have the type of the input: that stays V-432', () => {
    expect(run({})).toEqual(['trigger.input_mismatch /triggers/0/event']);
    const same = planWorld({ schemas, triggers: [{ event: 't/In@1', plan: 't/p@1' }] });
    expect(found(same)).toEqual([]);
  });

  test('a finding in sugar points at what was written', () => {
    const input_expr = { id: ref('@event.n'), n: 1 };
    const nodes = planWorld({ schemas, triggers: [{ event: 't/Ev@1', plan: 't/p@1', input_expr }] });
    const [finding] = diagnose(nodes);
    const lines = JSON.stringify(nodes, null, 1).split('\n');
    expect(lines[finding!.line! - 1]).toContain('"id": {');
    expect(lines[finding!.line!]).toContain('@event.n');
  });
});
