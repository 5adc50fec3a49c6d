import { encode, hashText, sha256 } from '@worldline/canon';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadAuthored } from '../src/load-authored.ts';
import { loadStored } from '../src/load-stored.ts';
import { type Authored, add, filesOf, NAT, op, plan, record, ref, schema, smallWorld, TEXT } from './fixtures.ts';

/** Laws of loading that hold for any input. */

/** Words that lead far into the rules, next to anything. */
const word = fc.constantFrom(
  '$kind',
  '$comment',
  'manifest',
  'defplan',
  'defschema',
  'name',
  'demo/Task@1',
  'demo/core_run@1',
  'sys/timer.set@1',
  'record',
  'variant',
  'text',
  'option',
  'set',
  'map',
  'ref',
  '@event.id',
  '@var:arm_h',
  '@step:arm',
  '@plan.input',
  'op',
  'args',
  'eq',
  'tag',
  'value',
  '__proto__',
  'constructor',
  '',
  'sys/SecretRef@1',
  'alias',
  'version',
  '@var:',
  'id',
  'end',
);

const json: fc.Arbitrary<Authored> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), word, fc.string({ maxLength: 5 })),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(word, tie('value'), { maxKeys: 4 }),
  ),
})).value;

/** Every place of a JSON value. */
function places(value: Authored, at: (string | number)[] = []): (string | number)[][] {
  if (value === null || typeof value !== 'object') return [at];
  return [at, ...Object.keys(value).flatMap((key) => places(value[key], [...at, key]))];
}

/** The small world with some places replaced, removed or copied from elsewhere. */
const damaged: fc.Arbitrary<Authored> = fc
  .array(fc.tuple(fc.nat(), fc.constantFrom('replace', 'remove', 'copy', 'add'), json, fc.nat(), word), {
    minLength: 1,
    maxLength: 4,
  })
  .map((changes) => {
    const nodes: Authored = structuredClone(smallWorld().nodes);
    for (const [place, change, value, from, key] of changes) {
      const all = places(nodes).filter((path) => path.length > 0);
      const path = all[place % all.length] as (string | number)[];
      const last = path.at(-1) as string;
      const parent = path.slice(0, -1).reduce((found: Authored, part) => found[part], nodes);
      if (change === 'remove') delete parent[last];
      else if (change === 'add' && parent[last] !== null && typeof parent[last] === 'object')
        parent[last][key] = structuredClone(value);
      else if (change === 'copy') {
        const source = all[from % all.length] as (string | number)[];
        parent[last] = structuredClone(source.reduce((found: Authored, part) => found?.[part], nodes)) ?? null;
      } else parent[last] = structuredClone(value);
    }
    return nodes;
  });

function judge(text: string): void {
  const loaded = loadAuthored([{ path: 'air/a.json', text }]);
  if (loaded.ok) {
    const store = new Map(loaded.value.objects.map(({ hash, bytes }) => [hashText(hash), bytes]));
    const stored = loadStored(loaded.value.catalog.manifestHash, (hash) => store.get(hashText(hash)));
    if (!stored.ok) throw new Error(`stored form refused: ${stored.failure.map(({ code }) => code).join(', ')}`);
    expect(hashText(stored.value.manifestHash)).toBe(hashText(loaded.value.catalog.manifestHash));
    return;
  }
  expect(loaded.failure.length).toBeGreaterThan(0);
  const seen = new Set(
    loaded.failure.map((each) =>
      JSON.stringify([each.code, each.kind, each.name, each.path, each.message, each.line, each.column]),
    ),
  );
  expect(seen.size).toBe(loaded.failure.length);
  expect(loaded.failure.some(({ severity }) => severity === 'error')).toBe(true);
  for (const { code, message, file, line } of loaded.failure) {
    expect(code).toMatch(/^[a-z_]+(\.[a-z0-9_]+)?$/);
    expect(message.length).toBeGreaterThan(0);
    // Only "there is no manifest" is about no file at all.
    if (code !== 'air.manifest_missing') expect([file, typeof line]).toEqual(['air/a.json', 'number']);
  }
}

