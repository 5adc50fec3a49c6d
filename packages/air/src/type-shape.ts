/** The forms of type expressions (`values.md` §2): one key each, what stands behind it, and where such a type may be used. */

export interface TypeForm {
  /** Nothing is `{}`; members are fields or arms, name → type. */
  readonly body: 'nothing' | 'type' | 'members' | 'key and value' | 'schema name';
  /** May its values be keys of maps (V-302)? */
  readonly mapKey?: true;
  /** May its values be elements of sets (V-303)? Behind a reference the question is asked again. */
  readonly setItem?: true;
  /** In an option it could not be told from none (V-304). */
  readonly notOptional?: true;
  /** For people. */
  readonly says: string;
}

export const TYPE_FORMS = {
  bool: { body: 'nothing', setItem: true, says: '`true` or `false`.' },
  int: { body: 'nothing', mapKey: true, setItem: true, says: 'An integer from −2^63 to 2^63−1.' },
  nat: { body: 'nothing', mapKey: true, setItem: true, says: 'An integer from 0 to 2^64−1.' },
  dec128: { body: 'nothing', setItem: true, says: 'A decimal number as text, kept as written: `"0.50"`.' },
  bytes: { body: 'nothing', setItem: true, says: 'Bytes, in JSON as base64.' },
  text: { body: 'nothing', mapKey: true, setItem: true, says: 'Text.' },
  time: {
    body: 'nothing',
    setItem: true,
    says: 'An instant, in nanoseconds since 1970; also as `"2023-11-14T22:13:20Z"`.',
  },
  duration: { body: 'nothing', setItem: true, says: 'A span of time in nanoseconds, may be negative.' },
  hash: { body: 'nothing', mapKey: true, setItem: true, says: 'A SHA-256 hash: `"sha256:…"`.' },
  uuid: { body: 'nothing', mapKey: true, setItem: true, says: 'A uuid: `"123e4567-e89b-12d3-a456-426614174000"`.' },
  unit: { body: 'nothing', notOptional: true, says: 'Exactly one value: `null`. For arms of a variant without data.' },
  record: {
    body: 'members',
    says: 'Named fields, all required, except that fields of an `option` type may be left out.',
  },
  variant: { body: 'members', says: 'One of several named arms. An arm without data has the type `{"unit": {}}`.' },
  list: { body: 'type', says: 'A list of values of one type.' },
  set: { body: 'type', says: 'A set of scalar values: no order, no duplicates.' },
  map: { body: 'key and value', says: 'Values by key. Keys are of type int, nat, text, uuid or hash.' },
  option: { body: 'type', notOptional: true, says: 'A value of the type, or none.' },
  ref: { body: 'schema name', setItem: true, says: 'The type of another schema, by name.' },
} as const satisfies Readonly<Record<string, TypeForm>>;

export type TypeKind = keyof typeof TYPE_FORMS;

/** The kinds whose form has a property. */
export function typeKinds(test: (form: TypeForm) => boolean): TypeKind[] {
  return (Object.keys(TYPE_FORMS) as TypeKind[]).filter((kind) => test(TYPE_FORMS[kind]));
}

/** The members of the body of a map type. */
export const MAP_MEMBERS = { key: 'The type of the keys.', value: 'The type of the values.' } as const;
