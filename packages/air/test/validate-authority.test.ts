import { hashOf, hashText, toHex } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { BUILTINS, builtinScope } from '../src/builtins.ts';
import type { Json } from '../src/json.ts';
import { readGrant } from '../src/validate-grants.ts';
import {
  type Authored,
  add,
  findings,
  load,
  NAT,
  node,
  plan,
  record,
  ref,
  schema,
  smallWorld,
  TEXT,
  type WorldFixture,
} from './fixtures.ts';

/** Rules V-420, V-421, V-6xx of definitions.md §10; grants and their hashes; what is not supported yet. */

type Case = [why: string, change: (world: WorldFixture) => void, expected: string[]];

function check(cases: readonly Case[]): void {
  test.each(cases)('%s', (_why, change, expected) => {
    const world = smallWorld();
    change(world);
    expect(findings(load(world.nodes))).toEqual(expected);
  });
}

const P = 'demo/p@1';

function grant(parts: Authored): (world: WorldFixture) => void {
  return ({ manifest }) => {
    manifest.defaults.cap_grants.push({ name: 'g', cap: 'sys/http.out@1', params: {}, ...parts });
  };
}

describe('V-420, V-421: a world’s own effects', () => {
  const effect = (parts: Authored) => (world: WorldFixture) => {
    add(
      world,
      schema('demo/Send@1', record({ dest_world: TEXT, value: { ref: 'demo/Task@1' }, mode: { option: TEXT } })),
      schema('demo/Call@1', record({ server: TEXT, tool: TEXT, arguments: record({ q: TEXT }) })),
      {
        $kind: 'defeffect',
        name: 'demo/e@1',
        kind: 'mail.send',
        params_schema: 'demo/Task@1',
        receipt_schema: 'demo/Done@1',
        cap_type: 'mail',
        origin_scope: 'plan',
        ...parts,
      },
    );
  };
  const send = {
    kind: 'fabric.send.task',
    params_schema: 'demo/Send@1',
    receipt_schema: 'sys/FabricSendReceipt@1',
    cap_type: 'fabric',
  };
  const call = {
    kind: 'mcp.call.search',
    params_schema: 'demo/Call@1',
    receipt_schema: 'sys/McpCallReceipt@1',
    cap_type: 'mcp',
  };
  check([
    [
      'V-420 schemas that are not there',
      effect({ params_schema: 'demo/X@1', receipt_schema: 'demo/Y@1' }),
      ['V-420 schema.not_found demo/e@1 /params_schema', 'V-420 schema.not_found demo/e@1 /receipt_schema'],
    ],
    ['V-420 built-in schemas', effect({ params_schema: 'sys/TimerSetParams@1' }), []],
    ['V-421 a typed message', effect(send), []],
    ['V-421 a typed tool call', effect(call), []],
    [
      'V-421 every part can be wrong',
      effect({
        ...send,
        cap_type: 'mcp',
        receipt_schema: 'demo/Done@1',
        origin_scope: 'both',
        params_schema: 'demo/Task@1',
      }),
      [
        'V-421 effect.variant_invalid demo/e@1 /params_schema',
        'V-421 effect.variant_invalid demo/e@1 /receipt_schema',
        'V-421 effect.variant_invalid demo/e@1 /cap_type',
        'V-421 effect.variant_invalid demo/e@1 /origin_scope',
      ],
    ],
    [
      'V-421 a value without schema of its own',
      (world) => {
        effect(send)(world);
        node(world, 'demo/Send@1').type.record.value = NAT;
      },
      ['V-421 effect.variant_invalid demo/e@1 /params_schema'],
    ],
    [
      'V-421 arguments that are no record',
      (world) => {
        effect(call)(world);
        node(world, 'demo/Call@1').type.record.arguments = { list: TEXT };
      },
      ['V-421 effect.variant_invalid demo/e@1 /params_schema'],
    ],
    [
      'V-421 a member of another type',
      (world) => {
        effect(send)(world);
        node(world, 'demo/Send@1').type.record.mode = TEXT;
      },
      ['V-421 effect.variant_invalid demo/e@1 /params_schema'],
    ],
  ]);
});

