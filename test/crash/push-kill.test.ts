import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode, hashText } from '@worldline/canon';
import { encodeInboxItem, type InboxIngress } from '@worldline/host';
import type { Store } from '@worldline/ports';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkAtRest, ofKind, outcomes, recordsOf, unread } from './check.ts';
import { Folder, isRunning } from './folder.ts';
import { type Child, kill } from './lab.ts';
import { PLANS, worldNodes } from './nodes.ts';
import { Service } from './service.ts';

/**
 * W16 and F17 through the command: a process is killed around a change of manifest, with a run parked on each thing that
 * a run can wait for. The new manifest is active exactly when its batch is durable, and nothing under way is lost.
 */

type Node = Record<string, unknown>;

/** Waits for a `t/Done@1` of another run, then says its own. */
const HEAR = 't/hear@1';

/** Every run says `fine` when it went well. */
function nodes(fine: string): Node[] {
  const said = (step: Node): Node =>
    step['op'] === 'raise_event' && step['id'] === 'fine'
      ? { ...step, value: { id: { ref: '@plan.input.id' }, outcome: { text: fine } } }
      : step;
  const hear: Node = {
    $kind: 'defplan',
    name: HEAR,
    input: 't/Job@1',
    steps: [
      { id: 'wait', op: 'await_event', event: 't/Word@1', bind: { as: 'word' } },
      { id: 'fine', op: 'raise_event', event: 't/Done@1', value: {} },
      { id: 'ended', op: 'end' },
    ],
    edges: [
      { from: 'wait', to: 'fine' },
      { from: 'fine', to: 'ended' },
    ],
  };
  const word: Node = { $kind: 'defschema', name: 't/Word@1', type: { record: { id: { text: {} } } } };
  return [word, hear, ...worldNodes()].map((node) => {
    if (node['$kind'] === 'manifest') {
      const list = (section: string, name: string) => [...(node[section] as Node[]), { name }];
      return { ...node, schemas: list('schemas', 't/Word@1'), plans: list('plans', HEAR) };
    }
    return node['$kind'] === 'defplan' ? { ...node, steps: (node['steps'] as Node[]).map(said) } : node;
  });
}

let folder: Folder;
let service: Service;
beforeEach(async () => {
  folder = new Folder();
  // A machine that is busy with other tests must not be taken for a service that does not answer.
  const config = { http: { allow_private: ['127.0.0.1'], timeout_ms: 600_000 }, effects: { timeout_ms: 600_000 } };
  writeFileSync(join(folder.root, 'worldline.host.json'), JSON.stringify(config));
  service = await Service.start();
});
afterEach(async () => {
  await folder.remove();
  await service.stop();
});

const author = (fine: string) =>
  writeFileSync(join(folder.root, 'air', 'world.air.json'), JSON.stringify(nodes(fine), undefined, 1));

// biome-ignore lint/suspicious/noExplicitAny: answers of every command
async function answer(child: Child): Promise<{ readonly exit: unknown; readonly json: any }> {
  const exit = await child.gone;
  const text = child.lines.join('\n');
  return { exit, json: text === '' ? undefined : JSON.parse(text) };
}

// biome-ignore lint/suspicious/noExplicitAny: answers of every command
async function ok(...argv: string[]): Promise<any> {
  const child = folder.run('--json', '--timeout-ms', '60000', ...argv);
  const { exit, json } = await answer(child);
  expect([argv, exit, json?.error, child.log]).toEqual([argv, 0, undefined, '']);
  return json.data;
}

async function daemon(settings = {}): Promise<Child> {
  const child = folder.compose(settings, 'run');
  await child.until('the start', () => isRunning(child));
  return child;
}

/** Puts something into the inbox, as `plans start` and `event send` do beside a running world. */
async function enqueue(ingress: InboxIngress): Promise<void> {
  const { item, digest } = encodeInboxItem({ ingress, enqueuedAtNs: 0n });
  const store = await folder.open();
  expect((await store.inbox.enqueue(folder.worldId, item, digest, undefined)).answer).toBe('ok');
  await store.close();
}

const start = (plan: string, id: string) =>
  enqueue({ kind: 'plan_start', plan, input: encode({ id, url: `${service.url}${id}`, ns: 1_000_000 }) });

const recordsNow = () => folder.look((store: Store, worldId) => recordsOf(store, worldId));

