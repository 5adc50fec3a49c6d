import { loadStored } from '@worldline/air';
import { bytesEqual, decode, fail, hashText, ok, type Result, sha256, toHex } from '@worldline/canon';
import type { RecordedBatch } from './batch-log.ts';
import { decodeBatchBody } from './body.ts';
import { nextChain, ZERO_CHAIN } from './chain.ts';
import { readConfig } from './control.ts';
import { decodeEmission, type Emission } from './emission.ts';
import { KernelFault } from './fault.ts';
import { HashIndex } from './hash-index.ts';
import { IdIndex } from './id-index.ts';
import { genesisState, Kernel, type KernelOptions } from './kernel.ts';
import { IngressMemory, type KnownIngress, type RecentPlanResult, Ring, type SettledReceipt } from './recent.ts';
import type { JournalRecord } from './record.ts';
import { decodeRecord } from './record-codec.ts';
import { type InstanceSlot, type ObjectSource, WorldState } from './state.ts';
import { WaitIndex, type WaitSchema } from './wait-index.ts';

/** Restore = baseline snapshot + tail; there is no other mode (`journal.md` §6.3, §7). */

export interface RestoreOptions extends KernelOptions {
  /** Also compute the digest at every snapshot in the tail and compare (R5). */
  readonly verify?: boolean | undefined;
  /** Called after each batch that was replayed and matched. */
  readonly onBatch?: ((batch: ReplayedBatch) => void) | undefined;
}

export interface ReplayedBatch {
  readonly firstSeq: number;
  readonly records: readonly JournalRecord[];
  readonly logicalNowNs: bigint | undefined;
}

/** The active baseline. */
export interface RestoreBase {
  readonly ref: Uint8Array;
  readonly height: number;
}

/**
 * @param batches - in order, from the batch before the baseline's own (that is, from seq `base.height − 1`): it gives
 *   the chain value that the tail continues. Batches between the two are skipped.
 * @returns `snapshot.missing`, `snapshot.digest_mismatch`, `journal.corrupt` or `replay.divergence`.
 */
export function restore(options: RestoreOptions, base: RestoreBase, batches: Iterable<RecordedBatch>): Result<Kernel> {
  return guarded(() => {
    let kernel: Kernel | undefined;
    let chain: Uint8Array | undefined;
    for (const batch of batches) {
      if (kernel === undefined) {
        const cursor = cursorOfSnapshot(batch, base);
        if (cursor === undefined) {
          chain = batch.chain;
          continue;
        }
        if (chain === undefined) return corrupt(`no batch before the baseline of height ${base.height}`);
        const state = stateOf(options.objects, base, chain, cursor);
        if (!state.ok) return state;
        kernel = Kernel.over(state.value, options);
      }
      const replayed = replayBatch(kernel, options, batch);
      if (!replayed.ok) return replayed;
    }
    return kernel === undefined ? corrupt(`no snapshot batch at ${base.height}`) : ok(kernel);
  });
}

/** Inbox cursor when `batch` is the one that journaled the baseline's snapshot. */
function cursorOfSnapshot(batch: RecordedBatch, base: RestoreBase): Uint8Array | undefined {
  const body = decodeBatchBody(batch.body);
  if (!body.ok || body.value.firstSeq !== base.height || body.value.entries.length === 0) return undefined;
  const record = decodeRecord(body.value.entries[0]!);
  if (!record.ok || record.value.record_kind !== 'snapshot') return undefined;
  return bytesEqual(record.value.snapshot_ref, base.ref) ? body.value.cursor : undefined;
}

/** Rebuilds the state from nothing but the journal. The first batch is the genesis. */
export function replayGenesis(options: RestoreOptions, batches: Iterable<RecordedBatch>): Result<Kernel> {
  return guarded(() => {
    let kernel: Kernel | undefined;
    for (const batch of batches) {
      if (kernel === undefined) {
        const root = genesisRecord(batch);
        if (!root.ok) return root;
        const state = genesisState(options.objects, {
          manifestHash: root.value.manifest_hash,
          configHash: root.value.config_hash,
        });
        if (!state.ok) return corrupt(`genesis manifest: ${state.failure[0]?.code ?? 'does not load'}`);
        kernel = Kernel.over(state.value, options);
      }
      const replayed = replayBatch(kernel, options, batch);
      if (!replayed.ok) return replayed;
    }
    return kernel === undefined ? corrupt('the journal is empty') : ok(kernel);
  });
}

/** A world fault met while reading is a refusal to open, not a crash of the caller. */
function guarded(run: () => Result<Kernel>): Result<Kernel> {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof KernelFault)) throw error;
    const code = error.code === 'object.missing' ? 'snapshot.incomplete' : 'journal.corrupt';
    return fail({
      code,
      path: [],
      message: error.message,
      hint: 'Restore the store from a copy; it lacks or damaged what the journal refers to.',
    });
  }
}

function genesisRecord(batch: RecordedBatch): Result<Extract<JournalRecord, { record_kind: 'manifest' }>> {
  if (!bytesEqual(nextChain(ZERO_CHAIN, batch.body), batch.chain)) return corrupt('chain broken at 0');
  const body = decodeBatchBody(batch.body);
  if (!body.ok) return body;
  const first = body.value.entries[0];
  const record = first === undefined ? undefined : decodeRecord(first);
  if (record === undefined || !record.ok || record.value.record_kind !== 'manifest' || body.value.firstSeq !== 0) {
    return corrupt('the journal does not begin with a genesis');
  }
  return ok(record.value);
}