describe('V-601 … V-605: grants and caps', () => {
  check([
    [
      'V-601',
      (world) => {
        grant({})(world);
        grant({})(world);
      },
      ['V-601 grant.duplicate manifest /defaults/cap_grants/2/name'],
    ],
    ['V-602', grant({ cap: 'sys/htp.out@1' }), ['V-602 cap.def_not_found manifest /defaults/cap_grants/1/cap']],
    [
      'V-602 a cap that is not listed',
      (world) => {
        world.nodes.push({ $kind: 'defcap', name: 'demo/c@1', cap_type: 'x', schema: record({}) });
        grant({ cap: 'demo/c@1' })(world);
      },
      ['V-602 cap.def_not_found manifest /defaults/cap_grants/1/cap'],
    ],
    [
      'V-603 a wrong root',
      grant({ params: [] }),
      ['V-603 grant.params_invalid manifest /defaults/cap_grants/1/params'],
    ],
    [
      'V-603 a member that the cap does not know',
      grant({ params: { host: ['a'] } }),
      ['V-603 grant.params_invalid manifest /defaults/cap_grants/1/params/host'],
    ],
    [
      'V-603 a required one left out',
      grant({ cap: 'sys/mcp@1' }),
      ['V-603 grant.params_invalid manifest /defaults/cap_grants/1/params/servers'],
    ],
    [
      'options may be left out, in either lens',
      (world) => {
        grant({ params: { hosts: ['a.example'] } })(world);
        grant({ name: 'h', params: { record: { ports: { set: [{ nat: 443 }] } } } })(world);
      },
      [],
    ],
    ['an expiry beyond 2^53 may be a text', grant({ expiry_ns: '1900000000000000000' }), []],
    [
      'V-605 no such enforcer',
      (world) =>
        add(world, {
          $kind: 'defcap',
          name: 'demo/c@1',
          cap_type: 'x',
          schema: record({}),
          enforcer: { module: 'demo/m@1' },
        }),
      ['V-605 cap.enforcer_invalid demo/c@1 /enforcer/module'],
    ],
    [
      'V-605 a built-in one',
      (world) =>
        add(world, {
          $kind: 'defcap',
          name: 'demo/c@1',
          cap_type: 'http.out',
          schema: record({}),
          enforcer: { module: 'sys/CapEnforceHttpOut@1' },
        }),
      [],
    ],
  ]);
});

describe('V-604, V-606 … V-608: policies', () => {
  const rule = (when: Authored) => (world: WorldFixture) =>
    node(world, 'demo/policy@1').rules.push({ when, decision: 'deny' });
  check([
    [
      'V-604',
      ({ manifest }) => (manifest.defaults.policy = 'demo/polcy@1'),
      ['V-604 policy.not_found manifest /defaults/policy'],
    ],
    ['V-606', rule({ effect_kind: 'timer.sett' }), ['V-606 effect.not_found demo/policy@1 /rules/1/when/effect_kind']],
    ['V-606 a built-in kind that is not listed', rule({ effect_kind: 'http.request' }), []],
    ['V-607', rule({ cap_name: 'clok' }), ['V-607 grant.not_found demo/policy@1 /rules/1/when/cap_name']],
    ['no default policy is fine', ({ manifest }) => delete manifest.defaults.policy, []],
  ]);

  test('V-608: only a world that requires a policy refuses to do without', () => {
    const world = smallWorld();
    delete world.manifest.defaults.policy;
    expect(findings(load(world.nodes, { requirePolicy: true }))).toEqual([
      'V-608 policy.required manifest /defaults/policy',
    ]);
    expect(findings(load(smallWorld().nodes, { requirePolicy: true }))).toEqual([]);
  });
});

