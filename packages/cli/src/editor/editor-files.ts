import { HOST_CONFIG_SHAPE } from '@worldline/host/config';
import { GATES_FILE_SHAPE } from '../gates-file-shape.ts';
import { SYNC_FILE_SHAPE } from '../sync-file-shape.ts';
import { airSchema } from './air-schema.ts';
import { type JsonSchema, SchemaWriter } from './json-schema.ts';

/** The JSON Schemas of every authored file, by the name under which they are kept in `schemas/`. */
export function schemaFiles(): ReadonlyMap<string, JsonSchema> {
  return new Map([
    ['air.schema.json', airSchema()],
    ['worldline.schema.json', syncFileSchema()],
    ['worldline.host.schema.json', hostConfigSchema()],
    ['gates.schema.json', gatesFileSchema()],
  ]);
}

/** `worldline.json`. Its reader takes null for any member that may be left out. */
function syncFileSchema(): JsonSchema {
  const writer = new SchemaWriter({ comments: true, nullable: ({ required }) => required === undefined });
  return file('worldline.json', writer.object(SYNC_FILE_SHAPE));
}

/** `worldline.host.json`. Its reader takes null for sections. */
function hostConfigSchema(): JsonSchema {
  const writer = new SchemaWriter({
    comments: false,
    nullable: ({ holds }) => holds.is === 'object' || holds.is === 'map',
  });
  return file('worldline.host.json', writer.object(HOST_CONFIG_SHAPE));
}

/** `gates.json`. */
function gatesFileSchema(): JsonSchema {
  const writer = new SchemaWriter({ comments: true, nullable: () => false });
  return file('gates.json', writer.object(GATES_FILE_SHAPE));
}

function file(title: string, schema: JsonSchema): JsonSchema {
  return { $schema: 'http://json-schema.org/draft-07/schema#', title, ...schema };
}

/** The text of a schema file. */
export function schemaText(schema: JsonSchema): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}
