import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { suggest } from '../src/diagnostic.ts';
import { type Diagnostic, loadAuthored } from '../src/index.ts';

/**
 * Folders that are large or deep in one way. What takes time in proportion to their size is done in a second; what looks
 * at everything for everything, or at every path through shared schemas, would not end within a test.
 */

const schema = (name: string, type: unknown) => ({ $kind: 'defschema', name, type });
const refTo = (name: string) => ({ ref: name });
const ref = refTo;
const op = (name: string, ...args: unknown[]) => ({ op: name, args });
const names = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `t/${prefix}${n}@1`);

function manifest(schemas: readonly string[], plans: readonly string[] = []) {
  const listed = (list: readonly string[]) => list.map((name) => ({ name }));
  return {
    $kind: 'manifest',
    air_version: '1',
    schemas: listed(schemas),
    modules: [],
    plans: listed(plans),
    effects: [],
    caps: [],
    policies: [],
  };
}

const plan = (input: string, rest: Readonly<Record<string, unknown>>) => ({
  $kind: 'defplan',
  name: 't/plan@1',
  input,
  edges: [],
  ...rest,
});

const assign = (id: string, expr: unknown, as: string) => ({ id, op: 'assign', expr, bind: { as } });

function findings(nodes: readonly unknown[]): readonly Diagnostic[] {
  const loaded = loadAuthored([{ path: 'air/all.json', text: JSON.stringify(nodes) }]);
  return loaded.ok ? loaded.value.warnings : loaded.failure;
}

const codes = (found: readonly Diagnostic[]) => [...new Set(found.map(({ code }) => code))].sort();

describe('schemas', () => {
  const COUNT = 20_000;

  test('a chain of refs is followed to its end, however long (values.md §2)', () => {
    const chain = names('s', COUNT);
    const types = chain.map((name, n) => schema(name, n === COUNT - 1 ? { text: {} } : refTo(chain[n + 1] as string)));
    const steps = [assign('a', 'hello', 'v'), assign('b', ref('@plan.input'), 'v')];
    const rest = {
      locals: { v: chain[0] },
      steps,
      edges: [{ from: 'a', to: 'b', when: op('eq', ref('@var:v'), { text: 'x' }) }],
    };
    expect(findings([manifest(chain, ['t/plan@1']), ...types, plan(chain[0] as string, rest)])).toEqual([]);
  });

  test('a cycle of refs is reported once (V-305)', () => {
    const ring = names('s', COUNT);
    const types = ring.map((name, n) => schema(name, refTo(ring[(n + 1) % COUNT] as string)));
    expect(findings([manifest(ring), ...types]).map(({ code }) => code)).toEqual(['schema.recursive']);
  });

  test('records in records, each a schema of its own', () => {
    const chain = names('s', COUNT);
    const types = chain.map((name, n) =>
      schema(name, n === COUNT - 1 ? { text: {} } : { record: { a: refTo(chain[n + 1] as string) } }),
    );
    const steps = [assign('a', ref('@plan.input'), 'v'), assign('b', { record: { a: ref('@var:v.a') } }, 'w')];
    const found = findings([
      manifest(chain, ['t/plan@1']),
      ...types,
      plan(chain[0] as string, { locals: { v: chain[0] }, steps }),
    ]);
    expect(found).toEqual([]);
  });

  test('a type that is exponential when written out is compared by its schemas (expressions.md §13.3)', () => {
    const tower = names('s', 100);
    const types = tower.map((name, n) => {
      const below = refTo(tower[n - 1] as string);
      return schema(name, n === 0 ? { text: {} } : { record: { a: below, b: below } });
    });
    const top = tower.at(-1) as string;
    const steps = [
      assign('a', ref('@plan.input'), 'v'),
      assign('b', { record: { a: ref('@plan.input'), b: ref('@var:v') } }, 'w'),
      { id: 'c', op: 'end', result: ref('@var:w.b') },
    ];
    const edges = [
      { from: 'a', to: 'b', when: op('eq', ref('@plan.input.a'), ref('@var:v.b')) },
      { from: 'b', to: 'c', when: op('ne', ref('@var:w'), { text: 'x' }) },
    ];
    const rest = { output: top, locals: { v: top }, steps, edges };
    const found = findings([manifest(tower, ['t/plan@1']), ...types, plan(top, rest)]);
    expect(found.length).toBeGreaterThan(0);
    expect(found.length).toBeLessThan(10);
  });

  test('a hundred thousand nodes in one file', () => {
    const many = names('s', 100_000);
    const found = findings([manifest(many), ...many.map((name) => schema(name, { text: {} }))]);
    expect(found).toEqual([]);
  });

  test('a record of many fields, and a plan that misspells all of them', () => {
    const fields = Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`field${n}`, { option: { text: {} } }]));
    const wrong = Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`feld${n}`, 'x']));
    const steps = [assign('a', wrong, 'v')];
    const found = findings([
      manifest(['t/wide@1'], ['t/plan@1']),
      schema('t/wide@1', { record: fields }),
      plan('t/wide@1', { locals: { v: 't/wide@1' }, steps }),
    ]);
    expect(codes(found).filter((code) => code !== 'findings.truncated')).toEqual(['plan.literal_invalid']);
  });
});

