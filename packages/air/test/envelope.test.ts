import { describe, expect, test } from 'vitest';
import { effectEnvelope } from '../src/envelope.ts';
import { envelopeAllows, envelopeStarts } from '../src/envelope-allows.ts';
import type { ParamBound } from '../src/envelope-bounds.ts';
import { patternText } from '../src/envelope-known.ts';
import type { EffectEnvelope, ReachedEffect } from '../src/envelope-reached.ts';
import { loadAuthored } from '../src/load-authored.ts';
import { NULL, text, type Value } from '../src/value.ts';
import { type Authored, chain, filesOf, manifestOf, op, plan, record, ref, schema, TEXT } from './fixtures.ts';

/** What a plan can reach, known before it runs. That nothing is left out: `envelope-soundness.test.ts`. */

const INPUT = schema('demo/Task@1', record({ id: TEXT, url: TEXT, flag: { bool: {} } }));
const EVENT = schema('demo/Ev@1', { variant: { Go: { ref: 'demo/Task@1' }, Stop: { unit: {} } } });
const LOCAL = schema('demo/Text@1', TEXT);

interface Options {
  readonly grants?: Authored[];
  readonly defs?: Authored[];
  readonly rules?: Authored[];
  readonly triggers?: Authored[];
  readonly effects?: string[];
}

function envelopeOf(plans: Authored[], options: Options = {}): EffectEnvelope {
  const policy =
    options.rules === undefined ? [] : [{ $kind: 'defpolicy', name: 'demo/policy@1', rules: options.rules }];
  const defs = [INPUT, EVENT, LOCAL, ...(options.defs ?? []), ...policy, ...plans];
  const own = (options.defs ?? []).filter(({ $kind }) => $kind === 'defeffect').map(({ name }) => ({ name }));
  const effects = (options.effects ?? ['http.request']).map((kind) => ({ name: `sys/${kind}@1` }));
  const manifest = manifestOf(defs, {
    effects: [...effects, ...own],
    defaults: {
      ...(policy.length > 0 ? { policy: 'demo/policy@1' } : {}),
      cap_grants: options.grants ?? [{ name: 'web', cap: 'sys/http.out@1', params: {} }],
    },
    triggers: options.triggers ?? [],
  });
  const loaded = loadAuthored(filesOf([manifest, ...defs]), { willRun: false });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure, null, 1));
  const name = (plans[0] as { name: string }).name;
  return effectEnvelope(loaded.value.catalog, name) as EffectEnvelope;
}

function emit(id: string, kind: string, cap: string, params: Authored): Authored {
  return { id, op: 'emit_effect', kind, cap, params, bind: { effect_id_as: `${id}_h` } };
}

function get(url: Authored, cap = 'web', method: Authored = { text: 'GET' }): Authored {
  return emit('ask', 'http.request', cap, { method, url, headers: {} });
}

function onlyEffect(steps: Authored[], options: Options = {}, more: Authored = {}): ReachedEffect {
  const { effects } = envelopeOf([plan('demo/p@1', { steps, ...more })], options);
  expect(effects.length).toBe(1);
  return effects[0]!;
}

