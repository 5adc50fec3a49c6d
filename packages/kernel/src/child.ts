import { conform, type PlanDef, type Type, type TypeScope, text, type Value } from '@worldline/air';
import { concatBytes, sha256, toHex, u64be, utf8 } from '@worldline/canon';
import { KernelFault } from './fault.ts';
import type { Instance } from './instance.ts';
import type { WorldState } from './state.ts';
import type { Turn } from './turn.ts';

/**
 * Runs that a run started (`plans.md` §12): their handles, how they ended, and the parent that is told.
 *
 * A parent keeps the outcome of each child from the child's end to its own; an await that comes later finds it there.
 */
export interface Child {
  readonly planId: number;
  readonly plan: string;
  /** The step that started it. */
  readonly stepId: string;
  /** What its handle says of it; follows from its id. */
  readonly uuid: string;
  /** The result variant of §12.3, once it has ended. */
  readonly outcome?: Value | undefined;
}

const HANDLE_DOMAIN = utf8('air/plan-instance/1');

/** `sys/PlanHandle@1` of a child: made only here. */
export function planHandle({ plan, uuid }: Child): Value {
  return {
    kind: 'record',
    // Canonical key order: shorter first.
    fields: new Map<string, Value>([
      ['plan', text(plan)],
      ['instance', { kind: 'uuid', value: uuid }],
    ]),
  };
}

/** First 16 bytes of the hash, with version 8 and the variant bits of RFC 9562. */
export function handleUuid(planId: number): string {
  const bytes = sha256(concatBytes(HANDLE_DOMAIN, u64be(planId))).slice(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = toHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Which of its children each handle of an instance means. */
export class ChildHandles {
  readonly #byUuid: ReadonlyMap<string, number>;

  constructor(instance: Instance) {
    this.#byUuid = new Map([...instance.children.values()].map(({ uuid, planId }) => [uuid, planId]));
  }

  /** @returns undefined for a value that is no handle of a child of this instance. */
  planIdOf(handle: Value): number | undefined {
    const uuid = handle.kind === 'record' ? handle.fields.get('instance') : undefined;
    return uuid?.kind === 'uuid' ? this.#byUuid.get(uuid.value) : undefined;
  }
}

/** How an instance ended, as its parent sees it. */
export type ChildEnd =
  | { readonly status: 'ok'; readonly result: Value | undefined }
  | { readonly status: 'error'; readonly code: string; readonly message: string; readonly details: string | null };

/** Codes that mean: somebody ended it, it did not fail (§12.3). */
const CANCELED: ReadonlySet<string> = new Set(['cancelled', 'fork_dropped']);

function outcomeOf(plan: PlanDef, scope: TypeScope, end: ChildEnd): Value {
  const made = conform(variantOf(end), resultType(plan), scope, plan.output ?? plan.name);
  if (!made.ok) throw new KernelFault('state.impossible', `the outcome of ${plan.name} does not fit its own type`);
  return made.value;
}

/** `variant(Ok: <output, or unit>, Error: sys/PlanError@1, Canceled)`. */
function resultType(plan: PlanDef): Type {
  const ok: Type = plan.output === undefined ? { kind: 'unit' } : { kind: 'ref', name: plan.output };
  return {
    kind: 'variant',
    arms: new Map<string, Type>([
      ['Ok', ok],
      ['Error', { kind: 'ref', name: 'sys/PlanError@1' }],
      ['Canceled', { kind: 'unit' }],
    ]),
  };
}

function variantOf(end: ChildEnd): Value {
  const none: Value = { kind: 'null' };
  if (end.status === 'ok') return { kind: 'variant', tag: 'Ok', value: end.result ?? none };
  if (CANCELED.has(end.code)) return { kind: 'variant', tag: 'Canceled', value: none };
  const fields = new Map<string, Value>([
    ['code', text(end.code)],
    ['message', text(end.message)],
    ['details', end.details === null ? none : text(end.details)],
  ]);
  return { kind: 'variant', tag: 'Error', value: { kind: 'record', fields } };
}

/** A step that waits for children. */
export interface PlanWait {
  /** In handle order; a handle may stand there more than once. */
  readonly planIds: readonly number[];
  /** Those that have not ended: the end of one child asks for no other, however many there are. */
  readonly open: Set<number>;
}

/** Follows from what has become of the children. */
export function planWait(children: ReadonlyMap<number, Child>, planIds: readonly number[]): PlanWait {
  return { planIds, open: new Set(planIds.filter((planId) => children.get(planId)?.outcome === undefined)) };
}

/** What a wait yields: one outcome, or for a barrier the list of them in handle order. */
export function outcomesOf(instance: Instance, planIds: readonly number[], isBarrier: boolean): Value {
  const items = planIds.map((planId) => instance.children.get(planId)!.outcome!);
  return isBarrier ? { kind: 'list', items } : items[0]!;
}

/**
 * Tells a living parent how its child ended, and wakes the steps that have now everything they wait for.
 *
 * @param cause - seq of the child's `plan_ended` (`kernel.md` §8.2).
 */
export function deliverOutcome(state: WorldState, turn: Turn, child: Instance, end: ChildEnd, cause: number): void {
  if (child.parent === undefined) return;
  const parent = state.instance(child.parent.planId);
  if (parent === undefined) return;
  const known = parent.children.get(child.id);
  if (known === undefined)
    throw new KernelFault('state.impossible', `instance ${parent.id} does not know its child ${child.id}`);
  const { undo } = turn;
  state.touch(parent, undo);
  const { catalog, plan } = state.definitionOf(child);
  parent.setChild({ ...known, outcome: outcomeOf(plan, catalog.scope, end) }, undo);
  const over = parent.closeChild(child.id, undo);
  if (over.length === 0) return;
  const { steps } = state.definitionOf(parent).plan;
  const wakes = [...parent.wakes];
  for (const step of over.sort((a, b) => a - b)) {
    const { planIds } = parent.planWaits.get(step)!;
    parent.removePlanWait(step, undo);
    wakes.push({ step, value: outcomesOf(parent, planIds, steps[step]!.op === 'await_plans_all'), cause });
  }
  parent.setWakes(wakes, undo);
  turn.enqueue(parent.id);
}
