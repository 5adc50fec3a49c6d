/**
 * Inverses of changes to the world state, newest last.
 *
 * Every mutation of S logs its inverse here, so one ingress can be rolled back as a whole (`kernel.runaway`) and
 * batches whose commit failed can be dropped (`discard`). Containers keep their identity; only contents move back.
 *
 * Nearly every log is thrown away unread, so an inverse is no closure but a function and what it is called with, in one
 * flat list.
 */
export class UndoLog {
  /** Four places each: function, target, key, value before. */
  #inverses: unknown[] = [];

  push(inverse: () => void): void {
    this.#inverses.push(call, inverse, undefined, undefined);
  }

  /** Logs `restore(target, key, before)`. */
  log<T, K, V>(restore: (target: T, key: K, before: V) => void, target: T, key: K, before: V): void {
    this.#inverses.push(restore, target, key, before);
  }

  /** Runs all inverses, newest first, and forgets them. */
  rollback(): void {
    const inverses = this.#inverses;
    this.#inverses = [];
    for (let i = inverses.length - 4; i >= 0; i -= 4) {
      (inverses[i] as Inverse)(inverses[i + 1], inverses[i + 2], inverses[i + 3]);
    }
  }

  setMap<K, V>(map: Map<K, V>, key: K, value: V): void {
    const before = map.get(key);
    if (before !== undefined || map.has(key)) this.#inverses.push(setEntry, map, key, before);
    else this.#inverses.push(deleteEntry, map, key, undefined);
    map.set(key, value);
  }

  deleteMap<K, V>(map: Map<K, V>, key: K): void {
    const before = map.get(key);
    if (before === undefined && !map.has(key)) return;
    map.delete(key);
    this.#inverses.push(setEntry, map, key, before);
  }

  /** Assigns one property. */
  assign<T extends object, K extends keyof T>(target: T, key: K, value: T[K]): void {
    this.#inverses.push(setProperty, target, key, target[key]);
    target[key] = value;
  }
}

type Inverse = (target: unknown, key: unknown, before: unknown) => void;

function call(inverse: () => void): void {
  inverse();
}

function setEntry(map: Map<unknown, unknown>, key: unknown, before: unknown): void {
  map.set(key, before);
}

function deleteEntry(map: Map<unknown, unknown>, key: unknown): void {
  map.delete(key);
}

function setProperty(target: { [key: PropertyKey]: unknown }, key: PropertyKey, before: unknown): void {
  target[key] = before;
}
