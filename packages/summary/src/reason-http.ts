import { hashText } from '@worldline/canon';
import type { EffectReceipt } from '@worldline/kernel';
import { membersOf } from './evidence.ts';
import { atStep, endOf, entryAt, type Reason, runPath, runText, type Scene, startedFor } from './reason.ts';

/**
 * Answers of services with an HTTP status from 400 on. Such a receipt is `ok`, because an answer came, so neither state nor
 * cause know of it; but whoever asks why a run did not do its work needs to see it.
 */
export function httpRefusals(scene: Scene): readonly Reason[] {
  return scene.trace.entries.flatMap(({ seq, record, causeSeq }): Reason[] => {
    // A late one changed nothing.
    if (record.record_kind !== 'effect_receipt' || record.disposition === 'late') return [];
    const status = refusalIn(record);
    const asked = entryAt(scene.trace, causeSeq)?.record;
    if (status === undefined || asked?.record_kind !== 'effect_intent' || asked.kind !== 'http.request') return [];
    if (asked.origin.origin_kind !== 'plan') return [];
    const { name, plan_id: planId, step_id: step } = asked.origin;
    const runs = runPath(scene, planId, name, step);
    const ended = endOf(scene.trace, planId);
    const after =
      ended === undefined ? '' : `; the run then ended ${ended.status === 'ok' ? 'ok' : `with ${ended.error_code}`}`;
    return [
      {
        code: 'http_status',
        text: `the service answered http.request of ${runText(runs.at(-1)!)}${atStep(step)} with HTTP status ${status}${after}${startedFor(runs)}`,
        hint: `"worldline effects get ${hashText(record.intent_hash).slice(0, 19)}" shows what was asked and answered; a guard that looks at "status" of the receipt lets ${name} tell such an answer from a good one`,
        runs,
        facts: { effect_kind: asked.kind, http_status: status },
        evidence: [causeSeq!, seq],
        intentHash: record.intent_hash,
      },
    ];
  });
}

const FIRST_REFUSAL = 400;

function refusalIn({ status, payload_cbor: payload }: EffectReceipt): number | undefined {
  if (status !== 'ok' || payload === undefined) return undefined;
  const answered = membersOf(payload)['status'];
  const code = typeof answered === 'number' || typeof answered === 'bigint' ? Number(answered) : 0;
  return code >= FIRST_REFUSAL ? code : undefined;
}
