import { type Json, parseJson } from '@worldline/air';
import { fromUtf8, hashText, parseHashText, toHex } from '@worldline/canon';
import { APPROVAL_KIND, type ApprovalView, approvalJson, endedApprovals, pendingApprovals } from '@worldline/host';
import { operator, submitting } from '../access.ts';
import type { Context } from '../context.ts';
import { stop, stopWith } from '../failure.ts';
import { ambiguous, intentDigits } from '../intent-text.ts';
import { printable, table, toJson } from '../output.ts';
import { type Reader, reading } from '../reader.ts';
import { intentPrefix } from '../run-view.ts';

/** `worldline approvals …` (`host.md` §5.6, §12.2): the rows of `/api/approvals`, read from the store. */

const ENDED_MAX = 1_000;

/** `worldline approvals ls`. */
export async function listApprovals(ctx: Context, flags: { readonly all?: boolean }): Promise<void> {
  await reading(ctx, async (reader) => {
    const all = flags.all === true;
    const ended = all ? await endedRows(ctx, reader, ENDED_MAX) : [];
    const rows = [...ended.toReversed(), ...(await pendingRows(ctx, reader))];
    const header = ['INTENT', 'SUBJECT', 'REQUESTER', 'PLAN', ...(all ? ['DECISION', 'APPROVER'] : [])];
    ctx.out.answer(
      table(
        header,
        rows.map((row) => [
          intentPrefix(row.intentHash),
          row.subject,
          row.requester,
          row.origin.origin_kind === 'plan' ? `${row.origin.name} ${row.origin.plan_id}` : row.origin.name,
          row.end?.decision ?? row.end?.errorCode ?? '',
          row.end?.approver ?? '',
        ]),
      ),
      { approvals: rows.map(approvalJson) },
      await reader.meta(),
    );
  });
}

/** `worldline approvals get <intent>`. */
export async function getApproval(ctx: Context, text: string): Promise<void> {
  await reading(ctx, async (reader) => {
    const row = await findRow(ctx, reader, text);
    const { origin, end, roles, contextRef } = row;
    const context = contextOf(reader, contextRef);
    const lines: readonly (readonly [string, string | undefined])[] = [
      ['intent', hashText(row.intentHash)],
      ['subject', row.subject],
      ['requester', row.requester],
      ['roles', roles?.join(', ')],
      ['plan', origin.origin_kind === 'plan' ? `${origin.name} ${origin.plan_id} step ${origin.step_id}` : origin.name],
      ['state', end === undefined ? 'pending' : end.errorCode],
      ['decision', end?.decision],
      ['approver', end?.approver],
      ['rationale', end?.rationale],
      ['context', contextRef],
    ];
    ctx.out.answer(
      [
        ...lines.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(10)} ${oneLine(value)}`])),
        ...(contextRef === undefined ? [] : indented(context)),
      ],
      { ...approvalJson(row), ...(context === undefined ? {} : { context }) },
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
    const { end, intentHash } = await findRow(ctx, reader, text);
    if (end !== undefined)
      stop(
        'approval.decided',
        end.decision === undefined
          ? `this approval ended with ${end.errorCode}`
          : `this approval is ${end.decision} already`,
        {
          hint: '"worldline approvals ls" shows what is pending',
        },
      );
    return intentHash;
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

/** Oldest first. */
async function pendingRows(ctx: Context, reader: Reader): Promise<readonly ApprovalView[]> {
  const { rules } = (await ctx.config()).approvals;
  const emissions = [...(await reader.kernel()).pending()].filter(({ kind }) => kind === APPROVAL_KIND);
  const rows = await pendingApprovals(reader.store, reader.row.worldId, emissions, rules);
  return rows.ok ? rows.value : stopWith(rows.failure);
}

/** Newest first. */
async function endedRows(ctx: Context, reader: Reader, max: number): Promise<readonly ApprovalView[]> {
  const { rules } = (await ctx.config()).approvals;
  const rows = await endedApprovals(reader.store, reader.row.worldId, { rules, max, height: reader.height });
  return rows.ok ? rows.value : stopWith(rows.failure);
}

/** The approval that a hash, or the beginning of one, names; pending ones first, then the newest that ended. */
async function findRow(ctx: Context, reader: Reader, text: string): Promise<ApprovalView> {
  const digits = intentDigits(text, 'worldline approvals ls');
  const matches = (rows: readonly ApprovalView[]) => rows.filter((row) => toHex(row.intentHash).startsWith(digits));
  const pending = matches(await pendingRows(ctx, reader));
  const found = pending.length > 0 ? pending : matches(await endedRows(ctx, reader, Number.POSITIVE_INFINITY));
  const distinct = new Map<string, ApprovalView>();
  for (const row of found) {
    const key = toHex(row.intentHash);
    if (!distinct.has(key)) distinct.set(key, row);
  }
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

/** A value cannot begin a line of its own, which would look like another member. */
function oneLine(text: string): string {
  return printable(text).replaceAll('\n', '\\n');
}

function indented(context: Json | undefined): readonly string[] {
  if (context === undefined) return ['  (not in the store)'];
  return printable(typeof context === 'string' ? context : toJson(context, true))
    .split('\n')
    .map((line) => `  ${line}`);
}
