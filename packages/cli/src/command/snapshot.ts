import { acting } from '../acting.ts';
import type { Context } from '../context.ts';
import { stopWith } from '../failure.ts';

/** `worldline snapshot create`: through the running world, or by opening it for a moment; the same answer either way. */
export async function createSnapshot(ctx: Context): Promise<void> {
  const { hash, height } = await acting(ctx, {
    async control(control) {
      const taken = await control.post('/api/snapshot', {});
      return { hash: String(taken['snapshot_hash']), height: Number(taken['height']) };
    },
    async world(world) {
      const taken = await world.snapshot();
      return taken.ok ? { hash: taken.value.ref, height: taken.value.height } : stopWith(taken.failure);
    },
  });
  ctx.out.answer([`${hash}  height ${height}`], { snapshot_hash: hash, height });
}
