// Files that are made to hurt: deep, wide, long, or small and endless once their references are followed.
// Run as a program with names of some it loads each and prints what came out, a line of JSON for each; the caller bounds the heap.
import { loadAuthored } from '@worldline/air';

const TEXT = { text: {} };
const many = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const record = (fields) => ({ record: Object.fromEntries(fields) });
const schema = (name, type) => ({ $kind: 'defschema', name, type });
const end = { id: 'done', op: 'end' };
const plan = (name, parts) => ({ $kind: 'defplan', name, input: 'b/In@1', steps: [end], ...parts });
const assign = (id, expr = { bool: true }) => ({ id, op: 'assign', expr, bind: { as: id } });

/** A list of nodes behind a manifest that lists them. */
function world(defs, parts = {}) {
  const names = (kind) => defs.filter(({ $kind }) => $kind === kind).map(({ name }) => ({ name }));
  const all = [schema('b/In@1', record([['id', TEXT]])), ...defs];
  const manifest = {
    $kind: 'manifest',
    air_version: '1',
    schemas: [{ name: 'b/In@1' }, ...names('defschema')],
    modules: [],
    plans: names('defplan'),
    effects: names('defeffect'),
    caps: names('defcap'),
    policies: names('defpolicy'),
    secrets: names('defsecret'),
    ...parts,
  };
  return JSON.stringify([manifest, ...all]);
}

/** Schemas `<prefix>0` … that each name the next one several times; expanded they have more parts than there are atoms. */
function doubling(prefix, depth, make) {
  return many(depth, (i) =>
    schema(`b/${prefix}${i}@1`, i === depth - 1 ? record([['end', TEXT]]) : make({ ref: `b/${prefix}${i + 1}@1` })),
  );
}

const both = (next) =>
  record([
    ['a', next],
    ['b', next],
  ]);
const arms = (next) => ({ variant: { A: next, B: next } });
const nested = (depth, open, close, inner) => open.repeat(depth) + inner + close.repeat(depth);

