// A world that is driven without a host: the kernel applies as fast as it can, and large groups go into the store. For
// figures of the kernel alone, and to make large worlds in little time. What it leaves is a world like any other.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { encode, unwrap } from '@worldline/canon';
import {
  collectBatches,
  createWorld,
  entropyPool,
  ephemeralKey,
  objectSource,
  prepareEvent,
  preparePlanStart,
  signReceipts,
  useNativeSha256,
  worldFolder,
  writeIdentity,
} from '@worldline/host';
import { defaultConfig, restore } from '@worldline/kernel';
import { openSqliteStore } from '@worldline/store-sqlite';
import { definitions } from './definitions.mjs';

const WORKER = 'bench-offline';
const LEASE_MS = 6 * 60 * 60 * 1000;
const GROUP_BATCHES = 1000;
const NOTHING = encode({});

export class OfflineWorld {
  /**
   * Makes a world in folder `root`, as the command keeps one.
   *
   * @param options.residentMax - instances kept in memory after a snapshot.
   */
  static async create(root, options = {}) {
    useNativeSha256();
    const folder = worldFolder(root);
    mkdirSync(folder.dir, { recursive: true });
    const store = unwrap(await openSqliteStore(join(folder.dir, 'store')));
    const created = unwrap(await createWorld({ store, loaded: definitions(), config: defaultConfig() }));
    await writeIdentity(folder, {
      world_id: created.worldId,
      universe_id: created.universeId,
      created_at: new Date().toISOString(),
    });
    const world = new OfflineWorld(root, store, created.worldId);
    await world.acquire();
    await world.reopen(options);
    return world;
  }

  kernel;
  #epoch;
  #key = ephemeralKey();
  #entropy = entropyPool();
  #head;
  #batches = [];
  #objects = [];
  #flight = Promise.resolve();
  #nextRun = 0;
  #began = process.hrtime.bigint();
  #wall0 = BigInt(Date.now()) * 1_000_000n;
  /** Receipts applied. */
  steps = 0;
  /** Microseconds that the kernel has waited for objects out of the store. */
  readUs = 0;

  constructor(root, store, worldId) {
    this.root = root;
    this.store = store;
    this.worldId = worldId;
  }

  /** Takes the lease. `dead` - a worker that is known to be gone. Reopen afterwards. */
  async acquire(dead) {
    const lease = await this.store.lease.acquire(this.worldId, WORKER, LEASE_MS, dead);
    if (lease.answer !== 'ok') throw new Error(`no lease: ${lease.answer}`);
    this.#epoch = lease.epoch;
  }

