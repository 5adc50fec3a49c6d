import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAuthored } from '@worldline/air';
import { unwrap } from '@worldline/canon';
import { decodeStoredBatch, exportJournal, SegmentFile } from '@worldline/host';
import { decodeBatchBody, decodeRecord, type RecordedBatch, replayGenesis, restore } from '@worldline/kernel';
import { checkSummary, printSummary, type SummaryBatch, type SummaryOptions, summarize } from '@worldline/summary';
import { type KernelWorld, runSketchArb, runTypedWorld, typedWorldArb } from '@worldline/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bench, fakeAdapter, job, okOutcome, until } from '../../packages/host/test/bench-world.ts';
import { soundActions, soundJournal } from '../../packages/summary/test/sound-journal.ts';
import { FIXTURES, fixtureNodes } from '../packs/fixture.ts';
import { KernelStage } from '../packs/kernel-stage.ts';
import { Recount } from './recount.ts';

/**
 * The summary of every journal here is the one that a naive recount comes to member by
 * member, whole and cut anywhere; and it is the same from the live journal, from an export, and from worlds that are restored
 * from each baseline (S2, §9).
 *
 * `WORLDLINE_CHECK_RUNS` and `WORLDLINE_CHECK_SEED` say how many generated worlds, and which.
 */

const RUNS = Number(process.env['WORLDLINE_CHECK_RUNS'] ?? 60);
const SEED = Number(process.env['WORLDLINE_CHECK_SEED'] ?? Date.now() % 2 ** 31);

function batchesOf(recorded: readonly RecordedBatch[]): SummaryBatch[] {
  return recorded.map(({ body }) => {
    const { firstSeq, stamp, entries } = unwrap(decodeBatchBody(body));
    return {
      firstSeq,
      logicalNowNs: stamp?.logicalNowNs,
      records: entries.map((entry) => unwrap(decodeRecord(entry))),
    };
  });
}

const ALL: SummaryOptions = { instances: true, correlations: true };

function agree(batches: readonly SummaryBatch[], range: { readonly from?: number; readonly to?: number } = {}): void {
  const made = summarize(batches, { ...ALL, ...range });
  expect(checkSummary(made)).toEqual([]);
  // As text: the order of members is part of it (§6).
  expect(printSummary(made)).toBe(`${JSON.stringify(new Recount(batches, range).summary(), undefined, 2)}\n`);
}

/** Whole, and cut at both ends. */
function agreeCut(batches: readonly SummaryBatch[], cuts: readonly [number, number]): void {
  agree(batches);
  const height = batches.reduce((sum, { records }) => sum + records.length, 0);
  const [from, to] = cuts.map((cut) => cut % (height + 2)).sort((a, b) => a - b) as [number, number];
  agree(batches, { from, to });
  agree(batches, { from });
}

const cutsArb = fc.tuple(fc.nat(10_000), fc.nat(10_000));

describe('a naive recount agrees with the summary', () => {
  test('of sound journals with everything in them', () => {
    fc.assert(
      fc.property(soundActions, cutsArb, (steps, cuts) => agreeCut(soundJournal(steps).batches, cuts)),
      { numRuns: RUNS * 2, seed: SEED },
    );
  });

  test('of random well-typed worlds, subplans among them', () => {
    const seen = new Set<string>();
    let journals = 0;
    fc.assert(
      fc.property(typedWorldArb(), runSketchArb(), cutsArb, (world, sketch, cuts) => {
        const loaded = loadAuthored([{ path: 'air/world.air.json', text: world.text }]);
        if (!loaded.ok) return;
        const batches = batchesOf(runTypedWorld(world, loaded.value, sketch).world.batches);
        for (const { records } of batches) for (const record of records) seen.add(record.record_kind);
        journals++;
        agreeCut(batches, cuts);
      }),
      { numRuns: RUNS, seed: SEED },
    );
    // What did not happen was not counted by either.
    expect(journals).toBeGreaterThan(RUNS / 2);
    for (const kind of ['plan_started', 'plan_ended', 'effect_intent', 'effect_receipt', 'domain_event'])
      expect(seen).toContain(kind);
  });

  test.each(FIXTURES)('of the fixture examples/$example, cut at every batch', async (fixture) => {
    const stage = new KernelStage(fixtureNodes(fixture));
    for (const [, act] of fixture.script) await act(stage);
    const batches = batchesOf(stage.w.batches);
    agree(batches);
    for (const { firstSeq } of batches.filter((_, i) => i % 3 === 0)) {
      agree(batches, { from: firstSeq });
      agree(batches, { to: firstSeq });
    }
    sameAfterReplay(stage.w);
  });
});

