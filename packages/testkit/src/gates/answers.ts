import {
  type Catalog,
  type Expr,
  encodeValue,
  evaluate,
  type Json,
  normalizeCbor,
  readLiteral,
  type Step,
  valueToCbor,
} from '@worldline/air';
import { type CborValue, decode, encode, unwrap } from '@worldline/canon';
import type { EffectErrorData, EffectStatus, Instance, Kernel } from '@worldline/kernel';
import { put } from '../cbor-path.ts';
import { instanceEnv } from '../instance-env.ts';
import type { Flow } from './flow.ts';
import { fill, hashOfId, templateOf, uuidOfId } from './templates.ts';

/** How the outside answers: receipts of effects, and events that runs wait for. */

export interface Answer {
  /** Tells it apart from the other answers to the same effect: `ok`, `ok 1`, `error`, `timeout`. */
  readonly name: string;
  readonly status: EffectStatus;
  readonly payload?: Uint8Array | undefined;
  readonly error?: EffectErrorData | undefined;
}

/** A value of a schema from a template. @throws Error with what does not fit: the template comes from `gates.json`. */
export function encodeTemplate(catalog: Catalog, schema: string, template: Json, id: string): Uint8Array {
  const read = readLiteral(fill(template, id), { kind: 'ref', name: schema }, catalog.scope, schema);
  if (read.ok) return encodeValue(read.value);
  const [first] = read.failure;
  throw new TemplateError(`${schema}: at /${first?.path.join('/') ?? ''}: ${first?.message ?? 'does not fit'}`);
}

export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

/** Every answer that an effect may get, the usual one first. */
export function answersOf(catalog: Catalog, flow: Flow, kind: string, step: string, id: string): readonly Answer[] {
  const effect = catalog.effects.get(kind)?.def;
  if (effect === undefined) throw new TemplateError(`the manifest lists no effect of kind ${kind}`);
  const own = flow.receipts.filter((one) => one.kind === kind && one.step === step);
  const given = own.length > 0 ? own : flow.receipts.filter((one) => one.kind === kind && one.step === undefined);
  const schema = effect.receiptSchema;
  const usual: Answer[] = given.map(({ status = 'ok', payload, code }, i) => ({
    name: i === 0 ? status : `${status} ${i}`,
    status,
    payload:
      payload === undefined && status !== 'ok' ? undefined : encodeTemplate(catalog, schema, payload ?? null, id),
    error: status === 'ok' ? undefined : failed(code ?? 'gates.failed'),
  }));
  if (!given.some(({ status = 'ok' }) => status === 'ok')) {
    const payload = encodeTemplate(catalog, schema, templateOf({ kind: 'ref', name: schema }, catalog.scope), id);
    usual.unshift({ name: 'ok', status: 'ok', payload });
  }
  return [
    ...usual,
    { name: 'failed', status: 'error', error: failed('gates.failed') },
    { name: 'timed out', status: 'timeout', error: failed('adapter.timeout') },
  ];
}

function failed(code: string): EffectErrorData {
  return { code, message: 'scripted by the gates', retryable: null, detail_ref: null };
}

type AwaitEvent = Extract<Step, { op: 'await_event' }>;

/** Templates of the events that answer a wait, the usual one first. */
function responsesTo(catalog: Catalog, flow: Flow, step: AwaitEvent): readonly Json[] {
  const own = flow.responses.filter((one) => one.event === step.event && one.step === step.id);
  const given =
    own.length > 0 ? own : flow.responses.filter((one) => one.event === step.event && one.step === undefined);
  if (given.length > 0) return given.map(({ value }) => value);
  return [templateOf({ kind: 'ref', name: step.event }, catalog.scope)];
}

/** Names of the events that may answer a wait, the usual one first. */
export function responseNames(catalog: Catalog, flow: Flow, step: AwaitEvent): readonly string[] {
  return responsesTo(catalog, flow, step).map((_, i) => (i === 0 ? 'event' : `event ${i}`));
}

/**
 * An event that satisfies a wait: the template, with the value of every conjunct `eq(@event.path, …)` put in.
 *
 * @param name - one of `responseNames`.
 * @returns undefined when it does not satisfy `where` for all that.
 */
export function responseTo(
  kernel: Kernel,
  flow: Flow,
  wait: { readonly instance: Instance; readonly step: AwaitEvent },
  id: string,
  name: string,
): Uint8Array | undefined {
  const { instance, step } = wait;
  const template = responsesTo(kernel.catalog, flow, step)[responseNames(kernel.catalog, flow, step).indexOf(name)];
  if (template === undefined) throw new Error(`no response ${name} to ${step.id}`);
  const data = unwrap(decode(encodeTemplate(kernel.catalog, step.event, template, id)));
  const env = instanceEnv(kernel, instance, undefined);
  for (const [path, other] of step.where === undefined ? [] : equalities(step.where)) {
    const value = evaluate(other, env);
    if (value.ok) put(data, path, valueToCbor(value.value));
  }
  return satisfies(kernel, instance, step, encode(data)) ? encode(data) : undefined;
}

/** Whether an event satisfies a wait. */
function satisfies(kernel: Kernel, instance: Instance, step: AwaitEvent, event: Uint8Array): boolean {
  const read = normalizeCbor(event, { kind: 'ref', name: step.event }, kernel.catalog.scope, step.event);
  if (!read.ok) return false;
  if (step.where === undefined) return true;
  const verdict = evaluate(step.where, instanceEnv(kernel, instance, read.value.value));
  return verdict.ok && verdict.value.kind === 'bool' && verdict.value.value;
}

/** Conjuncts of a predicate that compare a path of the event with something else. */
function equalities(where: Expr): readonly (readonly [path: readonly string[], other: Expr])[] {
  if (where.form !== 'op') return [];
  if (where.op === 'and') return where.args.flatMap(equalities);
  if (where.op !== 'eq') return [];
  const [a, b] = where.args as readonly [Expr, Expr];
  return [
    ...(a.form === 'ref' && a.root === 'event' && a.path.length > 0 ? [[a.path, b] as const] : []),
    ...(b.form === 'ref' && b.root === 'event' && b.path.length > 0 ? [[b.path, a] as const] : []),
  ];
}

/** The same event for another request; undefined when nothing in it tells the requests apart. */
export function forgedEvent(event: Uint8Array, id: string, other: string): Uint8Array | undefined {
  let changed = false;
  const forge = (data: CborValue): CborValue => {
    if (typeof data === 'string') {
      const forgedText = data
        .replaceAll(id, other)
        .replaceAll(hashOfId(id), hashOfId(other))
        .replaceAll(uuidOfId(id), uuidOfId(other));
      changed ||= forgedText !== data;
      return forgedText;
    }
    if (Array.isArray(data)) return data.map(forge);
    if (data instanceof Map) return new Map([...data].map(([key, value]) => [key, forge(value)]));
    if (typeof data === 'object' && data !== null && !(data instanceof Uint8Array))
      return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, forge(value as CborValue)]));
    return data;
  };
  const forged = forge(unwrap(decode(event)));
  return changed ? encode(forged) : undefined;
}
