import { sha256, unwrap, utf8 } from '@worldline/canon';
import type { Batch } from '@worldline/ports';
import { afterEach, describe, expect, test } from 'vitest';
import { openSqliteStore } from '../src/index.ts';
import { tamper, temporaryFolder } from './harness.ts';

const folder = temporaryFolder();
afterEach(() => folder.remove());

const ZERO = new Uint8Array(32);

function batch(firstSeq: number, body: Uint8Array): Batch {
  return {
    chain: sha256(body),
    body,
    firstSeq,
    lastSeq: firstSeq,
    emitted: [],
    timers: [],
    settled: [],
    released: [],
    internalPending: false,
  };
}

async function openWithWorld() {
  const store = unwrap(await openSqliteStore(folder.dir));
  await store.world.create({ worldId: 'w', universeId: 'u', configHash: ZERO }, []);
  const lease = await store.lease.acquire('w', 'me', 60_000);
  if (lease.answer !== 'ok') throw new Error(lease.answer);
  return { store, epoch: lease.epoch };
}

/** From now on an enqueue fails at COMMIT in a way that only a bug can explain, which ends the thread. */
function breakEnqueue(): void {
  tamper(folder.dir, (db) =>
    db.exec(`
      CREATE TABLE parent (id INTEGER PRIMARY KEY);
      CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
      CREATE TRIGGER orphan AFTER INSERT ON inbox BEGIN INSERT INTO child VALUES (1); END;
    `),
  );
}

describe('the writer thread', () => {
  test('commits of any size arrive in order and whole', async () => {
    const { store, epoch } = await openWithWorld();
    const sizes = [10, 2_000_000, 20, 700_000, 700_000, 30];
    const batches = sizes.map((size, seq) => batch(seq, new Uint8Array(size).fill(seq)));
    const answers = await Promise.all(
      batches.map((one, seq) =>
        store.commit('w', epoch, { height: seq, chain: seq === 0 ? ZERO : batches[seq - 1]!.chain }, [one]),
      ),
    );
    expect(answers).toEqual(batches.map(({ chain }, seq) => ({ answer: 'ok', height: seq + 1, chain })));
    const read = await store.journal.read('w', 0, 100);
    if (read.answer !== 'ok') throw new Error(read.answer);
    expect(read.batches.map(({ body }) => sha256(body))).toEqual(batches.map(({ body }) => sha256(body)));
    await store.close();
  });

  test('everything asked for before close is done and answered; afterwards nothing is', async () => {
    const { store, epoch } = await openWithWorld();
    const first = batch(0, utf8('0'));
    const asked = Promise.all([
      store.commit('w', epoch, { height: 0, chain: ZERO }, [first]),
      store.inbox.enqueue('w', utf8('item'), ZERO, 'key'),
      store.commit('w', epoch, { height: 1, chain: first.chain }, [batch(1, utf8('1'))]),
    ]);
    await store.close();
    expect(await asked).toMatchObject([{ answer: 'ok' }, { answer: 'ok' }, { answer: 'ok', height: 2 }]);
    expect(await store.commit('w', epoch, { height: 2, chain: ZERO }, [])).toMatchObject({ answer: 'unavailable' });
  });

  test('when it dies nobody can say what became of what it had; later calls are refused, and close returns', async () => {
    const { store, epoch } = await openWithWorld();
    breakEnqueue();
    const commit = () => store.commit('w', epoch, { height: 0, chain: ZERO }, [batch(0, utf8('0'))]);
    const asked = await Promise.all([store.inbox.enqueue('w', utf8('item'), ZERO, 'key'), commit()]);
    expect(asked[0]).toMatchObject({ answer: 'unavailable' });
    // The commit shared the transaction that failed, or came too late for it.
    expect(asked[1].answer).toBe('unknown');
    expect(await commit()).toMatchObject({ answer: 'unavailable' });
    await store.close();
    const again = unwrap(await openSqliteStore(folder.dir));
    expect(await again.journal.head('w')).toEqual({ height: 0, chain: ZERO });
    await again.close();
  });
});
