/**
 * What an authored object looks like: its members, what each holds, which must be there, and what it is for.
 *
 * One description serves two readers. The parser takes members, requiredness, patterns, choices and ranges from it
 * (`node-read.ts`); the JSON Schemas for editors are the same description in another notation (`schemas/`). So a member
 * cannot be legal for one and unknown to the other.
 *
 * P1 Shapes are data: no functions, no cycles. Types, expressions and slots, which are recursive, are named here and
 *    described by `type-shape.ts` and `expr-shape.ts`.
 * P2 JSON null for a member that need not be there means absent, unless it is a list, a map or a slot (`definitions.md` §1).
 */

/** Which definition a name means; editors propose the built-in ones. */
export type NameOf = 'schema' | 'module' | 'plan' | 'effect' | 'cap' | 'policy' | 'secret';

export type Holds =
  /** `Name` (`values.md` §1). */
  | { readonly is: 'name'; readonly of?: NameOf }
  /** StepId, VarName, CapGrantName, cap slot. */
  | { readonly is: 'ident' }
  /** EffectKind, CapType. */
  | { readonly is: 'kind'; readonly of: 'effect' | 'cap' }
  /** `fill`: authors may leave it out or write a placeholder (`definitions.md` §8.3). */
  | { readonly is: 'hash'; readonly fill?: true }
  | { readonly is: 'text'; readonly notEmpty?: true; readonly pattern?: RegExp }
  | { readonly is: 'flag' }
  /** Also as decimal text, unless it is `plain`. */
  | { readonly is: 'integer'; readonly min: bigint; readonly max: bigint; readonly plain?: true }
  /** This number and no other. */
  | { readonly is: 'exactly'; readonly value: number }
  /** One of these texts; each with what it means. */
  | { readonly is: 'choice'; readonly values: Readonly<Record<string, string>> }
  | { readonly is: 'list'; readonly items: Holds; readonly max?: number }
  | { readonly is: 'map'; readonly keys: 'name' | 'ident' | 'text'; readonly values: Holds }
  | { readonly is: 'object'; readonly shape: Shape }
  /** A step: which members it has, its `op` says. */
  | { readonly is: 'step' }
  /** A reference `{name, hash}`, or the declaration itself. */
  | { readonly is: 'secret' }
  /** `expressions.md` §2. */
  | { readonly is: 'expr' }
  /** A value or an expression (`definitions.md` §5). */
  | { readonly is: 'slot' }
  /** `values.md` §2. */
  | { readonly is: 'type' }
  /** JSON whose type is known elsewhere. */
  | { readonly is: 'json' }
  /** What a later release reads. Until then it may not be given, or only `empty`. */
  | { readonly is: 'later'; readonly empty?: true };

export interface Member<H extends Holds = Holds> {
  readonly holds: H;
  /** What is expected, for the report of a missing one; undefined when it may be left out. */
  readonly required: string | undefined;
  /** For people: what it is for, in Markdown. */
  readonly says: string;
}

export type Shape = Readonly<Record<string, Member>>;

/** What reading a member gives; what is not a scalar, or a list or map of them, stays JSON for its own reader. */
export type Held<H extends Holds, Json> = H extends { readonly is: 'name' | 'ident' | 'kind' | 'hash' | 'text' }
  ? string
  : H extends { readonly is: 'integer' }
    ? bigint
    : H extends { readonly is: 'flag' }
      ? boolean
      : H extends { readonly is: 'choice'; readonly values: infer V }
        ? keyof V & string
        : H extends { readonly is: 'list'; readonly items: infer I extends Holds }
          ? readonly Held<I, Json>[]
          : H extends { readonly is: 'map'; readonly values: infer V extends Holds }
            ? readonly (readonly [string, Held<V, Json>])[]
            : Json;

/** A member that must be there. @param required - what is expected: `a schema name`. */
export function need<const H extends Holds>(holds: H, required: string, says: string): Member<H> {
  return { holds, required, says };
}

/** A member that may be left out. */
export function may<const H extends Holds>(holds: H, says: string): Member<H> {
  return { holds, required: undefined, says };
}

/** P2: does null stand for absence? */
export function nullIsAbsent({ holds, required }: Member): boolean {
  return required === undefined && holds.is !== 'list' && holds.is !== 'map' && holds.is !== 'slot';
}

/** The names of the members that hold one kind of thing. */
export function membersThat(shape: Shape, is: Holds['is']): string[] {
  return Object.keys(shape).filter((name) => shape[name]?.holds.is === is);
}
