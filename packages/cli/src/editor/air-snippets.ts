import {
  EDGE_SHAPE,
  FORM_MEMBERS,
  GRANT_SHAPE,
  NODE_SHAPES,
  ROUTE_SHAPE,
  RULE_SHAPE,
  type Shape,
  STEP_OPS,
  STEP_SHAPES,
  TRIGGER_SHAPE,
} from '@worldline/air';
import type { Snippet } from './json-schema.ts';

/**
 * Templates that editors offer where an object is to be written. In texts, `${1:text}` is a place to fill in; a text that
 * begins with `^` stands for JSON of its own.
 */

function about(label: string, markdown: string, body: unknown): Snippet {
  return { label, description: markdown.replaceAll('`', ''), bodyText: snippetText(body, '\n') };
}

/** As text, since member names such as `$kind` would be taken for variables of the template. */
function snippetText(body: unknown, newline: string): string {
  if (typeof body === 'string') return body.startsWith('^') ? body.slice(1) : JSON.stringify(body);
  if (body === null || typeof body !== 'object') return JSON.stringify(body);
  const inner = `${newline}\t`;
  const parts = Array.isArray(body)
    ? body.map((item) => snippetText(item, inner))
    : Object.entries(body).map(([name, value]) => `${memberName(name)}: ${snippetText(value, inner)}`);
  const [open, close] = Array.isArray(body) ? '[]' : '{}';
  return parts.length === 0 ? `${open}${close}` : `${open}${inner}${parts.join(`,${inner}`)}${newline}${close}`;
}

function memberName(name: string): string {
  const quoted = JSON.stringify(name);
  return name.startsWith('${') ? quoted : quoted.replaceAll('$', '\\$');
}

const NODES: { readonly [K in keyof typeof NODE_SHAPES]: unknown } = {
  defschema: { $kind: 'defschema', name: '${1:acme/thing@1}', type: { record: { '${2:id}': { text: {} } } } },
  defmodule: {
    $kind: 'defmodule',
    name: '${1:acme/counter@1}',
    module_kind: '${2|reducer,pure|}',
    abi: { reducer: { state: '${3:acme/state@1}', event: '${4:acme/event@1}' } },
  },
  defplan: {
    $kind: 'defplan',
    name: '${1:acme/handle@1}',
    input: '${2:acme/thing@1}',
    steps: [{ id: '${3:done}', op: 'end' }],
  },
  defeffect: {
    $kind: 'defeffect',
    name: '${1:acme/mail.send@1}',
    kind: '${2:mail.send}',
    params_schema: '${3:acme/mail@1}',
    receipt_schema: '${4:acme/mail_sent@1}',
    cap_type: '${5:mail}',
    origin_scope: '${6|plan,reducer,both|}',
  },
  defcap: {
    $kind: 'defcap',
    name: '${1:acme/mail@1}',
    cap_type: '${2:mail}',
    schema: { record: { '${3:to}': { option: { set: { text: {} } } } } },
  },
  defpolicy: {
    $kind: 'defpolicy',
    name: '${1:acme/policy@1}',
    rules: [{ when: { effect_kind: '${2:http.request}' }, decision: '${3|allow,deny|}' }],
  },
  defsecret: { $kind: 'defsecret', name: '${1:acme/api_key@1}', binding_id: '${2:env:API_KEY}' },
  manifest: {
    $kind: 'manifest',
    air_version: '1',
    schemas: [{ name: '${1:acme/thing@1}' }],
    modules: [],
    plans: [{ name: '${2:acme/handle@1}' }],
    caps: [],
    policies: [],
    triggers: [{ event: '${1:acme/thing@1}', plan: '${2:acme/handle@1}' }],
  },
};

/** One whole node of each kind. */
export const NODE_SNIPPETS: readonly Snippet[] = (Object.keys(NODES) as (keyof typeof NODES)[]).map((kind) =>
  about(kind, NODE_SHAPES[kind].says, NODES[kind]),
);

