import { type DiagnosticGroup, example } from './entry.ts';

/** Type expressions of schemas: rules V-301 … V-307. */
export const TYPES: DiagnosticGroup = {
  title: 'Types of schemas',
  entries: [
    {
      code: 'type.invalid',
      severity: 'error',
      rules: ['V-301'],
      title: 'A type expression is none.',
      meaning:
        'A type is an object with exactly one member: {"text": {}}, {"list": T}, {"option": T}, {"map": {"key": K, "value": V}}, {"record": {…}}, {"variant": {…}} or {"ref": "namespace/Name@1"}. The other scalars are bool, int, nat, dec128, bytes, time, duration, hash, uuid and unit.',
      wrong: example(
        'type',
        `
        {
          "record": { "id": «"text"» }
        }
      `,
      ),
      right: example(
        'type',
        `
        {
          "record": { "id": { "text": {} } }
        }
      `,
      ),
    },
    {
      code: 'type.bad_map_key',
      severity: 'error',
      rules: ['V-302'],
      title: 'A map has no key type, or one that cannot be a key.',
      meaning:
        'Keys are of type int, nat, text, uuid or hash: these have one order and one spelling everywhere. Both "key" and "value" must be given. To look things up by a record, use its hash as the key.',
      wrong: example(
        'type',
        `
        {
          "map": { "key": «{ "bool": {} }», "value": { "text": {} } }
        }
      `,
      ),
      right: example(
        'type',
        `
        {
          "map": { "key": { "text": {} }, "value": { "text": {} } }
        }
      `,
      ),
    },
    {
      code: 'type.bad_set_element',
      severity: 'error',
      rules: ['V-303'],
      title: 'A set has elements of a type that has no order.',
      meaning:
        'A set keeps its elements sorted, so they are scalars other than unit. For records, lists and other things made of parts take a list, or a map with a key.',
      wrong: example(
        'type',
        `
        { "set": «{ "record": { "id": { "text": {} } } }» }
      `,
      ),
      right: example(
        'type',
        `
        { "list": { "record": { "id": { "text": {} } } } }
      `,
      ),
    },
    {
      code: 'type.ambiguous_option',
      severity: 'error',
      rules: ['V-304'],
      title: 'An option holds another option, or unit.',
      meaning:
        'None is written as null, and so is unit: nobody could tell which of the two a null stands for. Leave one option out, or take a variant whose arms have names.',
      wrong: example(
        'type',
        `
        { "option": «{ "option": { "text": {} } }» }
      `,
      ),
      right: example(
        'type',
        `
        { "variant": { "Unknown": { "unit": {} }, "None": { "unit": {} }, "Some": { "text": {} } } }
      `,
      ),
    },
    {
      code: 'type.bad_member',
      severity: 'error',
      rules: ['V-307'],
      title: 'A record field or variant arm has a name that it cannot have, or a variant has no arm.',
      meaning:
        'Names of fields and arms are not empty and do not begin with "$": those names belong to the language ($tag, $value, $status). A variant without arms has no values at all.',
      wrong: example(
        'type',
        `
        {
          "record": { "$id": «{ "text": {} }» }
        }
      `,
      ),
      right: example(
        'type',
        `
        {
          "record": { "id": { "text": {} } }
        }
      `,
      ),
    },
    {
      code: 'schema.recursive',
      severity: 'error',
      rules: ['V-305'],
      title: 'A schema contains itself, directly or through others.',
      meaning:
        'Values are finite and their size is known from their type, so types do not recurse. Put a reference in place of the inner value, such as its id or its hash.',
      wrong: example(
        'type',
        `
        {
          "record": { "name": { "text": {} }, "parent": { "option": «{ "ref": "demo/Example@1" }» } }
        }
      `,
      ),
      right: example(
        'type',
        `
        {
          "record": { "name": { "text": {} }, "parent": { "option": { "hash": {} } } }
        }
      `,
      ),
    },
    {
      code: 'schema.not_found',
      severity: 'error',
      rules: ['V-306', 'V-401', 'V-409', 'V-420', 'V-430', 'V-514', 'V-517', 'V-518'],
      title: 'A schema that is named here is neither listed nor built in.',
      meaning:
        'Types, plans, effects, routes and triggers name schemas; each must be listed in the manifest or come with the runtime under sys/. Look for a misspelt name or another version, or list the schema.',
      wrong: example(
        'type',
        `
        {
          "record": { "order": «{ "ref": "demo/Oder@1" }» }
        }
      `,
      ),
      right: example(
        'type',
        `
        {
          "record": { "order": { "ref": "demo/Order@1" } }
        }
      `,
      ),
    },
  ],
};
