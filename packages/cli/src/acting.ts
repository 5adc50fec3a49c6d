import type { World, WorldIdentity } from '@worldline/host';
import type { Store } from '@worldline/ports';
import { notRunning, runningWorld } from './access.ts';
import type { Context } from './context.ts';
import { type Control, connectIfRunning } from './control.ts';
import { CommandError, stop } from './failure.ts';
import { requireIdentity } from './reader.ts';
import { writing } from './writer.ts';

/**
 * How commands act on a world beyond submitting to it: through the control socket of the process that runs it, or by
 * opening it for as long as that takes (`host.md` §7.6, §12.1). Both ways give the same answer.
 */
export interface Acts<T> {
  control(control: Control): Promise<T>;
  /** No effect is performed before this has returned. */
  world(world: World): Promise<T>;
}

export async function acting<T>(ctx: Context, acts: Acts<T>): Promise<T> {
  await requireIdentity(ctx);
  const deadline = performance.now() + ctx.flags.timeoutMs;
  return await writing(ctx, async ({ store, identity }) => {
    for (;;) {
      const control = await connectIfRunning(ctx);
      if (control !== undefined) return await acts.control(control);
      const holder = await runningWorld(ctx, store, identity);
      if (ctx.flags.mode === 'daemon') notRunning();
      if (holder === 'daemon' && ctx.flags.mode === 'auto')
        stop('unreachable', 'the process that runs this world does not listen', {
          hint: '"worldline doctor" says why; a world that was started a moment ago needs a second',
        });
      try {
        return await openedHere(ctx, store, identity, (world) => acts.world(world));
      } catch (error) {
        // Another short command has the world; its turn ends soon.
        const locked = error instanceof CommandError && error.failure.code === 'world.locked';
        if (!locked || holder !== 'batch' || performance.now() >= deadline || ctx.interrupted.aborted) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  });
}

async function openedHere<T>(
  ctx: Context,
  store: Store,
  identity: WorldIdentity,
  use: (world: World) => Promise<T>,
): Promise<T> {
  const { BatchAccess } = await import('./batch-access.ts');
  const batch = await BatchAccess.open(ctx, store, identity, { holdEffects: true });
  let result: T;
  try {
    result = await batch.act(use);
  } catch (error) {
    // The reason why the command failed matters more than what else closing may find.
    await batch.close().catch(() => {});
    throw error;
  }
  await batch.close();
  return result;
}
