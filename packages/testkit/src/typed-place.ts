import { resolveType, scalarType, type Type, type TypeScope, type Value } from '@worldline/air';
import { typeKey } from './typed-type.ts';

/** What an expression may read, with its static type (`expressions.md` §3.1, §13.1, §13.5). */

/** A type, or one that only the checker has (`expressions.md` §13.2). */
export type StaticType =
  | Type
  /** Result of integer arithmetic. */
  | { readonly kind: 'integer' }
  /** `$value` of a variant whose arm is not known. */
  | { readonly kind: 'payload'; readonly arms: readonly Type[] };

/** A root of references: `@plan.input`, `@var:x`, `@step:s`, `@event`. */
export interface Source {
  readonly root: string;
  readonly type: StaticType;
  /** The value is a receipt with this payload: it has the `$` segments too. */
  readonly isReceipt?: boolean | undefined;
  /** A variable that more than one step may bind. */
  readonly isShared?: boolean | undefined;
  /** Key of the place that this is, when it is bound once and by nothing but that place (`expressions.md` §13.5). */
  readonly is?: string | undefined;
}

/** What is known where an expression runs (`expressions.md` §13.5), by the key of a place. */
export interface Facts {
  readonly tags: ReadonlyMap<string, string>;
  readonly some: ReadonlySet<string>;
  readonly payloads: ReadonlySet<string>;
}

export type Fact =
  | { readonly fact: 'tag'; readonly key: string; readonly tag: string }
  | { readonly fact: 'some'; readonly key: string }
  | { readonly fact: 'payload'; readonly key: string };

export const NO_FACTS: Facts = { tags: new Map(), some: new Set(), payloads: new Set() };

export function withFacts(facts: Facts, more: readonly Fact[]): Facts {
  if (more.length === 0) return facts;
  const tags = new Map(facts.tags);
  const some = new Set(facts.some);
  const payloads = new Set(facts.payloads);
  for (const fact of more) {
    if (fact.fact === 'tag') tags.set(fact.key, fact.tag);
    else if (fact.fact === 'some') some.add(fact.key);
    else payloads.add(fact.key);
  }
  return { tags, some, payloads };
}

/** What holds whichever of several ways was taken. */
export function commonFacts(ways: readonly Facts[]): Facts {
  const [first, ...others] = ways;
  if (first === undefined) return NO_FACTS;
  return {
    tags: new Map([...first.tags].filter(([key, tag]) => others.every(({ tags }) => tags.get(key) === tag))),
    some: new Set([...first.some].filter((key) => others.every(({ some }) => some.has(key)))),
    payloads: new Set([...first.payloads].filter((key) => others.every(({ payloads }) => payloads.has(key)))),
  };
}

export interface Place {
  readonly root: string;
  readonly segments: readonly string[];
  /** The same for every spelling of the place. */
  readonly key: string;
  readonly type: StaticType;
  readonly typeKey: string;
  /** The place tells something about another one. */
  readonly tells?:
    | { readonly what: 'tag'; readonly of: string; readonly arms: readonly string[] }
    | { readonly what: 'status'; readonly of: string }
    | undefined;
  /** Place of the record or option that holds it; `has` can ask for it. */
  readonly field?: { readonly holder: Place; readonly name: string } | undefined;
}

/** Is this a value of that type, each part of the very kind the type says? Results of integer arithmetic are int or nat. */
export function covers(type: StaticType, value: Value, scope: TypeScope): boolean {
  if (type.kind === 'integer') return value.kind === 'int' || value.kind === 'nat';
  if (type.kind === 'payload') return type.arms.some((arm) => covers(arm, value, scope));
  const target = resolveType(type, scope);
  switch (target.kind) {
    case 'unit':
      return value.kind === 'null';
    case 'option':
      return value.kind === 'null' || covers(target.item, value, scope);
    case 'list':
    case 'set':
      return value.kind === target.kind && value.items.every((item) => covers(target.item, item, scope));
    case 'map':
      return (
        value.kind === 'map' &&
        value.entries.every(([key, item]) => covers(target.key, key, scope) && covers(target.value, item, scope))
      );
    case 'record':
      return (
        value.kind === 'record' &&
        value.fields.size === target.fields.size &&
        [...target.fields].every(([name, field]) => {
          const part = value.fields.get(name);
          return part !== undefined && covers(field, part, scope);
        })
      );
    case 'variant': {
      const arm = value.kind === 'variant' ? target.arms.get(value.tag) : undefined;
      return arm !== undefined && value.kind === 'variant' && covers(arm, value.value, scope);
    }
    default:
      return value.kind === target.kind;
  }
}

/** Key of a member of a place. */
export function keyBelow(key: string, segment: string): string {
  return JSON.stringify([...JSON.parse(key), segment]);
}

const SEGMENTS_MAX = 5;
const PLACES_MAX = 40;
const TEXT = scalarType('text');
const NAT = scalarType('nat');
const MAP_IDENTS = ['a', 'b', 'ok'];

