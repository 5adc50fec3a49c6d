import {
  builtinEffect,
  builtinScope,
  emptyObject,
  type Json,
  type JsonObject,
  printJson,
  resolveType,
  scalarType,
  type Type,
  type TypeScope,
  typeToJson,
} from '@worldline/air';
import fc from 'fast-check';
import { Choices, choicesArb } from './typed-choices.ts';
import { TypedExpressions } from './typed-expr.ts';
import { type Fact, type Place, Places, type Source } from './typed-place.ts';
import { type Child, makePlan, type PlanSketch, planSketchArb, type UsableEffect } from './typed-plan.ts';
import { makeSchemas, scopeOf, type TypedSchema, typeKey } from './typed-type.ts';
import { makeValue, spell } from './typed-value.ts';

/**
 * Random well-typed worlds: schemas, effects, capabilities, grants, policy, triggers and plans that belong together
 * (`definitions.md` §3–§7). What is made here is what an author could have written; a checker that refuses it, or a plan
 * of it that ends with a type error, is wrong (`expressions.md` §13).
 */

export interface TypedWorld {
  /** All nodes, the manifest last, as an author writes them. */
  readonly nodes: readonly Json[];
  /** The nodes as the text of one file. */
  readonly text: string;
  readonly scope: TypeScope;
  readonly plans: readonly {
    readonly name: string;
    readonly input: string;
    readonly locals: ReadonlyMap<string, string>;
    /** Variables that steps bind, with the type that every value of them has. */
    readonly variables: ReadonlyMap<string, Source>;
  }[];
  /** Schemas that are raised, awaited or start something. */
  readonly events: readonly string[];
  readonly effects: readonly UsableEffect[];
  /** Sources of facts that were written, one for each time. */
  readonly facts: readonly Fact['fact'][];
  readonly [fc.toStringMethod]: () => string;
}

/** Numbers to make a world of. */
export interface WorldSketch {
  readonly schemas: readonly (readonly number[])[];
  readonly effects: readonly (readonly number[])[];
  readonly plans: readonly PlanSketch[];
  readonly triggers: readonly (readonly number[])[];
  readonly policy: readonly number[];
}

export interface WorldShape {
  /** Most steps of one plan; one world in 25 has a single plan of up to four times as many. Default 8. */
  readonly stepsMax?: number | undefined;
  /** Most plans. Default 3. */
  readonly plansMax?: number | undefined;
  /**
   * Plans may start the ones before them. Then none is correlated: what a child inherits depends on who starts it.
   * Default false.
   */
  readonly subplans?: boolean | undefined;
}

/** A sketch of a world; `makeWorld` turns it into one. */
export function worldSketchArb(shape: WorldShape = {}): fc.Arbitrary<WorldSketch> {
  const several = (numbers: number, minLength: number, maxLength: number): fc.Arbitrary<number[][]> =>
    fc.array(choicesArb(numbers), { minLength, maxLength, size: 'max' });
  const plans = (stepsMax: number, maxLength: number): fc.Arbitrary<PlanSketch[]> =>
    fc.array(planSketchArb(stepsMax), { minLength: 1, maxLength, size: 'max' });
  return fc.record({
    schemas: several(24, 1, 6),
    effects: several(12, 0, 3),
    // Mostly small, so that many fit into the time there is; now and then a long one.
    plans: fc.oneof(
      { weight: 24, arbitrary: plans(shape.stepsMax ?? 8, shape.plansMax ?? 3) },
      { weight: 1, arbitrary: plans(4 * (shape.stepsMax ?? 8), 1) },
    ),
    triggers: several(24, 0, 3),
    policy: choicesArb(12),
  });
}

/** A well-typed world. */
export function typedWorldArb(shape: WorldShape = {}): fc.Arbitrary<TypedWorld> {
  return worldSketchArb(shape).map((sketch) => makeWorld(sketch, shape));
}

/** Effects of the runtime that plans can emit and something outside answers, with grants of their capability. */
const BUILTIN_EFFECTS: readonly (readonly [kind: string, cap: string, params: readonly Json[]])[] = [
  [
    'http.request',
    'sys/http.out@1',
    [{}, { hosts: ['ok.example'] }, { methods: ['GET'], schemes: ['https'] }, { record: {} }],
  ],
  ['timer.after', 'sys/timer@1', [{}]],
  ['timer.set', 'sys/timer@1', [{}]],
  ['blob.put', 'sys/blob@1', [{}, { namespaces: ['a'] }]],
  ['blob.get', 'sys/blob@1', [{}]],
  ['approval.request', 'sys/approval@1', [{}]],
  ['llm.generate', 'sys/llm.basic@1', [{}, { providers: ['a', 'ok'], max_tokens: 1000 }]],
  ['vault.put', 'sys/secret@1', [{}]],
  ['fabric.send', 'sys/fabric@1', [{ worlds: ['a', 'b', 'ok'] }, { worlds: [] }]],
  ['mcp.call', 'sys/mcp@1', [{ servers: ['a', 'b', 'ok'] }]],
];

