import { isInteger, isNumeric, isOpen, isTextual, type StaticType, type TypeTable } from './static-type.ts';

/**
 * Can values of two types be equal (`expressions.md` §8)? `cross`: legal but warned, since two kinds of one encoding are
 * compared. Two collections are told by their elements: that both may be empty does not make a comparison meant.
 *
 * The types hold no handle; a receipt counts as its payload.
 */
export type Comparison = 'same' | 'cross' | 'never';

export function comparison(a: StaticType, b: StaticType, table: TypeTable): Comparison {
  const [first, second] = [table.idOf(a), table.idOf(b)];
  if (first === second) return 'same';
  const key = first < second ? `${first} ${second}` : `${second} ${first}`;
  const answers = known.get(table) ?? new Map();
  known.set(table, answers);
  const before = answers.get(key);
  if (before !== undefined) return before;
  const answer = compare(a, b, table);
  answers.set(key, answer);
  return answer;
}

const known = new WeakMap<TypeTable, Map<string, Comparison>>();

function compare(a: StaticType, b: StaticType, table: TypeTable): Comparison {
  const left = table.resolve(a);
  const right = table.resolve(b);
  if (isOpen(left) || isOpen(right)) return 'same';
  if (left.kind === 'receipt') return comparison(left.payload, b, table);
  if (right.kind === 'receipt') return comparison(a, right.payload, table);
  if (left.kind === 'payload') return any([...left.arms.values()].map((arm) => comparison(arm, b, table)));
  if (right.kind === 'payload') return comparison(b, a, table);
  const empty = (kind: string) => kind === 'none' || kind === 'unit' || kind === 'option';
  if (left.kind === 'option' || right.kind === 'option') {
    const inner = comparison(
      left.kind === 'option' ? left.item : left,
      right.kind === 'option' ? right.item : right,
      table,
    );
    return inner === 'never' && empty(left.kind) && empty(right.kind) ? 'same' : inner;
  }
  if (empty(left.kind) || empty(right.kind)) return empty(left.kind) && empty(right.kind) ? 'same' : 'never';
  if (isNumeric(left) && isNumeric(right)) {
    return left.kind === right.kind || (isInteger(left) && isInteger(right)) ? 'same' : 'cross';
  }
  if (isTextual(left) && isTextual(right)) {
    if (left.kind === right.kind) return 'same';
    // A hash is never a uuid, and neither is a decimal.
    return left.kind === 'text' || right.kind === 'text' ? 'cross' : 'never';
  }
  switch (left.kind) {
    case 'list':
    case 'set':
      return right.kind === 'list' || right.kind === 'set' ? comparison(left.item, right.item, table) : 'never';
    case 'map':
      return right.kind === 'map'
        ? all([comparison(left.key, right.key, table), comparison(left.value, right.value, table)])
        : 'never';
    case 'record': {
      if (right.kind !== 'record' || left.fields.size !== right.fields.size) return 'never';
      const fields: Comparison[] = [];
      for (const [name, type] of left.fields) {
        const other = right.fields.get(name);
        if (other === undefined) return 'never';
        fields.push(comparison(type, other, table));
      }
      return all(fields);
    }
    case 'variant': {
      if (right.kind !== 'variant') return 'never';
      const shared: Comparison[] = [];
      for (const [tag, arm] of left.arms) {
        const other = right.arms.get(tag);
        if (other !== undefined) shared.push(comparison(arm, other, table));
      }
      return any(shared);
    }
    default:
      return left.kind === right.kind ? 'same' : 'never';
  }
}

/** Some pair may be equal. */
function any(answers: readonly Comparison[]): Comparison {
  if (answers.includes('same')) return 'same';
  return answers.includes('cross') ? 'cross' : 'never';
}

/** All pairs must be equal. */
function all(answers: readonly Comparison[]): Comparison {
  if (answers.includes('never')) return 'never';
  return answers.includes('cross') ? 'cross' : 'same';
}
