import { blobGetAdapter, blobPutAdapter, guardedHttp } from '@worldline/adapters';
import { hashText, sha256, utf8 } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { context, request } from './support.ts';

const hi = utf8('hi');
const hiRef = hashText(sha256(hi));

describe('blob.put and blob.get (host.md §5.2)', () => {
  test('put stores bytes under their own hash and reports the size', async () => {
    const ctx = context(guardedHttp());
    const outcome = await blobPutAdapter().execute!(request('blob.put', { blob_ref: hiRef, bytes: hi }), ctx);
    expect(outcome).toEqual({ status: 'ok', payload: { blob_ref: hiRef, size: 2 } });
    expect(ctx.blobs.stored.get(hiRef)).toEqual(hi);
  });

  test('put with another hash stores nothing and says which hash it found', async () => {
    const ctx = context(guardedHttp());
    const claimed = `sha256:${'0'.repeat(64)}`;
    const outcome = await blobPutAdapter().execute!(request('blob.put', { blob_ref: claimed, bytes: hi }), ctx);
    expect(outcome).toMatchObject({
      status: 'error',
      error: { code: 'blob.hash_mismatch' },
      payload: { blob_ref: claimed, size: 0 },
    });
    expect(outcome).toHaveProperty('error.message', expect.stringContaining(hiRef));
    expect(ctx.blobs.stored.size).toBe(0);
  });

  test('get returns the bytes', async () => {
    const ctx = context(guardedHttp());
    await ctx.blobs.put(hi);
    expect(await blobGetAdapter().execute!(request('blob.get', { blob_ref: hiRef }), ctx)).toEqual({
      status: 'ok',
      payload: { blob_ref: hiRef, size: 2, bytes: hi },
    });
  });

  test.each([
    ['blob.missing', () => undefined, {}],
    ['blob.corrupt', (stored: Map<string, Uint8Array>) => stored.set(hiRef, utf8('ho')), {}],
    ['blob.too_large', (stored: Map<string, Uint8Array>) => stored.set(hiRef, hi), { maxBytes: 1 }],
  ])('%s keeps the reference and gives no bytes', async (code, prepare, options) => {
    const ctx = context(guardedHttp());
    prepare(ctx.blobs.stored);
    expect(await blobGetAdapter(options).execute!(request('blob.get', { blob_ref: hiRef }), ctx)).toMatchObject({
      status: 'error',
      error: { code },
      payload: { blob_ref: hiRef, size: 0, bytes: new Uint8Array() },
    });
  });

  test('both are of class read: doing them twice changes nothing', () => {
    expect(blobPutAdapter().classify(request('blob.put', {}))).toBe('read');
    expect(blobGetAdapter().classify(request('blob.get', {}))).toBe('read');
  });
});
