import {
  isInteger,
  isNumeric,
  isOpen,
  isTextual,
  type ResolvedType,
  type StaticType,
  type TypeTable,
} from './static-type.ts';

/** Whether a value may be used where a type is expected (`expressions.md` §13.3). */

export type ConversionWarning = 'unit_conversion' | 'text_conversion' | 'option_unwrap_unproven' | 'variant_unrefined';

export type Verdict =
  | { readonly fits: false }
  | {
      readonly fits: true;
      /** Whether it does is known only when it runs. */
      readonly checked: boolean;
      readonly warnings: readonly ConversionWarning[];
    };

const NO: Verdict = { fits: false };
const YES: Verdict = { fits: true, checked: false, warnings: [] };
const CHECKED: Verdict = { fits: true, checked: true, warnings: [] };

/**
 * The verdict of §13.3 for a value that is no constructor.
 *
 * @param from - Holds no handle; a receipt counts as its payload.
 */
export function assignable(from: StaticType, to: StaticType, table: TypeTable): Verdict {
  // Schemas share parts: without remembering, two that differ deep inside would be compared once per path.
  const key = `${table.idOf(from)} ${table.idOf(to)}`;
  const verdicts = known.get(table) ?? new Map();
  known.set(table, verdicts);
  const before = verdicts.get(key);
  if (before !== undefined) return before;
  const verdict = decide(from, to, table);
  verdicts.set(key, verdict);
  return verdict;
}

const known = new WeakMap<TypeTable, Map<string, Verdict>>();

function decide(from: StaticType, to: StaticType, table: TypeTable): Verdict {
  const source = table.resolve(from);
  const target = table.resolve(to);
  if (source.kind === 'receipt') return assignable(source.payload, to, table);
  if (isOpen(source) || isOpen(target)) return YES;
  if (table.same(source, target)) return YES;
  if (target.kind === 'option') return intoOption(source, target.item, table);
  if (source.kind === 'none') return target.kind === 'unit' ? YES : NO;
  if (source.kind === 'option') return checkedAs(assignable(source.item, to, table), 'option_unwrap_unproven');
  if (source.kind === 'payload') return fromPayload(source, to, table);
  if (isNumeric(source) && isNumeric(target)) {
    if (isInteger(source) && isInteger(target)) return CHECKED;
    return checkedAs(CHECKED, 'unit_conversion');
  }
  if (isTextual(source) && isTextual(target)) {
    if (target.kind === 'text') return YES;
    return source.kind === 'text' ? checkedAs(CHECKED, 'text_conversion') : NO;
  }
  switch (source.kind) {
    case 'list':
    case 'set':
      return target.kind === source.kind ? unchecked(assignable(source.item, target.item, table)) : NO;
    case 'map':
      return target.kind === 'map' && sameKeys(source.key, target.key, table)
        ? unchecked(assignable(source.value, target.value, table))
        : NO;
    case 'record':
      return target.kind === 'record' ? sameFields(source.fields, target.fields, table) : NO;
    case 'variant':
      return agrees(source, target, table) ? YES : NO;
    default:
      return NO;
  }
}

function intoOption(source: ResolvedType, item: StaticType, table: TypeTable): Verdict {
  if (source.kind === 'none') return YES;
  // An option of something that fits is none or fits, so nothing is unwrapped.
  if (source.kind === 'option') return assignable(source.item, item, table);
  if (source.kind === 'payload') return fromPayload(source, { kind: 'option', item }, table);
  return assignable(source, item, table);
}

/** Yes if some arm fits; then the value itself is checked when it runs. */
function fromPayload(
  source: Extract<ResolvedType, { readonly kind: 'payload' }>,
  to: StaticType,
  table: TypeTable,
): Verdict {
  const verdicts = [...source.arms.values()].map((arm) => assignable(arm, to, table));
  if (!verdicts.some(({ fits }) => fits)) return NO;
  if (verdicts.every((verdict) => verdict.fits && !verdict.checked)) return YES;
  return { fits: true, checked: true, warnings: ['variant_unrefined'] };
}

function sameKeys(a: StaticType, b: StaticType, table: TypeTable): boolean {
  return isOpen(table.resolve(a)) || isOpen(table.resolve(b)) || table.same(a, b);
}

function sameFields(
  from: ReadonlyMap<string, StaticType>,
  to: ReadonlyMap<string, StaticType>,
  table: TypeTable,
): Verdict {
  if (from.size !== to.size) return NO;
  for (const [name, type] of to) {
    const field = from.get(name);
    if (field === undefined || !unchecked(assignable(field, type, table)).fits) return NO;
  }
  return YES;
}

/**
 * Whether two types are identical as far as they are known: what is wrong inside one of them is reported there.
 *
 * Each pair is looked at once, and counts as agreeing while it is.
 */
function agrees(a: StaticType, b: StaticType, table: TypeTable): boolean {
  const left = table.resolve(a);
  const right = table.resolve(b);
  if (isOpen(left) || isOpen(right) || table.same(left, right)) return true;
  const key = `${table.idOf(a)} ${table.idOf(b)}`;
  const answers = agreed.get(table) ?? new Map<string, boolean>();
  agreed.set(table, answers);
  const before = answers.get(key);
  if (before !== undefined) return before;
  answers.set(key, true);
  const answer = partsAgree(left, right, table);
  answers.set(key, answer);
  return answer;
}

const agreed = new WeakMap<TypeTable, Map<string, boolean>>();

function partsAgree(a: ResolvedType, b: ResolvedType, table: TypeTable): boolean {
  if ((a.kind === 'option' || a.kind === 'list' || a.kind === 'set') && a.kind === b.kind)
    return agrees(a.item, b.item, table);
  if (a.kind === 'map' && b.kind === 'map') return agrees(a.key, b.key, table) && agrees(a.value, b.value, table);
  if (a.kind === 'record' && b.kind === 'record') return membersAgree(a.fields, b.fields, table);
  if (a.kind === 'variant' && b.kind === 'variant') return membersAgree(a.arms, b.arms, table);
  return false;
}

function membersAgree(
  a: ReadonlyMap<string, StaticType>,
  b: ReadonlyMap<string, StaticType>,
  table: TypeTable,
): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([name, type]) => {
    const other = b.get(name);
    return other !== undefined && agrees(type, other, table);
  });
}

/** Inside a collection nothing is converted: adapt it explicitly. */
function unchecked(verdict: Verdict): Verdict {
  return verdict.fits && !verdict.checked ? YES : NO;
}

function checkedAs(verdict: Verdict, warning: ConversionWarning): Verdict {
  return verdict.fits ? { fits: true, checked: true, warnings: [...verdict.warnings, warning] } : NO;
}