/** Journal up to a baseline, and what a replay from there produces, have the summary of the journal (U15, §9). */
function sameAfterReplay(w: KernelWorld): void {
  const live = batchesOf(w.batches);
  const expected = printSummary(summarize(live, ALL));
  const objects = { get: (hash: Uint8Array) => w.object(hash) };
  const replayed: SummaryBatch[] = [];
  unwrap(replayGenesis({ objects, epoch: 9, verify: true, onBatch: (batch) => void replayed.push(batch) }, w.batches));
  expect(printSummary(summarize(replayed, ALL))).toBe(expected);
  const baselines = w.records('baseline');
  expect(baselines.length).toBeGreaterThan(0);
  for (const { snapshot_ref: ref, height } of baselines) {
    const tail: SummaryBatch[] = [];
    const options = { objects, epoch: 9, verify: true, onBatch: (batch: SummaryBatch) => void tail.push(batch) };
    unwrap(restore(options, { ref, height }, w.batches));
    const before = live.filter((batch) => batch.firstSeq + batch.records.length <= height);
    expect(printSummary(summarize([...before, ...tail], ALL))).toBe(expected);
  }
}

describe('one summary, wherever it is read', () => {
  test('of replayed and restored typed worlds', () => {
    fc.assert(
      fc.property(typedWorldArb(), runSketchArb(), (world, sketch) => {
        const loaded = loadAuthored([{ path: 'air/world.air.json', text: world.text }]);
        if (loaded.ok) sameAfterReplay(runTypedWorld(world, loaded.value, sketch).world);
      }),
      { numRuns: Math.ceil(RUNS / 4), seed: SEED },
    );
  });

  test('of a world on a store: live, exported, and after it was opened again from each baseline', async () => {
    const bench = await Bench.create();
    const adapter = fakeAdapter(async () => okOutcome());
    const folder = mkdtempSync(join(tmpdir(), 'wl-recount-'));
    try {
      for (const id of ['a', 'b', 'c']) {
        const world = await bench.open({ adapters: [adapter] });
        await world.startPlan({ plan: 't/call_plan@1', input: job(id) });
        await until(async () => (await world.status()).livePlans === 0);
        await world.snapshot();
        const live: SummaryBatch[] = [];
        unwrap(
          await world.readJournal(0, (batch) => {
            const { body, records } = unwrap(decodeStoredBatch(batch));
            live.push({ firstSeq: batch.firstSeq, logicalNowNs: body.stamp?.logicalNowNs, records });
          }),
        );
        await world.close({ graceMs: 0 });
        agree(live);
        const file = join(folder, `${id}.wlj`);
        const row = (await bench.store.world.get(world.worldId))!;
        unwrap(await exportJournal({ store: bench.store, row, file }));
        const segment = unwrap(await SegmentFile.open(file));
        const exported: SummaryBatch[] = [];
        unwrap(
          await segment.read(({ body: { firstSeq, stamp, entries } }) => {
            const records = entries.map((entry) => unwrap(decodeRecord(entry)));
            exported.push({ firstSeq, logicalNowNs: stamp?.logicalNowNs, records });
          }),
        );
        await segment.close();
        const to = live.at(-1)!.firstSeq + live.at(-1)!.records.length - 1;
        expect(printSummary(summarize(exported, { ...ALL, to }))).toBe(printSummary(summarize(live, ALL)));
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
