import type { Lane, Link } from './correlation.ts';
import { type FlowEffect, type FlowEvent, sentMessageId } from './flow-log.ts';

interface At<T> {
  readonly lane: Lane;
  readonly what: T;
}

/**
 * Messages between the journals that are looked at together: an intent here, an event there, of one id. Nothing else makes
 * a link (`summaries.md` §5).
 */
export class Messages {
  readonly #lanes: number;
  readonly #events = new Map<string, At<FlowEvent>[]>();
  readonly #sends = new Map<string, At<FlowEffect>[]>();

  constructor(lanes: readonly Lane[]) {
    this.#lanes = lanes.length;
    for (const lane of lanes) {
      for (const event of lane.messages) put(this.#events, event.messageId!, { lane, what: event });
      for (const run of lane.runs) {
        for (const effect of run.effects) {
          if (isSend(effect)) put(this.#sends, sentMessageId(effect), { lane, what: effect });
        }
      }
    }
  }

  /** Where a message arrived. */
  arrivals(effect: FlowEffect): readonly At<FlowEvent>[] {
    return isSend(effect) ? (this.#events.get(sentMessageId(effect)) ?? []) : [];
  }

  /** Where a message came from. */
  departures({ messageId }: FlowEvent): readonly At<FlowEffect>[] {
    return messageId === undefined ? [] : (this.#sends.get(messageId) ?? []);
  }

  /**
   * The send is over, and no given journal has its event. Of one journal alone only a send that failed is known not to have
   * arrived.
   */
  isLost(effect: FlowEffect): boolean {
    const { receipt } = effect;
    if (receipt === undefined || !isSend(effect) || this.arrivals(effect).length > 0) return false;
    return this.#lanes > 1 || receipt.status !== 'ok';
  }

  linksFrom(lane: Lane, effect: FlowEffect): readonly Link[] {
    const from = { world: lane.label, seq: effect.seq };
    const links = this.arrivals(effect).map(({ lane: there, what }) => link(effect, from, there, what));
    return this.isLost(effect) ? [{ link: 'message', message_id: `sha256:${sentMessageId(effect)}`, from }] : links;
  }

  linksTo(lane: Lane, event: FlowEvent): readonly Link[] {
    return this.departures(event).map(({ lane: there, what }) =>
      link(what, { world: there.label, seq: what.seq }, lane, event),
    );
  }
}

function link(effect: FlowEffect, from: Link['from'], lane: Lane, event: FlowEvent): Link {
  return {
    link: 'message',
    message_id: `sha256:${sentMessageId(effect)}`,
    from,
    to: { world: lane.label, seq: event.seq },
  };
}

function isSend({ kind }: FlowEffect): boolean {
  return kind === 'fabric.send' || kind.startsWith('fabric.send.');
}

function put<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
