import {
  conform,
  type Env,
  evaluate,
  isMapKeyKind,
  isSetItemKind,
  type Json,
  literalToTree,
  parseExpr,
  resolveType,
  type ScalarKind,
  scalarType,
  type Type,
  type TypeScope,
} from '@worldline/air';
import type { Choices } from './typed-choices.ts';
import { type Fact, keyBelow, type Place, type Places, type StaticType } from './typed-place.ts';
import { isLensWord, isPlain, typeKey } from './typed-type.ts';
import { makeValue, namedText, objectOf, scalarOf, spell, usableArms, type ValueOptions } from './typed-value.ts';

/** An expression of type bool, what is known where it is true, and what is known where it is false. */
export interface Predicate {
  readonly json: Json;
  readonly facts: readonly Fact[];
  readonly otherwise: readonly Fact[];
}

/**
 * Expressions by type: given the type that is wanted and what may be read, one of the expressions that have it
 * (`expressions.md` §5–§9, §13.3). Nothing here can fail to be an expression of its type; what may still fail is what a
 * checker cannot know: ranges, absent options, keys and payloads.
 */
export class TypedExpressions {
  readonly #choice: Choices;
  readonly #places: Places;
  readonly #scope: TypeScope;
  readonly #values: ValueOptions;

  constructor(choice: Choices, places: Places, values: ValueOptions = {}) {
    this.#choice = choice;
    this.#places = places;
    this.#scope = places.scope;
    this.#values = values;
  }

