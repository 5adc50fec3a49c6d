import {
  type Catalog,
  type Expr,
  encodeValue,
  evaluatePath,
  type Json,
  normalizeCbor,
  type Value,
} from '@worldline/air';
import { bytesEqual, hashText } from '@worldline/canon';
import type { DomainEvent, Instance, PlanEnded } from '@worldline/kernel';
import { byStep, type LiveState, liveRuns } from './live-wait.ts';
import { type Conjunct, holds, judgePredicate } from './predicate.ts';
import { untypedJson } from './record-json.ts';
import type { Trace, TraceBatch } from './trace.ts';

/**
 * A second look at the journal, for what a lineage does not show: events that a run waits for and that did not do, and
 * runs that an event would have been for (`host.md` §10.2).
 *
 * EW1  Memory is bounded: of all events only the nearest miss, the newest early one and a few numbers are kept.
 * EW2  Predicates are judged with what the run knows at head, which is what it knew when it began to wait, unless it
 *      assigned a variable again since.
 */

/** Records before the oldest run that are looked at too: an event may have come before whoever waits for it. */
const LOOK_BACK = 2_000;
/** Waits that are explained; of a fan-out of a thousand the first ones say it all. */
const WAITS_MAX = 20;
const REFUSED_KEPT = 5;
/** Kinds of ingress that become events. */
const ARRIVALS: ReadonlySet<string> = new Set(['event', 'inbox']);

export interface Sighting {
  readonly planId: number;
  readonly stepId: string;
  readonly schema: string;
  readonly where: Expr | undefined;
  /** Events since the run started that do not satisfy the predicate. */
  missed: number;
  /** The one of them that satisfies most of it; of equal ones the newest. */
  nearest?: { readonly seq: number; readonly conjuncts: readonly Conjunct[] } | undefined;
  /** An event that satisfies it, and came before the run waited. */
  early?: { readonly seq: number } | undefined;
  /** An event that came under another definition of the schema than the run pins. */
  changed?: { readonly seq: number } | undefined;
  /** Event ingresses that were refused since the run started, newest last. The journal does not tell their schema. */
  refused: { readonly seq: number; readonly code: string; readonly message: string }[];
}

interface Watched extends Sighting {
  readonly instance: Instance;
  readonly pinned: Catalog;
  /** Canonical values of events that this run has taken already, at other steps. */
  readonly taken: readonly Uint8Array[];
}

export interface MissedRun {
  readonly planId: number;
  readonly plan: string;
  readonly startedSeq: number;
  readonly endedSeq: number;
  readonly status: 'ok' | 'error';
  readonly errorCode?: string | undefined;
  readonly stepId: string;
  readonly correlation: Json;
}

export class EventWatch {
  readonly #trace: Trace;
  readonly #waits: readonly Watched[];
  /** Awaits of plans for the root event, when nothing followed from it: path into the event that has to be the key. */
  readonly #keys: readonly { readonly plan: string; readonly stepId: string; readonly key: Uint8Array }[];
  readonly #ended: MissedRun[] = [];
  readonly #catalogs = new Map<string, Catalog>();
  readonly #live: LiveState;
  readonly #manifests = new Map<string, boolean>();

  constructor(trace: Trace, live: LiveState) {
    this.#trace = trace;
    this.#live = live;
    this.#waits = watchedWaits(trace, live);
    this.#keys = trace.entries.length === 1 && trace.root.event !== undefined ? keysFor(trace.root.event, live) : [];
  }

