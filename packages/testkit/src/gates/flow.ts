import {
  type Catalog,
  type EffectEnvelope,
  effectEnvelope,
  type Json,
  resolveType,
  type Trigger,
  type Type,
  type TypeScope,
} from '@worldline/air';
import { Dice } from '../seeded.ts';
import type { FlowConfig, GateConfig, ReceiptConfig, ResponseConfig } from './gate.ts';
import { replaced, templateOf } from './templates.ts';

/** One way into a world: what a request looks like, how it is answered, and what says that it is settled. */
export interface Flow {
  /** For people: the schema of the requests, the plan, or both when the schema alone does not say which plan. */
  readonly name: string;
  /** Schema of the requests; undefined when the plan is started by hand. */
  readonly event: string | undefined;
  readonly plan: string;
  /** Schema of what is sent: of the event, or of the plan's input. */
  readonly schema: string;
  readonly idPath: readonly string[] | undefined;
  readonly request: Json;
  readonly settled: { readonly event: string; readonly idPath: readonly string[] | undefined } | undefined;
  readonly receipts: readonly ReceiptConfig[];
  readonly responses: readonly ResponseConfig[];
  readonly broadcasts: ReadonlySet<string>;
  readonly envelope: EffectEnvelope;
  /** The author gave it: nothing is tried out. */
  readonly isGiven: boolean;
}

export class FlowError extends Error {
  override readonly name = 'FlowError';
}

/**
 * The flows of a world: those of its `gates.json`, else one for each event from outside that a trigger takes, and for each
 * trigger that looks for certain ones among them; else one for each plan that nobody starts.
 *
 * @throws FlowError when `gates.json` names what is not there.
 */
export function flowsOf(catalog: Catalog, config: GateConfig): readonly Flow[] {
  const given = config.flows ?? [];
  if (given.length > 0) return given.map((flow) => flowOf(catalog, config, flow));
  const raised = new Set<string>();
  const spawned = new Set<string>();
  for (const { def } of catalog.plans.values()) {
    for (const step of def.steps) {
      if (step.op === 'raise_event') raised.add(step.event);
      if (step.op === 'spawn_plan' || step.op === 'spawn_for_each') spawned.add(step.plan);
    }
  }
  const outside = catalog.triggers.filter(({ event }) => !raised.has(event));
  const triggers = outside.length > 0 ? outside : catalog.triggers;
  if (triggers.length > 0)
    return [...new Set(triggers.map(({ event }) => event))].flatMap((event) => {
      const its = triggers.filter((one) => one.event === event);
      // Those that take every event start together, so one request drives them all; of the others each looks for its own.
      const [together, ...picky] = [its.find(({ when }) => when === undefined), ...its.filter(({ when }) => when)];
      const chosen = [...(together === undefined ? [] : [together]), ...picky];
      return chosen.map(({ plan }) => flowOf(catalog, config, chosen.length === 1 ? { event } : { event, plan }));
    });
  const plans = [...catalog.plans.keys()].filter((plan) => !spawned.has(plan));
  return plans.map((plan) => flowOf(catalog, config, { plan }));
}

function flowOf(catalog: Catalog, config: GateConfig, given: FlowConfig): Flow {
  const trigger = triggerOf(catalog, given);
  const plan = trigger?.plan ?? given.plan;
  const def = catalog.plans.get(plan ?? '')?.def;
  const { event: asked } = given;
  const name = asked !== undefined && given.plan !== undefined ? `${asked} for ${given.plan}` : (asked ?? given.plan);
  if (plan === undefined || def === undefined || name === undefined)
    throw new FlowError(`there is no trigger or plan for the flow ${JSON.stringify(name ?? given)}`);
  const schema = trigger?.event ?? def.input;
  if (!catalog.schemas.has(schema)) throw new FlowError(`there is no schema ${schema}`);
  const { scope } = catalog;
  const type: Type = { kind: 'ref', name: schema };
  const idPath = given.id?.split('.') ?? trigger?.correlateBy ?? idField(type, scope);
  const envelope = effectEnvelope(catalog, plan) as EffectEnvelope;
  const settled = given.settled?.event ?? settledEvent(envelope);
  if (settled !== undefined && !catalog.schemas.has(settled)) throw new FlowError(`there is no schema ${settled}`);
  for (const { kind } of [...(given.receipts ?? []), ...(config.receipts ?? [])]) {
    if (!catalog.effects.has(kind)) throw new FlowError(`the manifest lists no effect of kind ${kind}`);
  }
  for (const { event } of [...(given.responses ?? []), ...(config.responses ?? [])]) {
    if (!catalog.schemas.has(event)) throw new FlowError(`there is no schema ${event}`);
  }
  return {
    name,
    event: trigger?.event,
    plan,
    schema,
    idPath,
    request: given.request ?? withId(templateOf(type, scope), type, idPath, scope),
    settled:
      settled === undefined
        ? undefined
        : {
            event: settled,
            idPath:
              given.settled?.id?.split('.') ?? sameField({ kind: 'ref', name: settled }, idPath, scope) ?? undefined,
          },
    receipts: [...(given.receipts ?? []), ...(config.receipts ?? [])],
    responses: [...(given.responses ?? []), ...(config.responses ?? [])],
    broadcasts: new Set(config.broadcasts ?? []),
    envelope,
    isGiven: given.request !== undefined,
  };
}

