import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { encode, unwrap } from '@worldline/canon';
import { encodeInboxItem } from '@worldline/host';
import { decodeBatchBody, decodeRecord, type JournalRecord } from '@worldline/kernel';
import type { Store } from '@worldline/ports';
import { openSqliteStore } from '@worldline/store-sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { seeded } from './random.ts';

/**
 * `kill -9` of the daemon at random instants, under load: jobs keep arriving in the durable inbox, each calls a service
 * under its own idempotency key, waits for a timer and ends. After every crash the world goes on.
 */

const WORLDLINE = fileURLToPath(new URL('../../packages/cli/bin/worldline.js', import.meta.url));
const KILLS = Number(process.env['WORLDLINE_KILLS'] ?? 5);

const NODES = [
  { $kind: 'defschema', name: 't/Job@1', type: { record: { id: { text: {} }, url: { text: {} } } } },
  { $kind: 'defschema', name: 't/Done@1', type: { record: { id: { text: {} }, status: { int: {} } } } },
  {
    $kind: 'defplan',
    name: 't/entry_job@1',
    input: 't/Job@1',
    steps: [
      {
        id: 'call',
        op: 'emit_effect',
        kind: 'http.request',
        cap: 'cap_http',
        params: { method: 'POST', url: { ref: '@plan.input.url' }, headers: {} },
        idempotency_key: { op: 'hash', args: [{ ref: '@plan.input.id' }] },
        bind: { effect_id_as: 'call_h' },
      },
      { id: 'called', op: 'await_receipt', for: { ref: '@var:call_h' }, bind: { as: 'answer' } },
      {
        id: 'pause',
        op: 'emit_effect',
        kind: 'timer.after',
        cap: 'cap_timer',
        params: { after_ns: 30_000_000 },
        bind: { effect_id_as: 'pause_h' },
      },
      { id: 'paused', op: 'await_receipt', for: { ref: '@var:pause_h' }, bind: { as: 'fired' } },
      {
        id: 'report',
        op: 'raise_event',
        event: 't/Done@1',
        value: { id: { ref: '@plan.input.id' }, status: { ref: '@var:answer.status' } },
      },
      { id: 'done', op: 'end' },
    ],
    edges: [
      { from: 'called', to: 'pause', when: { op: 'eq', args: [{ ref: '@var:answer.$status' }, { text: 'ok' }] } },
      { from: 'paused', to: 'report' },
      { from: 'report', to: 'done' },
    ],
  },
  {
    $kind: 'manifest',
    air_version: '1',
    schemas: [{ name: 't/Job@1' }, { name: 't/Done@1' }],
    modules: [],
    plans: [{ name: 't/entry_job@1' }],
    effects: [{ name: 'sys/http.request@1' }, { name: 'sys/timer.after@1' }],
    caps: [],
    policies: [],
    defaults: {
      cap_grants: [
        { name: 'cap_http', cap: 'sys/http.out@1', params: { hosts: ['127.0.0.1'] } },
        { name: 'cap_timer', cap: 'sys/timer@1', params: {} },
      ],
    },
    triggers: [{ event: 't/Job@1', plan: 't/entry_job@1', correlate_by: 'id' }],
  },
];

let folder: string;
let server: Server;
let port: number;
/** Keys under which the service saw each job. */
const seen = new Map<string, Set<string>>();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'worldline-kill-'));
  mkdirSync(join(folder, 'air'));
  writeFileSync(join(folder, 'air', 'world.air.json'), JSON.stringify(NODES));
  writeFileSync(join(folder, 'worldline.json'), '{ "version": 1 }');
  writeFileSync(
    join(folder, 'worldline.host.json'),
    JSON.stringify({ http: { allow_private: ['127.0.0.1'] }, snapshot: { every_entries: 60 } }),
  );
  seen.clear();
  server = createServer((request, response) => {
    const id = request.url!.slice(1);
    seen.set(id, (seen.get(id) ?? new Set()).add(String(request.headers['idempotency-key'])));
    setTimeout(() => response.end('ok'), Number(id.length % 3) * 15);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  ({ port } = server.address() as AddressInfo);
});

afterEach(async () => {
  await new Promise((closed) => {
    server.closeAllConnections();
    server.close(closed);
  });
  rmSync(folder, { recursive: true, force: true });
});

interface Daemon {
  readonly child: ChildProcess;
  readonly log: () => string;
  readonly gone: Promise<number | null>;
}

