import { readdirSync, readFileSync } from 'node:fs';
import { type Node, type PackName, packNodes } from './consumer.ts';

/**
 * The fixtures of the packs (`patterns.md` §7): the worlds of the examples, one per pack and profile.
 *
 * A script is what happens to a fixture: requests, answers, decisions and time, so that every outcome of the pack is
 * reached once, requests run side by side and are answered in reverse order (F3), and losers come late (F6).
 */

const EXAMPLES = new URL('../../examples/', import.meta.url);

/** What a script needs to be able to do to a world, whatever runs it. */
export interface Stage {
  send(event: string, value: object): Promise<void>;
  /** The service answers the open request whose URL holds `text`. */
  answer(text: string, status: number): Promise<void>;
  /** There is no connection for the open request whose URL holds `text`. */
  disconnect(text: string): Promise<void>;
  /** A person decides about the pending question of this subject. */
  decide(subject: string, decision: 'approved' | 'denied'): Promise<void>;
  /** The other world has taken the open message of this id. */
  deliver(id: string): Promise<void>;
  /** It will not take it. */
  refuse(id: string): Promise<void>;
  /** Time passes, and the timers that are due fire. */
  pass(ns: number): Promise<void>;
}

export interface Fixture {
  /** Its folder in `examples/`: the world, or one of two. */
  readonly example: string;
  readonly pack: PackName;
  readonly core: string;
  /** The event that says what came of a request. */
  readonly settled: string;
  /** Its member that holds the outcome. */
  readonly member: 'result' | 'price' | 'outcome' | 'verdict';
  /** And the one that holds the request's id. */
  readonly idMember: 'request_id' | 'correlation_id' | 'sample_id';
  readonly request: string;
  requestOf(id: string): object;
  /** Ends a request that is open. */
  finish(stage: Stage, id: string): Promise<void>;
  /** An invariant of the core that applies once its last effect is emitted, and never holds. */
  readonly neverHolds: object;
  /** Outcome where the core could not do its work, with the code that is told. */
  unable(code: string): object;
  readonly script: readonly (readonly [what: string, act: (stage: Stage) => Promise<void>])[];
  /** What it settles, in this order. */
  readonly outcomes: readonly (readonly [id: string, outcome: object])[];
}

/** Definitions of a fixture: its own, and those of its pack. */
export function fixtureNodes({ example, pack }: Pick<Fixture, 'example' | 'pack'>): readonly Node[] {
  const folder = new URL(`${example}/air/`, EXAMPLES);
  const own = readdirSync(folder).flatMap((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Node[]);
  return [...own, ...packNodes(pack)];
}

/** Time limit of requests that run into it, and of those that do not. */
export const MINUTE_NS = 60_000_000_000;
export const HOUR_NS = 60 * MINUTE_NS;

/** An invariant that is false as soon as both are there, because they are the same. */
export const differs = (a: string, b: string) => ({ op: 'ne', args: [{ ref: a }, { ref: b }] });

/** The events that the script of a fixture leads to, as far as it says. */
export function settledBy({ idMember, member, outcomes }: Fixture): readonly object[] {
  return outcomes.map(([id, outcome]) => ({ [idMember]: id, [member]: outcome }));
}
