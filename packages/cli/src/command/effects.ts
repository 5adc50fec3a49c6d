import type { Json } from '@worldline/air';
import { parseHashText, toHex } from '@worldline/canon';
import { effectViews, settledEffects } from '@worldline/host';
import { effectJson, settledJson } from '@worldline/server';
import { longDuration } from '@worldline/summary';
import { runningWorld } from '../access.ts';
import { acting } from '../acting.ts';
import type { Context } from '../context.ts';
import { connectIfRunning } from '../control.ts';
import { stop, stopWith } from '../failure.ts';
import { readJson } from '../input.ts';
import { ambiguous, intentDigits } from '../intent-text.ts';
import { type Data, printable, table, toJson } from '../output.ts';
import { type Reader, reading, requireIdentity } from '../reader.ts';
import { didYouMean } from '../suggest.ts';

/** `worldline effects …` (`host.md` §8.3, §12.2). */

/** One effect in the form of `/api/effects`, from the running process or from the store. */
type Row = { readonly [key: string]: Data | undefined };

export interface ListFlags {
  readonly kind?: string;
  readonly status?: string;
}

export async function listEffects(ctx: Context, flags: ListFlags): Promise<void> {
  await reading(ctx, async (reader) => {
    const { kind } = flags;
    const kinds = [...(await reader.catalog()).effects.keys()];
    const rows = (await pendingRows(ctx, reader)).filter(
      (row) =>
        (kind === undefined || row['kind'] === kind) && (flags.status === undefined || row['status'] === flags.status),
    );
    if (rows.length === 0 && kind !== undefined && !kinds.includes(kind))
      ctx.out.notice(`the manifest has no effect kind ${kind}; ${didYouMean(kind, kinds) ?? ''}`.replace(/; $/, ''));
    const now = await reader.store.nowNs();
    ctx.out.answer(
      table(
        ['INTENT', 'KIND', 'STATUS', 'ATTEMPT', 'DUE', 'FROM'],
        rows.map((row) => [
          shortIntent(row),
          text(row, 'kind'),
          text(row, 'status'),
          row['attempt'] === undefined ? '' : String(row['attempt']),
          dueText(row, now),
          originText(row),
        ]),
      ),
      { effects: rows },
      await reader.meta(),
    );
  });
}

export async function getEffect(ctx: Context, given: string): Promise<void> {
  await reading(ctx, async (reader) => {
    const row = await findRow(ctx, reader, given);
    const receipt = row['receipt'] as { readonly [key: string]: Data } | undefined;
    const now = await reader.store.nowNs();
    const error = receipt?.['error'] as { readonly code: string; readonly message: string } | undefined;
    const lines: readonly (readonly [string, string])[] = [
      ['intent', text(row, 'intent_hash')],
      ['emission', `#${text(row, 'emission_seq')}`],
      ['kind', text(row, 'kind')],
      ['grant', text(row, 'cap')],
      ['from', originText(row)],
      ...(receipt === undefined
        ? [
            [
              'status',
              `${text(row, 'status')}${row['attempt'] === undefined ? '' : `, attempt ${text(row, 'attempt')}`}`,
            ] as const,
          ]
        : [
            [
              'receipt',
              `#${String(receipt['seq'])} ${String(receipt['status'])} by ${String(receipt['adapter_id'])}, ${String(receipt['disposition'])}`,
            ] as const,
          ]),
      ...(row['due_ns'] === undefined ? [] : [['due', dueText(row, now)] as const]),
      ...(row['next_attempt_ns'] === undefined ? [] : [['again', againText(row, now)] as const]),
      ...(error === undefined ? [] : [['error', `${error.code}: ${error.message}`] as const]),
    ];
    ctx.out.answer(
      [
        ...lines.map(([name, value]) => `${name.padEnd(10)} ${printable(value)}`),
        'params',
        ...indented(row['params']),
        ...(receipt?.['payload'] === undefined ? [] : ['payload', ...indented(receipt['payload'])]),
      ],
      row,
      await reader.meta(),
    );
  });
}

export async function retryEffect(ctx: Context, given: string): Promise<void> {
  const row = await reading(ctx, (reader) => findRow(ctx, reader, given));
  const intent = text(row, 'intent_hash');
  if (row['receipt'] !== undefined)
    stop('not_found', `${shortIntent(row)} has its receipt; there is nothing to repeat`, {
      hint: `"worldline effects get ${shortIntent(row)}" shows it`,
    });
  await acting(ctx, {
    async control(control) {
      await control.post(`/api/effects/${intent}/retry`, {});
    },
    async world(world) {
      const retried = await world.retryEffect(parseHashText(intent)!);
      if (!retried.ok) stopWith(retried.failure);
    },
  });
  ctx.out.answer(['dispatched again'], {});
}

export interface ReceiptFlags {
  readonly status: 'ok' | 'error' | 'timeout';
  readonly payload?: string;
  readonly errorCode?: string;
  readonly errorMessage?: string;
}

