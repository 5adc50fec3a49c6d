import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { hashText, parseHashText } from '@worldline/canon';
import type { Context } from '../context.ts';
import { stop } from '../failure.ts';
import { MAX_BLOB_BYTES, readBytes } from '../input.ts';
import { reading } from '../reader.ts';
import { writing } from '../writer.ts';

/** `worldline blob put`: content is stored under its own hash, beside a running world or without one. */
export async function putBlob(ctx: Context, source: string): Promise<void> {
  const bytes = readBytes(source, '<source>', MAX_BLOB_BYTES, ctx.cwd);
  await writing(ctx, async ({ store }) => {
    const put = await store.cas.put(bytes);
    if (put.answer === 'too_large') stop('too_large', `the store takes no object of ${bytes.length} bytes`);
    if (put.answer === 'unavailable') stop('host_error', `the store did not answer: ${put.message}`);
    if (put.answer !== 'ok') return stop('host_error', `the store refused the bytes: ${put.answer}`);
    const hash = hashText(put.hash);
    ctx.out.answer([hash], { hash, size: bytes.length });
  });
}

/** `worldline blob get`. */
export async function getBlob(
  ctx: Context,
  text: string,
  flags: { readonly out?: string; readonly raw?: boolean },
): Promise<void> {
  const hash = readHash(text);
  if (flags.raw === true && ctx.out.json)
    stop('invalid_request', '--raw writes bytes, --json writes an object', { hint: 'leave one of them out' });
  await reading(ctx, async (reader) => {
    const got = await reader.store.cas.get(hash);
    if (got.answer === 'not_found')
      stop('not_found', `there is no blob ${text}`, {
        hint: 'hashes of blobs are printed by "worldline blob put" and stand in receipts',
      });
    if (got.answer === 'corrupt')
      stop('blob.corrupt', `the stored bytes of ${text} have changed`, { hint: 'restore the store from a copy' });
    if (got.answer !== 'ok') return stop('host_error', `the store did not answer: ${got.message}`);
    const { bytes } = got;
    if (flags.out !== undefined) {
      try {
        writeFileSync(resolve(ctx.cwd, flags.out), bytes);
      } catch (error) {
        stop('host_error', `${flags.out} cannot be written: ${(error as Error).message}`);
      }
    }
    if (flags.raw === true) ctx.out.bytes(bytes);
    else
      ctx.out.answer([`${bytes.length} bytes${flags.out === undefined ? '' : ` written to ${flags.out}`}`], {
        hash: text,
        size: bytes.length,
        out: flags.out,
      });
  });
}

/** `worldline blob stat`. */
export async function statBlob(ctx: Context, text: string): Promise<void> {
  const hash = readHash(text);
  await reading(ctx, async (reader) => {
    const stat = await reader.store.cas.stat(hash);
    if (stat === undefined) return stop('not_found', `there is no blob ${text}`);
    ctx.out.answer([`${stat.size} bytes`], { hash: text, size: stat.size, stored_at_ns: String(stat.storedAtNs) });
  });
}

/** @throws CommandError `invalid_request`. */
export function readHash(text: string): Uint8Array {
  return (
    parseHashText(text) ??
    stop('invalid_request', `"${text.slice(0, 80)}" is not a hash`, {
      hint: /^sha256:[0-9a-fA-F]{64}$/.test(text)
        ? 'write the digits in lower case'
        : 'a hash is "sha256:" and 64 hex digits',
    })
  );
}
