import { encode, FailureError } from '@worldline/canon';
import { type Applied, defaultConfig, type Ingress, type ReceiptData } from '@worldline/kernel';
import type { InboxItem } from '@worldline/ports';
import { VirtualClock } from '@worldline/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HostFailure } from '../src/failure.ts';
import { encodeInboxItem, type InboxIngress } from '../src/inbox-item.ts';
import { ephemeralKey } from '../src/keys.ts';
import { Fifo, type FinishedReceipt, type LoopInput } from '../src/loop-input.ts';
import { LoopQueue } from '../src/loop-queue.ts';
import type { UnsignedReceipt } from '../src/signer.ts';

const WORLD = '0190b5a8-0000-7000-8000-000000000001';

/** A queue whose other sources are filled by hand. */
function queueOf() {
  const timers = new Fifo<LoopInput>();
  const items = new Fifo<InboxItem>();
  const cursors: Uint8Array[] = [];
  const judged: ReceiptData[] = [];
  const key = ephemeralKey();
  const queue = new LoopQueue({
    worldId: WORLD,
    clock: new VirtualClock(),
    timers: {
      get length() {
        return timers.length;
      },
      shift: () => timers.shift(),
      drop: () => void timers.drain(),
    },
    inbox: {
      get length() {
        return items.length;
      },
      shift: () => items.shift(),
      reset: (after) => cursors.push(after),
    },
    verifier: () => ({
      judge(receipt) {
        judged.push(receipt);
        return { reject: 'receipt.bad_signature' };
      },
    }),
    receiptKey: key,
    kernel: () => ({
      config: { ...defaultConfig(), receipt_verification: 'required' },
      emission: () => undefined,
      emissionOfIntent: () => undefined,
    }),
  });
  return { queue, timers, items, cursors, judged, key };
}

const input = (ingress: Ingress, dropped: string[] = []): LoopInput => ({
  ingress,
  onDurable() {},
  onDropped: ({ code }) => dropped.push(code),
});
const timer = (n: number) => input({ kind: 'timer', emissionSeq: n });
const start = (n: number) => input({ kind: 'plan_start', plan: `t/p${n}@1`, input: encode({}) });

const unsigned = (n: number): UnsignedReceipt => ({
  intentHash: new Uint8Array(32).fill(n & 0xff),
  emissionSeq: n,
  adapterId: 'test.call',
  status: 'ok',
  payloadCbor: encode({}),
});
const finished = (n: number, heard: (Applied | HostFailure)[] = []): FinishedReceipt => ({
  receipt: unsigned(n),
  token: Uint8Array.of(n & 0xff),
  onDurable: (applied) => heard.push(applied),
  onDropped: (failure) => heard.push(failure),
});

function item(n: number, ingress: InboxIngress = { kind: 'event', schema: `t/E${n}@1`, value: encode(n) }): InboxItem {
  const { item, digest } = encodeInboxItem({ ingress, dedupeKey: `k${n}`, enqueuedAtNs: 1n });
  return { seq: Uint8Array.of(n >> 8, n & 0xff), item, digest, enqueuedAtNs: 1n };
}

/** `t1`, `p1`, `e1` and `r1`: timer, request, item and receipt number 1. */
function nameOf({ ingress }: LoopInput): string {
  switch (ingress.kind) {
    case 'timer':
      return `t${ingress.emissionSeq}`;
    case 'plan_start':
      return ingress.plan.slice(2, -2);
    case 'event':
      return ingress.schema.slice(2, -2).toLowerCase();
    case 'receipt':
      return `r${ingress.receipt.emissionSeq}`;
    default:
      throw new Error(`no ${ingress.kind} was put in`);
  }
}

function taken(queue: LoopQueue): string[] {
  const names: string[] = [];
  for (let one = queue.next(); one !== undefined; one = queue.next()) names.push(nameOf(one));
  return names;
}

