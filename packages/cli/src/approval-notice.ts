import { FailureError, parseHashText } from '@worldline/canon';
import { approvalJson, type Redactor, type World } from '@worldline/host';

/**
 * What `approvals.webhook` is sent about a pending approval: the row of `GET /api/approvals`, without secrets (`host.md`
 * §5.6, §6.4).
 *
 * @returns undefined when it is no longer pending.
 */
export async function approvalNotice(
  world: World,
  redactor: Redactor,
  intentHash: string,
): Promise<string | undefined> {
  const found = await world.approval(parseHashText(intentHash)!);
  if (!found.ok) throw new FailureError(found.failure);
  if (found.value === undefined) return undefined;
  const notice = { event: 'approval_requested', world_id: world.worldId, approval: approvalJson(found.value) };
  return JSON.stringify(redactor.data(notice));
}