function bound(effect: ReachedEffect, name: string): ParamBound {
  const found = effect.bounds.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no bound ${name}`);
  return found;
}

/** `host=a.example by both`, the parts that a test asserts on. */
function lineOf({ name, values, pattern, below, max, by }: ParamBound): string {
  const what =
    values?.join('|') ??
    [pattern && patternText(pattern), below && `<${below.join('|')}`, max !== undefined && `≤${max}`]
      .filter(Boolean)
      .join(' ');
  return `${name}=${what} by ${by}`;
}

const lines = (effect: ReachedEffect) => effect.bounds.map(lineOf);
const codes = (effect: ReachedEffect) => effect.reasons.map(({ code }) => code);
const grant = (params: Authored, name = 'web'): Authored => ({ name, cap: 'sys/http.out@1', params });

describe('what the plan says of an http request', () => {
  test('a constant url is taken apart, and a constant request that the grant allows is a yes', () => {
    const effect = onlyEffect([get({ text: 'https://API.example/v1/../x?q' })], {
      grants: [grant({ hosts: ['api.example'], methods: ['get'], ports: [443] })],
    });
    expect(lines(effect)).toEqual([
      'method=GET by both',
      'url=https://API.example/v1/../x?q by both',
      'scheme=https by plan',
      'host=api.example by both',
      'port=443 by both',
      'path=/x by plan',
    ]);
    expect([effect.answer, effect.isGuarded]).toEqual(['yes', false]);
  });

  test('constants inside an expression count, through variables and locals', () => {
    const effect = onlyEffect(
      [
        { id: 'base', op: 'assign', expr: { text: 'https://api.example/' }, bind: { as: 'base' } },
        get(op('concat', ref('@var:base'), ref('@plan.input.id'))),
      ],
      {},
      { locals: { base: 'demo/Text@1' }, edges: chain('base', 'ask') },
    );
    expect(lines(effect)).toContain('host=api.example by plan');
    expect(lines(effect)).toContain('url=https://api.example/{@plan.input.id} by plan');
    expect(bound(effect, 'path')).toMatchObject({ by: 'nothing', from: '@plan.input.id' });
  });

  test('a host that no "/" ends is not settled: what follows may belong to it', () => {
    const effect = onlyEffect([get(op('concat', { text: 'https://api.example' }, ref('@plan.input.id')))]);
    expect(bound(effect, 'host').by).toBe('nothing');
    expect(lines(effect)).toContain('scheme=https by plan');
  });

  test('a path is settled only when the query begins: what follows may climb out of it', () => {
    const open = onlyEffect([get(op('concat', { text: 'https://a.example/public/' }, ref('@plan.input.id')))]);
    expect(bound(open, 'path').by).toBe('nothing');
    const settled = onlyEffect([get(op('concat', { text: 'https://a.example/find?q=' }, ref('@plan.input.id')))]);
    expect(lines(settled)).toContain('path=/find by plan');
  });

  test('a local that a manual start may bind is anything until a step has surely assigned it', () => {
    const assign = { id: 'set', op: 'assign', expr: { text: 'https://a.example/' }, bind: { as: 'base' } };
    const locals = { base: 'demo/Text@1' };
    const after = onlyEffect([assign, get(ref('@var:base'))], {}, { locals, edges: chain('set', 'ask') });
    const beside = onlyEffect([assign, get(ref('@var:base'))], {}, { locals });
    expect(lines(after)).toContain('host=a.example by plan');
    expect(bound(beside, 'host').by).toBe('nothing');
  });

  test('a variable holds what was assigned last; where that is open, one of them', () => {
    const set = (id: string, host: string) => ({
      id,
      op: 'assign',
      expr: { text: `https://${host}/` },
      bind: { as: 'base' },
    });
    const one = onlyEffect(
      [set('a', 'a.example'), set('b', 'b.example'), get(ref('@var:base'))],
      {},
      {
        edges: chain('a', 'b', 'ask'),
      },
    );
    const both = onlyEffect(
      [set('a', 'a.example'), set('b', 'b.example'), get(ref('@var:base'))],
      {},
      {
        edges: [
          { from: 'a', to: 'ask' },
          { from: 'b', to: 'ask' },
        ],
      },
    );
    expect(lines(one)).toContain('host=b.example by plan');
    expect(lines(both)).toContain('host=a.example|b.example by plan');
  });
});

