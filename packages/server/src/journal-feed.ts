import { ok } from '@worldline/canon';
import {
  type Answer,
  APPROVAL_KIND,
  approvalEnd,
  approvalJson,
  approvalView,
  decodeStoredBatch,
  type StampedRecord,
  type World,
} from '@worldline/host';
import type { EffectReceipt } from '@worldline/kernel';
import { recordJson } from '@worldline/summary';
import { bodyText } from './body.ts';
import { type Topic, topicOf } from './stream-topics.ts';

/** The durable journal as events (`host.md` §9), for any number of streams: what several of them send is made once. */

export interface FeedEntry extends StampedRecord {
  readonly seq: number;
}

export interface FeedPage {
  /** Of whole batches, from the one that holds the seq asked for. */
  readonly entries: readonly FeedEntry[];
  /** There was nothing behind them when they were read. */
  readonly reachesHead: boolean;
}

/** What a client is sent; `id` is the place in the journal, so that it can be resumed there. */
export interface StreamEvent {
  readonly id: number | undefined;
  readonly text: string;
}

export function streamEvent(name: string, data: string, id?: number): StreamEvent {
  return { id, text: `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n` };
}

/** Receipts follow their intents closely: of so many the kind is remembered, for any older one it is read again. */
const KINDS_MAX = 4_096;

export class JournalFeed {
  readonly #world: World;
  readonly #pageEntries: number;
  #newest: { readonly from: number; readonly page: Promise<Answer<FeedPage>> } | undefined;
  readonly #texts = new WeakMap<FeedEntry, string>();
  /** Effect kinds by the seq of their intent. */
  readonly #kinds = new Map<number, string>();

  constructor(world: World, pageEntries: number) {
    this.#world = world;
    this.#pageEntries = pageEntries;
  }

  /** What was read last is no longer all there is. */
  moved(): void {
    this.#newest = undefined;
  }

  page(from: number): Promise<Answer<FeedPage>> {
    if (this.#newest?.from === from) return this.#newest.page;
    const page = this.#read(from);
    this.#newest = { from, page };
    const forget = () => this.moved();
    page.then((answer) => (answer.ok ? undefined : forget()), forget);
    return page;
  }

  async #read(from: number): Promise<Answer<FeedPage>> {
    const page = await this.#world.journalPage(from, this.#pageEntries);
    if (!page.ok) return page;
    const entries: FeedEntry[] = [];
    for (const batch of page.value.batches) {
      const decoded = decodeStoredBatch(batch);
      if (!decoded.ok) return decoded;
      const { body, records } = decoded.value;
      records.forEach((record, i) => {
        const seq = batch.firstSeq + i;
        entries.push({ seq, record, stamp: body.stamp });
        if (record.record_kind === 'effect_intent') this.#remember(seq, record.kind);
      });
    }
    return ok({ entries, reachesHead: page.value.next === undefined });
  }

  #remember(seq: number, kind: string): void {
    this.#kinds.set(seq, kind);
    if (this.#kinds.size > KINDS_MAX) this.#kinds.delete(this.#kinds.keys().next().value!);
  }

  /** The one event that an entry is for whoever asked for these topics, under its most specific name; `journal` wins. */
  async event(entry: FeedEntry, topics: ReadonlySet<Topic>): Promise<Answer<StreamEvent | undefined>> {
    const { seq, record } = entry;
    const kind = record.record_kind;
    if (!topics.has('journal')) {
      if (topics.has('approvals')) {
        const approval = await this.#approval(entry);
        if (!approval.ok || approval.value !== undefined) return approval;
      }
      const topic = topicOf(kind);
      if (topic === undefined || !topics.has(topic)) return ok(undefined);
    }
    const text = await this.#recordText(entry);
    if (!text.ok) return text;
    if (!topics.has('journal')) return ok(streamEvent(kind, text.value, seq));
    return ok(streamEvent('journal', `{"seq":${seq},"kind":"${kind}","record":${text.value}}`, seq));
  }

  async #recordText(entry: FeedEntry): Promise<Answer<string>> {
    const made = this.#texts.get(entry);
    if (made !== undefined) return ok(made);
    const { record } = entry;
    const kind = record.record_kind === 'effect_receipt' ? await this.#kindOf(record) : ok(undefined);
    if (!kind.ok) return kind;
    const types = { catalog: this.#world.catalog, kindOf: () => kind.value };
    const text = bodyText(recordJson(entry, types));
    this.#texts.set(entry, text);
    return ok(text);
  }

  async #kindOf({ emission_seq: seq }: EffectReceipt): Promise<Answer<string | undefined>> {
    const known = this.#kinds.get(seq);
    if (known !== undefined) return ok(known);
    const read = await this.#world.journalRecord(seq);
    if (!read.ok) return read;
    // A journal that begins later does not have it.
    const intent = read.value?.record;
    if (intent?.record_kind !== 'effect_intent') return ok(undefined);
    this.#remember(seq, intent.kind);
    return ok(intent.kind);
  }

  /**
   * As an element of `/api/approvals` (`host.md` §5.6): asked for, or decided. A question that shares a pending one is no
   * new one, and one that ended without a decision was not decided.
   */
  async #approval({ seq, record, stamp }: FeedEntry): Promise<Answer<StreamEvent | undefined>> {
    const rules = this.#world.approvalRules;
    if (record.record_kind === 'effect_intent') {
      if (record.kind !== APPROVAL_KIND || record.coalesced_into !== undefined) return ok(undefined);
      const view = approvalView({ ...record, atNs: stamp?.nowNs ?? 0n }, seq, rules);
      return ok(streamEvent('approval_requested', bodyText(approvalJson(view)), seq));
    }
    if (record.record_kind !== 'effect_receipt' || record.status !== 'ok') return ok(undefined);
    const kind = await this.#kindOf(record);
    if (!kind.ok || kind.value !== APPROVAL_KIND) return kind.ok ? ok(undefined) : kind;
    const end = approvalEnd(record, stamp?.nowNs ?? 0n);
    const asked = await this.#world.journalRecord(record.emission_seq);
    if (!asked.ok) return asked;
    const intent = asked.value?.record;
    if (intent?.record_kind !== 'effect_intent') return ok(undefined);
    const atNs = asked.value?.stamp?.nowNs ?? 0n;
    const view = approvalView({ ...intent, atNs }, record.emission_seq, rules, end);
    return ok(streamEvent('approval_decided', bodyText(approvalJson(view)), seq));
  }
}
