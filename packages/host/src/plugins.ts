import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ok } from '@worldline/canon';
import type { EffectAdapter } from '@worldline/ports';
import type { AdapterPlugin } from './config.ts';
import { type Answer, refuse } from './failure.ts';

/** What a plug-in exports: adapters, or what makes them. */
export type AdapterFactory = (
  options: unknown,
) => EffectAdapter | readonly EffectAdapter[] | Promise<EffectAdapter | readonly EffectAdapter[]>;

/**
 * Loads the adapters that host configuration lists (`host.md` §4). They run with the host's own privileges; nothing in
 * a world can name one.
 *
 * @param root - world folder, from which package names and relative paths are resolved.
 * @returns `host_error` with the path into the configuration.
 */
export async function loadPlugins(
  plugins: readonly AdapterPlugin[],
  root: string,
): Promise<Answer<readonly EffectAdapter[]>> {
  const adapters: EffectAdapter[] = [];
  for (const [i, plugin] of plugins.entries()) {
    const bad = (message: string) =>
      refuse('host_error', `adapter "${plugin.module}": ${message}`, { path: ['adapters', i] });
    try {
      const resolved = createRequire(join(root, 'worldline.host.json')).resolve(plugin.module);
      const loaded = (await import(pathToFileURL(resolved).href)) as Record<string, unknown>;
      const exported = loaded[plugin.export];
      if (exported === undefined) return bad(`it exports no "${plugin.export}"`);
      const made: unknown =
        typeof exported === 'function' ? await (exported as AdapterFactory)(plugin.options) : exported;
      const list = Array.isArray(made) ? (made as unknown[]) : [made];
      if (!list.every(isAdapter)) return bad('an adapter has id, kinds and classify');
      adapters.push(...list);
    } catch (error) {
      return bad(error instanceof Error ? error.message : String(error));
    }
  }
  return ok(adapters);
}

function isAdapter(value: unknown): value is EffectAdapter {
  const adapter = value as Partial<EffectAdapter> | null;
  return (
    typeof adapter === 'object' &&
    adapter !== null &&
    typeof adapter.id === 'string' &&
    Array.isArray(adapter.kinds) &&
    typeof adapter.classify === 'function'
  );
}
