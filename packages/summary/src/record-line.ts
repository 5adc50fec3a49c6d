import { toHex } from '@worldline/canon';
import type { IntentOrigin, JournalRecord } from '@worldline/kernel';

/**
 * One line about one journal record: `#seq kind summary`. Names, numbers, codes and the first digits of hashes only;
 * values, params, payloads and free texts are never shown, so nothing secret can be (`summaries.md` S5).
 */
export function renderRecord(seq: number, record: JournalRecord): string {
  return `#${seq} ${record.record_kind} ${plain(
    describe(record)
      .filter((part) => part !== '')
      .join(' '),
  )}`.trimEnd();
}

function describe(record: JournalRecord): readonly string[] {
  switch (record.record_kind) {
    case 'domain_event':
      return [
        record.schema,
        record.origin,
        record.origin_name === undefined ? '' : `by ${record.origin_name}${plan(record.plan_id)}`,
        record.source === undefined ? '' : `from ${record.source}`,
        ingress(record.ingress_id),
        short(record.event_hash),
        cause(record.cause),
      ];
    case 'effect_intent':
      return [
        record.kind,
        `cap ${record.cap_name}`,
        `by ${originOf(record.origin)}`,
        record.coalesced_into === undefined ? '' : `coalesced into seq ${record.coalesced_into}`,
        short(record.intent_hash),
        cause(record.cause),
      ];
    case 'effect_receipt':
      return [
        record.status,
        record.error === undefined ? '' : record.error.code,
        `for seq ${record.emission_seq}`,
        `by ${record.adapter_id}`,
        record.disposition,
        record.cost_cents === undefined ? '' : `${record.cost_cents} cents`,
      ];
    case 'cap_decision':
      return [
        record.decision,
        record.deny === undefined ? '' : record.deny.code,
        record.effect_kind,
        `cap ${record.cap_name}`,
        short(record.intent_hash),
      ];
    case 'policy_decision':
      return [
        record.decision,
        record.policy_name,
        record.rule_index === undefined ? 'default' : `rule/${record.rule_index}`,
        short(record.intent_hash),
      ];
    case 'plan_started':
      return [
        `${record.plan_name}${plan(record.plan_id)}`,
        record.parent_instance_id === undefined
          ? ''
          : `child of${plan(record.parent_instance_id)}/${record.parent_step_id ?? ''}`,
        cause(record.cause),
      ];
    case 'plan_ended':
      return [
        `${record.plan_name}${plan(record.plan_id)}`,
        record.status,
        record.error_code ?? '',
        record.step_id === undefined ? '' : `at ${record.step_id}`,
        cause(record.cause),
      ];
    case 'plan_result':
      return [`${record.plan_name}${plan(record.plan_id)}`, record.output_schema];
    case 'plan_start':
      return [`${record.plan}${plan(record.plan_id)}`, ingress(record.ingress_id)];
    case 'plan_cancel':
      return [plan(record.plan_id).trimStart(), `by ${record.actor}`, ingress(record.ingress_id)];
    case 'reducer_fault':
      return [record.reducer, record.code, `at seq ${record.event_seq}`];
    case 'ingress_rejected':
      return [
        record.ingress_kind,
        record.code,
        record.emission_seq === undefined ? '' : `for seq ${record.emission_seq}`,
        ingress(record.ingress_id),
      ];
    case 'manifest':
      return [short(record.manifest_hash), `config ${short(record.config_hash)}`];
    case 'governance':
      return [record.event, `by ${record.actor}`, `patch ${short(record.patch_hash)}`, short(record.manifest_hash_new)];
    case 'snapshot':
    case 'baseline':
      return [`height ${record.height}`, short(record.snapshot_ref)];
    case 'custom':
      return [record.tag, `${record.data.length} bytes`];
    default:
      return record satisfies never;
  }
}

function originOf(origin: IntentOrigin): string {
  return origin.origin_kind === 'plan' ? `${origin.name}${plan(origin.plan_id)}/${origin.step_id}` : origin.name;
}

function plan(planId: number | undefined): string {
  return planId === undefined ? '' : ` #${planId}`;
}

function cause(seq: number | undefined): string {
  return seq === undefined ? '' : `cause ${seq}`;
}

function ingress(id: string | undefined): string {
  return id === undefined ? '' : `id ${id}`;
}

const HASH_BYTES_SHOWN = 4;

function short(hash: Uint8Array): string {
  return toHex(hash.subarray(0, HASH_BYTES_SHOWN));
}

const SHOWN_MAX = 300;

/** Ids and actors come from outside: no line breaks, no terminal controls, no endless lines. */
function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const visible = text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, '�');
  const points = [...visible];
  return points.length <= SHOWN_MAX ? visible : `${points.slice(0, SHOWN_MAX).join('')}…`;
}