  /** The same where more is known. */
  knowing(facts: readonly Fact[]): TypedExpressions {
    return new TypedExpressions(this.#choice, this.#places.knowing(facts), this.#values);
  }

  /** Does a fact about this place hold later on? */
  mayKnow(key: string): boolean {
    return this.#places.mayKnow(key);
  }

  // Slots: the expected type is known and pushed down

  /** What may be written in a slot of type `type` (`values.md` §3.3). */
  slot(type: Type, depth = 2): Json {
    return this.#slot(type, depth, false);
  }

  /** @param tagged - Sugar is impossible here: something around it is written tagged. */
  #slot(type: Type, depth: number, tagged: boolean): Json {
    const choice = this.#choice;
    const fitting = this.#fitting(type);
    const target = resolveType(type, this.#scope);
    const inner = target.kind === 'option' ? resolveType(target.item, this.#scope) : target;
    if (type.kind === 'ref' && type.name === 'sys/SecretRef@1') return this.#secret(type, tagged);
    const isComposite = ['record', 'variant', 'list', 'set', 'map'].includes(inner.kind);
    const form = choice.weighted<'literal' | 'place' | 'operation' | 'build'>([
      [4, 'literal'],
      ...(fitting.length > 0 ? [[7, 'place'] as const] : []),
      ...(depth > 0 && !isComposite ? [[3, 'operation'] as const] : []),
      ...(depth > 0 && isComposite ? [[6, 'build'] as const] : []),
    ]);
    switch (form) {
      case 'place':
        return this.#read(choice.weighted(fitting));
      case 'operation': {
        const made = this.#operation(inner, depth - 1);
        return made !== undefined && this.#foldsInto(made, type) ? made : this.#literal(type, tagged);
      }
      case 'build':
        return this.#build(inner, depth - 1, tagged);
      case 'literal':
        return this.#literal(type, tagged);
      default:
        return form satisfies never;
    }
  }

  /** A declared secret, or one that is known only when it runs: then it may be none that there is. */
  #secret(type: Type, tagged: boolean): Json {
    const versions = this.#numbers().filter((place) => this.#isSure(place));
    if (versions.length === 0 || this.#choice.chance(60)) return this.#literal(type, tagged);
    const alias: Json = { text: this.#values.secrets?.[0]?.alias ?? 'none' };
    return {
      record: objectOf([
        ['alias', alias],
        ['version', this.#read(this.#choice.pick(versions))],
      ]),
    };
  }

  #literal(type: Type, tagged: boolean): Json {
    const value = makeValue(this.#choice, type, this.#scope, this.#values);
    return tagged ? literalToTree(value) : spell(this.#choice, value, type, this.#scope);
  }

  /** A composite whose parts are slots themselves. */
  #build(type: Type, depth: number, within: boolean): Json {
    const choice = this.#choice;
    const names = type.kind === 'record' ? type.fields : type.kind === 'variant' ? type.arms : undefined;
    const tagged = within || choice.chance(35) || [...(names?.keys() ?? [])].some(isLensWord);
    const part = (inner: Type): Json => this.#slot(inner, depth, tagged);
    switch (type.kind) {
      case 'record': {
        const members = [...type.fields].flatMap(([name, field]) => {
          const isOption = resolveType(field, this.#scope).kind === 'option';
          if (isOption && choice.chance(30)) return [];
          const suited = namedText(choice, name, field);
          return [[name, suited === undefined ? part(field) : { text: suited }] as const];
        });
        return tagged ? { record: objectOf(members) } : objectOf(members);
      }
      case 'variant': {
        const [tag, arm] = choice.pick(usableArms(type, this.#values));
        const isUnit = resolveType(arm, this.#scope).kind === 'unit';
        if (!tagged) return objectOf([[tag, isUnit ? null : part(arm)]]);
        return { variant: isUnit ? { tag } : { tag, value: part(arm) } };
      }
      case 'list': {
        const items = Array.from({ length: choice.count(0, 3) }, () => part(type.item));
        return tagged ? { list: items } : items;
      }
      case 'set': {
        const items = Array.from({ length: choice.count(0, 3) }, () => this.#element(type.item, tagged));
        return tagged ? { set: items } : items;
      }
      case 'map': {
        const keys = new Map<string, Json>();
        for (let i = choice.count(0, 2); i > 0; i--) {
          const key = makeValue(choice, type.key, this.#scope);
          const text = String((key as { readonly value: unknown }).value);
          keys.set(text, tagged ? literalToTree(key) : spell(choice, key, type.key, this.#scope));
        }
        // A key that is computed can meet another one; then the values decide (`duplicate_key`).
        const fitting = this.#fitting(type.key).filter(([, place]) => this.#isKey(place));
        if (fitting.length > 0 && choice.chance(40)) {
          if (resolveType(type.key, this.#scope).kind === 'text')
            for (const key of COMMON_KEYS) keys.set(key, { text: key });
          keys.set('\u0000', this.#read(choice.weighted(fitting)));
        }
        const pairs = [...keys].map(([, key]) => [key, part(type.value)] as const);
        return tagged ? { map: pairs.map(([key, value]) => ({ key, value })) } : pairs.map(([k, v]) => [k, v]);
      }
      default:
        throw new Error(`${type.kind} is no composite`);
    }
  }

  /** An element of a set is a scalar by its own type, whatever it is used for (`expressions.md` §6). */
  #element(type: Type, tagged: boolean): Json {
    const fitting = this.#fitting(type).filter(([, place]) => place.type.kind !== 'payload');
    if (fitting.length > 0 && this.#choice.chance(50)) return this.#read(this.#choice.weighted(fitting));
    return this.#literal(type, tagged);
  }

  /** Whatever a key is used for, only values of these kinds may be one (`expressions.md` §6). */
  #isKey({ type }: Place): boolean {
    if (type.kind === 'integer') return true;
    if (type.kind === 'payload') return false;
    const target = resolveType(type, this.#scope);
    return isMapKeyKind((target.kind === 'option' ? resolveType(target.item, this.#scope) : target).kind);
  }

  /** Places that may be used where `type` is wanted, with a weight (`expressions.md` §13.3). */
  #fitting(type: Type): (readonly [number, Place])[] {
    const wanted = typeKey(type, this.#scope);
    const target = resolveType(type, this.#scope);
    return this.#places.all().flatMap((place) => {
      const weight = this.#weight(place, target, wanted);
      return weight > 0 ? [[weight, place] as const] : [];
    });
  }

  #weight(place: Place, target: Type, wanted: string): number {
    const { type } = place;
    if (place.typeKey === wanted) return 12;
    if (target.kind === 'option') {
      const item = resolveType(target.item, this.#scope);
      const inner = this.#weight(place, item, typeKey(item, this.#scope));
      return inner > 1 ? 4 : inner;
    }
    if (type.kind === 'payload') {
      return type.arms.some((arm) => typeKey(arm, this.#scope) === wanted) ? 3 : 0;
    }
    if (type.kind === 'integer') return isNumeric(target.kind) ? (isInteger(target.kind) ? 6 : 1) : 0;
    const source = resolveType(type, this.#scope);
    if (source.kind === 'option') {
      if (typeKey(source.item, this.#scope) !== wanted) return 0;
      return this.#places.facts.some.has(place.key) ? 12 : 2;
    }
    if (isInteger(source.kind) && isInteger(target.kind)) return 6;
    if (isNumeric(source.kind) && isNumeric(target.kind)) return 1;
    if (source.kind === 'text') return isTextLike(target.kind) ? 1 : 0;
    if (isTextLike(source.kind)) return target.kind === 'text' ? 3 : 0;
    return source.kind === 'record' && this.#widens(source, target) ? 6 : 0;
  }

  /** A record value where another record is wanted: the same fields, each without a run-time check. */
  #widens(source: Type & { kind: 'record' }, target: Type): boolean {
    if (target.kind !== 'record' || target.fields.size !== source.fields.size) return false;
    return [...source.fields].every(([name, from]) => {
      const to = target.fields.get(name);
      if (to === undefined) return false;
      const [a, b] = [typeKey(from, this.#scope), typeKey(to, this.#scope)];
      return a === b || b === `option(${a})` || (isTextLike(a) && b === 'text');
    });
  }

  /** A reference-free expression must already fit at load (`const_error`, `const_range`). */
  #foldsInto(expr: Json, type: Type): boolean {
    if (!isConstant(expr)) return true;
    const parsed = parseExpr(expr, { variables: new Set(), steps: new Set() });
    if (!parsed.ok) return false;
    const value = evaluate(parsed.value, NO_ENV);
    return value.ok && conform(value.value, type, this.#scope).ok;
  }

  // Operations, by what they give

  /** An operation whose result may be used for a scalar of this kind; undefined where there is none. */
  #operation(type: Type, depth: number): Json | undefined {
    const choice = this.#choice;
    const fetched = this.#fetched(type);
    if (fetched !== undefined && choice.chance(40)) return fetched();
    switch (type.kind) {
      case 'bool':
        return this.bool(depth).json;
      case 'nat':
        return choice.chance(50) ? this.#length() : this.#arithmetic(depth);
      case 'int':
        return this.#arithmetic(depth);
      case 'time':
      case 'duration':
        return this.#instant(type.kind, depth);
      case 'text':
        return { op: 'concat', args: [this.#operand('text', depth), this.#operand('text', depth)] };
      case 'hash':
        return this.#hashed(depth);
      default:
        return fetched?.();
    }
  }

  /** `get` from a map or list that holds such values. */
  #fetched(type: Type): (() => Json) | undefined {
    const wanted = typeKey(type, this.#scope);
    const containers = this.#containers(['list', 'map'], ({ kind, ...target }) => {
      const held = kind === 'map' ? (target as { value: Type }).value : (target as { item: Type }).item;
      return typeKey(held, this.#scope) === wanted;
    });
    if (containers.length === 0) return undefined;
    return () => {
      const [place, target] = this.#choice.pick(containers);
      const key = target.kind === 'map' ? this.#key(target.key) : { nat: this.#choice.below(3) };
      return { op: 'get', args: [this.#read(place), key] };
    };
  }

  #key(type: Type): Json {
    return this.#operand(resolveType(type, this.#scope).kind as ScalarKind, 0, true);
  }

  /** Places of such a kind, also behind an option. */
  #containers<K extends Type['kind']>(
    kinds: readonly K[],
    accept: (type: Type & { kind: K }) => boolean = () => true,
  ): (readonly [Place, Type & { kind: K }])[] {
    return this.#places.all().flatMap((place) => {
      if (place.type.kind === 'integer' || place.type.kind === 'payload') return [];
      let target = resolveType(place.type, this.#scope);
      if (target.kind === 'option') target = resolveType(target.item, this.#scope);
      return (kinds as readonly string[]).includes(target.kind) && accept(target as Type & { kind: K })
        ? [[place, target as Type & { kind: K }] as const]
        : [];
    });
  }

  #length(): Json {
    const containers = this.#containers(['list', 'set', 'map', 'text', 'bytes', 'record']);
    if (containers.length === 0) return { op: 'len', args: [this.#constant('text')] };
    return { op: 'len', args: [this.#read(this.#choice.pick(containers)[0])] };
  }

  #arithmetic(depth: number): Json {
    const choice = this.#choice;
    const op = choice.pick(['add', 'sub', 'mul', 'div', 'mod']);
    const numbers = this.#numbers();
    if (numbers.length === 0) return { op: 'add', args: [{ nat: choice.below(4) }, { nat: choice.below(4) }] };
    const left = this.#read(choice.pick(numbers));
    const right =
      depth > 0 && choice.chance(30)
        ? this.#operand(choice.pick(['nat', 'int'] as const), depth - 1)
        : { nat: 1 + choice.below(5) };
    return { op, args: [left, right] };
  }

  #numbers(): Place[] {
    return this.#places.all().filter((place) => this.#scalarKind(place) === 'integer');
  }

  /** Scalar kind of a place, options looked through; int, nat and the results of arithmetic are all `integer`. */
  #scalarKind(place: Place): ScalarKind | 'integer' | undefined {
    if (place.type.kind === 'integer') return 'integer';
    if (place.type.kind === 'payload') return undefined;
    let target = resolveType(place.type, this.#scope);
    if (target.kind === 'option') target = resolveType(target.item, this.#scope);
    if (isInteger(target.kind)) return 'integer';
    return isSetItemKind(target.kind) ? (target.kind as ScalarKind) : undefined;
  }

  #instant(kind: 'time' | 'duration', depth: number): Json {
    const choice = this.#choice;
    const time = (): Json => this.#operand('time', depth - 1);
    const duration = (): Json => this.#operand('duration', depth - 1);
    const number = (): Json => this.#operand('int', depth - 1);
    const forms: readonly (readonly [string, () => Json, () => Json])[] =
      kind === 'time'
        ? [
            ['add', time, duration],
            ['add', duration, time],
            ['sub', time, duration],
          ]
        : [
            ['add', duration, duration],
            ['sub', time, time],
            ['sub', duration, duration],
            ['mul', duration, number],
            ['mul', number, duration],
            ['div', duration, number],
            ['mod', duration, number],
          ];
    const [op, left, right] = choice.pick(forms);
    return this.#safely({ op, args: [left(), right()] }, () => this.#constant(kind));
  }

  #hashed(depth: number): Json {
    const choice = this.#choice;
    const bytes = this.#containers(['bytes']);
    if (bytes.length > 0 && choice.chance(40)) return { op: 'hash_bytes', args: [this.#read(choice.pick(bytes)[0])] };
    const all = this.#places.all().filter(({ type }) => type.kind !== 'payload');
    if (all.length === 0) return { op: 'hash', args: [this.#constant('text')] };
    if (depth > 0 && choice.chance(30)) {
      const fields = objectOf([
        ['op', { text: 'x' }],
        ['part', this.#read(choice.pick(all))],
      ]);
      return { op: 'hash', args: [{ record: fields }] };
    }
    return { op: 'hash', args: [this.#read(choice.pick(all))] };
  }

  /** A constant that is folded must not fail; then something else stands there. */
  #safely(expr: Json, otherwise: () => Json): Json {
    if (!isConstant(expr)) return expr;
    const parsed = parseExpr(expr, { variables: new Set(), steps: new Set() });
    return parsed.ok && evaluate(parsed.value, NO_ENV).ok ? expr : otherwise();
  }

  // Operands: nothing is expected, the expression has exactly the scalar kind

  #constant(kind: ScalarKind): Json {
    return literalToTree(scalarOf(this.#choice, kind));
  }

  /**
   * An expression that an operator takes for this scalar kind.
   *
   * @param isCompared - It is compared: then no `$tag`, which only the variant's own tags can equal.
   */
  #operand(kind: ScalarKind, depth: number, isCompared = false): Json {
    const choice = this.#choice;
    const wanted = isInteger(kind) ? 'integer' : kind;
    const places = this.#places
      .all()
      .filter(
        (place) =>
          this.#scalarKind(place) === wanted &&
          (this.#isSure(place) || choice.chance(25)) &&
          !(isCompared && place.tells?.what === 'tag'),
      );
    const form = choice.weighted<'constant' | 'place' | 'operation'>([
      [3, 'constant'],
      ...(places.length > 0 ? [[8, 'place'] as const] : []),
      ...(depth > 0 ? [[2, 'operation'] as const] : []),
    ]);
    if (form === 'place') return this.#read(choice.pick(places));
    if (form === 'operation') {
      const made = this.#operation(scalarType(kind), depth - 1);
      if (made !== undefined) return this.#safely(made, () => this.#constant(kind));
    }
    return this.#constant(kind);
  }

  /** No option, or one that is known to be there. */
  #isSure(place: Place): boolean {
    const { type } = place;
    if (type.kind === 'integer' || type.kind === 'payload') return true;
    return resolveType(type, this.#scope).kind !== 'option' || this.#places.facts.some.has(place.key);
  }

  // Predicates

  bool(depth = 2): Predicate {
    const choice = this.#choice;
    const plain = (json: Json): Predicate => ({ json, facts: [], otherwise: [] });
    const form = choice.weighted<'compare' | 'tell' | 'and' | 'or' | 'not' | 'hold' | 'text' | 'read' | 'constant'>([
      [6, 'compare'],
      [6, 'tell'],
      [3, 'hold'],
      [2, 'text'],
      [2, 'read'],
      ...(depth > 0
        ? ([
            [3, 'and'],
            [2, 'or'],
            [2, 'not'],
          ] as const)
        : []),
      [1, 'constant'],
    ]);
    switch (form) {
      case 'compare':
        return plain(this.#compare(depth));
      case 'tell':
        return this.#tell() ?? plain(this.#compare(depth));
      case 'hold':
        return plain(this.#hold() ?? this.#compare(depth));
      case 'text':
        return plain({
          op: choice.pick(['starts_with', 'ends_with', 'contains']),
          args: [this.#operand('text', depth - 1), this.#operand('text', depth - 1)],
        });
      case 'read': {
        const places = this.#places.all().filter(({ typeKey }) => typeKey === 'bool');
        return plain(places.length > 0 ? this.#read(choice.pick(places)) : this.#compare(depth));
      }
      case 'and': {
        // What earlier conjuncts say holds in later ones.
        const parts = [this.bool(depth - 1)];
        for (let i = choice.chance(20) ? 2 : 1; i > 0; i--) {
          parts.push(this.knowing(parts.flatMap(({ facts }) => facts)).bool(depth - 1));
        }
        return {
          json: { op: 'and', args: parts.map(({ json }) => json) },
          facts: parts.flatMap(({ facts }) => facts),
          otherwise: [],
        };
      }
      case 'or': {
        // What earlier disjuncts say when they are false holds in later ones.
        const first = (choice.chance(50) ? this.#absent() : undefined) ?? this.bool(depth - 1);
        const second = this.knowing(first.otherwise).bool(depth - 1);
        return {
          json: { op: 'or', args: [first.json, second.json] },
          facts: [],
          otherwise: [...first.otherwise, ...second.otherwise],
        };
      }
      case 'not': {
        const { json, facts, otherwise } = this.bool(depth - 1);
        return { json: { op: 'not', args: [json] }, facts: otherwise, otherwise: facts };
      }
      case 'constant':
        return plain({ bool: choice.chance(70) });
      default:
        return form satisfies never;
    }
  }

  /** A predicate that is true whatever is bound: invariants should mostly hold. */
  truth(): Json {
    const choice = this.#choice;
    const places = this.#places.all().filter(({ type }) => type.kind !== 'payload');
    if (places.length === 0) return { op: 'le', args: [{ nat: 0 }, { nat: 1 }] };
    const place = choice.pick(places);
    const read = this.#read(place);
    const texts = this.#containers(['list', 'set', 'map', 'text', 'bytes', 'record'], () => true).filter(([p]) =>
      this.#isSure(p),
    );
    if (texts.length > 0 && choice.chance(40)) {
      return { op: 'le', args: [{ op: 'len', args: [this.#read(choice.pick(texts)[0])] }, { nat: 1_000_000 }] };
    }
    return choice.chance(30)
      ? {
          op: 'eq',
          args: [
            { op: 'hash', args: [read] },
            { op: 'hash', args: [this.#read(place)] },
          ],
        }
      : { op: 'eq', args: [read, this.#read(place)] };
  }

  #compare(depth: number): Json {
    const choice = this.#choice;
    const kinds = this.#places.all().flatMap((place) => this.#scalarKind(place) ?? []);
    const form = choice.weighted<'equal' | 'order' | 'whole' | 'cross'>([
      [5, 'equal'],
      [4, 'order'],
      [2, 'whole'],
      [1, 'cross'],
    ]);
    if (form === 'whole') {
      const whole = this.#whole();
      if (whole !== undefined) return whole;
    }
    if (form === 'cross') {
      const [a, b] = choice.pick([
        ['time', 'nat'],
        ['duration', 'int'],
        ['text', 'hash'],
        ['uuid', 'text'],
        ['time', 'duration'],
        ['text', 'dec128'],
      ] as const);
      return {
        op: choice.pick(['eq', 'ne']),
        args: [this.#operand(a, depth - 1, true), this.#operand(b, depth - 1, true)],
      };
    }
    if (form === 'order') {
      const ordered = kinds.filter((kind) => kind === 'integer' || ORDERED.has(kind));
      const kind = ordered.length > 0 ? choice.pick(ordered) : 'nat';
      const scalar = kind === 'integer' ? choice.pick(['nat', 'int'] as const) : kind;
      return {
        op: choice.pick(['lt', 'le', 'gt', 'ge']),
        args: [this.#operand(scalar, depth - 1), this.#operand(scalar, depth - 1)],
      };
    }
    const kind = kinds.length > 0 ? choice.pick(kinds) : 'text';
    const scalar = kind === 'integer' ? choice.pick(['nat', 'int'] as const) : kind;
    return {
      op: choice.pick(['eq', 'ne']),
      args: [this.#operand(scalar, depth - 1, true), this.#operand(scalar, depth - 1, true)],
    };
  }

  /** Two composites of one type. */
  #whole(): Json | undefined {
    const choice = this.#choice;
    const places = this.#places
      .all()
      .filter(({ type, tells }) => type.kind !== 'integer' && type.kind !== 'payload' && tells?.what !== 'tag');
    if (places.length === 0) return undefined;
    const place = choice.pick(places);
    const same = places.filter(({ typeKey }) => typeKey === place.typeKey);
    const type = place.type as Type;
    const other =
      isPlain(type, this.#scope) && choice.chance(40)
        ? literalToTree(makeValue(choice, type, this.#scope, this.#values))
        : this.#read(choice.pick(same));
    return { op: choice.pick(['eq', 'ne']), args: [this.#read(place), other] };
  }

  /** A predicate that is the source of a fact (`expressions.md` §13.5). */
  #tell(): Predicate | undefined {
    const choice = this.#choice;
    const all = this.#places.all();
    const tellers = all.flatMap((place) => (place.tells === undefined ? [] : [place]));
    const options = all.filter(({ type }) => this.#isOption(type));
    if (tellers.length + options.length === 0) return undefined;
    const statuses = tellers.filter(({ tells }) => tells?.what === 'status');
    const place = choice.pick(
      statuses.length > 0 && choice.chance(40)
        ? statuses
        : options.length === 0 || (tellers.length > 0 && choice.chance(50))
          ? tellers
          : options,
    );
    const swap = (a: Json, b: Json): Json[] => (choice.chance(20) ? [b, a] : [a, b]);
    const { tells } = place;
    if (tells === undefined) {
      const { field } = place;
      const facts: Fact[] = [{ fact: 'some', key: place.key }];
      if (field !== undefined && choice.chance(40)) {
        const asked = { op: 'has', args: [this.#read(field.holder), { text: field.name }] };
        return { json: asked, facts, otherwise: [] };
      }
      return { json: { op: 'ne', args: swap(this.#read(place), { null: {} }) }, facts, otherwise: [] };
    }
    const isEqual = tells.what === 'tag' ? !choice.chance(15) : choice.chance(50);
    const made = (text: string, equal: readonly Fact[], unequal: readonly Fact[]): Predicate => ({
      json: { op: isEqual ? 'eq' : 'ne', args: swap(this.#read(place), { text }) },
      facts: isEqual ? equal : unequal,
      otherwise: isEqual ? unequal : equal,
    });
    if (tells.what === 'tag') {
      const tag = choice.pick(tells.arms);
      return made(tag, [{ fact: 'tag', key: tells.of, tag }], []);
    }
    const status = choice.weighted([
      [6, 'ok'],
      [1, 'error'],
      [1, 'timeout'],
    ]);
    if (status !== 'ok') return made(status, [], []);
    return made(status, [{ fact: 'payload', key: tells.of }], [{ fact: 'some', key: keyBelow(tells.of, '$error') }]);
  }

  #isOption(type: StaticType): boolean {
    return type.kind !== 'integer' && type.kind !== 'payload' && resolveType(type, this.#scope).kind === 'option';
  }

  /** A predicate whose negation is the source of a fact. */
  #absent(): Predicate | undefined {
    const options = this.#places.all().filter(({ type }) => this.#isOption(type));
    if (options.length === 0) return undefined;
    const place = this.#choice.pick(options);
    return {
      json: { op: 'eq', args: [this.#read(place), { null: {} }] },
      facts: [],
      otherwise: [{ fact: 'some', key: place.key }],
    };
  }

  /** `has` and `contains` of lists, sets, maps and bytes. */
  #hold(): Json | undefined {
    const choice = this.#choice;
    const containers = this.#containers(['list', 'set', 'map', 'record', 'bytes'], (type) => {
      if (type.kind === 'record') return type.fields.size > 0;
      if (type.kind === 'list') return isSetItemKind(resolveType(type.item, this.#scope).kind);
      return true;
    });
    if (containers.length === 0) return undefined;
    const [place, type] = choice.pick(containers);
    const op = choice.pick(['has', 'contains']);
    switch (type.kind) {
      case 'record': {
        const name = choice.pick([...type.fields.keys()]);
        return { op: 'has', args: [this.#read(place), { text: name }] };
      }
      case 'bytes':
        return { op: 'contains', args: [this.#read(place), this.#operand('bytes', 0)] };
      case 'map':
        return { op, args: [this.#read(place), this.#key(type.key)] };
      default:
        return { op, args: [this.#read(place), this.#key(type.item)] };
    }
  }

  // Variables without a declared type

  /** An expression whose own type is known exactly: what a variable without declared local is typed by. */
  inferred(depth = 2): { readonly json: Json; readonly type: StaticType; readonly is?: string } {
    const choice = this.#choice;
    const places = this.#places.all().filter(({ type }) => type.kind !== 'payload');
    const form = choice.weighted<
      'constant' | 'place' | 'arithmetic' | 'bool' | 'hash' | 'concat' | 'len' | 'list' | 'record'
    >([
      [3, 'constant'],
      ...(places.length > 0 ? [[6, 'place'] as const] : []),
      [3, 'arithmetic'],
      [2, 'bool'],
      [1, 'hash'],
      [1, 'concat'],
      [1, 'len'],
      [1, 'list'],
      [2, 'record'],
    ]);
    const sure = (json: Json, type: StaticType): { json: Json; type: StaticType } => ({ json, type });
    switch (form) {
      case 'constant': {
        const kind = choice.pick(CONSTANTS);
        return sure(this.#constant(kind), scalarType(kind));
      }
      case 'place': {
        const place = choice.pick(places);
        const made = sure(this.#read(place), place.type);
        return this.#places.mayKnow(place.key) ? { ...made, is: place.key } : made;
      }
      case 'arithmetic':
        return sure(
          this.#safely(this.#arithmetic(depth), () => ({ op: 'add', args: [{ nat: 1 }, { nat: 1 }] })),
          {
            kind: 'integer',
          },
        );
      case 'bool':
        return sure(this.bool(depth - 1).json, scalarType('bool'));
      case 'hash':
        return sure(this.#hashed(depth - 1), scalarType('hash'));
      case 'concat':
        return sure(
          { op: 'concat', args: [this.#operand('text', depth - 1), this.#operand('text', depth - 1)] },
          scalarType('text'),
        );
      case 'len':
        return sure(this.#length(), scalarType('nat'));
      case 'list': {
        const kind = choice.pick(CONSTANTS);
        const items = Array.from({ length: 1 + choice.below(3) }, () => this.#constant(kind));
        return sure({ list: items }, { kind: 'list', item: scalarType(kind) });
      }
      case 'record': {
        const a = this.#exact(choice.pick(CONSTANTS));
        const b = choice.pick(CONSTANTS);
        const members = objectOf([
          ['a', a.json],
          ['b', this.#constant(b)],
        ]);
        return sure(
          { record: members },
          {
            kind: 'record',
            fields: new Map([
              ['a', a.type],
              ['b', scalarType(b)],
            ]),
          },
        );
      }
      default:
        return form satisfies never;
    }
  }

  /** A place of this scalar type, or a constant. */
  #exact(kind: ScalarKind): { readonly json: Json; readonly type: Type } {
    const places = this.#places.all().filter(({ typeKey }) => typeKey === kind);
    const json = places.length > 0 ? this.#read(this.#choice.pick(places)) : this.#constant(kind);
    return { json, type: scalarType(kind) };
  }

  /** Key of the place that an expression is nothing but a reference to; undefined for any other expression. */
  placeOf(json: Json, type: Type): string | undefined {
    if (json === null || typeof json !== 'object' || !('ref' in json)) return undefined;
    const wanted = typeKey(type, this.#scope);
    const place = this.#places
      .all()
      .find(({ root, segments, typeKey }) => typeKey === wanted && [root, ...segments].join('.') === json['ref']);
    return place !== undefined && this.#places.mayKnow(place.key) ? place.key : undefined;
  }

  /** Another expression of exactly this type, for a variable that is bound already; undefined where none is at hand. */
  again(type: StaticType): Json | undefined {
    const choice = this.#choice;
    if (type.kind === 'integer')
      return this.#safely(this.#arithmetic(1), () => ({ op: 'add', args: [{ nat: 1 }, { nat: 1 }] }));
    if (type.kind === 'payload') return undefined;
    const target = resolveType(type, this.#scope);
    if (target.kind === 'option' && choice.chance(40)) return { null: {} };
    const key = typeKey(type, this.#scope);
    const places = this.#places.all().filter((place) => place.typeKey === key);
    if (places.length > 0 && choice.chance(60)) return this.#read(choice.pick(places));
    return isPlain(type, this.#scope) ? literalToTree(makeValue(choice, type, this.#scope, this.#values)) : undefined;
  }

  /** `eq(@event.<path>, X)` where there is something to compare (`plans.md` §7.2). */
  match(): { readonly json: Json; readonly facts: readonly Fact[] } | undefined {
    const choice = this.#choice;
    const all = this.#places.all();
    const events = all.filter(
      (place) => place.root === '@event' && place.segments.length > 0 && this.#scalarKind(place) !== undefined,
    );
    if (events.length === 0) return undefined;
    const field = choice.pick(events);
    const kind = this.#scalarKind(field);
    const others = all.filter(
      (place) => place.root !== '@event' && this.#scalarKind(place) === kind && this.#isSure(place),
    );
    const scalar = kind === 'integer' ? 'nat' : (kind as ScalarKind);
    if (field.tells?.what === 'tag') {
      const tag = choice.pick(field.tells.arms);
      const facts: Fact[] = [{ fact: 'tag', key: field.tells.of, tag }];
      return { json: { op: 'eq', args: [this.#read(field), { text: tag }] }, facts };
    }
    const other = others.length > 0 && choice.chance(80) ? this.#read(choice.pick(others)) : this.#constant(scalar);
    const args = [this.#read(field), other];
    return { json: { op: 'eq', args: choice.chance(25) ? args.reverse() : args }, facts: [] };
  }

  /** A predicate that mentions the correlation, as V-521 demands. */
  correlated(): Json {
    const choice = this.#choice;
    const all = this.#places.all();
    const own = all.find(({ root }) => root === '@var:correlation_id') as Place;
    const kind = this.#scalarKind(own);
    const fields = all.filter(
      (place) => place.root === '@event' && place.tells?.what !== 'tag' && this.#scalarKind(place) === kind,
    );
    if (fields.length > 0) return { op: 'eq', args: [this.#read(choice.pick(fields)), this.#read(own)] };
    return { op: 'eq', args: [this.#read(own), this.#read(own)] };
  }

  // Reading

  /** One of the spellings of a place: a path, `get`s, or a path with `get`s at its end. */
  #read(place: Place): Json {
    const { root, segments } = place;
    const dotted = segments.findIndex((segment) => segment.includes('.') || segment === '');
    let paths = dotted < 0 ? segments.length : dotted;
    if (paths > 0 && this.#choice.chance(12)) paths = this.#choice.below(paths + 1);
    let json: Json = { ref: [root, ...segments.slice(0, paths)].join('.') };
    for (const segment of segments.slice(paths)) json = { op: 'get', args: [json, { text: segment }] };
    return json;
  }
}

/** Texts that places often hold. */
const COMMON_KEYS = ['', 'a', 'ok'];

const NO_ENV: Env = {
  input: () => undefined,
  variable: () => undefined,
  step: () => undefined,
  event: () => undefined,
  receipt: () => undefined,
};

/** Kinds that `lt` and its like take, but for integers. */
const ORDERED: ReadonlySet<string> = new Set(['time', 'duration', 'text', 'dec128']);
const CONSTANTS = ['nat', 'text', 'bool', 'int', 'time', 'duration', 'hash', 'uuid', 'bytes', 'dec128'] as const;

function isInteger(kind: string): boolean {
  return kind === 'int' || kind === 'nat' || kind === 'integer';
}

function isNumeric(kind: string): boolean {
  return isInteger(kind) || kind === 'time' || kind === 'duration';
}

function isTextLike(kind: string): boolean {
  return kind === 'hash' || kind === 'uuid' || kind === 'dec128';
}

/** Does the expression read nothing? */
function isConstant(json: Json): boolean {
  if (Array.isArray(json)) return json.every(isConstant);
  if (json === null || typeof json !== 'object') return true;
  if ('ref' in json && typeof json['ref'] === 'string') return false;
  return Object.values(json as Record<string, Json>).every(isConstant);
}
