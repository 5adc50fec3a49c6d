import {
  type Catalog,
  type Diagnostic,
  type EffectEnvelope,
  type Env,
  effectEnvelope,
  encodeValue,
  envelopeAllows,
  envelopeRaises,
  envelopeStarts,
  evaluate,
  evaluateSlot,
  isTypedMessage,
  type Loaded,
  messageType,
  normalizeCbor,
  orderedMembers,
  recordedParamsSchema,
  resolveType,
  type Step,
  type Type,
  type TypeScope,
  type Value,
  valueToCbor,
} from '@worldline/air';
import { type CborValue, decode, encode, toHex, unwrap } from '@worldline/canon';
import {
  type Applied,
  defaultConfig,
  type Emission,
  type Ingress,
  type Instance,
  STEP_STATE_NAMES,
  timerDueNs,
} from '@worldline/kernel';
import fc from 'fast-check';
import { put } from './cbor-path.ts';
import { instanceEnv } from './instance-env.ts';
import { KernelWorld } from './kernel-world.ts';
import { Choices, choicesArb } from './typed-choices.ts';
import { covers } from './typed-place.ts';
import { makeValue } from './typed-value.ts';
import type { TypedWorld } from './typed-world.ts';

/**
 * The run of a well-typed world against a scripted outside (`expressions.md` §13, `plans.md` §1 M5, `definitions.md` §10):
 * events that match and events that do not, receipts of every status with and without payload, late and doubled ones,
 * timers, cancellations, reopened worlds, in any order. Whatever comes, these laws hold:
 *
 * T1 Nothing throws, and input that conforms is never refused.
 * T2 No evaluation answers `type_mismatch`, neither in a record nor where an error only means "no match". A variable holds
 *    values of its type only. Where an option, an arm or a payload is not there, or a value has another shape than its
 *    slot because of that, the loader had warned at that very place.
 * T3 Every effect is inside what the plan's definition declares, and inside the static envelope of its plan and of every
 *    plan that set it in motion; so is every event that is raised and every run that is started.
 * T4 Every instance has ended with one `plan_ended`, or is parked, and everything it waits for exists.
 * T5 Live = replay = restore (`plans.md` §15), where it is looked at.
 */

export interface RunSketch {
  readonly actions: readonly { readonly do: number; readonly choices: readonly number[] }[];
  /** Answers to what is still open when the actions are done. */
  readonly rest: readonly number[];
}

export function runSketchArb(actionsMax = 14): fc.Arbitrary<RunSketch> {
  const action = fc.record({ do: fc.nat(0xffff), choices: choicesArb(24) });
  return fc.record({
    actions: fc.array(action, { minLength: 2, maxLength: actionsMax, size: 'max' }),
    rest: choicesArb(64),
  });
}

export interface RunOptions {
  /** Compare live state, replay and restore at the end: slow. Default false. */
  readonly parity?: boolean | undefined;
  /** What is open when the actions are done stays open. Default false. */
  readonly leavesOpen?: boolean | undefined;
}

export interface RunReport {
  /** What broke a law; empty when none is broken. */
  readonly broken: readonly string[];
  /** `end:…`, `reason:…`, `receipt:…`, `outcome:…` and so on: how often each thing happened. */
  readonly seen: ReadonlyMap<string, number>;
  /** As the run left it. */
  readonly world: KernelWorld;
  /** The journal, one record a line, for people. */
  story(): string;
}

/** Run a loaded world through a script, to the end of what is open or to a bound. */
export function runTypedWorld(
  world: TypedWorld,
  loaded: Loaded,
  sketch: RunSketch,
  options: RunOptions = {},
): RunReport {
  return new TypedRun(world, loaded, options).run(sketch);
}

/** A chain of plans that start each other ends here, in a rejected ingress. */
const TASKS_MAX = 60;
const REST_MAX = 24;
/** Timers that are due later than this are never fired: no world lives that long. */
const DUE_MAX_NS = 2n ** 62n;