describe('what the grant leaves of it', () => {
  test('where the plan says nothing, the grant does; where neither does, it is anything', () => {
    const effect = onlyEffect([get(ref('@plan.input.url'), 'web', ref('@plan.input.id'))], {
      grants: [grant({ hosts: ['a.example', 'b.example'], path_prefixes: ['/v1'] })],
    });
    expect(lines(effect)).toEqual([
      'method= by nothing',
      'url= by nothing',
      'scheme= by nothing',
      'host=a.example|b.example by grant',
      'port= by nothing',
      'path=</v1 by grant',
    ]);
    expect([effect.answer, ...codes(effect)]).toEqual(['depends', 'enforcer_decides']);
  });

  test.each([
    ['host_not_allowed', { hosts: ['b.example'] }],
    ['host_not_allowed', { hosts: [] }],
    ['scheme_not_allowed', { schemes: ['http'] }],
    ['method_not_allowed', { methods: ['POST'] }],
    ['port_not_allowed', { ports: [80] }],
    ['path_not_allowed', { path_prefixes: ['/v2'] }],
  ])('a constant outside the grant is never let through: %s', (code, params) => {
    const effect = onlyEffect([get({ text: 'https://a.example/v1/x' })], { grants: [grant(params)] });
    expect([effect.answer, ...codes(effect)]).toEqual(['no', 'enforcer_denies']);
    expect(effect.reasons[0]!.message).toContain(code);
  });

  test('a known host outside the grant is enough, whatever the rest of the url is', () => {
    const url = op('concat', { text: 'https://a.example/' }, ref('@plan.input.id'));
    expect(onlyEffect([get(url)], { grants: [grant({ hosts: ['b.example'] })] }).answer).toBe('no');
  });

  test('a grant with an end makes it depend on when', () => {
    const grants = [{ ...grant({}), expiry_ns: 5_000_000_000 }];
    const effect = onlyEffect([get({ text: 'https://a.example/' })], { grants });
    expect([effect.answer, ...codes(effect)]).toEqual(['depends', 'expires']);
  });

  test('limits of a model call', () => {
    const ask = (model: Authored, tokens: Authored) =>
      emit('ask', 'llm.generate', 'model', {
        record: {
          provider: { text: 'acme' },
          model,
          temperature: { dec128: '0' },
          max_tokens: tokens,
          message_refs: { list: [] },
          tool_refs: { null: {} },
          tool_choice: { null: {} },
          api_key: { null: {} },
        },
      });
    const options = {
      effects: ['llm.generate'],
      grants: [{ name: 'model', cap: 'sys/llm.basic@1', params: { models: ['small', 'large'], max_tokens: 100 } }],
    };
    const input = schema('demo/Call@1', record({ model: TEXT, tokens: { nat: {} } }));
    const of = (model: Authored, tokens: Authored) =>
      onlyEffect([ask(model, tokens)], { ...options, defs: [input] }, { input: 'demo/Call@1' });
    expect(lines(of(ref('@plan.input.model'), ref('@plan.input.tokens')))).toEqual(
      expect.arrayContaining(['provider=acme by plan', 'model=large|small by grant', 'max_tokens=≤100 by grant']),
    );
    expect(of({ text: 'small' }, { nat: 100 }).answer).toBe('yes');
    expect(of({ text: 'small' }, { nat: 101 }).reasons[0]!.message).toContain('max_tokens_exceeded');
    expect(of({ text: 'huge' }, ref('@plan.input.tokens')).reasons[0]!.message).toContain('model_not_allowed');
  });

  test('a choice of tool bounds the tool and never the call', () => {
    const ask = (choice: Authored) =>
      emit('ask', 'llm.generate', 'model', {
        provider: 'acme',
        model: 'small',
        temperature: '0',
        max_tokens: 1,
        message_refs: [],
        tool_choice: choice,
      });
    const of = (choice: Authored) =>
      onlyEffect([ask(choice)], {
        effects: ['llm.generate'],
        grants: [{ name: 'model', cap: 'sys/llm.basic@1', params: { tools_allow: [] } }],
      });
    expect(of({ Auto: null }).answer).toBe('yes');
    expect(of({ Tool: { name: 'rm' } }).reasons[0]!.message).toContain('tool_not_allowed');
  });

  test('tools of an MCP server, one by one or all of them', () => {
    const call = (server: Authored, tool: Authored) =>
      emit('ask', 'mcp.call', 'tools', {
        record: {
          server,
          tool,
          arguments: { map: [] },
          arguments_ref: { null: {} },
          tool_digest: { null: {} },
        },
      });
    const of = (server: Authored, tool: Authored) =>
      onlyEffect([call(server, tool)], {
        effects: ['mcp.call'],
        grants: [{ name: 'tools', cap: 'sys/mcp@1', params: { servers: ['a', 'b'], tools: ['a/*', 'b/read'] } }],
      });
    expect(of({ text: 'a' }, { text: 'x' }).answer).toBe('yes');
    expect(of({ text: 'b' }, { text: 'write' }).reasons[0]!.message).toContain('tool_not_allowed');
    expect(of({ text: 'c' }, ref('@plan.input.id')).reasons[0]!.message).toContain('server_not_allowed');
    expect(lines(of(ref('@plan.input.id'), { text: 'read' }))).toEqual(
      expect.arrayContaining(['server=a|b by grant', 'tool=read by plan']),
    );
  });

  test('kinds without limits show what the plan says of each field', () => {
    const effect = onlyEffect(
      [
        emit('ask', 'approval.request', 'ok', {
          subject: op('concat', { text: 'release ' }, ref('@plan.input.id')),
          requester: { text: 'ci' },
        }),
      ],
      { effects: ['approval.request'], grants: [{ name: 'ok', cap: 'sys/approval@1', params: {} }] },
    );
    expect(lines(effect)).toEqual([
      'subject=release {@plan.input.id} by plan',
      'requester=ci by plan',
      'context_ref=none by plan',
    ]);
    expect(effect.answer).toBe('yes');
  });
});

