import { toHex } from '@worldline/canon';
import { byCorrelation, type Lane } from './correlation.ts';
import type { FlowEffect, FlowEvent, FlowRun } from './flow-log.ts';
import { Messages } from './messages.ts';

/**
 * One correlation value over all given journals (`summaries.md` §5): its runs in each of them, and what they lead to by
 * messages, by children, and by events that start runs without a correlation of their own.
 *
 * W1 A run with another correlation belongs to the flow only when a message leads to it: equal ids, nothing looser.
 * W2 Rows of one journal stand in its order; between journals a message is sent before it arrives, and arrives before the
 *    receipt that says so. Otherwise what is fewer steps away stands first.
 */

export interface FlowRow {
  /** Index of its journal. */
  readonly lane: number;
  readonly seq: number;
  readonly batch: number;
  readonly what: 'event' | 'start' | 'intent' | 'receipt' | 'raised' | 'end';
  /** What it is about: a schema, a plan and its run, an effect kind. */
  readonly name: string;
  /** What that has to do with the flow: `trigger`, `child of #14`, `#15/send`, … */
  readonly note: string;
  /** The arrival of this row's message, or of its own message's departure. */
  readonly sentTo?: RowRef | undefined;
  readonly sentFrom?: RowRef | undefined;
  /** Its message arrived nowhere. */
  readonly isLost?: boolean | undefined;
}

export interface RowRef {
  readonly lane: number;
  readonly seq: number;
}

export interface FlowLane {
  readonly label?: string | undefined;
  readonly runs: number;
  readonly live: number;
  readonly error: number;
}

export interface Flow {
  readonly correlation: Uint8Array;
  /** `broken`: a run ended in error, or a message has no event; `settled`: all runs have ended. */
  readonly state: 'settled' | 'waiting' | 'broken';
  readonly lanes: readonly FlowLane[];
  readonly rows: readonly FlowRow[];
}

type Draft = { -readonly [K in keyof FlowRow]: FlowRow[K] } & { readonly effect?: FlowEffect };

/** The journals that are looked at together, prepared for looking up flows. */
export class FlowIndex {
  readonly #lanes: readonly Lane[];
  readonly #messages: Messages;
  /** By lane: runs that an event started or woke, runs of a correlation, runs of a parent. */
  readonly #reached: readonly ReadonlyMap<FlowEvent, readonly FlowRun[]>[];
  readonly #correlated: readonly ReadonlyMap<string, readonly FlowRun[]>[];
  readonly #children: readonly ReadonlyMap<number, readonly FlowRun[]>[];

