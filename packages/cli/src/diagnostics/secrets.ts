import { type DiagnosticGroup, example } from './entry.ts';

/** Secrets: rules V-205, V-611 … V-618. */
export const SECRETS: DiagnosticGroup = {
  title: 'Secrets',
  entries: [
    {
      code: 'secret.inline_unsupported',
      severity: 'error',
      rules: ['V-205'],
      title: 'A secret is declared inside the manifest of a folder.',
      meaning:
        'In a folder each secret has a node of its own, a defsecret, and the manifest lists it by name. The node never holds the secret itself, only where to find it.',
      wrong: example(
        'manifest',
        `
        {
          "secrets": [{ "name": "demo/key@1" }, «{ "alias": "demo/token", "version": 1, "binding_id": "env:DEMO_TOKEN" }»]
        }
      `,
      ),
      right: example(
        'nodes',
        `
        { "$kind": "defsecret", "name": "demo/token@1", "binding_id": "env:DEMO_TOKEN" }
      `,
      ),
    },
    {
      code: 'secret.name_invalid',
      severity: 'error',
      rules: ['V-611'],
      title: 'The name of a secret has no version from 1.',
      meaning:
        'A secret is named "namespace/alias@version". A new value is a new version, so that what runs keeps the value it began with.',
      wrong: example(
        'folder',
        `
        [
          { "$kind": "manifest", "air_version": "1", "schemas": [], "modules": [], "plans": [], "caps": [], "policies": [] },
          { "$kind": "defsecret", "name": «"demo/token"», "binding_id": "env:DEMO_TOKEN" }
        ]
      `,
      ),
      right: example(
        'nodes',
        `
        { "$kind": "defsecret", "name": "demo/token@1", "binding_id": "env:DEMO_TOKEN" }
      `,
      ),
    },
    {
      code: 'secret.binding_missing',
      severity: 'error',
      rules: ['V-612'],
      title: 'A secret does not say where its value is.',
      meaning:
        'binding_id names the place that holds the value, such as "env:DEMO_TOKEN" for an environment variable. It must not be blank.',
      wrong: example(
        'nodes',
        `
        { "$kind": "defsecret", "name": "demo/token@1", "binding_id": «" "» }
      `,
      ),
      right: example(
        'nodes',
        `
        { "$kind": "defsecret", "name": "demo/token@1", "binding_id": "env:DEMO_TOKEN" }
      `,
      ),
    },
    {
      code: 'secret.duplicate',
      severity: 'error',
      rules: ['V-613'],
      title: 'A secret is listed twice.',
      meaning: 'Alias and version together stand for one secret. Remove the second entry.',
      wrong: example(
        'manifest',
        `
        {
          "secrets": [{ "name": "demo/key@1" }, «{ "name": "demo/key@1" }»]
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "secrets": [{ "name": "demo/key@1" }]
        }
      `,
      ),
    },
    {
      code: 'secret.version_invalid',
      severity: 'error',
      rules: ['V-614'],
      title: 'A reference to a secret has version 0.',
      meaning: 'Versions of secrets begin with 1. Name the version that the manifest declares.',
      wrong: example('nodes', using('«{ "alias": "demo/key", "version": 0 }»')),
      right: example('nodes', using('{ "alias": "demo/key", "version": 1 }')),
    },
    {
      code: 'secret.unknown',
      severity: 'error',
      rules: ['V-615'],
      title: 'A reference names a secret that the manifest does not declare.',
      meaning:
        'Alias and version must be those of a listed defsecret. Correct the name or version, or list the secret.',
      wrong: example('nodes', using('«{ "alias": "demo/kye", "version": 1 }»')),
      right: example('nodes', using('{ "alias": "demo/key", "version": 1 }')),
    },
    {
      code: 'secret.not_permitted',
      severity: 'error',
      rules: ['V-616'],
      title: 'A plan or grant uses a secret that is not meant for it.',
      meaning:
        'A secret may be limited to plans (allowed_plans) and grants (allowed_caps). Add the plan or grant to the list of the secret if it may have it.',
      wrong: example('nodes', using('«{ "alias": "demo/token", "version": 1 }»', '"demo/other@1"')),
      right: example('nodes', using('{ "alias": "demo/token", "version": 1 }', '"demo/example@1"')),
    },
    {
      code: 'secret.in_grant',
      severity: 'error',
      rules: ['V-618'],
      title: 'The params of a grant hold a reference to a secret.',
      meaning:
        'Grants are shown to people and are part of the hash of the manifest; a secret belongs into the params of the effect, where it is filled in only when it is sent.',
      wrong: example(
        'folder',
        granted('«{ "token": { "alias": "demo/key", "version": 1 } }»', '{ "ref": "sys/SecretRef@1" }'),
      ),
      right: example('folder', granted('{ "token": "demo/key" }', '{ "text": {} }')),
    },
  ],
};

/** An effect that takes a secret, and a plan that emits it; with a limit, the secret demo/token@1 is for that plan only. */
function using(secret: string, limit?: string): string {
  const limited = `
          { "$kind": "defsecret", "name": "demo/token@1", "binding_id": "env:DEMO_TOKEN", "allowed_plans": [${limit}] },
          { "$kind": "defplan", "name": "demo/other@1", "input": "demo/Order@1", "steps": [{ "id": "done", "op": "end" }] },`;
  return `
        [${limit === undefined ? '' : limited}
          { "$kind": "defschema", "name": "demo/Login@1", "type": { "record": { "key": { "ref": "sys/SecretRef@1" } } } },
          {
            "$kind": "defeffect",
            "name": "demo/login@1",
            "kind": "demo.login",
            "params_schema": "demo/Login@1",
            "receipt_schema": "demo/Shipped@1",
            "cap_type": "timer",
            "origin_scope": "plan"
          },
          {
            "$kind": "defplan",
            "name": "demo/example@1",
            "input": "demo/Order@1",
            "steps": [
              { "id": "login", "op": "emit_effect", "kind": "demo.login", "cap": "cap_timer", "params": { "key": ${secret} }, "idempotency_key": { "op": "hash", "args": [{ "record": { "op": { "text": "example.login" }, "id": { "ref": "@plan.input.id" } } }] }, "bind": { "effect_id_as": "login_h" } }
            ]
          }
        ]
  `;
}

/** A whole folder with one grant. */
function granted(params: string, type: string): string {
  return `
        [
          {
            "$kind": "manifest",
            "air_version": "1",
            "schemas": [],
            "modules": [],
            "plans": [],
            "caps": [{ "name": "demo/login@1" }],
            "policies": [],
            "secrets": [{ "name": "demo/key@1" }],
            "defaults": { "cap_grants": [{ "name": "cap_login", "cap": "demo/login@1", "params": ${params} }] }
          },
          { "$kind": "defcap", "name": "demo/login@1", "cap_type": "login", "schema": { "record": { "token": ${type} } } },
          { "$kind": "defsecret", "name": "demo/key@1", "binding_id": "env:DEMO_KEY" }
        ]
  `;
}
