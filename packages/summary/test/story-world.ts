import { KernelWorld } from '@worldline/testkit';
import {
  awaitReceipt,
  edge,
  emit,
  end,
  type Node,
  nat,
  plan,
  ref,
  type WorldOptions,
  world,
} from '../../../test/cases/nodes.ts';

/** The worlds that traces and diagnoses are tested with: an event `t/In@1` starts `t/p@1`. */

export const P = 't/p@1';

export const started = [{ event: 't/In@1', plan: P }];

/** Edges from each step to the next. */
export const inOrder = (...steps: Node[]) =>
  steps.slice(1).map((step, i) => edge(String(steps[i]!['id']), String(step['id'])));

/** `t/p@1` with these steps, one after the other. */
export const running = (...steps: Node[]) => plan(P, steps, inOrder(...steps));

/** Emits an effect, awaits its receipt as `r`, and ends. */
export const calling = running(emit('e', 'h', { x: nat(1) }), awaitReceipt('w', 'h', 'r'), end('end'));

/** Asks a person for the request. */
export const asking = (subject: unknown = ref('@plan.input.id')): Node => ({
  id: 'ask',
  op: 'emit_effect',
  kind: 'approval.request',
  cap: 'cap_approval',
  params: { subject, requester: 'ci' },
  bind: { effect_id_as: 'h' },
});

export const send = (w: KernelWorld, id = 'a', n: number | null = 1) => w.send('t/In@1', { id, n });

/** A world with these plans, in which people may be asked. */
export function worldWithApprovals(plans: Node[], options: WorldOptions = {}): KernelWorld {
  const nodes = world(plans, { triggers: started, ...options });
  const manifest = nodes.at(-1) as { effects: Node[]; defaults: { cap_grants: Node[] } } & Node;
  const approval = { name: 'cap_approval', cap: 'sys/approval@1', params: {} };
  return KernelWorld.create([
    ...nodes.slice(0, -1),
    {
      ...manifest,
      effects: [...manifest.effects, { name: 'sys/approval.request@1' }],
      defaults: { ...manifest.defaults, cap_grants: [...manifest.defaults.cap_grants, approval] },
    },
  ]);
}