describe('V-611 … V-618: secrets', () => {
  const secret = (name: string, parts: Authored = {}) => ({
    $kind: 'defsecret',
    name,
    binding_id: 'env:KEY',
    ...parts,
  });
  const key = (alias: string, version: number) => ({ secret: { alias, version } });
  /** A plan that sends a secret as the API key of a model. */
  const asks =
    (apiKey: Authored, ...secrets: Authored[]) =>
    (world: WorldFixture) => {
      add(
        world,
        ...secrets,
        plan(P, {
          steps: [
            {
              id: 'ask',
              op: 'emit_effect',
              kind: 'llm.generate',
              cap: 'llm',
              params: { provider: 'p', model: 'm', temperature: '0', max_tokens: 1, message_refs: [], api_key: apiKey },
              bind: { effect_id_as: 'h' },
            },
          ],
        }),
      );
      world.manifest.effects.push({ name: 'sys/llm.generate@1' });
      world.manifest.defaults.cap_grants.push({ name: 'llm', cap: 'sys/llm.basic@1', params: {} });
    };
  check([
    ['V-611 no version', (world) => world.nodes.push(secret('demo/key')), ['V-611 secret.name_invalid demo/key /name']],
    [
      'V-611 version 0',
      (world) => world.nodes.push(secret('demo/key@0')),
      ['V-611 secret.name_invalid demo/key@0 /name'],
    ],
    [
      'V-611 no number',
      (world) => world.nodes.push(secret('demo/key@v1')),
      ['V-611 secret.name_invalid demo/key@v1 /name'],
    ],
    [
      'V-611 in the manifest',
      ({ manifest }) => (manifest.secrets = [{ name: 'demo/key@01' }]),
      ['V-611 secret.name_invalid manifest /secrets/0/name'],
    ],
    ['V-105 otherwise', (world) => world.nodes.push(secret('key@1')), ['V-105 name.invalid key@1 /name']],
    [
      'V-612 a blank binding',
      (world) => add(world, secret('demo/key@1', { binding_id: ' ' })),
      ['V-612 secret.binding_missing demo/key@1 /binding_id'],
    ],
    [
      'V-613 listed twice',
      (world) => {
        add(world, secret('demo/key@1'));
        world.manifest.secrets.push({ name: 'demo/key@1' });
      },
      ['V-613 secret.duplicate manifest /secrets/1'],
    ],
    [
      'V-614 version 0',
      asks(key('demo/key', 0), secret('demo/key@1')),
      [`V-614 secret.version_invalid ${P} /steps/0/params/api_key/secret`],
    ],
    [
      'V-615 not declared',
      asks(key('demo/key', 2), secret('demo/key@1')),
      [`V-615 secret.unknown ${P} /steps/0/params/api_key/secret`],
    ],
    [
      'V-615 in the tagged lens',
      asks(
        { tag: 'secret', value: { record: { alias: { text: 'demo/key' }, version: { nat: 2 } } } },
        secret('demo/key@1'),
      ),
      [`V-615 secret.unknown ${P} /steps/0/params/api_key/value`],
    ],
    [
      'V-615 not listed',
      (world) => {
        asks(key('demo/key', 1))(world);
        world.nodes.push(secret('demo/key@1'));
      },
      [`V-615 secret.unknown ${P} /steps/0/params/api_key/secret`],
    ],
    ['a declared one', asks(key('demo/key', 1), secret('demo/key@1')), []],
    ['a literal that only looks like one is none', asks({ literal: '{"alias":"x","version":1}' }), []],
    [
      'V-616 another plan',
      asks(key('demo/key', 1), secret('demo/key@1', { allowed_plans: ['demo/core_run@1'] })),
      [`V-616 secret.not_permitted ${P} /steps/0/params/api_key/secret`],
    ],
    [
      'V-616 another grant',
      asks(key('demo/key', 1), secret('demo/key@1', { allowed_caps: ['clock'] })),
      [`V-616 secret.not_permitted ${P} /steps/0/params/api_key/secret`],
    ],
    [
      'V-616 both allowed',
      asks(key('demo/key', 1), secret('demo/key@1', { allowed_caps: ['llm'], allowed_plans: [P] })),
      [],
    ],
    [
      'V-617',
      (world) =>
        add(
          world,
          secret('demo/key@1', { allowed_caps: ['clock', 'x'], allowed_plans: ['demo/core_run@1', 'demo/x@1'] }),
        ),
      ['V-617 grant.not_found demo/key@1 /allowed_caps/1', 'V-617 plan.not_found demo/key@1 /allowed_plans/1'],
    ],
    [
      'V-618 in a grant',
      (world) => {
        add(world, secret('demo/key@1'), {
          $kind: 'defcap',
          name: 'demo/c@1',
          cap_type: 'x',
          schema: record({ k: { ref: 'sys/SecretRef@1' } }),
        });
        grant({ cap: 'demo/c@1', params: { k: { alias: 'demo/key', version: 1 } } })(world);
      },
      ['V-618 secret.in_grant manifest /defaults/cap_grants/1/params'],
    ],
    [
      'V-616 and V-615 come before an unknown cap (V-602)',
      grant({ cap: 'demo/gone@1', params: { k: { alias: 'demo/key', version: 1 } } }),
      [
        'V-615 secret.unknown manifest /defaults/cap_grants/1/params',
        'V-618 secret.in_grant manifest /defaults/cap_grants/1/params',
      ],
    ],
  ]);

  test('a reference inside an expression is found by its schema', () => {
    const world = smallWorld();
    add(
      world,
      schema(
        'demo/Login@1',
        record({
          user: TEXT,
          key: { ref: 'sys/SecretRef@1' },
          more: { list: { ref: 'sys/SecretRef@1' } },
          by: { map: { key: TEXT, value: { ref: 'sys/SecretRef@1' } } },
        }),
      ),
      plan(P, {
        steps: [
          {
            id: 'r',
            op: 'raise_event',
            event: 'demo/Login@1',
            value: {
              user: ref('@plan.input.id'),
              key: { alias: 'a', version: 1 },
              more: [{ alias: 'b', version: 0 }],
              by: { x: { alias: 'c', version: 1 } },
            },
          },
        ],
      }),
    );
    const loaded = load(world.nodes);
    expect(findings(loaded)).toEqual([
      `V-615 secret.unknown ${P} /steps/0/value/key`,
      `V-614 secret.version_invalid ${P} /steps/0/value/more/0`,
      `V-615 secret.unknown ${P} /steps/0/value/by`,
    ]);
  });
});

