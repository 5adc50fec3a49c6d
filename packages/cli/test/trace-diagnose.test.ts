import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { callWorld, configure, wanted } from './call-world.ts';
import { cleanUp, daemon, worldline } from './support.ts';

/** True causes through the built command, with what only the host knows (host.md §10.2, §12.2). */

// Each command is a process of its own, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
afterAll(cleanUp);

let world: string;
const run = (...args: string[]) => worldline(args, { cwd: world });
const diagnose = async (...args: string[]) => {
  const answer = await run('trace-diagnose', ...args, '--json');
  if (answer.exit !== 0) throw new Error(answer.stderr);
  return answer.json().data;
};
const want = async (id: string, plan: string, mode = 'ok') => {
  const sent = await run('event', 'send', 't/Wanted@1', wanted(id, plan, mode), '--json', '--wait', 'applied');
  return sent.json().data.event_hash as string;
};

describe('a world that is opened for a moment', () => {
  beforeAll(async () => {
    world = callWorld({ approvals: { rules: [{ subject_prefix: 'rel', roles: ['release'] }] } });
    await want('order-7', 'wait');
    await want('release-1', 'ask');
    await want('sleepy', 'nap');
    await run('event', 'send', 't/Done@1', '{"id":"order-8"}');
  });

  test('the wrong id came: both are shown, for people and as JSON', async () => {
    const human = await run('trace-diagnose', '--plan', '0');
    expect(human.exit).toBe(0);
    expect(human.stdout).toMatch(/^state {5}waiting_event\ncause {5}waiting_event\nreason {4}event_differs\n/);
    expect(human.stdout).toMatch(/^why .*event\.id == input\.id: "order-8" came, "order-7" is waited for/m);
    expect(human.stdout).toMatch(/^hint .*send t\/Done@1/m);
    const json = await diagnose('--plan', '0');
    expect(json).toMatchObject({
      terminal_state: 'waiting_event',
      cause: 'waiting_event',
      hashes: {},
      reason: {
        code: 'event_differs',
        runs: [{ plan_id: 0, plan: 't/wait@1', step: 'hear' }],
        facts: { schema: 't/Done@1', missed: 1, conjuncts: [{ came: 'order-8', wanted: 'order-7' }] },
      },
      more_reasons: [],
      reasons_total: 1,
    });
    expect(json.evidence).toEqual(json.reason.evidence);
  });

  test('seen from the event that did nothing: for whom it nearly was', async () => {
    const json = await diagnose('--schema', 't/Done@1', '--correlate-by', 'id', '--value', '"order-8"');
    expect(json).toMatchObject({ terminal_state: 'completed', cause: 'completed', reason: { code: 'wait_filtered' } });
    expect(json.reason.text).toContain('t/wait@1 0 at step hear is nearest');
  });

  test('an approval: the roles that the host configures', async () => {
    const json = await diagnose('--plan', '1');
    expect(json).toMatchObject({
      cause: 'waiting_approval',
      reason: { code: 'approval_pending', facts: { subject: 'release-1', requester: 'tests', roles: ['release'] } },
    });
    expect(json.reason.text).toContain('somebody with role release');
    expect(json.hint).toContain(`worldline approvals decide ${json.hashes.intent_hash.slice(0, 19)} approve`);
  });

  test('a timer: when it is due; the trace of the run says the same in short', async () => {
    expect(await diagnose('--plan', '2')).toMatchObject({
      cause: 'waiting_receipt',
      reason: { code: 'timer_running', facts: { effect_kind: 'timer.after', due_ns: expect.stringMatching(/^\d+$/) } },
    });
    const trace = await run('trace', '--plan', '2');
    expect(trace.stdout).toMatch(/^t\/nap@1 {2}2\n/);
    expect(trace.stdout).toMatch(/^reason {2}timer_running: t\/nap@1 2\/answer$/m);
  });

  test.each([
    [[], 2, 'invalid_request', 'Give --event-hash, or --plan'],
    [['--plan', '1', '--event-hash', 'abcd'], 2, 'invalid_request', 'give one or the other'],
    [['--plan', '1', '--schema', 't/Done@1'], 2, 'invalid_request', 'give one or the other'],
    [['--plan', 'one'], 2, undefined, 'plan id'],
    [['--plan', '99'], 4, 'not_found', 'worldline plans ls'],
    [['--event-hash', 'xyz'], 2, 'invalid_request', 'at least four hex digits'],
    [['--event-hash', 'abcdabcd'], 4, 'trace.root_missing', 'journal tail'],
    [['--schema', 't/Dune@1', '--correlate-by', 'id', '--value', '1'], 4, 'schema.unknown', 't/Done@1'],
    [['--schema', 't/Done@1', '--correlate-by', 'a..b', '--value', '1'], 2, 'invalid_request', 'order.id'],
    [['--schema', 't/Done@1', '--correlate-by', 'id', '--value', 'order-8'], 2, undefined, 'JSON'],
    [['--schema', 't/Done@1', '--correlate-by', 'id', '--value', '"x"'], 4, 'trace.root_missing', 'with quotes'],
    [['--event-hash', 'abcd', '--window-limit', '10001'], 2, 'invalid_request', '10000'],
  ] as const)('trace-diagnose %j: exit %i', async (args, exit, code, said) => {
    const answer = await run('trace-diagnose', ...args);
    expect([answer.exit, answer.stdout]).toEqual([exit, '']);
    if (code !== undefined) expect(answer.stderr).toContain(`error[${code}]`);
    expect(answer.stderr).toContain(said);
  });

  test('--help teaches: what it says, how a run or an event is named, where the codes are', async () => {
    const help = await run('trace-diagnose', '--help');
    for (const part of ['--plan <id>', '--event-hash <hash>', 'exit 7', 'docs/guides/find-out-why.md', 'Examples:'])
      expect(help.stdout).toContain(part);
  });
});

describe('a world that runs, and then does not', () => {
  test('an effect: in flight, then nobody runs the world, then nobody performs it', async () => {
    world = callWorld();
    const running = await daemon(world);
    let hash: string;
    try {
      hash = await want('x', 'call', 'hang');
      for (;;) {
        const found = await diagnose('--event-hash', hash);
        expect([found.terminal_state, found.cause]).toEqual(['waiting_receipt', 'waiting_receipt']);
        // Until the dispatcher has begun it may be waiting for its turn.
        if (found.reason.code !== 'effect_queued') {
          expect(found.reason).toMatchObject({ code: 'effect_in_flight', facts: { attempt: 1 } });
          break;
        }
      }
    } finally {
      await running.stop();
    }
    const stopped = await diagnose('--event-hash', hash);
    expect(stopped.reason.code).toBe('world_stopped');
    expect(stopped.hint).toContain('worldline run');
    configure(world, { adapters: [] });
    const missing = await diagnose('--event-hash', hash);
    expect(missing.reason.code).toBe('adapter_missing');
    expect(missing.reason.text).toContain('t.call');
    // A configuration that cannot be read does not hide what the journal says.
    configure(world, { adapters: [{ module: './gone.mjs' }] });
    const broken = await run('trace-diagnose', '--event-hash', hash, '--json');
    expect(broken.json()).toMatchObject({
      data: { reason: { code: 'world_stopped' } },
      warnings: [expect.stringContaining('the adapters of this host are not known')],
    });
  });
});
