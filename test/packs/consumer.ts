import { readFileSync } from 'node:fs';
import { type Json, loadAuthored } from '@worldline/air';
import { KernelWorld } from '@worldline/testkit';
import { expect } from 'vitest';

/** A turnkey consumer of a pack in `packs/`: refs, triggers, grants and policy, and no plan of its own (`packs.md` §3.2). */

export type PackName = 'deadline-race' | 'approval-gate' | 'request-response';
export type Node = Readonly<Record<string, unknown>>;

const PACKS = new URL('../../packs/', import.meta.url);

export function packNodes(pack: PackName): readonly Node[] {
  const file = new URL(`${pack}/air/exports/plan-packs/${pack}/defs.air.json`, PACKS);
  return JSON.parse(readFileSync(file, 'utf8')) as Node[];
}

export interface Wiring {
  readonly pack: PackName;
  readonly effects: readonly string[];
  readonly grants: readonly Node[];
  readonly triggers: readonly Node[];
  /** What the policy allows, by plan and kind. */
  readonly allow: readonly (readonly [plan: string, kind: string])[];
  readonly plans?: readonly Node[];
  readonly schemas?: readonly Node[];
}

export function consumerNodes(wiring: Wiring): readonly Node[] {
  const nodes = [...packNodes(wiring.pack), ...(wiring.schemas ?? []), ...(wiring.plans ?? [])];
  const listed = (kind: string) => nodes.filter((node) => node['$kind'] === kind).map(({ name }) => ({ name }));
  return [
    {
      $kind: 'manifest',
      air_version: '1',
      schemas: listed('defschema'),
      modules: [],
      plans: listed('defplan'),
      effects: [...listed('defeffect'), ...wiring.effects.map((name) => ({ name }))],
      caps: [],
      policies: [{ name: 'app/policy@1' }],
      triggers: wiring.triggers,
      defaults: { policy: 'app/policy@1', cap_grants: wiring.grants },
    },
    {
      $kind: 'defpolicy',
      name: 'app/policy@1',
      rules: wiring.allow.map(([origin_name, effect_kind]) => ({
        when: { effect_kind, origin_kind: 'plan', origin_name },
        decision: 'allow',
      })),
    },
    ...nodes,
  ];
}

/** What loading says of it, errors and warnings. */
export function findingsOf(wiring: Wiring): readonly string[] {
  const files = [{ path: 'air/world.air.json', text: JSON.stringify(consumerNodes(wiring)) }];
  const loaded = loadAuthored(files, { requirePolicy: true });
  return (loaded.ok ? loaded.value.warnings : loaded.failure).map(({ code, message }) => `${code} ${message}`);
}

/** A running consumer that compares live, replayed and restored state after every input (F2). */
export class Consumer {
  readonly w: KernelWorld;
  readonly #checksEach: boolean;

  /**
   * @param given - wiring of a consumer without plans of its own, or all nodes of a world.
   * @param checksEach - false: whoever uses it compares once, at the end, which looks at every input and every baseline too, and
   *   costs a fraction.
   */
  constructor(given: Wiring | readonly Node[], checksEach = true) {
    this.#checksEach = checksEach;
    this.w = KernelWorld.create('pack' in given ? consumerNodes(given) : given);
  }

  /** Does something to the world, then F2. */
  step<T>(act: (w: KernelWorld) => T): T {
    const result = act(this.w);
    this.w.snapshot();
    if (this.#checksEach) this.w.checkParity();
    return result;
  }

  send(event: string, value: unknown): void {
    this.step((w) => w.send(event, value));
  }

  /** Answers the open effect of a kind; the one whose params hold `text` when there are several. */
  answer(kind: string, payload: unknown, text = ''): void {
    const open = this.open(kind, text);
    this.step((w) => w.receipt(open, { payload }));
  }

  /** Ends the open effect of a kind with an error of its adapter. */
  fail(kind: string, code: string, status: 'error' | 'timeout' = 'error'): void {
    const open = this.open(kind);
    const error = { code, message: 'of the test', retryable: false, detail_ref: null };
    this.step((w) => w.receipt(open, { status, error }));
  }

  /** Lets the deadline pass and the timer fire. */
  expire(deadlineNs: number, text = ''): void {
    const timer = this.open('timer.set', text);
    this.w.advance(BigInt(deadlineNs));
    this.step((w) => w.fire(timer));
  }

  open(kind: string, text = '') {
    const found = this.w.pending(kind).filter(({ paramsCbor }) => Buffer.from(paramsCbor).includes(text));
    expect(found, `open effects of ${kind} with "${text}"`).toHaveLength(1);
    return found[0]!;
  }

  /** What became of the requests, in the order in which that was said. */
  settled(event: string): readonly Json[] {
    return this.w.raised(event);
  }

  /** Plans that ended, with their error if any. */
  ended(): readonly string[] {
    return this.w.records('plan_ended').map((r) => `${r.plan_name.split(/[/@]/)[1]} ${r.error_code ?? r.status}`);
  }

  dispositions(): readonly string[] {
    return this.w.records('effect_receipt').map(({ disposition }) => disposition);
  }
}

/** Nothing is left running. */
export function atRest(consumer: Consumer): void {
  expect(consumer.w.instances()).toEqual([]);
}
