import { decode, encode, toHex, unwrap } from '@worldline/canon';
import { ingressDigest } from '@worldline/kernel';
import { describe, expect, test } from 'vitest';
import { encodeInboxItem, type InboxIngress } from '../src/inbox-item.ts';
import { readStoredItem } from '../src/stored-item.ts';
import { Bench } from './bench-world.ts';

/** Damage is never applied (`hosting.md` §4.3), and nothing that was enqueued stops a world (D10). */

const ITEMS: readonly InboxIngress[] = [
  { kind: 'event', schema: 't/Job@1', value: encode({ id: 'a' }), key: encode('k'), ingressId: 'i' },
  { kind: 'inbox', source: 'mail', schema: 't/Job@1', value: encode({ id: 'a' }) },
  { kind: 'timer', emissionSeq: 77 },
  { kind: 'plan_start', plan: 't/ask@1', input: encode({}), correlation: encode(1), bindLocals: { x: encode(2) } },
  { kind: 'control', command: 'plan_cancel', planId: 3, reason: 'r', actor: 'ada' },
  { kind: 'control', command: 'pin', add: [new Uint8Array(32)], remove: [] },
  { kind: 'control', command: 'config', configHash: new Uint8Array(32).fill(3) },
  {
    kind: 'receipt',
    verdict: {},
    receipt: {
      intentHash: new Uint8Array(32).fill(1),
      emissionSeq: 9,
      adapterId: 'pool.call',
      status: 'error',
      payloadCbor: encode({ n: 1 }),
      error: { code: 'c', message: 'm', retryable: true, detail_ref: null },
      costCents: 5n,
      signature: new Uint8Array(64).fill(2),
    },
  },
];

/** As a store gives it back. */
function stored(ingress: InboxIngress) {
  const { item, digest } = encodeInboxItem({ ingress, dedupeKey: 'k', enqueuedAtNs: 1n });
  return { seq: Uint8Array.of(0, 7), item, digest };
}

/** Without what makes a repeat a duplicate, which no digest covers. */
function said(ingress: InboxIngress) {
  return { ...ingress, ingressId: undefined, dedupeKey: undefined };
}

describe('an item is compared with the digest it was enqueued with', () => {
  test.each(ITEMS.map((ingress) => [ingress.kind, ingress] as const))(
    '%s: read as it was written; whichever bit flips, nothing else than that is ever read',
    (_, ingress) => {
      const sound = stored(ingress);
      const whole = unwrap(readStoredItem(sound)).ingress;
      expect(ingressDigest(whole)).toEqual(sound.digest);
      const answers = new Set<string>();
      for (let bit = 0; bit < sound.item.length * 8; bit++) {
        const item = sound.item.slice();
        item[bit >> 3]! ^= 1 << (bit & 7);
        const read = readStoredItem({ ...sound, item });
        answers.add(read.ok ? 'ok' : read.failure.code);
        if (read.ok) expect([bit, said(read.value.ingress)]).toEqual([bit, said(whole)]);
      }
      // `ok`: enqueue time, dedupe key and `ingress_id` are no part of what an item says.
      expect([...answers].sort()).toEqual(['decode_error', 'journal.corrupt', 'ok']);
    },
  );

  test('a flipped bit of the digest is journal.corrupt with the place of the item', () => {
    const sound = stored(ITEMS[0]!);
    const digest = sound.digest.slice();
    digest[31]! ^= 1;
    expect(readStoredItem({ ...sound, digest })).toMatchObject({
      ok: false,
      failure: { code: 'journal.corrupt', path: ['inbox', '0007'], hint: expect.any(String) },
    });
  });

  test('members of a newer version: read without them where the digest does not cover them, else no item at all', () => {
    const sound = stored(ITEMS[0]!);
    const item = encode({ ...(unwrap(decode(sound.item)) as object), trace: 'x' });
    expect(readStoredItem({ ...sound, item }).ok).toBe(true);
    const digest = new Uint8Array(32).fill(9);
    expect(readStoredItem({ ...sound, item, digest })).toMatchObject({ failure: { code: 'decode_error' } });
  });
});

describe('a world', () => {
  const startItem = (id: string): InboxIngress => ({
    kind: 'plan_start',
    plan: 't/call_plan@1',
    input: encode({ id }),
  });

  test('stops and is quarantined at an item that is not what was enqueued; nothing of it is applied', async () => {
    const bench = await Bench.create();
    const before = (await bench.records()).length;
    const { item } = stored(startItem('b'));
    const answer = await bench.store.inbox.enqueue(bench.worldId, item, stored(startItem('a')).digest);
    const seq = answer.answer === 'ok' ? toHex(answer.seq) : undefined;
    const world = await bench.open();
    expect(await world.closed).toMatchObject({ code: 'journal.corrupt', path: ['inbox', seq] });
    await expect.poll(async () => (await bench.store.world.get(bench.worldId))!.status).toBe('quarantined');
    expect((await bench.records()).length).toBe(before);
    expect((await bench.store.inbox.read(bench.worldId, new Uint8Array(0), 10)).length).toBe(1);
  });

  test('refuses on record what is no item, or of a newer version, whatever digest came with it', async () => {
    const bench = await Bench.create();
    const newer = encode({ ...(unwrap(decode(stored(startItem('a')).item)) as object), urgency: 1 });
    for (const item of [new Uint8Array(0), Uint8Array.of(1, 2, 3), encode({ kind: 'event' }), newer])
      await bench.store.inbox.enqueue(bench.worldId, item, new Uint8Array(32).fill(8));
    const { item, digest } = stored(startItem('b'));
    await bench.store.inbox.enqueue(bench.worldId, item, digest);
    const world = await bench.open();
    unwrap(await world.runBatch({ wait: true, timeoutMs: 10_000 }));
    await world.close();
    expect((await bench.of('ingress_rejected')).length).toBe(4);
    expect(await bench.done()).toEqual(['b']);
    await bench.replays();
  });
});
