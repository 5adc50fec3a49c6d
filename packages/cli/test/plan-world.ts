import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emptyFolder } from './support.ts';

/** A folder whose plans reach all kinds of things; nothing of it is ever run. */

type Node = Record<string, unknown>;

const TEXT = { text: {} };
const ref = (path: string) => ({ ref: path });
const http = (id: string, cap: string, method: unknown, url: unknown): Node => ({
  id,
  op: 'emit_effect',
  kind: 'http.request',
  cap,
  params: { method, url, headers: {} },
  bind: { effect_id_as: `${id}_h` },
});

const ORDER = { record: { id: TEXT, url: TEXT, paid: { bool: {} } } };

const NODES: readonly Node[] = [
  { $kind: 'defschema', name: 'shop/Order@1', type: ORDER },
  { $kind: 'defschema', name: 'shop/Paid@1', type: { record: { id: TEXT } } },
  { $kind: 'defsecret', name: 'llm/key@1', binding_id: 'env:LLM_KEY', allowed_caps: ['model'] },
  {
    $kind: 'defpolicy',
    name: 'shop/policy@1',
    rules: [
      { when: { cap_name: 'blocked' }, decision: 'deny' },
      { when: {}, decision: 'allow' },
    ],
  },
  {
    $kind: 'defplan',
    name: 'shop/pay@1',
    input: 'shop/Order@1',
    steps: [
      http('check', 'api', 'GET', 'https://api.example.com/health'),
      http('post', 'api', 'POST', {
        op: 'concat',
        args: [{ text: 'https://api.example.com/pay/' }, ref('@plan.input.id')],
      }),
      http('off', 'api', 'DELETE', 'https://api.example.com/all'),
      http('elsewhere', 'api', 'GET', 'https://elsewhere.example/'),
      http('blocked', 'blocked', 'GET', 'https://api.example.com/'),
      {
        id: 'ask',
        op: 'emit_effect',
        kind: 'llm.generate',
        cap: 'model',
        params: {
          provider: 'acme',
          model: 'small',
          temperature: '0',
          max_tokens: 100,
          message_refs: [],
          api_key: { secret: { alias: 'llm/key', version: 1 } },
        },
        bind: { effect_id_as: 'ask_h' },
      },
      { id: 'tell', op: 'raise_event', event: 'shop/Paid@1', value: { id: ref('@plan.input.id') } },
      { id: 'kid', op: 'spawn_plan', plan: 'shop/note@1', input: ref('@plan.input'), bind: { handle_as: 'kid_h' } },
      { id: 'wait', op: 'await_event', event: 'shop/Paid@1', bind: { as: 'e' } },
    ],
    edges: [
      { from: 'check', to: 'post', when: ref('@plan.input.paid') },
      { from: 'check', to: 'off', when: { bool: false } },
    ],
  },
  {
    $kind: 'defplan',
    name: 'shop/note@1',
    input: 'shop/Order@1',
    steps: [http('note', 'hook', 'POST', ref('@plan.input.url'))],
  },
  {
    $kind: 'defplan',
    name: 'shop/after@1',
    input: 'shop/Paid@1',
    steps: [
      {
        id: 'nap',
        op: 'emit_effect',
        kind: 'timer.after',
        cap: 'clock',
        params: { after_ns: 1000 },
        bind: { effect_id_as: 'nap_h' },
      },
    ],
  },
  { $kind: 'defplan', name: 'shop/idle@1', input: 'shop/Paid@1', steps: [{ id: 'end', op: 'end' }] },
];

const names = (kind: string) => NODES.filter(({ $kind }) => $kind === kind).map(({ name }) => ({ name }));

const MANIFEST: Node = {
  $kind: 'manifest',
  air_version: '1',
  schemas: names('defschema'),
  modules: [],
  plans: names('defplan'),
  effects: ['http.request', 'llm.generate', 'timer.after', 'blob.put'].map((kind) => ({ name: `sys/${kind}@1` })),
  caps: [],
  policies: names('defpolicy'),
  secrets: names('defsecret'),
  defaults: {
    policy: 'shop/policy@1',
    cap_grants: [
      { name: 'api', cap: 'sys/http.out@1', params: { hosts: ['api.example.com'] } },
      { name: 'blocked', cap: 'sys/http.out@1', params: {} },
      { name: 'hook', cap: 'sys/http.out@1', params: {}, expiry_ns: 1_800_000_000_000_000_000 },
      { name: 'model', cap: 'sys/llm.basic@1', params: { models: ['small'] } },
      { name: 'clock', cap: 'sys/timer@1', params: {} },
    ],
  },
  triggers: [{ event: 'shop/Paid@1', plan: 'shop/after@1' }],
};

/** @param config - members of `worldline.host.json`. */
export function planWorld(config?: Record<string, unknown>, extra: readonly Node[] = []): string {
  const folder = emptyFolder();
  mkdirSync(join(folder, 'air'));
  const more = (kind: string) => extra.filter(({ $kind }) => $kind === kind).map(({ name }) => ({ name }));
  const manifest = {
    ...MANIFEST,
    schemas: [...names('defschema'), ...more('defschema')],
    modules: more('defmodule'),
    plans: [...names('defplan'), ...more('defplan')],
  };
  writeFileSync(join(folder, 'air/world.air.json'), JSON.stringify([manifest, ...NODES, ...extra], null, 1));
  if (config !== undefined) writeFileSync(join(folder, 'worldline.host.json'), JSON.stringify(config));
  return folder;
}
