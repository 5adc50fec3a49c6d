import { concatBytes, fromUtf8, sha256, toHex, utf8 } from '@worldline/canon';
import type { Batch, Head, StoredObject } from '@worldline/ports';

/** What the crashing process writes: every batch follows from its place alone, and its body tells what belongs to it. */
export const CRASH_WORLD = 'crashing';

export interface CrashBody {
  readonly firstSeq: number;
  readonly emitted: readonly number[];
  readonly timers: readonly number[];
  readonly settled: readonly number[];
  /** Hex hashes; the second is of an object large enough for a file. */
  readonly objects: readonly string[];
}

export function crashBatch(before: Head): { readonly batch: Batch; readonly objects: readonly StoredObject[] } {
  const firstSeq = before.height;
  const entries = 1 + (firstSeq % 3);
  const bytes =
    firstSeq % 7 === 0
      ? [utf8(`small ${firstSeq}`), new Uint8Array(20_000).fill(firstSeq)]
      : [utf8(`small ${firstSeq}`)];
  const objects = bytes.map((object) => ({ hash: sha256(object), bytes: object }));
  const lives = firstSeq % 2 === 0;
  const said: CrashBody = {
    firstSeq,
    emitted: lives ? [firstSeq] : [],
    timers: firstSeq % 5 === 0 ? [firstSeq] : [],
    // Entries come in steps of 1 to 3: some of these exist, some were settled before, some never were.
    settled: firstSeq >= 10 ? [firstSeq - 10] : [],
    objects: objects.map((object) => toHex(object.hash)),
  };
  const body = utf8(JSON.stringify(said));
  const intentHash = sha256(body);
  const batch: Batch = {
    firstSeq,
    lastSeq: firstSeq + entries - 1,
    chain: sha256(concatBytes(before.chain, body)),
    body,
    emitted: said.emitted.map((emissionSeq) => ({ emissionSeq, intentHash, kind: 'k', request: body })),
    timers: said.timers.map((emissionSeq) => ({ emissionSeq, intentHash, dueWallNs: 0n })),
    settled: said.settled,
    released: [],
    internalPending: false,
    index: firstSeq % 4 === 0 ? { baseline: { height: firstSeq, ref: sha256(body) } } : undefined,
  };
  return { batch, objects };
}

export function readCrashBody(body: Uint8Array): CrashBody {
  return JSON.parse(fromUtf8(body) ?? '') as CrashBody;
}