  /** A kernel built from the newest snapshot, with no instance in memory. */
  async reopen({ residentMax } = {}) {
    const row = await this.store.world.get(this.worldId);
    const { height } = row.activeBaseline;
    const batches = unwrap(await collectBatches(this.store, this.worldId, Math.max(0, height - 1)));
    const stored = objectSource(this.store.cas);
    const objects = {
      get: (hash) => {
        const began = performance.now();
        const bytes = stored.get(hash);
        this.readUs += (performance.now() - began) * 1000;
        return bytes;
      },
    };
    const options = { objects, epoch: this.#epoch, residentMax };
    this.kernel = unwrap(restore(options, row.activeBaseline, batches));
    this.#head = this.kernel.head;
  }

  #stamp() {
    const nowNs = this.#wall0 + (process.hrtime.bigint() - this.#began);
    return { nowNs, logicalNs: nowNs, entropy: this.#entropy() };
  }

  /** Applies one ingress; it becomes durable with the next `flush`. */
  apply(ingress) {
    const applied = this.kernel.apply(ingress, this.#stamp());
    if (applied.outcome.kind !== 'applied') throw new Error(`not applied: ${JSON.stringify(applied.outcome)}`);
    this.#batches.push(applied.batch);
    for (const object of applied.objects) this.#objects.push(object);
    return applied;
  }

  /** Makes everything applied durable. */
  async flush() {
    this.#send();
    await this.#flight;
  }

  /** Commits while the kernel goes on; waits only for the group before. */
  async #makeRoom() {
    if (this.#batches.length < GROUP_BATCHES) return;
    await this.#flight;
    this.#send();
  }

  #send() {
    if (this.#batches.length === 0) return;
    const [batches, objects] = [this.#batches, this.#objects];
    this.#batches = [];
    this.#objects = [];
    this.#flight = this.#flight.then(() => this.#commit(batches, objects));
    // Whoever awaits the flight meets the failure; until then it is not unhandled.
    this.#flight.catch(() => {});
  }

  async #commit(batches, objects) {
    const answer = await this.store.commit(this.worldId, this.#epoch, this.#head, batches, { objects });
    if (answer.answer !== 'ok') throw new Error(`a group was not committed: ${JSON.stringify(answer)}`);
    this.#head = { height: answer.height, chain: answer.chain };
    this.kernel.accept(batches.length);
  }

  prepareStart(plan) {
    return unwrap(preparePlanStart(this.kernel, { plan, input: { json: { run: this.#nextRun++ } } }));
  }

  prepareSignal(run) {
    return unwrap(prepareEvent(this.kernel, { schema: 'bench/Signal@1', value: { json: { run } } }));
  }

  /** Starts `count` instances that wait for a signal. @returns the number that each waits for. */
  async park(count) {
    const runs = [];
    for (let i = 0; i < count; i++) {
      runs.push(this.#nextRun);
      this.apply(this.prepareStart('bench/parked@1'));
      await this.#makeRoom();
    }
    await this.flush();
    return runs;
  }

  /**
   * Runs plans of ten steps, `atOnce` of them side by side, until the journal is `height` entries long or a little longer.
   *
   * @param options.onRound - told how many milliseconds it took to sign and apply one receipt for each of them.
   */
  async fill(height, { atOnce = 64, onRound } = {}) {
    while (this.kernel.head.height < height) {
      let open = [];
      for (let i = 0; i < atOnce; i++) open.push(...this.apply(this.prepareStart('bench/ten_steps@1')).batch.emitted);
      while (open.length > 0) {
        const began = performance.now();
        open = this.#settle(open);
        if (open.length > 0) onRound?.(performance.now() - began);
        await this.#makeRoom();
      }
    }
    await this.flush();
  }

  /**
   * One run that starts `children` workers at once, each of which does one step, and waits for all of them.
   *
   * @param options.onStretch - told what took how many milliseconds: `spread`, the start and what it leads to, and
   *   `settle`, one receipt signed and applied, the end of its worker included.
   *
   * The last of it becomes durable with the next `flush`.
   */
  async fanOut(children, { atOnce = 16, onStretch } = {}) {
    const items = Array.from({ length: children }, () => ({ run: this.#nextRun++ }));
    const start = unwrap(preparePlanStart(this.kernel, { plan: 'bench/fan_out@1', input: { json: { items } } }));
    let began = performance.now();
    const open = this.apply(start).batch.emitted;
    onStretch?.('spread', performance.now() - began);
    for (let n = 0; n < open.length; n += atOnce) {
      const rows = open.slice(n, n + atOnce);
      began = performance.now();
      this.#settle(rows);
      onStretch?.('settle', (performance.now() - began) / rows.length);
      await this.#makeRoom();
    }
  }

  /** Applies a receipt for each row. @returns the rows that these lead to. */
  #settle(rows) {
    const unsigned = rows.map(({ intentHash, emissionSeq }) => ({
      intentHash,
      emissionSeq,
      adapterId: 'bench.noop',
      status: 'ok',
      payloadCbor: NOTHING,
    }));
    const next = [];
    for (const receipt of signReceipts(this.worldId, this.#key, unsigned)) {
      next.push(...this.apply({ kind: 'receipt', receipt, verdict: { sigKey: this.#key.keyId } }).batch.emitted);
      this.steps++;
    }
    return next;
  }

  /** Takes a snapshot and makes it the baseline. @returns what it wrote. */
  async snapshot() {
    await this.flush();
    const { ref, objects } = this.kernel.snapshot();
    const applied = this.kernel.apply({ kind: 'snapshot', snapshotRef: ref, promote: true }, this.#stamp());
    this.#batches.push(applied.batch);
    for (const object of objects) this.#objects.push(object);
    await this.flush();
    return objects;
  }

  async close() {
    await this.flush();
    await this.store.lease.release(this.worldId, WORKER, this.#epoch);
    await this.store.close();
  }
}
