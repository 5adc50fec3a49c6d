import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { unwrap } from '@worldline/canon';
import { restoreKernel, worldFolder } from '@worldline/host';
import { openSqliteStore } from '@worldline/store-sqlite';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { doctor } from '../src/command/doctor.ts';
import { Context } from '../src/context.ts';
import { checkNode, judgeDisk } from '../src/doctor/machine.ts';
import { type Finding, Report } from '../src/doctor/report.ts';
import { checkWorld } from '../src/doctor/world.ts';
import { Output } from '../src/output.ts';
import { callWorld, configure, wanted } from './call-world.ts';
import { cleanUp, daemon, emptyFolder, worldline } from './support.ts';

/** `worldline doctor`: each fault is planted in a copy of a healthy world, and found. */

// Each command is a process of its own, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });
afterAll(cleanUp);
afterEach(() => {
  process.exitCode = undefined;
});

let healthy: string;

/** A world with a timer, an approval and an effect that are pending, closed cleanly. */
beforeAll(async () => {
  healthy = callWorld();
  const air = join(healthy, 'air/world.air.json');
  const nodes = JSON.parse(readFileSync(air, 'utf8'));
  nodes.at(-1).secrets = [{ name: 't/key@1' }];
  writeFileSync(air, JSON.stringify([{ $kind: 'defsecret', name: 't/key@1', binding_id: 'env:DOCTOR_KEY' }, ...nodes]));
  for (const [id, plan, mode] of [
    ['a', 'nap', 'ok'],
    ['b', 'ask', 'ok'],
    ['c', 'call', 'hang'],
  ] as const)
    await worldline(['event', 'send', 't/Wanted@1', wanted(id, plan, mode), '--timeout-ms', '300'], { cwd: healthy });
  for (const name of readdirSync(join(healthy, '.worldline/store')))
    if (name.endsWith('-shm') || name.endsWith('-wal')) rmSync(join(healthy, '.worldline/store', name));
});

function copy(): string {
  const folder = emptyFolder();
  cpSync(healthy, folder, { recursive: true });
  // Copying gives folders the mode of new ones.
  for (const name of ['.', 'keys', 'store']) chmodSync(join(folder, '.worldline', name), 0o700);
  return folder;
}

function contextOf(world: string, more: { readonly env?: Record<string, string>; readonly timeoutMs?: number } = {}) {
  let stdout = '';
  const streams = {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: () => {} },
    env: {},
  };
  const ctx = new Context({
    flags: {
      mode: 'auto',
      json: true,
      pretty: false,
      meta: true,
      quiet: false,
      timeoutMs: more.timeoutMs ?? 30_000,
      timeoutGiven: false,
    },
    out: new Output({ json: true, pretty: false, meta: true, quiet: false }, streams),
    cwd: world,
    env: { DOCTOR_KEY: 'hunter2', ...more.env },
    interrupted: new AbortController().signal,
    composition: {},
  });
  return { ctx, said: () => stdout };
}

interface Examined {
  readonly exit: number;
  readonly checks: readonly Finding[];
  /** Codes of what is not in order. */
  readonly codes: readonly string[];
}

async function examine(world: string, more: Parameters<typeof contextOf>[1] = {}): Promise<Examined> {
  const { ctx, said } = contextOf(world, more);
  process.exitCode = undefined;
  await doctor(ctx);
  const { checks } = JSON.parse(said()).data as { checks: Finding[] };
  expect(said()).not.toContain('hunter2');
  const wrong = checks.filter((check) => check.level !== 'ok');
  // Whoever reads it at night is told what helps.
  for (const one of wrong) expect(one).toMatchObject({ code: expect.any(String), finding: expect.any(String) });
  return { exit: Number(process.exitCode ?? 0), checks, codes: wrong.map((check) => check.code!) };
}

function sql(world: string, text: string): void {
  const db = new DatabaseSync(join(world, '.worldline/store/worldline.db'));
  db.exec(text);
  db.close();
}

const inside = (world: string, name: string) => join(world, '.worldline', name);

