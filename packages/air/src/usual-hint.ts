/** What to write instead, where nothing is known but what is wrong: for JSON that people write. */

/** How values of a type are written (`values.md` §3.2), by the name of the type in messages. */
const WRITTEN: Readonly<Record<string, string>> = {
  bool: 'Write true or false.',
  int: 'Write an integer: -5.',
  nat: 'Write an integer from 0 on: 5.',
  dec128: 'Write a decimal number as text: "0.50".',
  bytes: 'Write the bytes in base64: "AAEC".',
  text: 'Write a text: "…".',
  time: 'Write "2023-11-14T22:13:20Z", or nanoseconds since 1970.',
  duration: 'Write nanoseconds: 1000000000 is a second.',
  hash: 'Write "sha256:" and 64 lower-case hex digits.',
  uuid: 'Write a uuid: "123e4567-e89b-12d3-a456-426614174000".',
  unit: 'Write null.',
  record: 'Write an object with the fields of the record: {"field": …}.',
  variant: 'Write {"Arm": payload} with exactly one arm.',
  list: 'Write a list: […].',
  set: 'Write a list: […].',
  map: 'Write an object {"key": …}, or a list of [key, value] pairs.',
  'list of [key, value] pairs': 'Write a list of pairs: [[key, value], …].',
};

const BY_CODE: Readonly<Record<string, string>> = {
  'value.unknown_field': 'Leave it out, or add it to the schema.',
  'value.unknown_tag': 'Use an arm of the variant, or add one to the schema.',
  'value.missing_payload': 'Write {"Arm": payload}.',
  'value.unexpected_payload': 'Write null as its payload.',
  'value.bad_pair': 'Write [key, value].',
  'value.bad_map_key': 'Keys are int, nat, text, uuid or hash; write one of the type of the map.',
  'value.duplicate_key': 'Keep one of them.',
  'value.bad_number': 'Write an integer: digits, and a sign before them if it has one.',
  'value.bad_dec128': WRITTEN['dec128'] as string,
  'value.bad_base64': WRITTEN['bytes'] as string,
  'value.bad_hash': WRITTEN['hash'] as string,
  'value.bad_uuid': WRITTEN['uuid'] as string,
  'value.bad_time': WRITTEN['time'] as string,
  'value.bad_text': 'Leave out the half of a pair, or write both: "\\ud83d\\ude00".',
  'type.invalid':
    'Types are {"text": {}}, {"record": {"field": T}}, {"list": T}, {"ref": "acme/Point@1"} and the like.',
  'type.bad_map_key': 'Write {"map": {"key": K, "value": T}}; K is int, nat, text, uuid or hash.',
  'type.bad_set_element': 'Sets hold bools, numbers, texts, bytes, hashes and uuids: use a list.',
  'type.ambiguous_option': 'Leave the option out, or say with a variant or a bool what is meant.',
  'type.bad_member': 'Names of fields and arms are not empty and do not begin with "$"; a variant has an arm.',
  'expr.invalid':
    'Expressions are {"ref": "@…"}, {"op": …, "args": […]}, constants such as {"text": "…"}, record, list, set, map and variant.',
};

const RANGES: Readonly<Record<string, string>> = {
  int: '-2^63 to 2^63-1',
  nat: '0 to 2^64-1',
  time: '0 to 2^64-1 ns',
  duration: '-2^63 to 2^63-1 ns',
};

export function usualHint(
  code: string,
  { expected, field }: { readonly expected?: string | undefined; readonly field?: string | undefined },
): string | undefined {
  switch (code) {
    case 'value.type_mismatch':
      return WRITTEN[expected ?? ''] ?? `Write ${expected}.`;
    case 'value.missing_field':
      return field === undefined ? undefined : `Add "${field}"${expected === undefined ? '' : `: ${expected}`}.`;
    case 'value.out_of_range':
      return expected !== undefined && expected in RANGES ? `${expected} goes from ${RANGES[expected]}.` : undefined;
    default:
      return BY_CODE[code];
  }
}
