import type { ScalarKind, Type, TypeScope } from './type.ts';
import { orderedMembers, tryResolveType } from './type-resolve.ts';
import type { Value } from './value.ts';

/**
 * Types of expressions (`expressions.md` §13.2): the types of schemas, and those that only the checker knows.
 *
 * ST1 A schema type is a static type as it stands; refs inside are looked through where they are met, never expanded.
 * ST2 Two types are the same iff their `idOf` is: types are nominal by content (§13.3). An id costs one visit of each
 *     part, however often a schema is shared.
 */
export type StaticType =
  | { readonly kind: ScalarKind }
  | { readonly kind: 'ref'; readonly name: string }
  | { readonly kind: 'record'; readonly fields: ReadonlyMap<string, StaticType> }
  | { readonly kind: 'variant'; readonly arms: ReadonlyMap<string, StaticType> }
  | { readonly kind: 'list' | 'set' | 'option'; readonly item: StaticType }
  | { readonly kind: 'map'; readonly key: StaticType; readonly value: StaticType }
  /** Result of integer arithmetic: −2⁶³ … 2⁶⁴−1. */
  | { readonly kind: 'integer' }
  /** The empty option and unit: fits both. */
  | { readonly kind: 'none' }
  /** Element of an empty collection. */
  | { readonly kind: 'never' }
  /** What was reported already, or cannot be known because something else was: fits everything, causes no finding. */
  | { readonly kind: 'unknown' }
  /** One of several types, which one is known only when it runs: the payload of a variant whose arm is not known. */
  | { readonly kind: 'payload'; readonly arms: ReadonlyMap<string, StaticType> }
  /** What `await_receipt` binds: the payload, and the `$` segments (§3.1). */
  | {
      readonly kind: 'receipt';
      readonly payload: StaticType;
      readonly segments: boolean;
      /** Where it is read, a start may have bound a bare record in its place. */
      readonly mayBeBare?: boolean;
    }
  | { readonly kind: 'handle'; readonly effect: string }
  | { readonly kind: 'plan_handle'; readonly plan: string };

/** A type with nothing in front of it: never a ref. */
export type ResolvedType = Exclude<StaticType, { readonly kind: 'ref' }>;

export const UNKNOWN: StaticType = { kind: 'unknown' };
export const NEVER: StaticType = { kind: 'never' };
export const NONE: StaticType = { kind: 'none' };
export const INTEGER: StaticType = { kind: 'integer' };
export const BOOL: StaticType = { kind: 'bool' };
export const TEXT: StaticType = { kind: 'text' };
export const NAT: StaticType = { kind: 'nat' };
export const HASH: StaticType = { kind: 'hash' };
export const UNIT: StaticType = { kind: 'unit' };

export function optionOf(item: StaticType): StaticType {
  return { kind: 'option', item };
}

/** Words in messages are cut there; a type may be of any size. */
const TEXT_DEPTH = 3;
const TEXT_MEMBERS = 6;

/** The schemas of one world, and what was found out about types read with them. */
export class TypeTable {
  readonly scope: TypeScope;
  private readonly ids = new Map<string, number>();
  private readonly byType = new WeakMap<object, number>();
  private readonly byName = new Map<string, number>();
  private readonly handles = new WeakMap<object, boolean>();

  constructor(scope: TypeScope) {
    this.scope = scope;
  }

  /** The type behind refs; `unknown` for a name that leads nowhere, which is reported where the name stands. */
  resolve(type: StaticType): ResolvedType {
    if (type.kind !== 'ref') return type;
    const target = tryResolveType(type, this.scope);
    return target === undefined || target.kind === 'ref' ? (UNKNOWN as ResolvedType) : target;
  }

  /** The type of a named schema, or `unknown`. */
  named(name: string | undefined): StaticType {
    return name === undefined || this.scope.lookup(name) === undefined ? UNKNOWN : { kind: 'ref', name };
  }

  same(a: StaticType, b: StaticType): boolean {
    return a === b || this.idOf(a) === this.idOf(b);
  }

