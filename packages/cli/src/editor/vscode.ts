import { basename } from 'node:path';
import { isAirFolder } from '@worldline/air';
import { schemaFiles, schemaText } from './editor-files.ts';

/**
 * What VS Code needs in a world folder: the schemas, and settings that say which files they are for.
 *
 * The schemas are copied into the world, beside the settings that name them. So they are found offline and without an
 * installation, a clone has them, whoever keeps `.vscode` out of git keeps both out, and a later version of the command
 * refreshes them: they are generated, nobody edits them.
 */

const FOLDER = '.vscode/worldline';

export const SETTINGS = '.vscode/settings.json';

export interface EditorFile {
  /** Relative to the world, with `/`. */
  readonly name: string;
  readonly text: string;
}

/** The schemas, as files of a world. */
export function schemasOfWorld(): readonly EditorFile[] {
  return [...schemaFiles()].map(([name, schema]) => ({ name: `${FOLDER}/${name}`, text: schemaText(schema) }));
}

/** @param airDir - relative to the world, with `/`. */
export function vscodeSettings(airDir: string): EditorFile {
  return { name: SETTINGS, text: `${JSON.stringify({ 'json.schemas': schemaMappings(airDir) }, null, 2)}\n` };
}

/** Do these settings name the schemas? */
export function namesSchemas(settings: string): boolean {
  return settings.includes(`${FOLDER}/air.schema.json`);
}

/** Which files are which. VS Code takes the last pattern that fits, so exceptions stand at the end. */
export function schemaMappings(
  airDir: string,
): readonly { readonly fileMatch: readonly string[]; readonly url: string }[] {
  const mapping = (schema: string, ...fileMatch: string[]) => ({ fileMatch, url: `./${FOLDER}/${schema}` });
  return [
    // What the loader reads (`definitions.md` §8.1), and what it does not.
    mapping(
      'air.schema.json',
      ...foldersRead(airDir).map((folder) => `/${folder}/**/*.json`),
      '*.air.json',
      '!**/scaffolds/**',
      '!*_template.air.json',
      '!worldline.json',
    ),
    mapping('worldline.schema.json', '/worldline.json'),
    mapping('worldline.host.schema.json', '/worldline.host.json'),
    mapping('gates.schema.json', '/gates.json'),
  ];
}

function foldersRead(airDir: string): readonly string[] {
  const below = airDir === '.' ? '' : `${airDir}/`;
  return isAirFolder(basename(airDir)) ? [airDir] : [`${below}air*`, `${below}defs`, `${below}plans`];
}