/** All places that can be reached from the sources, shallow ones first within each. */
export class Places {
  readonly scope: TypeScope;
  readonly sources: readonly Source[];
  readonly facts: Facts;
  #all: readonly Place[] | undefined;

  constructor(scope: TypeScope, sources: readonly Source[], facts: Facts = NO_FACTS) {
    this.scope = scope;
    this.sources = sources;
    this.facts = facts;
  }

  /** The same sources where more is known. */
  knowing(more: readonly Fact[]): Places {
    const kept = more.filter(({ key }) => this.mayKnow(key));
    return kept.length === 0 ? this : new Places(this.scope, this.sources, withFacts(this.facts, kept));
  }

  /** Facts about a variable that more than one step binds are discarded (`expressions.md` §13.5). */
  mayKnow(key: string): boolean {
    const [root] = JSON.parse(key) as [string];
    return this.sources.every((source) => source.root !== root || source.isShared !== true);
  }

  all(): readonly Place[] {
    this.#all ??= this.sources.flatMap((source) => this.#reach(source));
    return this.#all;
  }

  #reach(source: Source): Place[] {
    const found: Place[] = [];
    const root = this.#place(source.root, [], source.type, source.is);
    if (source.isReceipt === true) {
      const add = (segment: string, type: Type, tells?: Place['tells']): Place => {
        const place = { ...this.#place(source.root, [segment], type, keyBelow(root.key, segment)), tells };
        found.push(place);
        return place;
      };
      add('$status', TEXT, { what: 'status', of: root.key });
      add('$adapter_id', TEXT);
      add('$cost_cents', { kind: 'option', item: NAT });
      this.#walk(add('$error', { kind: 'option', item: { kind: 'ref', name: 'sys/EffectError@1' } }), found);
    }
    found.push(root);
    this.#walk(root, found);
    return found.slice(0, PLACES_MAX);
  }

  #place(
    root: string,
    segments: readonly string[],
    type: StaticType,
    key: string = JSON.stringify([root, ...segments]),
  ): Place {
    const typeText = type.kind === 'integer' || type.kind === 'payload' ? type.kind : typeKey(type, this.scope);
    return { root, segments, key, type, typeKey: typeText };
  }

  #walk(place: Place, found: Place[]): void {
    const { root, segments, type } = place;
    if (segments.length >= SEGMENTS_MAX || found.length > PLACES_MAX) return;
    if (type.kind === 'integer' || type.kind === 'payload') return;
    const step = (segment: string, to: StaticType, more: Pick<Place, 'tells' | 'field'> = {}): void => {
      const next = { ...this.#place(root, [...segments, segment], to, keyBelow(place.key, segment)), ...more };
      found.push(next);
      this.#walk(next, found);
    };
    let target = resolveType(type, this.scope);
    // Segments look through an option (§3.1).
    if (target.kind === 'option') target = resolveType(target.item, this.scope);
    switch (target.kind) {
      case 'record':
        for (const [name, field] of target.fields) step(name, field, { field: { holder: place, name } });
        return;
      case 'map':
        if (resolveType(target.key, this.scope).kind !== 'text') return;
        for (const ident of MAP_IDENTS.slice(0, segments.length === 0 ? 3 : 1)) step(ident, target.value);
        return;
      case 'variant': {
        step('$tag', TEXT, { tells: { what: 'tag', of: place.key, arms: [...target.arms.keys()] } });
        const tag = this.facts.tags.get(place.key);
        const arm = tag === undefined ? undefined : target.arms.get(tag);
        if (arm === undefined) this.#payload(place, [...target.arms.values()], found);
        else step('$value', arm);
        return;
      }
      default:
    }
  }

  /** Below `$value` without a fact: fields that have one type in all arms that have them (§13.5). */
  #payload(place: Place, arms: readonly Type[], found: Place[]): void {
    const { root, segments } = place;
    const at = [...segments, '$value'];
    const key = keyBelow(place.key, '$value');
    found.push(this.#place(root, at, { kind: 'payload', arms }, key));
    const targets = arms.map((arm) => resolveType(arm, this.scope));
    if (targets.some(({ kind }) => kind === 'map' || kind === 'variant' || kind === 'option')) return;
    const fields = new Map<string, Type | 'conflict'>();
    for (const arm of targets) {
      if (arm.kind !== 'record') continue;
      for (const [name, type] of arm.fields) {
        const known = fields.get(name);
        const isSame =
          known === undefined || (known !== 'conflict' && typeKey(known, this.scope) === typeKey(type, this.scope));
        fields.set(name, isSame ? type : 'conflict');
      }
    }
    for (const [name, type] of fields) {
      if (type === 'conflict') continue;
      const next = this.#place(root, [...at, name], type, keyBelow(key, name));
      found.push(next);
      this.#walk(next, found);
    }
  }
}
