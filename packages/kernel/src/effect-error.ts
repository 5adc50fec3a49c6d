import { type CborValue, isWellFormed, parseHashText } from '@worldline/canon';
import { isMap, isText } from './wire.ts';

const MEMBERS: ReadonlySet<string> = new Set(['code', 'message', 'retryable', 'detail_ref']);

/**
 * Is this `sys/EffectError@1` as data: all members there, absent options null? Asked of what comes in and of what is
 * read back, so that nothing can be journaled that a replay would refuse.
 */
export function isEffectError(value: CborValue | undefined): boolean {
  if (!isMap(value, MEMBERS)) return false;
  const { code, message, retryable, detail_ref: detailRef } = value;
  if (!isText(code) || !isText(message) || !isWellFormed(code) || !isWellFormed(message)) return false;
  if (retryable !== null && typeof retryable !== 'boolean') return false;
  return detailRef === null || (isText(detailRef) && parseHashText(detailRef) !== undefined);
}
