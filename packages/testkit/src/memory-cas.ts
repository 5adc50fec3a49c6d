import { bytesEqual, toHex } from '@worldline/canon';
import type { CasStore, GetAnswer, PutAnswer } from '@worldline/ports';
import { later, sha256, type Universe } from './memory-universe.ts';

export function memoryCas(universe: Universe): CasStore {
  function getObject(hash: Uint8Array): GetAnswer {
    if (universe.isClosed) return universe.unavailable();
    const found = universe.objects.get(toHex(hash));
    if (found === undefined) return { answer: 'not_found' };
    if (!bytesEqual(sha256(found.bytes), hash)) return { answer: 'corrupt' };
    return { answer: 'ok', bytes: found.bytes.slice() };
  }

  return {
    put: (bytes, expected) =>
      universe.run('cas.put', undefined, (): PutAnswer => {
        const hash = sha256(bytes);
        const stored = universe.storeObjects([{ hash: expected ?? hash, bytes }]);
        return stored.answer === 'ok' ? { answer: 'ok', hash } : stored;
      }),
    putMany: (given) => universe.run('cas.putMany', undefined, () => universe.storeObjects(given)),
    get: async (hash) => getObject(hash),
    getSync: getObject,
    has: async (hash) => universe.has(hash),
    async stat(hash) {
      const found = universe.objects.get(toHex(hash));
      return found && { size: found.bytes.length, storedAtNs: found.storedAtNs };
    },
    delete: (hash, olderThanMs) =>
      universe.run('cas.delete', undefined, () => {
        const found = universe.objects.get(toHex(hash));
        if (found === undefined) return { answer: 'not_found' };
        if (later(found.storedAtNs, olderThanMs) > universe.nowNs()) return { answer: 'young' };
        universe.objects.delete(toHex(hash));
        return { answer: 'ok' };
      }),
  };
}
