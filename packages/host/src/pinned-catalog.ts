import type { Catalog } from '@worldline/air';
import type { Emission, Kernel } from '@worldline/kernel';

/** Definitions that the emission's origin pins; those of the live manifest when every origin has ended. */
export function pinnedCatalog(kernel: Kernel, emission: Emission): Catalog {
  for (const origin of [emission.origin, ...emission.waiters.map((w) => w.origin)]) {
    const instance = origin.origin_kind === 'plan' ? kernel.instance(origin.plan_id) : undefined;
    if (instance !== undefined) return kernel.catalogFor(instance.manifestHash);
  }
  return kernel.catalog;
}
