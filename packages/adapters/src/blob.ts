import { type CborValue, hashText, sha256 } from '@worldline/canon';
import type { AdapterCtx, EffectAdapter, EffectOutcome, EffectRequest } from '@worldline/ports';

/** Effects `blob.put` and `blob.get` (`host.md` §5.2). A blob's reference is the hash of its raw bytes. */

export interface BlobAdapterOptions {
  /** Largest blob that a receipt can carry inline, default 8 MiB − 4 KiB (the envelope counts too). */
  readonly maxBytes?: number | undefined;
}

function params(request: EffectRequest): { readonly [key: string]: CborValue } {
  return request.params as { readonly [key: string]: CborValue };
}

/** `blob.put`: stores `bytes` when they have the hash the plan claims, else nothing. */
export function blobPutAdapter(): EffectAdapter {
  return {
    id: 'host.blob.put',
    kinds: ['blob.put'],
    classify: () => 'read',
    async execute(request: EffectRequest, ctx: AdapterCtx): Promise<EffectOutcome> {
      const { blob_ref, bytes } = params(request) as { readonly blob_ref: string; readonly bytes: Uint8Array };
      const actual = hashText(sha256(bytes));
      if (actual !== blob_ref) {
        return {
          status: 'error',
          error: {
            code: 'blob.hash_mismatch',
            message: `the bytes have hash ${actual}, not ${blob_ref}`,
            notSent: true,
          },
          payload: { blob_ref, size: 0 },
        };
      }
      await ctx.blobs.put(bytes);
      return { status: 'ok', payload: { blob_ref, size: bytes.length } };
    },
  };
}

/** `blob.get`: the bytes of a blob, hashed again on the way. */
export function blobGetAdapter(options: BlobAdapterOptions = {}): EffectAdapter {
  const maxBytes = options.maxBytes ?? 8 * 1024 * 1024 - 4096;
  return {
    id: 'host.blob.get',
    kinds: ['blob.get'],
    classify: () => 'read',
    async execute(request: EffectRequest, ctx: AdapterCtx): Promise<EffectOutcome> {
      const { blob_ref } = params(request) as { readonly blob_ref: string };
      const blob = await ctx.blobs.get(blob_ref, { maxBytes });
      if (!blob.ok) {
        const { code, message } = blob.failure;
        return {
          status: 'error',
          error: { code, message, retryable: code === 'blob.unavailable' },
          payload: { blob_ref, size: 0, bytes: new Uint8Array() },
        };
      }
      return { status: 'ok', payload: { blob_ref, size: blob.value.length, bytes: blob.value } };
    },
  };
}