describe('policy', () => {
  const rules = [
    { when: { cap_name: 'other' }, decision: 'deny' },
    { when: { effect_kind: 'http.request', origin_name: 'demo/p@1' }, decision: 'allow' },
  ];
  const grants = [grant({}), grant({}, 'other')];

  test('the rule that decides is named', () => {
    const allowed = onlyEffect([get({ text: 'https://a.example/' })], { rules, grants });
    expect([allowed.answer, allowed.policy]).toEqual(['yes', { name: 'demo/policy@1', decision: 'allow', rule: 1 }]);
    const denied = onlyEffect([get({ text: 'https://a.example/' }, 'other')], { rules, grants });
    expect([denied.answer, denied.policy.rule, ...codes(denied)]).toEqual(['no', 0, 'policy_denies']);
  });

  test('no rule denies; no policy allows', () => {
    const none = onlyEffect([get({ text: 'https://a.example/' })], { rules: [], grants });
    expect([none.answer, none.policy.rule]).toEqual(['no', undefined]);
    expect(onlyEffect([get({ text: 'https://a.example/' })]).policy).toMatchObject({ name: 'allow_all' });
  });

  test('a child is judged by its own name (plans.md §12.1)', () => {
    const parent = plan('demo/p@1', {
      steps: [{ id: 'kid', op: 'spawn_plan', plan: 'demo/c@1', input: ref('@plan.input'), bind: { handle_as: 'h' } }],
    });
    const child = plan('demo/c@1', { steps: [get({ text: 'https://a.example/' })] });
    const { effects } = envelopeOf([parent, child], { rules, grants });
    expect(effects.map(({ plan, via, answer }) => [plan, via, answer])).toEqual([['demo/c@1', 'spawned', 'no']]);
  });
});

