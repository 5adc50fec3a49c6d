import { writeSync } from 'node:fs';
import { sha256, toHex, unwrap, utf8 } from '@worldline/canon';
import type { Head } from '@worldline/ports';
import { openSqliteStore } from '../src/index.ts';
import { CRASH_WORLD, crashBatch } from './crash-world.ts';

/**
 * Commits and enqueues without end until it is killed. One line on stdout for each thing it was told is durable, written
 * before the next is asked for.
 */
const [dir = '', worker = '', before = ''] = process.argv.slice(2);
const store = unwrap(await openSqliteStore(dir));
await store.world.create({ worldId: CRASH_WORLD, universeId: 'u', configHash: sha256(utf8('config')) }, []);
const lease = await store.lease.acquire(CRASH_WORLD, worker, 60_000, before);
if (lease.answer !== 'ok') throw new Error(`no lease: ${lease.answer}`);
let head: Head = lease.head;

function tell(line: string): void {
  writeSync(1, `${line}\n`);
}

tell('ready');

async function commitForever(): Promise<void> {
  for (let round = 0; ; round++) {
    const group = [];
    const objects = [];
    for (let i = 0; i <= round % 5; i++) {
      const made = crashBatch(group.at(-1) ? { height: group.at(-1)!.lastSeq + 1, chain: group.at(-1)!.chain } : head);
      group.push(made.batch);
      objects.push(...made.objects);
    }
    const claim = round % 3 === 0 ? { executor: worker, token: utf8(worker) } : undefined;
    const answer = await store.commit(CRASH_WORLD, lease.answer === 'ok' ? lease.epoch : 0, head, group, {
      objects,
      claim,
    });
    if (answer.answer !== 'ok') throw new Error(`commit: ${answer.answer}`);
    head = { height: answer.height, chain: answer.chain };
    tell(`commit ${head.height} ${toHex(head.chain)}`);
  }
}

async function enqueueForever(): Promise<void> {
  for (let n = 0; ; n++) {
    const text = `${worker} ${n}`;
    const answer = await store.inbox.enqueue(CRASH_WORLD, utf8(text), sha256(utf8(text)), text);
    if (answer.answer !== 'ok') throw new Error(`enqueue: ${answer.answer}`);
    tell(`enqueue ${toHex(answer.seq)} ${text}`);
  }
}

await Promise.all([commitForever(), enqueueForever()]);
