import { type CborValue, decode, hashText, ok } from '@worldline/canon';
import type { EffectIntent, EffectReceipt, Emission, IntentOrigin } from '@worldline/kernel';
import type { Store } from '@worldline/ports';
import { APPROVAL_KIND } from './approvals.ts';
import type { ApprovalRule } from './config.ts';
import type { Answer } from './failure.ts';
import { decodeStoredBatch, readBatches, recordAt } from './journal-read.ts';

/**
 * Approvals as people see them (`host.md` §5.6, §8.3): pending ones from the state, ended ones from the journal. API,
 * commands and webhook show the same rows.
 */

export interface ApprovalView {
  readonly intentHash: Uint8Array;
  readonly emissionSeq: number;
  readonly subject: string;
  readonly requester: string;
  readonly contextRef: string | undefined;
  /** Roles that may decide it; undefined: whoever may decide at all. */
  readonly roles: readonly string[] | undefined;
  readonly origin: IntentOrigin;
  /** Wall clock of the batch that asked, in nanoseconds. */
  readonly requestedNs: bigint;
  /** Absent while it is pending. */
  readonly end?: ApprovalEnd | undefined;
}

export interface ApprovalEnd {
  /** `approved` or `denied`; undefined: nobody decided. */
  readonly decision: string | undefined;
  readonly approver: string | undefined;
  readonly rationale: string | undefined;
  /** Why it ended without a decision, such as `approval.withdrawn`. */
  readonly errorCode: string | undefined;
  /** Wall clock of the batch of its receipt, in nanoseconds. */
  readonly endedNs: bigint;
}

/** Roles that may decide a subject: the rule with the longest prefix; undefined: anybody who may decide at all. */
export function rolesFor(rules: readonly ApprovalRule[], subject: string): readonly string[] | undefined {
  let best: ApprovalRule | undefined;
  for (const rule of rules) {
    if (
      subject.startsWith(rule.subjectPrefix) &&
      (best === undefined || rule.subjectPrefix.length > best.subjectPrefix.length)
    )
      best = rule;
  }
  return best?.roles;
}

/** What a request asks, before anything is known of its time. */
export function subjectOf(emission: Pick<Emission, 'paramsCbor'>): string {
  return String(members(emission.paramsCbor)['subject']);
}

/**
 * Pending approvals with their times, in the given order.
 *
 * @param emissions - of kind `approval.request`.
 */
export async function pendingApprovals(
  store: Store,
  worldId: string,
  emissions: readonly Emission[],
  rules: readonly ApprovalRule[],
): Promise<Answer<readonly ApprovalView[]>> {
  const views: ApprovalView[] = [];
  for (const { intentHash, emissionSeq, paramsCbor, origin, logicalNowNs } of emissions) {
    const asked = await recordAt(store, worldId, emissionSeq);
    if (!asked.ok) return asked;
    // A journal that begins later no longer has the batch; its logical time is the nearest that is left.
    const requestedNs = asked.value?.stamp?.nowNs ?? logicalNowNs;
    views.push({ ...asksFor(paramsCbor, rules), intentHash, emissionSeq, origin, requestedNs });
  }
  return ok(views);
}

export interface EndedOptions {
  readonly rules: readonly ApprovalRule[];
  readonly max: number;
  /** Records before this one are looked at: the height of the journal as the caller knows it. */
  readonly height: number;
  /** Leaves out those that ended without a decision. */
  readonly decidedOnly?: boolean | undefined;
  /** Records that are read before the thread is let go; default 2 000. */
  readonly window?: number | undefined;
}

const WINDOW = 2_000;

/**
 * Approvals that have their receipt, newest first. Reads backwards to the beginning when there are fewer than `max`, and
 * lets go of the thread between windows, so that a world that is being asked goes on.
 */