describe('not supported yet', () => {
  const module = {
    $kind: 'defmodule',
    name: 'demo/m@1',
    module_kind: 'reducer',
    abi: { reducer: { state: 'demo/Task@1', event: 'demo/Task@1' } },
  };
  const enforcer = {
    $kind: 'defmodule',
    name: 'demo/check@1',
    module_kind: 'pure',
    abi: { pure: { input: 'sys/CapCheckInput@1', output: 'sys/CapCheckOutput@1' } },
  };
  check([
    ['a module', (world) => add(world, module), ['- unsupported manifest /modules/0']],
    [
      'a built-in reducer',
      ({ manifest }) => manifest.modules.push({ name: 'sys/Workspace@1' }),
      ['- unsupported manifest /modules/0'],
    ],
    [
      'routing, inboxes, bindings',
      ({ manifest }) => {
        manifest.module_bindings = { 'demo/m@1': { slots: { default: 'clock' } } };
        manifest.routing = {
          events: [{ event: 'demo/Task@1', reducer: 'demo/m@1' }],
          inboxes: [{ source: 'fabric', reducer: 'demo/m@1' }],
        };
      },
      [
        '- unsupported manifest /module_bindings',
        '- unsupported manifest /routing/events',
        '- unsupported manifest /routing/inboxes',
      ],
    ],
    [
      'empty routing and bindings ask for nothing',
      ({ manifest }) => {
        manifest.module_bindings = {};
        manifest.routing = { events: [], inboxes: [] };
      },
      [],
    ],
    [
      'an enforcer of the world’s own',
      (world) =>
        add(world, enforcer, {
          $kind: 'defcap',
          name: 'demo/c@1',
          cap_type: 'x',
          schema: record({}),
          enforcer: { module: 'demo/check@1' },
        }),
      ['- unsupported manifest /modules/0', '- unsupported demo/c@1 /enforcer/module'],
    ],
    [
      'a kind that the kernel would have to answer',
      (world) => {
        add(
          world,
          plan(P, {
            steps: [
              {
                id: 'a',
                op: 'emit_effect',
                kind: 'workspace.empty_root',
                params: { workspace: 'w' },
                cap: 'ws',
                bind: { effect_id_as: 'h' },
              },
            ],
          }),
        );
        world.manifest.effects.push({ name: 'sys/workspace.empty_root@1' });
        world.manifest.defaults.cap_grants.push({ name: 'ws', cap: 'sys/workspace@1', params: {} });
      },
      [`- unsupported ${P} /steps/0/kind`],
    ],
    [
      'listing such an effect and granting its cap is harmless',
      ({ manifest }) => {
        manifest.effects.push({ name: 'sys/workspace.empty_root@1' });
        manifest.defaults.cap_grants.push({ name: 'ws', cap: 'sys/workspace@1', params: {} });
      },
      [],
    ],
  ]);
});