const STEPS: { readonly [O in keyof typeof STEP_SHAPES]: unknown } = {
  raise_event: { id: '${1:tell}', op: 'raise_event', event: '${2:acme/happened@1}', value: '^${3:{\\}}' },
  emit_effect: {
    id: '${1:ask}',
    op: 'emit_effect',
    kind: '${2:http.request}',
    params: '^${3:{\\}}',
    cap: '${4:cap_web}',
    bind: { effect_id_as: '${5:asked}' },
  },
  await_receipt: {
    id: '${1:answer}',
    op: 'await_receipt',
    for: { ref: '@var:${2:asked}' },
    bind: { as: '${3:answer}' },
  },
  await_event: {
    id: '${1:hear}',
    op: 'await_event',
    event: '${2:acme/happened@1}',
    where: { op: 'eq', args: [{ ref: '@event.${3:id}' }, { ref: '@plan.input.${4:id}' }] },
    bind: { as: '${5:heard}' },
  },
  assign: { id: '${1:compute}', op: 'assign', expr: '^${2:{ "ref": "@plan.input" \\}}', bind: { as: '${3:value}' } },
  end: { id: '${1:done}', op: 'end' },
  spawn_plan: {
    id: '${1:start}',
    op: 'spawn_plan',
    plan: '${2:acme/child@1}',
    input: '^${3:{ "ref": "@plan.input" \\}}',
    bind: { handle_as: '${4:child}' },
  },
  await_plan: {
    id: '${1:ended}',
    op: 'await_plan',
    for: { ref: '@var:${2:child}' },
    bind: { as: '${3:result}' },
  },
  spawn_for_each: {
    id: '${1:start_all}',
    op: 'spawn_for_each',
    plan: '${2:acme/child@1}',
    inputs: { ref: '@plan.input.${3:items}' },
    bind: { handles_as: '${4:children}' },
  },
  await_plans_all: {
    id: '${1:all_ended}',
    op: 'await_plans_all',
    handles: { ref: '@var:${2:children}' },
    bind: { results_as: '${3:results}' },
  },
};

/** One whole step of each kind. */
export const STEP_SNIPPETS: readonly Snippet[] = STEP_OPS.map((op) => about(op, STEP_SHAPES[op].says, STEPS[op]));

/** Where an expression, or a value that may be one, is to be written. */
export const EXPR_SNIPPETS: readonly Snippet[] = [
  about('reference', FORM_MEMBERS.ref, { ref: '@${1:plan.input}' }),
  about('operation', 'An operation with two operands.', {
    op: '${1:eq}',
    args: [{ ref: '@${2:plan.input}' }, '^${3:{ "text": "" \\}}'],
  }),
];

const SNIPPETS: ReadonlyMap<Shape, readonly Snippet[]> = new Map<Shape, readonly Snippet[]>([
  [
    GRANT_SHAPE,
    [
      about('grant', 'A grant of any cap.', { name: '${1:cap_name}', cap: '${2:sys/timer@1}', params: '^${3:{\\}}' }),
      about('grant http.out', 'Permits HTTP requests to some hosts.', {
        name: '${1:cap_web}',
        cap: 'sys/http.out@1',
        params: { hosts: ['${2:api.example.com}'], schemes: ['https'], methods: ['${3:GET}'] },
      }),
      about('grant llm.basic', 'Permits calls of some language models.', {
        name: '${1:cap_llm}',
        cap: 'sys/llm.basic@1',
        params: { providers: ['${2:anthropic}'], models: ['${3:model}'], max_tokens: '^${4:1024}' },
      }),
    ],
  ],
  [
    EDGE_SHAPE,
    [
      about('edge', '`to` waits for `from`.', { from: '${1:first}', to: '${2:second}' }),
      about('edge when', '`to` waits for `from`, if the condition holds.', {
        from: '${1:first}',
        to: '${2:second}',
        when: { op: '${3:eq}', args: [{ ref: '^"@var:${4:answer}.\\$status"' }, { text: '${5:ok}' }] },
      }),
    ],
  ],
  [
    TRIGGER_SHAPE,
    [about('trigger', 'An event starts a plan.', { event: '${1:acme/thing@1}', plan: '${2:acme/handle@1}' })],
  ],
  [
    ROUTE_SHAPE,
    [about('route', 'Events go to a reducer.', { event: '${1:acme/thing@1}', reducer: '${2:acme/counter@1}' })],
  ],
  [
    RULE_SHAPE,
    [
      about('rule', 'Allows or denies a kind of effect.', {
        when: { effect_kind: '${1:http.request}' },
        decision: '${2|allow,deny|}',
      }),
      about('rule otherwise', 'Decides whatever no rule before it did.', { when: {}, decision: '${1|deny,allow|}' }),
    ],
  ],
]);

export function snippetsOf(shape: Shape): readonly Snippet[] {
  return SNIPPETS.get(shape) ?? [];
}
