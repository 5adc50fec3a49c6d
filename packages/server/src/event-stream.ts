import type { ServerResponse } from 'node:http';
import type { HostFailure } from '@worldline/host';
import type { Logger } from '@worldline/ports';
import { type JournalFeed, type StreamEvent, streamEvent } from './journal-feed.ts';
import type { Topic } from './stream-topics.ts';

/**
 * What one client is sent (`host.md` §9).
 *
 * S1  Events of durable batches only, in the order of the journal, each once: a client that comes back with the id of
 *     the last one gets what it would have got.
 * S2  A stream reads the journal at the pace of its client and keeps little: while the client catches up it waits for
 *     it; when the world goes on and a client that was at the head takes nothing, a limited queue, then `lagged`.
 * S3  Nobody waits for a stream: neither the world, nor whoever closes it.
 */

export interface StreamLimits {
  /** At once, over all transports. */
  readonly streams: number;
  /** That a client may be behind. */
  readonly events: number;
  readonly bytes: number;
  /** Between comment lines, ms. */
  readonly commentMs: number;
  /** How long a client may take for the end of its stream, ms. */
  readonly endMs: number;
  /** Entries that are read at a time, about. */
  readonly pageEntries: number;
}

export const STREAM_LIMITS: StreamLimits = {
  streams: 32,
  events: 1_000,
  bytes: 8 * 1024 * 1024,
  commentMs: 15_000,
  endMs: 5_000,
  pageEntries: 128,
};

export interface EventStreamOptions {
  readonly out: ServerResponse;
  readonly topics: ReadonlySet<Topic>;
  /** Seq of the first entry. */
  readonly from: number;
  readonly feed: JournalFeed;
  readonly limits: StreamLimits;
  /** Whether the client still may read: its token may have ended. */
  readonly isAllowed: () => boolean;
  readonly log: Logger;
  readonly onOver: () => void;
}

const RETRY_MS = 2_000;

export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #out: ServerResponse;
  /** First entry that was neither sent, nor queued, nor passed over. */
  #next: number;
  /** Has been at the head: from then on the client may fall behind. */
  #isLive = false;
  /** The journal has grown since it was last read from. */
  #hasMoved = false;
  #isClosing = false;
  #isOver = false;
  #queue: StreamEvent[] = [];
  #queuedBytes = 0;
  #wake: () => void = () => {};
  #comments: NodeJS.Timeout | undefined;
  #ending: NodeJS.Timeout | undefined;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#out = options.out;
    this.#next = options.from;
  }

  get wantsReports(): boolean {
    return this.#options.topics.has('host');
  }

  begin(): void {
    const { topics, limits } = this.#options;
    const out = this.#out;
    out.on('drain', () => this.#drained());
    out.on('error', () => {});
    out.on('close', () => {
      clearTimeout(this.#ending);
      this.#over();
    });
    out.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'close',
      // A proxy that collects what it passes on would hold events back.
      'x-accel-buffering': 'no',
    });
    const readsJournal = [...topics].some((topic) => topic !== 'host');
    // An id without data is no event: a client that is gone before the first one resumes here all the same.
    const id = readsJournal && this.#next > 0 ? `id: ${this.#next - 1}\n` : '';
    out.write(`retry: ${RETRY_MS}\n${id}\n`);
    this.#comments = setInterval(() => this.#comment(), limits.commentMs);
    void this.#run(readsJournal);
  }

  /** The journal is durable up to here. */
  moved(): void {
    this.#hasMoved = true;
    this.#wake();
  }

  /** Best effort: a client that is behind anyway does not get to hear what is nowhere written. */
  report(event: StreamEvent): void {
    if (this.#isOver || (this.#isBlocked && !this.#isLive)) return;
    this.#push(event);
  }

  /** Sends what is durable to a client that has kept up, then ends; any other resumes elsewhere. */
  close(): void {
    this.#isClosing = true;
    if (!this.#isLive || this.#isBlocked) this.#end();
    else this.#wake();
  }

  async #run(readsJournal: boolean): Promise<void> {
    try {
      for (;;) {
        const isLast = this.#isClosing;
        this.#hasMoved = false;
        if (readsJournal) await this.#readToHead();
        if (this.#isOver) return;
        this.#isLive = true;
        if (isLast) this.#end();
        else if (!this.#hasMoved && !this.#isClosing) await this.#change();
      }
    } catch (error) {
      this.#options.log.error('a stream failed', { error: String(error) });
      this.#end();
    }
  }

  async #readToHead(): Promise<void> {
    const { feed, topics } = this.#options;
    for (;;) {
      const page = await feed.page(this.#next);
      if (!page.ok) return this.#fail(page.failure);
      for (const entry of page.value.entries) {
        if (this.#isOver) return;
        // The batch that holds the first entry comes whole.
        if (entry.seq < this.#next) continue;
        const event = await feed.event(entry, topics);
        if (!event.ok) return this.#fail(event.failure);
        if (event.value !== undefined) await this.#send(event.value);
        this.#next = entry.seq + 1;
      }
      if (page.value.reachesHead || this.#isOver) return;
      // A long journal is read beside everything else that this process does.
      await nextTurn();
    }
  }

  /** A store that is being closed does not answer any more, and nobody has to hear of that. */
  #fail({ code, message }: HostFailure): void {
    if (!this.#isClosing && !this.#isOver) this.#options.log.error('a stream failed', { code, reason: message });
    this.#end();
  }

  /** Waits for the client as long as nothing new happens, and while it catches up in any case. */
  async #send(event: StreamEvent): Promise<void> {
    // In a burst it could not have taken anything: that it does is found out between turns.
    if (this.#isBlocked) await nextTurn();
    while (!this.#isOver && this.#isBlocked && !(this.#isLive && this.#hasMoved)) {
      if (this.#isClosing) this.#end();
      else await this.#change();
    }
    if (!this.#isOver) this.#push(event);
  }

  get #isBlocked(): boolean {
    return this.#queue.length > 0 || this.#out.writableNeedDrain;
  }

  #push(event: StreamEvent): void {
    if (!this.#isBlocked) {
      this.#out.write(event.text);
      return;
    }
    const { events, bytes } = this.#options.limits;
    this.#queue.push(event);
    this.#queuedBytes += Buffer.byteLength(event.text);
    if (this.#queue.length <= events && this.#queuedBytes <= bytes) return;
    const next = this.#queue.find(({ id }) => id !== undefined)?.id ?? this.#next;
    this.#out.write(streamEvent('lagged', `{"next_seq":${next}}`).text);
    this.#end();
  }

  #drained(): void {
    let sent = 0;
    while (sent < this.#queue.length && !this.#out.writableNeedDrain) {
      const event = this.#queue[sent++]!;
      this.#queuedBytes -= Buffer.byteLength(event.text);
      this.#out.write(event.text);
    }
    this.#queue.splice(0, sent);
    if (!this.#isBlocked) this.#wake();
  }

  #comment(): void {
    if (!this.#options.isAllowed()) this.#end();
    else if (!this.#isBlocked) this.#out.write(':\n\n');
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #end(): void {
    if (this.#isOver) return;
    this.#over();
    this.#out.end();
    // Who does not even take the end keeps no connection.
    this.#ending = setTimeout(() => this.#out.destroy(), this.#options.limits.endMs).unref();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#comments);
    this.#queue = [];
    this.#wake();
    this.#options.onOver();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