test('a damaged world is either loaded, and then its stored form too, or refused with placed findings, each once', () => {
  fc.assert(
    fc.property(damaged, (nodes) => judge(JSON.stringify(nodes, null, 1))),
    { numRuns: 1500 },
  );
});

test('any JSON as a file is answered', () => {
  fc.assert(
    fc.property(json, (value) => judge(JSON.stringify(value))),
    { numRuns: 500 },
  );
});

test('any text as a file is answered', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      expect(() => loadAuthored([{ path: 'a.json', text }])).not.toThrow();
    }),
  );
});

test('any stored bytes under a manifest hash are answered', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        json.filter(isCbor).map((value) => encode(value)),
      ),
      (bytes) => {
        expect(loadStored(sha256(bytes), () => bytes).ok).toBe(false);
      },
    ),
  );
});

/** Texts that the encoder takes. */
function isCbor(value: Authored): boolean {
  return JSON.stringify(value).isWellFormed() && !JSON.stringify(value).includes('\\ud');
}

test('findings come in the order of the text', () => {
  fc.assert(
    fc.property(damaged, (nodes) => {
      const loaded = loadAuthored(filesOf(nodes));
      if (loaded.ok) return;
      const positions = loaded.failure.map(({ line, column }) => (line ?? 0) * 10_000 + (column ?? 0));
      expect(positions).toEqual([...positions].sort((a, b) => a - b));
    }),
    { numRuns: 500 },
  );
});

/** A world that uses as much of the language as loads today. */
function richWorld(): Authored[] {
  const world = smallWorld();
  add(
    world,
    schema('demo/Env@1', {
      variant: { Task: { ref: 'demo/Task@1' }, Note: record({ id: TEXT, n: NAT }), Ping: { unit: {} } },
    }),
    schema('demo/Alias@1', { ref: 'demo/Env@1' }),
    schema(
      'demo/Deep@1',
      record({ a: { option: { map: { key: TEXT, value: { list: { ref: 'demo/Env@1' } } } } }, b: { set: NAT } }),
    ),
    { $kind: 'defcap', name: 'demo/mail@1', cap_type: 'mail', schema: record({ to: { option: { set: TEXT } } }) },
    {
      $kind: 'defeffect',
      name: 'demo/mail.send@1',
      kind: 'mail.send',
      params_schema: 'demo/Deep@1',
      receipt_schema: 'demo/Done@1',
      cap_type: 'mail',
      origin_scope: 'plan',
    },
    { $kind: 'defsecret', name: 'demo/key@1', binding_id: 'env:KEY', allowed_plans: ['demo/rich@1'] },
    plan('demo/rich@1', {
      output: 'demo/Env@1',
      locals: { deep: 'demo/Deep@1', n: 'demo/Task@1' },
      steps: [
        {
          id: 'start',
          op: 'assign',
          expr: { a: { k: [{ Ping: null }, { Task: ref('@plan.input') }] }, b: [3, 1] },
          bind: { as: 'deep' },
        },
        {
          id: 'free',
          op: 'assign',
          expr: op('add', { nat: 1 }, op('len', ref('@plan.input.id'))),
          bind: { as: 'count' },
        },
        {
          id: 'ask',
          op: 'emit_effect',
          kind: 'llm.generate',
          cap: 'llm',
          params: {
            provider: 'p',
            model: ref('@plan.input.id'),
            temperature: '0',
            max_tokens: 1,
            message_refs: [],
            api_key: { secret: { alias: 'demo/key', version: 1 } },
          },
          idempotency_key: op('hash', ref('@plan.input.id')),
          bind: { effect_id_as: 'ask_h' },
        },
        {
          id: 'mail',
          op: 'emit_effect',
          kind: 'mail.send',
          cap: 'post',
          params: ref('@var:deep'),
          bind: { effect_id_as: 'mail_h' },
        },
        { id: 'asked', op: 'await_receipt', for: ref('@var:ask_h'), bind: { as: 'ask_r' } },
        { id: 'mailed', op: 'await_receipt', for: ref('@var:mail_h'), bind: { as: 'mail_r' } },
        {
          id: 'heard',
          op: 'await_event',
          event: 'demo/Env@1',
          where: op('eq', ref('@event.$value.id'), ref('@step:mailed.id')),
          bind: { as: 'env' },
        },
        { id: 'good', op: 'end', result: ref('@var:env') },
        { id: 'bad', op: 'end', result: { Note: { id: ref('@var:ask_r.provider_id'), n: ref('@var:count') } } },
      ],
      edges: [
        { from: 'start', to: 'mail' },
        { from: 'free', to: 'ask', when: op('lt', ref('@var:count'), { nat: 9 }) },
        { from: 'asked', to: 'heard' },
        { from: 'mailed', to: 'heard' },
        { from: 'heard', to: 'good', when: op('eq', ref('@var:ask_r.$status'), { text: 'ok' }) },
        { from: 'heard', to: 'bad', when: op('ne', ref('@var:ask_r.$status'), { text: 'ok' }) },
      ],
      invariants: [op('le', ref('@var:count'), { nat: 100 })],
    }),
  );
  world.manifest.effects.push({ name: 'sys/llm.generate@1' });
  world.manifest.defaults.cap_grants.push(
    { name: 'llm', cap: 'sys/llm.basic@1', params: { models: ['m'] }, expiry_ns: '1900000000000000000' },
    { name: 'post', cap: 'demo/mail@1', params: { record: { to: { set: [{ text: 'b' }, { text: 'a' }] } } } },
  );
  world.manifest.triggers.push({
    event: 'demo/Alias@1',
    plan: 'demo/rich@1',
    correlate_by: '$value.id',
    when: op('eq', ref('@event.$tag'), { text: 'Task' }),
    input_expr: { id: ref('@event.$value.id'), at: 7 },
  });
  // The correlated start asks every wait to mention the key.
  const rich = world.nodes.find(({ name }) => name === 'demo/rich@1');
  rich.steps[6].where = op('and', rich.steps[6].where, op('eq', ref('@event.$value.id'), ref('@var:correlation_id')));
  return world.nodes;
}