/** Reasons that only values decide: ranges, and whether a text is a hash, uuid or dec128 (`expressions.md` §13.3). */
const VALUE_REASONS: ReadonlySet<string> = new Set([
  'value.out_of_range',
  'value.bad_hash',
  'value.bad_uuid',
  'value.bad_dec128',
  'value.duplicate_key',
]);
/** Reasons that an absent option or another arm decides; the checker warned of them. */
const WARNED_REASONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['none_access', ['option_unwrap_unproven']],
  ['no_payload', ['payload_unproven']],
  // An arm that is an option and holds none has no fields either.
  ['missing_field', ['variant_unrefined', 'option_unwrap_unproven']],
  ['value.type_mismatch', ['option_unwrap_unproven', 'variant_unrefined']],
  ['value.bad_map_key', ['variant_unrefined']],
  ['value.missing_field', ['variant_unrefined']],
  ['value.unknown_field', ['variant_unrefined']],
  ['value.unknown_tag', ['variant_unrefined']],
  ['value.missing_payload', ['variant_unrefined']],
  ['value.unexpected_payload', ['variant_unrefined']],
]);

type Action = 'start' | 'event' | 'matched' | 'receipt' | 'timer' | 'late' | 'junk' | 'cancel' | 'advance' | 'reopen';

class TypedRun {
  readonly #world: TypedWorld;
  readonly #w: KernelWorld;
  readonly #options: RunOptions;
  readonly #broken: string[] = [];
  readonly #seen = new Map<string, number>();
  readonly #past: Emission[] = [];
  readonly #envelopes = new Map<string, EffectEnvelope>();
  readonly #warnings: readonly Diagnostic[];

  constructor(world: TypedWorld, loaded: Loaded, options: RunOptions) {
    this.#world = world;
    this.#options = options;
    this.#warnings = loaded.warnings;
    const limits = { ...defaultConfig().limits, max_tasks_per_ingress: TASKS_MAX };
    this.#w = KernelWorld.over(loaded, { limits }, { keepsDigests: options.parity === true });
  }