  /** Equal for equal types, names of schemas apart; `unknown` is equal to itself only. */
  idOf(type: StaticType): number {
    if (type.kind === 'ref') return this.idOfName(type.name);
    const known = this.byType.get(type);
    if (known !== undefined) return known;
    const id = this.intern(this.shape(type));
    this.byType.set(type, id);
    return id;
  }

  /** Schemas before what refers to them, on a stack of its own: a chain of schemas may be longer than calls are deep. */
  private idOfName(name: string): number {
    const known = this.byName.get(name);
    if (known !== undefined) return known;
    const open: { readonly name: string; readonly type: Type | undefined; readonly refs: string[] }[] = [];
    const onPath = new Set<string>();
    const enter = (schema: string): void => {
      const type = this.scope.lookup(schema);
      open.push({ name: schema, type, refs: type === undefined ? [] : [...refsOf(type)] });
      onPath.add(schema);
    };
    enter(name);
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const inner = top.refs.pop();
      if (inner === undefined) {
        if (!this.byName.has(top.name)) {
          this.byName.set(top.name, top.type === undefined ? this.intern('unknown') : this.idOf(top.type));
        }
        onPath.delete(top.name);
        open.pop();
      } else if (onPath.has(inner)) {
        // A circle, which V-305 reports.
        this.byName.set(inner, this.intern('unknown'));
      } else if (!this.byName.has(inner)) {
        enter(inner);
      }
    }
    return this.byName.get(name) as number;
  }

  private intern(shape: string): number {
    let id = this.ids.get(shape);
    if (id === undefined) {
      id = this.ids.size;
      this.ids.set(shape, id);
    }
    return id;
  }

  private shape(type: ResolvedType): string {
    switch (type.kind) {
      case 'record':
        return `record${this.members(type.fields)}`;
      case 'variant':
        return `variant${this.members(type.arms)}`;
      case 'payload':
        return `payload${this.members(type.arms)}`;
      case 'list':
      case 'set':
      case 'option':
        return `${type.kind} ${this.idOf(type.item)}`;
      case 'map':
        return `map ${this.idOf(type.key)} ${this.idOf(type.value)}`;
      case 'receipt':
        return `receipt ${this.idOf(type.payload)} ${type.segments}`;
      case 'handle':
        return `handle ${type.effect}`;
      case 'plan_handle':
        return `plan_handle ${type.plan}`;
      default:
        return type.kind;
    }
  }

  private members(members: ReadonlyMap<string, StaticType>): string {
    const parts = orderedMembers(members as ReadonlyMap<string, Type>);
    return parts.map(([name, type]) => ` ${JSON.stringify(name)}:${this.idOf(type)}`).join('');
  }

  /** Is there an effect handle or a plan handle anywhere in values of this type? Schema types have none. */
  holdsHandle(type: StaticType): boolean {
    switch (type.kind) {
      case 'handle':
      case 'plan_handle':
        return true;
      case 'record':
      case 'variant':
      case 'payload':
      case 'list':
      case 'set':
      case 'option':
      case 'map': {
        let found = this.handles.get(type);
        if (found === undefined) {
          found = this.isHandleInside(type);
          this.handles.set(type, found);
        }
        return found;
      }
      default:
        return false;
    }
  }

  private isHandleInside(type: ResolvedType): boolean {
    switch (type.kind) {
      case 'record':
        return someOf(type.fields, (field) => this.holdsHandle(field));
      case 'variant':
      case 'payload':
        return someOf(type.arms, (arm) => this.holdsHandle(arm));
      case 'list':
      case 'set':
      case 'option':
        return this.holdsHandle(type.item);
      case 'map':
        return this.holdsHandle(type.value);
      default:
        return false;
    }
  }

  /** The type as an author would name it; a schema by its name. */
  text(type: StaticType, depth = 0): string {
    const inner = (part: StaticType) => this.text(part, depth + 1);
    switch (type.kind) {
      case 'ref': {
        // A named scalar is better known by what it is.
        const target = this.resolve(type);
        return isComposite(target) || target.kind === 'unknown' ? type.name : inner(target);
      }
      case 'option':
      case 'list':
      case 'set':
        return depth > TEXT_DEPTH ? type.kind : `${type.kind}<${inner(type.item)}>`;
      case 'map':
        return depth > TEXT_DEPTH ? 'map' : `map<${inner(type.key)}, ${inner(type.value)}>`;
      case 'record':
        return depth > TEXT_DEPTH ? 'record' : `record{${namesOf(type.fields)}}`;
      case 'variant':
        return depth > TEXT_DEPTH ? 'variant' : `variant(${namesOf(type.arms)})`;
      case 'payload':
        return `payload of ${namesOf(type.arms).replaceAll(', ', ' or ')}`;
      case 'receipt':
        return inner(type.payload);
      case 'handle':
        return `handle of ${type.effect}`;
      case 'plan_handle':
        return `handle of ${type.plan}`;
      default:
        return type.kind;
    }
  }
}

