import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { EffectIntent, EffectReceipt, JournalRecord, PlanEnded, PlanStarted } from '@worldline/kernel';
import { beforeAll, describe, expect, it } from 'vitest';
import { SummaryFold } from '../src/fold.ts';
import { correlationIs } from '../src/index.ts';
import type { SummaryOptions } from '../src/summary.ts';
import { ended, intent, receipt, started } from './journal.ts';

/**
 * F2: memory grows with what is open, not with the journal; ended runs and answered intents leave eight bytes each. What is
 * measured are bytes after a collection, never time.
 */

const RUNS = 100_000;
/** Bytes of objects per run that are noise: compiled code, what the test runner does. A run that is kept is ten times that. */
const NOISE = 24;
/** Open at a time: a run ends when so many more have begun. */
const OPEN = 50;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of objects and of buffers once what nobody holds is gone; buffers go in a later turn than their objects. */
async function kept(): Promise<{ readonly heap: number; readonly buffers: number }> {
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { heap: heapUsed, buffers: arrayBuffers };
}

const start = started('p@1', 0, { correlation: 'r' });
const emit = intent('p@1', 0, 'http.request');
const answer = receipt(0);
const end = ended('p@1', 0);

/** Records as a reader makes them: every one anew, with bytes of its own. */
function batch(planId: number): readonly JournalRecord[] {
  const origin = { origin_kind: 'plan', name: 'p@1', plan_id: planId, step_id: 'emit' } as const;
  const began: PlanStarted = { ...start, plan_id: planId, correlation: start.correlation!.slice() };
  const sent: EffectIntent = {
    ...emit,
    origin,
    intent_hash: emit.intent_hash.slice(),
    params_cbor: new Uint8Array(256),
  };
  const before = planId - OPEN;
  if (before < 0) return [began, sent];
  const done: EffectReceipt = { ...answer, emission_seq: seqOf(before) + 1, payload_cbor: new Uint8Array(256) };
  const over: PlanEnded = { ...end, plan_id: before };
  return [began, sent, done, over];
}

function seqOf(planId: number): number {
  return planId < OPEN ? planId * 2 : OPEN * 2 + (planId - OPEN) * 4;
}

async function folded(options: SummaryOptions, runs = RUNS) {
  const fold = new SummaryFold(options);
  const before = await kept();
  const watched: WeakRef<JournalRecord>[] = [];
  for (let planId = 0; planId < runs; planId++) {
    const records = batch(planId);
    if (planId % 1000 === 0) for (const record of records) watched.push(new WeakRef(record));
    fold.add({ firstSeq: seqOf(planId), logicalNowNs: BigInt(planId), records });
  }
  const after = await kept();
  const alive = watched.filter((ref) => ref.deref() !== undefined).length;
  const made = fold.finish();
  expect(made.totals.runs).toMatchObject({ started: runs, ok: runs - OPEN, live: OPEN });
  return { heap: after.heap - before.heap, buffers: after.buffers - before.buffers, alive, made };
}

describe('memory of the fold', () => {
  // Code is compiled before anything is measured.
  beforeAll(() => folded({ instances: true, correlations: true }, 2_000));

  it('holds no record, and eight bytes per ended run and answered intent', async () => {
    const { heap, buffers, alive } = await folded({});
    expect(alive).toBe(0);
    expect(heap).toBeLessThan(RUNS * NOISE);
    // Two lists that double when they are full: at most twice what is in them.
    expect(buffers).toBeLessThan(RUNS * 2 * 8 * 2 + 1024 * 1024);
  });

  it('a correlation that nothing has costs nothing', async () => {
    const { heap, alive, made } = await folded({ correlations: correlationIs('nobody') });
    expect(alive).toBe(0);
    expect(heap).toBeLessThan(RUNS * NOISE);
    expect(made.correlations).toEqual([]);
  });

  it('this measure finds a fold that keeps something', async () => {
    const { heap } = await folded({ instances: true });
    expect(heap).toBeGreaterThan(RUNS * NOISE * 4);
  });
});
