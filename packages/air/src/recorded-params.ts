import { BUILTINS } from './builtins.ts';
import type { EffectDef } from './node.ts';
import type { Type, TypeScope } from './type.ts';
import { orderedMembers, tryResolveType } from './type-resolve.ts';
import { bytes, NULL, text, type Value } from './value.ts';
import { encodeValue } from './value-data.ts';

/**
 * Typed messages, `fabric.send.<x>`: a plan gives a value of its own schema, and everybody behind it (grant, policy,
 * journal, adapter, peer) sees the one shape of `fabric.send` (`kernel.md` §9.2).
 */

const SENT = 'sys/FabricSendParams@1';

/** Is what a plan gives as params of this kind recorded in another shape? */
export function isTypedMessage(kind: string): boolean {
  return kind.startsWith('fabric.send.');
}

/** Name of the schema that the recorded params of an effect conform to. */
export function recordedParamsSchema({ effectKind, paramsSchema }: EffectDef): string {
  return isTypedMessage(effectKind) ? SENT : paramsSchema;
}

/**
 * Params of a typed message as they are recorded.
 *
 * @param params - Conforms to the effect's params schema.
 * @param scope - The one that the params conform in.
 * @throws Error for an effect that is no typed message (V-421): a bug.
 */
export function recordedMessage(effect: EffectDef, params: Value, scope: TypeScope): Value {
  const sent = BUILTINS.schemas.get(SENT)?.def.type;
  const value = messageType(effect, scope);
  if (value === undefined || params.kind !== 'record' || sent?.kind !== 'record')
    throw new Error(`${effect.effectKind} is no typed message`);
  const message: Value = {
    kind: 'variant',
    tag: 'cbor',
    value: bytes(encodeValue(params.fields.get('value') ?? NULL)),
  };
  const made: Readonly<Record<string, Value>> = { schema: text(value.name), value: message };
  // What the author's schema does not have is none.
  const fields = orderedMembers(sent.fields).map(([name]): [string, Value] => [
    name,
    made[name] ?? params.fields.get(name) ?? NULL,
  ]);
  return { kind: 'record', fields: new Map(fields) };
}

/** The schema of the value of a typed message; undefined for params of another form. */
export function messageType(effect: EffectDef, scope: TypeScope): Extract<Type, { kind: 'ref' }> | undefined {
  const type = tryResolveType({ kind: 'ref', name: effect.paramsSchema }, scope);
  const value = type?.kind === 'record' ? type.fields.get('value') : undefined;
  return value?.kind === 'ref' ? value : undefined;
}