function isComposite(type: StaticType): boolean {
  return type.kind === 'record' || type.kind === 'variant';
}

function namesOf(members: ReadonlyMap<string, unknown>): string {
  const names = [...members.keys()];
  return [...names.slice(0, TEXT_MEMBERS), ...(names.length > TEXT_MEMBERS ? ['…'] : [])].join(', ');
}

function someOf<T>(members: ReadonlyMap<string, T>, holds: (member: T) => boolean): boolean {
  for (const member of members.values()) if (holds(member)) return true;
  return false;
}

/** Names that a type refers to, without looking behind them. */
function refsOf(type: Type): readonly string[] {
  const found: string[] = [];
  const visit = (part: Type): void => {
    switch (part.kind) {
      case 'ref':
        found.push(part.name);
        break;
      case 'record':
        for (const field of part.fields.values()) visit(field);
        break;
      case 'variant':
        for (const arm of part.arms.values()) visit(arm);
        break;
      case 'list':
      case 'set':
      case 'option':
        visit(part.item);
        break;
      case 'map':
        visit(part.key);
        visit(part.value);
        break;
      default:
        break;
    }
  };
  visit(type);
  return found;
}

/** A receipt used as a whole value is its payload (§3.1). */
export function asValue(type: ResolvedType): StaticType {
  return type.kind === 'receipt' ? type.payload : type;
}

/** int, nat and what arithmetic makes of them (§9). */
export function isInteger(type: ResolvedType): boolean {
  return type.kind === 'int' || type.kind === 'nat' || type.kind === 'integer';
}

/** The numeric class of §8. */
export function isNumeric(type: ResolvedType): boolean {
  return isInteger(type) || type.kind === 'time' || type.kind === 'duration';
}

/** Types whose values are encoded as text. */
export function isTextual(type: ResolvedType): boolean {
  return type.kind === 'text' || type.kind === 'hash' || type.kind === 'uuid' || type.kind === 'dec128';
}

/** What a set may hold (`values.md` §4.5). */
export function isScalarType(type: ResolvedType): boolean {
  return isNumeric(type) || isTextual(type) || type.kind === 'bytes' || type.kind === 'bool';
}

/** What a map key may be (`values.md` §2). */
export function isKeyType(type: ResolvedType): boolean {
  return isInteger(type) || type.kind === 'text' || type.kind === 'hash' || type.kind === 'uuid';
}

/** Is nothing to be said about this type: reported already, or there is no value of it? */
export function isOpen(type: ResolvedType): boolean {
  return type.kind === 'unknown' || type.kind === 'never';
}

/** The type of a constant scalar (§5). */
export function typeOfScalar(value: Value): StaticType {
  switch (value.kind) {
    case 'null':
      return NONE;
    case 'bool':
    case 'int':
    case 'nat':
    case 'dec128':
    case 'bytes':
    case 'text':
    case 'time':
    case 'duration':
    case 'hash':
    case 'uuid':
      return { kind: value.kind };
    default:
      throw new Error(`${value.kind} is no scalar`);
  }
}
