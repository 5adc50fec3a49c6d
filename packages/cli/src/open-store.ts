import type { Store } from '@worldline/ports';
import { openSqliteStore, StoreOpenError } from '@worldline/store-sqlite';
import { stop } from './failure.ts';

/** Opens the store of a world that exists; nothing is created, locked or written. */
export function openReadOnly(dir: string): Promise<Store> {
  return open(dir, true);
}

/** Opens a store for writing, and makes it when there is none. */
export function openForWriting(dir: string): Promise<Store> {
  return open(dir, false);
}

async function open(dir: string, readOnly: boolean): Promise<Store> {
  try {
    return await openSqliteStore(dir, { readOnly });
  } catch (error) {
    const system = (error as NodeJS.ErrnoException).code;
    if (error instanceof StoreOpenError) return stop(error.code, error.message, { hint: error.hint });
    if (typeof system === 'string' && /^E[A-Z]+$/.test(system)) {
      return stop('host_error', `the store in ${dir} cannot be opened: ${(error as Error).message}`, { hint: 'check that the folder can be written, or name another one with --store <dir>' });
    }
    throw error;
  }
}
