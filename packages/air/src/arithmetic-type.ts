import type { Operator } from './expr.ts';
import { INTEGER, type ResolvedType, type StaticType } from './static-type.ts';

export type Arithmetic = Extract<Operator, 'add' | 'sub' | 'mul' | 'div' | 'mod'>;

/**
 * The type that arithmetic on numbers, times and durations has (`expressions.md` §9).
 *
 * @param lefts - What the first operand may be, at least one; none of these types is open.
 * @returns undefined when the operation does not go with them.
 */
export function arithmeticType(
  op: Arithmetic,
  lefts: readonly ResolvedType[],
  rights: readonly ResolvedType[],
): StaticType | undefined {
  const [left, right] = [numberClass(lefts), numberClass(rights)];
  return left === 'mixed' || right === 'mixed' ? undefined : resultOf(op, left, right);
}

type NumberClass = 'integer' | 'time' | 'duration';

function numberClass(types: readonly ResolvedType[]): NumberClass | 'mixed' {
  const classes = new Set(
    types.map(({ kind }): NumberClass => (kind === 'time' || kind === 'duration' ? kind : 'integer')),
  );
  const [only = 'integer'] = classes;
  return classes.size > 1 ? 'mixed' : only;
}

const TIME: StaticType = { kind: 'time' };
const DURATION: StaticType = { kind: 'duration' };

/** The table of §9. */
function resultOf(op: Arithmetic, a: NumberClass, b: NumberClass): StaticType | undefined {
  const isSum = op === 'add' || op === 'sub';
  if (a === 'integer') {
    if (b === 'integer') return INTEGER;
    return b === 'duration' && op === 'mul' ? DURATION : undefined;
  }
  if (a === 'time') {
    if (b === 'duration') return isSum ? TIME : undefined;
    return b === 'time' && op === 'sub' ? DURATION : undefined;
  }
  if (b === 'integer') return isSum ? undefined : DURATION;
  if (b === 'time') return op === 'add' ? TIME : undefined;
  return isSum ? DURATION : undefined;
}