/** Everything that the parked runs wait for. */
async function arrive(child: Child): Promise<void> {
  await start(HEAR, 'later');
  await enqueue({ kind: 'event', schema: 't/Word@1', value: encode({ id: 'w' }) });
  const { approvals } = await ok('approvals', 'ls');
  await ok('approvals', 'decide', approvals[0].intent_hash, 'approve');
  await child.until('every end', async () => {
    const records = await recordsNow();
    return ofKind(records, 'plan_ended').length === ofKind(records, 'plan_started').length;
  });
}

/** A world in which runs wait for a receipt, a person and an event; a timer fires in the meantime. */
async function park(child: Child): Promise<void> {
  service.delayMs = 600_000;
  await start(PLANS.keyed, 'receipt');
  await start(PLANS.ask, 'approval');
  await start(HEAR, 'event');
  await start(PLANS.nap, 'timer');
  await child.until('the call', () => service.calls('receipt') === 1);
}

async function ends(later: string): Promise<void> {
  const records = await folder.look((store, worldId) => checkAtRest(store, worldId));
  expect(new Map(outcomes(records))).toEqual(
    new Map([
      ['receipt', 'one'],
      ['approval', 'one'],
      ['event', 'one'],
      ['timer', 'one'],
      ['later', later],
    ]),
  );
}

describe('a running world is killed while it changes its manifest', () => {
  test.each([
    ['before the batch is durable', 'loop.applied', 0],
    ['when the batch is durable and the caches are not switched', 'loop.committed', 1],
  ] as const)(
    '%s: the push, which lies in the inbox, is applied once and answered after the restart',
    async (_, at, durable) => {
      author('one');
      await ok('push');
      const first = await daemon({ hostRules: kill({ at, what: 'control' }) });
      await park(first);
      author('two');
      const push = folder.run('--json', '--timeout-ms', '60000', '--mode', 'daemon', 'push');
      expect(await first.gone).toBe('SIGKILL');
      expect(ofKind(await recordsNow(), 'governance')).toHaveLength(durable);

      service.delayMs = 0;
      const second = await daemon();
      const pushed = await answer(push);
      expect([pushed.exit, pushed.json.data.changed, push.log]).toEqual([0, true, '']);
      expect(pushed.json.data.pinned.length).toBeGreaterThan(0);
      await arrive(second);
      second.kill('SIGTERM');
      expect(await second.gone).toBe(0);

      const [change, ...more] = ofKind(await recordsNow(), 'governance');
      expect(more).toEqual([]);
      expect(hashText(change!.manifest_hash_new)).toBe(pushed.json.data.manifest_hash);
      await ends('two');
    },
  );
});

test('two pushes from one base: the first wins, the second is told and exits 6 (governance.base_stale)', async () => {
  author('one');
  await ok('push');
  const file = join(folder.root, 'hold');
  const running = await daemon({
    hostRules: [{ at: 'loop.applied', what: 'control', act: 'hold', file }],
    leaseTimes: { ttlMs: 120_000, renewMs: 40_000, safetyMs: 3_000, maxSkewMs: 2_000 },
  });
  const push = () => folder.run('--json', '--timeout-ms', '60000', 'push');
  author('two');
  const first = push();
  await running.until('the first push', () => existsSync(file));
  author('three');
  const second = push();
  await running.until('the second push in the inbox', () =>
    folder.look(async (store, worldId) => (await unread(store, worldId)).length === 2),
  );
  rmSync(file);
  expect(await answer(first)).toMatchObject({ exit: 0, json: { data: { changed: true } } });
  const refused = await answer(second);
  expect(refused).toMatchObject({ exit: 6, json: { error: { code: 'governance.base_stale' } } });
  expect(refused.json.error.details.hint).toContain('push --dry-run');
  expect(ofKind(await recordsNow(), 'governance')).toHaveLength(1);
  running.kill('SIGTERM');
  expect(await running.gone).toBe(0);
});

describe('a push that opens the world itself is killed', () => {
  test.each([
    ['before its batch is durable: it did not happen', 'loop.applied', true],
    ['after its batch is durable: it happened', 'loop.committed', false],
  ] as const)('%s', async (_, at, again) => {
    author('one');
    await ok('push');
    author('two');
    const killed = folder.compose({ hostRules: kill({ at, what: 'control' }) }, '--json', 'push');
    expect(await killed.gone).toBe('SIGKILL');
    expect(killed.lines).toEqual([]);
    expect(await ok('push')).toMatchObject({ changed: again });
    expect(ofKind(await recordsNow(), 'governance')).toHaveLength(1);
    await ok('plans', 'start', PLANS.nap, `{"id": "later", "url": "", "ns": 1}`, '--wait');
    const records = await folder.look((store, worldId) => checkAtRest(store, worldId));
    expect(outcomes(records)).toEqual([['later', 'two']]);
  });
});