function triggerOf(catalog: Catalog, { event, plan }: FlowConfig): Trigger | undefined {
  return catalog.triggers.find((one) => one.event === event && (plan === undefined || one.plan === plan));
}

/** Requests of other shapes than the first one: other arms of variants. */
export function otherRequests(flow: Flow, scope: TypeScope, count: number): readonly Json[] {
  const type: Type = { kind: 'ref', name: flow.schema };
  return Array.from({ length: count }, (_, i) =>
    withId(templateOf(type, scope, new Dice(i + 1)), type, flow.idPath, scope),
  );
}

function withId(template: Json, type: Type, path: readonly string[] | undefined, scope: TypeScope): Json {
  if (path === undefined) return template;
  const at = typeAtPath(type, path, scope);
  const places: Readonly<Record<string, string>> = { nat: '${n}', int: '${n}', uuid: '${uuid}', hash: '${hash}' };
  return at === undefined ? template : replaced(template, path, places[at.kind] ?? '${id}');
}

export function typeAtPath(type: Type, path: readonly string[], scope: TypeScope): Type | undefined {
  const target = resolveType(type, scope);
  const [segment, ...rest] = path;
  if (target.kind === 'option') return typeAtPath(target.item, path, scope);
  if (segment === undefined) return target;
  const field = target.kind === 'record' ? target.fields.get(segment) : undefined;
  return field === undefined ? undefined : typeAtPath(field, rest, scope);
}

/** `patterns.md` §1.3: the request id is a top-level text field. */
const ID_FIELDS = ['request_id', 'correlation_id', 'id'];

function idField(type: Type, scope: TypeScope): readonly string[] | undefined {
  const found = ID_FIELDS.find((field) => typeAtPath(type, [field], scope)?.kind === 'text');
  return found === undefined ? undefined : [found];
}

function sameField(type: Type, idPath: readonly string[] | undefined, scope: TypeScope): readonly string[] | undefined {
  const last = idPath?.at(-1);
  return last !== undefined && typeAtPath(type, [last], scope) !== undefined ? [last] : idField(type, scope);
}

/** The fact event by its name (`patterns.md` §1.3), if the runs of the entry plan raise exactly one. */
function settledEvent(envelope: EffectEnvelope): string | undefined {
  const own = envelope.raises.filter(({ via }) => via !== 'triggered');
  const named = new Set(own.map(({ event }) => event).filter((event) => /Settled@[0-9]+$/.test(event)));
  return named.size === 1 ? [...named][0] : undefined;
}

/** What a world is driven with, in the form of `gates.json`. */
export function flowConfig(flow: Flow): FlowConfig {
  return {
    ...(flow.event === undefined ? {} : { event: flow.event }),
    ...(flow.name === flow.event ? {} : { plan: flow.plan }),
    ...(flow.idPath === undefined ? {} : { id: flow.idPath.join('.') }),
    request: flow.request,
    ...(flow.settled === undefined
      ? {}
      : {
          settled: {
            event: flow.settled.event,
            ...(flow.settled.idPath === undefined ? {} : { id: flow.settled.idPath.join('.') }),
          },
        }),
    ...(flow.receipts.length === 0 ? {} : { receipts: flow.receipts }),
    ...(flow.responses.length === 0 ? {} : { responses: flow.responses }),
  };
}