describe('secrets', () => {
  const params = schema('demo/Call@1', record({ key: { option: { ref: 'sys/TextOrSecretRef@1' } } }));
  const defs = [
    params,
    {
      $kind: 'defeffect',
      name: 'demo/call@1',
      kind: 'demo.call',
      params_schema: 'demo/Call@1',
      receipt_schema: 'demo/Task@1',
      cap_type: 'demo',
      origin_scope: 'plan',
    },
    { $kind: 'defcap', name: 'demo/cap@1', cap_type: 'demo', schema: record({}) },
    { $kind: 'defsecret', name: 'key/a@1', binding_id: 'env:A' },
    { $kind: 'defsecret', name: 'key/b@1', binding_id: 'env:B', allowed_caps: ['other'] },
  ];
  const grants = ['call', 'other'].map((name) => ({ name, cap: 'demo/cap@1', params: {} }));
  const of = (key: Authored, before: Authored[] = []) =>
    onlyEffect(
      [...before, emit('ask', 'demo.call', 'call', key)],
      { effects: [], defs, grants },
      {
        edges: before.length > 0 ? chain('set', 'ask') : [],
        locals: before.length > 0 ? { k: 'sys/TextOrSecretRef@1' } : {},
      },
    );

  test('a reference in a slot, and one through a variable, are named', () => {
    const secret = { secret: { alias: 'key/a', version: 1 } };
    expect(of({ key: secret }).secrets).toEqual([{ alias: 'key/a', version: 1n, isNamed: true }]);
    const tagged = { variant: { tag: 'secret', value: { record: { alias: { text: 'key/a' }, version: { nat: 1 } } } } };
    const set = { id: 'set', op: 'assign', expr: tagged, bind: { as: 'k' } };
    expect(of({ record: { key: ref('@var:k') } }, [set]).secrets).toEqual([
      { alias: 'key/a', version: 1n, isNamed: true },
    ]);
  });

  test('a reference that is not constant may be every secret that is permitted here, and no other', () => {
    const value = { record: { alias: ref('@plan.input.id'), version: { nat: 1 } } };
    const effect = of({ record: { key: { variant: { tag: 'secret', value } } } });
    expect(effect.secrets).toEqual([{ alias: 'key/a', version: 1n, isNamed: false }]);
    expect([effect.answer, ...codes(effect)]).toEqual(['depends', 'secret_open']);
  });

  test('one that is not permitted is never used', () => {
    const value = { record: { alias: op('concat', { text: 'key/' }, { text: 'b' }), version: { nat: 1 } } };
    const effect = of({ record: { key: { variant: { tag: 'secret', value } } } });
    expect([effect.answer, ...codes(effect)]).toEqual(['no', 'secret_denies']);
    expect(effect.reasons[0]!.message).toContain('secret_denied');
  });

  test('a literal text is no secret', () => {
    expect(of({ key: { literal: 'plain' } }).secrets).toEqual([]);
  });
});

describe('what can run', () => {
  const ask = get({ text: 'https://a.example/' });
  const withGuard = (when: Authored, before: Authored[] = []) =>
    envelopeOf([
      plan('demo/p@1', {
        steps: [...before, { id: 'start', op: 'assign', expr: { bool: false }, bind: { as: 'off' } }, ask],
        edges: [...(before.length > 0 ? chain('set', 'start') : []), { from: 'start', to: 'ask', when }],
      }),
    ]);

  test('a step behind a guard that is false whatever happens is dead; in doubt it is in', () => {
    for (const when of [
      { bool: false },
      ref('@var:off'),
      op('and', ref('@plan.input.flag'), ref('@var:off')),
      op('not', op('or', { bool: true }, ref('@plan.input.flag'))),
      op('eq', op('concat', { text: 'a' }, ref('@plan.input.id')), { text: 'b' }),
    ]) {
      const envelope = withGuard(when);
      expect([envelope.effects.length, envelope.plans[0]!.dead]).toEqual([0, ['ask']]);
    }
    for (const when of [ref('@plan.input.flag'), op('or', ref('@var:off'), ref('@plan.input.flag'))]) {
      expect(withGuard(when).effects).toMatchObject([{ isGuarded: true }]);
    }
  });

  test('what stands behind dead steps and behind an end is dead', () => {
    const { effects, plans } = envelopeOf([
      plan('demo/p@1', {
        steps: [{ id: 'a', op: 'end' }, { id: 'b', op: 'assign', expr: { bool: true }, bind: { as: 'x' } }, ask],
        edges: chain('a', 'b', 'ask'),
      }),
    ]);
    expect([effects, plans[0]!.dead]).toEqual([[], ['b', 'ask']]);
  });
});

