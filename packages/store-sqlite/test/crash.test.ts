import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { concatBytes, fromHex, fromUtf8, sha256, toHex, unwrap } from '@worldline/canon';
import type { Store, StoredBatch } from '@worldline/ports';
import { expect, test } from 'vitest';
import { openSqliteStore } from '../src/index.ts';
import { CRASH_WORLD, readCrashBody } from './crash-world.ts';
import { temporaryFolder } from './harness.ts';

const KILLS = Number(process.env['WORLDLINE_KILLS'] ?? 5);
const CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url));

test(
  `after each of ${KILLS} kills at random instants everything acknowledged is there, whole and chained (I2, I4, I14, F1)`,
  async () => {
    const folder = temporaryFolder({ onDisk: true });
    try {
      const acknowledged: string[] = [];
      for (let kill = 0; kill < KILLS; kill++) {
        acknowledged.push(...(await runUntilKilled(folder.dir, kill)));
        const store = unwrap(await openSqliteStore(folder.dir, { readOnly: kill % 2 === 0 }));
        try {
          await check(store, acknowledged);
        } finally {
          await store.close();
        }
      }
      expect(acknowledged.some((line) => line.startsWith('commit'))).toBe(true);
      expect(acknowledged.some((line) => line.startsWith('enqueue'))).toBe(true);
    } finally {
      folder.remove();
    }
  },
  60_000 + KILLS * 10_000,
);

/** @returns the lines of all that the process was told is durable. */
async function runUntilKilled(dir: string, kill: number): Promise<readonly string[]> {
  const args = [
    '--conditions=worldline-source',
    '--disable-warning=ExperimentalWarning',
    CHILD,
    dir,
    `w${kill}`,
    `w${kill - 1}`,
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  const ready = new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the writing process ended by itself (${code})`)));
    reader.on('line', (line) => {
      if (line === 'ready') resolve();
      else lines.push(line);
    });
  });
  await ready;
  await sleep(Math.random() * 300);
  const gone = Promise.all([once(child, 'exit'), once(reader, 'close')]);
  child.kill('SIGKILL');
  await gone;
  return lines;
}

async function check(store: Store, acknowledged: readonly string[]): Promise<void> {
  const batches = await readJournal(store);
  // Dense, chained, and every batch whole.
  const chainAt = new Map<number, string>();
  const outbox = new Set<number>();
  const timers = new Set<number>();
  let chain: Uint8Array = new Uint8Array(32);
  let height = 0;
  let baseline = 0;
  for (const batch of batches) {
    const said = readCrashBody(batch.body);
    expect([batch.firstSeq, said.firstSeq]).toEqual([height, height]);
    chain = sha256(concatBytes(chain, batch.body));
    expect(toHex(batch.chain)).toBe(toHex(chain));
    height = batch.lastSeq + 1;
    chainAt.set(height, toHex(chain));
    for (const seq of said.emitted) outbox.add(seq);
    for (const seq of said.timers) timers.add(seq);
    for (const seq of said.settled) {
      outbox.delete(seq);
      timers.delete(seq);
    }
    if (said.firstSeq % 4 === 0) baseline = said.firstSeq;
    // J5: what a batch refers to is durable before it.
    for (const hash of said.objects) expect(store.cas.getSync(fromHex(hash)!).answer).toBe('ok');
  }
  // Rows are exactly those that follow from the batches.
  expect((await store.outbox.list(CRASH_WORLD)).map((row) => row.emissionSeq)).toEqual([...outbox]);
  const due = await store.timers.due(CRASH_WORLD, 1_000_000);
  expect(due.rows.map((row) => row.emissionSeq).toSorted((a, b) => a - b)).toEqual([...timers]);
  const row = await store.world.get(CRASH_WORLD);
  expect(row?.head.height).toBe(height);
  expect(row?.activeBaseline.height).toBe(baseline);

  const items = await store.inbox.read(CRASH_WORLD, new Uint8Array(0), 1_000_000);
  const texts = new Map(items.map((item) => [toHex(item.seq), fromUtf8(item.item)]));
  for (const line of acknowledged) {
    const [kind, at = '', ...rest] = line.split(' ');
    if (kind === 'commit') expect(chainAt.get(Number(at))).toBe(rest[0]);
    else expect(texts.get(at)).toBe(rest.join(' '));
  }
}

async function readJournal(store: Store): Promise<readonly StoredBatch[]> {
  const batches: StoredBatch[] = [];
  let from: number | undefined = 0;
  while (from !== undefined) {
    const page = await store.journal.read(CRASH_WORLD, from, 500);
    if (page.answer !== 'ok') throw new Error(JSON.stringify(page));
    batches.push(...page.batches);
    from = page.next;
  }
  return batches;
}
