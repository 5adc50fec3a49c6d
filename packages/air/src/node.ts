import type { Expr, Slot } from './expr.ts';
import type { Type, TypeScope } from './type.ts';

/** Definition nodes (`definitions.md` §3), parsed and canonical: slots read, defaults filled, derived lists computed. */

export interface SchemaDef {
  readonly kind: 'defschema';
  readonly name: string;
  readonly type: Type;
}

export type OriginScope = 'reducer' | 'plan' | 'both';

export interface EffectDef {
  readonly kind: 'defeffect';
  readonly name: string;
  readonly effectKind: string;
  readonly paramsSchema: string;
  readonly receiptSchema: string;
  readonly capType: string;
  readonly originScope: OriginScope;
}

export interface CapDef {
  readonly kind: 'defcap';
  readonly name: string;
  readonly capType: string;
  readonly schema: Type;
  /** Module Name; `sys/CapAllowAll@1` when the author named none. */
  readonly enforcer: string;
}

export interface PolicyRule {
  readonly when: {
    readonly effectKind?: string | undefined;
    readonly capName?: string | undefined;
    readonly capType?: string | undefined;
    readonly originKind?: 'plan' | 'reducer' | undefined;
    readonly originName?: string | undefined;
  };
  readonly decision: 'allow' | 'deny';
}

export interface PolicyDef {
  readonly kind: 'defpolicy';
  readonly name: string;
  readonly rules: readonly PolicyRule[];
}

export interface SecretDef {
  readonly kind: 'defsecret';
  readonly name: string;
  readonly alias: string;
  readonly version: number;
  readonly bindingId: string;
  readonly expectedDigest?: string | undefined;
  readonly allowedCaps: readonly string[];
  readonly allowedPlans: readonly string[];
}

export interface ModuleDef {
  readonly kind: 'defmodule';
  readonly name: string;
  readonly moduleKind: 'reducer' | 'pure';
  readonly wasmHash: string;
  readonly keySchema?: string | undefined;
  readonly reducer?:
    | {
        readonly state: string;
        readonly event: string;
        readonly context?: string | undefined;
        readonly annotations?: string | undefined;
        readonly effectsEmitted: readonly string[];
        readonly capSlots: Readonly<Record<string, string>>;
      }
    | undefined;
  readonly pure?:
    | { readonly input: string; readonly output: string; readonly context?: string | undefined }
    | undefined;
}

export type Step =
  | { readonly op: 'assign'; readonly id: string; readonly expr: Slot; readonly as: string }
  | {
      readonly op: 'emit_effect';
      readonly id: string;
      readonly kind: string;
      readonly params: Slot;
      readonly cap: string;
      readonly idempotencyKey?: Slot | undefined;
      readonly effectIdAs: string;
    }
  | {
      readonly op: 'await_receipt';
      readonly id: string;
      /** Effect handle variable. */
      readonly handle: string;
      readonly as: string;
    }
  | {
      readonly op: 'await_event';
      readonly id: string;
      readonly event: string;
      readonly where?: Expr | undefined;
      readonly as: string;
    }
  | { readonly op: 'raise_event'; readonly id: string; readonly event: string; readonly value: Slot }
  | {
      readonly op: 'spawn_plan';
      readonly id: string;
      readonly plan: string;
      readonly input: Slot;
      readonly handleAs: string;
    }
  | { readonly op: 'await_plan'; readonly id: string; readonly for: Expr; readonly as: string }
  | {
      readonly op: 'spawn_for_each';
      readonly id: string;
      readonly plan: string;
      readonly inputs: Slot;
      readonly maxFanout?: number | undefined;
      readonly handlesAs: string;
    }
  | { readonly op: 'await_plans_all'; readonly id: string; readonly handles: Expr; readonly resultsAs: string }
  | { readonly op: 'end'; readonly id: string; readonly result?: Slot | undefined };

export type StepOp = Step['op'];

export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly when?: Expr | undefined;
}

export interface PlanDef {
  readonly kind: 'defplan';
  readonly name: string;
  readonly input: string;
  readonly output?: string | undefined;
  readonly locals: ReadonlyMap<string, string>;
  readonly steps: readonly Step[];
  readonly edges: readonly Edge[];
  readonly requiredCaps: readonly string[];
  readonly allowedEffects: readonly string[];
  readonly invariants: readonly Expr[];
}

export interface Trigger {
  readonly event: string;
  readonly plan: string;
  /** Dot path into the event value, split. */
  readonly correlateBy?: readonly string[] | undefined;
  readonly when?: Expr | undefined;
  readonly inputExpr?: Slot | undefined;
}

export interface Def<T> {
  readonly def: T;
  /** Hash of the canonical node: `sha256(cc(node))`, 32 bytes. */
  readonly hash: Uint8Array;
}

/** A grant of `defaults.cap_grants`, with its params normalised against the defcap's schema. */
export interface Grant {
  readonly name: string;
  readonly cap: string;
  readonly capType: string;
  readonly enforcer: string;
  readonly paramsCbor: Uint8Array;
  readonly expiryNs?: bigint | undefined;
  /** `values.md` §8, 32 bytes. */
  readonly grantHash: Uint8Array;
}

/** Everything a manifest means, resolved and checked. Immutable; made once per manifest hash. */
export interface Catalog {
  /** 32 bytes, over the manifest without `$kind`. */
  readonly manifestHash: Uint8Array;
  /** Listed schemas and all built-in ones. */
  readonly schemas: ReadonlyMap<string, Def<SchemaDef>>;
  readonly plans: ReadonlyMap<string, Def<PlanDef>>;
  /** Listed effects, by kind. */
  readonly effects: ReadonlyMap<string, Def<EffectDef>>;
  readonly caps: ReadonlyMap<string, Def<CapDef>>;
  readonly policies: ReadonlyMap<string, Def<PolicyDef>>;
  readonly modules: ReadonlyMap<string, Def<ModuleDef>>;
  readonly secrets: readonly SecretDef[];
  readonly grants: ReadonlyMap<string, Grant>;
  /** The default policy; absent: everything the grants allow, logged under `allow_all`. */
  readonly policy?: PolicyDef | undefined;
  /** In manifest order. */
  readonly triggers: readonly Trigger[];
  /** Schemas of this catalog as a scope for reading values. */
  readonly scope: TypeScope;
}
