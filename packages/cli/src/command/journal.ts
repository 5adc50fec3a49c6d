import { closeSync, openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { toHex } from '@worldline/canon';
import { exportJournal, readKeys, type SignatureKeys, type SignatureReport, verifyJournal } from '@worldline/host';
import { type Entry, recordJson, renderRecord, type Types } from '@worldline/summary';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { stop, stopWith } from '../failure.ts';
import { counted, type Data, printable, toJson } from '../output.ts';
import { Reader, reading } from '../reader.ts';
import { didYouMean } from '../suggest.ts';

const KINDS = [
  'domain_event',
  'effect_intent',
  'effect_receipt',
  'cap_decision',
  'policy_decision',
  'plan_started',
  'plan_ended',
  'plan_result',
  'plan_start',
  'plan_cancel',
  'reducer_fault',
  'ingress_rejected',
  'governance',
  'manifest',
  'snapshot',
  'baseline',
  'custom',
];
const SHORT: Readonly<Record<string, string>> = {
  event: 'domain_event',
  intent: 'effect_intent',
  receipt: 'effect_receipt',
};
const MAX_LIMIT = 1_000_000;

export async function journalHead(ctx: Context): Promise<void> {
  await reading(ctx, async (reader) => {
    const meta = await reader.meta();
    ctx.out.answer([String(reader.height)], { meta: { ...meta } }, meta);
  });
}

export interface TailFlags {
  readonly from?: number;
  readonly limit: number;
  readonly kinds?: string;
  readonly follow?: boolean;
  readonly out?: string;
}

/** `worldline journal tail`: `#seq kind summary` lines, or records as JSON. */
export async function journalTail(ctx: Context, flags: TailFlags): Promise<void> {
  const kinds = readKinds(flags.kinds);
  if (flags.limit > MAX_LIMIT) stop('invalid_request', `--limit is at most ${MAX_LIMIT}`);
  if (flags.follow === true && flags.out !== undefined)
    stop('invalid_request', '--follow writes to standard output only', {
      hint: 'leave out --out, or redirect the output',
    });
  const reader = await Reader.open(ctx);
  try {
    const wanted = (entry: Entry) => kinds.size === 0 || kinds.has(entry.record.record_kind);
    let entries: Entry[] = [];
    let from: number;
    if (flags.from === undefined) {
      for await (const entry of reader.entriesBackwards()) {
        if (entries.length === flags.limit) break;
        if (wanted(entry)) entries.push(entry);
      }
      entries = entries.reverse();
      from = entries[0]?.seq ?? reader.height;
    } else {
      from = flags.from;
      for await (const entry of reader.entries(from)) {
        if (entries.length === flags.limit) break;
        if (wanted(entry)) entries.push(entry);
      }
    }
    const cut = flags.from !== undefined && entries.length === flags.limit;
    const to = cut ? entries.at(-1)!.seq + 1 : reader.height;
    if (flags.follow === true) {
      const types = await typesOf(reader, entries);
      for (const entry of entries) show(ctx, entry, types);
      await follow(ctx, reader, to, wanted);
      return;
    }
    const types = ctx.out.json ? await typesOf(reader, entries) : undefined;
    const human = entries.map((entry) => printable(renderRecord(entry.seq, entry.record)));
    const data = { from, to, entries: types === undefined ? [] : entries.map((entry) => entryJson(entry, types)) };
    const meta = await reader.meta();
    if (flags.out !== undefined) {
      writeOut(ctx, flags.out, ctx.out.json ? [toJson({ data, meta: { ...meta } }, ctx.out.options.pretty)] : human);
      ctx.out.answer([`${entries.length} records written to ${flags.out}`], { from, to, out: flags.out }, meta);
      return;
    }
    ctx.out.answer(human, data, meta);
  } finally {
    await reader.close();
  }
}

function writeOut(ctx: Context, file: string, lines: readonly string[]): void {
  try {
    const handle = openSync(resolve(ctx.cwd, file), 'w');
    try {
      for (const line of lines) writeSync(handle, `${line}\n`);
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    stop('host_error', `${file} cannot be written: ${(error as Error).message}`);
  }
}

/** Records as they become durable; ends when interrupted. */
async function follow(ctx: Context, first: Reader, from: number, wanted: (entry: Entry) => boolean): Promise<void> {
  let next = from;
  const { store } = first;
  const { worldId } = first.row;
  while (!ctx.interrupted.aborted) {
    const head = await store.journal.head(worldId);
    if (head !== undefined && head.height > next) {
      const reader = await Reader.over(store, worldId);
      const entries: Entry[] = [];
      for await (const entry of reader.entries(next)) if (wanted(entry)) entries.push(entry);
      const types = await typesOf(reader, entries);
      for (const entry of entries) show(ctx, entry, types);
      next = reader.height;
    }
    await pause(200, ctx.interrupted);
  }
  process.exitCode = EXIT.interrupted;
}

function show(ctx: Context, entry: Entry, types: Types): void {
  ctx.out.line(printable(renderRecord(entry.seq, entry.record)), entryJson(entry, types));
}

function entryJson(entry: Entry, types: Types): { readonly [key: string]: Data } {
  return { seq: entry.seq, kind: entry.record.record_kind, record: recordJson(entry, types) };
}

/** What the values of these entries are read with: the live manifest, and the intents that receipts answer. */
async function typesOf(reader: Reader, entries: readonly Entry[]): Promise<Types> {
  const catalog = await reader.catalog();
  const kinds = new Map<string, string>();
  for (const { record } of entries)
    if (record.record_kind === 'effect_intent') kinds.set(toHex(record.intent_hash), record.kind);
  for (const { record } of entries) {
    if (record.record_kind !== 'effect_receipt' || kinds.has(toHex(record.intent_hash))) continue;
    const intent = await reader.recordAt(record.emission_seq);
    if (intent?.record_kind === 'effect_intent') kinds.set(toHex(record.intent_hash), intent.kind);
  }
  return { catalog, kindOf: (intentHash) => kinds.get(toHex(intentHash)) };
}

function readKinds(list: string | undefined): ReadonlySet<string> {
  if (list === undefined) return new Set();
  return new Set(
    list
      .split(',')
      .map((text) => text.trim())
      .filter((text) => text !== '')
      .map((text) => {
        const kind = SHORT[text] ?? text;
        if (!KINDS.includes(kind))
          stop('invalid_request', `there is no record kind "${text}"`, {
            hint: didYouMean(text, [...KINDS, ...Object.keys(SHORT)]) ?? `known: ${KINDS.join(', ')}`,
          });
        return kind;
      }),
  );
}

/** Waits, or returns at once when the signal fires. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}

/** `worldline journal verify`. */
export async function journalVerify(ctx: Context, flags: { readonly signatures?: boolean }): Promise<void> {
  await reading(ctx, async (reader) => {
    const { store, row } = reader;
    const signatures = flags.signatures === true ? await signatureKeys(ctx) : undefined;
    const progress = ctx.out.transient();
    const verified = await verifyJournal({
      store,
      worldId: row.worldId,
      keep: (await ctx.config()).snapshot.keep,
      signatures,
      onProgress: (height, head) => progress.show(`${height} of ${head} entries verified`),
    });
    progress.end();
    if (!verified.ok) return stopWith(verified.failure);
    const { entries, batches, problems, moreProblems, signatures: signed } = verified.value;
    const found = problems.length + moreProblems;
    const human = [
      `${counted(entries, 'entry', 'entries')} in ${counted(batches, 'batch', 'batches')}`,
      ...(signed === undefined ? [] : signatureLines(signed, entries)),
      found === 0 ? ctx.out.style('bold', 'no problems') : ctx.out.style('red', counted(found, 'problem')),
      ...problems.map((problem) => printable(`#${problem.seq} ${problem.code}  ${problem.message}`)),
      ...(moreProblems === 0 ? [] : [`and ${moreProblems} more`]),
    ];
    ctx.out.answer(
      human,
      {
        entries,
        batches,
        ...(signed === undefined
          ? {}
          : {
              signed_to_seq: signed.signedToSeq,
              checkpoints: signed.checkpoints,
              receipts_verified: signed.receiptsVerified,
              receipts_unverifiable: signed.receiptsUnverifiable,
            }),
        problems: problems.map((problem) => ({ ...problem })),
        ...(moreProblems === 0 ? {} : { more_problems: moreProblems }),
      },
      await reader.meta(),
    );
    if (found > 0) process.exitCode = EXIT.check;
  });
}

async function signatureKeys(ctx: Context): Promise<SignatureKeys> {
  const { receipts, world } = await readKeys((await ctx.folder()).keys);
  return {
    own: receipts === undefined ? [] : [{ keyId: receipts.keyId, alg: 'ed25519', key: receipts.publicKey }],
    trusted: (await ctx.config()).receipts.trustedKeys,
    worldKey: world?.publicKey,
  };
}

function signatureLines(signed: SignatureReport, entries: number): string[] {
  const { signedToSeq, checkpoints, receiptsVerified, receiptsUnverifiable } = signed;
  return [
    `${counted(checkpoints, 'checkpoint')}, signed ${signedToSeq === entries ? 'to the head' : `up to #${signedToSeq}`}`,
    `${counted(receiptsVerified, 'receipt signature')} verified${receiptsUnverifiable === 0 ? '' : `, ${receiptsUnverifiable} of receipts that are not recorded as they were signed`}`,
  ];
}

export interface ExportFlags {
  readonly from?: number;
  readonly to?: number;
}

/** `worldline journal export`: whole batches as one file that `--journal` of other commands reads. */
export async function journalExport(ctx: Context, file: string, flags: ExportFlags): Promise<void> {
  const { from, to } = flags;
  if (from !== undefined && to !== undefined && to < from)
    stop('invalid_request', `--to ${to} lies before --from ${from}`);
  await reading(ctx, async (reader) => {
    const { store, row } = reader;
    const progress = ctx.out.transient();
    const exported = await exportJournal({
      store,
      row,
      file: resolve(ctx.cwd, file),
      from,
      to,
      signal: ctx.interrupted,
      onProgress: (seq) => progress.show(`${seq} of ${reader.height} entries written`),
    });
    progress.end();
    if (!exported.ok) return stopWith(exported.failure);
    const { firstSeq, lastSeq, frames, checkpoints, bytes, chain } = exported.value;
    ctx.out.answer(
      [
        `${counted(lastSeq - firstSeq + 1, 'entry', 'entries')} (${firstSeq}..${lastSeq}) in ${counted(frames, 'batch', 'batches')} written to ${printable(file)}, ${bytes} bytes`,
      ],
      {
        file,
        from: firstSeq,
        to: lastSeq,
        batches: frames,
        checkpoints: checkpoints.length,
        bytes,
        chain: toHex(chain),
      },
      await reader.meta(),
    );
  });
}
