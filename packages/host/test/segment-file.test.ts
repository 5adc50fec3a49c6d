import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesEqual, toHex, unwrap } from '@worldline/canon';
import { decodeCheckpoint, decodeSegmentHead, ZERO_CHAIN } from '@worldline/kernel';
import type { StoredBatch } from '@worldline/ports';
import { afterEach, describe, expect, test } from 'vitest';
import { collectBatches } from '../src/journal-read.ts';
import { exportJournal, SegmentFile } from '../src/segment-file.ts';
import { Bench, job } from './bench-world.ts';

/** Parts of a journal as files (journal.md §9, docs/formats/segment.md). */

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A world with some history, and what its store holds of it. */
async function history() {
  const bench = await Bench.create();
  const world = await bench.open({});
  for (const id of ['a', 'b', 'c']) await world.startPlan({ plan: 't/call_plan@1', input: job(id) });
  await world.close({ graceMs: 0 });
  const folder = mkdtempSync(join(tmpdir(), 'wl-segment-'));
  folders.push(folder);
  const { store } = bench;
  const row = (await store.world.get(world.worldId))!;
  const batches = unwrap(await collectBatches(store, row.worldId, 0));
  return { store, row, batches, folder, file: join(folder, 'a.wlj') };
}

async function readAll(file: string) {
  const opened = await SegmentFile.open(file);
  if (!opened.ok) return opened;
  const batches: Pick<StoredBatch, 'firstSeq' | 'chain'>[] = [];
  const entries: Uint8Array[] = [];
  const read = await opened.value.read(({ body, chain }) => {
    batches.push({ firstSeq: body.firstSeq, chain });
    entries.push(...body.entries);
  });
  await opened.value.close();
  return { read, batches, entries, firstSeq: opened.value.firstSeq };
}

describe('export', () => {
  test('holds every batch as it is, with its chain and its checkpoints', async () => {
    const { store, row, batches, file } = await history();
    const exported = unwrap(await exportJournal({ store, row, file }));
    expect(exported).toMatchObject({ firstSeq: 0, lastSeq: row.head.height - 1, frames: batches.length });
    expect(exported.chain).toEqual(row.head.chain);
    const bytes = readFileSync(file);
    expect(bytes.length).toBe(exported.bytes);
    expect(unwrap(decodeSegmentHead(bytes))).toMatchObject({ firstSeq: 0, chainBefore: ZERO_CHAIN });
    const signed = await store.checkpoint.read(row.worldId, 0, 100);
    expect(signed.length).toBeGreaterThan(0);
    expect(exported.checkpoints.map((one) => unwrap(decodeCheckpoint(one)).nextSeq)).toEqual(
      signed.map((one) => one.nextSeq),
    );
    const back = await readAll(file);
    if ('ok' in back) throw new Error('it does not open');
    expect(back.read).toEqual({ ok: true, value: undefined });
    expect(back.batches.map(({ firstSeq, chain }) => [firstSeq, toHex(chain)])).toEqual(
      batches.map(({ firstSeq, chain }) => [firstSeq, toHex(chain)]),
    );
  });

  test('a range takes whole batches, and its chain goes on from the batch before', async () => {
    const { store, row, batches, file } = await history();
    const inner = batches.filter(({ firstSeq, lastSeq }) => lastSeq > firstSeq + 1).slice(1, 3);
    const [from, to] = [inner[0]!.firstSeq + 1, inner[1]!.firstSeq];
    const exported = unwrap(await exportJournal({ store, row, file, from, to }));
    expect([exported.firstSeq, exported.lastSeq]).toEqual([inner[0]!.firstSeq, inner[1]!.lastSeq]);
    const at = batches.findIndex((batch) => bytesEqual(batch.chain, inner[0]!.chain));
    const { chainBefore } = unwrap(decodeSegmentHead(readFileSync(file)));
    // Empty batches directly before the first one are read with it.
    const before = batches.slice(0, at).map((batch) => toHex(batch.chain));
    expect(before).toContain(toHex(chainBefore));
    const back = await readAll(file);
    if ('ok' in back) throw new Error('it does not open');
    expect(back.read.ok).toBe(true);
    expect(back.entries.length).toBe(exported.lastSeq - exported.firstSeq + 1);
  });

  test('nothing of the range: refused; an interrupted one or a file that cannot be made leaves nothing', async () => {
    const { store, row, folder, file } = await history();
    const code = async (more: object) => {
      const answer = await exportJournal({ store, row, file, ...more });
      return answer.ok ? 'ok' : answer.failure.code;
    };
    expect(await code({ from: row.head.height })).toBe('not_found');
    expect(await code({ signal: AbortSignal.abort() })).toBe('interrupted');
    expect(await code({ file: join(folder, 'no', 'such') })).toBe('host_error');
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('reading', () => {
  test('any byte that is changed, and any cut, is found', async () => {
    const { store, row, file } = await history();
    const { checkpoints } = unwrap(await exportJournal({ store, row, file }));
    const bytes = readFileSync(file);
    const proofs = checkpoints.map((one) => ({ from: bytes.indexOf(one), to: bytes.indexOf(one) + one.length }));
    const damaged = async (changed: Uint8Array) => {
      writeFileSync(file, changed);
      const back = await readAll(file);
      if ('ok' in back) return back.ok ? 'ok' : back.failure.code;
      return back.read.ok ? 'ok' : back.read.failure.code;
    };
    // Every part: head, frames, foot. Steps that are no divisor of a frame's size reach each of its members.
    const places = Array.from({ length: 97 }, (_, i) => Math.floor((i * (bytes.length - 1)) / 96));
    for (const at of places) {
      const changed = Uint8Array.from(bytes);
      changed[at]! ^= 0x01;
      // A checkpoint is a signature of its own: only the world's keys tell whether it is right.
      const isProof = proofs.some(({ from, to }) => at >= from && at < to);
      expect([at, await damaged(changed)]).toEqual([at, isProof ? 'ok' : 'journal.corrupt']);
      expect([at, await damaged(bytes.subarray(0, at))]).toEqual([at, 'journal.corrupt']);
    }
    expect(await damaged(Buffer.concat([bytes, Buffer.from([0])]))).toBe('journal.corrupt');
    expect(await damaged(bytes)).toBe('ok');
  });

  test('a file that is none is said to be none, with what to do', async () => {
    const { file, folder } = await history();
    writeFileSync(file, '{"data": {}}');
    expect(await SegmentFile.open(file)).toMatchObject({
      ok: false,
      failure: { code: 'journal.corrupt', hint: expect.stringContaining('journal export') },
    });
    expect(await SegmentFile.open(join(folder, 'nowhere'))).toMatchObject({ failure: { code: 'not_found' } });
    expect(await SegmentFile.open(folder)).toMatchObject({ failure: { code: 'host_error' } });
  });

  test('what is read holds on to no buffer: each body has bytes of its own', async () => {
    const { store, row, file } = await history();
    await exportJournal({ store, row, file });
    const opened = unwrap(await SegmentFile.open(file));
    const sizes: number[] = [];
    await opened.read(({ body }) => {
      for (const entry of body.entries) sizes.push(entry.buffer.byteLength);
    });
    await opened.close();
    expect(Math.max(...sizes)).toBeLessThan(64 * 1024);
  });

  test('the reading stops where its reader has enough', async () => {
    const { store, row, file } = await history();
    await exportJournal({ store, row, file });
    const opened = unwrap(await SegmentFile.open(file));
    let seen = 0;
    expect(await opened.read(() => ++seen < 2)).toEqual({ ok: true, value: undefined });
    expect(seen).toBe(2);
    await opened.close();
  });
});
