import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { unwrap } from '@worldline/canon';
import type { FailpointRule } from '@worldline/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkAtRest, ofKind, outcomes, recordsOf } from './check.ts';
import { itemOf, open, openStore, send } from './composition.ts';
import { Folder, isRunning } from './folder.ts';
import type { Step } from './host-child.ts';
import { Lab } from './lab.ts';

/**
 * A full disk and a sync that fails (`hosting.md` F6, §4.3): nothing is assumed to be written, nothing that was
 * acknowledged is missing, the world stops cleanly when that lasts, and opens again.
 */

/** So that a lease which cannot be renewed ends soon. */
const LEASE = { ttlMs: 4_000, renewMs: 500, safetyMs: 500, maxSkewMs: 2_000 };
const ALWAYS = 1_000_000;

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.make();
});
afterEach(() => lab.remove());

describe('trouble that passes', () => {
  const passing: [string, FailpointRule][] = [
    ['a sync fails and nothing was written', { at: 'store.sync', what: 'commit', act: 'EIO', times: 3 }],
    ['a sync fails and everything was written', { at: 'store.synced', what: 'commit', act: 'EIO', times: 3 }],
    ['the disk fails before the transaction', { at: 'store.taken', what: 'commit', act: 'EIO', times: 3 }],
    ['the disk is full', { at: 'store.sync', what: 'commit', act: 'ENOSPC', times: 3 }],
    ['the file of an object cannot be written', { at: 'store.object_renamed', act: 'ENOSPC', times: 3 }],
    ['a started mark cannot be written', { at: 'store.sync', what: 'outbox.start', act: 'EIO', times: 2 }],
    ['the claim of an outbox row cannot be written', { at: 'store.sync', what: 'outbox.claim', act: 'EIO' }],
  ];
  test.each(passing)('%s: every input is answered once it is durable, and is there once', async (_, rule) => {
    const composition = { ...lab.composition, storeRules: [rule], inlineBytesMax: 1 };
    const store = await openStore(composition);
    const world = unwrap(await open(composition, store));
    const jobs = (['keyed', 'once', 'nap', 'mistake'] as const).map((kind) => lab.job(kind, kind));
    const answers = await Promise.all(jobs.map((job) => send(world, job, 'applied')));
    expect(answers.map((answer) => answer.ok && answer.value.state)).toEqual(jobs.map(() => 'applied'));
    unwrap(await world.runBatch({ wait: true, timeoutMs: 30_000 }));
    await world.close();
    await store.close();
    const records = await lab.look(checkAtRest);
    expect(ofKind(records, 'plan_start')).toHaveLength(jobs.length);
    expect(
      outcomes(records)
        .map(([id]) => id)
        .toSorted(),
    ).toEqual(['keyed', 'nap', 'once']);
    expect([lab.service.calls('keyed'), lab.service.calls('once')]).toEqual([1, 1]);
  });

  test('an item that could not be made durable is not accepted', async () => {
    for (const act of ['EIO', 'ENOSPC'] as const) {
      const rules: FailpointRule[] = [{ at: 'store.sync', what: 'inbox.enqueue', act }];
      const store = await openStore({ ...lab.composition, storeRules: rules });
      const { item, digest, dedupeKey } = itemOf(lab.job('nap', act));
      const enqueue = () => store.inbox.enqueue(lab.composition.worldId, item, digest, dedupeKey);
      expect((await enqueue()).answer).toBe('unavailable');
      expect((await enqueue()).answer).toBe('ok');
      await store.close();
    }
    await lab.reopened();
    expect(outcomes(await lab.look(checkAtRest)).map(([id]) => id)).toEqual(['EIO', 'ENOSPC']);
  });
});

