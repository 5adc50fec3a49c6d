import { type Authored, add, node, plan, record, schema, TEXT, type WorldFixture } from '../fixtures.ts';
import { P } from './plans.ts';
import type { Change, RuleCase } from './rule-case.ts';
import { PLAN } from './structure.ts';

/** V-6xx: grants, caps, policies, secrets. */

const grant =
  (parts: Authored): Change =>
  ({ manifest }) => {
    manifest.defaults.cap_grants.push({ name: 'g', cap: 'sys/http.out@1', params: {}, ...parts });
  };
const G = 'manifest /defaults/cap_grants/1';
const cap = (parts: Authored) => ({ $kind: 'defcap', name: 'demo/c@1', cap_type: 'x', schema: record({}), ...parts });
const rule =
  (when: Authored): Change =>
  (world) => {
    node(world, 'demo/policy@1').rules.push({ when, decision: 'deny' });
  };
const secret = (name: string, parts: Authored = {}) => ({ $kind: 'defsecret', name, binding_id: 'env:KEY', ...parts });
const key = (alias: string, version: number) => ({ secret: { alias, version } });
/** A plan that sends a secret as the API key of a model. */
const asks =
  (apiKey: Authored, ...secrets: Authored[]): Change =>
  (world) => {
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
const KEY_PATH = `${P} /steps/0/params/api_key/secret`;
const asksWell = asks(key('demo/key', 1), secret('demo/key@1', { allowed_caps: ['llm'], allowed_plans: [P] }));
const listed =
  (...nodes: Authored[]): Change =>
  (world) => {
    add(world, ...nodes);
  };
const secretCap = cap({ schema: record({ k: { option: { ref: 'sys/SecretRef@1' } } }) });

export const AUTHORITY: readonly RuleCase[] = [
  {
    of: 'V-601 two grants of one name',
    wrong: (world) => {
      grant({})(world);
      grant({})(world);
    },
    finds: ['V-601 grant.duplicate manifest /defaults/cap_grants/2/name'],
    fields: { grant: 'g' },
    right: (world) => {
      grant({})(world);
      grant({ name: 'h' })(world);
    },
  },
  {
    of: 'V-602 a cap that is not there',
    wrong: grant({ cap: 'sys/htp.out@1' }),
    finds: [`V-602 cap.def_not_found ${G}/cap`],
    fields: { cap: 'sys/htp.out@1' },
    hint: 'sys/http.out@1',
    right: grant({}),
  },
  {
    of: 'V-602 a cap that is not listed',
    wrong: (world) => {
      grant({ cap: 'demo/c@1' })(world);
      world.nodes.push(cap({}));
    },
    finds: [`V-602 cap.def_not_found ${G}/cap`, '- def.unlisted demo/c@1 /name'],
    hint: 'manifest.caps',
    right: (world) => {
      grant({ cap: 'demo/c@1' })(world);
      add(world, cap({}));
    },
  },
  {
    of: 'V-603 a wrong root',
    wrong: grant({ params: [] }),
    finds: [`V-603 grant.params_invalid ${G}/params`],
    fields: { grant: 'g', cap: 'sys/http.out@1', cause: 'value.type_mismatch', expected: 'record', got: 'list' },
    right: grant({ params: { hosts: ['a.example'] } }),
  },
  {
    of: 'V-603 a member that the cap does not know',
    wrong: grant({ params: { host: ['a'] } }),
    finds: [`V-603 grant.params_invalid ${G}/params/host`],
    hint: 'hosts',
    right: grant({ params: { record: { hosts: { set: [{ text: 'a' }] } } } }),
  },
  {
    of: 'V-603 a required field left out',
    wrong: grant({ cap: 'sys/mcp@1' }),
    finds: [`V-603 grant.params_invalid ${G}/params/servers`],
    right: grant({ cap: 'sys/mcp@1', params: { servers: ['s'] } }),
  },
  {
    of: 'V-604 a policy that is not there',
    wrong: ({ manifest }) => (manifest.defaults.policy = 'demo/polcy@1'),
    finds: ['V-604 policy.not_found manifest /defaults/policy'],
    fields: { policy: 'demo/polcy@1' },
    hint: 'demo/policy@1',
  },
  {
    of: 'V-605 an enforcer that is none',
    wrong: listed(cap({ enforcer: { module: 'sys/CapEnforceHttpOt@1' } })),
    finds: ['V-605 cap.enforcer_invalid demo/c@1 /enforcer/module'],
    fields: { cap: 'demo/c@1', module: 'sys/CapEnforceHttpOt@1' },
    hint: 'sys/CapEnforceHttpOut@1',
    right: listed(cap({ enforcer: { module: 'sys/CapEnforceHttpOut@1' } })),
  },
  {
    of: 'V-605 a module of another signature',
    wrong: listed(cap({ enforcer: { module: 'demo/check@1' } }), {
      $kind: 'defmodule',
      name: 'demo/check@1',
      module_kind: 'pure',
      abi: { pure: { input: 'demo/Task@1', output: 'demo/Done@1' } },
    }),
    finds: ['V-605 cap.enforcer_invalid demo/c@1 /enforcer/module'],
    right: listed(cap({ enforcer: { module: 'demo/check@1' } }), {
      $kind: 'defmodule',
      name: 'demo/check@1',
      module_kind: 'pure',
      abi: { pure: { input: 'sys/CapCheckInput@1', output: 'sys/CapCheckOutput@1' } },
    }),
  },
  {
    of: 'V-606 a kind that nobody knows',
    wrong: rule({ effect_kind: 'timer.sett' }),
    finds: ['V-606 effect.not_found demo/policy@1 /rules/1/when/effect_kind'],
    fields: { kind: 'timer.sett' },
    hint: 'timer.set',
    // A built-in kind need not be listed.
    right: rule({ effect_kind: 'http.request' }),
  },
  {
    of: 'V-607 a grant that is not there',
    wrong: rule({ cap_name: 'clok' }),
    finds: ['V-607 grant.not_found demo/policy@1 /rules/1/when/cap_name'],
    fields: { grant: 'clok' },
    hint: 'clock',
    right: rule({ cap_name: 'clock' }),
  },
  {
    of: 'V-608 a world that requires a policy',
    wrong: ({ manifest }) => delete manifest.defaults.policy,
    finds: ['V-608 policy.required manifest /defaults/policy'],
    options: { requirePolicy: true },
  },
  ...(
    [
      ['demo/key', 'missing @version suffix'],
      ['demo/key@0', 'version must be >= 1'],
      ['demo/key@v1', 'version is not a positive integer'],
    ] as const
  ).map(
    ([name, reason]): RuleCase => ({
      of: `V-611 ${name}`,
      wrong: (world) => world.nodes.push(secret(name)),
      finds: [`V-611 secret.name_invalid ${name} /name`],
      fields: { name, reason },
      right: listed(secret('demo/key@1')),
    }),
  ),
  {
    of: 'V-611 in the manifest',
    wrong: ({ manifest }) => (manifest.secrets = [{ name: 'demo/key@01' }]),
    finds: ['V-611 secret.name_invalid manifest /secrets/0/name'],
    right: listed(secret('demo/key@1')),
  },
  {
    of: 'V-612 a blank binding',
    wrong: listed(secret('demo/key@1', { binding_id: ' ' })),
    finds: ['V-612 secret.binding_missing demo/key@1 /binding_id'],
    fields: { alias: 'demo/key', version: 1 },
    right: listed(secret('demo/key@1')),
  },
  {
    of: 'V-613 one reference listed twice',
    wrong: (world) => {
      add(world, secret('demo/key@1'));
      world.manifest.secrets.push({ name: 'demo/key@1' });
    },
    finds: ['V-613 secret.duplicate manifest /secrets/1'],
    fields: { alias: 'demo/key', version: 1 },
    right: listed(secret('demo/key@1'), secret('demo/key@2')),
  },
  {
    of: 'V-614 a reference to version 0',
    wrong: asks(key('demo/key', 0), secret('demo/key@1')),
    finds: [`V-614 secret.version_invalid ${KEY_PATH}`],
    fields: { alias: 'demo/key', version: 0, context: `plan ${P}` },
    right: asksWell,
  },
  {
    of: 'V-615 a secret that is not declared',
    wrong: asks(key('demo/key', 2), secret('demo/key@1')),
    finds: [`V-615 secret.unknown ${KEY_PATH}`],
    fields: { alias: 'demo/key', version: 2, context: `plan ${P}` },
    hint: 'demo/key@1',
    // What only looks like a reference is none.
    right: asks({ literal: '{"alias":"x","version":1}' }),
  },
  {
    of: 'V-615 in the tagged lens',
    wrong: asks(
      { tag: 'secret', value: { record: { alias: { text: 'demo/key' }, version: { nat: 2 } } } },
      secret('demo/key@1'),
    ),
    finds: [`V-615 secret.unknown ${P} /steps/0/params/api_key/value`],
    right: asksWell,
  },
  {
    of: 'V-616 another plan',
    wrong: asks(key('demo/key', 1), secret('demo/key@1', { allowed_plans: [PLAN] })),
    finds: [`V-616 secret.not_permitted ${KEY_PATH}`],
    fields: { alias: 'demo/key', version: 1, context: `plan ${P}` },
    right: asksWell,
  },
  {
    of: 'V-616 another grant',
    wrong: asks(key('demo/key', 1), secret('demo/key@1', { allowed_caps: ['clock'] })),
    finds: [`V-616 secret.not_permitted ${KEY_PATH}`],
    right: asksWell,
  },
  {
    of: 'V-616 in a grant of a cap that is not there',
    wrong: (world) => {
      add(world, secret('demo/key@1', { allowed_caps: ['clock'] }));
      grant({ cap: 'demo/gone@1', params: { k: { alias: 'demo/key', version: 1 } } })(world);
    },
    finds: [
      `V-602 cap.def_not_found ${G}/cap`,
      `V-616 secret.not_permitted ${G}/params`,
      `V-618 secret.in_grant ${G}/params`,
    ],
    fields: { alias: 'demo/key', version: 1, context: 'cap grant g' },
    right: (world) => {
      add(world, secret('demo/key@1', { allowed_caps: ['clock'] }));
      grant({})(world);
    },
  },
  {
    of: 'V-617 grants and plans that are not there',
    wrong: listed(secret('demo/key@1', { allowed_caps: ['clock', 'clok'], allowed_plans: [PLAN, 'demo/core_rnu@1'] })),
    finds: ['V-617 grant.not_found demo/key@1 /allowed_caps/1', 'V-617 plan.not_found demo/key@1 /allowed_plans/1'],
    fields: { grant: 'clok' },
    hint: 'clock',
    right: listed(secret('demo/key@1', { allowed_caps: ['clock'], allowed_plans: [PLAN] })),
  },
  {
    of: 'V-618 a reference in a grant',
    wrong: (world) => {
      add(world, secret('demo/key@1'), secretCap);
      grant({ cap: 'demo/c@1', params: { k: { alias: 'demo/key', version: 1 } } })(world);
    },
    finds: [`V-618 secret.in_grant ${G}/params`],
    fields: { grant: 'g' },
    right: (world) => {
      add(world, secret('demo/key@1'), secretCap);
      grant({ cap: 'demo/c@1' })(world);
    },
  },
  {
    of: 'V-615 inside an expression, found by the schema',
    wrong: (world: WorldFixture) => {
      add(
        world,
        schema(
          'demo/Login@1',
          record({ user: TEXT, key: { ref: 'sys/SecretRef@1' }, more: { list: { ref: 'sys/SecretRef@1' } } }),
        ),
        plan(P, {
          steps: [
            {
              id: 'r',
              op: 'raise_event',
              event: 'demo/Login@1',
              value: {
                user: { ref: '@plan.input.id' },
                key: { alias: 'a', version: 1 },
                more: [{ alias: 'b', version: 0 }],
              },
            },
          ],
        }),
      );
    },
    finds: [`V-615 secret.unknown ${P} /steps/0/value/key`, `V-614 secret.version_invalid ${P} /steps/0/value/more/0`],
    right: asksWell,
  },
];
