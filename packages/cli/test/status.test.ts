import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256, unwrap } from '@worldline/canon';
import { openSqliteStore } from '@worldline/store-sqlite';
import { afterAll, expect, test } from 'vitest';
import { cleanUp, worldline, worldOf } from './support.ts';

afterAll(cleanUp);

test('what waits in the inbox of a world that nobody runs is said: a message of another world may be there', async () => {
  const world = worldOf('minimal');
  await worldline(['run', '--batch'], { cwd: world });
  const status = async () => (await worldline(['status'], { cwd: world })).stdout;
  expect(await status()).not.toMatch(/^inbox/m);
  const { world_id: id } = JSON.parse(readFileSync(join(world, '.worldline/world.json'), 'utf8'));
  const store = unwrap(await openSqliteStore(join(world, '.worldline/store')));
  for (const text of ['one', 'two']) await store.inbox.enqueue(id, Buffer.from(text), sha256(Buffer.from(text)), text);
  await store.close();
  expect(await status()).toMatch(/^inbox +2 items not taken in yet: "worldline run"/m);
  const json = (await worldline(['status', '--json'], { cwd: world })).json();
  expect(json.data.inbox).toEqual({ queued: 2, is_more: false });
});
