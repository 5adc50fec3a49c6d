import type { Context } from './context.ts';

/** Which effect kinds the adapters of this host perform, as its configuration says. */
export async function adapterKinds(ctx: Context): Promise<readonly string[]> {
  const { makeAdapters } = await import('./adapters.ts');
  const { adapters } = await makeAdapters(ctx, await ctx.config(), async () => undefined);
  return adapters.flatMap((adapter) => adapter.kinds);
}

/** Kinds may be claimed with one trailing wildcard (`host.md` §4). */
export function performs(kinds: readonly string[], kind: string): boolean {
  return kinds.some((pattern) => (pattern.endsWith('*') ? kind.startsWith(pattern.slice(0, -1)) : pattern === kind));
}
