import { bytesEqual, hashText, ok, sha256 } from '@worldline/canon';
import { Restoration, snapshotNodes } from '@worldline/kernel';
import type { CasStore, SnapshotRow, Store } from '@worldline/ports';
import { type Answer, type HostFailure, refuse } from './failure.ts';
import { objectSource, StoreUnavailable } from './restore.ts';

/** Baselines that are kept as restore roots (`journal.md` §6.3, §9): the newest `keep`, and always the active one. */
export function retainedBaselines(snapshots: readonly SnapshotRow[], keep: number): readonly SnapshotRow[] {
  return snapshots.filter(({ baseline }) => baseline).slice(-Math.max(1, keep));
}

export interface SnapshotSize {
  /** Nodes that the snapshot consists of. */
  readonly nodes: number;
  /** Bytes of these nodes; most of them are shared with other snapshots. */
  readonly bytes: number;
  /** False: counting ended at the limit that was given. */
  readonly isWhole: boolean;
}

/**
 * Visits every node of a snapshot (`journal.md` §6.2, "root completeness; fail closed").
 *
 * @param nodesMax - ends the counting there.
 * @returns `snapshot.missing` when the root is not there, `snapshot.incomplete` when a node below it is not or has other
 *   bytes, `host_error` when the store does not answer.
 */
export function measureSnapshot(
  cas: CasStore,
  ref: Uint8Array,
  nodesMax = Number.POSITIVE_INFINITY,
): Answer<SnapshotSize> {
  const source = objectSource(cas);
  let [nodes, size] = [0, 0];
  try {
    const get = (hash: Uint8Array) => {
      const bytes = source.get(hash);
      return bytes !== undefined && bytesEqual(sha256(bytes), hash) ? bytes : undefined;
    };
    for (const { hash, bytes } of snapshotNodes(ref, get)) {
      if (bytes === undefined) {
        return bytesEqual(hash, ref)
          ? refuse('snapshot.missing', `no snapshot ${hashText(ref)}`)
          : refuse('snapshot.incomplete', `snapshot ${hashText(ref)} lacks node ${hashText(hash)}`);
      }
      if (nodes === nodesMax) return ok({ nodes, bytes: size, isWhole: false });
      nodes++;
      size += bytes.length;
    }
  } catch (error) {
    if (error instanceof StoreUnavailable) return refuse('host_error', error.message);
    throw error;
  }
  return ok({ nodes, bytes: size, isWhole: true });
}

const PAGE_ENTRIES = 256;
const PAUSE_EVERY = 64;

/**
 * Replays from one baseline to a later snapshot and compares its digest, in small pieces with the event loop between
 * them. Takes no lease and writes nothing.
 *
 * @param isOver - asked between pieces.
 * @returns whether it was verified: false when `isOver` ended it. Failures as of a restore; `replay.divergence` when the
 *   digest is another one.
 */
export async function verifyBaseline(
  store: Store,
  worldId: string,
  from: Pick<SnapshotRow, 'height' | 'ref'>,
  to: Pick<SnapshotRow, 'height' | 'ref'>,
  isOver: () => boolean,
): Promise<Answer<boolean>> {
  const restoration = new Restoration({ objects: objectSource(store.cas), epoch: 0, verify: true }, from);
  try {
    for (let next: number | undefined = Math.max(0, from.height - 1); next !== undefined; ) {
      const page = await store.journal.read(worldId, next, PAGE_ENTRIES);
      if (page.answer === 'unavailable') return refuse('host_error', `the store does not answer: ${page.message}`);
      if (page.answer === 'corrupt') return refuse('journal.corrupt', `the journal has a hole at ${page.where}`);
      for (const [i, batch] of page.batches.entries()) {
        if (isOver()) return ok(false);
        // With `verify` the digest at every snapshot batch is computed and compared.
        const fed = restoration.feed(batch);
        if (!fed.ok) return fed;
        if (batch.firstSeq === to.height && batch.lastSeq >= to.height) return ok(true);
        if (i % PAUSE_EVERY === PAUSE_EVERY - 1) await pause();
      }
      next = page.next;
      await pause();
    }
  } catch (error) {
    if (error instanceof StoreUnavailable) return refuse('host_error', error.message);
    throw error;
  }
  return refuse('snapshot.missing', `no snapshot batch at ${to.height}`);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export interface BaselineVerifierParts {
  readonly store: Store;
  readonly worldId: string;
  /** `snapshot.keep`: older ones are not verified any more. */
  readonly keep: number;
  /** Another digest was found: the world must not go on. */
  readonly onDivergence: (failure: HostFailure) => void;
  readonly onTrouble: (failure: HostFailure) => void;
}

/**
 * Verifies promoted baselines in the background (`snapshot.verify`, `journal.md` §6.3), oldest first, each from the one
 * before it. A baseline is used from its promotion on, verified or not.
 */
export class BaselineVerifier {
  readonly #parts: BaselineVerifierParts;
  #running: Promise<void> | undefined;
  #isWanted = false;
  #isStopped = false;

  constructor(parts: BaselineVerifierParts) {
    this.#parts = parts;
  }

  /** Something may be there to verify. */
  wake(): void {
    this.#isWanted = true;
    if (this.#running !== undefined || this.#isStopped) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when everything that is to be verified has been, or was given up. */
  async idle(): Promise<void> {
    await this.#running;
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #run(): Promise<void> {
    const { onTrouble, onDivergence } = this.#parts;
    while (this.#isWanted && !this.#isStopped) {
      this.#isWanted = false;
      const verified = await this.#verifyNext().catch((error: unknown) => refuse('host_error', String(error)));
      if (this.#isStopped) return;
      if (verified.ok) this.#isWanted ||= verified.value;
      else if (verified.failure.code === 'replay.divergence') {
        this.stop();
        onDivergence(verified.failure);
      } else onTrouble(verified.failure);
    }
  }

  /** @returns whether there was one. */
  async #verifyNext(): Promise<Answer<boolean>> {
    const { store, worldId, keep } = this.#parts;
    const baselines = (await store.world.snapshots(worldId)).filter(({ baseline }) => baseline);
    const oldest = baselines.length - Math.max(1, keep);
    const at = baselines.findIndex((row, i) => i > 0 && i >= oldest && row.verifiedAtNs === undefined);
    if (at < 0) return ok(false);
    const row = baselines[at]!;
    const verified = await verifyBaseline(store, worldId, baselines[at - 1]!, row, () => this.#isStopped);
    if (!verified.ok || !verified.value) return verified;
    const marked = await store.world.markVerified(worldId, row.height, row.ref);
    return marked.answer === 'ok' ? ok(true) : refuse('host_error', `the store did not note it: ${marked.answer}`);
  }
}
