import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { callWorld, wanted } from './call-world.ts';
import { cleanUp, worldline } from './support.ts';

/** Traces through the built command (host.md §10, §12.2); what they say is explained in packages/summary. */

// Each command is a process of its own, and a busy machine starts them slowly.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });
afterAll(cleanUp);

let world: string;
let asked: string;

beforeAll(async () => {
  world = callWorld();
  const send = async (id: string, plan: string, mode = 'ok') =>
    (await worldline(['event', 'send', 't/Wanted@1', wanted(id, plan, mode), '--json'], { cwd: world })).json().data
      .event_hash as string;
  await send('a', 'call');
  asked = await send('b', 'ask');
});

describe('trace', () => {
  test('by hash and by field; for people and as JSON; into a file', async () => {
    const byField = ['trace', '--schema', 't/Wanted@1', '--correlate-by', 'plan', '--value', '"ask"'];
    const json = await worldline([...byField, '--json'], { cwd: world });
    expect(json.exit).toBe(0);
    expect(json.json().data).toMatchObject({
      query: { schema: 't/Wanted@1', correlate_by: 'plan', value: 'ask' },
      root: { schema: 't/Wanted@1', event_hash: asked, value: { id: 'b', plan: 'ask', mode: 'ok' } },
      journal_window: { truncated: false },
      plans: [{ plan: 't/ask@1', status: 'live' }],
      live_wait: { pending_plan_receipts: [{ plan_name: 't/ask@1', kind: 'approval.request' }] },
      terminal_state: 'waiting_receipt',
      meta: { journal_height: expect.any(Number) },
    });
    const human = await worldline(['trace', '--event-hash', asked.slice(0, 15)], { cwd: world });
    expect(human.stdout).toContain('waits   t/ask@1');
    const filed = await worldline(['trace', '--event-hash', asked, '--json', '--out', 'trace.json'], { cwd: world });
    expect(filed.json().data).toEqual({ out: 'trace.json', terminal_state: 'waiting_receipt' });
    expect(JSON.parse(readFileSync(join(world, 'trace.json'), 'utf8')).data.root.event_hash).toBe(asked);
  });

  test('--follow prints what is there and goes on until the looks are used up', async () => {
    const followed = await worldline(
      ['trace', '--event-hash', asked, '--follow', '--interval-ms', '1', '--max-polls', '2', '--json'],
      { cwd: world },
    );
    expect(followed.exit).toBe(8);
    const lines = followed.stdout.trim().split('\n');
    // Nothing changed between the looks, so there is one object.
    expect(lines.map((line) => JSON.parse(line).terminal_state)).toEqual(['waiting_receipt']);
    const done = await worldline(
      ['trace', '--schema', 't/Wanted@1', '--correlate-by', 'id', '--value', '"a"', '--follow'],
      { cwd: world },
    );
    expect([done.exit, done.stdout]).toEqual([0, expect.stringContaining('state   completed')]);
  });

  test('trace-diagnose says cause and hint, and with --check whether it is completed', async () => {
    const waits = await worldline(['trace-diagnose', '--event-hash', asked, '--check', '--json'], { cwd: world });
    expect([waits.exit, waits.json().data]).toEqual([
      7,
      expect.objectContaining({ terminal_state: 'waiting_receipt', cause: 'waiting_approval' }),
    ]);
    const done = await worldline(
      ['trace-diagnose', '--schema', 't/Wanted@1', '--correlate-by', 'id', '--value', '"a"', '--check'],
      { cwd: world },
    );
    expect([done.exit, done.stdout]).toEqual([0, expect.stringMatching(/^state +completed\ncause +completed/)]);
  });

  test('trace-find: newest first, as many as asked for, out of the records asked for', async () => {
    const find = async (...more: string[]) =>
      (
        await worldline(
          ['trace-find', '--schema', 't/Wanted@1', '--correlate-by', 'mode', '--value', '"ok"', ...more, '--json'],
          { cwd: world },
        )
      ).json();
    const all = await find();
    expect(all.data.matches.map((match: { value: { id: string } }) => match.value.id)).toEqual(['b', 'a']);
    expect((await find('--max-results', '1')).data.matches).toEqual([all.data.matches[0]]);
    const early = await find('--from', '0', '--limit', '2');
    expect([early.data.matches, early.warnings]).toEqual([[], [expect.stringContaining('--limit')]]);
  });
});
