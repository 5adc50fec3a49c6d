import { type Json, parseJson } from '@worldline/air';
import { type CborValue, decode, fromUtf8, hashText, parseHashText, toHex } from '@worldline/canon';
import { APPROVAL_KIND, type ApprovalView, approvalView, rolesFor } from '@worldline/host';
import type { EffectIntent } from '@worldline/kernel';
import { operator, submitting } from '../access.ts';
import type { Context } from '../context.ts';
import { stop } from '../failure.ts';
import { ambiguous, intentDigits } from '../intent-text.ts';
import { type Data, printable, table, toJson } from '../output.ts';
import { type Reader, reading } from '../reader.ts';
import { intentPrefix } from '../run-view.ts';

interface Decided {
  readonly decision: string;
  readonly approver: string | undefined;
  readonly rationale: string | undefined;
  readonly decidedNs: bigint | undefined;
}

type Row = ApprovalView & { readonly requestedNs: bigint | undefined; readonly decided?: Decided | undefined };

const DECIDED_MAX = 1_000;

/** `worldline approvals ls`. */
export async function listApprovals(ctx: Context, flags: { readonly all?: boolean }): Promise<void> {
  const { rules } = (await ctx.config()).approvals;
  await reading(ctx, async (reader) => {
    const rows = await pendingRows(reader);
    if (flags.all === true) rows.unshift(...(await decidedRows(reader)));
    const header = ['INTENT', 'SUBJECT', 'REQUESTER', 'PLAN', ...(flags.all === true ? ['DECISION', 'APPROVER'] : [])];
    ctx.out.answer(
      table(
        header,
        rows.map((row) => [
          intentPrefix(row.intentHash),
          row.subject,
          row.requester,
          row.origin.origin_kind === 'plan' ? `${row.origin.name} ${row.origin.plan_id}` : row.origin.name,
          row.decided?.decision ?? '',
          row.decided?.approver ?? '',
        ]),
      ),
      { approvals: rows.map((row) => rowJson(row, rolesFor(rules, row.subject))) },
      await reader.meta(),
    );
  });
}

/** `worldline approvals get <intent>`. */
export async function getApproval(ctx: Context, text: string): Promise<void> {
  const { rules } = (await ctx.config()).approvals;
  await reading(ctx, async (reader) => {
    const row = await findRow(reader, text);
    const context = contextOf(reader, row.contextRef);
    const lines = [
      ['intent', hashText(row.intentHash)],
      ['subject', row.subject],
      ['requester', row.requester],
      [
        'plan',
        row.origin.origin_kind === 'plan'
          ? `${row.origin.name} ${row.origin.plan_id} step ${row.origin.step_id}`
          : row.origin.name,
      ],
      ...(row.decided === undefined
        ? [['state', 'pending']]
        : [
            [
              'decision',
              `${row.decided.decision}${row.decided.approver === undefined ? '' : ` by ${row.decided.approver}`}`,
            ],
          ]),
      ...(row.decided?.rationale === undefined ? [] : [['rationale', row.decided.rationale]]),
      ...(row.contextRef === undefined
        ? []
        : [
            [
              'context',
              typeof context === 'string'
                ? context
                : context === undefined
                  ? `${row.contextRef} (not in the store)`
                  : toJson(context, true),
            ],
          ]),
    ];
    ctx.out.answer(
      lines.map(([name, value]) => `${name!.padEnd(10)} ${printable(value!)}`),
      { ...rowJson(row, rolesFor(rules, row.subject)), ...(context === undefined ? {} : { context }) },
      await reader.meta(),
    );
  });
}

/** `worldline approvals decide <intent> approve|deny`. */
export async function decideApproval(
  ctx: Context,
  text: string,
  decision: 'approve' | 'deny',
  flags: { readonly rationale?: string },
): Promise<void> {
  const intentHash = await reading(ctx, async (reader) => {
    const row = await findRow(reader, text);
    if (row.decided !== undefined)
      stop('approval.decided', `this approval is ${row.decided.decision} already`, {
        hint: '"worldline approvals ls" shows what is pending',
      });
    return row.intentHash;
  });
  await submitting(ctx, async (access) => {
    const request = {
      intentHash,
      decision: decision === 'approve' ? ('approved' as const) : ('denied' as const),
      approver: operator(),
      rationale: flags.rationale,
    };
    await access.submit({ kind: 'decision', request }, 'applied');
    ctx.out.answer(['recorded'], {}, await access.meta());
  });
}

