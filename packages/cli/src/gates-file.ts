import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Holds,
  IDENT,
  isJsonArray,
  isJsonObject,
  type Json,
  KIND,
  NAME,
  parseJson,
  type Shape,
} from '@worldline/air';
import { fromUtf8, type Path } from '@worldline/canon';
import type { GateConfig } from '@worldline/testkit/gates';
import { shown } from './air-folder.ts';
import { stop } from './failure.ts';
import { isFolder } from './folder.ts';
import { GATES_FILE_SHAPE } from './gates-file-shape.ts';
import { FileReader } from './sync-file.ts';

/** Name of the optional file that says how the gates drive a world. */
export const GATES_FILE = 'gates.json';

/**
 * Reads `gates.json` of a world folder; empty when there is none.
 *
 * @param file - another file, absolute.
 * @throws CommandError `gates.schema` with the place, `not_found` for a file that was named.
 */
export function readGatesFile(root: string, file?: string): GateConfig {
  const path = file ?? join(root, GATES_FILE);
  const name = shown(path, root);
  if (!existsSync(path)) {
    if (file === undefined) return {};
    return stop('not_found', `there is no file ${name}`);
  }
  if (isFolder(path)) return stop('invalid_request', `${name} is a folder`, { hint: 'name a file' });
  const text = fromUtf8(readFileSync(path));
  if (text === undefined) return stop('gates.schema', `${name} is not UTF-8 text`);
  const reader = new FileReader(name, text, 'gates.schema');
  const json = parseJson(text);
  if (!json.ok) return reader.refuse('gates.schema', json.failure.path, json.failure.message, undefined, json.failure);
  readShape(reader, json.value, [], GATES_FILE_SHAPE);
  const config = json.value as GateConfig;
  for (const [i, flow] of (config.flows ?? []).entries()) {
    if (flow.event === undefined && flow.plan === undefined)
      reader.refuse(
        'gates.schema',
        ['flows', i],
        'a flow has neither "event" nor "plan"',
        'name the event or the plan that it begins with',
      );
  }
  return config;
}

function readShape(reader: FileReader, json: Json, path: Path, shape: Shape): void {
  const object = reader.object(json, path, shape);
  for (const [name, { holds, required }] of Object.entries(shape)) {
    const value = (object as Readonly<Record<string, Json | undefined>>)[name];
    if (value !== undefined) readHolds(reader, value, [...path, name], holds);
    else if (required !== undefined) reader.refuse('gates.schema', path, `"${name}" is missing: ${required}`);
  }
}

const PATTERNS = { name: NAME, ident: IDENT, kind: KIND } as const;

function readHolds(reader: FileReader, json: Json, path: Path, holds: Holds): void {
  switch (holds.is) {
    case 'name':
    case 'ident':
    case 'kind':
      if (typeof json !== 'string' || !PATTERNS[holds.is].test(json))
        reader.refuse(
          'gates.schema',
          path,
          holds.is === 'name'
            ? 'expected a name such as acme/order@1'
            : `expected ${holds.is === 'kind' ? 'an effect kind' : 'a step id'}`,
        );
      return;
    case 'text':
      if (typeof json !== 'string' || (holds.notEmpty === true && json === ''))
        reader.refuse('gates.schema', path, 'expected text');
      return;
    case 'choice':
      if (typeof json !== 'string' || !Object.hasOwn(holds.values, json))
        reader.refuse('gates.schema', path, `expected one of ${Object.keys(holds.values).join(', ')}`);
      return;
    case 'list':
      if (!isJsonArray(json)) return reader.refuse('gates.schema', path, 'expected a list');
      json.forEach((item, i) => readHolds(reader, item, [...path, i], holds.items));
      return;
    case 'object':
      if (!isJsonObject(json)) return reader.refuse('gates.schema', path, 'expected an object');
      return readShape(reader, json, path, holds.shape);
    default:
      // JSON whose type the definitions say: it is read when it is used.
      return;
  }
}
