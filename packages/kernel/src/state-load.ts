import { loadStored } from '@worldline/air';
import { bytesEqual, decode, fail, hashText, ok, type Result, sha256 } from '@worldline/canon';
import { readConfig } from './control.ts';
import { decodeEmission } from './emission.ts';
import { EmissionIndex } from './emission-index.ts';
import { IdIndex } from './id-index.ts';
import { IngressMemory } from './ingress-memory.ts';
import { RecentNode, type RecentPlanResult, Ring, type SettledReceipt } from './recent.ts';
import {
  type InstanceSlot,
  type ObjectSource,
  PLAN_RESULTS_RECENT,
  RECEIPTS_RECENT,
  readSlot,
  WorldState,
} from './state.ts';
import { WaitIndex, type WaitSchema } from './wait-index.ts';

interface RootNode {
  readonly version: number;
  readonly height: number;
  readonly manifest_hash: Uint8Array;
  readonly config_hash: Uint8Array;
  readonly logical_now_ns: number | bigint;
  readonly last_now_ns: number | bigint;
  readonly plans: { readonly next_plan_id: number; readonly next_wait_id: number; readonly root: Uint8Array };
  readonly waits: { readonly root: Uint8Array; readonly schemas: readonly WaitSchema[] };
  readonly emissions: { readonly root: Uint8Array; readonly by_intent: Uint8Array };
  readonly recent: Uint8Array;
  readonly ingress_recent: { readonly next: number; readonly chunks: readonly Uint8Array[] };
  readonly pinned_roots: readonly Uint8Array[];
}

/**
 * The state that a snapshot holds. Root node, manifest and config are read now, everything below when it is needed.
 *
 * @param at - chain value and inbox cursor there: facts of the journal, not of the snapshot.
 * @returns `snapshot.missing`, `snapshot.digest_mismatch`, `journal.corrupt`.
 */
export function loadState(
  objects: ObjectSource,
  base: { readonly ref: Uint8Array; readonly height: number },
  at: { readonly chain: Uint8Array; readonly cursor: Uint8Array },
): Result<WorldState> {
  const bytes = objects.get(base.ref);
  if (bytes === undefined)
    return fail({ code: 'snapshot.missing', path: [], message: `no object ${hashText(base.ref)}` });
  if (!bytesEqual(sha256(bytes), base.ref)) {
    return fail({
      code: 'snapshot.digest_mismatch',
      path: [],
      message: `object ${hashText(base.ref)} has other bytes`,
    });
  }
  const decoded = decode(bytes);
  const root = decoded.ok ? (decoded.value as unknown as RootNode) : undefined;
  if (root?.version !== 1 || root.height !== base.height)
    return corrupt(`snapshot ${hashText(base.ref)} is not of height ${base.height}`);
  const catalog = loadStored(root.manifest_hash, (hash) => objects.get(hash));
  if (!catalog.ok)
    return corrupt(`manifest ${hashText(root.manifest_hash)}: ${catalog.failure[0]?.code ?? 'does not load'}`);

  const state = new WorldState(
    objects,
    catalog.value,
    readConfig(objects, root.config_hash),
    root.config_hash,
    at.chain,
  );
  state.cursor = at.cursor;
  state.height = root.height;
  state.logicalNowNs = BigInt(root.logical_now_ns);
  state.lastNowNs = BigInt(root.last_now_ns);
  state.nextPlanId = root.plans.next_plan_id;
  state.nextWaitId = root.plans.next_wait_id;
  state.adopt({
    plans: IdIndex.load<InstanceSlot>(root.plans.root, state.lookup, readSlot, state.encodeSlot),
    emissions: new EmissionIndex(state.encodeEmissionLeaf, {
      bySeq: root.emissions.root,
      byIntent: root.emissions.by_intent,
      get: state.lookup,
      decodeLeaf: (hash) => decodeEmission(state.read(hash as Uint8Array)),
      height: root.height,
    }),
    waits: WaitIndex.load(root.waits.root, state.lookup, root.waits.schemas),
  });
  const recent = new RecentNode(() => state.read(root.recent));
  state.receiptsRecent = new Ring<SettledReceipt>(RECEIPTS_RECENT, recent.receipts);
  state.planResults = new Ring<RecentPlanResult>(PLAN_RESULTS_RECENT, recent.planResults);
  const { next, chunks } = root.ingress_recent;
  state.ingressMemory = new IngressMemory((hash) => state.read(hash), next, chunks);
  state.pinnedRoots = root.pinned_roots;
  return ok(state);
}

function corrupt(message: string): Result<never> {
  return fail({ code: 'journal.corrupt', path: [], message });
}
