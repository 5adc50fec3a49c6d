import { encodeValue } from '@worldline/air';
import { bytesEqual, compareBytes, decode, hashText } from '@worldline/canon';
import { decodeConfig, type WorldConfig } from './config.ts';
import { KernelFault } from './fault.ts';
import type { CheckedStart } from './input.ts';
import { endWithFailure } from './plan-end.ts';
import { startInstance } from './publish.ts';
import type { ObjectSource, WorldState } from './state.ts';
import type { Turn } from './turn.ts';
import { isHash32, isMap } from './wire.ts';

/** What people ask of a world, once it is checked: starts, cancellations, pins, another manifest or config. */

export function startManually(
  state: WorldState,
  turn: Turn,
  plan: string,
  checked: CheckedStart,
  ingressId: string | undefined,
): { readonly planId: number } {
  const locals = new Map([...checked.bindLocals].map(([name, { value }]) => [name, value]));
  const correlation = checked.correlation?.value;
  const seq = turn.append({
    record_kind: 'plan_start',
    plan,
    input_cbor: checked.input.bytes,
    correlation: correlation === undefined ? undefined : encodeValue(correlation),
    bind_locals:
      locals.size === 0
        ? undefined
        : Object.fromEntries([...checked.bindLocals].map(([name, { bytes }]) => [name, bytes])),
    plan_id: state.nextPlanId,
    ingress_id: ingressId,
  });
  const planId = startInstance(state, turn, {
    plan,
    cause: seq,
    input: checked.input.value,
    correlation,
    bindLocals: locals,
  });
  return { planId };
}

/** The instance is live. */
export function cancelPlan(
  state: WorldState,
  turn: Turn,
  cancel: {
    readonly planId: number;
    readonly reason: string;
    readonly actor: string;
    readonly ingressId?: string | undefined;
  },
): { readonly planId: number } {
  const instance = state.instance(cancel.planId)!;
  const seq = turn.append({
    record_kind: 'plan_cancel',
    plan_id: cancel.planId,
    reason: cancel.reason,
    actor: cancel.actor,
    ingress_id: cancel.ingressId,
  });
  turn.undo.assign(instance, 'cause', seq);
  endWithFailure(state, turn, instance, 'cancelled', {});
  return { planId: cancel.planId };
}

export const PIN_TAG = 'sys/pin';
const PIN_MEMBERS: ReadonlySet<string> = new Set(['add', 'remove']);

/** Appends a `custom` record and does what its tag says; unknown tags have no effect. */
export function custom(state: WorldState, turn: Turn, tag: string, data: Uint8Array): void {
  turn.append({ record_kind: 'custom', tag, data });
  if (tag !== PIN_TAG) return;
  const { add, remove } = readPins(data)!;
  const kept = state.pinnedRoots.filter((h) => ![...add, ...remove].some((other) => bytesEqual(h, other)));
  const added = add.filter((h, i) => add.findIndex((other) => bytesEqual(h, other)) === i);
  turn.undo.assign(state, 'pinnedRoots', [...kept, ...added].sort(compareBytes));
}

/** Undefined when the data is not `{add, remove}`. */
export function readPins(
  data: Uint8Array,
): { readonly add: readonly Uint8Array[]; readonly remove: readonly Uint8Array[] } | undefined {
  const decoded = decode(data);
  if (!decoded.ok || !isMap(decoded.value, PIN_MEMBERS)) return undefined;
  const { add, remove } = decoded.value;
  const areHashes = (list: typeof add): list is readonly Uint8Array[] => Array.isArray(list) && list.every(isHash32);
  return areHashes(add) && areHashes(remove) ? { add, remove } : undefined;
}

/** Effective for the next ingress; running instances keep their pin (`kernel.md` §2.2). */
export function switchManifest(
  state: WorldState,
  turn: Turn,
  change: {
    readonly manifestHash: Uint8Array;
    readonly manifestBase: Uint8Array;
    readonly patchHash: Uint8Array;
    readonly actor: string;
  },
): void {
  turn.append({
    record_kind: 'governance',
    event: 'direct_applied',
    patch_hash: change.patchHash,
    manifest_base: change.manifestBase,
    manifest_hash_new: change.manifestHash,
    actor: change.actor,
  });
  turn.append({ record_kind: 'manifest', manifest_hash: change.manifestHash, config_hash: state.configHash });
  turn.undo.assign(state, 'catalog', state.catalogFor(change.manifestHash));
}

export function switchConfig(state: WorldState, turn: Turn, configHash: Uint8Array): void {
  turn.append({ record_kind: 'manifest', manifest_hash: state.catalog.manifestHash, config_hash: configHash });
  turn.undo.assign(state, 'config', readConfig(state.objects, configHash));
  turn.undo.assign(state, 'configHash', configHash);
}

export function readConfig(objects: ObjectSource, configHash: Uint8Array): WorldConfig {
  const bytes = objects.get(configHash);
  if (bytes === undefined) throw new KernelFault('object.missing', `config ${hashText(configHash)}`);
  const config = decodeConfig(bytes);
  if (!config.ok) throw new KernelFault('object.corrupt', `config ${hashText(configHash)}: ${config.failure.message}`);
  return config.value;
}
