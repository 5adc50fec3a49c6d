import { bytesEqual, fail, ok, type Result } from '@worldline/canon';
import { decodeRecord, type EffectIntent, hashIntent } from '@worldline/kernel';
import type { OutboxRow } from '@worldline/ports';

/**
 * What an executor in another process is to do (`hosting.md` §8.1), verified before it is looked at (`host.md` §4): the
 * row has no checksum, but kind, params, capability and idempotency key give its intent hash (`kernel.md` §9.1). The
 * world that emitted it performs what its own state says, and never reads this.
 *
 * @returns `journal.corrupt`: the row is damaged, and must be neither performed nor completed; its world, when it is
 *   opened, performs the effect itself. `not_found`: the row was made anew from a journal that no longer goes back to
 *   the intent.
 */
export function readOutboxRequest(
  row: Pick<OutboxRow, 'emissionSeq' | 'intentHash' | 'request'>,
): Result<EffectIntent> {
  const path = ['outbox', row.emissionSeq];
  if (row.request.length === 0) {
    return fail({ code: 'not_found', path, message: `the store no longer has the request of ${row.emissionSeq}` });
  }
  const decoded = decodeRecord(row.request);
  if (decoded.ok && decoded.value.record_kind === 'effect_intent') {
    const { kind, params_cbor, cap_name, idempotency_key } = decoded.value;
    if (bytesEqual(hashIntent(kind, params_cbor, cap_name, idempotency_key), row.intentHash)) return ok(decoded.value);
  }
  return fail({
    code: 'journal.corrupt',
    path,
    message: `the request of emission ${row.emissionSeq} is not the one that was emitted`,
    hint: 'Do not perform it, and leave the row. Open its world here: it performs what it emitted.',
  });
}