function startDaemon(): Daemon {
  const child = spawn(process.execPath, [WORLDLINE, '--world', folder, 'run'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return { child, log: () => text, gone: new Promise((settle) => child.once('close', settle)) };
}

async function until(what: string, daemon: Daemon, probe: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await probe())) {
    const { exitCode, signalCode } = daemon.child;
    if (exitCode !== null || signalCode !== null) {
      throw new Error(`before ${what} the daemon ended with ${exitCode ?? signalCode}, having said:\n${daemon.log()}`);
    }
    if (performance.now() > deadline) throw new Error(`${what} did not happen; the daemon said:\n${daemon.log()}`);
    await sleep(40);
  }
}

async function journalOf(store: Store, worldId: string): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for (let from = 0; ; ) {
    const page = await store.journal.read(worldId, from, 1000);
    if (page.answer !== 'ok') throw new Error(`journal: ${page.answer}`);
    for (const { body } of page.batches) {
      const decoded = decodeBatchBody(body);
      if (!decoded.ok) throw new Error(decoded.failure.message);
      for (const entry of decoded.value.entries) {
        const record = decodeRecord(entry);
        if (!record.ok) throw new Error(record.failure.message);
        records.push(record.value);
      }
    }
    if (page.next === undefined) return records;
    from = page.next;
  }
}

function verify(): Promise<number | null> {
  const args = [WORLDLINE, '--world', folder, 'replay', '--verify', '--from-genesis'];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  return new Promise((settle) => child.once('close', settle));
}

const SEEDS = [7, Math.floor(Math.random() * 2 ** 31)];

test.each(SEEDS)(
  `${KILLS} kills of the daemon at random instants lose nothing that was acknowledged and repeat nothing (seed %i)`,
  { timeout: 60_000 + KILLS * 6_000 },
  async (seed) => {
    const random = seeded(seed);
    let daemon = startDaemon();
    const identity = () =>
      JSON.parse(readFileSync(join(folder, '.worldline', 'world.json'), 'utf8')) as { world_id: string };
    await until('the first start', daemon, async () => /\brunning\b/.test(daemon.log()));
    const worldId = identity().world_id;
    const store = unwrap(await openSqliteStore(join(folder, '.worldline', 'store')));
    const acknowledged: string[] = [];
    try {
      const submit = async () => {
        const id = `job-${acknowledged.length}${'x'.repeat(acknowledged.length % 3)}`;
        const ingress = {
          kind: 'event' as const,
          schema: 't/Job@1',
          value: encode({ id, url: `http://127.0.0.1:${port}/${id}` }),
          ingressId: id,
        };
        const { item, digest, dedupeKey } = encodeInboxItem({ ingress, dedupeKey: id, enqueuedAtNs: 0n });
        const answer = await store.inbox.enqueue(worldId, item, digest, dedupeKey);
        if (answer.answer === 'ok') acknowledged.push(id);
      };
      for (let kill = 0; kill < KILLS; kill++) {
        const jobs = 3 + Math.floor(random() * 6);
        for (let n = 0; n < jobs; n++) {
          await submit();
          await sleep(random() * 20);
        }
        await sleep(random() * 400);
        daemon.child.kill('SIGKILL');
        await daemon.gone;
        daemon = startDaemon();
      }
      const last = daemon;
      await until(
        'the end of every job',
        last,
        async () =>
          (await journalOf(store, worldId)).filter((r) => r.record_kind === 'plan_ended').length >= acknowledged.length,
      );
      last.child.kill('SIGTERM');
      expect(await last.gone, last.log()).toBe(0);

      const records = await journalOf(store, worldId);
      const jobs = records.filter((r) => r.record_kind === 'domain_event' && r.schema === 't/Job@1');
      expect(jobs.map((r) => r.record_kind === 'domain_event' && r.ingress_id)).toEqual(acknowledged);
      const ends = records.filter((r) => r.record_kind === 'plan_ended');
      expect(ends.map((r) => r.status)).toEqual(acknowledged.map(() => 'ok'));
      expect(new Set(ends.map((r) => r.plan_id)).size).toBe(acknowledged.length);
      expect(records.filter((r) => r.record_kind === 'domain_event' && r.schema === 't/Done@1')).toHaveLength(
        acknowledged.length,
      );
      for (const id of acknowledged) expect([id, seen.get(id)?.size]).toEqual([id, 1]);
      expect(await verify()).toBe(0);
    } finally {
      daemon.child.kill('SIGKILL');
      await store.close();
    }
  },
);