describe('nothing is wrong', () => {
  test('a healthy world: exit 0, every check is ok, and nothing in it has changed', async () => {
    const world = copy();
    const files = () =>
      (
        readdirSync(world, { recursive: true, withFileTypes: true }) as {
          name: string;
          parentPath: string;
          isFile(): boolean;
        }[]
      )
        // The file that readers of one SQLite database share, and the log that is empty.
        .filter((file) => file.isFile() && !/-(shm|wal)$/.test(file.name))
        .map((file) => {
          const path = join(file.parentPath, file.name);
          return [path, statSync(path).mtimeMs, readFileSync(path).toString('base64')];
        })
        .sort();
    const before = files();
    expect(await examine(world)).toMatchObject({ exit: 0, codes: [] });
    expect(files()).toEqual(before);
  });

  test('a folder without a world, and an empty folder with a mark', async () => {
    const world = callWorld();
    const { exit, checks } = await examine(world);
    expect(exit).toBe(0);
    expect(checks.map((check) => check.check)).toContain('world');
    expect(readdirSync(world)).not.toContain('.worldline');
  });

  test('through the built command: a list for people, 7 when there is a problem', async () => {
    const world = copy();
    const fine = await worldline(['doctor'], { cwd: world, env: { DOCTOR_KEY: 'x' } });
    expect([fine.exit, fine.stdout]).toEqual([0, expect.stringContaining('nothing is wrong')]);
    const ill = await worldline(['doctor'], { cwd: world });
    expect(ill.exit).toBe(7);
    expect(ill.stdout).toMatch(/PROBLEM {2}secrets .*\[secret\.unavailable\]\n +→ /);
  });
});