  run({ actions, rest }: RunSketch): RunReport {
    try {
      for (const action of actions) this.#act(new Choices([action.do]), new Choices(action.choices));
      const choice = new Choices(rest);
      const answers = this.#options.leavesOpen === true ? 0 : REST_MAX;
      for (let i = 0; i < answers && this.#answerable().length > 0; i++) this.#answer(choice);
      this.#check();
      if (this.#options.parity === true) this.#w.checkParity();
    } catch (error) {
      this.#broke(`T1 threw ${(error as Error).stack ?? String(error)}`);
    }
    return { broken: this.#broken, seen: this.#seen, world: this.#w, story: () => storyOf(this.#w) };
  }

  #broke(what: string): void {
    if (this.#broken.length < 20) this.#broken.push(what);
  }

  #count(what: string): void {
    this.#seen.set(what, (this.#seen.get(what) ?? 0) + 1);
  }

  // The outside

  #act(which: Choices, choice: Choices): void {
    const w = this.#w;
    const waits = w.kernel.waits();
    const action = which.weighted<Action>([
      [4, 'start'],
      [4, 'event'],
      ...(waits.length > 0 ? [[5, 'matched'] as const] : []),
      ...(this.#answerable().length > 0 ? [[6, 'receipt'] as const] : []),
      ...(this.#past.length > 0 ? [[1, 'late'] as const] : []),
      [1, 'junk'],
      ...(w.kernel.liveCount > 0 ? [[1, 'cancel'] as const] : []),
      [1, 'advance'],
      [1, 'reopen'],
    ]);
    this.#count(`action:${action}`);
    switch (action) {
      case 'start':
        return this.#start(choice);
      case 'event':
        return this.#event(choice, choice.pick(this.#world.events));
      case 'matched':
        return this.#matched(choice);
      case 'receipt':
      case 'timer':
        return this.#answer(choice);
      case 'late': {
        const emission = choice.pick(this.#past);
        const { outcome } = w.receipt(emission, this.#receipt(choice, emission));
        if (outcome.kind !== 'duplicate') this.#broke(`T1 a receipt twice was ${JSON.stringify(outcome)}`);
        return;
      }
      case 'junk':
        return this.#junk(choice);
      case 'cancel': {
        const live = w.instances();
        return this.#applied('cancel', w.cancel((choice.pick(live) as Instance).id));
      }
      case 'advance':
        return w.advance(BigInt(1 + choice.below(5)) * 2_000_000n);
      case 'reopen':
        if (choice.chance(50)) w.snapshot();
        return w.reopen();
      default:
        return action satisfies never;
    }
  }

  #start(choice: Choices): void {
    const w = this.#w;
    const plan = choice.pick(this.#world.plans);
    const correlation = choice.chance(40) ? this.#correlation(choice, plan.name) : undefined;
    const locals = [...plan.locals].filter(() => choice.chance(30));
    this.#applied(
      'start',
      w.apply({
        kind: 'plan_start',
        plan: plan.name,
        input: this.#encoded(choice, plan.input),
        correlation: correlation === undefined ? undefined : encode(correlation),
        bindLocals: Object.fromEntries(locals.map(([name, schema]) => [name, this.#encoded(choice, schema)])),
      }),
    );
  }

  #correlation(choice: Choices, plan: string): CborValue {
    const { catalog } = this.#w.kernel;
    const trigger = catalog.triggers.find((one) => one.plan === plan && one.correlateBy !== undefined);
    if (trigger === undefined) return choice.pick<CborValue>(['a', 3, new Uint8Array([1, 2]), -1]);
    const type = typeAt({ kind: 'ref', name: trigger.event }, trigger.correlateBy as readonly string[], catalog.scope);
    return valueToCbor(makeValue(choice, type as Type, catalog.scope));
  }

  #value(choice: Choices, schema: string): Value {
    return makeValue(choice, { kind: 'ref', name: schema }, this.#w.kernel.catalog.scope);
  }

  #encoded(choice: Choices, schema: string): Uint8Array {
    return encodeValue(this.#value(choice, schema));
  }

  #event(choice: Choices, schema: string): void {
    this.#publish(choice, schema, this.#encoded(choice, schema));
  }

  #publish(choice: Choices, schema: string, value: Uint8Array): void {
    const read = normalizeCbor(value, { kind: 'ref', name: schema }, this.#w.kernel.catalog.scope, schema);
    if (read.ok) this.#predicates(schema, read.value.value);
    const key = choice.chance(15) ? encode('k') : undefined;
    const applied = this.#w.apply({ kind: 'event', schema, value, key });
    if (read.ok) this.#applied('event', applied);
  }

  /** An event that carries what a wait compares with. */
  #matched(choice: Choices): void {
    const wait = choice.pick(this.#w.kernel.waits());
    const data = valueToCbor(this.#value(choice, wait.schema));
    if (wait.match !== undefined) put(data, wait.match.path.split('.'), unwrap(decode(wait.match.value)));
    this.#publish(choice, wait.schema, encode(data));
  }

  #junk(choice: Choices): void {
    const w = this.#w;
    const bytes = Uint8Array.from({ length: choice.below(6) }, () => choice.below(256));
    const schema = choice.pick(this.#world.events);
    const plan = choice.pick(this.#world.plans).name;
    const junk: Ingress[] = [
      { kind: 'event', schema, value: bytes },
      { kind: 'plan_start', plan, input: bytes },
      { kind: 'event', schema: 't/unknown@1', value: encode(null) },
      { kind: 'timer', emissionSeq: choice.below(40) },
      { kind: 'control', command: 'plan_cancel', planId: choice.below(9), reason: 'junk', actor: 'test' },
    ];
    // Whatever it is, it is answered; and it may happen to be good.
    this.#count(`junk:${w.apply(choice.pick(junk)).outcome.kind}`);
  }

  /** Input that conforms is taken, unless what it starts never comes to rest. */
  #applied(what: string, { outcome }: Applied): void {
    this.#count(`outcome:${outcome.kind}${outcome.kind === 'rejected' ? `:${outcome.code}` : ''}`);
    if (outcome.kind === 'applied' || (outcome.kind === 'rejected' && outcome.code === 'kernel.runaway')) return;
    this.#broke(`T1 a ${what} that conforms was ${JSON.stringify(outcome)}`);
  }

  #answerable(): Emission[] {
    return this.#w.pending().filter((emission) => emission.class !== 'timer' || timerDueNs(emission) < DUE_MAX_NS);
  }

  #answer(choice: Choices): void {
    const w = this.#w;
    const open = this.#answerable();
    if (open.length === 0) return;
    const emission = choice.pick(open);
    if (emission.class === 'timer') {
      const due = timerDueNs(emission);
      if (due > w.logicalNs) w.advance(due - w.logicalNs);
      this.#count('receipt:timer');
      return this.#answered('timer', emission, w.fire(emission));
    }
    this.#answered('receipt', emission, w.receipt(emission, this.#receipt(choice, emission)));
  }

  #answered(what: string, emission: Emission, applied: Applied): void {
    this.#applied(what, applied);
    if (applied.outcome.kind === 'applied') this.#past.push(emission);
  }

  #receipt(choice: Choices, emission: Emission): Parameters<KernelWorld['receipt']>[1] {
    const schema = this.#w.kernel.catalog.effects.get(emission.kind)!.def.receiptSchema;
    const conforming = (): Uint8Array => this.#encoded(choice, schema);
    const error = {
      code: choice.pick(['http.timeout', 'a']),
      message: 'scripted',
      retryable: choice.pick([null, true, false]),
      detail_ref: null,
    };
    const costCents = choice.chance(30) ? BigInt(choice.below(1000)) : undefined;
    const form = choice.weighted<
      'ok' | 'error' | 'error with payload' | 'timeout' | 'timeout with payload' | 'no payload' | 'bad payload'
    >([
      [8, 'ok'],
      [2, 'error'],
      [2, 'error with payload'],
      [1, 'timeout'],
      [1, 'timeout with payload'],
      [1, 'no payload'],
      [1, 'bad payload'],
    ]);
    this.#count(`receipt:${form}`);
    switch (form) {
      case 'ok':
        return { status: 'ok', payloadCbor: conforming(), costCents };
      case 'error':
        return { status: 'error', error: choice.chance(70) ? error : undefined, costCents };
      case 'error with payload':
        return { status: 'error', error, payloadCbor: conforming() };
      case 'timeout':
        return { status: 'timeout', error };
      case 'timeout with payload':
        return { status: 'timeout', error, payloadCbor: conforming() };
      case 'no payload':
        return { status: 'ok' };
      case 'bad payload':
        return { status: choice.pick(['ok', 'error'] as const), payloadCbor: encode({ nothing: 'of that' }) };
      default:
        return form satisfies never;
    }
  }

  // T2 where an error only means "no match": evaluated here as the kernel is about to

  #predicates(schema: string, event: Value): void {
    const { kernel } = this.#w;
    const { catalog } = kernel;
    for (const trigger of catalog.triggers) {
      if (trigger.event !== schema) continue;
      const env = eventOnly(event);
      const isTaken =
        trigger.when === undefined || this.#boolean(evaluate(trigger.when, env), `trigger of ${trigger.plan}, when`);
      // What `when` says is a fact of the input (`expressions.md` §13.5): of another event it is never made.
      if (isTaken && trigger.inputExpr !== undefined) {
        const input = evaluateSlot(trigger.inputExpr, env);
        if (!input.ok && input.failure.code === 'type_mismatch')
          this.#broke(`T2 type_mismatch in input_expr of ${trigger.plan}`);
      }
    }
    for (const wait of kernel.waits()) {
      if (wait.schema !== schema) continue;
      const instance = kernel.instance(wait.planId) as Instance;
      const { def } = catalog.plans.get(instance.name)!;
      const step = def.steps.find(({ id }) => id === wait.stepId) as Extract<Step, { op: 'await_event' }>;
      if (step.where === undefined) continue;
      this.#boolean(evaluate(step.where, instanceEnv(kernel, instance, event)), `where of ${instance.name} ${step.id}`);
    }
  }

  /** @returns whether it holds; an error means that it does not. */
  #boolean(verdict: ReturnType<typeof evaluate>, where: string): boolean {
    if (!verdict.ok) {
      this.#count(`predicate:${verdict.failure.code}`);
      if (verdict.failure.code === 'type_mismatch') this.#broke(`T2 type_mismatch in ${where}`);
      return false;
    }
    if (verdict.value.kind !== 'bool') {
      this.#broke(`T2 ${verdict.value.kind} from ${where}`);
      return false;
    }
    this.#count(`predicate:${verdict.value.value}`);
    return verdict.value.value;
  }

