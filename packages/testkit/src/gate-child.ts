import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { loadAuthored, type SourceFile } from '@worldline/air';
import { FailureError, fromHex, unwrap } from '@worldline/canon';
import {
  createWorld,
  defaultHostConfig,
  ensureKeys,
  isDeadWorker,
  openWorld,
  type World,
  workerId,
} from '@worldline/host';
import { type Emission, timerDueNs } from '@worldline/kernel';
import type { EffectAdapter, GuardedHttp, Store } from '@worldline/ports';
import { openSqliteStore } from '@worldline/store-sqlite';
import type { Action } from './gates/run.ts';
import { ORIGIN_NS } from './gates/templates.ts';
import { viewOf } from './gates/world-view.ts';
import { VirtualClock } from './virtual-clock.ts';

/**
 * A process of its own that opens a world on the SQLite store, says what it waits for, does one thing, says again what it
 * waits for, and stays until it is killed.
 *
 * Nothing leaves it: effects are registered with an adapter that never answers, and time moves only when a timer is to fire.
 */
export interface CrashTask {
  /** Holds `store` and `keys`. */
  readonly dir: string;
  readonly worldId: string;
  readonly files: readonly SourceFile[];
  readonly requirePolicy: boolean;
  /** The world does not exist yet. */
  readonly create: boolean;
  readonly action: Action;
  /** Take a snapshot afterwards, so that the next restart begins there. */
  readonly snapshot: boolean;
}

const say = (what: string, data: unknown) => {
  const line = Buffer.from(`${what} ${JSON.stringify(data)}\n`);
  for (let at = 0; at < line.length; ) {
    try {
      at += writeSync(1, line, at);
    } catch (error) {
      // The reader is slow, and a line must be out before the next thing happens.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
};

const NOBODY: EffectAdapter = {
  id: 'gates.nobody',
  kinds: ['*'],
  classify: () => 'deferred',
  register: async () => {},
};
const NO_NETWORK: GuardedHttp = {
  request: async () => ({
    ok: false,
    failure: { code: 'http.connect', message: 'nothing leaves a gate', retryable: false, notSent: true },
  }),
};

async function open(task: CrashTask, store: Store, clock: VirtualClock): Promise<World> {
  const loaded = loadAuthored(task.files, { requirePolicy: task.requirePolicy });
  if (!loaded.ok) throw new FailureError(loaded.failure[0]!);
  const defaults = defaultHostConfig();
  const config = { ...defaults, world: { ...defaults.world, logical_origin: ORIGIN_NS } };
  if (task.create) {
    const { worldId } = task;
    unwrap(
      await createWorld({ store, loaded: loaded.value, config: config.world, worldId, universeId: 'gates', clock }),
    );
  }
  const holder = (await store.world.get(task.worldId))?.lease?.holder;
  return unwrap(
    await openWorld({
      store,
      worldId: task.worldId,
      receiptKey: (await ensureKeys(join(task.dir, 'keys'))).receipts,
      adapters: [NOBODY],
      http: NO_NETWORK,
      config,
      clock,
      worker: await workerId(),
      dead: holder !== undefined && (await isDeadWorker(holder)) ? holder : undefined,
      env: {},
    }),
  );
}

async function act(world: World, clock: VirtualClock, action: Action): Promise<void> {
  switch (action.do) {
    case 'send': {
      const { schema, value, ingressId } = action;
      unwrap(await world.submit({ kind: 'event', schema, value: fromHex(value)!, ingressId }));
      return;
    }
    case 'start': {
      const { plan, value, correlation, ingressId } = action;
      unwrap(
        await world.submit({
          kind: 'plan_start',
          plan,
          input: fromHex(value)!,
          correlation: fromHex(correlation)!,
          ingressId,
        }),
      );
      return;
    }
    case 'answer': {
      const { intentHash, emissionSeq } = await openEffect(world, action);
      const { status, payload, code } = action;
      unwrap(
        await world.injectReceipt({
          intentHash,
          emissionSeq,
          status,
          payload: payload === undefined ? undefined : { cbor: fromHex(payload)! },
          error: status === 'ok' ? undefined : { code: code ?? 'gates.failed', message: 'scripted by the gates' },
        }),
      );
      return;
    }
    case 'fire': {
      const emission = await openEffect(world, action);
      const now = await world.read((kernel) => kernel.logicalNowNs);
      const due = timerDueNs(emission);
      clock.advance(due > now ? due - now : 0n);
      // The loop arms its clock anew after each batch, also for what is due already.
      while (await world.read((kernel) => kernel.emission(emission.emissionSeq) !== undefined)) {
        clock.advance(0n);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return;
    }
    default:
      action satisfies never;
  }
}

function heightOf(world: World): Promise<number> {
  return world.read((kernel) => kernel.head.height);
}

async function openEffect(world: World, at: { readonly planId: number; readonly step: string }): Promise<Emission> {
  const found = await world.read((kernel) =>
    [...kernel.pending()].find(
      ({ origin }) => origin.origin_kind === 'plan' && origin.plan_id === at.planId && origin.step_id === at.step,
    ),
  );
  if (found === undefined) throw new Error(`no open effect of step ${at.step} of run ${at.planId}`);
  return found;
}

const task = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as CrashTask;
const clock = new VirtualClock({ wallNs: ORIGIN_NS });
const store = unwrap(await openSqliteStore(join(task.dir, 'store')));
const world = await open(task, store, clock);
say('opened', await world.read(viewOf));
await act(world, clock, task.action);
// What is due by now fires as well.
for (let height = -1; height !== (await heightOf(world)); ) {
  height = await heightOf(world);
  clock.advance(0n);
  unwrap(await world.runBatch());
}
if (task.snapshot) unwrap(await world.snapshot());
say('parked', await world.read(viewOf));
// Nobody is left to kill it when who started it has been killed.
process.stdin.once('close', () => process.exit(1)).resume();
const failure = await world.closed;
say('closed', failure?.code ?? 'closed');
process.exit(1);