export async function endedApprovals(
  store: Store,
  worldId: string,
  options: EndedOptions,
): Promise<Answer<readonly ApprovalView[]>> {
  const { max, height, rules, window: size = WINDOW } = options;
  const found: ApprovalView[] = [];
  for (let to = height; to > 0 && found.length < max; to -= size) {
    const window = await readWindow(store, worldId, Math.max(0, to - size), to);
    if (!window.ok) return window;
    for (const { receipt, atNs } of window.value.receipts.reverse()) {
      if (found.length === max) break;
      const end = approvalEnd(receipt, atNs);
      if (options.decidedOnly === true && end.decision === undefined) continue;
      // Most receipts follow their intent closely, and any other has no decision in it or tells of an error.
      let intent = window.value.intents.get(receipt.emission_seq);
      if (intent === undefined && (receipt.status !== 'ok' || end.decision !== undefined)) {
        const read = await intentAt(store, worldId, receipt.emission_seq);
        if (!read.ok) return read;
        intent = read.value;
      }
      if (intent?.kind !== APPROVAL_KIND) continue;
      found.push(approvalView(intent, receipt.emission_seq, rules, end));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return ok(found);
}

/** An intent with the wall clock of its batch. */
export type TimedIntent = EffectIntent & { readonly atNs: bigint };

/** The row that two records of the journal make, or the first of them alone. @param intent - of kind `approval.request`. */
export function approvalView(
  { intent_hash: intentHash, params_cbor, origin, atNs: requestedNs }: TimedIntent,
  emissionSeq: number,
  rules: readonly ApprovalRule[],
  end?: ApprovalEnd,
): ApprovalView {
  return { ...asksFor(params_cbor, rules), intentHash, emissionSeq, origin, requestedNs, end };
}

interface Window {
  readonly receipts: { readonly receipt: EffectReceipt; readonly atNs: bigint }[];
  /** By their seq. */
  readonly intents: ReadonlyMap<number, TimedIntent>;
}

async function readWindow(store: Store, worldId: string, from: number, to: number): Promise<Answer<Window>> {
  const intents = new Map<number, TimedIntent>();
  const receipts: Window['receipts'] = [];
  let problem: Answer<never> | undefined;
  const read = await readBatches(store, worldId, from, (batch) => {
    if (batch.firstSeq >= to) return false;
    const decoded = decodeStoredBatch(batch);
    if (!decoded.ok) {
      problem = decoded;
      return false;
    }
    const atNs = decoded.value.body.stamp?.nowNs ?? 0n;
    decoded.value.records.forEach((record, i) => {
      const seq = batch.firstSeq + i;
      if (record.record_kind === 'effect_intent') intents.set(seq, { ...record, atNs });
      else if (record.record_kind === 'effect_receipt' && seq >= from && seq < to)
        receipts.push({ receipt: record, atNs });
    });
    return true;
  });
  if (!read.ok) return read;
  return problem ?? ok({ receipts, intents });
}

async function intentAt(store: Store, worldId: string, seq: number): Promise<Answer<TimedIntent | undefined>> {
  const read = await recordAt(store, worldId, seq);
  if (!read.ok) return read;
  const record = read.value?.record;
  return ok(record?.record_kind === 'effect_intent' ? { ...record, atNs: read.value?.stamp?.nowNs ?? 0n } : undefined);
}

/** What the receipt of an approval says. */
export function approvalEnd({ status, payload_cbor, error }: EffectReceipt, endedNs: bigint): ApprovalEnd {
  const { decision, approver, rationale } = status === 'ok' && payload_cbor !== undefined ? members(payload_cbor) : {};
  return {
    decision: textOrNone(decision),
    approver: textOrNone(approver),
    rationale: textOrNone(rationale),
    errorCode: status === 'ok' ? undefined : (error?.code ?? status),
    endedNs,
  };
}

function asksFor(paramsCbor: Uint8Array, rules: readonly ApprovalRule[]) {
  const params = members(paramsCbor);
  const subject = String(params['subject']);
  return {
    subject,
    requester: String(params['requester']),
    contextRef: textOrNone(params['context_ref']),
    roles: rolesFor(rules, subject),
  };
}

function members(cbor: Uint8Array): { readonly [key: string]: CborValue | undefined } {
  const decoded = decode(cbor);
  const value = decoded.ok ? decoded.value : undefined;
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as { readonly [key: string]: CborValue | undefined })
    : {};
}

function textOrNone(value: CborValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** An element of `GET /api/approvals`: times as decimal text. */
export type ApprovalRow = {
  readonly intent_hash: string;
  readonly subject: string;
  readonly requester: string;
  readonly context_ref: string | undefined;
  readonly roles: readonly string[] | undefined;
  readonly plan: string;
  readonly plan_id: number | undefined;
  readonly requested_ns: string;
  readonly decision: string | undefined;
  readonly approver: string | undefined;
  readonly rationale: string | undefined;
  readonly decided_ns: string | undefined;
  /** Of one that ended without a decision. */
  readonly error_code: string | undefined;
};

export function approvalJson({ origin, end, ...view }: ApprovalView): ApprovalRow {
  return {
    intent_hash: hashText(view.intentHash),
    subject: view.subject,
    requester: view.requester,
    context_ref: view.contextRef,
    roles: view.roles,
    plan: origin.name,
    plan_id: origin.origin_kind === 'plan' ? origin.plan_id : undefined,
    requested_ns: String(view.requestedNs),
    decision: end?.decision,
    approver: end?.approver,
    rationale: end?.rationale,
    decided_ns: end?.decision === undefined ? undefined : String(end.endedNs),
    error_code: end?.errorCode,
  };
}
