import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, describe, expect, test } from 'vitest';
import { program } from '../src/program.ts';
import { approvalWorld } from './approval-world.ts';
import { cleanUp, daemon, emptyFolder, interrupted, worldline, worldOf } from './support.ts';

/** Commands and the shape of their JSON (host.md §12.2). Tests start the built command: npx tsc -b packages/cli */

afterAll(cleanUp);

const ASKED = 'hello/Asked@1';
const GREET = 'hello/greet@1';
const HASH = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);
const META = { journal_height: expect.any(Number), manifest_hash: HASH, snapshot_hash: HASH };

async function data(world: string, ...args: string[]) {
  const run = await worldline([...args, '--json'], { cwd: world });
  expect({ args, exit: run.exit, stderr: run.stderr, out: run.exit === 0 ? '' : run.stdout }).toEqual({
    args,
    exit: 0,
    stderr: '',
    out: '',
  });
  return run.json();
}

describe('init and check', () => {
  test.each(['minimal', 'http'])('template %s makes a world that has no findings', async (template) => {
    const folder = join(emptyFolder(), 'made');
    const made = await worldline(['init', folder, '--template', template, '--json']);
    expect(made.exit).toBe(0);
    expect(made.json().data.world).toBe(folder);
    expect(made.json().data.files).toContainEqual({ path: 'air/manifest.air.json', status: 'created' });
    expect(made.json().data.files).toContainEqual({ path: '.gitignore', status: 'created' });
    expect((await data(folder, 'check')).data).toEqual({
      map: 'worldline.json',
      air_dir: 'air',
      imports: [],
      findings: [],
    });
    const again = await worldline(['init', '--template', template, '--json'], { cwd: folder });
    expect(again.json().data.files.every((file: { status: string }) => file.status === 'skipped')).toBe(true);
    writeFileSync(join(folder, 'README.md'), 'mine');
    await worldline(['init', '--template', template, '--force'], { cwd: folder });
    expect(readFileSync(join(folder, 'README.md'), 'utf8')).not.toBe('mine');
  });

  test('a finding has file, line, column, code, message and fix; people see the line with a caret', async () => {
    const folder = worldOf('minimal');
    const file = join(folder, 'air/plans.air.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"op": "raise_event"', '"op": "raise_evnt"'));
    const json = await worldline(['check', '--json'], { cwd: folder });
    expect(json.exit).toBe(7);
    const [finding] = json.json().data.findings;
    expect(finding).toMatchObject({
      level: 'error',
      kind: 'defplan',
      name: GREET,
      plan: GREET,
      file: 'air/plans.air.json',
      path: expect.stringMatching(/^\/steps\/1/),
      message: expect.any(String),
    });
    const human = await worldline(['check'], { cwd: folder });
    expect(human.exit).toBe(7);
    const lines = human.stdout.split('\n');
    expect(lines[0]).toBe(
      `air/plans.air.json:${finding.line}:${finding.column}  error  ${finding.code}  ${finding.rule}  ${finding.message}`,
    );
    const [source, caret] = [lines[1]!, lines[2]!];
    expect(source.indexOf('|')).toBe(caret.indexOf('|'));
    expect(source.slice(caret.indexOf('^'), caret.lastIndexOf('^') + 1)).toBe('"raise_evnt"');
    expect(human.stdout).toContain('1 error, 0 warnings in 1 file');
  });

  test('--only, --ignore and --fail-on-warning decide what counts', async () => {
    const folder = worldOf('minimal');
    writeFileSync(
      join(folder, 'air/extra.air.json'),
      '{"$kind": "defschema", "name": "hello/Unused@1", "type": {"unit": {}}}',
    );
    const warned = await worldline(['check', '--json'], { cwd: folder });
    expect(warned.exit).toBe(0);
    expect(warned.json().data.findings).toMatchObject([
      { code: 'def.unlisted', level: 'warning', file: 'air/extra.air.json' },
    ]);
    expect((await worldline(['check', '--fail-on-warning'], { cwd: folder })).exit).toBe(7);
    expect((await worldline(['check', '--fail-on-warning', '--ignore', 'def.unlisted'], { cwd: folder })).exit).toBe(0);
    expect((await worldline(['check', '--fail-on-warning', '--only', 'ref.unknown'], { cwd: folder })).exit).toBe(0);
    writeFileSync(
      join(folder, 'worldline.json'),
      JSON.stringify({ version: 1, checks: { ignore: [{ code: 'def.unlisted', reason: 'comes later' }] } }),
    );
    expect((await worldline(['check', '--fail-on-warning'], { cwd: folder })).exit).toBe(0);
    writeFileSync(
      join(folder, 'worldline.json'),
      JSON.stringify({ version: 1, checks: { ignore: [{ code: 'no.such', reason: 'x' }] } }),
    );
    const unused = await worldline(['check', '--json'], { cwd: folder });
    expect(unused.json().data.findings.map((finding: { code: string }) => finding.code)).toContain(
      'checks.ignore_unused',
    );
  });

  test.each([
    ['{"version": 2}', 'sync.version', '/version'],
    ['{"version": 1, "air": {"dri": "air"}}', 'sync.schema', '/air/dri'],
    ['{"version": 1, "air": {"imports": [{"path": "../x"}]}}', 'import.shape', '/air/imports/0/path'],
    ['{"version": 1, "build": {"plans": ["plans/*.ts"]}}', 'unsupported', '/build'],
    ['{"version": 1,', 'sync.schema', ''],
  ])('worldline.json %s is a finding %s', async (text, code, path) => {
    const folder = worldOf('minimal');
    writeFileSync(join(folder, 'worldline.json'), text);
    const check = await worldline(['check', '--json'], { cwd: folder });
    expect(check.exit).toBe(7);
    expect(check.json().data.findings[0]).toMatchObject({ code, file: expect.stringContaining('worldline.json') });
    if (path !== '') expect(check.json().data.findings[0].path).toBe(path);
  });
});