/** Name → text of the one file. */
export const BOMBS = {
  // Form.
  'a million open brackets': () => '['.repeat(1_000_000),
  'a million open objects': () => '{"a":'.repeat(1_000_000),
  'a comment of a million brackets': () => `{"$kind":"defschema","$comment":${nested(500_000, '[', ']', '')}}`,
  'five million spaces': () => `${' '.repeat(5_000_000)}x`,
  'five million lines': () => `${'\n'.repeat(5_000_000)}{"$kind":"defplan"}`,
  'a string without end': () => `{"$kind":"${'x'.repeat(5_000_000)}`,
  'a string of escapes': () => `{"$kind":"${'\\u0041'.repeat(1_000_000)}"}`,
  'a million backslashes': () => `{"$kind":"${'\\'.repeat(1_000_001)}"}`,
  'a number of a million digits': () => `{"$kind":"defschema","x":${'9'.repeat(1_000_000)}}`,
  'an exponent of a million digits': () => `{"$kind":"defschema","x":1e${'9'.repeat(1_000_000)}}`,
  'many numbers of a thousand digits': () => `[${many(3_000, () => '9'.repeat(999)).join(',')}]`,

  // Width.
  'a hundred thousand unknown members': () =>
    `{"$kind":"defschema","name":"b/x@1","type":{"text":{}},${many(100_000, (i) => `"typ${i}":1`).join(',')}}`,
  'a hundred thousand nodes that are none': () => `[${many(100_000, () => '{"$kind":"defschem"}').join(',')}]`,
  'two hundred thousand numbers for nodes': () => `[${'1,'.repeat(199_999)}1]`,
  'a hundred thousand fields': () =>
    world([schema('b/Wide@1', record(many(100_000, (i) => [`f${i}`, TEXT]))), plan('b/p@1', { input: 'b/Wide@1' })]),
  'a hundred thousand bad fields': () => world([schema('b/Wide@1', record(many(100_000, (i) => [`$f${i}`, TEXT])))]),
  'twenty thousand schemas': () => world(many(20_000, (i) => schema(`b/S${i}@1`, TEXT))),
  'a hundred thousand locals': () =>
    world([plan('b/p@1', { locals: Object.fromEntries(many(100_000, (i) => [`v${i}`, 'b/In@1'])) })]),
  'fifty thousand bad locals': () =>
    world([plan('b/p@1', { locals: Object.fromEntries(many(50_000, (i) => [`v${i}`, `b/Im${i}@1`])) })]),
  'twenty thousand steps': () => world([plan('b/p@1', { steps: many(20_000, (i) => assign(`s${i}`)) })]),
  'thousands of steps of one name': () => world([plan('b/p@1', { steps: many(5_000, () => assign('s')) })]),
  'a hundred thousand edges': () =>
    world([
      plan('b/p@1', {
        steps: many(400, (i) => assign(`s${i}`)),
        edges: many(100_000, (i) => ({ from: `s${i % 400}`, to: `s${(i * 7) % 400}` })),
      }),
    ]),
  'twenty thousand edges that end nowhere': () =>
    world([
      plan('b/p@1', {
        steps: many(400, (i) => assign(`step_${i}`)),
        edges: many(20_000, (i) => ({ from: `stpe_${i}`, to: `stepp_${i}` })),
      }),
    ]),
  'every edge there can be': () =>
    world([
      plan('b/p@1', {
        steps: many(64, (i) => assign(`s${i}`)),
        edges: many(64, (i) => many(i, (j) => ({ from: `s${j}`, to: `s${i}` }))).flat(),
      }),
    ]),
  'many waits for many handles': () =>
    world([
      plan('b/p@1', {
        steps: [
          ...many(10_000, (i) => ({
            id: `e${i}`,
            op: 'emit_effect',
            kind: 'timer.after',
            cap: 'clock',
            params: { after_ns: 1 },
            bind: { effect_id_as: `h${i}` },
          })),
          ...many(10_000, (i) => ({
            id: `w${i}`,
            op: 'await_receipt',
            for: { ref: `@var:h${i}` },
            bind: { as: `r${i}` },
          })),
        ],
      }),
    ]),
  'many waits for one another': () =>
    world([
      plan('b/p@1', {
        steps: many(512, (i) => ({
          id: `w${i}`,
          op: 'await_event',
          event: 'b/In@1',
          where: {
            op: 'and',
            args: many(30, (j) => ({ op: 'eq', args: [{ ref: `@step:w${(i + j) % 512}` }, { ref: '@event' }] })),
          },
          bind: { as: `v${i}` },
        })),
        edges: many(511, (i) => ({ from: `w${i}`, to: `w${i + 1}` })),
      }),
    ]),
  'one variable bound by every step': () =>
    world([
      plan('b/p@1', {
        steps: many(512, (i) => ({
          id: `s${i}`,
          op: 'assign',
          expr: { list: [{ ref: '@var:v' }] },
          bind: { as: 'v' },
        })),
      }),
    ]),
  'variables that are each made of the two before': () =>
    world([
      plan('b/p@1', {
        steps: many(512, (i) => ({
          id: `s${i}`,
          op: 'assign',
          expr: i < 2 ? { text: 'x' } : { record: { a: { ref: `@var:v${i - 1}` }, b: { ref: `@var:v${i - 2}` } } },
          bind: { as: `v${i}` },
        })),
        edges: many(511, (i) => ({ from: `s${i}`, to: `s${i + 1}` })),
      }),
    ]),
  'variables that are each made of a later one': () =>
    world([
      plan('b/p@1', {
        steps: many(512, (i) => ({
          id: `s${i}`,
          op: 'assign',
          expr: i === 511 ? { text: 'x' } : { list: [{ ref: `@var:v${i + 1}` }, { ref: `@var:v${i + 1}` }] },
          bind: { as: `v${i}` },
        })),
      }),
    ]),
  'variables that grow twofold and are compared': () => {
    const half = (letter) =>
      many(200, (i) => ({
        id: `${letter}${i}`,
        op: 'assign',
        expr:
          i === 0
            ? { text: 'x' }
            : { record: { a: { ref: `@var:${letter}${i - 1}` }, b: { ref: `@var:${letter}${i - 1}` } } },
        bind: { as: `${letter}${i}` },
      }));
    return world([
      plan('b/p@1', {
        steps: [...half('a'), ...half('b')],
        edges: many(199, (i) => [
          { from: `a${i}`, to: `a${i + 1}` },
          { from: `b${i}`, to: `b${i + 1}` },
        ]).flat(),
        invariants: [{ op: 'eq', args: [{ ref: '@var:a199' }, { ref: '@var:b199' }] }],
      }),
    ]);
  },
  'constants that grow twofold': () => {
    let expr = { text: 'x'.repeat(1000) };
    for (let i = 0; i < 11; i += 1) expr = { op: 'concat', args: [expr, expr] };
    return world([plan('b/p@1', { steps: [assign('s', expr)] })]);
  },
  'ten thousand constants in one expression': () =>
    world([plan('b/p@1', { steps: many(10, (i) => assign(`s${i}`, { list: many(9_000, () => ({ nat: 1 })) })) })]),
  'ten thousand things that are never equal': () =>
    world([
      plan('b/p@1', {
        invariants: many(64, () => ({
          op: 'or',
          args: many(300, () => ({ op: 'eq', args: [{ text: 'x' }, { nat: 1 }] })),
        })),
      }),
    ]),
  'twenty thousand grants of one name': () =>
    world([], {
      defaults: { cap_grants: many(20_000, () => ({ name: 'g', cap: 'sys/timer@1', params: {} })) },
    }),
  'thousands of rules about misspelt grants': () =>
    world(
      [
        {
          $kind: 'defpolicy',
          name: 'b/y@1',
          rules: many(10_000, (i) => ({ when: { cap_name: `gant_${i}` }, decision: 'allow' })),
        },
      ],
      {
        defaults: { cap_grants: many(10_000, (i) => ({ name: `grant_${i}`, cap: 'sys/timer@1', params: {} })) },
      },
    ),
  'ten thousand misspelt references': () =>
    world(many(10_000, (i) => schema(`b/Schema${i}@1`, { ref: `b/Shcema${i}@1` }))),
  'thousands of references to what nobody defines': () =>
    world([], { schemas: many(30_000, (i) => ({ name: `b/Schema${i}@1` })) }),
  'twenty thousand triggers': () =>
    world([plan('b/p@1', {})], {
      triggers: many(20_000, () => ({ event: 'b/In@1', plan: 'b/p@1', correlate_by: 'di' })),
    }),
  'thousands of triggers and a hundred waits': () =>
    world(
      [
        plan('b/p@1', {
          steps: many(100, (i) => ({ id: `w${i}`, op: 'await_event', event: 'b/In@1', bind: { as: `v${i}` } })),
        }),
      ],
      { triggers: many(5_000, (i) => ({ event: 'b/In@1', plan: 'b/p@1', correlate_by: `id${i}` })) },
    ),
  'many plans and many triggers': () =>
    world(
      many(5_000, (i) => plan(`b/p${i}@1`, {})),
      {
        triggers: many(5_000, (i) => ({ event: 'b/In@1', plan: `b/p${i}@1` })),
      },
    ),
  'many plans that start one another': () =>
    world(
      many(2_000, (i) =>
        plan(`b/p${i}@1`, {
          steps: many(3, (j) => ({
            id: `s${j}`,
            op: 'spawn_plan',
            plan: `b/p${(i + j + 1) % 2_000}@1`,
            input: { ref: '@plan.input' },
            bind: { handle_as: `h${j}` },
          })),
        }),
      ),
    ),
  'children whose outputs grow twofold': () =>
    world(
      many(100, (i) =>
        plan(`b/p${i}@1`, {
          steps: [
            ...(i === 0
              ? []
              : [
                  {
                    id: 's',
                    op: 'spawn_plan',
                    plan: `b/p${i - 1}@1`,
                    input: { ref: '@plan.input' },
                    bind: { handle_as: 'h' },
                  },
                  { id: 'w', op: 'await_plan', for: { ref: '@var:h' }, bind: { as: 'r' } },
                ]),
            end,
          ],
        }),
      ),
    ),

  // Length.
  'a name of a million letters': () => world([schema(`b/${'x'.repeat(1_000_000)}@1`, TEXT)]),
  'a bad name of a million letters': () => world([schema(`b/${'x'.repeat(1_000_000)}`, TEXT)]),
  'a kind of a million letters': () => `[{"$kind":"def${'x'.repeat(1_000_000)}"}]`,
  'a member of a million letters': () => `[{"$kind":"defplan","${'x'.repeat(1_000_000)}":1}]`,
  'many long members': () => `[{"$kind":"defplan",${many(2_000, (i) => `"${i}${'x'.repeat(1_000)}":1`).join(',')}}]`,
  'a reference of a million segments': () =>
    world([plan('b/p@1', { steps: [assign('s', { ref: `@plan.input${'.id'.repeat(1_000_000)}` })] })]),
  'references of many segments through maps': () => {
    let type = TEXT;
    for (let i = 0; i < 50; i += 1) type = { map: { key: TEXT, value: type } };
    return world([
      schema('b/Deep@1', type),
      plan('b/p@1', {
        input: 'b/Deep@1',
        steps: many(200, (i) => assign(`s${i}`, { ref: `@plan.input${'.k'.repeat(50)}` })),
      }),
    ]);
  },
  'a correlation of a million segments': () =>
    world([plan('b/p@1', {})], {
      triggers: [{ event: 'b/In@1', plan: 'b/p@1', correlate_by: `id${'.id'.repeat(1_000_000)}` }],
    }),
  'integers as texts of a million digits': () =>
    world([
      schema('b/N@1', { int: {} }),
      plan('b/p@1', { locals: { n: 'b/N@1' }, steps: [{ ...assign('s', '9'.repeat(1_000_000)), bind: { as: 'n' } }] }),
      plan('b/q@1', { steps: [assign('s', { int: `-${'9'.repeat(1_000_000)}` })] }),
    ]),
  'texts of a million letters for every scalar': () =>
    world([
      ...['dec128', 'bytes', 'hash', 'uuid', 'time', 'duration', 'nat'].map((kind) =>
        schema(`b/${kind}@1`, { [kind]: {} }),
      ),
      ...['dec128', 'bytes', 'hash', 'uuid', 'time', 'duration', 'nat'].map((kind) =>
        plan(`b/${kind}@1`, {
          locals: { v: `b/${kind}@1` },
          steps: many(5, (i) => ({ ...assign(`s${i}`, `${'1'.repeat(1_000_000)}${i}`), bind: { as: 'v' } })),
        }),
      ),
    ]),
  'many errors on one long line': () =>
    world([
      plan('b/p@1', { steps: many(500, (i) => ({ ...assign(`s${i}`, { text: 'x'.repeat(20_000) }), extra: 1 })) }),
    ]),
  'a thousand errors behind ten million letters': () =>
    world([
      plan('b/p@1', {
        invariants: [{ op: 'eq', args: [{ text: 'x'.repeat(10_000_000) }, { text: 'y' }] }],
        locals: Object.fromEntries(many(1_000, (i) => [`v${i}`, 7])),
      }),
    ]),
  'a list of a hundred thousand wrong items': () =>
    world([
      schema('b/L@1', { list: { nat: {} } }),
      plan('b/p@1', {
        locals: { v: 'b/L@1' },
        steps: [
          {
            ...assign(
              's',
              many(100_000, () => -1),
            ),
            bind: { as: 'v' },
          },
        ],
      }),
    ]),
  'a set and a map of a hundred thousand items': () =>
    world([
      schema('b/S@1', { set: { nat: {} } }),
      schema('b/M@1', { map: { key: TEXT, value: { nat: {} } } }),
      plan('b/p@1', {
        locals: { s: 'b/S@1', m: 'b/M@1' },
        steps: [
          {
            ...assign(
              'a',
              many(100_000, (i) => 100_000 - i),
            ),
            bind: { as: 's' },
          },
          {
            ...assign(
              'b',
              many(100_000, (i) => [`k${100_000 - i}`, i]),
            ),
            bind: { as: 'm' },
          },
        ],
      }),
    ]),

  // Depth behind references.
  'schemas that double': () => world([...doubling('S', 100, both), plan('b/p@1', { input: 'b/S0@1' })]),
  'two families of schemas that double, compared by a trigger': () =>
    world([...doubling('S', 100, both), ...doubling('R', 100, both), plan('b/p@1', { input: 'b/S0@1' })], {
      triggers: [{ event: 'b/R0@1', plan: 'b/p@1' }],
    }),
  'two families of schemas that double, compared by an expression': () =>
    world([
      ...doubling('S', 60, both),
      ...doubling('R', 60, both),
      plan('b/p@1', {
        input: 'b/S0@1',
        output: 'b/R0@1',
        steps: [{ id: 'done', op: 'end', result: { ref: '@plan.input' } }],
      }),
      plan('b/q@1', {
        input: 'b/S0@1',
        steps: [
          {
            id: 'w',
            op: 'await_event',
            event: 'b/R0@1',
            where: { op: 'eq', args: [{ ref: '@event' }, { ref: '@plan.input' }] },
            bind: { as: 'v' },
          },
        ],
      }),
    ]),
  'two families that differ at their very end': () =>
    world([
      ...doubling('S', 60, both),
      ...doubling('R', 60, both).map((node, i) =>
        i === 59 ? { ...node, type: record([['end', { nat: {} }]]) } : node,
      ),
      plan('b/p@1', {
        input: 'b/S0@1',
        output: 'b/R0@1',
        steps: [{ id: 'done', op: 'end', result: { ref: '@plan.input' } }],
      }),
    ]),
  'variants that double, correlated through all of them': () =>
    world([...doubling('V', 60, arms), plan('b/p@1', { input: 'b/V0@1' })], {
      triggers: [{ event: 'b/V0@1', plan: 'b/p@1', correlate_by: `${'$value.'.repeat(59)}end` }],
    }),
  'variants that double, read through all of them': () =>
    world([
      ...doubling('V', 60, arms),
      plan('b/p@1', { input: 'b/V0@1', steps: [assign('s', { ref: `@plan.input.${'$value.'.repeat(59)}end` })] }),
    ]),
  'variants that double, read by a trigger': () =>
    world([...doubling('V', 60, arms), plan('b/p@1', {})], {
      triggers: [
        { event: 'b/V0@1', plan: 'b/p@1', input_expr: { id: { ref: `@event.${'$value.'.repeat(59)}end` } } },
        { event: 'b/V0@1', plan: 'b/p@1', input_expr: { id: { ref: `@event.${'$value.'.repeat(59)}ned` } } },
      ],
    }),
  'secrets behind schemas that double': () =>
    world([
      ...doubling('S', 60, both).map((node, i) => (i === 59 ? { ...node, type: { ref: 'sys/SecretRef@1' } } : node)),
      plan('b/p@1', { locals: { v: 'b/S0@1' }, steps: [{ ...assign('s', {}), bind: { as: 'v' } }] }),
    ]),
  'aliases of aliases': () =>
    world([
      ...many(5_000, (i) => schema(`b/A${i}@1`, i === 4_999 ? TEXT : { ref: `b/A${i + 1}@1` })),
      plan('b/p@1', { input: 'b/A0@1' }),
    ]),
  'a ring of ten thousand schemas': () =>
    world(many(10_000, (i) => schema(`b/A${i}@1`, { list: { ref: `b/A${(i + 1) % 10_000}@1` } }))),
  'schemas that all name one another': () =>
    world(
      many(150, (i) =>
        schema(`b/A${i}@1`, record(many(150, (j) => [`f${j}`, { ref: `b/A${j}@1` }]).filter((_, j) => j !== i))),
      ),
    ),
  'options of options behind many refs': () =>
    world(many(2_000, (i) => schema(`b/A${i}@1`, i === 0 ? { option: TEXT } : { option: { ref: `b/A${i - 1}@1` } }))),
  'a value for schemas that are deep': () => {
    const depth = 120;
    return world([
      ...many(depth, (i) => schema(`b/L${i}@1`, i === 0 ? TEXT : { list: { ref: `b/L${i - 1}@1` } })),
      plan('b/p@1', {
        locals: { v: `b/L${depth - 1}@1` },
        steps: [{ ...assign('s', JSON.parse(nested(110, '[', ']', ''))), bind: { as: 'v' } }],
      }),
    ]);
  },
  'a chain of schemas deeper than the stack': () =>
    world(
      [
        ...many(20_000, (i) => schema(`b/L${i}@1`, i === 0 ? TEXT : { list: { ref: `b/L${i - 1}@1` } })),
        ...many(20_000, (i) => schema(`b/M${i}@1`, i === 0 ? TEXT : { list: { ref: `b/M${i - 1}@1` } })),
        plan('b/p@1', {
          input: 'b/L19999@1',
          output: 'b/M19999@1',
          steps: [{ id: 'done', op: 'end', result: { ref: '@plan.input' } }],
        }),
      ],
      { triggers: [{ event: 'b/M19999@1', plan: 'b/p@1' }] },
    ),
};

for (const name of process.argv.slice(2)) {
  const files = [{ path: 'air/bomb.air.json', text: BOMBS[name]() }];
  const loaded = loadAuthored(files);
  const findings = loaded.ok ? loaded.value.warnings : loaded.failure;
  // Parts of a path are names of the author's.
  const sizes = findings.map((finding) => JSON.stringify({ ...finding, path: [] }).length);
  process.stdout.write(
    `${JSON.stringify({ name, ok: loaded.ok, findings: findings.length, longest: Math.max(0, ...sizes) })}\n`,
  );
}
