import { isJsonObject, type Json } from '@worldline/air';
import { hashText, toHex } from '@worldline/canon';
import type { EffectReceipt } from '@worldline/kernel';
import type { CorrelationFilter, FlowEvent, FlowRun, Flows } from './flow-log.ts';
import { correlationToJson, type SummaryJson } from './json.ts';
import { Messages } from './messages.ts';
import type { Summary } from './summary.ts';

/** The correlation index of one journal, and the links between several (`summaries.md` §5). */

export interface CorrelatedRun {
  readonly plan_id: number;
  readonly plan: string;
  readonly parent_plan_id?: number | undefined;
  readonly started_seq: number;
  readonly ended_seq?: number | undefined;
  readonly status: 'live' | 'ok' | 'error';
  readonly error_code?: string | undefined;
}

export interface CorrelatedEvent {
  readonly seq: number;
  readonly schema: string;
  readonly event_hash: string;
  readonly role: 'trigger' | 'woke' | 'raised';
  /** The run that raised it; else the first one that it started or woke. */
  readonly plan_id: number;
  readonly message_id?: string | undefined;
}

export interface CorrelatedEffect {
  readonly seq: number;
  readonly plan_id: number;
  readonly step_id: string;
  readonly kind: string;
  readonly intent_hash: string;
  readonly receipt_seq?: number | undefined;
  readonly status?: EffectReceipt['status'] | undefined;
  readonly disposition?: EffectReceipt['disposition'] | undefined;
}

export interface Place {
  /** The label of the journal, when it has one. */
  readonly world?: string | undefined;
  readonly seq: number;
}

export interface Link {
  readonly link: 'message';
  readonly message_id: string;
  readonly from: Place;
  /** Absent: no given journal has the event, and the send is over. */
  readonly to?: Place | undefined;
}

export interface Correlation {
  /** The canonical bytes; shown decoded. */
  readonly correlation: Uint8Array;
  readonly runs: readonly CorrelatedRun[];
  readonly events: readonly CorrelatedEvent[];
  readonly effects: readonly CorrelatedEffect[];
  readonly links: readonly Link[];
}

/** One journal among those that are looked at together. */
export interface Lane extends Flows {
  readonly label?: string | undefined;
}

/**
 * Takes the one correlation that is shown as this JSON: canonical bytes say more than JSON does, and what a person gives is
 * what a person was shown.
 */
export function correlationIs(wanted: Json): CorrelationFilter {
  const text = sortedText(wanted);
  return (correlation) => sortedText(correlationToJson(correlation)) === text;
}

