import { ok } from '@worldline/canon';
import { approvalJson, refuse, type World } from '@worldline/host';
import { readHash } from './effects.ts';
import { inTurns } from './in-turns.ts';
import { Members } from './request.ts';
import type { Endpoint } from './router.ts';

/** Endpoints about decisions that plans ask people for (`host.md` §5.6, §8.3). */

const STATUSES = ['pending', 'decided'];
const DECIDED_MAX = 1_000;

export function approvalEndpoints(world: World): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/api/approvals',
      scope: 'read',
      query: ['status'],
      async run({ query }) {
        const status = query.get('status') ?? 'pending';
        if (!STATUSES.includes(status))
          return refuse('invalid_request', `"status" must be ${STATUSES.join(', ')}`, { path: ['query', 'status'] });
        const views = await (status === 'pending' ? world.approvals() : world.decidedApprovals(DECIDED_MAX));
        return views.ok ? ok({ body: { approvals: await inTurns(views.value, approvalJson) } }) : views;
      },
    },
    {
      method: 'POST',
      path: '/api/approvals/{intent_hash}',
      scope: 'approval',
      async run({ params: [text], body, identity }) {
        const members = new Members(body, ['decision', 'rationale']);
        const decision = members.choice('decision', ['approved', 'denied']);
        const rationale = members.optionalText('rationale');
        if (members.problem !== undefined) return members.problem;
        const intentHash = readHash(text!);
        if (!intentHash.ok) return intentHash;
        const { name: approver, roles = [] } = identity;
        const decided = await world.decideApproval({
          intentHash: intentHash.value,
          decision,
          approver,
          rationale,
          roles: roles === 'every' ? undefined : roles,
        });
        return decided.ok ? ok({ body: {} }) : decided;
      },
    },
  ];
}