  /** Where to begin to read; undefined when there is nothing to look for. */
  get fromSeq(): number | undefined {
    if (this.#waits.length === 0 && this.#keys.length === 0) return undefined;
    const oldest = Math.min(this.#trace.root.seq, ...this.#waits.map(({ instance }) => instance.startedSeq));
    return Math.max(0, oldest - LOOK_BACK);
  }

  /** Batches in order, from the one that holds `fromSeq` to the head. */
  add(batch: TraceBatch): void {
    for (const [i, record] of batch.records.entries()) {
      const seq = batch.firstSeq + i;
      if (record.record_kind === 'domain_event') {
        for (const wait of this.#waits)
          if (wait.schema === record.schema) this.#judge(wait, seq, record, batch.manifestHash);
      } else if (record.record_kind === 'ingress_rejected' && ARRIVALS.has(record.ingress_kind)) {
        for (const wait of this.#waits) {
          if (seq < wait.instance.startedSeq) continue;
          wait.refused.push({ seq, code: record.code, message: record.message });
          if (wait.refused.length > REFUSED_KEPT) wait.refused.shift();
        }
      } else if (record.record_kind === 'plan_ended' && seq < this.#trace.root.seq) this.#missed(seq, record);
    }
  }

  sighting(planId: number, stepId: string): Sighting | undefined {
    return this.#waits.find((wait) => wait.planId === planId && wait.stepId === stepId);
  }

  /** Runs that had ended when the root event came, and whose key it carries; newest last. */
  get missedRuns(): readonly MissedRun[] {
    return this.#ended;
  }

  #judge(wait: Watched, seq: number, event: DomainEvent, active: Uint8Array | undefined): void {
    const { instance, where } = wait;
    const isLater = seq >= instance.startedSeq;
    if (!this.#isPinned(wait, event.schema, active)) {
      if (isLater) wait.changed = { seq };
      return;
    }
    const value = readEvent(event, wait.pinned);
    if (value === undefined) return;
    const conjuncts = where === undefined ? [] : judgePredicate(where, this.#live.environmentOf(instance, value));
    if (holds(conjuncts)) {
      // What started the run, or satisfied a wait before this one, was never meant for it.
      const isForeign =
        seq !== startCause(this.#trace, instance.id) && !wait.taken.some((t) => bytesEqual(t, event.value));
      // Without a predicate any event before would do, so only those of this story count.
      const isNear = where !== undefined || seq > this.#trace.root.seq;
      if (isForeign && isNear) wait.early = { seq };
      return;
    }
    if (!isLater) return;
    wait.missed++;
    const score = (list: readonly Conjunct[]) => list.filter(({ verdict }) => verdict === 'true').length;
    if (wait.nearest === undefined || score(conjuncts) >= score(wait.nearest.conjuncts))
      wait.nearest = { seq, conjuncts };
  }

  /** Delivery is by pinned schema (`plans.md` §7.2). */
  #isPinned(wait: Watched, schema: string, active: Uint8Array | undefined): boolean {
    if (active === undefined || bytesEqual(active, wait.pinned.manifestHash)) return true;
    const key = `${hashText(active)} ${hashText(wait.pinned.manifestHash)} ${schema}`;
    let known = this.#manifests.get(key);
    if (known === undefined) {
      const now = this.#catalog(active)?.schemas.get(schema)?.hash;
      const then = wait.pinned.schemas.get(schema)?.hash;
      known = now === undefined || then === undefined || bytesEqual(now, then);
      this.#manifests.set(key, known);
    }
    return known;
  }

  #catalog(manifestHash: Uint8Array): Catalog | undefined {
    const key = hashText(manifestHash);
    let catalog = this.#catalogs.get(key);
    if (catalog === undefined) {
      try {
        catalog = this.#live.catalogFor(manifestHash);
        this.#catalogs.set(key, catalog);
      } catch {
        return undefined;
      }
    }
    return catalog;
  }

  #missed(seq: number, ended: PlanEnded): void {
    if (ended.correlation === undefined) return;
    const found = this.#keys.find(({ plan, key }) => plan === ended.plan_name && bytesEqual(key, ended.correlation!));
    if (found === undefined) return;
    this.#ended.push({
      planId: ended.plan_id,
      plan: ended.plan_name,
      startedSeq: ended.started_seq,
      endedSeq: seq,
      status: ended.status,
      errorCode: ended.error_code,
      stepId: found.stepId,
      correlation: untypedJson(ended.correlation),
    });
    if (this.#ended.length > REFUSED_KEPT) this.#ended.shift();
  }
}

function watchedWaits(trace: Trace, live: LiveState): readonly Watched[] {
  const found: Watched[] = [];
  for (const instance of liveRuns(
    trace.plans.map(({ planId }) => planId),
    live,
  )) {
    if (instance.eventWaits.size === 0) continue;
    const pinned = live.catalogFor(instance.manifestHash);
    const { steps } = pinned.plans.get(instance.name)!.def;
    for (const wait of byStep(instance.eventWaits)) {
      const step = steps.find(({ id }) => id === wait.stepId);
      if (step?.op !== 'await_event') continue;
      const taken = steps.flatMap((other) => {
        const value = other.op === 'await_event' && other.event === wait.schema && instance.stepValues.get(other.id);
        return value ? [encodeValue(value)] : [];
      });
      const { planId, stepId, schema } = wait;
      found.push({ planId, stepId, schema, where: step.where, missed: 0, refused: [], instance, pinned, taken });
      if (found.length === WAITS_MAX) return found;
    }
  }
  return found;
}

/** The event that a run was started by. */
function startCause(trace: Trace, planId: number): number | undefined {
  for (const { record } of trace.entries)
    if (record.record_kind === 'plan_started' && record.plan_id === planId) return record.cause;
  return undefined;
}

/** The event's value; undefined when it does not read as its schema says. */
export function readEvent(event: DomainEvent, catalog: Catalog): Value | undefined {
  if (!catalog.schemas.has(event.schema)) return undefined;
  const read = normalizeCbor(event.value, { kind: 'ref', name: event.schema }, catalog.scope, event.schema);
  return read.ok ? read.value.value : undefined;
}

/** Plans that await the event by the key of their run, with the key that this event carries. */
function keysFor(
  event: DomainEvent,
  live: LiveState,
): readonly { readonly plan: string; readonly stepId: string; readonly key: Uint8Array }[] {
  const value = readEvent(event, live.catalog);
  if (value === undefined) return [];
  return [...live.catalog.plans.values()].flatMap(({ def }) => {
    // A trigger that hands the whole event over makes the key a member of the input as well.
    const keys = live.catalog.triggers
      .filter(({ plan, inputExpr }) => plan === def.name && inputExpr === undefined)
      .flatMap(({ correlateBy }) => correlateBy ?? []);
    return def.steps.flatMap((step) => {
      if (step.op !== 'await_event' || step.event !== event.schema || step.where === undefined) return [];
      const path = keyPath(step.where, keys);
      const at = path === undefined ? undefined : evaluatePath(value, [...path]);
      return at?.ok === true ? [{ plan: def.name, stepId: step.id, key: encodeValue(at.value) }] : [];
    });
  });
}

/**
 * Where in the event the key has to be: the path of `eq(@event.<path>, @var:correlation_id)`.
 *
 * @param inputKeys - paths into the input of the run that hold the key too.
 */
function keyPath(where: Expr, inputKeys: readonly string[]): readonly string[] | undefined {
  if (where.form !== 'op') return undefined;
  if (where.op === 'and') {
    for (const arg of where.args) {
      const path = keyPath(arg, inputKeys);
      if (path !== undefined) return path;
    }
    return undefined;
  }
  if (where.op !== 'eq') return undefined;
  const [left, right] = where.args as readonly [Expr, Expr];
  for (const [a, b] of [[left, right] as const, [right, left] as const]) {
    if (a.form !== 'ref' || a.root !== 'event' || b.form !== 'ref') continue;
    if (b.root === 'var' && b.name === 'correlation_id' && b.path.length === 0) return a.path;
    if (b.root === 'input' && inputKeys.includes(b.path.join('.'))) return a.path;
  }
  return undefined;
}
