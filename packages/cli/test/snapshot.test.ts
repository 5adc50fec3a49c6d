import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, test } from 'vitest';
import { cleanUp, daemon, worldline, worldOf } from './support.ts';

/** `snapshot create`, and what `status` and `journal verify --signatures` say of snapshots and checkpoints (host.md §12.2). */

afterAll(cleanUp);

const HASH = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);

test('a snapshot is taken with and without a running world; status and verify tell of it; tampering is found', async () => {
  const world = worldOf('minimal');
  const run = (...args: string[]) => worldline(args, { cwd: world });
  const send = (name: string) => run('event', 'send', 'hello/Asked@1', JSON.stringify({ name }));
  expect((await send('Ada')).exit).toBe(0);

  // Alone: the world is opened for a moment. Nothing has changed since it was closed, so it is the snapshot of then.
  const alone = (await run('snapshot', 'create', '--json')).json().data;
  expect(alone).toEqual({ snapshot_hash: HASH, height: expect.any(Number) });

  const running = await daemon(world);
  expect((await send('Bob')).exit).toBe(0);
  const through = (await run('snapshot', 'create', '--json')).json().data;
  expect(through.height).toBeGreaterThan(alone.height);
  expect(through.snapshot_hash).not.toBe(alone.snapshot_hash);
  const human = await run('snapshot', 'create');
  expect(human).toMatchObject({ exit: 0, stdout: `${through.snapshot_hash}  height ${through.height}\n` });
  await running.stop();

  const status = (await run('status', '--json')).json();
  const { snapshot, signed_to_seq: signedTo, unsigned_batches: unsigned, journal_height: height } = status.data;
  expect(snapshot).toEqual({
    height: expect.any(Number),
    hash: HASH,
    taken_at_ns: expect.anything(),
    age_ms: expect.any(Number),
    entries_since: 0,
    reachable_bytes: expect.any(Number),
    is_whole: true,
  });
  expect(snapshot.height).toBeGreaterThanOrEqual(through.height);
  expect([signedTo, unsigned]).toEqual([height, 0]);
  expect((await run('status')).stdout).toMatch(/^snapshot .*bytes reachable$\n^signed +to the head$/m);

  const sound = await run('journal', 'verify', '--signatures', '--json');
  expect(sound.exit).toBe(0);
  expect(sound.json().data).toMatchObject({ signed_to_seq: height, receipts_unverifiable: 0, problems: [] });

  const db = new DatabaseSync(join(world, '.worldline', 'store', 'worldline.db'));
  const row = db.prepare('SELECT n, bytes FROM checkpoints ORDER BY n DESC LIMIT 1').get()!;
  const bytes = (row['bytes'] as Uint8Array).slice();
  bytes[bytes.length - 40]! ^= 1;
  db.prepare('UPDATE checkpoints SET bytes = ? WHERE n = ?').run(bytes, row['n']!);
  db.close();
  const tampered = await run('journal', 'verify', '--signatures', '--json');
  expect(tampered.exit).toBe(7);
  expect(tampered.json().data.problems).toMatchObject([{ code: 'checkpoint.invalid', seq: height }]);
  // Proof is broken, the world is not.
  expect((await run('journal', 'verify')).exit).toBe(0);
  expect((await send('Eve')).exit).toBe(0);
});
