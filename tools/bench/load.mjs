// Runs that follow one another, so many at a time, for as long as one wants.

export class Load {
  #world;
  #plan;
  #clients;
  #isOver = false;

  /** Begins at once. */
  constructor(world, plan, concurrent) {
    this.#world = world;
    this.#plan = plan;
    this.#clients = Array.from({ length: concurrent }, () => this.#client());
  }

  async #client() {
    while (!this.#isOver) await this.#world.run(this.#plan);
  }

  /** No new runs; resolves when the last one has ended. */
  async stop() {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
