import { emptyObject, type Json, type JsonObject, scalarType, type Type, type TypeScope } from '@worldline/air';
import fc from 'fast-check';
import { Choices, choicesArb } from './typed-choices.ts';
import { TypedExpressions } from './typed-expr.ts';
import {
  commonFacts,
  type Fact,
  type Facts,
  NO_FACTS,
  Places,
  type Source,
  type StaticType,
  withFacts,
} from './typed-place.ts';
import { typeKey } from './typed-type.ts';
import type { ValueOptions } from './typed-value.ts';

/** Random well-typed plans (`plans.md` §2, §3): a sketch of numbers becomes a graph whose every slot has its type. */

export interface StepSketch {
  readonly op: number;
  readonly after: readonly number[];
  readonly choices: readonly number[];
}

export interface PlanSketch {
  readonly head: readonly number[];
  readonly steps: readonly StepSketch[];
  readonly invariants: readonly (readonly number[])[];
}

/** An effect that plans of the world may emit. */
export interface UsableEffect {
  readonly kind: string;
  readonly params: string;
  readonly receipt: string;
  /** Grants of the effect's capability type, at least one. */
  readonly grants: readonly string[];
}

/** What a plan is made within. */
export interface PlanSurroundings {
  readonly name: string;
  readonly input: string;
  readonly scope: TypeScope;
  /** Names of schemas for locals and outputs. */
  readonly schemas: readonly string[];
  /** Names of schemas that are raised and awaited. */
  readonly events: readonly string[];
  readonly effects: readonly UsableEffect[];
  readonly values: ValueOptions;
  /** Type of `@var:correlation_id` where a trigger correlates the plan. */
  readonly correlation?: Type | undefined;
  /** Plans that may be spawned; with one, the plan can be checked and not run. */
  readonly children: readonly Child[];
}

export interface Child {
  readonly name: string;
  readonly input: string;
  readonly output?: string | undefined;
}

export interface MadePlan {
  readonly node: JsonObject;
  readonly output?: string | undefined;
  /** How often each source of a fact was written. */
  readonly facts: readonly Fact['fact'][];
  /** Variables that steps bind, with the type that every value of them has. */
  readonly variables: ReadonlyMap<string, Source>;
}

export function planSketchArb(stepsMax: number): fc.Arbitrary<PlanSketch> {
  const step: fc.Arbitrary<StepSketch> = fc.record({
    op: fc.nat(0xffff),
    after: fc.array(fc.nat(0xffff), { maxLength: 3, size: 'max' }),
    choices: choicesArb(48),
  });
  return fc.record({
    head: choicesArb(8),
    steps: fc.array(step, { minLength: 1, maxLength: stepsMax, size: 'max' }),
    invariants: fc.array(choicesArb(24), { maxLength: 2, size: 'max' }),
  });
}

export function makePlan(sketch: PlanSketch, around: PlanSurroundings): MadePlan {
  return new PlanMaker(sketch, around).make();
}

type Op = 'assign' | 'emit_effect' | 'await_receipt' | 'await_event' | 'raise_event' | 'end' | SpawnOp;
type SpawnOp = 'spawn_plan' | 'await_plan' | 'spawn_for_each' | 'await_plans_all';

/** A step that is there, and what it gives to those after it. */
interface Made {
  readonly id: string;
  readonly op: Op;
  readonly node: JsonObject;
  /** Positions of all steps that are settled before it. */
  readonly before: ReadonlySet<number>;
  readonly facts: Facts;
  readonly sources: readonly Source[];
  /** Roots that its `where` reads: their binders stay earlier in the list (V-511). */
  readonly where?: string | undefined;
}

interface Open {
  readonly step: number;
  readonly handle: string;
  readonly receipt: string;
  readonly kind: string;
}

interface Spawned {
  readonly step: number;
  readonly handle: string;
  readonly child: Child;
  readonly isMany: boolean;
}

