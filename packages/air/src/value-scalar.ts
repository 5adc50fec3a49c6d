import { HASH } from './name.ts';
import type { Value } from './value.ts';
import type { Problems } from './value-failure.ts';

/** Domains of the scalar types (`values.md` §2, §4.2–§4.4): integers by range, the text-like ones by pattern. */

export type IntegerKind = 'int' | 'nat' | 'time' | 'duration';
export type TextKind = 'text' | 'dec128' | 'hash' | 'uuid';

export const INT_MIN = -(2n ** 63n);
export const INT_MAX = 2n ** 63n - 1n;
export const NAT_MAX = 2n ** 64n - 1n;

export const INTEGER_TEXT = /^[+-]?[0-9]+$/;
export const DEC128 = /^[+-]?([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;
const DEC128_DIGITS_MAX = 34;
const DEC128_EXPONENT_MIN = -6143;
const DEC128_EXPONENT_MAX = 6144;
export const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
const RFC3339 =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))$/;

export function isIntegerKind(kind: string): kind is IntegerKind {
  return kind === 'int' || kind === 'nat' || kind === 'time' || kind === 'duration';
}

export function isTextKind(kind: string): kind is TextKind {
  return kind === 'text' || kind === 'dec128' || kind === 'hash' || kind === 'uuid';
}

/** Is `value` in the domain of an integer kind? */
export function inRange(kind: IntegerKind, value: bigint): boolean {
  return kind === 'nat' || kind === 'time' ? value >= 0n && value <= NAT_MAX : value >= INT_MIN && value <= INT_MAX;
}

/** An integer of `kind`, or `value.out_of_range`. */
export function integer(kind: IntegerKind, value: bigint, problems: Problems): Value | undefined {
  if (inRange(kind, value)) return { kind, value };
  // Hostile JSON may hold integers of a thousand digits; `text` cuts them.
  return problems.text('value.out_of_range', `out of range for ${kind}`, value.toString(), { expected: kind });
}

/** The integer that a decimal string spells, undefined if it spells none, or null if it has too many digits for any kind. */
function parseInteger(text: string): bigint | null | undefined {
  if (!INTEGER_TEXT.test(text)) return undefined;
  const digits = text.replace(/^[+-]?0*/, '');
  if (digits.length > 20) return null;
  const magnitude = BigInt(digits);
  return text.startsWith('-') ? -magnitude : magnitude;
}

/** An integer written as a decimal string: `value.bad_number` when it is none, `value.out_of_range`. */
export function integerText(kind: IntegerKind, text: string, problems: Problems): Value | undefined {
  const value = parseInteger(text);
  if (value === undefined) return problems.text('value.bad_number', 'not an integer', text, { expected: kind });
  if (value === null) return problems.text('value.out_of_range', `out of range for ${kind}`, text, { expected: kind });
  return integer(kind, value, problems);
}

/** A time in sugar: a decimal string of nanoseconds or an RFC 3339 date-time (`values.md` §3.2). */
export function timeText(text: string, problems: Problems): Value | undefined {
  if (INTEGER_TEXT.test(text)) return integerText('time', text, problems);
  const value = parseRfc3339(text);
  if (value === undefined) {
    return problems.text('value.bad_time', 'not an RFC 3339 date-time with offset', text, { expected: 'time' });
  }
  return inRange('time', value)
    ? { kind: 'time', value }
    : problems.text('value.out_of_range', 'out of range for time', text, { expected: 'time' });
}

/** A text-like scalar: `value.bad_text`, `value.bad_dec128`, `value.bad_hash`, `value.bad_uuid`. Upper case in a uuid is lowered. */
export function textScalar(kind: TextKind, text: string, problems: Problems): Value | undefined {
  switch (kind) {
    case 'text':
      return text.isWellFormed()
        ? { kind, value: text }
        : problems.report('value.bad_text', 'text with a lone surrogate', { expected: kind });
    case 'dec128':
      return isDec128(text)
        ? { kind, value: text }
        : problems.text('value.bad_dec128', 'not a decimal of at most 34 digits', text, { expected: kind });
    case 'hash':
      return HASH.test(text)
        ? { kind, value: text }
        : problems.text('value.bad_hash', 'not "sha256:" and 64 lower-case hex digits', text, { expected: kind });
    case 'uuid':
      return UUID.test(text)
        ? { kind, value: text.toLowerCase() }
        : problems.text('value.bad_uuid', 'not a uuid', text, { expected: kind });
  }
}

/** Pattern, digits and exponent of `values.md` §4.3. */
export function isDec128(text: string): boolean {
  const match = DEC128.exec(text);
  if (match === null) return false;
  const fraction = match[2] ?? '';
  const digits = `${match[1]}${fraction}`.replace(/^0+/, '');
  if (digits.length > DEC128_DIGITS_MAX) return false;
  const exponentText = match[3] ?? '0';
  const exponentDigits = exponentText.replace(/^[+-]?0*/, '');
  // Both terms stay far below 2^53: the exponent by this check, the fraction because it is a length.
  if (exponentDigits.length > 12) return false;
  const exponent = Number(exponentText) - fraction.length;
  const adjusted = exponent + Math.max(digits.length, 1) - 1;
  return adjusted >= DEC128_EXPONENT_MIN && adjusted <= DEC128_EXPONENT_MAX;
}

function parseRfc3339(text: string): bigint | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const offsetHours = Number(match[9] ?? 0);
  const offsetMinutes = Number(match[10] ?? 0);
  if (offsetHours > 23 || offsetMinutes > 59) return undefined;
  const offset = (match[8] === '-' ? -1 : 1) * (offsetHours * 60 + offsetMinutes) * 60;
  const seconds = ((daysFromEpoch(year, month, day) * 24 + hour) * 60 + minute) * 60 + second - offset;
  return BigInt(seconds) * 1_000_000_000n + BigInt((match[7] ?? '').padEnd(9, '0'));
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return isLeapYear(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar. Years start in March here, so that a leap day comes last. */
function daysFromEpoch(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  const monthsFromMarch = (month + 9) % 12;
  const dayOfYear = Math.floor((153 * monthsFromMarch + 2) / 5) + day - 1;
  // 719468 days lie between 0000-03-01 and 1970-01-01.
  return shifted * 365 + leapDays + dayOfYear - 719_468;
}