describe('grants in the catalog (values.md §8)', () => {
  function read(cap: string, params: Json, expiryNs?: bigint) {
    const def = BUILTINS.caps.get(cap)?.def;
    if (def === undefined) throw new Error(cap);
    const found = readGrant(
      { name: 'g', cap, params, ...(expiryNs === undefined ? {} : { expiryNs }), path: [] },
      def,
      builtinScope(),
    );
    if (!found.ok) throw new Error(found.failure[0]?.message);
    return found.value;
  }

  test('C-10 and C-32: params of sys/http.out@1 and the grant hash', () => {
    const { grant: made } = read('sys/http.out@1', { hosts: ['b.example', 'a.example'] });
    expect(toHex(made.paramsCbor)).toBe(
      'd9d9f7a565686f7374738269612e6578616d706c6569622e6578616d706c6565706f727473f6676d6574686f6473f667736368656d6573f66d706174685f7072656669786573f6',
    );
    expect(hashText(made.grantHash)).toBe('sha256:47ca1b6592fdac76dc5d996430e1b1c655248a0c09631e4ecb70ccc45fd4d0b4');
    expect([made.capType, made.enforcer]).toEqual(['http.out', 'sys/CapEnforceHttpOut@1']);
  });

  test('kernel.md §1: grants of sys/timer@1 with and without expiry', () => {
    expect(toHex(read('sys/timer@1', {}).grant.grantHash)).toBe(
      '197f17f1c5f766bf5a37c5a290471cbec3c1dd21d913e07c23838f7d6d2cc1d1',
    );
    expect(toHex(read('sys/timer@1', {}, 1000n).grant.grantHash)).toBe(
      '0c605afccf2c4e1600d73a0179043c80f4fbcd56730ec87f3fe84bd1d8af1790',
    );
  });

  test('params in the tagged lens stay as written in the manifest, sugar becomes the canonical literal (definitions.md §3.8)', () => {
    const tagged = { record: { hosts: { set: [{ text: 'b.example' }, { text: 'a.example' }] } } };
    const sugar = read('sys/http.out@1', { hosts: ['b.example', 'a.example'] });
    expect(read('sys/http.out@1', tagged).params).toEqual(tagged);
    expect(hashText(hashOf(sugar.params as never))).not.toBe(hashText(hashOf(tagged)));
    expect(sugar.params).toEqual({
      record: {
        hosts: { set: [{ text: 'a.example' }, { text: 'b.example' }] },
        ports: { null: {} },
        methods: { null: {} },
        schemes: { null: {} },
        path_prefixes: { null: {} },
      },
    });
    expect(toHex(read('sys/http.out@1', tagged).grant.paramsCbor)).toBe(toHex(sugar.grant.paramsCbor));
  });

  test('a governance grant without the two extra members keeps the published shape', () => {
    expect(toHex(read('sys/governance@1', {}).grant.paramsCbor)).not.toContain(
      toHex(new Uint8Array([0x67, ...[...'actions'].map((c) => c.charCodeAt(0))])),
    );
    expect(toHex(read('sys/governance@1', { actions: ['propose'] }).grant.paramsCbor)).toContain('67616374696f6e7381');
  });
});