function replayBatch(kernel: Kernel, options: RestoreOptions, batch: RecordedBatch): Result<void> {
  const decoded = decodeBatchBody(batch.body);
  if (!decoded.ok) return decoded;
  const body = decoded.value;
  if (body.firstSeq !== kernel.head.height)
    return corrupt(`batch begins at ${body.firstSeq}, ${kernel.head.height} expected`);
  // Before anything is fed: damage is damage, whatever it would have led to.
  if (!bytesEqual(nextChain(kernel.head.chain, batch.body), batch.chain))
    return corrupt(`chain broken at ${body.firstSeq}`);
  const records: JournalRecord[] = [];
  for (const entry of body.entries) {
    const record = decodeRecord(entry);
    if (!record.ok) return corrupt(`entry ${body.firstSeq + records.length}: ${record.failure.message}`);
    records.push(record.value);
  }
  const root = records[0];
  if (options.verify === true && root?.record_kind === 'snapshot') {
    const digest = kernel.snapshot().ref;
    if (!bytesEqual(digest, root.snapshot_ref)) return divergence(body.firstSeq, 'snapshot', root.snapshot_ref, digest);
  }
  const applied = kernel.replay(batch, body, records[0]);
  if (!applied.ok) return applied;
  const produced = applied.value.batch!;
  if (!bytesEqual(produced.body, batch.body)) return difference(body.firstSeq, body.entries, produced.body, batch.body);
  kernel.accept(1);
  options.onBatch?.({ firstSeq: body.firstSeq, records, logicalNowNs: body.stamp?.logicalNowNs });
  return ok(undefined);
}

/** Names the first record that differs. */
function difference(
  firstSeq: number,
  recorded: readonly Uint8Array[],
  producedBody: Uint8Array,
  recordedBody: Uint8Array,
): Result<never> {
  const produced = decodeBatchBody(producedBody);
  const entries = produced.ok ? produced.value.entries : [];
  for (let i = 0; i < Math.max(recorded.length, entries.length); i++) {
    const expected = recorded[i] ?? EMPTY;
    const actual = entries[i] ?? EMPTY;
    if (bytesEqual(expected, actual)) continue;
    const record = decodeRecord(recorded[i] ?? actual);
    return divergence(firstSeq + i, record.ok ? record.value.record_kind : 'record', sha256(expected), sha256(actual));
  }
  return divergence(firstSeq, 'batch', sha256(recordedBody), sha256(producedBody));
}

const EMPTY = new Uint8Array(0);

function divergence(seq: number, kind: string, expected: Uint8Array, actual: Uint8Array): Result<never> {
  return fail({
    code: 'replay.divergence',
    path: [seq],
    message: `seq ${seq} (${kind}): expected ${hashText(expected)}, got ${hashText(actual)}`,
    hint: 'The journal and this runtime disagree about what happened; keep the store and report it.',
  });
}

function corrupt(message: string): Result<never> {
  return fail({ code: 'journal.corrupt', path: [], message });
}

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

function stateOf(objects: ObjectSource, base: RestoreBase, chain: Uint8Array, cursor: Uint8Array): Result<WorldState> {
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

  const state = new WorldState(objects, catalog.value, readConfig(objects, root.config_hash), root.config_hash, chain);
  state.cursor = cursor;
  state.height = root.height;
  state.logicalNowNs = BigInt(root.logical_now_ns);
  state.lastNowNs = BigInt(root.last_now_ns);
  state.nextPlanId = root.plans.next_plan_id;
  state.nextWaitId = root.plans.next_wait_id;
  state.adopt({
    plans: IdIndex.load<InstanceSlot>(
      root.plans.root,
      state.lookup,
      (value) => ({ instance: undefined, hash: value as Uint8Array }),
      state.encodeSlot,
    ),
    emissions: IdIndex.load<Emission>(
      root.emissions.root,
      state.lookup,
      (value) => decodeEmission(state.read(value as Uint8Array)),
      state.encodeEmissionLeaf,
    ),
    byIntent: HashIndex.load<number>(
      root.emissions.by_intent,
      state.lookup,
      (value) => value as number,
      (seq) => seq,
    ),
    waits: WaitIndex.load(root.waits.root, state.lookup, root.waits.schemas),
  });
  const recent = decodeNode<{
    receipts: [Uint8Array, number][];
    plan_results: { plan_name: string; plan_id: number; output_schema: string; value_cbor: Uint8Array }[];
  }>(state.read(root.recent));
  state.receiptsRecent = new Ring<SettledReceipt>(
    512,
    recent.receipts.map(([intentHash, emissionSeq]) => ({ intentHash, emissionSeq })),
  );
  state.planResults = new Ring<RecentPlanResult>(
    256,
    recent.plan_results.map((r) => ({
      planName: r.plan_name,
      planId: r.plan_id,
      outputSchema: r.output_schema,
      valueCbor: r.value_cbor,
    })),
  );
  state.ingressMemory = IngressMemory.restore(
    root.ingress_recent.next,
    root.ingress_recent.chunks.map((hash) => ({
      hash,
      entries: decodeNode<[string, number, Uint8Array][]>(state.read(hash)).map(
        ([ingressId, firstSeq, digest]): KnownIngress => ({ ingressId, firstSeq, digest }),
      ),
    })),
  );
  state.pinnedRoots = root.pinned_roots;
  return ok(state);
}

function decodeNode<T>(bytes: Uint8Array): T {
  const decoded = decode(bytes);
  if (!decoded.ok) throw new KernelFault('object.corrupt', `snapshot node ${toHex(sha256(bytes))}`);
  return decoded.value as T;
}