const SECRET = { alias: 't/key', version: 1 };
const CORRELATING: ReadonlySet<string> = new Set(['text', 'nat', 'int', 'uuid', 'hash', 'bytes']);

/** The world of a sketch: always the same one. */
export function makeWorld(sketch: WorldSketch, shape: WorldShape = {}): TypedWorld {
  return new WorldMaker(sketch, shape).make();
}

interface PlanHead {
  readonly name: string;
  readonly input: string;
  readonly triggers: JsonObject[];
  correlation: Type | undefined;
}

class WorldMaker {
  readonly #sketch: WorldSketch;
  readonly #shape: WorldShape;
  readonly #schemas: readonly TypedSchema[];
  /** Schemas of typed variants' params: of use to nothing else. */
  readonly #params: TypedSchema[] = [];
  readonly #scope: TypeScope;
  readonly #nodes: JsonObject[] = [];
  readonly #listed: Record<'effects' | 'caps' | 'policies' | 'secrets', string[]> = {
    effects: [],
    caps: [],
    policies: [],
    secrets: [],
  };
  readonly #grants: JsonObject[] = [];
  readonly #effects: UsableEffect[] = [];
  readonly #capTypes: string[] = [];

  constructor(sketch: WorldSketch, shape: WorldShape) {
    this.#sketch = sketch;
    this.#shape = shape;
    this.#schemas = makeSchemas(sketch.schemas.map((numbers) => new Choices(numbers)));
    const own = scopeOf(this.#schemas, builtinScope());
    const params = this.#params;
    this.#scope = { lookup: (name) => own.lookup(name) ?? params.find((schema) => schema.name === name)?.type };
  }

  make(): TypedWorld {
    const names = this.#schemas.map(({ name }) => name);
    for (const { name, type } of this.#schemas) {
      this.#nodes.push({ $kind: 'defschema', name, type: typeToJson(type) });
    }
    for (const numbers of this.#sketch.effects) this.#effect(new Choices(numbers));
    // Few event schemas, so that what one plan raises another one awaits.
    const events = names.slice(0, 3);
    const heads = this.#sketch.plans.map((plan, index): PlanHead => {
      const choice = new Choices(plan.head);
      return { name: `t/p${index}@1`, input: choice.pick(names), triggers: [], correlation: undefined };
    });
    for (const numbers of this.#sketch.triggers) this.#trigger(new Choices(numbers), heads, events);
    const children: Child[] = [];
    const facts: Fact['fact'][] = [];
    const plans: TypedWorld['plans'][number][] = [];
    for (const [index, head] of heads.entries()) {
      const made = makePlan(this.#sketch.plans[index] as PlanSketch, {
        name: head.name,
        input: head.input,
        scope: this.#scope,
        schemas: names,
        events,
        effects: this.#effects,
        values: { secrets: this.#listed.secrets.length > 0 ? [SECRET] : [] },
        correlation: head.correlation,
        children: this.#shape.subplans === true ? children : [],
      });
      this.#nodes.push(made.node);
      children.push({ name: head.name, input: head.input, output: made.output });
      facts.push(...made.facts);
      const locals = Object.entries((made.node['locals'] ?? {}) as Record<string, string>);
      plans.push({ name: head.name, input: head.input, locals: new Map(locals), variables: made.variables });
    }
    const policy = this.#policy(new Choices(this.#sketch.policy), heads);
    const listed = [...names, ...this.#params.map(({ name }) => name)];
    this.#nodes.push(this.#manifest(listed, heads, policy));
    const nodes = this.#nodes;
    return {
      nodes,
      text: printJson(nodes),
      scope: this.#scope,
      plans,
      events,
      effects: this.#effects,
      facts,
      // What fast-check prints of a counterexample: a file to save and to check.
      [fc.toStringMethod]: () => `[\n${nodes.map((node) => `  ${printJson(node)}`).join(',\n')}\n]`,
    };
  }

  // Effects, capabilities, grants

  #effect(choice: Choices): void {
    if (choice.chance(40)) this.#custom(choice);
    else if (choice.chance(15)) this.#variant(choice);
    else this.#builtin(choice);
  }

  #custom(choice: Choices): void {
    const index = this.#effects.length;
    const names = this.#schemas.map(({ name }) => name);
    const kind = `t.e${index}`;
    const capType = `t.c${index}`;
    const params = choice.pick(names);
    const receipt = choice.pick(names);
    this.#nodes.push({
      $kind: 'defeffect',
      name: `t/e${index}@1`,
      kind,
      params_schema: params,
      receipt_schema: receipt,
      cap_type: capType,
      origin_scope: choice.chance(30) ? 'both' : 'plan',
    });
    const schema: Type = choice.chance(50)
      ? { kind: 'ref', name: choice.pick(names) }
      : { kind: 'record', fields: new Map() };
    const cap: Record<string, Json> = {
      $kind: 'defcap',
      name: `t/c${index}@1`,
      cap_type: capType,
      schema: typeToJson(schema),
    };
    if (choice.chance(50)) cap['enforcer'] = { module: 'sys/CapAllowAll@1' };
    this.#nodes.push(cap);
    this.#listed.effects.push(`t/e${index}@1`);
    this.#listed.caps.push(`t/c${index}@1`);
    const value = spell(choice, makeValue(choice, schema, this.#scope), schema, this.#scope);
    const grants = this.#grant(choice, `g${index}`, `t/c${index}@1`, value);
    this.#capTypes.push(capType);
    this.#effects.push({ kind, params, receipt, grants });
  }

  #builtin(choice: Choices): void {
    const left = BUILTIN_EFFECTS.filter(([kind]) => this.#effects.every((effect) => effect.kind !== kind));
    const [kind, cap, params] = choice.pick(left);
    const { def } = builtinEffect(kind)!;
    this.#listed.effects.push(def.name);
    if (kind === 'llm.generate' && choice.chance(60)) {
      this.#nodes.push({ $kind: 'defsecret', name: `${SECRET.alias}@${SECRET.version}`, binding_id: 'env:T_KEY' });
      this.#listed.secrets.push(`${SECRET.alias}@${SECRET.version}`);
    }
    const grants = this.#grant(choice, `g${this.#effects.length}`, cap, choice.pick(params));
    this.#capTypes.push(def.capType);
    this.#effects.push({ kind, params: def.paramsSchema, receipt: def.receiptSchema, grants });
  }

  /** A world's own kind that extends `mcp.call` or `fabric.send`, with typed arguments (V-421). */
  #variant(choice: Choices): void {
    const index = this.#effects.length;
    const base = choice.pick(['mcp.call', 'fabric.send']);
    const { def } = builtinEffect(base)!;
    const text: Type = scalarType('text');
    const records = this.#schemas.filter(({ type }) => type.kind === 'record');
    const own: Type = { kind: 'ref', name: choice.pick(base === 'mcp.call' ? records : this.#schemas).name };
    const fields: [string, Type][] =
      base === 'mcp.call'
        ? [
            ['tool', text],
            ['server', text],
            ['arguments', own],
          ]
        : [
            ['key', { kind: 'option', item: scalarType('bytes') }],
            ['value', own],
            ['dest_world', text],
          ];
    const params: TypedSchema = { name: `t/v${index}@1`, type: { kind: 'record', fields: new Map(fields) } };
    this.#params.push(params);
    this.#nodes.push({ $kind: 'defschema', name: params.name, type: typeToJson(params.type) });
    this.#nodes.push({
      $kind: 'defeffect',
      name: `t/v${index}@1`,
      kind: `${base}.t${index}`,
      params_schema: params.name,
      receipt_schema: def.receiptSchema,
      cap_type: def.capType,
      origin_scope: 'plan',
    });
    this.#listed.effects.push(`t/v${index}@1`);
    const [, cap, grants] = BUILTIN_EFFECTS.find(([kind]) => kind === base)!;
    const kind = `${base}.t${index}`;
    this.#capTypes.push(def.capType);
    this.#effects.push({
      kind,
      params: params.name,
      receipt: def.receiptSchema,
      grants: this.#grant(choice, `g${index}`, cap, choice.pick(grants)),
    });
  }

  #grant(choice: Choices, name: string, cap: string, params: Json): string[] {
    const grant: Record<string, Json> = { name, cap, params };
    const expiry = choice.weighted<Json>([
      [8, null],
      [1, 5_000_000],
      [1, 1_000_000_000_000],
    ]);
    if (expiry !== null) grant['expiry_ns'] = expiry;
    this.#grants.push(grant);
    return [name];
  }

  #policy(choice: Choices, heads: readonly PlanHead[]): string | undefined {
    if (!choice.chance(40)) return undefined;
    const rules: Json[] = [];
    for (let i = choice.count(0, 2); i > 0; i--) {
      const when = emptyObject();
      const field = choice.pick(['effect_kind', 'cap_name', 'cap_type', 'origin_name', 'origin_kind'] as const);
      const effect = this.#effects.length > 0 ? choice.pick(this.#effects) : undefined;
      if (field === 'origin_kind') when[field] = choice.pick(['reducer', 'plan']);
      else if (field === 'origin_name') when[field] = choice.pick(heads).name;
      else if (effect === undefined) when['origin_kind'] = 'reducer';
      else if (field === 'effect_kind') when[field] = effect.kind;
      else if (field === 'cap_name') when[field] = effect.grants[0] as string;
      else when[field] = choice.pick(this.#capTypes);
      rules.push({ when, decision: choice.chance(60) ? 'allow' : 'deny' });
    }
    if (!choice.chance(10)) rules.push({ when: {}, decision: 'allow' });
    this.#nodes.push({ $kind: 'defpolicy', name: 't/policy@1', rules });
    this.#listed.policies.push('t/policy@1');
    return 't/policy@1';
  }

  // Triggers

  #trigger(choice: Choices, heads: readonly PlanHead[], events: readonly string[]): void {
    const head = choice.pick(heads);
    const same = events.filter((event) => this.#key(event) === this.#key(head.input));
    const direct = same.length > 0 && choice.chance(50);
    const [first = '', ...others] = direct ? same : events;
    const event = choice.weighted([[3, first] as const, ...others.map((other) => [1, other] as const)]);
    const places = new Places(this.#scope, [{ root: '@event', type: { kind: 'ref', name: event } }]);
    const make = new TypedExpressions(choice, places);
    const trigger = emptyObject();
    trigger['event'] = event;
    trigger['plan'] = head.name;
    // Children inherit what their parents have, so there it would take all plans to agree.
    const mayCorrelate = this.#shape.subplans !== true;
    const wants = mayCorrelate && (head.triggers.length === 0 ? choice.chance(45) : head.correlation !== undefined);
    if (wants) {
      const keys = places.all().filter((place) => this.#correlates(place, head.correlation));
      // All ways to start a plan agree on what its correlation is (`expressions.md` §13.1).
      if (keys.length === 0 && head.triggers.length > 0) return;
      if (keys.length > 0) {
        const key = choice.pick(keys);
        trigger['correlate_by'] = key.segments.join('.');
        head.correlation ??= resolveType(key.type as Type, this.#scope);
      }
    }
    let known = make;
    if (choice.chance(30)) {
      const { json, facts } = make.bool();
      trigger['when'] = json;
      known = make.knowing(facts);
    }
    if (!direct) trigger['input_expr'] = known.slot({ kind: 'ref', name: head.input }, 3);
    head.triggers.push(trigger);
  }

  #correlates(place: Place, as: Type | undefined): boolean {
    if (place.segments.length === 0 || place.type.kind === 'integer' || place.type.kind === 'payload') return false;
    if (place.segments.some((segment) => segment.includes('.') || segment === '$tag')) return false;
    const { kind } = resolveType(place.type, this.#scope);
    return CORRELATING.has(kind) && (as === undefined || as.kind === kind);
  }

  #key(schema: string): string {
    return typeKey({ kind: 'ref', name: schema }, this.#scope);
  }

  #manifest(schemas: readonly string[], heads: readonly PlanHead[], policy: string | undefined): JsonObject {
    const refs = (names: readonly string[]): Json => names.map((name) => ({ name }));
    const triggers = heads.flatMap((head) => head.triggers);
    return {
      $kind: 'manifest',
      air_version: '1',
      schemas: refs(schemas),
      modules: [],
      plans: refs(heads.map(({ name }) => name)),
      effects: refs(this.#listed.effects),
      caps: refs(this.#listed.caps),
      policies: refs(this.#listed.policies),
      secrets: refs(this.#listed.secrets),
      defaults: { ...(policy === undefined ? {} : { policy }), cap_grants: this.#grants },
      triggers,
    };
  }
}