  constructor(lanes: readonly Lane[]) {
    this.#lanes = lanes;
    this.#messages = new Messages(lanes);
    this.#correlated = lanes.map(({ runs }) => byCorrelation(runs));
    this.#reached = lanes.map(({ runs }) => {
      const map = new Map<FlowEvent, FlowRun[]>();
      for (const run of runs) {
        if (run.trigger !== undefined) put(map, run.trigger, run);
        for (const event of run.wokenBy) put(map, event, run);
      }
      return map;
    });
    this.#children = lanes.map(({ runs }) => {
      const map = new Map<number, FlowRun[]>();
      for (const run of runs) if (run.parentPlanId !== undefined) put(map, run.parentPlanId, run);
      return map;
    });
  }

  flowOf(correlation: Uint8Array): Flow {
    const key = toHex(correlation);
    const own = this.#correlated.map((runs) => runs.get(key) ?? []);
    const members = this.#follow(own);
    const drafts = members.flatMap((group, lane) => this.#rows(lane, group));
    this.#link(drafts);
    const lanes = members.map((group, lane) => ({
      label: this.#lanes[lane]?.label,
      runs: group.length,
      live: group.filter((run) => run.status === 'live').length,
      error: group.filter((run) => run.status === 'error').length,
    }));
    const isBroken = lanes.some(({ error }) => error > 0) || drafts.some((row) => row.isLost === true);
    const isOpen = drafts.some(({ effect }) => effect !== undefined && this.#isUnderWay(effect));
    return {
      correlation,
      state: isBroken ? 'broken' : isOpen || lanes.some(({ live }) => live > 0) ? 'waiting' : 'settled',
      lanes,
      rows: inOrder(drafts),
    };
  }

  /** Breadth first from the runs of the correlation, in each lane by their start. */
  #follow(own: readonly (readonly FlowRun[])[]): readonly (readonly FlowRun[])[] {
    const found = this.#lanes.map((_, lane) => new Set(own[lane]));
    const queue = own.flatMap((runs, lane) => runs.map((run) => ({ lane, run })));
    const reach = (lane: number, run: FlowRun) => {
      if (found[lane]!.has(run)) return;
      found[lane]!.add(run);
      queue.push({ lane, run });
    };
    for (let i = 0; i < queue.length; i++) {
      const { lane, run } = queue[i]!;
      for (const child of this.#children[lane]!.get(run.planId) ?? []) reach(lane, child);
      for (const event of run.raised) {
        for (const next of this.#reached[lane]!.get(event) ?? []) {
          if (next.trigger === event && next.correlation === undefined) reach(lane, next);
        }
      }
      for (const effect of run.effects) {
        for (const { lane: there, what } of this.#messages.arrivals(effect)) {
          const index = this.#lanes.indexOf(there);
          for (const next of this.#reached[index]!.get(what) ?? []) reach(index, next);
        }
      }
    }
    return found.map((runs) => [...runs].sort((a, b) => a.startedSeq! - b.startedSeq!));
  }

  #isUnderWay(effect: FlowEffect): boolean {
    const isSend = effect.kind === 'fabric.send' || effect.kind.startsWith('fabric.send.');
    return isSend && effect.receipt === undefined && this.#messages.arrivals(effect).length === 0;
  }

  #rows(lane: number, runs: readonly FlowRun[]): Draft[] {
    const rows = new Map<number, Draft>();
    const draft = (
      at: { seq: number; batch: number },
      what: Draft['what'],
      name: string,
      note = '',
      effect?: FlowEffect,
    ) => {
      const known = rows.get(at.seq);
      if (known === undefined)
        rows.set(at.seq, { lane, seq: at.seq, batch: at.batch, what, name, note, ...(effect && { effect }) });
      else known.note = [known.note, note].filter((text) => text !== '').join(' ');
    };
    const triggers = new Set(runs.map((run) => run.trigger));
    for (const run of runs) {
      const { planId, trigger, startedSeq, startedBatch } = run;
      const title = `${shortName(run.plan)} #${planId}`;
      if (trigger !== undefined && !rows.has(trigger.seq))
        draft(trigger, eventOf(trigger), shortName(trigger.schema), trigger.raisedBy === undefined ? 'trigger' : '');
      if (startedSeq !== undefined && startedBatch !== undefined)
        draft(
          { seq: startedSeq, batch: startedBatch },
          'start',
          title,
          run.parentPlanId === undefined ? '' : `child of #${run.parentPlanId}`,
        );
      for (const event of run.raised) draft(event, 'raised', shortName(event.schema));
      for (const effect of run.effects) {
        const step = `#${planId}/${effect.stepId}`;
        draft(
          effect,
          'intent',
          effect.kind,
          effect.timerKey === undefined ? step : `${step}  ${effect.timerKey}`,
          effect,
        );
        const { receipt } = effect;
        if (receipt !== undefined) draft(receipt, 'receipt', receiptName(effect), receipt.late ? 'late' : step, effect);
      }
      if (run.endedSeq !== undefined && run.endedBatch !== undefined)
        draft(
          { seq: run.endedSeq, batch: run.endedBatch },
          'end',
          `${title} ${run.status}${run.errorCode === undefined ? '' : ` ${run.errorCode}`}`,
        );
    }
    for (const run of runs) {
      for (const event of run.wokenBy) {
        if (!triggers.has(event)) draft(event, eventOf(event), shortName(event.schema), `woke #${run.planId}`);
      }
    }
    return [...rows.values()];
  }

  /** Joins what was sent and what arrived, where both have rows. */
  #link(drafts: readonly Draft[]): void {
    const at = new Map(drafts.map((row) => [`${row.lane}/${row.seq}`, row]));
    for (const row of drafts) {
      if (row.what !== 'intent' || row.effect === undefined) continue;
      row.isLost = this.#messages.isLost(row.effect);
      for (const { lane, what } of this.#messages.arrivals(row.effect)) {
        const target = at.get(`${this.#lanes.indexOf(lane)}/${what.seq}`);
        if (target === undefined || target.sentFrom !== undefined) continue;
        target.sentFrom = { lane: row.lane, seq: row.seq };
        row.sentTo ??= { lane: target.lane, seq: target.seq };
      }
    }
  }
}

