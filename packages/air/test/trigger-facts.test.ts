import { describe, expect, test } from 'vitest';
import { loadAuthored } from '../src/index.ts';

/** What `when` of a trigger says is known in its `input_expr` (`expressions.md` §13.5, `plans.md` §11). */

const when = (op: string, ...args: unknown[]) => ({ op, args });
const tag = { ref: '@event.$tag' };

function warnings(guard: unknown): readonly string[] {
  const schema = (name: string, type: unknown) => ({ $kind: 'defschema', name, type });
  const nodes = [
    schema('t/Mail@1', { variant: { Order: { record: { id: { text: {} } } }, Ping: { record: { at: { nat: {} } } } } }),
    schema('t/Job@1', { record: { id: { text: {} } } }),
    { $kind: 'defplan', name: 't/handle@1', input: 't/Job@1', steps: [{ id: 'done', op: 'end' }] },
    {
      $kind: 'manifest',
      air_version: '1',
      schemas: [{ name: 't/Mail@1' }, { name: 't/Job@1' }],
      modules: [],
      plans: [{ name: 't/handle@1' }],
      caps: [],
      policies: [],
      triggers: [
        {
          event: 't/Mail@1',
          plan: 't/handle@1',
          ...(guard === undefined ? {} : { when: guard }),
          input_expr: { id: { ref: '@event.$value.id' } },
        },
      ],
    },
  ];
  const loaded = loadAuthored([{ path: 'air/world.json', text: JSON.stringify(nodes) }]);
  return (loaded.ok ? loaded.value.warnings : loaded.failure).map(({ code, path }) => `${code} /${path.join('/')}`);
}

const UNREFINED = 'variant_unrefined /triggers/0/input_expr/record/id/ref';

describe('input_expr is evaluated behind when', () => {
  test('the arm is known when the guard asks for its tag', () => {
    expect(warnings(when('eq', tag, { text: 'Order' }))).toEqual([]);
    expect(warnings(when('and', when('eq', { text: 'Order' }, tag), { bool: true }))).not.toContain(UNREFINED);
  });

  test('it is not known without a guard, or behind one that says nothing about it', () => {
    const [found] = warnings(undefined);
    expect(found).toMatch(/^variant_unrefined \/triggers\/0\/input_expr/);
    expect(warnings(when('ne', tag, { text: 'Ping' }))).toEqual([found]);
  });
});
