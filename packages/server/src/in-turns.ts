const TURN = 256;

/** A long list, with turns for everything else that the process does. */
export async function inTurns<T, R>(list: readonly T[], make: (one: T) => R): Promise<R[]> {
  const made: R[] = [];
  for (const one of list) {
    made.push(make(one));
    if (made.length % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return made;
}