interface Variable {
  readonly name: string;
  readonly source: Source;
  /** Bound by more than one step, so no fact about it holds (`expressions.md` §13.5). */
  readonly isShared: boolean;
  /** Of the receipts it holds. */
  readonly kind?: string | undefined;
}

const ANY_CORRELATION: StaticType = {
  kind: 'payload',
  arms: [scalarType('text'), scalarType('nat'), scalarType('bytes')],
};

/** Steps that a step may come directly after are not far above it. */
const REACH = 5;
const SOURCES_MAX = 5;

class PlanMaker {
  readonly #sketch: PlanSketch;
  readonly #around: PlanSurroundings;
  readonly #steps: Made[] = [];
  readonly #edges: JsonObject[] = [];
  readonly #edgeEnds: (readonly [number, number])[] = [];
  readonly #locals = new Map<string, string>();
  /** Locals that one step at most may bind. */
  readonly #once = new Set<string>();
  readonly #variables = new Map<string, Variable>();
  readonly #open: Open[] = [];
  readonly #spawned: Spawned[] = [];
  readonly #facts: Fact['fact'][] = [];
  readonly #input: Source;
  #output: string | undefined;

  constructor(sketch: PlanSketch, around: PlanSurroundings) {
    this.#sketch = sketch;
    this.#around = around;
    this.#input = { root: '@plan.input', type: { kind: 'ref', name: around.input } };
  }

