import { type CborValue, decode } from '@worldline/canon';
import type { EffectIntent, EffectReceipt } from '@worldline/kernel';
import type { AdapterSignal } from './tally.ts';

/** What single records prove. No schema is needed, and no text is matched (`summaries.md` S3, §3.1). */

type DataObject = { readonly [key: string]: CborValue | undefined };

/** Reserved arm name of "the deadline won" (`patterns.md` R6). */
const DEADLINE_ARM = 'TimedOut';
const DEADLINE_KEY = 'deadline:';

/** T1: the value is a variant with the arm `TimedOut`. */
export function isTimedOut(value: Uint8Array): boolean {
  return isTimedOutVariant(contentOf(value));
}

/** T2: the value is such a variant, or a record with a top-level field that is one. */
export function holdsTimedOut(value: Uint8Array): boolean {
  const content = contentOf(value);
  if (isTimedOutVariant(content)) return true;
  // The payload of another arm is not a field of a record.
  return isDataObject(content) && !isVariant(content) && Object.values(content).some(isTimedOutVariant);
}

/** Does the intent arm a deadline: a timer whose `key` starts with `deadline:` (§3)? */
export function armsDeadline(intent: EffectIntent): boolean {
  return timerKey(intent)?.startsWith(DEADLINE_KEY) === true;
}

/** `key` of a timer that has one: which timer it is, never data. */
export function timerKey(intent: EffectIntent): string | undefined {
  if (intent.kind !== 'timer.set' && intent.kind !== 'timer.after') return undefined;
  const params = contentOf(intent.params_cbor);
  const key = isDataObject(params) ? params['key'] : undefined;
  return typeof key === 'string' ? key : undefined;
}

/** A fork and a withdrawn approval report no failure of an adapter. */
export function adapterSignal(receipt: EffectReceipt): AdapterSignal | undefined {
  if (receipt.status === 'ok') return undefined;
  if (receipt.status === 'timeout') return 'adapter_timeout';
  const code = receipt.error?.code;
  if (code === 'delivery.unknown') return 'delivery_unknown';
  return receipt.adapter_id === 'kernel.fork' || code === 'approval.withdrawn' ? undefined : 'adapter_error';
}

/** Members of a record value; none of anything else. */
export function membersOf(bytes: Uint8Array): DataObject {
  const content = contentOf(bytes);
  return isDataObject(content) ? content : {};
}

function contentOf(bytes: Uint8Array): CborValue | undefined {
  const decoded = decode(bytes);
  return decoded.ok ? decoded.value : undefined;
}

function isTimedOutVariant(value: CborValue | undefined): boolean {
  return isDataObject(value) && isVariant(value) && value['$tag'] === DEADLINE_ARM;
}

/** In canonical data only a variant has these members: field names do not start with `$`. */
function isVariant(value: DataObject): boolean {
  return Object.keys(value).length === 2 && typeof value['$tag'] === 'string' && value['$value'] !== undefined;
}

function isDataObject(value: CborValue | undefined): value is DataObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Map) &&
    !(value instanceof Uint8Array)
  );
}
