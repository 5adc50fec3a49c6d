import { type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, request } from 'node:http';
import type { JournalRecord } from '@worldline/kernel';

/** Readers of server-sent events, and what they should read. */

export interface Sent {
  readonly event: string;
  readonly id: number | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it, and a wrong guess fails them
  readonly data: any;
}

export interface Read {
  readonly events: readonly Sent[];
  /** As a client would send it when it comes back. */
  readonly lastEventId: number | undefined;
  readonly comments: number;
}

/** By the rules of `EventSource`: what is not ended by an empty line is not there. */
export function parseEvents(text: string): Read {
  const events: Sent[] = [];
  let lastEventId: number | undefined;
  let comments = 0;
  for (const block of text.split('\n\n').slice(0, -1)) {
    const fields: { [name: string]: string } = {};
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':');
      if (colon === 0) comments++;
      else fields[line.slice(0, colon)] = line.slice(colon + 2);
    }
    const { event = 'message', id, data } = fields;
    if (id !== undefined) lastEventId = Number(id);
    if (data !== undefined)
      events.push({ event, id: id === undefined ? undefined : Number(id), data: JSON.parse(data) });
  }
  return { events, lastEventId, comments };
}

/** The topics of `host.md` §9 as its table has them. */
const NAMES: { readonly [topic: string]: readonly string[] } = {
  events: ['domain_event'],
  effects: ['effect_intent', 'effect_receipt'],
  plans: ['plan_start', 'plan_cancel', 'plan_started', 'plan_ended', 'plan_result'],
  faults: ['reducer_fault', 'ingress_rejected'],
  governance: ['governance', 'manifest'],
};

export interface Named {
  readonly event: string;
  readonly id: number;
}

/** Names and places of what these topics are of a journal. */
export function expectedEvents(
  records: readonly { readonly seq: number; readonly record: JournalRecord }[],
  topics: readonly string[],
  from = 0,
): Named[] {
  const asked = new Set<number>();
  return records.flatMap(({ seq, record }) => {
    const kind = record.record_kind;
    let approval: string | undefined;
    if (kind === 'effect_intent' && record.kind === 'approval.request') {
      asked.add(seq);
      approval = 'approval_requested';
    } else if (kind === 'effect_receipt' && record.status === 'ok' && asked.has(record.emission_seq))
      approval = 'approval_decided';
    const isIn = topics.some((topic) => NAMES[topic]?.includes(kind));
    const event = topics.includes('journal')
      ? 'journal'
      : topics.includes('approvals') && approval !== undefined
        ? approval
        : isIn
          ? kind
          : undefined;
    return event === undefined || seq < from ? [] : [{ event, id: seq }];
  });
}

export const named = (events: readonly Sent[]) => events.map(({ event, id }) => ({ event, id }));

/** Over a real connection. */
export class StreamClient {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly #response: IncomingMessage;
  #text = '';
  #wake: () => void = () => {};
  /** Whether the end was said, or the connection just gone. */
  readonly ended: Promise<'said' | 'cut'>;

  private constructor(response: IncomingMessage) {
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    this.#response = response;
    response.setEncoding('utf8').on('data', (chunk: string) => {
      this.#text += chunk;
      this.#wake();
    });
    this.ended = new Promise((resolve) => {
      response.on('error', () => {});
      response.on('close', () => {
        resolve(response.complete ? 'said' : 'cut');
        this.#wake();
      });
    });
  }

  /** @param path - of a socket, or a URL. */
  static open(to: string, path: string, headers: Record<string, string> = {}): Promise<StreamClient> {
    const target: RequestOptions = to.startsWith('http')
      ? { host: new URL(to).hostname, port: new URL(to).port }
      : { socketPath: to };
    return new Promise((resolve, reject) => {
      const sent = request({ ...target, path, headers, agent: false }, (response) =>
        resolve(new StreamClient(response)),
      );
      sent.on('error', reject);
      sent.end();
    });
  }

  get text(): string {
    return this.#text;
  }

  get read(): Read {
    return parseEvents(this.#text);
  }

  /** Once what was read satisfies `isEnough`. @throws when the stream ends before. */
  async until(isEnough: (read: Read) => boolean): Promise<Read> {
    for (;;) {
      const { read } = this;
      if (isEnough(read)) return read;
      if (this.#response.destroyed) throw new Error(`the stream ended behind ${this.#text.slice(-500)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async events(count: number): Promise<readonly Sent[]> {
    return (await this.until(({ events }) => events.length >= count)).events;
  }

  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  leave(): void {
    this.#response.destroy();
  }
}
