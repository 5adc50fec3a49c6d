// What the figures of one bench run share: the folder, the length, the worlds that take long to make.
import { join } from 'node:path';
import { CpuBaseline } from './cpu-baseline.mjs';
import { LiveWorld } from './live-world.mjs';
import { OfflineWorld } from './offline-world.mjs';

/** `full` is for the table, `quick` for a look, `check` for the comparison with the stored ratios. */
export const LENGTHS = ['full', 'quick', 'check'];

export class Bench {
  #length;
  #live;
  #parked = new Map();
  #closing = [];
  #folders = 0;

  /** @param options.dir - a folder of its own, on the disk to be measured. */
  static async open(options) {
    const bench = new Bench(options);
    await bench.cpu.ready();
    return bench;
  }

  constructor({ dir, length }) {
    this.dir = dir;
    this.#length = length;
    this.cpu = new CpuBaseline();
    this.#closing.push(() => this.cpu.close());
  }

  /** The entry for this run's length. */
  pick(byLength) {
    return byLength[this.#length];
  }

  /** Path of a new folder. */
  folder(name) {
    return join(this.dir, `${name}-${++this.#folders}`);
  }

  /** A running world that has warmed up. */
  live() {
    this.#live ??= this.#openLive();
    return this.#live;
  }

  async #openLive() {
    const world = await LiveWorld.create(this.folder('live'));
    this.#closing.push(async () => {
      await world.close();
      await world.store.close();
    });
    return world;
  }

  /** A world with `count` instances parked on an event each, all in memory, none snapshotted. Made once. */
  parked(count) {
    let made = this.#parked.get(count);
    if (made === undefined) {
      made = this.#park(count);
      this.#parked.set(count, made);
    }
    return made;
  }

  async #park(count) {
    const world = await OfflineWorld.create(this.folder('parked'), { residentMax: Number.POSITIVE_INFINITY });
    this.#closing.push(() => world.close());
    return { world, runs: await world.park(count) };
  }

  async close() {
    for (const close of this.#closing.reverse()) await close();
  }
}