describe('plans beyond the limit (plans.md §2.1: plan.too_large), checked all the same', () => {
  const COUNT = 20_000;
  const text = schema('t/text@1', { text: {} });
  const world = (rest: Readonly<Record<string, unknown>>) => [
    manifest(['t/text@1'], ['t/plan@1']),
    text,
    plan('t/text@1', rest),
  ];
  const guard = (variable: string) => op('eq', ref(`@var:${variable}`), { nat: 1 });

  test('every edge leads to one step', () => {
    const steps = Array.from({ length: COUNT }, (_, n) => assign(`s${n}`, { nat: 1 }, `v${n}`));
    const edges = steps.map(({ id }, n) => ({ from: id, to: 'end', when: guard(`v${n}`) }));
    const found = findings(world({ steps: [...steps, { id: 'end', op: 'end' }], edges }));
    expect(found.map(({ code, path }) => [code, path])).toEqual([
      ['plan.too_large', ['edges']],
      ['plan.too_large', ['steps']],
    ]);
  });

  test('every edge comes from one step', () => {
    const steps = Array.from({ length: COUNT }, (_, n) =>
      assign(`s${n}`, op('add', ref('@var:b'), { nat: 1 }), `v${n}`),
    );
    const edges = steps.map(({ id }) => ({ from: 'begin', to: id, when: guard('b') }));
    const found = findings(world({ steps: [assign('begin', { nat: 1 }, 'b'), ...steps], edges }));
    expect(codes(found)).toEqual(['plan.too_large']);
  });

  test('waits that read what earlier waits bound', () => {
    const steps = Array.from({ length: 5000 }, (_, n) => ({
      id: `w${n}`,
      op: 'await_event',
      event: 't/text@1',
      where: op('eq', ref('@event'), ref(n === 0 ? '@plan.input' : `@var:v${n - 1}`)),
      bind: { as: `v${n}` },
    }));
    const edges = steps.slice(1).map(({ id }, n) => ({ from: `w${n}`, to: id }));
    expect(codes(findings(world({ steps, edges })))).toEqual(['plan.too_large']);
  });

  test('a finding that stands behind twenty thousand steps is found', () => {
    const steps = Array.from({ length: COUNT }, (_, n) => assign(`s${n}`, { nat: 1 }, `v${n}`));
    const last = assign('last', ref('@var:nowhere'), 'x');
    const found = findings(world({ steps: [...steps, last] }));
    expect(found.map(({ code, path }) => [code, path])).toEqual([
      ['plan.too_large', ['steps']],
      ['ref_unknown_var', ['steps', COUNT, 'expr', 'ref']],
    ]);
  });
});

describe('suggest', () => {
  test('compares as the full table of edit distances does', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 });
    fc.assert(
      fc.property(word, fc.array(word, { maxLength: 8 }), (found, known) => {
        let best: string | undefined;
        let least = Number.POSITIVE_INFINITY;
        for (const each of known) {
          const distance = tableDistance(found, each);
          if (distance <= Math.max(1, Math.floor(Math.max(found.length, each.length) / 3)) && distance < least) {
            best = each;
            least = distance;
          }
        }
        expect(suggest(found, known)).toBe(best);
      }),
      { numRuns: 2000 },
    );
  });
});

/** Insertions, deletions, replacements, swaps of neighbours: every cell of the table. */
function tableDistance(a: string, b: string): number {
  const table = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (_, j) => i || j));
  const at = (i: number, j: number) => table[i]?.[j] as number;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      let cost = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, at(i - 2, j - 2) + 1);
      (table[i] as number[])[j] = cost;
    }
  }
  return at(a.length, b.length);
}
