import { unwrap } from '@worldline/canon';
import { decodeBatchBody, decodeRecord } from '@worldline/kernel';
import type { KernelWorld } from '@worldline/testkit';
import { expect } from 'vitest';
import { type Diagnosis, diagnose } from '../src/diagnose.ts';
import { EventWatch } from '../src/event-watch.ts';
import type { HostFacts, ReasonCode } from '../src/reason.ts';
import { type Trace, type TraceBatch, TraceFold } from '../src/trace.ts';

/** Traces and diagnoses of worlds in memory, made the way the command makes them: from the journal and the state. */

export function batchesOf(w: KernelWorld): readonly TraceBatch[] {
  return w.batches.map(({ body }) => {
    const batch = unwrap(decodeBatchBody(body));
    return {
      firstSeq: batch.firstSeq,
      logicalNowNs: batch.stamp?.logicalNowNs,
      manifestHash: batch.stamp?.manifestHash,
      records: batch.entries.map((bytes) => unwrap(decodeRecord(bytes))),
    };
  });
}

export interface Looking {
  /** Seq of the root; default: the first event from outside. */
  readonly root?: number | undefined;
  readonly limit?: number | undefined;
  readonly host?: HostFacts | undefined;
}

/** Trace of an event, by default of the first one from outside. */
export function tracedIn(w: KernelWorld, { root, limit }: Looking = {}): Trace {
  const fold = new TraceFold(
    root ?? w.records('domain_event').find((record) => record.origin === 'external')!.seq,
    limit,
  );
  for (const batch of batchesOf(w)) fold.add(batch);
  return fold.finish(w.kernel);
}

export function explained(w: KernelWorld, looking: Looking = {}): Diagnosis {
  const trace = tracedIn(w, looking);
  const watch = new EventWatch(trace, w.kernel);
  if (watch.fromSeq !== undefined)
    for (const batch of batchesOf(w)) if (batch.firstSeq + batch.records.length > watch.fromSeq) watch.add(batch);
  return diagnose(trace, w.kernel, { watch, host: looking.host, object: (hash) => w.object(hash) });
}

export interface Expected {
  readonly state: Diagnosis['terminalState'];
  readonly cause: Diagnosis['cause'];
  readonly reason: ReasonCode;
  /** Kinds of the records that the reason's evidence points at, in its order. */
  readonly evidence: readonly string[];
  /** What the text has to name. */
  readonly text: readonly (string | RegExp)[];
  readonly hint: readonly string[];
  readonly facts?: object;
  /** `plan/step` from the outermost run to the one where it happened. */
  readonly runs?: readonly string[];
}

/** The diagnosis is the expected one, its evidence is in the journal, and a replayed kernel gives the same one. */
export function expectCause(w: KernelWorld, expected: Expected, looking: Looking = {}): Diagnosis {
  const found = explained(w, looking);
  const records = new Map(w.allRecords().map(({ seq, record }) => [seq, record]));
  const { reason } = found;
  expect({
    state: found.terminalState,
    cause: found.cause,
    reason: reason.code,
    evidence: reason.evidence.map((seq) => records.get(seq)?.record_kind),
  }).toEqual({
    state: expected.state,
    cause: expected.cause,
    reason: expected.reason,
    evidence: expected.evidence,
  });
  for (const part of expected.text)
    expect(reason.text).toMatch(part instanceof RegExp ? part : new RegExp(escaped(part)));
  for (const part of expected.hint) expect(found.hint).toContain(part);
  if (expected.facts !== undefined) expect(reason.facts).toMatchObject(expected.facts);
  if (expected.runs !== undefined)
    expect(reason.runs.map(({ plan, step }) => `${plan}/${step ?? ''}`)).toEqual(expected.runs);
  // Seqs of the diagnosis itself are evidence too.
  for (const seq of found.evidence) expect(records.has(seq)).toBe(true);
  w.reopen();
  expect(explained(w, looking)).toEqual(found);
  return found;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
