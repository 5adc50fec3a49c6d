import { type DiagnosticEntry, type DiagnosticGroup, example } from './entry.ts';

/** Value errors. In a plan or trigger they stand behind plan.literal_invalid, trigger.literal_invalid or grant.params_invalid. */
export const VALUES: DiagnosticGroup = {
  title: 'Values',
  entries: [
    value('value.type_mismatch', 'A value is of another kind than its schema says.', {
      meaning:
        'Text is written as a JSON string, numbers as numbers, records as objects, lists as arrays. The message says what is expected and what was found. A reference may stand in place of any value of its type.',
      field: 'id',
      type: '{ "text": {} }',
      wrong: '«7»',
      right: '"7"',
    }),
    value('value.missing_field', 'A record lacks a field.', {
      meaning:
        'Every field of a record must be there, except those whose type is an option: they may be left out and are none then. Add the field, or make it optional in a new version of the schema.',
      field: 'of',
      type: '{ "record": { "id": { "text": {} }, "late": { "bool": {} } } }',
      wrong: '«{ "id": "o-1" }»',
      right: '{ "id": "o-1", "late": false }',
    }),
    value('value.unknown_field', 'A record has a field that its schema does not know.', {
      meaning:
        'Values carry exactly the fields of their schema, so that a misspelt field never passes silently. Correct the name, or add the field in a new version of the schema.',
      field: 'of',
      type: '{ "record": { "id": { "text": {} } } }',
      wrong: '{ "id": "o-1", «"lated"»: true }',
      right: '{ "id": "o-1" }',
    }),
    value('value.unknown_tag', 'A variant has an arm that its schema does not know.', {
      meaning:
        'A variant is one of the arms its schema names; upper and lower case differ. The message lists the arms there are.',
      field: 'pay',
      type: '{ "variant": { "Cash": { "unit": {} }, "Card": { "text": {} } } }',
      wrong: '«{ "$tag": "Cheque" }»',
      right: '{ "$tag": "Cash" }',
    }),
    value('value.missing_payload', 'An arm of a variant needs a payload, and has none.', {
      meaning: 'Only an arm of type unit stands alone. Write the payload: {"$tag": "Card", "$value": …}.',
      field: 'pay',
      type: '{ "variant": { "Cash": { "unit": {} }, "Card": { "text": {} } } }',
      wrong: '«{ "$tag": "Card" }»',
      right: '{ "$tag": "Card", "$value": "1234" }',
    }),
    value('value.unexpected_payload', 'An arm of type unit has a payload.', {
      meaning: 'An arm of type unit says everything by its name. Leave the payload out, or write null.',
      field: 'pay',
      type: '{ "variant": { "Cash": { "unit": {} }, "Card": { "text": {} } } }',
      wrong: '{ "$tag": "Cash", "$value": «7» }',
      right: '{ "$tag": "Cash" }',
    }),
    value('value.bad_pair', 'An entry of a map written as pairs does not have two items.', {
      meaning:
        'A map is an object when its keys are texts, or a list of [key, value] pairs. Each pair has exactly two items.',
      field: 'counts',
      type: '{ "map": { "key": { "nat": {} }, "value": { "text": {} } } }',
      wrong: '[[1, "one"], «[2]»]',
      right: '[[1, "one"], [2, "two"]]',
    }),
    value('value.bad_map_key', 'A key of a map is not of the key type.', {
      meaning: 'Keys are read with the key type of the map: a number for nat and int, a text for text, uuid and hash.',
      field: 'counts',
      type: '{ "map": { "key": { "nat": {} }, "value": { "text": {} } } }',
      wrong: '[[«true», "one"]]',
      right: '[[1, "one"]]',
    }),
    value('value.duplicate_key', 'A map has one key twice, with different values.', {
      meaning: 'Nobody could say which of the two values counts. Remove one of them.',
      field: 'counts',
      type: '{ "map": { "key": { "nat": {} }, "value": { "text": {} } } }',
      wrong: '«[[1, "one"], [1, "two"]]»',
      right: '[[1, "one"], [2, "two"]]',
    }),
    value('value.out_of_range', 'A number is too small or too large for its type.', {
      meaning:
        'nat goes from 0 to 2^64-1, int from -2^63 to 2^63-1; time and duration are nanoseconds in the same ranges.',
      field: 'count',
      type: '{ "nat": {} }',
      wrong: '«-1»',
      right: '1',
    }),
    value('value.bad_number', 'A number is written in a way that an integer never is.', {
      meaning:
        'Integers have no fraction and no exponent: write 1000, not 1e3 and not 1000.0. For decimal fractions there is dec128, written as a text.',
      field: 'count',
      type: '{ "nat": {} }',
      wrong: '«1.5»',
      right: '2',
    }),
    value('value.bad_dec128', 'A decimal number is malformed, or has more than 34 digits.', {
      meaning: 'dec128 is written as a text such as "12.50" or "-3e10", with at most 34 digits.',
      field: 'price',
      type: '{ "dec128": {} }',
      wrong: '«"12,50"»',
      right: '"12.50"',
    }),
    value('value.bad_base64', 'Bytes are not standard base64.', {
      meaning: 'Bytes are written as base64 with the letters +/ and with = at the end, as in "aGVsbG8=".',
      field: 'data',
      type: '{ "bytes": {} }',
      wrong: '«"aGVsbG8"»',
      right: '"aGVsbG8="',
    }),
    value('value.bad_hash', 'A hash value is not "sha256:" and 64 lower-case hex digits.', {
      meaning: 'Hashes have one spelling. The command "worldline blob put" prints them as they must be written.',
      field: 'body',
      type: '{ "hash": {} }',
      wrong: '«"sha256:12"»',
      right: `"sha256:${'12'.repeat(32)}"`,
    }),
    value('value.bad_uuid', 'A UUID is malformed.', {
      meaning: 'A UUID is 32 hex digits in groups of 8, 4, 4, 4 and 12, with dashes between them.',
      field: 'key',
      type: '{ "uuid": {} }',
      wrong: '«"1234"»',
      right: '"3d6f0a3e-1f0b-4c55-9a4e-0a2f8f1f2b7c"',
    }),
    value('value.bad_time', 'A time is malformed.', {
      meaning:
        'Times are nanoseconds since 1970, or a text such as "2026-01-31T08:00:00Z", with a time zone and at most nine digits of a second.',
      field: 'at',
      type: '{ "time": {} }',
      wrong: '«"31.1.2026"»',
      right: '"2026-01-31T08:00:00Z"',
    }),
  ],
};

/** An entry whose examples raise an event with one field. */
function value(
  code: string,
  title: string,
  parts: {
    readonly meaning: string;
    readonly field: string;
    readonly type: string;
    readonly wrong: string;
    readonly right: string;
  },
): DiagnosticEntry {
  const text = (json: string) => `
        [
          { "$kind": "defschema", "name": "demo/Told@1", "type": { "record": { "${parts.field}": ${parts.type} } } },
          {
            "$kind": "defplan",
            "name": "demo/example@1",
            "input": "demo/Order@1",
            "steps": [{ "id": "tell", "op": "raise_event", "event": "demo/Told@1", "value": { "${parts.field}": ${json} } }]
          }
        ]
  `;
  return {
    code,
    severity: 'error',
    rules: [],
    title,
    meaning: parts.meaning,
    wrong: example('nodes', text(parts.wrong)),
    right: example('nodes', text(parts.right)),
  };
}
