import { hashText, sha256, utf8 } from '@worldline/canon';
import type { Emission, RecordKind } from '@worldline/kernel';
import { Consumer, type Node } from './consumer.ts';
import type { Stage } from './fixture-world.ts';

/** What services say: the body of every answer. */
export const BODY = utf8('{"cents":4900}');

export type Counts = Readonly<Record<string, number>>;

/** Records that a stage must have to be as far as another. */
export const COUNTED = ['domain_event', 'plan_started', 'plan_ended', 'effect_intent', 'effect_receipt'] as const;

/** A fixture over the kernel alone, with a baseline after every ingress; it does what host and adapters would do. */
export class KernelStage implements Stage {
  readonly consumer: Consumer;
  /** Everything comes twice: events under one id, receipts as they are (F5). */
  readonly #twice: boolean;
  #events = 0;

  constructor(nodes: readonly Node[], options: { readonly twice?: boolean } = {}) {
    this.consumer = new Consumer(nodes, false);
    this.#twice = options.twice === true;
  }

  get w() {
    return this.consumer.w;
  }

  async send(event: string, value: object): Promise<void> {
    const ingressId = `event-${this.#events++}`;
    this.#again(() => this.consumer.step((w) => w.send(event, value, { ingressId })));
    this.#settle();
  }

  async answer(text: string, status: number): Promise<void> {
    const timings = { start_ns: 1, end_ns: 2 };
    this.#receipt(this.consumer.open('http.request', text), {
      payload: { status, headers: {}, body_ref: hashText(sha256(BODY)), timings, adapter_id: 'host.http' },
    });
  }

  async disconnect(text: string): Promise<void> {
    this.#fail(this.consumer.open('http.request', text), 'http.connect');
  }

  async decide(subject: string, decision: 'approved' | 'denied'): Promise<void> {
    const payload = { decision, approver: 'ann', rationale: null };
    this.#receipt(this.consumer.open('approval.request', subject), { payload });
  }

  async deliver(id: string): Promise<void> {
    const message = this.#message(id);
    const payload = {
      message_id: hashText(message.intentHash),
      dest_world: 'other',
      enqueued_seq: 1,
      duplicate: false,
    };
    this.#receipt(message, { payload });
  }

  async refuse(id: string): Promise<void> {
    this.#fail(this.#message(id), 'fabric.refused');
  }

  #message(id: string): Emission {
    const kind = this.w.pending().find((one) => one.kind.startsWith('fabric.send'))?.kind ?? 'fabric.send';
    return this.consumer.open(kind, id);
  }

  async pass(ns: number): Promise<void> {
    this.w.advance(BigInt(ns));
    this.#settle();
  }

  settled(event: string) {
    return this.consumer.settled(event);
  }

  counts(): Counts {
    return Object.fromEntries(COUNTED.map((kind: RecordKind) => [kind, this.w.records(kind).length]));
  }

  #again(act: () => void): void {
    act();
    if (this.#twice) act();
  }

  #receipt(emission: Emission, answer: Parameters<Consumer['w']['receipt']>[1]): void {
    this.#again(() => this.consumer.step((w) => w.receipt(emission, answer)));
    this.#settle();
  }

  #fail(emission: Emission, code: string): void {
    const error = { code, message: 'of the test', retryable: false, detail_ref: null };
    this.#receipt(emission, { status: 'error', error });
  }

  /** Timers that are due, questions that cannot be asked, and questions that nobody waits for any more. */
  #settle(): void {
    for (;;) {
      const timer = this.#dueTimer();
      if (timer !== undefined) {
        this.consumer.step((w) => w.fire(timer));
        continue;
      }
      const open = this.w.pending('approval.request');
      const long = open.find((one) => this.#text(one, 'subject').length > 512);
      const left = open.find(({ origin }) => origin.origin_kind === 'plan' && !this.#isLive(origin.plan_id));
      if (long !== undefined) this.#fail(long, 'approval.subject_too_long');
      else if (left !== undefined) this.#fail(left, 'approval.withdrawn');
      else return;
    }
  }

  #dueTimer(): Emission | undefined {
    const due = this.w
      .pending('timer.set')
      .map((timer) => ({ timer, at: BigInt(this.#text(timer, 'deliver_at_ns')) }))
      .filter(({ at }) => at <= this.w.logicalNs);
    return due.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))[0]?.timer;
  }

  #isLive(planId: number): boolean {
    return this.w.kernel.instance(planId) !== undefined;
  }

  #text({ kind, paramsCbor }: Emission, member: string): string {
    const schema = this.w.kernel.catalog.effects.get(kind)!.def.paramsSchema;
    return String((this.w.decode(schema, paramsCbor) as Readonly<Record<string, unknown>>)[member]);
  }
}
