import type { Catalog, PlanDef, Value } from '@worldline/air';
import type { Child, PlanWait } from './child.ts';
import { IndexSet } from './index-set.ts';
import type { PlanProgram } from './program.ts';
import type { EffectErrorData, EffectStatus } from './record.ts';
import type { UndoLog } from './undo.ts';
import type { Wait } from './wait-index.ts';

/** One run of a plan (`plans.md` §1, §14). */

export const PENDING = 0;
export const READY = 1;
export const WAITING = 2;
export const COMPLETED = 3;
export const SKIPPED = 4;
export type StepState = typeof PENDING | typeof READY | typeof WAITING | typeof COMPLETED | typeof SKIPPED;

export const STEP_STATE_NAMES = ['pending', 'ready', 'waiting', 'completed', 'skipped'] as const;

/** A receipt as it was delivered, kept to the end of the instance. */
export interface BufferedReceipt {
  readonly emissionSeq: number;
  readonly status: EffectStatus;
  readonly payloadCbor?: Uint8Array | undefined;
  readonly error?: EffectErrorData | undefined;
  readonly adapterId: string;
  readonly costCents?: bigint | undefined;
}

export interface EffectHandle {
  /** Seq of the instance's own `effect_intent`, also when it was coalesced. */
  readonly emissionSeq: number;
  readonly intentHash: Uint8Array;
}

/** A delivery that satisfied a waiting step and is not consumed yet. */
export interface Wake {
  readonly step: number;
  readonly value: Value;
  readonly cause: number;
}

/** Tables that follow from the step states; made when an instance is run. */
export interface Schedule {
  /** Unsettled predecessors of each step. */
  readonly remaining: number[];
  /** Pending steps whose predecessors are all settled, not decided yet. */
  readonly decidable: IndexSet;
  readonly ready: IndexSet;
  unsettled: number;
}

/** What an instance is pinned to, resolved (`kernel.md` §2.2). All instances of a plan under one manifest share it. */
export interface Definition {
  readonly catalog: Catalog;
  readonly plan: PlanDef;
  readonly program: PlanProgram;
}

export interface InstanceIdentity {
  readonly id: number;
  readonly name: string;
  readonly planHash: Uint8Array;
  readonly manifestHash: Uint8Array;
  readonly startedSeq: number;
  readonly correlation?: Uint8Array | undefined;
  readonly parent?: ParentLink | undefined;
}

/** The instance that started this one, and the step that did (`plans.md` §12.1). */
export interface ParentLink {
  readonly planId: number;
  readonly stepId: string;
}

export class Instance {
  readonly id: number;
  readonly name: string;
  readonly planHash: Uint8Array;
  readonly manifestHash: Uint8Array;
  readonly startedSeq: number;
  readonly correlation: Uint8Array | undefined;
  readonly parent: ParentLink | undefined;
  readonly input: Value;
  variables: ReadonlyMap<string, Value> = none();
  stepValues: ReadonlyMap<string, Value> = none();
  readonly states: StepState[];
  handles: ReadonlyMap<string, EffectHandle> = none();
  receipts: ReadonlyMap<number, BufferedReceipt> = none();
  /** Step position → emission it waits for. */
  receiptWaits: ReadonlyMap<number, number> = none();
  eventWaits: ReadonlyMap<number, Wait> = none();
  /** By plan id; kept to the end of the instance. */
  children: ReadonlyMap<number, Child> = none();
  /** By step position. */
  planWaits: ReadonlyMap<number, PlanWait> = none();
  wakes: readonly Wake[] = NO_WAKES;
  /** Cause of what the current run appends (`kernel.md` §8.2). */
  cause = 0;
  schedule: Schedule | undefined;
  /** See `WorldState.definitionOf`. */
  definition: Definition | undefined;
  /** Hash of the stored node while nothing has changed since. */
  nodeHash: Uint8Array | undefined;
  /** When it was used last, in uses of its world; see `WorldState.releaseIdle`. */
  usedAt = 0;

  constructor(identity: InstanceIdentity, input: Value, plan: PlanDef) {
    this.id = identity.id;
    this.name = identity.name;
    this.planHash = identity.planHash;
    this.manifestHash = identity.manifestHash;
    this.startedSeq = identity.startedSeq;
    this.correlation = identity.correlation;
    this.parent = identity.parent;
    this.input = input;
    this.states = new Array<StepState>(plan.steps.length).fill(PENDING);
  }

  /** Forgets what is derived from the state; undo forgets it again, whichever way the state moved. */
  touch(undo: UndoLog): void {
    undo.log(restoreNode, this, undefined, this.nodeHash);
    this.nodeHash = undefined;
  }

  setState(step: number, state: StepState, undo: UndoLog): void {
    undo.log(restoreState, this, step, this.states[step] as StepState);
    this.states[step] = state;
  }

