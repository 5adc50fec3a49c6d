import { bytesEqual, fail, ok, type Result } from '@worldline/canon';
import type { Applied } from './batch.ts';
import { appliedOutcome, type BatchLog } from './batch-log.ts';
import type { BatchBody } from './body.ts';
import { cancelPlan, custom, PIN_TAG, readPins, startManually, switchConfig, switchManifest } from './control.ts';
import { checkStart, isRefusal } from './input.ts';
import { publish } from './publish.ts';
import { type AcceptedReceipt, deliverReceipt } from './receive.ts';
import type { JournalRecord, RecordKind } from './record.ts';
import type { WorldState } from './state.ts';
import { Runaway, type Stamp, type Turn } from './turn.ts';

/**
 * One recorded batch again: its stamp and its first record, which is input, drive; what follows is derived, and the
 * caller compares it (`journal.md` §7 R2). The same turns are taken as when the batch was made.
 */

/** Which ingress a batch that begins with this record consumed; records that begin none are not listed. */
const INGRESS_OF_ROOT: { readonly [kind in RecordKind]?: readonly string[] } = {
  domain_event: ['event'],
  effect_receipt: ['receipt', 'timer'],
  plan_start: ['plan_start'],
  plan_cancel: ['control'],
  custom: ['control'],
  governance: ['control'],
  manifest: ['genesis', 'control'],
  ingress_rejected: ['event', 'inbox', 'receipt', 'timer', 'plan_start', 'control'],
  snapshot: ['snapshot'],
};

/**
 * @param root - the first record; undefined for a batch without entries.
 * @returns what the batch's input leads to now, or `journal.corrupt` when it cannot be the batch of any ingress.
 */
export function replayInput(
  state: WorldState,
  log: BatchLog,
  body: BatchBody,
  root: JournalRecord | undefined,
): Result<Applied> {
  const { kind } = body.ingress;
  const { firstSeq } = body;
  if (root === undefined) {
    return kind === 'seal' || kind === 'skip'
      ? ok(log.empty(body.ingress, { kind: 'skipped' }))
      : corrupt(`batch at ${firstSeq} is empty, which none of ${kind} is`);
  }
  if (!(INGRESS_OF_ROOT[root.record_kind] ?? []).includes(kind))
    return corrupt(`batch at ${firstSeq}: ${root.record_kind} is no root of ${kind}`);
  if (root.record_kind === 'snapshot') {
    return ok(log.snapshot({ kind: 'snapshot', snapshotRef: root.snapshot_ref, promote: body.entries.length > 1 }));
  }
  const stamp = body.stamp;
  if (stamp === undefined) return corrupt(`batch at ${firstSeq} has no stamp`);
  if (!bytesEqual(stamp.manifestHash, state.catalog.manifestHash))
    return corrupt(`batch at ${firstSeq} is stamped with a manifest that is not active`);
  if (stamp.logicalNowNs < state.logicalNowNs) return corrupt(`batch at ${firstSeq}: logical time goes back`);
  if (root.record_kind === 'ingress_rejected') {
    if (root.ingress_kind !== kind) return corrupt(`batch at ${firstSeq} rejects ${root.ingress_kind} as ${kind}`);
    const turn = log.refusalTurn(stamp);
    turn.append(root);
    // A conflict leaves the first ingress of that id known.
    return ok(log.close(turn, body.ingress, appliedOutcome(turn), root.code !== 'ingress.conflict'));
  }
  if (root.record_kind === 'manifest' && firstSeq === 0) {
    return ok(log.genesis({ manifestHash: root.manifest_hash, configHash: root.config_hash }, stamp));
  }
  const run = rootTurn(state, firstSeq, root);
  return run.ok ? again(log, body, stamp, run.value) : run;
}

function again(log: BatchLog, body: BatchBody, stamp: Stamp, run: (turn: Turn) => void): Result<Applied> {
  const turn = log.newTurn(stamp);
  try {
    run(turn);
    log.drain(turn);
  } catch (error) {
    if (!(error instanceof Runaway)) throw error;
    return corrupt(`batch at ${body.firstSeq} is over the limits of this world`);
  }
  return ok(log.close(turn, body.ingress, appliedOutcome(turn), true));
}

/** What the root record did, when the state admits that it was done. */
function rootTurn(state: WorldState, firstSeq: number, root: JournalRecord): Result<(turn: Turn) => void> {
  switch (root.record_kind) {
    case 'domain_event': {
      const { schema, value: valueCbor, key, origin, ingress_id } = root;
      // Inbox messages need a route, and there are none before reducers.
      if (origin !== 'external') return corrupt(`event at ${firstSeq} has origin ${origin}`);
      if (!state.catalog.schemas.has(schema)) return corrupt(`event at ${firstSeq}: unknown ${schema}`);
      return ok((turn) => {
        publish(state, turn, { schema, valueCbor, key }, { origin, ingress_id });
      });
    }
    case 'effect_receipt': {
      const emission = state.emissions.get(root.emission_seq);
      if (emission === undefined || !bytesEqual(emission.intentHash, root.intent_hash))
        return corrupt(`receipt at ${firstSeq} settles no open emission`);
      return ok((turn) => deliverReceipt(state, turn, emission, root as AcceptedReceipt));
    }
    case 'plan_start': {
      const checked = checkStart(state.catalog, {
        kind: 'plan_start',
        plan: root.plan,
        input: root.input_cbor,
        correlation: root.correlation,
        bindLocals: root.bind_locals,
      });
      if (isRefusal(checked)) return corrupt(`plan_start at ${firstSeq}: ${checked.code}`);
      return ok((turn) => {
        startManually(state, turn, root.plan, checked, root.ingress_id);
      });
    }
    case 'plan_cancel':
      if (state.instance(root.plan_id) === undefined)
        return corrupt(`plan_cancel at ${firstSeq} names no live instance`);
      return ok((turn) => {
        const { plan_id: planId, reason, actor, ingress_id: ingressId } = root;
        cancelPlan(state, turn, { planId, reason, actor, ingressId });
      });
    case 'custom':
      if (root.tag === PIN_TAG && readPins(root.data) === undefined)
        return corrupt(`${PIN_TAG} at ${firstSeq} is not {add, remove}`);
      return ok((turn) => custom(state, turn, root.tag, root.data));
    case 'governance': {
      const { manifest_hash_new: manifestHash, manifest_base: manifestBase, patch_hash: patchHash, actor } = root;
      return ok((turn) => switchManifest(state, turn, { manifestHash, manifestBase, patchHash, actor }));
    }
    case 'manifest':
      return ok((turn) => switchConfig(state, turn, root.config_hash));
    default:
      return corrupt(`a batch cannot begin with ${root.record_kind}`);
  }
}

function corrupt(message: string): Result<never> {
  return fail({ code: 'journal.corrupt', path: [], message });
}
