import type { Loaded, Step } from '@worldline/air';
import { type CborValue, decode, encode, toHex } from '@worldline/canon';
import { type Applied, type Emission, type Instance, STEP_STATE_NAMES, timerDueNs } from '@worldline/kernel';
import { isRecord } from '../cbor-path.ts';
import { KernelWorld } from '../kernel-world.ts';
import { type Answer, answersOf, encodeTemplate, responseNames, responseTo, TemplateError } from './answers.ts';
import type { Flow } from './flow.ts';
import type { GateOptions } from './gate.ts';
import { generic, ID_PATTERN, ORIGIN_NS } from './templates.ts';

/**
 * A world under test and the requests in it. Everything that a delivery changes is put down to the request it belongs to,
 * and these laws are asked for at every batch:
 *
 * G1 A delivery changes nothing but the runs it is addressed to.
 * G2 Nothing follows the end of a run but its result, and no run ends twice (`plans.md` §8).
 * G3 A run that ends in error names a `sys/PlanError@1` that resolves and says the same code (§10).
 * G4 No two effects with one intent are open at once (`kernel.md` §9.5).
 * G5 What says that a request is settled names that request.
 */
export class GateRun {
  readonly w: KernelWorld;
  readonly requests = new Map<string, Request>();
  /** Everything that was done to the world, in order, for another world to do again. */
  readonly actions: Action[] = [];
  readonly #problem: (flow: string, message: string, hint?: string) => void;
  readonly #ownerOfPlan = new Map<number, Request>();
  readonly #ownerOfEvent = new Map<number, Request>();
  readonly #ended = new Set<number>();
  /** Open intents, by hash. */
  readonly #openIntents = new Map<string, number>();
  readonly #intentOf = new Map<number, string>();

  constructor(
    loaded: Loaded,
    options: Pick<GateOptions, 'open'>,
    problem: (flow: string, message: string, hint?: string) => void,
    keepsDigests = false,
  ) {
    const config = { logical_origin: ORIGIN_NS };
    this.w = options.open?.(loaded, config) ?? KernelWorld.over(loaded, config, { keepsDigests });
    this.#problem = problem;
  }

  /**
   * @param key - Tells requests with one id apart; default: the id.
   * @param value - What is sent, encoded; default: what the flow says.
   */
  request(
    flow: Flow,
    id: string,
    options: { readonly key?: string; readonly ingressId?: string; readonly value?: Uint8Array } = {},
  ): Applied {
    const { catalog } = this.w.kernel;
    const value = options.value ?? encodeTemplate(catalog, flow.schema, flow.request, id);
    const key = options.key ?? id;
    const known = this.requests.get(key);
    const asked = flow.idPath === undefined ? undefined : at(value, flow.idPath);
    const request = known ?? new Request(flow, id, asked === undefined ? undefined : textOf(asked));
    this.requests.set(key, request);
    const { ingressId } = options;
    const action: Action =
      flow.event === undefined
        ? { do: 'start', plan: flow.plan, value: toHex(value), correlation: toHex(encode(id)), ingressId }
        : { do: 'send', schema: flow.event, value: toHex(value), ingressId };
    this.actions.push(action);
    const applied =
      flow.event === undefined
        ? this.w.apply({ kind: 'plan_start', plan: flow.plan, input: value, correlation: encode(id), ingressId })
        : this.w.apply({ kind: 'event', schema: flow.event, value, ingressId });
    if (applied.outcome.kind === 'rejected')
      throw new TemplateError(
        `a request of ${flow.name} is rejected: ${applied.outcome.code}: ${applied.outcome.message}`,
      );
    this.#observe(applied, request, [request]);
    return applied;
  }

  /** What a request waits for now. */
  openings(request: Request): readonly Opening[] {
    const { kernel } = this.w;
    const found: Opening[] = [];
    const seen = new Set<number>();
    request.plans.forEach((planId, ordinal) => {
      const instance = this.#ended.has(planId) ? undefined : kernel.instance(planId);
      if (instance === undefined) return;
      const plan = kernel.catalog.plans.get(instance.name)?.def;
      const base = { instance, ordinal, planId };
      for (const [index, own] of instance.receiptWaits) {
        const emission = kernel.emission(own) ?? this.#leader(instance, own);
        const emits = plan?.steps.find(
          (one) => one.op === 'emit_effect' && instance.handles.get(one.effectIdAs)?.emissionSeq === own,
        );
        if (emission === undefined || emits === undefined) {
          this.#problem(request.flow.name, `${instance.name} waits for a receipt that no open effect will bring`);
          continue;
        }
        if (seen.has(emission.emissionSeq)) continue;
        seen.add(emission.emissionSeq);
        const kind = emission.class === 'timer' ? ('timer' as const) : ('receipt' as const);
        found.push({ ...base, kind, awaits: index, step: emits.id, emission });
      }
      for (const [index] of instance.eventWaits) {
        const step = plan?.steps[index] as AwaitEvent;
        found.push({ ...base, kind: 'event', awaits: index, step: step.id, awaited: step });
      }
    });
    return found;
  }

