import type { ServerResponse } from 'node:http';
import { ok } from '@worldline/canon';
import { type Answer, type HostFailure, type HostReport, refuse, type World } from '@worldline/host';
import type { Logger } from '@worldline/ports';
import { type Body, bodyText } from './body.ts';
import { EventStream, STREAM_LIMITS, type StreamLimits } from './event-stream.ts';
import { JournalFeed, type StreamEvent, streamEvent } from './journal-feed.ts';
import type { ApiRequest } from './request.ts';
import type { Endpoint } from './router.ts';
import { readTopics, type Topic } from './stream-topics.ts';

/** `GET /api/stream` (`host.md` §9): what happens in a world, as it becomes durable, as server-sent events. */
export function streamEndpoints(world: World, streams: Streams): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/api/stream',
      scope: 'read',
      query: ['topics', 'from'],
      async run({ query, lastEventId, isAllowed }) {
        const topics = readTopics(query.getAll('topics'));
        if (!topics.ok) return topics;
        const asked = readStart(query.get('from'), lastEventId);
        if (!asked.ok) return asked;
        const head = await world.read((kernel) => kernel.head.height);
        const { from = head, path = [] } = asked.value ?? {};
        // It would be told nothing until the journal has grown to there, and what it read before was another one.
        if (from > head)
          return refuse('invalid_request', `the journal has no record ${from - 1} to go on behind`, {
            path,
            hint: `The next record will be ${head}.`,
          });
        return ok({ stream: (response) => streams.begin(response, { topics: topics.value, from, isAllowed }) });
      },
    },
  ];
}

interface Start {
  /** Seq of the first record. */
  readonly from: number;
  /** Where the caller says so. */
  readonly path: readonly string[];
}

/** @returns nothing where the caller says nothing: at the head. */
function readStart(from: string | null, lastEventId: string | undefined): Answer<Start | undefined> {
  const text = from ?? lastEventId;
  if (text === undefined) return ok(undefined);
  const path = from === null ? ['last-event-id'] : ['query', 'from'];
  if (!/^[0-9]{1,15}$/.test(text))
    return refuse('invalid_request', `"${text.slice(0, 80)}" is not a sequence number`, { path });
  return ok({ from: from === null ? Number(text) + 1 : Number(text), path });
}

export interface StreamsOptions {
  readonly world: World;
  readonly log: Logger;
  readonly limits?: Partial<StreamLimits> | undefined;
}

/** The open streams of a world, whoever they came from. Without one, nothing is read and nobody is asked to tell. */
export class Streams {
  readonly #world: World;
  readonly #log: Logger;
  readonly #limits: StreamLimits;
  readonly #feed: JournalFeed;
  readonly #open = new Set<EventStream>();
  #silence: () => void = () => {};
  #isClosed = false;

  constructor({ world, log, limits }: StreamsOptions) {
    this.#world = world;
    this.#log = log;
    this.#limits = { ...STREAM_LIMITS, ...limits };
    this.#feed = new JournalFeed(world, this.#limits.pageEntries);
    void world.closed.then(() => this.close());
  }

  get size(): number {
    return this.#open.size;
  }

  /** @returns `stream.limit`, or `draining` behind `close`. */
  begin(
    out: ServerResponse,
    request: {
      readonly topics: ReadonlySet<Topic>;
      readonly from: number;
      readonly isAllowed: ApiRequest['isAllowed'];
    },
  ): HostFailure | undefined {
    const { streams } = this.#limits;
    if (this.#isClosed) return refuse('draining', 'the world is being closed').failure;
    if (this.#open.size >= streams)
      return refuse('stream.limit', `${streams} streams are open`, {
        hint: 'End one, or read several topics in one stream.',
      }).failure;
    const stream: EventStream = new EventStream({
      ...request,
      out,
      feed: this.#feed,
      limits: this.#limits,
      log: this.#log,
      onOver: () => this.#over(stream),
    });
    if (this.#open.size === 0) this.#listen();
    this.#open.add(stream);
    stream.begin();
    return undefined;
  }

  /** Ends every stream and waits for none. */
  close(): void {
    this.#isClosed = true;
    for (const stream of [...this.#open]) stream.close();
  }

  #listen(): void {
    const noMoreBatches = this.#world.onBatch(() => {
      this.#feed.moved();
      for (const stream of this.#open) stream.moved();
    });
    const noMoreReports = this.#world.onReport((report) => {
      let event: StreamEvent | undefined;
      for (const stream of [...this.#open]) {
        if (!stream.wantsReports) continue;
        event ??= reportEvent(report);
        stream.report(event);
      }
    });
    this.#silence = () => {
      noMoreBatches();
      noMoreReports();
    };
  }

  #over(stream: EventStream): void {
    this.#open.delete(stream);
    if (this.#open.size > 0) return;
    this.#silence();
    this.#feed.moved();
  }
}

/** Names as elsewhere in the API. */
function reportEvent(report: HostReport): StreamEvent {
  if (report.event === 'log') {
    const { event, ...line } = report;
    return streamEvent(event, bodyText(line as Body));
  }
  const { event, emissionSeq, ...rest } = report;
  return streamEvent(event, bodyText({ emission_seq: emissionSeq, ...rest }));
}