describe('trouble that lasts', () => {
  test('every sync fails: the daemon gives up with store.unavailable and exit 1 when its lease is over, and starts again', async () => {
    const folder = new Folder();
    try {
      const first = folder.run('run', '--batch');
      expect(await first.gone, first.log).toBe(0);
      const broken = (what: string): FailpointRule => ({ at: 'store.sync', what, act: 'EIO', times: ALWAYS });
      const daemon = folder.compose({ leaseTimes: LEASE, storeRules: ['commit', 'lease.renew'].map(broken) }, 'run');
      await daemon.until('the start', () => isRunning(daemon));
      const store = await folder.open();
      const { item, digest, dedupeKey } = itemOf(lab.job('keyed', 'a'));
      expect((await store.inbox.enqueue(folder.worldId, item, digest, dedupeKey)).answer).toBe('ok');
      await store.close();
      expect(await daemon.gone, daemon.log).toBe(1);
      expect(daemon.log).toContain('store.unavailable');
      await folder.look(async (look, worldId) => {
        expect(ofKind(await recordsOf(look, worldId), 'plan_start')).toEqual([]);
      });
      const again = folder.run('run', '--batch', '--wait');
      expect(await again.gone, again.log).toBe(0);
      expect(outcomes(await folder.look(checkAtRest))).toEqual([['a', 'ok']]);
    } finally {
      await folder.remove();
    }
  });

  /** Jobs until nothing fits any more; @returns ids of those that were acknowledged, and what the next ones were told. */
  async function fill(shell: string, isLimited: (log: string) => boolean): Promise<readonly string[]> {
    const steps: Step[] = Array.from({ length: 600 }, (_, n) => ['send', lab.job('mistake', `m${n}`), 'applied']);
    const child = lab.start([['open'], ...steps], { leaseTimes: LEASE }, shell);
    expect(await child.gone, child.log).toBe(0);
    const said = child.lines.filter((line) => line.startsWith('send ')).map((line) => line.split(' ').slice(1));
    const acknowledged = said.flatMap(([id, answer]) => (answer === 'applied' ? [id!] : []));
    const refused = said.filter(([, answer]) => answer !== 'applied');
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(refused.length).toBeGreaterThan(0);
    expect(new Set(refused.map(([, answer]) => answer))).toEqual(new Set(['store.unavailable']));
    expect(isLimited(child.log), child.log).toBe(true);
    return acknowledged;
  }

  /** What was acknowledged is there, and nothing else but perhaps the input that was never answered. */
  async function checkAcknowledged(acknowledged: readonly string[]): Promise<void> {
    await lab.reopened();
    const starts = ofKind(await lab.look(checkAtRest), 'plan_start').map((start) => start.ingress_id!);
    expect(starts.slice(0, acknowledged.length)).toEqual(acknowledged);
    expect(starts.length).toBeLessThanOrEqual(acknowledged.length + 1);
  }

  test('a file may not grow any more (RLIMIT_FSIZE): the world stops with store.unavailable, and opens again', async ({
    skip,
  }) => {
    if (spawnSync('bash', ['-c', "trap '' XFSZ; ulimit -f 300"]).status !== 0) skip('no bash with ulimit -f here');
    const acknowledged = await fill("trap '' XFSZ; ulimit -f 300", (log) => /disk I\/O|full|too large/i.test(log));
    await checkAcknowledged(acknowledged);
  });

  test('the disk is full (a small tmpfs): the world stops with store.unavailable, and opens again', async ({
    skip,
  }) => {
    const { dir } = lab.composition;
    const aside = `${dir}-aside`;
    cpSync(dir, aside, { recursive: true });
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1200k', 'tmpfs', dir]);
    if (mounted.status !== 0) {
      rmSync(aside, { recursive: true, force: true });
      skip('this user may not mount a file system');
    }
    try {
      mkdirSync(dir, { recursive: true });
      cpSync(aside, dir, { recursive: true });
      const acknowledged = await fill('true', (log) => /full/i.test(log));
      // Room is made, as an operator would.
      execFileSync('mount', ['-o', 'remount,size=64m', dir]);
      await checkAcknowledged(acknowledged);
    } finally {
      execFileSync('umount', ['-l', dir]);
      rmSync(aside, { recursive: true, force: true });
    }
  });
});
