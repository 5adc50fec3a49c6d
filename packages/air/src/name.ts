/** Names, identifiers and hashes, by pattern (`values.md` §1). */

/** Name, SchemaRef: `namespace/name@version`. */
export const NAME = /^[a-z][a-z0-9._-]*\/[A-Za-z_][A-Za-z0-9._-]*@[1-9][0-9]*$/;

export const HASH = /^sha256:[0-9a-f]{64}$/;

/** EffectKind, CapType. */
export const KIND = /^[a-z][a-z0-9_.-]*$/;

/** StepId, VarName, CapGrantName, cap slot. */
export const IDENT = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;
