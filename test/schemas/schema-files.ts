import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject } from 'ajv';
import { ROOT } from '../house/repository.ts';

/** The committed schemas, and another author's validator of draft-07 to judge with. */

export const AIR = 'air.schema.json';
export const SYNC = 'worldline.schema.json';
export const HOST = 'worldline.host.schema.json';

export function schemaFile(name: string): object {
  return JSON.parse(readFileSync(`${ROOT}/schemas/${name}`, 'utf8'));
}

/** Keywords of VS Code. The validator is strict: any other word that draft-07 does not know is an error. */
const EDITOR_KEYWORDS = [
  'markdownDescription',
  'markdownEnumDescriptions',
  'defaultSnippets',
  'patternErrorMessage',
  'doNotSuggest',
];

/**
 * @param definition - One definition of the schema instead of the whole.
 * @returns What is wrong, as `pointer: message`; empty when the value is valid.
 */
export function validator(name: string, definition?: string): (json: unknown) => string[] {
  // Types and required members often stand in another branch than the keywords that go with them.
  const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
  for (const keyword of EDITOR_KEYWORDS) ajv.addKeyword(keyword);
  ajv.addSchema(schemaFile(name), name);
  const validate = ajv.getSchema(definition === undefined ? name : `${name}#/definitions/${definition}`);
  if (validate === undefined) throw new Error(`${name} has no ${definition}`);
  return (json) => (validate(json) === true ? [] : (validate.errors ?? []).map(said));
}

function said({ instancePath, message, params }: ErrorObject): string {
  const property = params['additionalProperty'];
  return `${instancePath}: ${message}${property === undefined ? '' : ` (${property})`}`;
}