  // The laws, when all is done

  #check(): void {
    const w = this.#w;
    const started = w.records('plan_started');
    const ended = new Map<number, number>();
    for (const end of w.records('plan_ended')) {
      ended.set(end.plan_id, (ended.get(end.plan_id) ?? 0) + 1);
      const code = end.status === 'ok' ? 'ok' : (end.error_code as string);
      this.#count(`end:${code}`);
      if (end.status !== 'ok') this.#ending(end);
    }
    for (const [id, count] of ended) if (count > 1) this.#broke(`T4 plan ${id} ended ${count} times`);
    const live = new Map(w.instances().map((instance) => [instance.id, instance]));
    for (const { plan_id } of started) {
      if (ended.has(plan_id) === live.has(plan_id)) this.#broke(`T4 plan ${plan_id} is ended and live, or neither`);
    }
    for (const instance of live.values()) {
      this.#parked(instance, live);
      this.#typed(instance);
    }
    this.#intents();
  }

  #ending(end: EndRecord): void {
    const bytes = end.result_ref === undefined ? undefined : this.#w.object(end.result_ref);
    const error = (bytes === undefined ? {} : unwrap(decode(bytes))) as { message?: string; details?: string | null };
    const { at, reason, step } = JSON.parse(error.details ?? '{}') as { at?: string; reason?: string; step?: string };
    const code = reason?.split(': ').at(-1) ?? '';
    this.#count(`reason:${reason?.startsWith('invariants/') ? 'invariant' : end.error_code}:${code}`);
    const said = `${end.plan_name} ${end.error_code} at ${at} of ${step}: ${reason}`;
    if (code === 'type_mismatch') return this.#broke(`T2 ${said}`);
    if (!(code.startsWith('value.') || WARNED_REASONS.has(code)) || VALUE_REASONS.has(code)) return;
    // A declared correlation that the event lacks (`plans.md` §11).
    const isCorrelated = this.#w.kernel.catalog.triggers.some(
      ({ plan, correlateBy }) => plan === end.plan_name && correlateBy !== undefined,
    );
    if (end.error_code === 'input_invalid' && code === 'value.missing_field' && isCorrelated) return;
    const warned = WARNED_REASONS.get(code);
    if (warned !== undefined && this.#isWarned(end.plan_name, at, warned)) return;
    this.#broke(`T2 ${said}, without a warning`);
  }

  /** Did the checker say that this may go wrong here? An `input_invalid` names no place: the trigger's. */
  #isWarned(plan: string, at: string | undefined, codes: readonly string[]): boolean {
    return this.#warnings.some((warning) => {
      if (!codes.includes(warning.code)) return false;
      if (at === undefined) return warning.kind === 'manifest';
      return warning.name === plan && isWithin(`/${warning.path.join('/')}/`, at);
    });
  }

  #parked(instance: Instance, live: ReadonlyMap<number, Instance>): void {
    const { kernel } = this.#w;
    const { def } = kernel.catalog.plans.get(instance.name)!;
    const waiting = instance.states.flatMap((state, index) => (STEP_STATE_NAMES[state] === 'waiting' ? [index] : []));
    const who = `T4 ${instance.name} ${instance.id}`;
    if (waiting.length === 0) this.#broke(`${who} is live and waits for nothing`);
    if (instance.wakes.length > 0) this.#broke(`${who} rests with wakes`);
    if (instance.states.some((state) => STEP_STATE_NAMES[state] === 'ready'))
      this.#broke(`${who} rests with ready steps`);
    if (waiting.length !== instance.receiptWaits.size + instance.eventWaits.size + instance.planWaits.size)
      this.#broke(`${who}: waits differ from states`);
    const pending = new Set<number>();
    for (const emission of kernel.pending()) {
      pending.add(emission.emissionSeq);
      for (const waiter of emission.waiters) pending.add(waiter.emissionSeq);
    }
    const waits = new Set(kernel.waits().map(({ waitId }) => waitId));
    for (const index of waiting) {
      const step = def.steps[index] as Step;
      this.#count(`parked:${step.op}`);
      const emission = instance.receiptWaits.get(index);
      const wait = instance.eventWaits.get(index);
      const children = instance.planWaits.get(index);
      const exists =
        step.op === 'await_receipt'
          ? emission !== undefined && pending.has(emission)
          : step.op === 'await_event'
            ? wait !== undefined && waits.has(wait.waitId)
            : children?.planIds.some((id) => instance.children.get(id)?.outcome === undefined && live.has(id)) === true;
      if (children?.planIds.some((id) => children.open.has(id) !== (instance.children.get(id)?.outcome === undefined)))
        this.#broke(`${who}: step ${step.id} waits for others than those that have not ended`);
      if (!exists) this.#broke(`${who}: step ${step.id} waits for what does not exist`);
    }
  }

  /** T2: what a variable holds is of the type it has wherever it is read. */
  #typed(instance: Instance): void {
    const plan = this.#world.plans.find(({ name }) => name === instance.name);
    for (const [name, value] of instance.variables) {
      const source = plan?.variables.get(name);
      if (source === undefined) continue;
      this.#count(`typed:${source.type.kind}`);
      const isRight =
        source.isReceipt === true ? value.kind === 'receipt' : covers(source.type, value, this.#world.scope);
      if (!isRight) this.#broke(`T2 @var:${name} of ${instance.name} holds a ${value.kind}, not ${source.type.kind}`);
    }
  }

  /** T3: an effect is within the envelope of its plan, and of every plan whose events led to it. */
  #intents(): void {
    const { catalog } = this.#w.kernel;
    const behind = this.#behind();
    for (const intent of this.#w.records('effect_intent')) {
      const { origin, kind, cap_name: cap } = intent;
      if (origin.origin_kind !== 'plan') continue;
      this.#count(`effect:${kind}`);
      const plan = origin.name;
      const { def } = catalog.plans.get(plan)!;
      if (!def.allowedEffects.includes(kind) || !def.requiredCaps.includes(cap)) {
        this.#broke(`T3 ${plan} emitted ${kind} under ${cap}`);
      }
      const params = givenParams(catalog, kind, intent.params_cbor);
      for (const root of behind(origin.plan_id)) {
        if (!envelopeAllows(this.#envelope(root), { plan, kind, cap, params })) {
          this.#broke(`T3 ${kind} of ${plan}, step ${origin.step_id}, is outside the envelope of ${root}`);
        }
      }
    }
    for (const event of this.#w.records('domain_event')) {
      if (event.origin !== 'plan') continue;
      const type: Type = { kind: 'ref', name: event.schema };
      const value = unwrapValue(normalizeCbor(event.value, type, catalog.scope));
      const raised = { plan: event.origin_name as string, event: event.schema, value };
      for (const root of behind(event.plan_id as number)) {
        if (!envelopeRaises(this.#envelope(root), raised)) {
          this.#broke(`T3 ${raised.event} raised by ${raised.plan} is outside the envelope of ${root}`);
        }
      }
    }
  }

  /** Names of the plan of an instance and of all that set it in motion: of a child its parent, else who raised its event. */
  #behind(): (planId: number) => ReadonlySet<string> {
    const events = new Map(this.#w.records('domain_event').map((event) => [event.seq, event]));
    const found = new Map<number, ReadonlySet<string>>();
    for (const { plan_id, plan_name, cause, parent_instance_id } of this.#w.records('plan_started')) {
      const names = new Set([plan_name]);
      // The cause of a child is what its parent was working on: an event that woke the parent started nothing.
      const mover = parent_instance_id ?? events.get(cause)?.plan_id;
      // Who that is was started before.
      for (const name of mover === undefined ? [] : (found.get(mover) ?? [])) {
        names.add(name);
        if (!envelopeStarts(this.#envelope(name), plan_name)) {
          this.#broke(`T3 ${plan_name} was started by what the envelope of ${name} does not have`);
        }
      }
      found.set(plan_id, names);
    }
    return (planId) => found.get(planId) ?? new Set();
  }

  #envelope(plan: string): EffectEnvelope {
    let envelope = this.#envelopes.get(plan);
    if (envelope === undefined) {
      envelope = effectEnvelope(this.#w.kernel.catalog, plan) as EffectEnvelope;
      this.#envelopes.set(plan, envelope);
    }
    return envelope;
  }
}

/**
 * Whether a written place is in the one that an error names. A fan-out names an item of its list (`plans.md` §10): written out it
 * has a place of its own, else the whole list has one.
 */
function isWithin(written: string, at: string): boolean {
  const [, list, item] = /^(.*\/inputs)\/(\d+)$/.exec(at) ?? [];
  if (list === undefined) return written.startsWith(`${at}/`);
  return written.startsWith(`${list}/list/`)
    ? written.startsWith(`${list}/list/${item}/`)
    : written.startsWith(`${list}/`);
}

type EndRecord = ReturnType<typeof endsOf>[number];
function endsOf(w: KernelWorld) {
  return w.records('plan_ended');
}

function eventOnly(event: Value): Env {
  return {
    input: () => undefined,
    variable: () => undefined,
    step: () => undefined,
    event: () => event,
    receipt: () => undefined,
  };
}

/** What the plan gave, before it was recorded as a message (`kernel.md` §9.2). */
function givenParams(catalog: Catalog, kind: string, recorded: Uint8Array): Value {
  const effect = catalog.effects.get(kind)!.def;
  const params = unwrapValue(
    normalizeCbor(recorded, { kind: 'ref', name: recordedParamsSchema(effect) }, catalog.scope),
  );
  if (!isTypedMessage(kind)) return params;
  const type = resolveType({ kind: 'ref', name: effect.paramsSchema }, catalog.scope);
  const sent = messageType(effect, catalog.scope);
  const message = params.kind === 'record' ? params.fields.get('value') : undefined;
  if (type.kind !== 'record' || params.kind !== 'record' || message?.kind !== 'variant' || sent === undefined)
    throw new Error(`${kind} is recorded in another form`);
  const bytes = message.value.kind === 'bytes' ? message.value.value : new Uint8Array();
  const value = unwrapValue(normalizeCbor(bytes, sent, catalog.scope));
  const fields = orderedMembers(type.fields).map(([name]): [string, Value] => [
    name,
    name === 'value' ? value : params.fields.get(name)!,
  ]);
  return { kind: 'record', fields: new Map(fields) };
}

function unwrapValue(read: ReturnType<typeof normalizeCbor>): Value {
  if (!read.ok) throw new Error(`unreadable: ${read.failure[0]?.message}`);
  return read.value.value;
}

/** The type at the path of a `correlate_by`. */
function typeAt(type: Type, path: readonly string[], scope: TypeScope): Type | undefined {
  const [segment, ...rest] = path;
  if (segment === undefined) return type;
  const here = resolveType(type, scope);
  switch (here.kind) {
    case 'option':
      return typeAt(here.item, path, scope);
    case 'map':
      return typeAt(here.value, rest, scope);
    case 'record': {
      const field = here.fields.get(segment);
      return field === undefined ? undefined : typeAt(field, rest, scope);
    }
    case 'variant':
      for (const arm of here.arms.values()) {
        const found = typeAt(arm, rest, scope);
        if (found !== undefined) return found;
      }
      return undefined;
    default:
      return undefined;
  }
}

/** Members that say nothing to a reader. */
const UNTOLD: ReadonlySet<string> = new Set([
  'record_kind',
  'signature',
  'cause',
  'event_hash',
  'grant_hash',
  'input_hash',
]);

function storyOf(w: KernelWorld): string {
  const tell = (value: unknown): unknown => {
    if (typeof value === 'bigint') return value.toString();
    if (!(value instanceof Uint8Array)) return value;
    const data = decode(value);
    // What is no encoded value is a hash or a key; its beginning tells it apart.
    return data.ok ? tell(data.value) : toHex(value.subarray(0, 4));
  };
  return w
    .allRecords()
    .map(({ seq, record }) => {
      const members = Object.entries(record).filter(([name, value]) => !UNTOLD.has(name) && value !== undefined);
      return `${seq} ${record.record_kind} ${JSON.stringify(Object.fromEntries(members), (_, value) => tell(value))}`;
    })
    .join('\n');
}
