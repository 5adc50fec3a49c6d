/**
 * Who wants to hear that something changed (`hosting.md` §9). A hint covers what this handle did; what other processes
 * do is found by polling.
 */
export class Hints {
  readonly #listeners = new Set<(worldId: string) => void>();

  /** @returns the end of it. */
  subscribe(listener: (worldId: string) => void): () => void {
    // A listener of its own for each call, so that the end of one is not the end of another.
    const own = (worldId: string) => listener(worldId);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  tell(worldId: string): void {
    for (const listener of [...this.#listeners]) listener(worldId);
  }
}
