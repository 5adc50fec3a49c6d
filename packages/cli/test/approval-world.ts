import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { worldOf } from './support.ts';

/**
 * A world whose one plan, `ask/ask@1`, asks for an approval of `what`, with the blob `notes` as material, and ends with the
 * decision.
 *
 * @param config - of the host.
 */
export function approvalWorld(config?: Record<string, unknown>): string {
  const folder = worldOf('minimal');
  const write = (name: string, json: unknown) => writeFileSync(join(folder, 'air', name), JSON.stringify(json));
  write('schemas.air.json', [
    {
      $kind: 'defschema',
      name: 'ask/Wanted@1',
      type: { record: { what: { text: {} }, notes: { option: { hash: {} } } } },
    },
  ]);
  write('plans.air.json', {
    $kind: 'defplan',
    name: 'ask/ask@1',
    input: 'ask/Wanted@1',
    output: 'ask/Wanted@1',
    steps: [
      {
        id: 'ask',
        op: 'emit_effect',
        kind: 'approval.request',
        cap: 'cap_approval',
        params: { subject: { ref: '@plan.input.what' }, requester: 'tests', context_ref: { ref: '@plan.input.notes' } },
        bind: { effect_id_as: 'asked' },
      },
      { id: 'answer', op: 'await_receipt', for: { ref: '@var:asked' }, bind: { as: 'answer' } },
      {
        id: 'done',
        op: 'end',
        result: { record: { what: { ref: '@var:answer.decision' }, notes: { ref: '@plan.input.notes' } } },
      },
    ],
    edges: [
      { from: 'ask', to: 'answer' },
      { from: 'answer', to: 'done' },
    ],
  });
  write('manifest.air.json', {
    $kind: 'manifest',
    air_version: '1',
    schemas: [{ name: 'ask/Wanted@1' }],
    modules: [],
    plans: [{ name: 'ask/ask@1' }],
    effects: [{ name: 'sys/approval.request@1' }],
    caps: [],
    policies: [],
    defaults: { cap_grants: [{ name: 'cap_approval', cap: 'sys/approval@1', params: {} }] },
    triggers: [],
  });
  if (config !== undefined) configure(folder, config);
  return folder;
}

export function configure(folder: string, config: Record<string, unknown>): void {
  writeFileSync(join(folder, 'worldline.host.json'), JSON.stringify(config));
}