describe('children and events', () => {
  const raise = (id: string, value: Authored) => ({ id, op: 'raise_event', event: 'demo/Ev@1', value });
  const task = { id: 'x', url: 'https://b.example/', flag: true };
  const trigger = (plan: string, when?: Authored) => ({
    event: 'demo/Ev@1',
    plan,
    ...(when === undefined ? {} : { when }),
    input_expr: { record: { id: { text: '' }, url: { text: '' }, flag: { bool: true } } },
  });

  test('a child is reached with what its parents give it', () => {
    const parent = plan('demo/p@1', {
      steps: [
        {
          id: 'one',
          op: 'spawn_plan',
          plan: 'demo/c@1',
          input: { record: { id: ref('@plan.input.id'), url: { text: 'https://a.example/' }, flag: { bool: true } } },
          bind: { handle_as: 'h' },
        },
        {
          id: 'many',
          op: 'spawn_for_each',
          plan: 'demo/c@1',
          inputs: [task],
          max_fanout: 3,
          bind: { handles_as: 'hs' },
        },
      ],
    });
    const child = plan('demo/c@1', { steps: [get(ref('@plan.input.url'))] });
    const envelope = envelopeOf([parent, child]);
    expect(envelope.spawns.map(({ step, child, fanoutMax }) => [step, child, fanoutMax])).toEqual([
      ['one', 'demo/c@1', 1],
      ['many', 'demo/c@1', 3],
    ]);
    expect(envelope.effects.map((effect) => lineOf(bound(effect, 'host')))).toEqual([
      'host=a.example|b.example by plan',
    ]);
    expect(envelope.effects[0]!.via).toBe('spawned');
  });

  test('what events start by triggers is told apart, through cycles', () => {
    const go = raise('go', { Go: task });
    const envelope = envelopeOf(
      [
        plan('demo/p@1', { steps: [go] }),
        plan('demo/q@1', { steps: [get(ref('@plan.input.url')), go], edges: chain('ask', 'go') }),
      ],
      { triggers: [trigger('demo/p@1'), trigger('demo/q@1')] },
    );
    expect(envelope.plans.map(({ plan, via }) => [plan, via])).toEqual([
      ['demo/p@1', 'itself'],
      ['demo/p@1', 'triggered'],
      ['demo/q@1', 'triggered'],
    ]);
    expect(envelope.effects.map(({ plan, via, isGuarded }) => [plan, via, isGuarded])).toEqual([
      ['demo/q@1', 'triggered', true],
    ]);
  });

  test('a trigger whose condition the raised value cannot meet starts nothing', () => {
    const when = op('eq', ref('@event.$tag'), { text: 'Go' });
    const of = (value: Authored) =>
      envelopeOf(
        [
          plan('demo/p@1', { steps: [raise('say', value)] }),
          plan('demo/q@1', { steps: [get({ text: 'https://a.example/' })] }),
        ],
        {
          triggers: [trigger('demo/q@1', when)],
        },
      );
    expect(of({ Stop: null }).effects).toEqual([]);
    expect(of({ Go: task }).raises[0]!.starts).toEqual([{ plan: 'demo/q@1', when: 'always' }]);
  });

  test('plans that wait for an event are named where it is raised', () => {
    const wait = { id: 'w', op: 'await_event', event: 'demo/Ev@1', bind: { as: 'e' } };
    const envelope = envelopeOf([
      plan('demo/p@1', { steps: [raise('say', { Stop: null })] }),
      plan('demo/q@1', { steps: [wait] }),
    ]);
    expect(envelope.raises[0]!.wakes).toEqual(['demo/q@1']);
  });
});