describe('a world without a running process (batch mode)', () => {
  test('events, runs, journal, replay and summary have their JSON shapes', async () => {
    const world = worldOf('minimal');
    const fresh = await data(world, 'status');
    expect(fresh.data.created).toBe(false);

    const sent = await worldline(['event', 'send', ASKED, '@-', '--json'], { cwd: world, input: '{"name": "Ada"}' });
    expect(sent.exit).toBe(0);
    expect(sent.json()).toMatchObject({
      data: { event_hash: HASH, first_seq: 3, last_seq: expect.any(Number), duplicate: false },
      meta: META,
    });
    expect(sent.json().warnings[0]).toMatch(/^created world /);

    const started = await data(world, 'plans', 'start', GREET, '{"name": "Bob"}', '--correlation', '"r-1"', '--wait');
    expect(started.data).toMatchObject({
      plan_id: 1,
      first_seq: expect.any(Number),
      duplicate: false,
      run: { status: 'ok', plan: GREET, correlation: 'r-1' },
    });

    const plans = await data(world, 'plans', 'ls');
    expect(plans.data.plans).toMatchObject([
      { plan_id: 1, plan: GREET, status: 'ok', correlation: 'r-1', waits: [] },
      { plan_id: 0, plan: GREET, status: 'ok', waits: [] },
    ]);
    expect((await data(world, 'plans', 'ls', '--live')).data.plans).toEqual([]);
    expect((await data(world, 'plans', 'ls', '--plan', 'no/such@1')).data.plans).toEqual([]);
    expect((await data(world, 'plans', 'ls', '--limit', '1')).data.plans).toHaveLength(1);
    expect((await data(world, 'plans', 'get', '1')).data).toMatchObject({
      plan_id: 1,
      status: 'ok',
      result: { text: 'Hello, Bob' },
    });

    const tail = await data(world, 'journal', 'tail', '--kinds', 'event');
    expect(tail.data.entries.map((entry: { record: unknown }) => entry.record)).toMatchObject([
      {
        schema: ASKED,
        value: { name: 'Ada' },
        origin: 'external',
        now_ns: expect.stringMatching(/^[0-9]+$/),
        event_hash: HASH,
      },
      { schema: 'hello/Greeted@1', value: { text: 'Hello, Ada' }, origin: 'plan' },
      { schema: 'hello/Greeted@1', value: { text: 'Hello, Bob' }, origin: 'plan' },
    ]);
    const part = await data(world, 'journal', 'tail', '--from', '0', '--limit', '2');
    expect(part.data).toMatchObject({
      from: 0,
      to: 2,
      entries: [
        { seq: 0, kind: 'manifest' },
        { seq: 1, kind: 'snapshot' },
      ],
    });
    const lines = await worldline(['journal', 'tail', '--limit', '2'], { cwd: world });
    expect(lines.stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(lines.stdout).toMatch(/^#[0-9]+ [a-z_]+/);

    const verified = await data(world, 'journal', 'verify', '--signatures');
    expect(verified.data).toMatchObject({ entries: expect.any(Number), batches: expect.any(Number), problems: [] });
    expect(verified.data.entries).toBe(verified.meta.journal_height);
    for (const flags of [[], ['--from-genesis']]) {
      const replayed = await data(world, 'replay', '--verify', ...flags);
      expect(replayed.data).toMatchObject({
        head: verified.data.entries,
        snapshot: HASH,
        match: true,
        differences: [],
      });
    }
    expect((await data(world, 'replay', '--verify', '--from-genesis', '--to', '3')).data).toMatchObject({
      head: 3,
      match: true,
    });

    const summary = await data(world, 'trace-summary', '--instances');
    expect(summary.data.totals.runs).toMatchObject({ started: 2, ok: 2, error: 0, live: 0 });
    expect(summary.data.instances).toHaveLength(2);
    const table = await worldline(['trace-summary'], { cwd: world });
    expect(table.stdout).toMatch(/^plan runs {2}journal 0\.\./);

    const status = await data(world, 'status');
    expect(status.data).toMatchObject({
      created: true,
      status: 'active',
      daemon: null,
      plans: { live: 0, started: 2 },
      waits: { timers: 0, approvals: 0, receipts: 0, events: 0 },
      folder_differs: false,
    });

    const bare = await worldline(['journal', 'head', '--json', '--no-meta'], { cwd: world });
    expect(Object.keys(bare.json())).toEqual(['data']);
    expect((await worldline(['journal', 'head', '--pretty'], { cwd: world })).stdout).toMatch(/^\{\n {2}"data"/);
  });

  test('definitions are those of the manifest', async () => {
    const world = worldOf('minimal');
    const before = await worldline(['defs', 'ls', '--json'], { cwd: world });
    await worldline(['event', 'send', ASKED, '{"name": "Ada"}'], { cwd: world });
    const after = await data(world, 'defs', 'ls');
    expect(after.data).toEqual(before.json().data);
    expect(after.data.defs.map((def: { kind: string; name: string }) => [def.kind, def.name])).toEqual([
      ['schema', ASKED],
      ['schema', 'hello/Greeted@1'],
      ['plan', GREET],
    ]);
    expect(after.data.defs[2]).toMatchObject({ hash: HASH, plan_steps: 3 });
    expect((await data(world, 'defs', 'ls', '--kind', 'plan', '--prefix', 'hello/')).data.defs).toHaveLength(1);
    expect((await data(world, 'defs', 'get', GREET)).data).toMatchObject({
      hash: after.data.defs[2].hash,
      def: { $kind: 'defplan', name: GREET },
    });
    expect(
      (await data(world, 'defs', 'get', 'sys/http.request@1', '--kind', 'defeffect').catch(() => ({ data: null })))
        .data,
    ).toBeNull();
  });

  test('blobs come back as they went in', async () => {
    const world = worldOf('minimal');
    const bytes = Buffer.from([0, 255, 10, 13, 27]);
    const put = await worldline(['blob', 'put', '@-', '--json'], { cwd: world, input: bytes });
    const { hash } = put.json().data;
    expect(put.json().data).toEqual({ hash: HASH, size: 5 });
    expect((await data(world, 'blob', 'stat', hash)).data).toMatchObject({ hash, size: 5 });
    expect((await data(world, 'blob', 'get', hash, '--out', 'copy')).data).toMatchObject({ size: 5, out: 'copy' });
    expect(readFileSync(join(world, 'copy'))).toEqual(bytes);
    expect((await worldline(['blob', 'get', hash], { cwd: world })).stdout).toBe('5 bytes\n');
  });

  test('what only waits is reported by run --batch and does not keep it', async () => {
    const world = approvalWorld();
    const started = await data(world, 'plans', 'start', 'ask/ask@1', '{"what": "a thing"}', '--quiet');
    expect(started.data.plan_id).toBe(0);
    const batch = await data(world, 'run', '--batch', '--quiet');
    expect(batch.data).toMatchObject({ waiting: { timers: 0, approvals: 1, receipts: 0, events: 0 } });
    const live = await data(world, 'plans', 'get', '0');
    expect(live.data).toMatchObject({
      status: 'live',
      waits: [{ step: 'answer', kind: 'receipt', ref: HASH, effect: 'approval.request' }],
    });
    expect(live.data.steps).toContainEqual({ id: 'answer', op: 'await_receipt', state: 'waiting' });
  });
});

describe.each(['batch', 'daemon'])(
  'approvals and cancelling, %s mode (host.md §16.11: both give equal data)',
  (mode) => {
    test('ask, look, decide once, cancel', async () => {
      const world = approvalWorld();
      await worldline(['blob', 'put', '@-'], { cwd: world, input: '{"tests": "green"}' });
      const running = mode === 'daemon' ? await daemon(world) : undefined;
      try {
        const notes = (
          await worldline(['blob', 'put', '@-', '--json'], { cwd: world, input: '{"tests": "green"}' })
        ).json().data.hash;
        for (const what of ['first', 'second']) {
          const started = await data(world, 'plans', 'start', 'ask/ask@1', JSON.stringify({ what, notes }));
          expect(started.data).toMatchObject({ plan_id: what === 'first' ? 0 : 1, duplicate: false });
        }
        const pending = await data(world, 'approvals', 'ls');
        expect(pending.data.approvals).toMatchObject([
          {
            intent_hash: HASH,
            subject: 'first',
            requester: 'tests',
            context_ref: notes,
            plan: 'ask/ask@1',
            plan_id: 0,
            requested_ns: expect.any(String),
          },
          { subject: 'second', plan_id: 1 },
        ]);
        const intent: string = pending.data.approvals[0].intent_hash;
        expect((await data(world, 'approvals', 'get', intent.slice(0, 19))).data).toMatchObject({
          intent_hash: intent,
          subject: 'first',
          context: { tests: 'green' },
        });
        expect(
          (await data(world, 'approvals', 'decide', intent.slice(0, 19), 'approve', '--rationale', 'looks good')).data,
        ).toEqual({});
        const twice = await worldline(['approvals', 'decide', intent, 'deny', '--json'], { cwd: world });
        expect(twice.exit).toBe(6);
        expect(twice.json().error.code).toBe('approval.decided');
        expect((await data(world, 'plans', 'get', '0')).data).toMatchObject({
          status: 'ok',
          result: { what: 'approved' },
        });

        expect((await data(world, 'plans', 'cancel', '1', '--reason', 'not needed', '--yes')).data).toMatchObject({
          first_seq: expect.any(Number),
        });
        expect((await data(world, 'plans', 'get', '1')).data).toMatchObject({
          status: 'error',
          error_code: 'cancelled',
        });
        const again = await worldline(['plans', 'cancel', '1', '--yes', '--json'], { cwd: world });
        expect(again.exit).toBe(6);
        expect(again.json().error.code).toBe('plan.not_live');
      } finally {
        if (running !== undefined) expect((await running.stop()).exit).toBe(0);
      }
      const all = await data(world, 'approvals', 'ls', '--all');
      expect(all.data.approvals[0]).toMatchObject({
        subject: 'first',
        decision: 'approved',
        approver: expect.stringMatching(/^socket:/),
        rationale: 'looks good',
        decided_ns: expect.any(String),
      });
      expect((await data(world, 'replay', '--verify', '--from-genesis')).data.match).toBe(true);
      expect((await data(world, 'journal', 'verify', '--signatures')).data.problems).toEqual([]);
    });
  },
);

describe('beside a running world', () => {
  test('events are applied by it, repeats are duplicates, accepted does not wait', async () => {
    const world = worldOf('minimal');
    const running = await daemon(world);
    try {
      const first = await data(
        world,
        '--mode',
        'daemon',
        'event',
        'send',
        ASKED,
        '{"name": "Ada"}',
        '--idempotency-key',
        'k',
      );
      expect(first.data).toMatchObject({ event_hash: HASH, duplicate: false });
      const again = await worldline(['event', 'send', ASKED, '{"name": "Ada"}', '--idempotency-key', 'k', '--json'], {
        cwd: world,
      });
      expect(again.json().data).toMatchObject({ duplicate: true, first_seq: first.data.first_seq });
      const other = await worldline(['event', 'send', ASKED, '{"name": "Bob"}', '--idempotency-key', 'k', '--json'], {
        cwd: world,
      });
      expect([other.exit, other.json().error.code]).toEqual([6, 'ingress.conflict']);
      const accepted = await data(
        world,
        'event',
        'send',
        ASKED,
        '{"name": "Cid"}',
        '--idempotency-key',
        'k2',
        '--wait',
        'accepted',
      );
      expect(accepted.data).toEqual({ ingress_id: expect.stringMatching(/^api:socket:.*:k2$/) });
      const run = await data(world, 'plans', 'start', GREET, '{"name": "Dan"}', '--wait');
      expect(run.data.run.status).toBe('ok');
      const status = await data(world, 'status');
      expect(status.data.daemon).toMatchObject({ mode: 'daemon', pid: running.pid });
    } finally {
      const { exit } = await running.stop();
      expect(exit).toBe(0);
    }
    expect((await data(world, 'plans', 'ls')).data.plans).toHaveLength(3);
    expect((await data(world, 'status')).data.daemon).toBeNull();
  });
});

describe('interruption (host.md §12.1, exit 130)', () => {
  test('a command that waits ends with 130, and the world goes on without it', async () => {
    const world = approvalWorld();
    const asked = async () => {
      const list = await worldline(['approvals', 'ls', '--json'], { cwd: world });
      return list.exit === 0 && list.json().data.approvals.length === 1;
    };
    const start = ['plans', 'start', 'ask/ask@1', '{"what": "a thing"}', '--wait', '--json', '--timeout-ms', '600000'];
    const waiting = await interrupted(start, world, asked);
    expect(waiting.exit).toBe(130);
    expect(waiting.json().error.code).toBe('interrupted');
    expect((await data(world, 'plans', 'get', '0')).data.status).toBe('live');
    expect((await data(world, 'status')).data.daemon).toBeNull();
    expect((await data(world, 'replay', '--verify', '--from-genesis')).data.match).toBe(true);
  });

  test('waiting has its own time limit', async () => {
    const world = approvalWorld();
    const start = ['plans', 'start', 'ask/ask@1', '{"what": "a thing"}', '--wait', '--json', '--timeout-ms', '1'];
    const late = await worldline(start, { cwd: world });
    expect(late.exit).toBe(8);
    expect(late.json().error).toMatchObject({
      code: 'timeout',
      details: { hint: expect.stringContaining('plans get 0') },
    });
    const run = await worldline(['run', '--batch', '--wait', '--timeout-ms', '1', '--json'], { cwd: world });
    expect([run.exit, run.json().error.code]).toEqual([8, 'timeout']);
  });
});

describe('effects through the command', () => {
  test('a plan calls a real service: the grant, allow_private and a credential from .env all count', async () => {
    const seen: (string | undefined)[] = [];
    const server = createServer((incoming, response) => {
      seen.push(incoming.headers['x-token'] as string | undefined);
      response.end('the page');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const world = worldOf('http');
      const manifest = join(world, 'air/manifest.air.json');
      const local = readFileSync(manifest, 'utf8')
        .replace('["example.com"]', '["127.0.0.1"]')
        .replace('["https"]', '["http"]');
      writeFileSync(manifest, local);
      writeFileSync(join(world, '.env'), '# for tests\nTOKEN="s3cret-token"\n');
      const send = (id: string, path: string) =>
        data(
          world,
          'event',
          'send',
          'web/Wanted@1',
          JSON.stringify({ id, url: `http://127.0.0.1:${port}${path}` }),
          '--quiet',
        );
      const outcome = async (id: string) => {
        const events = await data(world, 'journal', 'tail', '--kinds', 'event');
        const found = events.data.entries.find(
          (entry: { record: { schema: string; value: { id: string } } }) =>
            entry.record.schema === 'web/Fetched@1' && entry.record.value.id === id,
        );
        return found?.record.value.outcome;
      };

      await send('denied', '/');
      expect(await outcome('denied')).toEqual({ Failed: null });
      const receipts = await data(world, 'journal', 'tail', '--kinds', 'receipt');
      expect(receipts.data.entries[0].record).toMatchObject({
        status: 'error',
        error: { code: 'http.address_denied' },
        payload: { status: 599 },
      });

      const credentials = [
        { grant: 'cap_web', origin: `http://127.0.0.1:${port}`, header: 'x-token', binding: 'env:TOKEN' },
      ];
      writeFileSync(
        join(world, 'worldline.host.json'),
        JSON.stringify({ http: { allow_private: ['127.0.0.1'], credentials } }),
      );
      await send('good', '/page');
      const answered = await outcome('good');
      expect(answered).toMatchObject({ Answered: { status: 200 } });
      expect(seen).toEqual(['s3cret-token']);
      const page = await worldline(['blob', 'get', answered.Answered.body, '--raw'], { cwd: world });
      expect(page.stdout).toBe('the page');
      expect((await worldline(['journal', 'tail', '--from', '0', '--json'], { cwd: world })).stdout).not.toContain(
        's3cret',
      );
      expect((await data(world, 'replay', '--verify', '--from-genesis')).data.match).toBe(true);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});

describe('help', () => {
  test('a group without a command is called by its name, whatever flags stand before it', async () => {
    const run = await worldline(['--mode', 'batch', 'sync', '--json']);
    expect([run.exit, run.json().error.message]).toEqual([2, '"sync" needs a command']);
  });

  function everyCommand(root: Command): Command[] {
    return root.commands.flatMap((child) => (child.commands.length > 0 ? everyCommand(child) : [child]));
  }

  function helpOf(command: Command): string {
    let text = '';
    command.configureOutput({
      writeOut: (part) => {
        text += part;
      },
    });
    command.outputHelp();
    return text;
  }

  const root = program(async () => {});

  test('teaches: every command has a description and examples, and the front page tells the exit codes', () => {
    expect(helpOf(root)).toContain('Exit codes:');
    const commands = everyCommand(root);
    expect(commands.length).toBeGreaterThan(20);
    for (const command of commands) {
      expect(command.description()).not.toBe('');
      if (command.name() === 'help') continue;
      const help = helpOf(command);
      expect(help).toContain('Examples:\n  worldline ');
      // Where the options of every command are, and no list that is empty by default.
      expect(help).toContain('--json: worldline --help');
      expect(help).not.toMatch(/default: (\[\]|"")/);
    }
  });

  test('a group says how to read on, and an option that is needed says so', () => {
    const [plans, traceFind] = ['plans', 'trace-find'].map((name) => root.commands.find((one) => one.name() === name)!);
    expect(helpOf(plans!)).toContain('worldline plans start --help');
    expect(helpOf(traceFind!)).toMatch(/--schema <schema> +their schema \(required\)/);
  });

  test('is printed on stdout with exit 0, as is the version', async () => {
    const help = await worldline(['plans', 'start', '--help']);
    expect([help.exit, help.stderr]).toEqual([0, '']);
    expect(help.stdout).toContain('Usage: worldline plans start');
    const bare = await worldline(['--version']);
    expect([bare.exit, bare.stdout]).toEqual([0, expect.stringMatching(/^[0-9]+\.[0-9]+\.[0-9]+\n$/)]);
  });
});