describe('what comes next (`host.md` §7.2)', () => {
  test('receipts first; timers, requests and inbox items in turn', () => {
    const { queue, timers, items } = queueOf();
    for (const n of [1, 2]) {
      queue.addRequest(start(n));
      queue.addReceipt(finished(n));
      timers.push(timer(n));
      items.push(item(n));
    }
    expect(queue.length).toBe(8);
    expect(taken(queue)).toEqual(['r1', 'r2', 'p1', 'e1', 't1', 'p2', 'e2', 't2']);
    expect(queue.length).toBe(0);
  });

  test('what was put back comes before everything else, as it was, the latest first (Q1)', () => {
    const { queue } = queueOf();
    queue.addReceipt(finished(1));
    queue.putBack([start(3), timer(4)]);
    queue.putBack([start(1), timer(2)]);
    expect(taken(queue)).toEqual(['p1', 't2', 'p3', 't4', 'r1']);
  });

  test('whatever waits comes out once, each kind in its order, and none waits for another to run out (Q1, Q2)', () => {
    const kinds = fc.array(fc.constantFrom('t', 'p', 'e', 'r'), { maxLength: 400 });
    fc.assert(
      fc.property(kinds, (waiting) => {
        const { queue, timers, items } = queueOf();
        const count: Record<string, number> = { t: 0, p: 0, e: 0, r: 0 };
        for (const kind of waiting) {
          const n = count[kind]!++;
          if (kind === 't') timers.push(timer(n));
          else if (kind === 'p') queue.addRequest(start(n));
          else if (kind === 'e') items.push(item(n));
          else queue.addReceipt(finished(n));
        }
        const names = taken(queue);
        expect(names.length).toBe(waiting.length);
        const left = { ...count };
        let receiptsInRow = 0;
        for (const name of names) {
          const kind = name[0]!;
          expect(name).toBe(`${kind}${count[kind]! - left[kind]!--}`);
          const others = left['t']! + left['p']! + left['e']!;
          receiptsInRow = kind === 'r' && others > 0 ? receiptsInRow + 1 : 0;
          expect(receiptsInRow).toBeLessThanOrEqual(256);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('after a reload inbox items come from behind the cursor again, and what else was put back is still there', () => {
    const { queue, cursors } = queueOf();
    queue.putBack([start(1), input({ kind: 'event', schema: 't/E@1', value: encode(1), inboxSeq: Uint8Array.of(7) })]);
    queue.addRequest(start(2));
    queue.rewindInbox(Uint8Array.of(3));
    expect(taken(queue)).toEqual(['p1', 'p2']);
    expect(cursors).toEqual([Uint8Array.of(3)]);
  });

  test('everybody who waits is told when it is dropped, and nothing is left', () => {
    const { queue, timers } = queueOf();
    const dropped: string[] = [];
    const heard: (Applied | HostFailure)[] = [];
    queue.addRequest(input({ kind: 'timer', emissionSeq: 1 }, dropped));
    queue.putBack([input({ kind: 'timer', emissionSeq: 2 }, dropped)]);
    // Of two finished receipts that are signed together, one is taken and one waits with its signature.
    for (const n of [3, 4]) queue.addReceipt(finished(n, heard));
    expect([queue.next(), queue.next()].map((one) => nameOf(one!))).toEqual(['t2', 'r3']);
    queue.addReceipt(finished(5, heard));
    timers.push(timer(6));
    const failure: HostFailure = { code: 'world.locked', path: [], message: 'gone' };
    queue.drop(failure);
    expect(dropped).toEqual(['world.locked']);
    expect(heard).toEqual([failure, failure]);
    expect(queue.length).toBe(0);
  });
});

describe('what its sender says of a receipt counts for nothing (Q3)', () => {
  test('finished ones are signed when they are taken: one signature for all of them', () => {
    const { queue, key, judged } = queueOf();
    for (const n of [1, 2, 3]) queue.addReceipt(finished(n));
    const receipts = [queue.next()!, queue.next()!, queue.next()!].map(({ ingress }) => {
      if (ingress.kind !== 'receipt') throw new Error('no receipt');
      expect(ingress.verdict).toEqual({ sigKey: key.keyId });
      return ingress.receipt;
    });
    const signatures = receipts.map((receipt) => Buffer.from(receipt.signature!.subarray(0, 64)).toString('hex'));
    expect(new Set(signatures).size).toBe(1);
    expect(judged).toEqual([]);
  });

  test('one handed over, and one from the inbox, are judged here', () => {
    const { queue, items, judged } = queueOf();
    const receipt: ReceiptData = { ...unsigned(1), signature: new Uint8Array(64) };
    queue.addRequest(input({ kind: 'receipt', receipt, verdict: { sigKey: 'mine' } }));
    items.push(item(2, { kind: 'receipt', receipt, verdict: { sigKey: 'mine' } }));
    for (const { ingress } of [queue.next()!, queue.next()!])
      expect(ingress).toMatchObject({ kind: 'receipt', verdict: { reject: 'receipt.bad_signature' } });
    expect(judged.length).toBe(2);
  });
});

describe('an inbox item that is not what was enqueued (Q4)', () => {
  test('is thrown as damage, and never comes out', () => {
    const { queue, items } = queueOf();
    items.push({ ...item(1), digest: item(2).digest });
    let thrown: unknown;
    try {
      queue.next();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(FailureError);
    expect(thrown).toMatchObject({ failure: { code: 'journal.corrupt', path: ['inbox', '0001'] } });
  });

  test('comes out as an event that the kernel refuses when it is no item at all, so that the cursor moves on', () => {
    const { queue, items } = queueOf();
    items.push({ ...item(1), item: Uint8Array.of(1, 2, 3) });
    expect(queue.next()).toMatchObject({ ingress: { kind: 'event', schema: '', inboxSeq: Uint8Array.of(0, 1) } });
  });
});
