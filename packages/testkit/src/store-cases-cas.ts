import { ok } from 'node:assert';
import { sha256, utf8 } from '@worldline/canon';
import { answers, hash, type StoreCase, same } from './store-case.ts';

const HOUR_MS = 3_600_000;
const HOUR_NS = 3_600_000_000_000n;
const SMALL = utf8('a small object');
const LARGE = new Uint8Array(100_000).map((_, i) => i * 7);

export const CAS_CASES: readonly StoreCase[] = [
  {
    name: '§4.1 cas.put computes the hash itself, and get returns the bytes (I1)',
    async run({ store }) {
      for (const bytes of [SMALL, LARGE, new Uint8Array(0), new Uint8Array(16 * 1024), new Uint8Array(16 * 1024 + 1)]) {
        await answers(store.cas.put(bytes), { answer: 'ok', hash: sha256(bytes) });
        await answers(store.cas.get(sha256(bytes)), { answer: 'ok', bytes });
        same(store.cas.getSync(sha256(bytes)), { answer: 'ok', bytes });
      }
    },
  },
  {
    name: '§4.1 cas.put with a right expected hash stores, and again is no different',
    async run({ store }) {
      for (const bytes of [SMALL, LARGE]) {
        await answers(store.cas.put(bytes, sha256(bytes)), { answer: 'ok', hash: sha256(bytes) });
        await answers(store.cas.put(bytes, sha256(bytes)), { answer: 'ok', hash: sha256(bytes) });
      }
    },
  },
  {
    name: '§4.1 cas.put with a wrong expected hash stores nothing (I1)',
    async run({ store }) {
      for (const bytes of [SMALL, LARGE]) {
        await answers(store.cas.put(bytes, hash('other')), { answer: 'invalid', reason: 'hash_mismatch' });
        await answers(store.cas.has(sha256(bytes)), false);
        await answers(store.cas.has(hash('other')), false);
      }
    },
  },
  {
    name: '§4.1 cas.put_many stores all or, for one wrong hash, none',
    async run({ store }) {
      const objects = [SMALL, LARGE].map((bytes) => ({ hash: sha256(bytes), bytes }));
      await answers(store.cas.putMany([...objects, { hash: hash('x'), bytes: utf8('y') }]), {
        answer: 'invalid',
        reason: 'hash_mismatch',
      });
      for (const object of objects) await answers(store.cas.has(object.hash), false);
      await answers(store.cas.putMany([...objects, ...objects]), { answer: 'ok' });
      for (const { hash: of, bytes } of objects) await answers(store.cas.get(of), { answer: 'ok', bytes });
      await answers(store.cas.putMany([]), { answer: 'ok' });
    },
  },
  {
    name: '§4.1 an object above the limit is too_large',
    options: { objectBytesMax: 100 },
    async run({ store }) {
      await answers(store.cas.put(new Uint8Array(101)), { answer: 'too_large' });
      await answers(store.cas.put(new Uint8Array(100)), { answer: 'ok', hash: sha256(new Uint8Array(100)) });
      await answers(store.cas.putMany([{ hash: sha256(new Uint8Array(101)), bytes: new Uint8Array(101) }]), {
        answer: 'too_large',
      });
    },
  },
  {
    name: '§4.1 an unknown hash is not_found, has no stat and is not had',
    async run({ store }) {
      await answers(store.cas.get(hash('nothing')), { answer: 'not_found' });
      same(store.cas.getSync(hash('nothing')), { answer: 'not_found' });
      await answers(store.cas.has(hash('nothing')), false);
      await answers(store.cas.stat(hash('nothing')), undefined);
    },
  },
  {
    name: '§4.1 cas.stat tells size and the time of the first put',
    async run({ store, clock }) {
      const storedAtNs = clock.wallNs();
      for (const bytes of [SMALL, LARGE]) await store.cas.put(bytes);
      clock.advance(5n);
      for (const bytes of [SMALL, LARGE]) {
        await store.cas.put(bytes);
        await answers(store.cas.stat(sha256(bytes)), { size: bytes.length, storedAtNs });
        await answers(store.cas.has(sha256(bytes)), true);
      }
    },
  },
  {
    name: '§4.1 flipped bits are reported as corrupt, never returned (I1, F10)',
    async run({ store, harness }) {
      for (const bytes of [SMALL, LARGE]) {
        await store.cas.put(bytes);
        await harness.corruptObject(sha256(bytes));
        await answers(store.cas.get(sha256(bytes)), { answer: 'corrupt' });
        same(store.cas.getSync(sha256(bytes)), { answer: 'corrupt' });
      }
    },
  },
  {
    name: 'objects survive reopening (I14)',
    async run(t) {
      for (const bytes of [SMALL, LARGE]) await t.store.cas.put(bytes);
      const store = await t.harness.reopen();
      for (const bytes of [SMALL, LARGE]) await answers(store.cas.get(sha256(bytes)), { answer: 'ok', bytes });
    },
  },
  {
    name: 'bytes given and bytes returned belong to the caller: changing them changes nothing stored',
    async run({ store }) {
      const given = SMALL.slice();
      const putting = store.cas.put(given);
      await putting;
      given.fill(0);
      const got = await store.cas.get(sha256(SMALL));
      ok(got.answer === 'ok');
      got.bytes.fill(0);
      await answers(store.cas.get(sha256(SMALL)), { answer: 'ok', bytes: SMALL });
    },
  },
  {
    name: 'a view into a larger buffer is stored as what it shows',
    async run({ store }) {
      const buffer = new Uint8Array(1000).map((_, i) => i);
      const view = buffer.subarray(100, 110);
      await answers(store.cas.put(view), { answer: 'ok', hash: sha256(view) });
      await answers(store.cas.get(sha256(view)), { answer: 'ok', bytes: view });
    },
  },
  {
    name: '§4.1 cas.delete takes an object at its age, not one ns before; repeated it is not_found (I15)',
    async run({ store, clock }) {
      for (const bytes of [SMALL, LARGE]) {
        await store.cas.put(bytes);
        const of = sha256(bytes);
        clock.advance(2n * HOUR_NS - 1n);
        await answers(store.cas.delete(of, 2 * HOUR_MS), { answer: 'young' });
        await answers(store.cas.get(of), { answer: 'ok', bytes });
        clock.advance(1n);
        await answers(store.cas.delete(of, 2 * HOUR_MS), { answer: 'ok' });
        await answers(store.cas.get(of), { answer: 'not_found' });
        await answers(store.cas.has(of), false);
        await answers(store.cas.delete(of, 2 * HOUR_MS), { answer: 'not_found' });
      }
    },
  },
  {
    name: 'journal.md §12 a put of an object that was deleted creates it again',
    async run({ store, clock }) {
      for (const bytes of [SMALL, LARGE]) {
        await store.cas.put(bytes);
        clock.advance(2n * HOUR_NS);
        const [deleted] = await Promise.all([
          store.cas.delete(sha256(bytes), 2 * HOUR_MS),
          store.cas.put(bytes),
          store.cas.put(bytes),
        ]);
        same(deleted, { answer: 'ok' });
        await answers(store.cas.get(sha256(bytes)), { answer: 'ok', bytes });
      }
    },
  },
  {
    name: 'journal.md §12 a put of an object that is there makes it young again: a collector that marked before cannot take it (I15)',
    async run(t) {
      const world = await t.world();
      for (const [i, bytes] of [SMALL, LARGE].entries()) {
        await t.store.cas.put(bytes);
        t.clock.advance(3n * HOUR_NS);
        const renewedAtNs = t.clock.wallNs();
        if (i === 0) await t.store.cas.put(bytes);
        else {
          await world.acquire('w1');
          await world.commit({}, { objects: [{ hash: sha256(bytes), bytes }] });
        }
        t.clock.advance(HOUR_NS);
        await answers(t.store.cas.delete(sha256(bytes), 2 * HOUR_MS), { answer: 'young' });
        await answers(t.store.cas.stat(sha256(bytes)), { size: bytes.length, storedAtNs: renewedAtNs });
      }
    },
  },
];
