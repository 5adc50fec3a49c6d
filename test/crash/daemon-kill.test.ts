import { setTimeout as sleep } from 'node:timers/promises';
import { unwrap } from '@worldline/canon';
import { encodeInboxItem, ensureKeys, prepareDecision, restoreKernel, signReceipts } from '@worldline/host';
import type { Store } from '@worldline/ports';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkAtRest, ofKind, outcomes } from './check.ts';
import { eventOf, itemOf, type Job } from './composition.ts';
import { Folder, isRunning } from './folder.ts';
import type { Child } from './lab.ts';
import { seeded } from './random.ts';
import { Service } from './service.ts';

/**
 * `kill -9` of the daemon at random instants under mixed load: keyed calls and calls that must not be repeated, timers,
 * approvals that are decided meanwhile, events and plan starts, snapshots every few records. After every crash the next
 * process goes on; at the end everything that was acknowledged has happened, and once.
 */

const KILLS = Number(process.env['WORLDLINE_KILLS'] ?? 5);
const SEEDS =
  process.env['WORLDLINE_SEED'] === undefined
    ? [7, Math.floor(Math.random() * 2 ** 31)]
    : [Number(process.env['WORLDLINE_SEED'])];

let folder: Folder;
let service: Service;
beforeEach(async () => {
  folder = new Folder();
  service = await Service.start();
});
afterEach(async () => {
  await folder.remove();
  await service.stop();
});

/** What clients beside the world do: submit, and decide approvals. */
class Clients {
  readonly #store: Store;
  readonly #worldId: string;
  readonly #random: () => number;
  /** Jobs whose submission was acknowledged as durable, in order. */
  readonly acknowledged: Job[] = [];

  constructor(store: Store, worldId: string, random: () => number) {
    this.#store = store;
    this.#worldId = worldId;
    this.#random = random;
  }

  async submit(): Promise<void> {
    const draw = this.#random();
    const kind = draw < 0.45 ? 'keyed' : draw < 0.65 ? 'once' : draw < 0.85 ? 'nap' : 'ask';
    const ns = Math.floor(this.#random() * 300_000_000);
    const job: Job = { kind, id: `${kind}-${this.acknowledged.length}`, url: service.url, ns };
    const { item, digest, dedupeKey } = draw < 0.2 ? eventOf(job) : itemOf(job);
    const answer = await this.#store.inbox.enqueue(this.#worldId, item, digest, dedupeKey);
    if (answer.answer !== 'ok') return;
    this.acknowledged.push(job);
    // A client that repeats itself changes nothing.
    if (draw > 0.9) await this.#store.inbox.enqueue(this.#worldId, item, digest, dedupeKey);
  }

  /** Decides whatever is pending now, as a command beside a running world does: through the inbox. */
  async decide(): Promise<void> {
    const row = (await this.#store.world.get(this.#worldId))!;
    const kernel = unwrap(await restoreKernel(this.#store, row, row.epoch));
    const { receipts } = await ensureKeys(folder.path('keys'));
    for (const emission of kernel.pending()) {
      if (emission.kind !== 'approval.request') continue;
      const decision = { intentHash: emission.intentHash, decision: 'approved', approver: 'tests' } as const;
      const unsigned = unwrap(prepareDecision(emission, decision, 'host.approval'));
      const receipt = signReceipts(this.#worldId, receipts, [unsigned])[0]!;
      const { item, digest, dedupeKey } = encodeInboxItem({
        ingress: { kind: 'receipt', receipt, verdict: {} },
        dedupeKey: `r:${emission.emissionSeq}:decided`,
        enqueuedAtNs: 0n,
      });
      await this.#store.inbox.enqueue(this.#worldId, item, digest, dedupeKey);
    }
  }
}

test.each(SEEDS)(
  `${KILLS} kills of the daemon at random instants lose nothing that was acknowledged and repeat nothing (F1, I4–I9, I14; seed %i)`,
  { timeout: 120_000 + KILLS * 10_000 },
  async (seed) => {
    const random = seeded(seed);
    let daemon = folder.run('run');
    const first = daemon;
    await first.until('the first start', () => isRunning(first));
    const { worldId } = folder;
    const store = await folder.open();
    try {
      const clients = new Clients(store, worldId, random);
      for (let kill = 0; kill < KILLS; kill++) {
        const child: Child = daemon;
        service.delayMs = Math.floor(random() * 40);
        // Most die at work, some while they open the world.
        const atWork = random() < 0.75;
        const jobs = 3 + Math.floor(random() * 6);
        for (let n = 0; n < jobs; n++) {
          await clients.submit();
          await sleep(random() * 20);
        }
        if (kill % 3 === 0) await clients.decide();
        if (atWork) await child.until('the start', () => isRunning(child));
        await sleep(random() * (atWork ? 300 : 700));
        child.kill('SIGKILL');
        await child.gone;
        daemon = folder.run('run');
      }
      const last = daemon;
      const { acknowledged } = clients;
      await last.until('the end of every job', async () => {
        await sleep(100);
        await clients.decide();
        const row = (await store.world.get(worldId))!;
        const kernel = unwrap(await restoreKernel(store, row, row.epoch));
        const unread = await store.inbox.read(worldId, row.inboxCursor, 1);
        return kernel.liveCount === 0 && unread.length === 0;
      });
      // A signal before the program listens for it ends it as it ends any other.
      await last.until('the start', () => isRunning(last));
      last.kill('SIGTERM');
      expect(await last.gone, last.log).toBe(0);

      const records = await checkAtRest(store, worldId, 20);
      const taken = records.flatMap((r) =>
        r.record_kind === 'plan_start' || r.record_kind === 'domain_event' ? (r.ingress_id ?? []) : [],
      );
      expect(taken).toEqual(acknowledged.map((job) => job.id));
      checkOutcomes(acknowledged, records);
    } finally {
      await store.close();
    }
  },
);

/** Every job is done once, and the service saw of it what its delivery class allows (`host.md` §3.1). */
function checkOutcomes(jobs: readonly Job[], records: Parameters<typeof outcomes>[0]): void {
  const done = outcomes(records);
  const outcomeOf = new Map(done);
  expect(done.length).toBe(jobs.length);
  expect([...outcomeOf.keys()].toSorted()).toEqual(jobs.map((job) => job.id).toSorted());
  const failures = new Map<string, number>();
  for (const receipt of ofKind(records, 'effect_receipt')) {
    const code = receipt.error?.code;
    if (code !== undefined) failures.set(code, (failures.get(code) ?? 0) + 1);
  }
  // A process that dies again and again may use up an effect's claims, or leave it open whether a call was made.
  expect([...failures.keys()].filter((code) => !['delivery.unknown', 'delivery.exhausted'].includes(code))).toEqual([]);
  const failed = jobs.filter((job) => outcomeOf.get(job.id) === 'failed');
  expect(failed.length).toBe([...failures.values()].reduce((sum, n) => sum + n, 0));
  expect(failed.filter((job) => job.kind !== 'once').length).toBeLessThanOrEqual(
    failures.get('delivery.exhausted') ?? 0,
  );
  for (const { id, kind } of jobs) {
    const isOk = outcomeOf.get(id) === 'ok';
    if (kind === 'keyed') expect([id, service.keys(id)]).toEqual([id, isOk ? 1 : Math.min(1, service.keys(id))]);
    if (kind === 'once' && isOk) expect([id, service.calls(id)]).toEqual([id, 1]);
    if (kind === 'once') expect(service.calls(id), id).toBeLessThanOrEqual(1);
  }
}
