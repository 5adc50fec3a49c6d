import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unwrap } from '@worldline/canon';
import { collectBatches, decodeStoredBatch, replayVerify, uuidv7 } from '@worldline/host';
import { openSqliteStore } from '@worldline/store-sqlite';
import type { CrashTask } from '../gate-child.ts';
import { oneLine } from './cross-talk-gate.ts';
import { driveToEnd, fireDue, type Style } from './drive.ts';
import type { Flow } from './flow.ts';
import { type GateOptions, GateTally, type GateWorld } from './gate.ts';
import { type Action, GateRun, type Request } from './run.ts';
import { makeScratch, removeStaleScratch } from './scratch.ts';
import { idOf } from './templates.ts';
import { viewOf, type WorldView } from './world-view.ts';

/**
 * `patterns.md` F4; cases C41–C44, C55; `plans.md` P1–P5, P7.
 *
 * A request is taken to its end once in memory. Then again on the SQLite store, each input by a process of its own that is
 * killed with SIGKILL as soon as it says that it is parked. What the next process finds must be what the quiet world waits
 * for at that point; at the end the same records are in the journal, and it replays from genesis and from its baseline.
 *
 * @param killsMax - no further way through the world is taken where it would need more; the first one always is.
 */
export async function crashGate(
  world: GateWorld,
  flows: readonly Flow[],
  options: GateOptions,
  killsMax: number,
  progress: (done: number, total: number) => void,
): Promise<GateTally> {
  const tally = new GateTally('crash');
  const parkedOn = new Set<string>();
  await removeStaleScratch();
  const all = flows.flatMap((flow) => waysOf(world, flow));
  const ways = all.filter((_, i) => i === 0 || killsOf(all.slice(0, i + 1)) <= killsMax);
  const total = killsOf(ways);
  let done = 0;
  for (const way of ways) {
    if (way.actions.length === 1) tally.skip(`${way.flow.name} never waits`);
    await suffer(world, way, options, tally, parkedOn, () => progress(++done, total));
  }
  const awaits = new Set(flows.flatMap(({ envelope }) => envelope.plans).flatMap(({ plan }) => opsOf(world, plan)));
  const anywhere = new Set([...world.loaded.catalog.plans.keys()].flatMap((plan) => opsOf(world, plan)));
  for (const op of ['await_receipt', 'await_event', 'await_plan', 'await_plans_all']) {
    if (!awaits.has(op)) tally.skip(`no plan ${anywhere.has(op) ? 'that is tried ' : ''}has a step ${op}`);
    else if (!parkedOn.has(op)) tally.skip(`no run came to rest in a step ${op}`);
  }
  return tally;
}

function killsOf(ways: readonly Way[]): number {
  return ways.reduce((sum, { actions }) => sum + actions.length, 0);
}

function opsOf(world: GateWorld, plan: string): readonly string[] {
  return world.loaded.catalog.plans.get(plan)?.def.steps.map(({ op }) => op) ?? [];
}

/** One way through a flow: what comes from outside, and what the world waits for after each of it. */
interface Way {
  readonly flow: Flow;
  readonly actions: readonly Action[];
  readonly views: readonly WorldView[];
  readonly outcome: readonly string[];
}

function waysOf(world: GateWorld, flow: Flow): readonly Way[] {
  const ways: Way[] = [];
  for (const style of ['answers', 'timers'] as const satisfies readonly Style[]) {
    const run = new GateRun(world.loaded, {}, () => {});
    // Time stands still, here as in the processes, until a timer is to fire; then all fire that are due.
    run.w.tickNs = 0n;
    const id = idOf(1);
    run.request(flow, id);
    const request = run.requests.get(id) as Request;
    const actions: Action[] = [];
    const views: WorldView[] = [];
    for (let before = 0; run.actions.length > before; driveToEnd(run, request, style, 1)) {
      actions.push(run.actions[before] as Action);
      fireDue(run, request);
      before = run.actions.length;
      views.push(viewOf(run.w.kernel));
    }
    const way = { flow, actions, views, outcome: recordsOf(run.w.allRecords().map(({ record }) => record)) };
    if (!ways.some((one) => JSON.stringify(one.actions) === JSON.stringify(way.actions))) ways.push(way);
  }
  return ways;
}

/** What happened, without times, hashes and signatures: they differ between a quiet run and one by hand. */
function recordsOf(records: readonly { readonly record_kind: string }[]): readonly string[] {
  return records.flatMap((record) => {
    const its = record as unknown as Readonly<Record<string, unknown>>;
    switch (record.record_kind) {
      case 'domain_event':
        return [`event ${String(its['schema'])} by ${String(its['origin'])}`];
      case 'effect_intent':
        return [`intent ${String(its['kind'])}`];
      case 'effect_receipt':
        // Late ones reach nobody, and the host withdraws approvals that nobody waits for when it gets round to it.
        if (its['disposition'] === 'late') return [];
        return [`receipt ${String(its['status'])} ${String(its['disposition'])}`];
      case 'plan_started':
        return [`started ${String(its['plan_name'])} ${String(its['plan_id'])}`];
      case 'plan_ended':
        return [
          `ended ${String(its['plan_name'])} ${String(its['plan_id'])} ${String(its['error_code'] ?? its['status'])}`,
        ];
      default:
        return [];
    }
  });
}