describe('a planted fault is found', () => {
  const webhook = (url: string, secret: string, ...allowPrivate: string[]) => ({
    approvals: { webhook: { url, secret } },
    http: { allow_private: allowPrivate },
  });

  const faults: readonly {
    readonly code: string;
    readonly exit: 0 | 7;
    readonly plant: (world: string) => void;
    readonly env?: Record<string, string>;
  }[] = [
    { code: 'folder.permissions', exit: 7, plant: (w) => chmodSync(inside(w, 'keys/world-ed25519.pem'), 0o644) },
    { code: 'config.unknown_key', exit: 7, plant: (w) => configure(w, { sever: {} }) },
    {
      code: 'definitions.invalid',
      exit: 7,
      plant: (w) => writeFileSync(join(w, 'air/broken.air.json'), '{"$kind": "defschema"}'),
    },
    { code: 'world.damaged', exit: 7, plant: (w) => writeFileSync(inside(w, 'world.json'), '{"world_id": 1}') },
    {
      code: 'world.unknown',
      exit: 7,
      plant: (w) => writeFileSync(inside(w, 'world.json'), '{"world_id": "x", "universe_id": "y", "created_at": "z"}'),
    },
    { code: 'world.mismatch', exit: 7, plant: (w) => sql(w, `UPDATE worlds SET universe_id = 'other'`) },
    { code: 'store.missing', exit: 7, plant: (w) => rmSync(inside(w, 'store/worldline.db')) },
    {
      code: 'store.foreign',
      exit: 7,
      plant: (w) => writeFileSync(inside(w, 'store/worldline.db'), 'hello'.repeat(900)),
    },
    { code: 'store.newer', exit: 7, plant: (w) => sql(w, 'PRAGMA user_version = 99') },
    { code: 'store.corrupt', exit: 7, plant: tearPage },
    {
      code: 'store.wal_large',
      exit: 0,
      plant: (w) => {
        writeFileSync(inside(w, 'store/worldline.db-wal'), '');
        truncateSync(inside(w, 'store/worldline.db-wal'), 300 * 1024 * 1024);
      },
    },
    { code: 'world.paused', exit: 0, plant: (w) => sql(w, `UPDATE worlds SET status = 'paused'`) },
    { code: 'world.quarantined', exit: 7, plant: (w) => sql(w, `UPDATE worlds SET status = 'quarantined'`) },
    { code: 'world.archived', exit: 7, plant: (w) => sql(w, `UPDATE worlds SET status = 'archived'`) },
    {
      code: 'journal.corrupt',
      exit: 7,
      plant: (w) => sql(w, `UPDATE batches SET body = zeroblob(length(body)) WHERE id = (SELECT max(id) FROM batches)`),
    },
    {
      code: 'snapshot.old',
      exit: 0,
      plant: (w) => {
        sql(
          w,
          'UPDATE worlds SET (baseline_height, baseline_ref) = (SELECT height, ref FROM snapshots ORDER BY height LIMIT 1)',
        );
        configure(w, { snapshot: { every_entries: 1 } });
      },
    },
    {
      code: 'lock.stale',
      exit: 0,
      plant: (w) =>
        writeFileSync(
          inside(w, 'lock'),
          JSON.stringify({ pid: 999_999_999, started_at: '1', boot_id: 'b', mode: 'daemon', worker: 'w', epoch: 9 }),
        ),
    },
    { code: 'lock.stale', exit: 0, plant: (w) => writeFileSync(inside(w, 'lock'), '{"pid": ') },
    {
      code: 'lease.held',
      exit: 7,
      plant: (w) => sql(w, `UPDATE worlds SET holder = 'elsewhere', expires_at = ${2n ** 62n}`),
    },
    { code: 'control.stale', exit: 0, plant: (w) => writeFileSync(inside(w, 'daemon.json'), '{"pid": 999999999}') },
    { code: 'keys.missing', exit: 7, plant: (w) => rmSync(inside(w, 'keys/receipt-ed25519.pem')) },
    {
      code: 'keys.mismatch',
      exit: 7,
      plant: (w) => cpSync(inside(w, 'keys/receipt-ed25519.pem'), inside(w, 'keys/world-ed25519.pem')),
    },
    { code: 'checkpoint.none', exit: 0, plant: (w) => sql(w, 'UPDATE worlds SET keys = NULL') },
    { code: 'checkpoint.invalid', exit: 7, plant: (w) => sql(w, `UPDATE worlds SET keys = x'00'`) },
    { code: 'adapter.missing', exit: 7, plant: (w) => configure(w, { adapters: [] }) },
    { code: 'host_error', exit: 7, plant: (w) => rmSync(join(w, 'adapter.mjs')) },
    { code: 'secret.unavailable', exit: 7, plant: () => {}, env: { DOCTOR_KEY: undefined as never } },
    { code: 'config.differs', exit: 0, plant: (w) => configure(w, { world: { limits: { max_event_bytes: 9 } } }) },
    {
      code: 'manifest.unpushed',
      exit: 0,
      plant: (w) => {
        const air = join(w, 'air/world.air.json');
        writeFileSync(air, readFileSync(air, 'utf8').replace('"requester":"tests"', '"requester":"others"'));
      },
    },
    {
      code: 'peer.missing',
      exit: 0,
      plant: (w) => configure(w, { fabric: { peers: { lab: { path: './no-such-folder' } } } }),
    },
    {
      code: 'peer.one_way',
      exit: 0,
      plant: (w) => {
        cpSync(healthy, join(w, 'peer'), { recursive: true });
        configure(w, { fabric: { peers: { lab: { path: 'peer' } } } });
      },
    },
    {
      code: 'peer.refuses',
      exit: 0,
      plant: (w) => {
        cpSync(healthy, join(w, 'peer'), { recursive: true });
        configure(join(w, 'peer'), { fabric: { peers: { desk: { path: '..' } } } });
        configure(w, { fabric: { peers: { lab: { path: 'peer' } } } });
      },
    },
    {
      code: 'peer.unreachable',
      exit: 0,
      plant: (w) =>
        configure(w, { fabric: { peers: { far: { url: 'http://127.0.0.1:9', token: 'env:DOCTOR_KEY' } } } }),
    },
    {
      code: 'secret.unavailable',
      exit: 7,
      plant: (w) => configure(w, { fabric: { peers: { far: { url: 'http://127.0.0.1:9', token: 'env:NO_TOKEN' } } } }),
    },
    {
      code: 'http.address_denied',
      exit: 7,
      plant: (w) => configure(w, webhook('https://127.0.0.1/', 'env:DOCTOR_KEY')),
    },
    { code: 'secret.unavailable', exit: 7, plant: (w) => configure(w, webhook('https://127.0.0.1/', 'env:NO_KEY')) },
    {
      code: 'webhook.plain_http',
      exit: 0,
      plant: (w) => configure(w, webhook('http://10.0.0.1/', 'env:DOCTOR_KEY', '10.0.0.0/8')),
    },
    { code: 'effect.exhausted', exit: 7, plant: (w) => sql(w, `UPDATE outbox SET attempt = 5 WHERE kind = 't.call'`) },
    { code: 'effect.attempts', exit: 0, plant: (w) => sql(w, `UPDATE outbox SET attempt = 3 WHERE kind = 't.call'`) },
    { code: 'effect.old', exit: 0, plant: (w) => configure(w, { effects: { timeout_ms: 1 } }) },
  ];
  test.each(faults)('$code', async ({ code, exit, plant, env }) => {
    const world = copy();
    plant(world);
    const found = await examine(world, env === undefined ? {} : { env });
    expect(found.codes).toContain(code);
    expect(found.exit).toBe(exit);
  });

  test.each([
    ['journal.corrupt', `UPDATE batches SET body = zeroblob(length(body)) WHERE id = (SELECT max(id) FROM batches)`],
    ['journal.corrupt', `DELETE FROM batches WHERE id = (SELECT max(id) FROM batches)`],
    ['world.paused', `UPDATE worlds SET status = 'paused'`],
  ])('a command that meets %s says what to do next', async (code, plant) => {
    const world = copy();
    sql(world, plant);
    const run = await worldline(
      code === 'world.paused' ? ['plans', 'cancel', '0', '--reason', 'x', '--yes'] : ['trace-diagnose', '--plan', '0'],
      { cwd: world },
    );
    expect([run.exit, run.stderr]).toEqual([1, expect.stringMatching(/^error.*\n {2}hint: "worldline \w+/)]);
    expect(run.stderr).toContain(code);
  });

  /** Overwrites a page in the middle of the file. */
  function tearPage(world: string): void {
    const path = inside(world, 'store/worldline.db');
    const bytes = readFileSync(path);
    bytes.fill(0xff, 4096 * 5, 4096 * 6);
    writeFileSync(path, bytes);
  }

  test('an old Node, and a disk that fills up', () => {
    const report = new Report();
    checkNode(report, '20.19.0');
    checkNode(report, '22.12.9');
    checkNode(report, '22.13.0');
    judgeDisk(report, 1024);
    judgeDisk(report, 500 * 1024 * 1024);
    judgeDisk(report, 5e12);
    expect(report.findings.map(({ level, code }) => code ?? level)).toEqual([
      'node.version',
      'node.version',
      'ok',
      'disk.full',
      'disk.low',
      'ok',
    ]);
  });

  test('what waits for too long, and a clock before the last record', async () => {
    const world = copy();
    const { ctx } = contextOf(world);
    const store = unwrap(await openSqliteStore(inside(world, 'store'), { readOnly: true }));
    const [row] = await store.world.list();
    const kernel = unwrap(await restoreKernel(store, row!, row!.epoch));
    const later = async (shiftNs: bigint, isRunning: boolean) => {
      const report = new Report();
      const nowNs = (await store.nowNs()) + shiftNs;
      await checkWorld({
        ctx,
        report,
        folder: worldFolder(world),
        config: await ctx.config(),
        store,
        row: row!,
        kernel,
        nowNs,
        isRunning,
      });
      return report.findings.flatMap(({ level, code }) => (code === undefined ? [] : [`${level} ${code}`]));
    };
    const hour = 3_600_000_000_000n;
    expect(await later(0n, false)).toEqual([]);
    expect(await later(-hour, false)).toEqual(['problem clock.behind']);
    expect(await later(48n * hour, false)).toEqual([
      'warning effect.old',
      'warning timer.overdue',
      'warning approval.old',
    ]);
    expect(await later(2n * hour, true)).toEqual(['warning effect.old', 'problem timer.overdue']);
    await store.close();
  });
});

describe('beside a running world', () => {
  test('it is found healthy, deaf, and stopped', async () => {
    const world = copy();
    const running = await daemon(world);
    const lock = () => JSON.parse(readFileSync(inside(world, 'lock'), 'utf8'));
    let found = await examine(world);
    // It listens a moment after it has its lock.
    while (found.codes.includes('control.missing')) found = await examine(world);
    expect(found).toMatchObject({ exit: 0, codes: [] });
    expect(found.checks.find((check) => check.check === 'socket')).toMatchObject({ level: 'ok' });

    process.kill(lock().pid, 'SIGSTOP');
    try {
      expect((await examine(world, { timeoutMs: 300 })).codes).toContain('process.stopped');
    } finally {
      process.kill(lock().pid, 'SIGCONT');
    }
    rmSync(inside(world, 'control.sock'));
    expect(await examine(world)).toMatchObject({ exit: 7, codes: ['control.unreachable'] });
    rmSync(inside(world, 'daemon.json'));
    expect(await examine(world)).toMatchObject({ exit: 7, codes: ['control.missing'] });
    await running.stop();
  });
});
