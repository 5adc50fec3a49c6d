/**
 * Inverses of changes to the world state, newest last.
 *
 * Every mutation of S logs its inverse here, so one ingress can be rolled back as a whole (`kernel.runaway`) and
 * batches whose commit failed can be dropped (`discard`). Containers keep their identity; only contents move back.
 */
export class UndoLog {
  #inverses: (() => void)[] = [];

  push(inverse: () => void): void {
    this.#inverses.push(inverse);
  }

  /** Runs all inverses, newest first, and forgets them. */
  rollback(): void {
    const inverses = this.#inverses;
    this.#inverses = [];
    for (let i = inverses.length - 1; i >= 0; i--) inverses[i]!();
  }

  setMap<K, V>(map: Map<K, V>, key: K, value: V): void {
    const had = map.has(key);
    const before = map.get(key);
    map.set(key, value);
    this.#inverses.push(had ? () => map.set(key, before as V) : () => map.delete(key));
  }

  deleteMap<K, V>(map: Map<K, V>, key: K): void {
    if (!map.has(key)) return;
    const before = map.get(key) as V;
    map.delete(key);
    this.#inverses.push(() => map.set(key, before));
  }

  /** Assigns one property. */
  assign<T extends object, K extends keyof T>(target: T, key: K, value: T[K]): void {
    const before = target[key];
    target[key] = value;
    this.#inverses.push(() => {
      target[key] = before;
    });
  }
}
