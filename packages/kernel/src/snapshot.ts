import { type CborValue, encode } from '@worldline/canon';
import { EMPTY_GOVERNANCE, recentNode } from './recent.ts';
import type { WorldState } from './state.ts';

/**
 * The root node of the state tree (`journal.md` §6.1). Canonical: the same state always gives the same bytes.
 *
 * @returns its hash, the state digest. Nodes that are not known to be stored are left in `state.unsaved`.
 */
export function snapshotRoot(state: WorldState): Uint8Array {
  const put = state.put;
  const emissions = state.emissions.roots(put);
  return put(
    encode({
      version: 1,
      height: state.height,
      manifest_hash: state.catalog.manifestHash,
      config_hash: state.configHash,
      logical_now_ns: state.logicalNowNs,
      last_now_ns: state.lastNowNs,
      reducers: [],
      plans: {
        next_plan_id: state.nextPlanId,
        next_wait_id: state.nextWaitId,
        live: state.plans.size,
        root: state.plans.root(put),
      },
      waits: { root: state.waits.root(put), schemas: state.waits.schemas() as unknown as CborValue },
      emissions: {
        pending: state.emissions.size,
        root: emissions.bySeq,
        by_intent: emissions.byIntent,
      },
      recent: put(recentNode(state.receiptsRecent.items, state.planResults.items)),
      ingress_recent: state.ingressMemory.toNode(put),
      governance: put(EMPTY_GOVERNANCE),
      pinned_roots: [...state.pinnedRoots],
    }),
  );
}