test('the rich world is sound', () => {
  const loaded = loadAuthored(filesOf(richWorld()));
  expect(loaded.ok || loaded.failure).toBe(true);
  judge(JSON.stringify(richWorld(), null, 1));
});

/** Texts of the rich world exchanged for one another: the shape stays, the wiring breaks. */
const rewired = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 3 }).map((swaps) => {
  const nodes: Authored = richWorld();
  const leaves = places(nodes).filter(
    (path) => typeof path.reduce((found: Authored, part) => found[part], nodes) === 'string',
  );
  for (const [to, from] of swaps) {
    const target = leaves[to % leaves.length] as (string | number)[];
    const source = leaves[from % leaves.length] as (string | number)[];
    const parent = target.slice(0, -1).reduce((found: Authored, part) => found[part], nodes);
    parent[target.at(-1) as string] = source.reduce((found: Authored, part) => found[part], nodes);
  }
  return nodes;
});

test('a rewired world is either loaded, and then its stored form too, or refused with placed findings', () => {
  fc.assert(
    fc.property(rewired, (nodes) => judge(JSON.stringify(nodes, null, 1))),
    { numRuns: 1000 },
  );
});

test('dropping parts of a rich world never leads to a crash', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), (drops) => {
      const nodes: Authored = richWorld();
      for (const drop of drops) {
        const all = places(nodes).filter((path) => path.length > 0);
        const path = all[drop % all.length] as (string | number)[];
        const parent = path.slice(0, -1).reduce((found: Authored, part) => found[part], nodes);
        if (Array.isArray(parent)) parent.splice(Number(path.at(-1)), 1);
        else delete parent[path.at(-1) as string];
      }
      judge(JSON.stringify(nodes, null, 1));
    }),
    { numRuns: 500 },
  );
});
