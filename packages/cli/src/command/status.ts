import { existsSync } from 'node:fs';
import { hashText } from '@worldline/canon';
import { inspectLock, readIdentity } from '@worldline/host';
import { runningWorld } from '../access.ts';
import { shown } from '../air-folder.ts';
import type { Context } from '../context.ts';
import { stopWith } from '../failure.ts';
import { folderDiffers } from '../manifest-difference.ts';
import type { Data } from '../output.ts';
import { Reader } from '../reader.ts';
import { countWaits } from '../run-view.ts';

/** `worldline status`: what this world is, who runs it, what it waits for. */
export async function status(ctx: Context): Promise<void> {
  const folder = await ctx.folder();
  const identity = await readIdentity(folder);
  if (!identity.ok) return stopWith(identity.failure);
  if (identity.value === undefined) {
    const { airDir } = ctx.syncFile();
    ctx.out.answer(
      [
        ...lines([
          ['folder', ctx.root],
          ['world', 'not created yet'],
          ['definitions', existsSync(airDir) ? shown(airDir, ctx.root) : 'none'],
        ]),
        '',
        'create it with "worldline run"',
      ],
      { world: ctx.root, created: false },
    );
    return;
  }
  const reader = await Reader.open(ctx);
  try {
    const kernel = await reader.kernel();
    const waits = countWaits(kernel);
    const meta = await reader.meta();
    const lock = await inspectLock(folder.lock);
    const mode = await runningWorld(ctx, reader.store, identity.value);
    const daemon = mode === undefined || lock.state !== 'alive' ? undefined : { pid: lock.lock.pid, mode };
    const kinds = [...(await reader.catalog()).effects.keys()].sort();
    const adapters = await adapterKinds(ctx);
    const missing = kinds.filter((kind) => !adapters.some((pattern) => matches(pattern, kind)));
    const differs = await folderDiffers(ctx, reader);
    if (differs)
      ctx.out.notice(
        'the definitions of the folder are not the ones that this world runs; "worldline push" makes them so',
      );
    const human = lines([
      ['folder', ctx.root],
      ['world', identity.value.world_id],
      ['status', reader.row.status],
      ['manifest', meta.manifest_hash],
      ['height', String(reader.height)],
      [
        'running',
        daemon === undefined ? 'no' : `${daemon.mode === 'daemon' ? 'yes' : 'for a moment'}, process ${daemon.pid}`,
      ],
      ['plans', `${kernel.liveCount} live of ${kernel.nextPlanId}`],
      [
        'waits',
        Object.entries(waits)
          .map(([what, n]) => `${n} ${n === 1 ? what.slice(0, -1) : what}`)
          .join(', '),
      ],
      [
        'effects',
        kinds.length === 0
          ? 'none'
          : kinds.map((kind) => (missing.includes(kind) ? `${kind} (no adapter)` : kind)).join(', '),
      ],
    ]);
    const data: Data = {
      world: ctx.root,
      created: true,
      world_id: identity.value.world_id,
      universe_id: identity.value.universe_id,
      status: reader.row.status,
      manifest_hash: meta.manifest_hash,
      journal_height: reader.height,
      baseline: { height: reader.row.activeBaseline.height, ref: hashText(reader.row.activeBaseline.ref) },
      daemon: daemon === undefined ? null : daemon,
      plans: { live: kernel.liveCount, started: kernel.nextPlanId },
      waits: { ...waits },
      effects: kinds,
      missing_adapters: missing,
      folder_differs: differs,
    };
    ctx.out.answer(human, data, meta);
  } finally {
    await reader.close();
  }
}

function lines(rows: readonly (readonly [string, string])[]): string[] {
  return rows.map(([name, text]) => `${name.padEnd(12)} ${text}`);
}

async function adapterKinds(ctx: Context): Promise<readonly string[]> {
  const { makeAdapters } = await import('../adapters.ts');
  const { adapters } = await makeAdapters(await ctx.config(), ctx.root, ctx.worldEnv, async () => undefined);
  return adapters.flatMap((adapter) => adapter.kinds);
}

function matches(pattern: string, kind: string): boolean {
  return pattern.endsWith('*') ? kind.startsWith(pattern.slice(0, -1)) : pattern === kind;
}