export async function injectReceipt(ctx: Context, given: string, flags: ReceiptFlags): Promise<void> {
  const { status, errorCode, errorMessage } = flags;
  if (status === 'ok' && (errorCode !== undefined || errorMessage !== undefined))
    stop('invalid_request', 'a receipt with status "ok" has no error', {
      hint: 'give --status error, or leave out --error-code and --error-message',
    });
  if (errorMessage !== undefined && errorCode === undefined)
    stop('invalid_request', '--error-message goes with --error-code', {
      hint: 'the code is what a plan can branch on, such as "payment.declined"',
    });
  const payload = flags.payload === undefined ? undefined : readJson(flags.payload, '--payload', ctx.cwd);
  const row = await reading(ctx, (reader) => findRow(ctx, reader, given));
  const intent = text(row, 'intent_hash');
  const error = errorCode === undefined ? undefined : { code: errorCode, message: errorMessage ?? '' };
  const answer = await acting(ctx, {
    async control(control) {
      const body: { [key: string]: Json } = { intent_hash: intent, status };
      if (payload !== undefined) body['payload'] = payload;
      if (error !== undefined) body['error'] = error;
      const { accepted, duplicate } = await control.post('/api/receipts', body);
      return { accepted: accepted === true, duplicate: duplicate === true };
    },
    async world(world) {
      const injected = await world.injectReceipt({
        intentHash: parseHashText(intent)!,
        status,
        payload: payload === undefined ? undefined : { json: payload },
        error,
      });
      if (!injected.ok) return stopWith(injected.failure);
      const duplicate = injected.value.state !== 'accepted' && injected.value.duplicate;
      return { accepted: !duplicate, duplicate };
    },
  });
  if (answer.duplicate) ctx.out.notice('this effect had its receipt already; the first one counts');
  ctx.out.answer([answer.duplicate ? 'duplicate' : 'accepted'], answer);
}

/** Pending effects, oldest first. */
async function pendingRows(ctx: Context, reader: Reader): Promise<readonly Row[]> {
  const control = await connectIfRunning(ctx);
  if (control !== undefined) return (await control.get('/api/effects'))['effects'] as unknown as readonly Row[];
  // Claims of a process that is gone mean nothing: its effects are open again.
  const isHeld = (await runningWorld(ctx, reader.store, await requireIdentity(ctx))) !== undefined;
  const outbox = new Map((await reader.store.outbox.list(reader.row.worldId)).map((row) => [row.emissionSeq, row]));
  const catalog = await reader.catalog();
  const views = effectViews(await reader.kernel(), ({ emissionSeq }) => {
    const row = outbox.get(emissionSeq);
    return row && { state: isHeld && row.claimed ? 'in_flight' : 'open', attempt: row.attempt };
  });
  return views.map((view) => effectJson(view, catalog));
}

/** The effect that a hash, or the beginning of one, names: a pending one, else one in the journal. */
async function findRow(ctx: Context, reader: Reader, given: string): Promise<Row> {
  const digits = intentDigits(given, 'worldline effects ls');
  const pending = (await pendingRows(ctx, reader)).filter((row) =>
    text(row, 'intent_hash').slice(7).startsWith(digits),
  );
  if (pending.length === 1) return pending[0]!;
  if (pending.length > 1) return ambiguous(given, pending.map(candidate));
  const found = await settledEffects(
    reader.store,
    reader.row.worldId,
    (hash) => toHex(hash).startsWith(digits),
    // Whole hashes name one effect; of a beginning, a few are enough to say that it is not unique.
    { max: digits.length === 64 ? 1 : 20, entriesMax: Number.POSITIVE_INFINITY },
  );
  if (!found.ok) return stopWith(found.failure);
  const catalog = await reader.catalog();
  const settled = found.value.map((effect) => settledJson(effect, catalog));
  if (settled.length > 1) return ambiguous(given, settled.map(candidate));
  return settled[0] ?? stop('not_found', `there is no effect ${given}`, { hint: '"worldline effects ls" shows them' });
}

function candidate(row: Row): string {
  return `${text(row, 'intent_hash')}  ${text(row, 'kind')}  ${originText(row)}`;
}

function text(row: Row, key: string): string {
  return String(row[key] ?? '');
}

function shortIntent(row: Row): string {
  return text(row, 'intent_hash').slice(0, 19);
}

function originText(row: Row): string {
  const origin = row['origin'] as { readonly name: string; readonly plan_id?: number; readonly step_id?: string };
  return origin.plan_id === undefined ? origin.name : `${origin.name} ${origin.plan_id} step ${origin.step_id}`;
}

/** `in 4.50min`, `12.00s ago` */
function dueText(row: Row, nowNs: bigint): string {
  if (row['due_ns'] === undefined) return '';
  const left = BigInt(text(row, 'due_ns')) - nowNs;
  return left >= 0n ? `in ${longDuration(left)}` : `${longDuration(-left)} ago`;
}

/** When the next attempt comes, and with what the one before ended. */
function againText(row: Row, nowNs: bigint): string {
  const left = BigInt(text(row, 'next_attempt_ns')) - nowNs;
  return `${left > 0n ? `in ${longDuration(left)}` : 'now'}, after ${text(row, 'last_error_code')}`;
}

function indented(json: Data | undefined): readonly string[] {
  return printable(toJson(json ?? null, true))
    .split('\n')
    .map((line) => `  ${line}`);
}
