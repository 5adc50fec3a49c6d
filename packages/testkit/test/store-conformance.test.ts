import { describe, test } from 'vitest';
import { memoryStore } from '../src/memory-store.ts';
import { storeConformance } from '../src/store-conformance.ts';
import { VirtualClock } from '../src/virtual-clock.ts';

storeConformance(
  'memory store',
  async (options) => {
    const clock = new VirtualClock();
    const store = memoryStore({ clock, ...options });
    return {
      store,
      clock,
      another: async () => store,
      reopen: async () => store,
      corruptObject: async (hash) => store.corruptObject(hash),
      removeBatch: async (worldId, firstSeq) => store.removeBatch(worldId, firstSeq),
      close: () => store.close(),
    };
  },
  { describe, test },
);