async function suffer(
  world: GateWorld,
  way: Way,
  options: GateOptions,
  tally: GateTally,
  parkedOn: Set<string>,
  killed: () => void,
): Promise<void> {
  const { flow, actions, views } = way;
  const lives = new Set<ChildProcess>();
  const scratch = await makeScratch(() => {
    for (const child of lives) child.kill('SIGKILL');
  });
  const { dir } = scratch;
  const worldId = uuidv7(BigInt(Date.now()) * 1_000_000n);
  try {
    for (const [i, action] of actions.entries()) {
      if (options.signal?.aborted === true) return;
      const task = {
        dir,
        worldId,
        files: world.files,
        requirePolicy: world.requirePolicy,
        create: i === 0,
        action,
        snapshot: i % 2 === 1,
      };
      const found = await oneLife(task, lives, options.signal);
      if (found === undefined) return;
      tally.count('kills');
      killed();
      if (typeof found === 'string') {
        tally.problem(flow.name, `after ${i} kills the world does not go on: ${found}`);
        return;
      }
      const before = i === 0 ? undefined : views[i - 1];
      if (before !== undefined && !same(before, found.opened)) {
        tally.problem(
          flow.name,
          `after kill ${i} the world waits for something else: ${difference(before, found.opened)}`,
        );
        return;
      }
      const now = views[i] as WorldView;
      if (!same(now, found.parked)) {
        tally.problem(flow.name, `after ${i} kills an input leads elsewhere: ${difference(now, found.parked)}`);
        return;
      }
      for (const { kinds } of now.runs)
        for (const kind of kinds) {
          parkedOn.add(kind);
          tally.count(`kills while parked on ${kind}`);
        }
      options.afterKill?.(join(dir, 'store'), i + 1);
    }
    await verify(dir, worldId, way, tally);
  } finally {
    scratch.remove();
  }
}

async function verify(dir: string, worldId: string, way: Way, tally: GateTally): Promise<void> {
  const { flow, outcome } = way;
  const store = unwrap(await openSqliteStore(join(dir, 'store'), { readOnly: true }));
  try {
    const batches = unwrap(await collectBatches(store, worldId, 0));
    const records = recordsOf(batches.flatMap((batch) => unwrap(decodeStoredBatch(batch)).records));
    if (records.join('\n') !== outcome.join('\n')) {
      const longer = records.length > outcome.length ? records : outcome;
      const at = longer.findIndex((_, i) => records[i] !== outcome[i]);
      tally.problem(
        flow.name,
        `with kills the journal tells another story: "${records[at] ?? 'nothing more'}" where the quiet one has "${outcome[at] ?? 'nothing more'}"`,
      );
    }
    for (const fromGenesis of [true, false]) {
      const replayed = unwrap(await replayVerify({ store, worldId, fromGenesis }));
      tally.count('replays of what was left');
      if (!replayed.match)
        tally.problem(flow.name, `what the kills left does not replay: ${replayed.differences[0]?.message ?? ''}`);
    }
  } finally {
    await store.close();
  }
}

function same(a: WorldView, b: WorldView): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function difference(wanted: WorldView, found: WorldView): string {
  const tell = ({ runs }: WorldView) =>
    runs.map(({ plan, planId, waiting }) => `${plan} ${planId} in ${waiting.join(', ')}`).join('; ') || 'nothing';
  const [a, b] = [tell(wanted), tell(found)];
  return a === b
    ? oneLine(`${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`)
    : oneLine(`${b}, instead of ${a}`);
}

const IS_SOURCE = import.meta.url.endsWith('.ts');
const CHILD = fileURLToPath(new URL(IS_SOURCE ? '../gate-child.ts' : './gate-child.js', import.meta.url));
/** Machines may be slow, and a process that hangs must not be waited for all night. */
const LIFE_MS = 120_000;

/**
 * One process, from its start to its kill, which comes early when `signal` fires.
 *
 * @param lives - has the process while it runs.
 * @returns what it saw; why it ended by itself; undefined when `signal` fired.
 */
async function oneLife(
  task: CrashTask,
  lives: Set<ChildProcess>,
  signal: AbortSignal | undefined,
): Promise<{ readonly opened: WorldView; readonly parked: WorldView } | string | undefined> {
  const file = join(task.dir, 'task.json');
  writeFileSync(file, JSON.stringify(task));
  // A child of the sources takes the other packages as they are built: it starts in a fraction of the time.
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', CHILD, file], {
    // The child ends with its standard input, so that none is left when this process is killed.
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  lives.add(child);
  const kill = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', kill);
  const said = new Map<string, WorldView>();
  let trouble = '';
  child.stderr.on('data', (chunk: Buffer) => {
    trouble += chunk.toString();
  });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await Promise.race([gone, parked(child, said), within(LIFE_MS, gone)]);
  kill();
  await gone;
  signal?.removeEventListener('abort', kill);
  lives.delete(child);
  if (signal?.aborted === true) return undefined;
  const [opened, now] = [said.get('opened'), said.get('parked')];
  if (opened === undefined || now === undefined)
    return trouble.trim().split('\n').slice(-12).join('\n') || `it said nothing for ${LIFE_MS / 1_000} s`;
  return { opened, parked: now };
}

function parked(child: ChildProcess, said: Map<string, WorldView>): Promise<void> {
  return new Promise((resolve) => {
    let rest = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) {
        const space = line.indexOf(' ');
        said.set(line.slice(0, space), JSON.parse(line.slice(space + 1)) as WorldView);
      }
      if (said.has('parked')) resolve();
    });
  });
}

function within(ms: number, gone: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void gone.then(() => clearTimeout(timer));
  });
}