function eventOf(event: FlowEvent): 'event' | 'raised' {
  return event.raisedBy === undefined ? 'event' : 'raised';
}

/** `pack.reqresp/core_ask@1` is `core_ask`: a flow is of few plans, and lines are short. */
function shortName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1).replace(/@[0-9]+$/, '');
}

/** `fabric.send.request` is answered by the fabric. */
function receiptName({ kind, receipt }: FlowEffect): string {
  const family = kind.split('.')[0];
  return `${family} ${receipt?.status}${receipt?.errorCode === undefined ? '' : ` ${receipt.errorCode}`}`;
}

/** W2. Whole batches are placed: what one ingress did stands together. */
function inOrder(drafts: readonly Draft[]): readonly FlowRow[] {
  interface Group {
    readonly lane: number;
    readonly batch: number;
    readonly rows: Draft[];
    depth: number;
  }
  const groups = new Map<string, Group>();
  const keyOf = (lane: number, batch: number) => `${lane}/${batch}`;
  for (const row of drafts) {
    const key = keyOf(row.lane, row.batch);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { lane: row.lane, batch: row.batch, rows: [row], depth: 0 });
    else group.rows.push(row);
  }
  const rowAt = new Map(drafts.map((row) => [keyOf(row.lane, row.seq), row]));
  const groupOf = (ref: RowRef | undefined): Group | undefined => {
    const row = ref && rowAt.get(keyOf(ref.lane, ref.seq));
    return row && groups.get(keyOf(row.lane, row.batch));
  };
  const needs = (group: Group): readonly (Group | undefined)[] =>
    group.rows.flatMap((row) => {
      if (row.what !== 'receipt' || row.effect?.receipt?.status !== 'ok') return [groupOf(row.sentFrom)];
      return [groupOf(rowAt.get(keyOf(row.lane, row.effect.seq))?.sentTo)];
    });
  const lanes = new Map<number, Group[]>();
  for (const group of groups.values()) put(lanes, group.lane, group);
  // The lane in which the flow begins stands first among equals; without times, that is the caller's order.
  const queues = [...lanes].sort(([a], [b]) => a - b).map(([, queue]) => queue.sort((a, b) => a.batch - b.batch));
  const placed = new Set<Group>();
  const rows: FlowRow[] = [];
  while (queues.some((queue) => queue.length > 0)) {
    let chosen: Group | undefined;
    for (const [head] of queues) {
      if (head === undefined) continue;
      const before = needs(head).filter((group): group is Group => group !== undefined && group !== head);
      if (!before.every((group) => placed.has(group))) continue;
      head.depth = Math.max(head.depth, ...before.map((group) => group.depth + 1));
      if (chosen === undefined || head.depth < chosen.depth) chosen = head;
    }
    // Only forged journals wait for each other in a circle.
    chosen ??= queues.find((queue) => queue.length > 0)![0]!;
    const queue = queues.find(([head]) => head === chosen)!;
    queue.shift();
    placed.add(chosen);
    if (queue[0] !== undefined) queue[0].depth = Math.max(queue[0].depth, chosen.depth + 1);
    for (const { effect: _, ...row } of chosen.rows.sort((a, b) => a.seq - b.seq)) rows.push(row);
  }
  return rows;
}

function put<K, T>(map: Map<K, T[]>, key: K, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
