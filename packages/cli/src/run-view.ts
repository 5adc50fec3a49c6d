import type { Json } from '@worldline/air';
import { hashText, toHex } from '@worldline/canon';
import { type Instance, type Kernel, type PlanEnded, type PlanStarted, STEP_STATE_NAMES } from '@worldline/kernel';
import { untypedJson } from '@worldline/summary';
import type { Data } from './output.ts';

/** Runs of plans as `/api/plans` shows them (`host.md` §8.3). */

export interface Wait {
  readonly step: string;
  readonly kind: 'receipt' | 'event' | 'plan';
  /** Intent hash, schema, or id of a child. */
  readonly ref: string;
  /** Effect kind of a receipt. */
  readonly effect?: string | undefined;
}

export interface RunView {
  readonly planId: number;
  readonly plan: string;
  readonly status: 'live' | 'ok' | 'error';
  readonly manifestHash: string | undefined;
  readonly startedSeq: number;
  readonly endedSeq?: number | undefined;
  readonly errorCode?: string | undefined;
  readonly step?: string | undefined;
  readonly message?: string | undefined;
  readonly correlation?: Json | undefined;
  readonly waits: readonly Wait[];
}

/** A live run from kernel state. */
export function liveRun(instance: Instance, kernel: Kernel): RunView {
  const steps = kernel.catalogFor(instance.manifestHash).plans.get(instance.name)?.def.steps ?? [];
  const idOf = (position: number) => steps[position]?.id ?? `step ${position}`;
  const intents = new Map([...instance.handles.values()].map((handle) => [handle.emissionSeq, handle.intentHash]));
  const receipts = [...instance.receiptWaits].map(([position, emissionSeq]): Wait => {
    const intent = intents.get(emissionSeq);
    const emission = intent === undefined ? undefined : kernel.emissionOfIntent(intent);
    return {
      step: idOf(position),
      kind: 'receipt',
      ref: intent === undefined ? `#${emissionSeq}` : hashText(intent),
      effect: emission?.kind,
    };
  });
  const events = [...instance.eventWaits.values()].map(
    (wait): Wait => ({ step: wait.stepId, kind: 'event', ref: wait.schema }),
  );
  const children = [...instance.planWaits].flatMap(([position, { planIds, open }]) =>
    planIds
      .filter((planId) => open.has(planId))
      .map((planId): Wait => ({ step: idOf(position), kind: 'plan', ref: String(planId) })),
  );
  return {
    planId: instance.id,
    plan: instance.name,
    status: 'live',
    manifestHash: hashText(instance.manifestHash),
    startedSeq: instance.startedSeq,
    correlation: instance.correlation === undefined ? undefined : untypedJson(instance.correlation),
    waits: [...receipts, ...events, ...children],
  };
}

/** The states of a live run's steps. */
export function stepStates(
  instance: Instance,
  kernel: Kernel,
): readonly { readonly id: string; readonly op: string; readonly state: string }[] {
  const steps = kernel.catalogFor(instance.manifestHash).plans.get(instance.name)?.def.steps ?? [];
  return steps.map((step, i) => ({ id: step.id, op: step.op, state: STEP_STATE_NAMES[instance.states[i]!] }));
}

/** A run that has ended, from its journal records. @param started - absent when it was not looked up. */
export function endedRun(ended: PlanEnded, endedSeq: number, started?: PlanStarted): RunView {
  return {
    planId: ended.plan_id,
    plan: ended.plan_name,
    status: ended.status,
    manifestHash: started === undefined ? undefined : hashText(started.manifest_hash),
    startedSeq: ended.started_seq,
    endedSeq,
    errorCode: ended.error_code,
    step: ended.step_id,
    message: ended.message,
    correlation: ended.correlation === undefined ? undefined : untypedJson(ended.correlation),
    waits: [],
  };
}

export function runJson(run: RunView): { readonly [key: string]: Data } {
  const json: { [key: string]: Data | undefined } = {
    plan_id: run.planId,
    plan: run.plan,
    status: run.status,
    manifest_hash: run.manifestHash,
    started_seq: run.startedSeq,
    ended_seq: run.endedSeq,
    error_code: run.errorCode,
    step: run.step,
    message: run.message,
    correlation: run.correlation,
    waits: run.waits.map((wait) => ({ ...wait })),
  };
  return Object.fromEntries(Object.entries(json).filter((entry): entry is [string, Data] => entry[1] !== undefined));
}

/** What a live run waits for, in a few words. */
export function waitText(wait: Wait): string {
  if (wait.kind === 'plan') return `plan ${wait.ref}`;
  return wait.kind === 'event' ? `event ${wait.ref}` : (wait.effect ?? 'receipt');
}

/** What a live run waits for, shortly: children by their number. */
export function waitsText(waits: readonly Wait[]): string {
  const children = waits.filter(({ kind }) => kind === 'plan');
  const others = waits.filter(({ kind }) => kind !== 'plan').map(waitText);
  const told = children.length > 1 ? [`${children.length} plans`] : children.map(waitText);
  return [...new Set([...others, ...told])].join(', ');
}

/** Waits of a whole world, counted as `run --batch` reports them (`host.md` §7.6). */
export interface WaitCounts {
  readonly timers: number;
  readonly approvals: number;
  readonly receipts: number;
  readonly events: number;
}

export function countWaits(kernel: Kernel): WaitCounts {
  let [timers, approvals, receipts] = [0, 0, 0];
  for (const emission of kernel.pending()) {
    if (emission.class === 'timer') timers++;
    else if (emission.kind === 'approval.request') approvals++;
    else receipts++;
  }
  return { timers, approvals, receipts, events: kernel.waitCount };
}

export function intentPrefix(intentHash: Uint8Array): string {
  return `sha256:${toHex(intentHash).slice(0, 12)}`;
}
