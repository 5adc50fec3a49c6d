import { ok } from '@worldline/canon';
import type { EffectAdapter } from '@worldline/ports';
import { type Answer, refuse } from './failure.ts';
import { isReservedAdapter, kindMatches } from './verifier.ts';

/** Adapter id of receipts that the dispatcher makes itself. */
export const DISPATCHER_ID = 'host.dispatch';

/** Which adapter performs which effect kind (`host.md` §4). */
export class AdapterRegistry {
  readonly adapters: readonly EffectAdapter[];
  readonly #exact = new Map<string, EffectAdapter>();
  /** Prefixes of wildcards, longest first. */
  readonly #wildcards: { readonly prefix: string; readonly adapter: EffectAdapter }[] = [];
  readonly #found = new Map<string, EffectAdapter | undefined>();

  private constructor(adapters: readonly EffectAdapter[]) {
    this.adapters = adapters;
  }

  /** @returns `adapter.conflict` when two adapters claim one pattern or an id is reserved or malformed. */
  static of(adapters: readonly EffectAdapter[]): Answer<AdapterRegistry> {
    const registry = new AdapterRegistry(adapters);
    const claimed = new Map<string, EffectAdapter>();
    for (const adapter of adapters) {
      // `timer.set` may stand in the list of adapters; timers themselves are fired by the lease holder.
      const standsForTimers = adapter.id === 'timer.set' && adapter.kinds.every((kind) => kind.startsWith('timer.'));
      if (
        adapter.id === '' ||
        (isReservedAdapter(adapter.id) && !standsForTimers) ||
        adapter.id.startsWith('manual.') ||
        adapter.id === DISPATCHER_ID
      ) {
        return refuse('adapter.conflict', `adapter id "${adapter.id}" is reserved`, {
          hint: 'Choose another id for this adapter.',
        });
      }
      for (const pattern of adapter.kinds) {
        const other = claimed.get(pattern);
        if (other !== undefined) {
          return refuse('adapter.conflict', `adapters ${other.id} and ${adapter.id} both claim "${pattern}"`, {
            hint: 'Remove one of them from the configuration.',
          });
        }
        if (
          pattern.slice(0, -1).includes('*') ||
          pattern === '' ||
          (pattern.endsWith('*') && pattern !== '*' && !pattern.endsWith('.*'))
        ) {
          return refuse(
            'adapter.conflict',
            `adapter ${adapter.id}: "${pattern}" is no effect kind, and no kind with one trailing ".*"`,
          );
        }
        claimed.set(pattern, adapter);
        if (pattern.endsWith('*')) registry.#wildcards.push({ prefix: pattern.slice(0, -1), adapter });
        else registry.#exact.set(pattern, adapter);
      }
    }
    registry.#wildcards.sort((a, b) => b.prefix.length - a.prefix.length);
    return ok(registry);
  }

  /** Exact kind first, then the longest wildcard. */
  find(kind: string): EffectAdapter | undefined {
    if (this.#found.has(kind)) return this.#found.get(kind);
    const adapter = this.#exact.get(kind) ?? this.#wildcards.find((w) => kind.startsWith(w.prefix))?.adapter;
    this.#found.set(kind, adapter);
    return adapter;
  }

  isRegistered(adapterId: string, kind: string): boolean {
    return this.adapters.some((a) => a.id === adapterId && a.kinds.some((pattern) => kindMatches(pattern, kind)));
  }
}
