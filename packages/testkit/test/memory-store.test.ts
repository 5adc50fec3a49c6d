import { sha256, utf8 } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { memoryStore, type StoreFault } from '../src/memory-store.ts';
import { makeBatch } from '../src/store-case.ts';
import { VirtualClock } from '../src/virtual-clock.ts';

const HEAD = { height: 0, chain: new Uint8Array(32) };

async function held(fault: (operation: string) => StoreFault | undefined) {
  let isArmed = false;
  const store = memoryStore({
    clock: new VirtualClock(),
    fault: (operation) => (isArmed ? fault(operation) : undefined),
  });
  await store.world.create({ worldId: 'w', universeId: 'u', configHash: sha256(utf8('c')) }, []);
  const lease = await store.lease.acquire('w', 'me', 1_000);
  isArmed = true;
  return { store, epoch: lease.answer === 'ok' ? lease.epoch : 0 };
}

describe('injected faults (§11.4)', () => {
  test('unavailable: nothing happened, and the answer says so', async () => {
    const { store, epoch } = await held(() => 'unavailable');
    expect(await store.commit('w', epoch, HEAD, [makeBatch(HEAD)])).toMatchObject({ answer: 'unavailable' });
    expect(await store.inbox.enqueue('w', utf8('i'), sha256(utf8('i')))).toMatchObject({ answer: 'unavailable' });
    expect(await store.lease.renew('w', 'me', epoch, 1)).toMatchObject({ answer: 'unavailable' });
    expect(await store.cas.put(utf8('o'))).toMatchObject({ answer: 'unavailable' });
    expect(await store.journal.head('w')).toEqual(HEAD);
    expect(await store.inbox.read('w', new Uint8Array(0), 10)).toEqual([]);
  });

  test('lost_request: the answer is unknown and nothing happened', async () => {
    const { store, epoch } = await held(() => 'lost_request');
    expect(await store.commit('w', epoch, HEAD, [makeBatch(HEAD)])).toMatchObject({ answer: 'unknown' });
    expect(await store.journal.head('w')).toEqual(HEAD);
  });

  test('lost_answer: the answer is unknown and it happened; the head tells (§4.3)', async () => {
    const { store, epoch } = await held(() => 'lost_answer');
    const batch = makeBatch(HEAD);
    expect(await store.commit('w', epoch, HEAD, [batch])).toMatchObject({ answer: 'unknown' });
    expect(await store.journal.head('w')).toEqual({ height: 1, chain: batch.chain });
  });

  test('the hook is asked by the name of the operation', async () => {
    const asked: string[] = [];
    const { store, epoch } = await held((operation) => {
      asked.push(operation);
      return undefined;
    });
    await store.commit('w', epoch, HEAD, [makeBatch(HEAD)]);
    await store.outbox.claim('w', undefined, 'x', 1, 1);
    await store.timers.fire('w', 1);
    expect(asked).toEqual(['commit', 'outbox.claim', 'timers.fire']);
  });

  test('a closed store is unavailable', async () => {
    const { store, epoch } = await held(() => undefined);
    await store.close();
    expect(await store.commit('w', epoch, HEAD, [makeBatch(HEAD)])).toMatchObject({ answer: 'unavailable' });
  });
});

test('without a clock, store time is that of the machine, in ns', async () => {
  const before = BigInt(Date.now()) * 1_000_000n;
  const now = await memoryStore().nowNs();
  expect(now >= before && now <= BigInt(Date.now()) * 1_000_000n).toBe(true);
});
