import type { PlanDef, Value } from '@worldline/air';
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
  readonly decidable: Set<number>;
  readonly ready: Set<number>;
  unsettled: number;
}

export interface InstanceIdentity {
  readonly id: number;
  readonly name: string;
  readonly planHash: Uint8Array;
  readonly manifestHash: Uint8Array;
  readonly startedSeq: number;
  readonly correlation?: Uint8Array | undefined;
}

export class Instance {
  readonly id: number;
  readonly name: string;
  readonly planHash: Uint8Array;
  readonly manifestHash: Uint8Array;
  readonly startedSeq: number;
  readonly correlation: Uint8Array | undefined;
  readonly input: Value;
  readonly variables = new Map<string, Value>();
  readonly stepValues = new Map<string, Value>();
  readonly states: StepState[];
  readonly handles = new Map<string, EffectHandle>();
  readonly receipts = new Map<number, BufferedReceipt>();
  /** Step position → emission it waits for. */
  readonly receiptWaits = new Map<number, number>();
  readonly eventWaits = new Map<number, Wait>();
  wakes: readonly Wake[] = [];
  /** Cause of what the current run appends (`kernel.md` §8.2). */
  cause = 0;
  schedule: Schedule | undefined;
  /** Hash of the stored node while nothing has changed since. */
  nodeHash: Uint8Array | undefined;

  constructor(identity: InstanceIdentity, input: Value, plan: PlanDef) {
    this.id = identity.id;
    this.name = identity.name;
    this.planHash = identity.planHash;
    this.manifestHash = identity.manifestHash;
    this.startedSeq = identity.startedSeq;
    this.correlation = identity.correlation;
    this.input = input;
    this.states = new Array<StepState>(plan.steps.length).fill(PENDING);
  }

  /** Forgets what is derived from the state; undo forgets it again, whichever way the state moved. */
  touch(undo: UndoLog): void {
    const before = this.nodeHash;
    this.nodeHash = undefined;
    undo.push(() => {
      this.nodeHash = before;
      this.schedule = undefined;
    });
  }

  setState(step: number, state: StepState, undo: UndoLog): void {
    const before = this.states[step]!;
    this.states[step] = state;
    undo.push(() => {
      this.states[step] = before;
    });
  }
}

export function makeSchedule(program: PlanProgram, states: readonly StepState[]): Schedule {
  const settled = (i: number) => states[i] === COMPLETED || states[i] === SKIPPED;
  const remaining = program.predecessors.map((list) => list.reduce((n, i) => (settled(i) ? n : n + 1), 0));
  const decidable = new Set<number>();
  const ready = new Set<number>();
  let unsettled = 0;
  states.forEach((state, i) => {
    if (!settled(i)) unsettled++;
    if (state === PENDING && remaining[i] === 0) decidable.add(i);
    if (state === READY) ready.add(i);
  });
  return { remaining, decidable, ready, unsettled };
}

/** The smallest member, or undefined; sets here hold a handful of steps. */
export function smallest(set: ReadonlySet<number>, above = -1): number | undefined {
  let best: number | undefined;
  for (const n of set) if (n > above && (best === undefined || n < best)) best = n;
  return best;
}
