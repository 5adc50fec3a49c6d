import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { emptyFolder } from './support.ts';

/**
 * A world whose effects do what a test needs, by an adapter of its own: `t.call` with mode `ok` answers, `fail` fails,
 * `hang` waits until the file `let-go` is there. Each call leaves a line in the file `calls`. Plans: `t/call@1`, `t/nap@1` (a timer), `t/ask@1` (an approval),
 * `t/wait@1` (an event). Every one is also started by an event `t/Wanted@1` whose `plan` names it.
 */

type Node = Record<string, unknown>;

const TEXT = { text: {} };
const ref = (path: string) => ({ ref: path });
const chain = (...ids: string[]) => ids.slice(1).map((to, i) => ({ from: ids[i], to }));
const emit = (id: string, kind: string, cap: string, params: unknown): Node => ({
  id,
  op: 'emit_effect',
  kind,
  cap,
  params,
  bind: { effect_id_as: 'h' },
});
const receipt: Node = { id: 'answer', op: 'await_receipt', for: ref('@var:h'), bind: { as: 'a' } };
const end: Node = { id: 'end', op: 'end' };

export const NODES: readonly Node[] = [
  { $kind: 'defschema', name: 't/Wanted@1', type: { record: { id: TEXT, mode: TEXT, plan: TEXT } } },
  { $kind: 'defschema', name: 't/Done@1', type: { record: { id: TEXT } } },
  { $kind: 'defschema', name: 't/Call@1', type: { record: { id: TEXT, mode: TEXT } } },
  { $kind: 'defschema', name: 't/Answer@1', type: { record: { text: TEXT, n: { option: { nat: {} } } } } },
  { $kind: 'defcap', name: 't/cap@1', cap_type: 't', schema: { record: {} } },
  {
    $kind: 'defeffect',
    name: 't/call@1',
    kind: 't.call',
    params_schema: 't/Call@1',
    receipt_schema: 't/Answer@1',
    cap_type: 't',
    origin_scope: 'plan',
  },
  {
    $kind: 'defplan',
    name: 't/call@1',
    input: 't/Wanted@1',
    steps: [
      emit('go', 't.call', 'cap_t', { id: ref('@plan.input.id'), mode: ref('@plan.input.mode') }),
      receipt,
      {
        id: 'judge',
        op: 'assign',
        expr: { op: 'eq', args: [ref('@var:a.$status'), { text: 'ok' }] },
        bind: { as: 'went_well' },
      },
      { id: 'report', op: 'raise_event', event: 't/Done@1', value: { id: ref('@plan.input.id') } },
      end,
    ],
    edges: chain('go', 'answer', 'judge', 'report', 'end'),
  },
  {
    $kind: 'defplan',
    name: 't/nap@1',
    input: 't/Wanted@1',
    steps: [emit('go', 'timer.after', 'cap_timer', { after_ns: 3_600_000_000_000 }), receipt, end],
    edges: chain('go', 'answer', 'end'),
  },
  {
    $kind: 'defplan',
    name: 't/ask@1',
    input: 't/Wanted@1',
    steps: [
      emit('go', 'approval.request', 'cap_approval', { subject: ref('@plan.input.id'), requester: 'tests' }),
      receipt,
      end,
    ],
    edges: chain('go', 'answer', 'end'),
  },
  {
    $kind: 'defplan',
    name: 't/wait@1',
    input: 't/Wanted@1',
    steps: [
      {
        id: 'hear',
        op: 'await_event',
        event: 't/Done@1',
        where: { op: 'eq', args: [ref('@event.id'), ref('@plan.input.id')] },
        bind: { as: 'e' },
      },
      end,
    ],
    edges: chain('hear', 'end'),
  },
];

const PLANS = ['call', 'nap', 'ask', 'wait'];

const MANIFEST: Node = {
  $kind: 'manifest',
  air_version: '1',
  schemas: ['t/Wanted@1', 't/Done@1', 't/Call@1', 't/Answer@1'].map((name) => ({ name })),
  modules: [],
  plans: PLANS.map((name) => ({ name: `t/${name}@1` })),
  effects: ['t/call@1', 'sys/timer.after@1', 'sys/approval.request@1'].map((name) => ({ name })),
  caps: [{ name: 't/cap@1' }],
  policies: [],
  defaults: {
    cap_grants: [
      { name: 'cap_t', cap: 't/cap@1', params: {} },
      { name: 'cap_timer', cap: 'sys/timer@1', params: {} },
      { name: 'cap_approval', cap: 'sys/approval@1', params: {} },
    ],
  },
  triggers: PLANS.map((name) => ({
    event: 't/Wanted@1',
    plan: `t/${name}@1`,
    when: { op: 'eq', args: [ref('@event.plan'), { text: name }] },
    correlate_by: 'id',
  })),
};

const ADAPTER = `
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
export default (options) => ({
  id: 'tests.call',
  kinds: ['t.call'],
  classify: () => 'read',
  async execute({ params }, ctx) {
    appendFileSync(join(import.meta.dirname, 'calls'), params.id + '\\n');
    if (params.mode === 'fail') return { status: 'error', error: { code: 'call.refused', message: 'no' } };
    while (params.mode === 'hang' && !existsSync(join(import.meta.dirname, 'let-go'))) {
      ctx.signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return { status: 'ok', payload: { text: 'done' } };
  },
});
`;

/** @param config - members of `worldline.host.json`; `adapters: []` leaves `t.call` without an adapter. */
export function callWorld(config: Record<string, unknown> = {}): string {
  const folder = emptyFolder();
  mkdirSync(join(folder, 'air'));
  writeFileSync(join(folder, 'air/world.air.json'), JSON.stringify([...NODES, MANIFEST], null, 1));
  writeFileSync(join(folder, 'adapter.mjs'), ADAPTER);
  configure(folder, config);
  return folder;
}

export function configure(folder: string, config: Record<string, unknown>): void {
  writeFileSync(
    join(folder, 'worldline.host.json'),
    JSON.stringify({ adapters: [{ module: './adapter.mjs' }], shutdown: { grace_ms: 50 }, ...config }),
  );
}

export function letGo(folder: string): void {
  writeFileSync(join(folder, 'let-go'), '');
}

export function wanted(id: string, plan: string, mode = 'ok'): string {
  return JSON.stringify({ id, plan, mode });
}