function sortedText(value: Json | SummaryJson): string {
  if (isJsonObject(value as Json)) {
    const members = Object.entries(value as { readonly [key: string]: Json }).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${sortedText(member)}`).join()}}`;
  }
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(sortedText).join()}]`;
  // Beyond 2^53 a summary has decimal texts.
  return JSON.stringify(typeof value === 'bigint' ? String(value) : value);
}

/** Runs by correlation, those that have one. */
export function byCorrelation(runs: readonly FlowRun[]): ReadonlyMap<string, readonly FlowRun[]> {
  const groups = new Map<string, FlowRun[]>();
  for (const run of runs) {
    if (run.correlation === undefined) continue;
    const key = toHex(run.correlation);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [run]);
    else group.push(run);
  }
  return groups;
}

/**
 * The entries of one of `lanes`, by first seq.
 *
 * @param wanted - only these; the lane may hold other runs to which a flow leads.
 */
export function correlationsOf(
  lane: Lane,
  lanes: readonly Lane[],
  wanted?: (correlation: Uint8Array) => boolean,
): readonly Correlation[] {
  const messages = new Messages(lanes);
  const entries = [...byCorrelation(lane.runs).values()]
    .filter(([run]) => wanted?.(run!.correlation!) !== false)
    .map((runs) => entryOf(runs, lane, messages));
  return entries.sort((a, b) => firstSeq(a) - firstSeq(b) || a.runs[0]!.started_seq - b.runs[0]!.started_seq);
}

function firstSeq({ runs, events, effects }: Correlation): number {
  return Math.min(runs[0]!.started_seq, events[0]?.seq ?? Infinity, effects[0]?.seq ?? Infinity);
}

function entryOf(group: readonly FlowRun[], lane: Lane, messages: Messages): Correlation {
  const runs = [...group].sort((a, b) => a.startedSeq! - b.startedSeq!);
  const effects = runs.flatMap((run) => run.effects.map((effect) => ({ run, effect })));
  effects.sort((a, b) => a.effect.seq - b.effect.seq);
  return {
    correlation: runs[0]!.correlation!,
    runs: runs.map((run) => ({
      plan_id: run.planId,
      plan: run.plan,
      parent_plan_id: run.parentPlanId,
      started_seq: run.startedSeq!,
      ended_seq: run.endedSeq,
      status: run.status,
      error_code: run.errorCode,
    })),
    events: eventsOf(runs),
    effects: effects.map(({ run, effect: { seq, stepId, kind, intentHash, receipt } }) => ({
      seq,
      plan_id: run.planId,
      step_id: stepId,
      kind,
      intent_hash: hashText(intentHash),
      receipt_seq: receipt?.seq,
      status: receipt?.status,
      disposition: receipt?.disposition,
    })),
    links: linksOf(runs, lane, messages),
  };
}

const ROLES = ['trigger', 'woke', 'raised'] as const;

/** One row per role of an event; roles are derived from causes and nothing else. */
function eventsOf(runs: readonly FlowRun[]): readonly CorrelatedEvent[] {
  const rows: Record<(typeof ROLES)[number], Map<FlowEvent, number>> = {
    trigger: new Map(),
    woke: new Map(),
    raised: new Map(),
  };
  const put = (role: keyof typeof rows, event: FlowEvent, planId: number) => {
    if (!rows[role].has(event)) rows[role].set(event, planId);
  };
  for (const run of runs) {
    if (run.trigger !== undefined) put('trigger', run.trigger, run.planId);
    for (const event of run.raised) put('raised', event, run.planId);
  }
  for (const run of runs) {
    for (const event of run.wokenBy) if (!rows.trigger.has(event)) put('woke', event, run.planId);
  }
  return ROLES.flatMap((role) =>
    [...rows[role]].map(([{ seq, schema, eventHash, messageId }, planId]) => ({
      seq,
      schema,
      event_hash: hashText(eventHash),
      role,
      plan_id: planId,
      message_id: messageId,
    })),
  ).sort((a, b) => a.seq - b.seq || ROLES.indexOf(a.role) - ROLES.indexOf(b.role));
}

/** Links from what the runs sent, and to what reached them; a message within one flow stands once. */
function linksOf(runs: readonly FlowRun[], lane: Lane, messages: Messages): readonly Link[] {
  const links = new Map<string, { readonly at: number; readonly link: Link }>();
  const put = (at: number, link: Link) => {
    const { message_id: id, from, to } = link;
    const key = JSON.stringify([id, from.world, from.seq, to?.world, to?.seq]);
    if (!links.has(key)) links.set(key, { at, link });
  };
  for (const run of runs) {
    for (const effect of run.effects) for (const link of messages.linksFrom(lane, effect)) put(effect.seq, link);
    for (const event of [...(run.trigger === undefined ? [] : [run.trigger]), ...run.wokenBy]) {
      for (const link of messages.linksTo(lane, event)) put(event.seq, link);
    }
  }
  return [...links.values()].sort((a, b) => a.at - b.at).map(({ link }) => link);
}

/** The same summaries, their links made between all of them. @param wanted - as for `correlationsOf`. */
export function linkJournals(
  summaries: readonly Summary[],
  wanted?: (correlation: Uint8Array) => boolean,
): readonly Summary[] {
  const lanes = summaries.map(({ flows }) => flows).filter((lane) => lane !== undefined);
  return summaries.map((summary) => {
    const { flows } = summary;
    return flows === undefined ? summary : { ...summary, correlations: correlationsOf(flows, lanes, wanted) };
  });
}