async function pendingRows(reader: Reader): Promise<Row[]> {
  const kernel = await reader.kernel();
  const rows: Row[] = [];
  for (const emission of kernel.pending()) {
    if (emission.kind === APPROVAL_KIND) rows.push({ ...approvalView(emission), requestedNs: emission.logicalNowNs });
  }
  return rows;
}

/** Settled approvals, oldest of the newest thousand first. */
async function decidedRows(reader: Reader): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const { record, stamp } of reader.entriesBackwards()) {
    if (rows.length === DECIDED_MAX) break;
    if (record.record_kind !== 'effect_receipt') continue;
    const intent = await reader.recordAt(record.emission_seq);
    if (intent?.record_kind !== 'effect_intent' || intent.kind !== APPROVAL_KIND) continue;
    const payload = record.payload_cbor === undefined ? undefined : decode(record.payload_cbor);
    const { decision, approver, rationale } = (payload?.ok === true ? payload.value : {}) as {
      readonly [key: string]: CborValue | undefined;
    };
    rows.push({
      ...intentView(intent, record.emission_seq),
      requestedNs: undefined,
      decided: {
        decision: typeof decision === 'string' ? decision : (record.error?.code ?? record.status),
        approver: typeof approver === 'string' ? approver : undefined,
        rationale: typeof rationale === 'string' ? rationale : undefined,
        decidedNs: stamp?.nowNs,
      },
    });
  }
  return rows.reverse();
}

function intentView(intent: EffectIntent, emissionSeq: number): ApprovalView {
  const decoded = decode(intent.params_cbor);
  const params = (decoded.ok ? decoded.value : {}) as { readonly [key: string]: CborValue | undefined };
  return {
    intentHash: intent.intent_hash,
    emissionSeq,
    subject: String(params['subject']),
    requester: String(params['requester']),
    contextRef: typeof params['context_ref'] === 'string' ? params['context_ref'] : undefined,
    origin: intent.origin,
    requestedLogicalNs: 0n,
  };
}

/** The approval that a hash, or the beginning of one, names; pending ones first. */
async function findRow(reader: Reader, text: string): Promise<Row> {
  const digits = intentDigits(text, 'worldline approvals ls');
  const matches = (rows: readonly Row[]) => rows.filter((row) => toHex(row.intentHash).startsWith(digits));
  const pending = matches(await pendingRows(reader));
  const found = pending.length > 0 ? pending : matches(await decidedRows(reader));
  const distinct = new Map(found.map((row) => [toHex(row.intentHash), row]));
  if (distinct.size > 1)
    ambiguous(
      text,
      [...distinct.values()].map((row) => `${hashText(row.intentHash)}  ${row.subject}`),
    );
  return (
    [...distinct.values()][0] ??
    stop('not_found', `there is no approval ${text}`, { hint: '"worldline approvals ls --all" shows them' })
  );
}

/** What `context_ref` names, as data: JSON or text. */
function contextOf(reader: Reader, ref: string | undefined): Json | undefined {
  const hash = ref === undefined ? undefined : parseHashText(ref);
  const bytes = hash === undefined ? undefined : reader.object(hash);
  if (bytes === undefined) return undefined;
  const text = fromUtf8(bytes);
  if (text === undefined) return `${bytes.length} bytes that are not text`;
  const json = parseJson(text);
  return json.ok ? json.value : text;
}

function rowJson(row: Row, roles: readonly string[] | undefined): { readonly [key: string]: Data | undefined } {
  const { origin, decided } = row;
  return {
    intent_hash: hashText(row.intentHash),
    subject: row.subject,
    requester: row.requester,
    context_ref: row.contextRef,
    roles,
    plan: origin.name,
    plan_id: origin.origin_kind === 'plan' ? origin.plan_id : undefined,
    requested_ns: row.requestedNs === undefined ? undefined : String(row.requestedNs),
    decision: decided?.decision,
    approver: decided?.approver,
    rationale: decided?.rationale,
    decided_ns: decided?.decidedNs === undefined ? undefined : String(decided.decidedNs),
  };
}