  make(): MadePlan {
    const { schemas, name, input } = this.#around;
    const head = new Choices(this.#sketch.head);
    for (let i = head.count(0, 2); i > 0; i--) {
      this.#locals.set(`l${i}`, head.pick(schemas));
      if (head.chance(50)) this.#once.add(`l${i}`);
    }
    if (head.chance(40)) this.#output = head.pick(schemas);
    for (const step of this.#sketch.steps) this.#step(step);
    const ends = this.#steps.some(({ op }) => op === 'end');
    if (this.#output !== undefined && !ends) {
      this.#step({ op: 0, after: [0xffff, 1], choices: this.#sketch.head }, 'end');
    }
    const node = emptyObject();
    node['$kind'] = 'defplan';
    node['name'] = name;
    node['input'] = input;
    if (this.#output !== undefined) node['output'] = this.#output;
    if (this.#locals.size > 0) node['locals'] = Object.fromEntries(this.#locals);
    node['steps'] = this.#listed(head);
    if (this.#edges.length > 0) node['edges'] = this.#edges;
    const invariants = this.#sketch.invariants.map((numbers) => this.#invariant(new Choices(numbers)));
    if (invariants.length > 0) node['invariants'] = invariants;
    if (head.chance(15)) this.#declare(node);
    const variables = new Map([...this.#variables].map(([variable, { source }]) => [variable, source]));
    return { node, output: this.#output, facts: this.#facts, variables };
  }

  /** The derived lists, written out (V-506, V-507): any order will do. */
  #declare(node: Record<string, Json>): void {
    const emits = this.#steps.filter(({ op }) => op === 'emit_effect');
    const listed = (member: string): Json => [...new Set(emits.map((step) => step.node[member] as string))].reverse();
    node['required_caps'] = listed('cap');
    node['allowed_effects'] = listed('kind');
  }

  // The graph

  #step(sketch: StepSketch, forced?: Op): void {
    const choice = new Choices(sketch.choices);
    const position = this.#steps.length;
    const op = forced ?? new Choices([sketch.op]).weighted(this.#possible());
    const awaited = op === 'await_receipt' ? choice.pick(this.#open) : undefined;
    const joined =
      op === 'await_plan' || op === 'await_plans_all'
        ? choice.pick(this.#spawned.filter(({ isMany }) => isMany === (op === 'await_plans_all')))
        : undefined;
    const data = awaited?.step ?? joined?.step;
    const after = this.#after(sketch.after, data);
    const before = new Set<number>();
    const ways: Facts[] = [];
    for (const p of data === undefined ? after : [...after, data]) {
      before.add(p);
      for (const q of this.#steps[p]?.before ?? []) before.add(q);
    }
    const id = choice.chance(5) ? `s.${position}` : `s${position}`;
    for (const p of after) {
      const from = this.#steps[p] as Made;
      const edge = emptyObject();
      edge['from'] = from.id;
      edge['to'] = id;
      let facts = from.facts;
      if (choice.chance(45)) {
        const make = this.#expressions(choice, new Set([...from.before, p]), from.facts);
        const guard = make.bool();
        edge['when'] = guard.json;
        this.#facts.push(...guard.facts.map(({ fact }) => fact));
        facts = withFacts(
          facts,
          guard.facts.filter(({ key }) => make.mayKnow(key)),
        );
      }
      ways.push(facts);
      this.#edges.push(edge);
      this.#edgeEnds.push([p, position]);
    }
    const facts = after.length > 0 ? commonFacts(ways) : NO_FACTS;
    const make = this.#expressions(choice, before, facts);
    const made = this.#body(op, choice, make, { id, position, before, facts, awaited, joined });
    this.#steps.push({ id, op, before, facts, ...made });
  }

  /** Steps that this one follows directly, in ascending order: a join of two is rarer than a chain. */
  #after(numbers: readonly number[], data: number | undefined): number[] {
    const from = this.#steps.flatMap(({ op }, index) => (op === 'end' ? [] : [index]));
    if (from.length === 0) return [];
    const [how = 0, ...which] = numbers;
    const count = data === undefined ? [1, 1, 1, 0, 2, 1, 1, 2][how % 8] : [1, 0, 1, 2][how % 4];
    const found = new Set<number>();
    for (let i = 0; i < (count as number); i++) {
      const near = from.slice(-REACH);
      found.add(
        i === 0 && data !== undefined && how % 3 !== 2
          ? data
          : (near.at(-1 - ((which[i] ?? 0) % near.length)) as number),
      );
    }
    return [...found].sort((a, b) => a - b);
  }

  #possible(): (readonly [number, Op])[] {
    const { effects, events, children } = this.#around;
    const single = this.#spawned.some(({ isMany }) => !isMany);
    const many = this.#spawned.some(({ isMany }) => isMany);
    return [
      [4, 'assign'],
      ...(events.length > 0 ? [[2, 'raise_event'] as const, [3, 'await_event'] as const] : []),
      ...(effects.length > 0 ? [[4, 'emit_effect'] as const] : []),
      ...(this.#open.length > 0 ? [[7, 'await_receipt'] as const] : []),
      ...(this.#steps.length > 0 ? [[1, 'end'] as const] : []),
      ...(children.length > 0 ? [[4, 'spawn_plan'] as const, [3, 'spawn_for_each'] as const] : []),
      ...(single ? [[6, 'await_plan'] as const] : []),
      ...(many || single ? [[4, many ? 'await_plans_all' : 'await_plan'] as const] : []),
    ];
  }

  // What may be read

  #expressions(choice: Choices, before: ReadonlySet<number>, facts: Facts, event?: string): TypedExpressions {
    const { scope, values } = this.#around;
    const sources = this.#sources(choice, before);
    if (event !== undefined) sources.push({ root: '@event', type: { kind: 'ref', name: event } });
    return new TypedExpressions(choice, new Places(scope, sources, facts), values);
  }

  #sources(choice: Choices, before: ReadonlySet<number>): Source[] {
    const near = [...before].sort((a, b) => b - a);
    // Now and then also what is bound on another branch, or not yet: then it may be missing.
    if (choice.chance(10)) near.push(...this.#steps.keys());
    const { correlation } = this.#around;
    const found = new Map<string, Source>([['@plan.input', this.#input]]);
    if (correlation !== undefined) found.set('@var:correlation_id', { root: '@var:correlation_id', type: correlation });
    // Without a correlated trigger it is what a manual start gives, or the key of an event.
    else if (this.#around.children.length === 0 && choice.chance(4))
      found.set('@var:correlation_id', { root: '@var:correlation_id', type: ANY_CORRELATION });
    for (const position of near) {
      if (found.size > SOURCES_MAX) break;
      for (const source of this.#steps[position]?.sources ?? []) {
        // A step's own reference is rarer than the variable it binds.
        if (source.root.startsWith('@step:') && !choice.chance(30)) continue;
        found.set(source.root, source);
      }
    }
    if (choice.chance(10)) {
      for (const name of this.#locals.keys()) found.set(`@var:${name}`, this.#sourceOf(name));
    }
    return [...found.values()];
  }

  #invariant(choice: Choices): Json {
    const make = this.#expressions(choice, new Set(this.#steps.keys()), NO_FACTS);
    return choice.chance(25) ? make.bool().json : make.truth();
  }

  // Steps

  #body(
    op: Op,
    choice: Choices,
    make: TypedExpressions,
    at: {
      readonly id: string;
      readonly position: number;
      readonly before: ReadonlySet<number>;
      readonly facts: Facts;
      readonly awaited: Open | undefined;
      readonly joined: Spawned | undefined;
    },
  ): Pick<Made, 'node' | 'sources' | 'where'> {
    const { id, position, awaited, joined } = at;
    const node = emptyObject();
    node['id'] = id;
    node['op'] = op;
    if (choice.chance(4)) node['$comment'] = 'generated';
    const step = `@step:${id}`;
    const bound = (member: string, name: string): void => {
      node['bind'] = { [member]: name };
    };
    const valued = (variable: Variable, member = 'as'): Source[] => {
      bound(member, variable.name);
      const own: Source = { ...variable.source, root: step, isShared: false };
      // A variable that is bound once is the value of the step that binds it.
      const { is, root } = variable.source;
      return [
        variable.source,
        variable.isShared ? { ...own, is: undefined } : { ...own, is: is ?? JSON.stringify([root]) },
      ];
    };
    const { events, effects } = this.#around;
    switch (op) {
      case 'assign': {
        const variable = this.#assign(choice, make, node);
        return { node, sources: valued(variable) };
      }
      case 'emit_effect': {
        const effect = choice.pick(effects);
        const handle = `h${position}`;
        node['kind'] = effect.kind;
        node['cap'] = choice.pick(effect.grants);
        node['params'] = make.slot({ kind: 'ref', name: effect.params }, 3);
        if (choice.chance(30)) node['idempotency_key'] = make.slot(scalarType('hash'));
        bound('effect_id_as', handle);
        this.#open.push({ step: position, handle, receipt: effect.receipt, kind: effect.kind });
        return {
          node,
          sources: [
            { root: `${step}.intent_hash`, type: scalarType('hash') },
            { root: `${step}.params`, type: { kind: 'ref', name: effect.params } },
          ],
        };
      }
      case 'await_receipt': {
        const { handle, receipt, kind } = awaited as Open;
        node['for'] = { ref: `@var:${handle}` };
        const type: Type = { kind: 'ref', name: receipt };
        return { node, sources: valued(this.#bind(choice, { type, isReceipt: true }, kind)) };
      }
      case 'await_event': {
        const event = choice.pick(events);
        node['event'] = event;
        const where = this.#where(choice, at.before, at.facts, event);
        if (where !== undefined) node['where'] = where;
        const sources = valued(this.#bind(choice, { type: { kind: 'ref', name: event } }));
        return { node, sources, where: where === undefined ? undefined : JSON.stringify(where, bigints) };
      }
      case 'raise_event': {
        // The first schema starts most plans: raised as often as the others, worlds would mostly start themselves.
        const event = choice.pick(choice.chance(70) && events.length > 1 ? events.slice(1) : events);
        node['event'] = event;
        node['value'] = make.slot({ kind: 'ref', name: event }, 3);
        return {
          node,
          sources: [
            { root: `${step}.value`, type: { kind: 'ref', name: event } },
            { root: `${step}.schema`, type: scalarType('text') },
          ],
        };
      }
      case 'end':
        if (this.#output !== undefined) node['result'] = make.slot({ kind: 'ref', name: this.#output }, 3);
        return { node, sources: [] };
      case 'spawn_plan': {
        const child = choice.pick(this.#around.children);
        node['plan'] = child.name;
        node['input'] = make.slot({ kind: 'ref', name: child.input }, 3);
        bound('handle_as', `h${position}`);
        this.#spawned.push({ step: position, handle: `h${position}`, child, isMany: false });
        return { node, sources: [] };
      }
      case 'spawn_for_each': {
        const child = choice.pick(this.#around.children);
        node['plan'] = child.name;
        node['inputs'] = make.slot({ kind: 'list', item: { kind: 'ref', name: child.input } }, 3);
        if (choice.chance(30)) node['max_fanout'] = 3 + choice.below(5);
        bound('handles_as', `h${position}`);
        this.#spawned.push({ step: position, handle: `h${position}`, child, isMany: true });
        return { node, sources: [] };
      }
      case 'await_plan': {
        const one = joined as Spawned;
        const own = `@step:${(this.#steps[one.step] as Made).id}`;
        node['for'] = { ref: choice.pick([`@var:${one.handle}`, own, `${own}.${one.handle}`]) };
        return { node, sources: valued(this.#bind(choice, { type: resultOf(one.child) })) };
      }
      case 'await_plans_all': {
        const one = joined as Spawned;
        const own = `@step:${(this.#steps[one.step] as Made).id}`;
        node['handles'] = { ref: choice.pick([`@var:${one.handle}`, own]) };
        const type: Type = { kind: 'list', item: resultOf(one.child) };
        return { node, sources: valued(this.#bind(choice, { type }), 'results_as') };
      }
      default:
        return op satisfies never;
    }

    function bigints(_: string, value: unknown): unknown {
      return typeof value === 'bigint' ? value.toString() : value;
    }
  }

  #assign(choice: Choices, make: TypedExpressions, node: Record<string, Json>): Variable {
    const locals = this.#free();
    if (locals.length > 0 && choice.chance(45)) {
      const local = choice.pick(locals);
      const type = this.#sourceOf(local).type as Type;
      node['expr'] = make.slot(type, 3);
      return this.#local(local, make.placeOf(node['expr'], type));
    }
    const shared = [...this.#variables.values()].filter(
      ({ isShared, source, name }) => isShared && source.isReceipt !== true && !this.#locals.has(name),
    );
    if (shared.length > 0 && choice.chance(40)) {
      const variable = choice.pick(shared);
      const expr = make.again(variable.source.type);
      if (expr !== undefined) {
        node['expr'] = expr;
        return variable;
      }
    }
    const { json, type, is } = make.inferred();
    node['expr'] = json;
    return this.#bind(choice, { type, is });
  }

  /** Locals that a step may still bind. */
  #free(): string[] {
    return [...this.#locals.keys()].filter((name) => !this.#once.has(name) || !this.#variables.has(name));
  }

  #sourceOf(local: string): Source {
    const type: Type = { kind: 'ref', name: this.#locals.get(local) as string };
    return { root: `@var:${local}`, type, isShared: !this.#once.has(local) };
  }

  /** @param is - Key of the place that it is bound to. */
  #local(name: string, is?: string): Variable {
    const isShared = !this.#once.has(name);
    const source = { ...this.#sourceOf(name), is: isShared ? undefined : is };
    const variable: Variable = { name, source, isShared };
    this.#variables.set(name, variable);
    return variable;
  }

  /** A variable for a value of this type: mostly a new one, sometimes one that holds such values already. */
  #bind(choice: Choices, { is, ...value }: Pick<Source, 'type' | 'isReceipt' | 'is'>, kind?: string): Variable {
    const key = this.#keyOf(value.type);
    const again = [...this.#variables.values()].filter(
      (variable) =>
        variable.isShared &&
        variable.kind === kind &&
        (variable.source.isReceipt === true) === (value.isReceipt === true) &&
        this.#keyOf(variable.source.type) === key,
    );
    if (again.length > 0 && choice.chance(60)) return choice.pick(again);
    const local = this.#free().find((name) => this.#keyOf(this.#sourceOf(name).type) === key);
    if (local !== undefined && value.isReceipt !== true && choice.chance(30)) return this.#local(local);
    const name = choice.chance(5) ? `d.${this.#variables.size}` : `v${this.#variables.size}`;
    const isShared = choice.chance(25) && this.#maySwap(value.type);
    const variable: Variable = {
      name,
      source: { root: `@var:${name}`, ...value, isShared, is: isShared ? undefined : is },
      isShared,
      kind,
    };
    this.#variables.set(name, variable);
    return variable;
  }

  /** Without facts a variant's payload may be untypeable; so those are bound once. */
  #maySwap(type: StaticType): boolean {
    return !this.#keyOf(type).includes('<');
  }

  #keyOf(type: StaticType): string {
    return type.kind === 'integer' || type.kind === 'payload' ? type.kind : typeKey(type, this.#around.scope);
  }

  #where(choice: Choices, before: ReadonlySet<number>, facts: Facts, event: string): Json | undefined {
    const make = this.#expressions(choice, before, facts, event);
    const { correlation } = this.#around;
    const base = correlation === undefined ? undefined : make.correlated();
    const match = choice.chance(70) ? make.match() : undefined;
    const rest = choice.chance(30) ? make.knowing(match?.facts ?? []).bool(1).json : undefined;
    const parts = [base, match?.json, rest].filter((part) => part !== undefined);
    if (parts.length > 1) return { op: 'and', args: parts };
    return parts[0];
  }

  /** Declaration order need not be graph order (`definitions.md` §10, 5xx): only what a wait names must come before it. */
  #listed(choice: Choices): Json {
    if (!choice.chance(30)) return this.#steps.map(({ node }) => node);
    const left = new Set(this.#steps.keys());
    const order: number[] = [];
    const mayCome = (position: number): boolean => {
      const step = this.#steps[position] as Made;
      return [...left].every((other) => {
        if (other === position) return true;
        const { sources, op, node } = this.#steps[other] as Made;
        const names = Object.values((node['bind'] as JsonObject | undefined) ?? {}) as string[];
        if (op === 'emit_effect' || op === 'spawn_plan' || op === 'spawn_for_each') {
          const own = JSON.stringify([step.node['for'] ?? null, step.node['handles'] ?? null]);
          return (
            !names.some((name) => own.includes(`@var:${name}"`)) &&
            !own.includes(`@step:${(this.#steps[other] as Made).id}`)
          );
        }
        return step.where === undefined || !sources.some(({ root }) => step.where?.includes(root));
      });
    };
    while (left.size > 0) {
      const free = [...left].filter(mayCome);
      const next = free.length === 0 ? ([...left][0] as number) : choice.pick(free);
      left.delete(next);
      order.push(next);
    }
    return order.map((position) => (this.#steps[position] as Made).node);
  }
}

/** What an await of a child's end gives (`plans.md` §12.3). */
function resultOf(child: Child): Type {
  return {
    kind: 'variant',
    arms: new Map<string, Type>([
      ['Ok', child.output === undefined ? scalarType('unit') : { kind: 'ref', name: child.output }],
      ['Error', { kind: 'ref', name: 'sys/PlanError@1' }],
      ['Canceled', scalarType('unit')],
    ]),
  };
}
