import { INTEGER, isInteger, optionOf, type StaticType, type TypeTable } from './static-type.ts';

/**
 * The least type that two types are `≤` to (`expressions.md` §13.4): integers mix to `integer`, none with U gives
 * `option<U>`; otherwise they must be identical. Never and unknown take the other's side.
 *
 * @returns undefined when there is none.
 */
export function commonType(a: StaticType, b: StaticType, table: TypeTable): StaticType | undefined {
  const left = table.resolve(a);
  const right = table.resolve(b);
  if (left.kind === 'never' || right.kind === 'unknown') return b;
  if (right.kind === 'never' || left.kind === 'unknown') return a;
  if (table.same(a, b)) return a;
  if (isInteger(left) && isInteger(right)) return INTEGER;
  if (left.kind === 'none') return right.kind === 'option' || right.kind === 'unit' ? b : optionOfCommon(b, table);
  if (right.kind === 'none') return left.kind === 'option' || left.kind === 'unit' ? a : optionOfCommon(a, table);
  if (left.kind === 'option' || right.kind === 'option') {
    const item = commonType(
      left.kind === 'option' ? left.item : left,
      right.kind === 'option' ? right.item : right,
      table,
    );
    return item && optionOfCommon(item, table);
  }
  if ((left.kind === 'list' || left.kind === 'set') && right.kind === left.kind) {
    // Only what is empty differs from a list of something: [] and [1] are lists of int.
    const item = emptyOrSame(left.item, right.item, table);
    return item && { kind: left.kind, item };
  }
  if (left.kind === 'map' && right.kind === 'map') {
    const key = emptyOrSame(left.key, right.key, table);
    const value = emptyOrSame(left.value, right.value, table);
    return key && value && { kind: 'map', key, value };
  }
  return undefined;
}

function emptyOrSame(a: StaticType, b: StaticType, table: TypeTable): StaticType | undefined {
  const left = table.resolve(a);
  const right = table.resolve(b);
  if (left.kind === 'never' || left.kind === 'unknown') return b;
  if (right.kind === 'never' || right.kind === 'unknown') return a;
  return table.same(a, b) ? a : undefined;
}

/** An option, unless none could not be told from some (`values.md` §4.7); handles and receipts are never optional. */
function optionOfCommon(item: StaticType, table: TypeTable): StaticType | undefined {
  const target = table.resolve(item);
  if (target.kind === 'receipt' || target.kind === 'payload' || table.holdsHandle(item)) return undefined;
  return target.kind === 'option' || target.kind === 'unit' ? item : optionOf(item);
}
