/**
 * Inverses of changes to the world state, newest last.
 *
 * Every mutation of S logs its inverse here, so one ingress can be rolled back as a whole (`kernel.runaway`) and
 * batches whose commit failed can be dropped (`discard`). Containers keep their identity; only contents move back.
 *
 * Nearly every log is thrown away unread, so an inverse is no closure but a function and what it is called with, in one
 * flat list that can be used again.
 */
export class UndoLog {
  /** Four places each: function, target, key, value before. */
  #inverses: unknown[] = [];
  #top = 0;

  /** Logs `restore(target, key, before)`. */
  log<T, K, V>(restore: (target: T, key: K, before: V) => void, target: T, key: K, before: V): void {
    const inverses = this.#inverses;
    let top = this.#top;
    inverses[top++] = restore;
    inverses[top++] = target;
    inverses[top++] = key;
    inverses[top++] = before;
    this.#top = top;
  }

  /** Runs all inverses, newest first, and forgets them. */
  rollback(): void {
    const inverses = this.#inverses;
    for (let i = this.#top - 4; i >= 0; i -= 4) {
      (inverses[i] as Inverse)(inverses[i + 1], inverses[i + 2], inverses[i + 3]);
    }
    this.forget();
  }

  /** Drops the inverses: what was logged stays as it is. */
  forget(): void {
    if (this.#top > KEPT_PLACES) this.#inverses = [];
    else this.#inverses.fill(undefined, 0, this.#top); // keeps nothing alive
    this.#top = 0;
  }

  setMap<K, V>(map: Map<K, V>, key: K, value: V): void {
    const before = map.get(key);
    if (before !== undefined || map.has(key)) this.log(setEntry, map, key, before);
    else this.log(deleteEntry, map, key, undefined);
    map.set(key, value);
  }

  deleteMap<K, V>(map: Map<K, V>, key: K): void {
    const before = map.get(key);
    if (before === undefined && !map.has(key)) return;
    map.delete(key);
    this.log(setEntry, map, key, before as V);
  }

  /** Assigns one property. */
  assign<T extends object, K extends keyof T>(target: T, key: K, value: T[K]): void {
    this.log(setProperty<T, K>, target, key, target[key]);
    target[key] = value;
  }
}

/** What a log of an ordinary batch needs, some times over. */
const KEPT_PLACES = 1024;

type Inverse = (target: unknown, key: unknown, before: unknown) => void;

function setEntry<K, V>(map: Map<K, V>, key: K, before: V): void {
  map.set(key, before);
}

function deleteEntry<K, V>(map: Map<K, V>, key: K): void {
  map.delete(key);
}

function setProperty<T extends object, K extends keyof T>(target: T, key: K, before: T[K]): void {
  target[key] = before;
}