  // What an instance comes to hold. Without a log: while it is being built.

  bind(name: string, value: Value, undo?: UndoLog): void {
    this.variables = own(this.variables);
    setEntry(this.variables, name, value, undo);
  }

  setStepValue(stepId: string, value: Value, undo?: UndoLog): void {
    this.stepValues = own(this.stepValues);
    setEntry(this.stepValues, stepId, value, undo);
  }

  setHandle(name: string, handle: EffectHandle, undo?: UndoLog): void {
    this.handles = own(this.handles);
    setEntry(this.handles, name, handle, undo);
  }

  addReceipt(receipt: BufferedReceipt, undo?: UndoLog): void {
    this.receipts = own(this.receipts);
    setEntry(this.receipts, receipt.emissionSeq, receipt, undo);
  }

  addReceiptWait(step: number, emissionSeq: number, undo?: UndoLog): void {
    this.receiptWaits = own(this.receiptWaits);
    setEntry(this.receiptWaits, step, emissionSeq, undo);
  }

  addEventWait(step: number, wait: Wait, undo?: UndoLog): void {
    this.eventWaits = own(this.eventWaits);
    setEntry(this.eventWaits, step, wait, undo);
  }

  setChild(child: Child, undo?: UndoLog): void {
    this.children = own(this.children);
    setEntry(this.children, child.planId, child, undo);
  }

  addPlanWait(step: number, wait: PlanWait, undo?: UndoLog): void {
    this.planWaits = own(this.planWaits);
    setEntry(this.planWaits, step, wait, undo);
  }

  /** A child has ended. @returns the steps that waited for this one and for no other any more. */
  closeChild(planId: number, undo: UndoLog): number[] {
    const over: number[] = [];
    for (const [step, { open }] of this.planWaits) {
      if (!open.delete(planId)) continue;
      undo.log(restoreOpen, open, planId, undefined);
      if (open.size === 0) over.push(step);
    }
    return over;
  }

  removePlanWait(step: number, undo: UndoLog): void {
    undo.deleteMap(own(this.planWaits), step);
  }

  removeReceiptWait(step: number, undo: UndoLog): void {
    undo.deleteMap(own(this.receiptWaits), step);
  }

  removeEventWait(step: number, undo: UndoLog): void {
    undo.deleteMap(own(this.eventWaits), step);
  }

  setWakes(wakes: readonly Wake[], undo: UndoLog): void {
    undo.log(restoreWakes, this, undefined, this.wakes);
    this.wakes = wakes;
  }

  /** Before a run: undoing it gives back the cause and drops what the run derived. */
  beginRun(undo: UndoLog): void {
    undo.log(restoreRun, this, undefined, this.cause);
  }
}

/** Stands for every map that nothing was put into. */
const NONE: ReadonlyMap<unknown, unknown> = new Map();

function none<K, V>(): ReadonlyMap<K, V> {
  return NONE as ReadonlyMap<K, V>;
}

/** The map itself, or a new one in place of `NONE`: most maps of most instances stay empty, and an empty map is not small. */
function own<K, V>(map: ReadonlyMap<K, V>): Map<K, V> {
  return (map as unknown) === NONE ? new Map<K, V>() : (map as Map<K, V>);
}

function setEntry<K, V>(map: ReadonlyMap<K, V>, key: K, value: V, undo: UndoLog | undefined): void {
  if (undo === undefined) (map as Map<K, V>).set(key, value);
  else undo.setMap(map as Map<K, V>, key, value);
}

function restoreOpen(open: Set<number>, planId: number): void {
  open.add(planId);
}

function restoreWakes(instance: Instance, _: undefined, before: readonly Wake[]): void {
  instance.wakes = before;
}
export const NO_WAKES: readonly Wake[] = [];

function restoreNode(instance: Instance, _: undefined, before: Uint8Array | undefined): void {
  instance.nodeHash = before;
  instance.schedule = undefined;
}

function restoreRun(instance: Instance, _: undefined, before: number): void {
  instance.cause = before;
  instance.schedule = undefined;
}

function restoreState(instance: Instance, step: number, before: StepState): void {
  instance.states[step] = before;
}

export function makeSchedule(program: PlanProgram, states: readonly StepState[]): Schedule {
  const isSettled = (i: number) => states[i] === COMPLETED || states[i] === SKIPPED;
  const remaining = program.predecessors.map((list) => {
    let count = 0;
    for (const i of list) if (!isSettled(i)) count++;
    return count;
  });
  const decidable = new IndexSet();
  const ready = new IndexSet();
  let unsettled = 0;
  states.forEach((state, i) => {
    if (!isSettled(i)) unsettled++;
    if (state === PENDING && remaining[i] === 0) decidable.add(i);
    if (state === READY) ready.add(i);
  });
  return { remaining, decidable, ready, unsettled };
}