describe('envelopeAllows', () => {
  const envelope = envelopeOf(
    [plan('demo/p@1', { steps: [get(op('concat', { text: 'https://a.example/' }, ref('@plan.input.id')))] })],
    {
      grants: [grant({ methods: ['GET'] }), grant({}, 'other')],
    },
  );
  const params = (method: string, url: string): Value => ({
    kind: 'record',
    fields: new Map<string, Value>([
      ['url', text(url)],
      ['method', text(method)],
      ['headers', { kind: 'map', entries: [] }],
      ['body_ref', NULL],
    ]),
  });
  const question = { plan: 'demo/p@1', kind: 'http.request', cap: 'web', params: params('GET', 'https://a.example/x') };

  test('it says yes within, and no for another plan, kind, grant or params', () => {
    expect(envelopeAllows(envelope, question)).toBe(true);
    for (const other of [
      { plan: 'demo/q@1' },
      { kind: 'blob.get' },
      { cap: 'other' },
      { params: params('POST', 'https://a.example/x') },
      { params: params('GET', 'https://b.example/x') },
      { params: params('GET', 'http://a.example/x') },
    ]) {
      expect(envelopeAllows(envelope, { ...question, ...other })).toBe(false);
    }
  });

  test('there is none for a plan that does not exist', () => {
    expect(effectEnvelope(envelope.catalog, 'demo/none@1')).toBeUndefined();
  });
});

test('five hundred steps whose variables double each other stay small', () => {
  const steps = Array.from({ length: 500 }, (_, i) => ({
    id: `s${i}`,
    op: 'assign',
    expr:
      i === 0
        ? { record: { a: ref('@plan.input.id'), b: ref('@plan.input.url') } }
        : { record: { a: ref(`@var:v${i - 1}`), b: ref(`@var:v${i - 1}`) } },
    bind: { as: `v${i}` },
  }));
  const envelope = envelopeOf([plan('demo/p@1', { steps, edges: chain(...steps.map(({ id }) => id)) })]);
  expect(envelope.plans[0]!.dead).toEqual([]);
});

describe('reducers', () => {
  const reducer = (name: string, event: string, effects: string[]) => ({
    $kind: 'defmodule',
    name,
    module_kind: 'reducer',
    abi: { reducer: { state: 'demo/Task@1', event, effects_emitted: effects } },
  });
  const family = schema('demo/Family@1', {
    variant: { Task: { ref: 'demo/Task@1' }, Timer: { ref: 'sys/TimerFired@1' } },
  });
  const other = schema('demo/Other@1', record({ id: TEXT }));
  const say = (event: string, value: Authored) => ({ id: 'say', op: 'raise_event', event, value });
  const task = { id: 'a', url: 'b', flag: true };
  const defs = [
    family,
    other,
    reducer('demo/count@1', 'demo/Family@1', ['timer.set']),
    reducer('demo/quiet@1', 'demo/Other@1', []),
  ];
  const started = plan('demo/q@1', { steps: [get({ text: 'https://a.example/' })] });
  const triggers = [{ event: 'demo/Ev@1', plan: 'demo/q@1', input_expr: task }];

  test('what takes an event of the run may emit what it declares, and raise any event', () => {
    const plans = [plan('demo/p@1', { steps: [say('demo/Task@1', task)] }), started];
    const envelope = envelopeOf(plans, { defs, triggers });
    expect(envelope.raises[0]!.reducers).toEqual([{ module: 'demo/count@1', effects: ['timer.set'] }]);
    expect(envelope.reducers).toEqual([
      { module: 'demo/count@1', effects: ['timer.set'] },
      { module: 'demo/quiet@1', effects: [] },
    ]);
    expect(envelope.plans.map(({ plan, via }) => `${plan} ${via}`)).toEqual(['demo/p@1 itself', 'demo/q@1 triggered']);
    expect(envelope.effects.map(({ plan, kind }) => `${plan} ${kind}`)).toEqual(['demo/q@1 http.request']);
    expect(envelopeStarts(envelope, 'demo/q@1')).toBe(true);
  });

  test('what no reducer takes reaches none', () => {
    const plans = [plan('demo/p@1', { steps: [say('demo/Text@1', 'x')] }), started];
    const envelope = envelopeOf(plans, { defs, triggers });
    expect(envelope.reducers).toEqual([]);
    expect(envelope.plans.map(({ plan }) => plan)).toEqual(['demo/p@1']);
    expect(envelopeStarts(envelope, 'demo/q@1')).toBe(false);
  });
});
