import type { ParamBound } from './envelope-bounds.ts';
import type { Known } from './envelope-known.ts';
import type { Catalog, Grant, Step } from './node.ts';

/**
 * The effect envelope of a plan: everything that a run of it can reach, known before anything runs.
 *
 * V1 Sound: whatever a run does, directly or through the children and the runs that its events start, is in here. Where
 *    something cannot be decided, it is in.
 * V2 It holds under the catalog it was made from. Grants and policy are live (`plans.md` §5): a changed manifest has
 *    another envelope.
 * V3 What a run does itself and through its children (`via` `itself`, `spawned`) is told apart from what its events set in
 *    motion (`triggered`): those are runs of their own, which others start as well.
 *
 * V4 A reducer is known by what its module declares: the kinds of effect that it may emit. Which events it raises is not
 *    declared, so once one is reached every trigger may start its plan, and every other reducer may be reached.
 *
 * Runs that already wait for an event go on when it is raised; what they do belongs to whoever started them.
 */
export interface EffectEnvelope {
  readonly plan: string;
  /** Reached plans: the plan itself, its children, then what is triggered. */
  readonly plans: readonly ReachedPlan[];
  readonly effects: readonly ReachedEffect[];
  readonly raises: readonly ReachedRaise[];
  readonly awaits: readonly ReachedAwait[];
  readonly spawns: readonly ReachedSpawn[];
  /** Reducers that may take an event of the run, or one that follows from it. */
  readonly reducers: readonly ReachedReducer[];
  readonly catalog: Catalog;
}

export type Via = 'itself' | 'spawned' | 'triggered';

export interface ReachedPlan {
  readonly plan: string;
  readonly via: Via;
  /** Steps that never run. */
  readonly dead: readonly string[];
}

/** A step of a reached plan. */
export interface ReachedStep {
  readonly plan: string;
  readonly via: Via;
  readonly step: string;
  /** Position in `steps`. */
  readonly position: number;
  /** Not in every run that gets that far: a guard decides, here or where a parent spawns this plan; or an event starts it. */
  readonly isGuarded: boolean;
}

/** `yes`: whatever reaches the gate passes. `no`: nothing does. `depends`: it is decided when the effect is there. */
export type Answer = 'yes' | 'no' | 'depends';

/** Why an effect does not pass, or may not. */
export interface ReachReason {
  readonly code:
    | 'grant_missing'
    | 'cap_type'
    | 'enforcer_denies'
    | 'enforcer_decides'
    | 'secret_denies'
    | 'secret_open'
    | 'policy_denies'
    | 'expires'
    | 'roots';
  readonly message: string;
}

export interface ReachedSecret {
  readonly alias: string;
  readonly version: bigint;
  /** The plan names it; otherwise the reference is not constant, and this secret is one that would be permitted. */
  readonly isNamed: boolean;
}

export interface ReachedEffect extends ReachedStep {
  readonly kind: string;
  readonly cap: string;
  /** Absent when there is no such grant. */
  readonly grant?: Grant | undefined;
  /** What the params may be, as they conform to the effect's schema and before the rewrites of `kernel.md` §9.2. */
  readonly params: Known;
  readonly bounds: readonly ParamBound[];
  readonly secrets: readonly ReachedSecret[];
  readonly policy: { readonly name: string; readonly decision: 'allow' | 'deny'; readonly rule: number | undefined };
  readonly answer: Answer;
  /** Empty when the answer is yes; the first one that denies when it is no. */
  readonly reasons: readonly ReachReason[];
}

export interface ReachedRaise extends ReachedStep {
  readonly event: string;
  readonly value: Known;
  /** Plans that triggers start for it, by plan name. */
  readonly starts: readonly { readonly plan: string; readonly when: 'always' | 'maybe' }[];
  /** Plans whose waits it may satisfy. */
  readonly wakes: readonly string[];
  readonly reducers: readonly ReachedReducer[];
}

export interface ReachedReducer {
  readonly module: string;
  /** Kinds of effect that it may emit, with grants and under a policy that are looked at when it does. */
  readonly effects: readonly string[];
}

export interface ReachedAwait extends ReachedStep {
  readonly event: string;
  /** Only events that match a predicate. */
  readonly isFiltered: boolean;
}

export interface ReachedSpawn extends ReachedStep {
  readonly child: string;
  /** Most children at once; 1 for `spawn_plan`. */
  readonly fanoutMax: number;
}

/** A step of one kind. */
export type StepOf<Op extends Step['op']> = Extract<Step, { readonly op: Op }>;