  #leader(instance: Instance, own: number): Emission | undefined {
    for (const handle of instance.handles.values())
      if (handle.emissionSeq === own) return this.w.kernel.emissionOfIntent(handle.intentHash);
    return undefined;
  }

  /** Answers that an opening may get, the usual one first. */
  answers(request: Request, opening: Opening): readonly string[] {
    if (opening.awaited !== undefined) return responseNames(this.w.kernel.catalog, request.flow, opening.awaited);
    if (opening.kind !== 'receipt') return [opening.kind];
    return this.#answers(request, opening).map(({ name }) => name);
  }

  #answers(request: Request, { emission, step }: Opening): readonly Answer[] {
    return answersOf(this.w.kernel.catalog, request.flow, emission!.kind, step, request.id);
  }

  /** The event that a waiting run waits for. @throws TemplateError when none can be made up. */
  #response({ flow, id }: Request, { instance, awaited: step }: Opening, name: string): Uint8Array {
    const event = responseTo(this.w.kernel, flow, { instance, step: step! }, id, name);
    if (event !== undefined) return event;
    throw new TemplateError(
      `no event of ${step!.event} could be made up that step "${step!.id}" of ${instance.name} waits for`,
    );
  }

  /**
   * Delivers what an opening waits for.
   *
   * @returns what it was, to be delivered again.
   */
  deliver(request: Request, opening: Opening, answer: string): Delivery {
    const delivery = this.delivery(request, opening, answer);
    for (const [owner, planId, step] of this.#addressed(request, opening)) {
      owner.path.push(`${owner.plans.indexOf(planId)}:${step}:${answer}`);
      if (owner !== request) owner.shares.add(request.id);
    }
    this.again(delivery);
    return delivery;
  }

  delivery(request: Request, opening: Opening, answer: string): Delivery {
    const { emission, awaited } = opening;
    if (awaited !== undefined)
      return { request, schema: awaited.event, event: this.#response(request, opening, answer) };
    if (opening.kind === 'timer') return { request, emission: emission!, timer: true };
    const found = this.#answers(request, opening).find(({ name }) => name === answer);
    if (found === undefined) throw new Error(`no answer ${answer} to ${opening.step}`);
    return { request, emission: emission!, answer: found };
  }

  /** Puts a delivery into the world, for the first time or again. */
  again(delivery: Delivery): Applied {
    const { request, emission, event, answer } = delivery;
    const { w } = this;
    if (event !== undefined) {
      this.actions.push({ do: 'send', schema: delivery.schema!, value: toHex(event) });
      const isForAll = request.flow.broadcasts.has(delivery.schema!);
      return this.#observe(
        w.apply({ kind: 'event', schema: delivery.schema!, value: event }),
        request,
        isForAll ? undefined : this.withId(delivery.to ?? request.id),
      );
    }
    const { origin } = emission!;
    if (origin.origin_kind !== 'plan') throw new Error('effects of plans only');
    const at = { planId: origin.plan_id, step: origin.step_id };
    const owners = [emission!.origin, ...emission!.waiters.map((one) => one.origin)].flatMap((one) =>
      one.origin_kind === 'plan' ? (this.#ownerOfPlan.get(one.plan_id) ?? []) : [],
    );
    if (delivery.timer === true) {
      const due = timerDueNs(emission!);
      if (due > w.logicalNs) w.advance(due - w.logicalNs);
      this.actions.push({ do: 'fire', ...at });
      return this.#observe(w.fire(emission!), request, owners);
    }
    const { status, payload, error } = answer!;
    this.actions.push({ do: 'answer', ...at, status, payload: payload && toHex(payload), code: error?.code });
    return this.#observe(w.receipt(emission!, { status, payloadCbor: payload, error }), request, owners);
  }

  /** Ends a run from outside. */
  cancel(request: Request, planId: number): Applied {
    return this.#observe(this.w.cancel(planId, 'gates'), request, [request]);
  }

  withId(id: string): readonly Request[] {
    return [...this.requests.values()].filter((request) => request.id === id);
  }

  #addressed(request: Request, { emission, planId, step }: Opening): readonly (readonly [Request, number, string])[] {
    if (emission === undefined) return [[request, planId, step]];
    return [emission.origin, ...emission.waiters.map(({ origin }) => origin)].flatMap((origin) => {
      const owner = origin.origin_kind === 'plan' ? this.#ownerOfPlan.get(origin.plan_id) : undefined;
      return owner === undefined || origin.origin_kind !== 'plan'
        ? []
        : [[owner, origin.plan_id, origin.step_id] as const];
    });
  }

  isLive(planId: number): boolean {
    return !this.#ended.has(planId);
  }

  /** Every run of a request has ended. */
  isOver(request: Request): boolean {
    return request.plans.length > 0 && request.plans.every((planId) => this.#ended.has(planId));
  }

  /** States of the steps of a live run. */
  stateOf(planId: number, step: number): (typeof STEP_STATE_NAMES)[number] | undefined {
    const state = this.w.kernel.instance(planId)?.states[step];
    return state === undefined ? undefined : STEP_STATE_NAMES[state];
  }

  /** Puts down what a batch holds, and asks for the laws. */
  #observe(applied: Applied, request: Request, addressed: readonly Request[] | undefined): Applied {
    const first = applied.batch?.firstSeq ?? 0;
    const { name } = request.flow;
    applied.records.forEach((record, i) => {
      const seq = first + i;
      switch (record.record_kind) {
        case 'plan_started': {
          const owner =
            (record.parent_instance_id === undefined
              ? this.#ownerOfEvent.get(record.cause)
              : this.#ownerOfPlan.get(record.parent_instance_id)) ?? request;
          this.#ownerOfPlan.set(record.plan_id, owner);
          owner.plans.push(record.plan_id);
          owner.names.push(record.plan_name);
          this.#touch(owner, addressed, request, `started ${record.plan_name}`);
          return;
        }
        case 'domain_event': {
          const owner = record.plan_id === undefined ? request : (this.#ownerOfPlan.get(record.plan_id) ?? request);
          this.#ownerOfEvent.set(seq, owner);
          if (record.plan_id === undefined) return;
          this.#touch(owner, addressed, request, `raised ${record.schema}`);
          if (this.#ended.has(record.plan_id))
            this.#problem(name, `an ended run of ${record.origin_name} raised ${record.schema}`);
          this.#raised(owner, record.schema, record.value);
          return;
        }
        case 'effect_intent': {
          if (record.origin.origin_kind !== 'plan') return;
          const { plan_id, name: plan } = record.origin;
          this.#touch(this.#ownerOfPlan.get(plan_id), addressed, request, `emitted ${record.kind}`);
          if (this.#ended.has(plan_id)) this.#problem(name, `an ended run of ${plan} emitted ${record.kind}`);
          if (record.coalesced_into !== undefined) return;
          const hash = toHex(record.intent_hash);
          if (this.#openIntents.has(hash))
            this.#problem(name, `${record.kind} of ${plan} is open twice under one intent`);
          this.#openIntents.set(hash, seq);
          this.#intentOf.set(seq, hash);
          const owner = this.#ownerOfPlan.get(plan_id);
          owner?.sent.push({ kind: record.kind, intent: hash, key: toHex(record.idempotency_key) });
          return;
        }
        case 'effect_receipt': {
          const hash = this.#intentOf.get(record.emission_seq);
          if (hash === undefined) this.#problem(name, `a second receipt of one effect was journaled`);
          else this.#openIntents.delete(hash);
          this.#intentOf.delete(record.emission_seq);
          return;
        }
        case 'plan_ended': {
          const owner = this.#ownerOfPlan.get(record.plan_id);
          this.#touch(owner, addressed, request, `ended ${record.plan_name}`);
          if (this.#ended.has(record.plan_id)) this.#problem(name, `a run of ${record.plan_name} ended twice`);
          this.#ended.add(record.plan_id);
          const code = record.status === 'ok' ? 'ok' : (record.error_code ?? '');
          owner?.ends.push({ planId: record.plan_id, plan: record.plan_name, code, step: record.step_id });
          if (record.status !== 'ok') this.#planError(name, record.plan_name, code, record.result_ref);
          return;
        }
        case 'plan_result':
          this.#ownerOfPlan
            .get(record.plan_id)
            ?.results.push(`${record.plan_name} ${textOf(this.w.decode(record.output_schema, record.value_cbor))}`);
          return;
        default:
      }
    });
    return applied;
  }

  /** G1. */
  #touch(owner: Request | undefined, addressed: readonly Request[] | undefined, by: Request, what: string): void {
    if (addressed === undefined || (owner !== undefined && addressed.includes(owner))) return;
    const who = addressed.length === 0 ? 'nobody' : addressed[0]!.id;
    this.#problem(
      by.flow.name,
      `what was addressed to ${generic(who, who)} ${what} for another request`,
      'compare the request id in every `where` of an await_event (lint RL001)',
    );
  }

  #raised(owner: Request, schema: string, value: Uint8Array): void {
    const said = textOf(this.w.decode(schema, value));
    owner.raised.push(`${schema} ${said}`);
    const { settled, idPath } = owner.flow;
    if (settled?.event !== schema) return;
    owner.settled.push(said);
    // G5.
    if (settled.idPath === undefined || idPath === undefined) return;
    const named = at(value, settled.idPath);
    if (owner.asked === undefined || textOf(named) === owner.asked) return;
    const message = `${schema} of one request names another one: ${generic(textOf(named), owner.id)}`;
    this.#problem(owner.flow.name, message);
  }

  /** G3. */
  #planError(flow: string, plan: string, code: string, ref: Uint8Array | undefined): void {
    const bytes = ref === undefined ? undefined : this.w.object(ref);
    const read = bytes === undefined ? undefined : decode(bytes);
    const error = read?.ok === true ? (read.value as { readonly code?: unknown }) : undefined;
    if (error?.code !== code) this.#problem(flow, `${plan} ended with ${code}, and its error does not resolve`);
  }
}

/** One request and all that came of it. */
export class Request {
  readonly flow: Flow;
  readonly id: string;
  /** What stands where the flow has its id. */
  readonly asked: string | undefined;
  /** Its runs, in the order of their start; the first one is the entry. */
  readonly plans: number[] = [];
  readonly names: string[] = [];
  readonly settled: string[] = [];
  readonly raised: string[] = [];
  readonly results: string[] = [];
  readonly ends: {
    readonly planId: number;
    readonly plan: string;
    readonly code: string;
    readonly step: string | undefined;
  }[] = [];
  readonly sent: { readonly kind: string; readonly intent: string; readonly key: string }[] = [];
  /** Ids of requests with which it shared an effect, and so the answer (`kernel.md` §9.5). */
  readonly shares = new Set<string>();
  /** The deliveries that it got, by run, step and answer. */
  readonly path: string[] = [];

  constructor(flow: Flow, id: string, asked: string | undefined) {
    this.flow = flow;
    this.id = id;
    this.asked = asked;
  }

  /** What became of it, without what differs between requests: ids and times. */
  outcome(): string {
    const ends = this.ends.map(({ plan, code }) => `${plan} ${code}`);
    const all = [...this.raised, ...this.results, ...ends].join('\n');
    return [this.id, ...this.shares].reduce(generic, all);
  }

  /** Ids of other requests in what became of it. */
  foreign(): readonly string[] {
    const all = [...this.raised, ...this.results].join('\n');
    return [...new Set(all.match(ID_PATTERN) ?? [])].filter((id) => id !== this.id && !this.shares.has(id));
  }
}

export interface Opening {
  readonly instance: Instance;
  readonly planId: number;
  /** Which of the request's runs. */
  readonly ordinal: number;
  readonly kind: 'receipt' | 'timer' | 'event';
  /** Position of the waiting step. */
  readonly awaits: number;
  /** The step that made the effect; of events the waiting one. */
  readonly step: string;
  readonly emission?: Emission | undefined;
  readonly awaited?: AwaitEvent | undefined;
}

type AwaitEvent = Extract<Step, { op: 'await_event' }>;

/** What came from outside, so that it can come again. */
export interface Delivery {
  readonly request: Request;
  readonly schema?: string | undefined;
  readonly event?: Uint8Array | undefined;
  /** Id of the request that an event is meant for, when it is another one. */
  readonly to?: string | undefined;
  readonly emission?: Emission | undefined;
  readonly timer?: true | undefined;
  readonly answer?: Answer | undefined;
}

/** An input of a world as plain data: it goes to child processes. Bytes are in hex. */
export type Action =
  | { readonly do: 'send'; readonly schema: string; readonly value: string; readonly ingressId?: string | undefined }
  | {
      readonly do: 'start';
      readonly plan: string;
      readonly value: string;
      readonly correlation: string;
      readonly ingressId?: string | undefined;
    }
  | {
      readonly do: 'answer';
      readonly planId: number;
      readonly step: string;
      readonly status: 'ok' | 'error' | 'timeout';
      readonly payload?: string | undefined;
      readonly code?: string | undefined;
    }
  | { readonly do: 'fire'; readonly planId: number; readonly step: string };

/** A decoded value on one line, for people. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) ?? 'nothing';
}

/** What stands at a path of an encoded value. */
function at(bytes: Uint8Array, path: readonly string[]): CborValue | undefined {
  const read = decode(bytes);
  let value: CborValue | undefined = read.ok ? read.value : undefined;
  for (const segment of path) value = isRecord(value) ? value[segment] : undefined;
  return value;
}
