import { readFileSync } from 'node:fs';
import { unwrap } from '@worldline/canon';
import { collectBatches, decodeStoredBatch } from '@worldline/host';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkAtRest, outcomes } from './check.ts';
import { itemOf, type Job } from './composition.ts';
import { Folder, isRunning } from './folder.ts';
import type { Child } from './lab.ts';
import { Service } from './service.ts';

/** One world, several processes: who may write, and what the others say (`host.md` §1, `hosting.md` §6, F3, F4). */

/** Short, so that nobody waits for the lease of a stopped process. */
const LEASE = { leaseTimes: { ttlMs: 4_000, renewMs: 500, safetyMs: 500, maxSkewMs: 2_000 } };

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

async function enqueue(id: string): Promise<void> {
  const job: Job = { kind: 'keyed', id, url: service.url };
  const { item, digest, dedupeKey } = itemOf(job);
  const store = await folder.open();
  expect((await store.inbox.enqueue(folder.worldId, item, digest, dedupeKey)).answer).toBe('ok');
  await store.close();
}

const lockPid = () => (JSON.parse(readFileSync(folder.path('lock'), 'utf8')) as { readonly pid: number }).pid;
const daemonPid = () => (JSON.parse(readFileSync(folder.path('daemon.json'), 'utf8')) as { readonly pid: number }).pid;

async function doneBy(child: Child, id: string): Promise<void> {
  await child.until(`the end of ${id}`, () =>
    folder.look(async (store, worldId) => {
      const batches = unwrap(await collectBatches(store, worldId, 0));
      return outcomes(batches.flatMap((batch) => unwrap(decodeStoredBatch(batch)).records)).some(([it]) => it === id);
    }),
  );
}

test('a process that was stopped past its lease writes nothing when it wakes, leaves what is not its own, and exits 6', async () => {
  const first = folder.compose(LEASE, 'run');
  await first.until('the start', () => isRunning(first));
  service.delayMs = 600_000;
  await enqueue('slow');
  await first.until('the call', () => service.calls('slow') === 1);

  // As long as its lease holds nobody else gets in, and is told who is there.
  const early = folder.compose(LEASE, '--json', 'run', '--batch');
  expect(await early.gone).toBe(6);
  expect(early.lines.join('')).toContain(String(first.process.pid));

  first.kill('SIGSTOP');
  service.delayMs = 0;
  let second = folder.compose(LEASE, 'run');
  for (;;) {
    const end = await Promise.race([
      second.gone,
      second.until('the takeover', () => isRunning(second)).then(() => 'up'),
    ]);
    if (end === 'up') break;
    second = folder.compose(LEASE, 'run');
  }
  await enqueue('after');
  await doneBy(second, 'slow');
  await doneBy(second, 'after');

  first.kill('SIGCONT');
  expect(await first.gone, first.log).toBe(6);
  expect(first.log).toContain('world.locked');
  expect([lockPid(), daemonPid()]).toEqual([second.process.pid, second.process.pid]);
  // The socket is still that of the second.
  const asked = folder.run('--mode', 'daemon', '--json', 'status');
  expect(await asked.gone, asked.log + asked.lines.join('\n')).toBe(0);
  await enqueue('last');
  await doneBy(second, 'last');
  second.kill('SIGTERM');
  expect(await second.gone, second.log).toBe(0);

  await folder.look(async (store, worldId) => {
    const records = await checkAtRest(store, worldId);
    expect(outcomes(records).toSorted()).toEqual([
      ['after', 'ok'],
      ['last', 'ok'],
      ['slow', 'ok'],
    ]);
    // One line of writers: an epoch that has ended never comes back.
    const epochs = unwrap(await collectBatches(store, worldId, 0)).map((b) => unwrap(decodeStoredBatch(b)).body.epoch);
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
    expect(new Set(epochs).size).toBe(3);
  });
  expect([service.calls('slow'), service.keys('slow')]).toEqual([2, 1]);
});

test('of two processes that begin at once one runs the world, and the other says which process that is, since when', async () => {
  const two = [folder.run('run'), folder.run('run')] as const;
  const loser = await Promise.race(two.map((child) => child.gone.then(() => child)));
  const winner = two.find((child) => child !== loser)!;
  await winner.until('the start', () => isRunning(winner));
  // Found running it is told so; met in the middle of the start it is refused (`host.md` §12.2).
  expect([0, 6]).toContain(await loser.gone);
  expect(loser.log + loser.lines.join('\n')).toContain(`process ${lockPid()}`);

  const third = folder.run('--json', 'run', '--batch');
  expect(await third.gone).toBe(6);
  const { error } = JSON.parse(third.lines.join('\n')) as { error: { code: string; message: string } };
  expect(error.code).toBe('world.locked');
  expect(error.message).toMatch(new RegExp(`process ${lockPid()}.* since \\d{4}-\\d\\d-\\d\\dT`));
  winner.kill('SIGTERM');
  expect(await winner.gone, winner.log).toBe(0);
  await folder.look((store, worldId) => checkAtRest(store, worldId));
});
