import { type DiagnosticGroup, example } from './entry.ts';

const EMIT = (cap: string, params = '{ "deliver_at_ns": { "ref": "@plan.input.deadline_ns" } }') =>
  `{ "id": "arm", "op": "emit_effect", "kind": "timer.set", "cap": ${cap}, "params": ${params}, "bind": { "effect_id_as": "arm_h" } }`;

/** Grants, caps, effects and policies: rules V-420, V-421, V-519 … V-522, V-601 … V-608. */
export const AUTHORITY: DiagnosticGroup = {
  title: 'Effects, grants and policies',
  entries: [
    {
      code: 'grant.not_found',
      severity: 'error',
      rules: ['V-411', 'V-519', 'V-520', 'V-607', 'V-617'],
      title: 'A grant that is named here is not among the grants of the manifest.',
      meaning:
        'Nothing leaves a world without a grant: every emit_effect names one under "cap", and it must stand in defaults.cap_grants of the manifest. Correct the name, or add the grant there.',
      wrong: example(
        'steps',
        `
        [
          ${EMIT('«"cap_clock"»')},
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'steps',
        `
        [
          ${EMIT('"cap_timer"')},
          { "id": "done", "op": "end" }
        ]
      `,
      ),
    },
    {
      code: 'cap.type_mismatch',
      severity: 'error',
      rules: ['V-412', 'V-519'],
      title: 'A step uses a grant that is for another sort of effect.',
      meaning:
        'Each effect belongs to a cap type, and only a grant of that type can let it pass: http.request needs http.out, timer.set needs timer. Name a grant of the right type.',
      wrong: example(
        'steps',
        `
        [
          ${EMIT('«"cap_web"»')},
          { "id": "done", "op": "end" }
        ]
      `,
      ),
      right: example(
        'steps',
        `
        [
          ${EMIT('"cap_timer"')},
          { "id": "done", "op": "end" }
        ]
      `,
      ),
    },
    {
      code: 'grant.duplicate',
      severity: 'error',
      rules: ['V-601'],
      title: 'Two grants have one name.',
      meaning: 'Steps name grants, so a name stands for one grant. Rename one of them.',
      wrong: example(
        'manifest',
        `
        {
          "defaults": {
            "cap_grants": [
              { "name": "cap_timer", "cap": "sys/timer@1", "params": {} },
              { "name": «"cap_timer"», "cap": "sys/timer@1", "params": {} }
            ]
          }
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "defaults": {
            "cap_grants": [
              { "name": "cap_timer", "cap": "sys/timer@1", "params": {} }
            ]
          }
        }
      `,
      ),
    },
    {
      code: 'grant.params_invalid',
      severity: 'error',
      rules: ['V-603'],
      title: 'The params of a grant do not fit the schema of its cap.',
      meaning:
        'A grant says how far it goes in its params: which hosts, which methods, how much. Each cap has a schema for them; the message says which part does not fit.',
      wrong: example(
        'manifest',
        `
        {
          "defaults": {
            "cap_grants": [
              { "name": "cap_web", "cap": "sys/http.out@1", "params": { "hosts": «"example.com"» } }
            ]
          }
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "defaults": {
            "cap_grants": [
              { "name": "cap_web", "cap": "sys/http.out@1", "params": { "hosts": ["example.com"] } }
            ]
          }
        }
      `,
      ),
    },
    {
      code: 'cap.def_not_found',
      severity: 'error',
      rules: ['V-602'],
      title: 'A grant is of a cap that is neither listed nor built in.',
      meaning:
        'The cap of a grant says which sort of effect it is for and how its params are judged. Use one of the runtime, such as sys/http.out@1 or sys/timer@1, or list your own defcap in the manifest.',
      wrong: example(
        'manifest',
        `
        {
          "defaults": { "cap_grants": [{ "name": "cap_timer", "cap": «"sys/timers@1"», "params": {} }] }
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "defaults": { "cap_grants": [{ "name": "cap_timer", "cap": "sys/timer@1", "params": {} }] }
        }
      `,
      ),
    },
    {
      code: 'cap.enforcer_invalid',
      severity: 'error',
      rules: ['V-605'],
      title: 'The enforcer of a cap is no module that could judge.',
      meaning:
        'The enforcer decides whether an effect stays within its grant. It is sys/CapAllowAll@1, an enforcer of the runtime, or a listed pure module from sys/CapCheckInput@1 to sys/CapCheckOutput@1. Leave it out to allow whatever the grant is for.',
      wrong: example(
        'nodes',
        `
        {
          "$kind": "defcap",
          "name": "demo/mail@1",
          "cap_type": "mail",
          "schema": { "record": {} },
          "enforcer": { "module": «"demo/judge@1"» }
        }
      `,
      ),
      right: example(
        'nodes',
        `
        {
          "$kind": "defcap",
          "name": "demo/mail@1",
          "cap_type": "mail",
          "schema": { "record": {} }
        }
      `,
      ),
    },
    {
      code: 'effect.not_found',
      severity: 'error',
      rules: ['V-410', 'V-520', 'V-606'],
      title: 'An effect kind that is named here does not exist.',
      meaning:
        'Rules of a policy and the lists of a plan or module name kinds of effects: those of the runtime, listed or not, and the listed ones of your own. A rule for a kind that does not exist would never apply.',
      wrong: example(
        'nodes',
        `
        {
          "$kind": "defpolicy",
          "name": "demo/policy@1",
          "rules": [{ "when": { "effect_kind": «"timer.sett"» }, "decision": "allow" }]
        }
      `,
      ),
      right: example(
        'nodes',
        `
        {
          "$kind": "defpolicy",
          "name": "demo/policy@1",
          "rules": [{ "when": { "effect_kind": "timer.set" }, "decision": "allow" }]
        }
      `,
      ),
    },
    {
      code: 'effect.origin_scope',
      severity: 'error',
      rules: ['V-410', 'V-522'],
      title: 'An effect is emitted by a plan that only modules may emit, or the other way round.',
      meaning:
        'The origin_scope of an effect says who may emit it: plan, reducer or both. Emit another effect, or, if the effect is your own, widen its scope in a new version.',
      wrong: example(
        'nodes',
        `
        [
          {
            "$kind": "defeffect",
            "name": "demo/alarm@1",
            "kind": "demo.alarm",
            "params_schema": "demo/Shipped@1",
            "receipt_schema": "demo/Shipped@1",
            "cap_type": "timer",
            "origin_scope": "reducer"
          },
          {
            "$kind": "defplan",
            "name": "demo/example@1",
            "input": "demo/Shipped@1",
            "steps": [
              { "id": "ring", "op": "emit_effect", "kind": «"demo.alarm"», "cap": "cap_timer", "params": { "ref": "@plan.input" }, "idempotency_key": { "op": "hash", "args": [{ "record": { "op": { "text": "example.ring" }, "id": { "ref": "@plan.input.id" } } }] }, "bind": { "effect_id_as": "ring_h" } }
            ]
          }
        ]
      `,
      ),
      right: example(
        'nodes',
        `
        [
          {
            "$kind": "defeffect",
            "name": "demo/alarm@1",
            "kind": "demo.alarm",
            "params_schema": "demo/Shipped@1",
            "receipt_schema": "demo/Shipped@1",
            "cap_type": "timer",
            "origin_scope": "both"
          },
          {
            "$kind": "defplan",
            "name": "demo/example@1",
            "input": "demo/Shipped@1",
            "steps": [
              { "id": "ring", "op": "emit_effect", "kind": "demo.alarm", "cap": "cap_timer", "params": { "ref": "@plan.input" }, "idempotency_key": { "op": "hash", "args": [{ "record": { "op": { "text": "example.ring" }, "id": { "ref": "@plan.input.id" } } }] }, "bind": { "effect_id_as": "ring_h" } }
            ]
          }
        ]
      `,
      ),
    },
    {
      code: 'effect.variant_invalid',
      severity: 'error',
      rules: ['V-421'],
      title: 'A typed variant of fabric.send or mcp.call does not have the form of its base.',
      meaning:
        'An effect whose kind begins with "fabric.send." or "mcp.call." is carried out as its base kind, so it has the same cap type, receipt schema and scope, and params that differ only in what is sent. The message says which of them is wrong.',
      wrong: example(
        'nodes',
        `
        [
          { "$kind": "defschema", "name": "demo/Told@1", "type": { "record": { "dest_world": { "text": {} }, "value": { "ref": "demo/Shipped@1" } } } },
          {
            "$kind": "defeffect",
            "name": "demo/tell@1",
            "kind": "fabric.send.shipped",
            "params_schema": "demo/Told@1",
            "receipt_schema": "sys/FabricSendReceipt@1",
            "cap_type": «"http.out"»,
            "origin_scope": "plan"
          }
        ]
      `,
      ),
      right: example(
        'nodes',
        `
        [
          { "$kind": "defschema", "name": "demo/Told@1", "type": { "record": { "dest_world": { "text": {} }, "value": { "ref": "demo/Shipped@1" } } } },
          {
            "$kind": "defeffect",
            "name": "demo/tell@1",
            "kind": "fabric.send.shipped",
            "params_schema": "demo/Told@1",
            "receipt_schema": "sys/FabricSendReceipt@1",
            "cap_type": "fabric",
            "origin_scope": "plan"
          }
        ]
      `,
      ),
    },
    {
      code: 'policy.not_found',
      severity: 'error',
      rules: ['V-604'],
      title: 'The default policy is not listed.',
      meaning:
        'defaults.policy names a policy that must be listed under "policies" of the manifest, with its definition in the folder.',
      wrong: example(
        'manifest',
        `
        {
          "defaults": {
            "policy": «"demo/strict@1"»,
            "cap_grants": [{ "name": "cap_timer", "cap": "sys/timer@1", "params": {} }]
          }
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "defaults": {
            "policy": "demo/policy@1",
            "cap_grants": [{ "name": "cap_timer", "cap": "sys/timer@1", "params": {} }]
          }
        }
      `,
      ),
    },
    {
      code: 'policy.required',
      severity: 'error',
      rules: ['V-608'],
      title: 'The world demands a default policy, and the manifest has none.',
      meaning:
        'With world.require_policy in worldline.host.json nothing is allowed by grants alone: a policy must say what may pass. Name one under defaults.policy, or take the demand back.',
      wrong: example(
        'worldline.host.json',
        `
        {
          "world": { "require_policy": true }
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "defaults": {
            "policy": "demo/policy@1",
            "cap_grants": [{ "name": "cap_timer", "cap": "sys/timer@1", "params": {} }]
          }
        }
      `,
      ),
    },
  ],
};
