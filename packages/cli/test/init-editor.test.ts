import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { getLanguageService, TextDocument } from 'vscode-json-languageservice';
import { cleanUp, emptyFolder, worldline, worldOf } from './support.ts';

/** `worldline init` wires the schemas for VS Code. */

afterAll(cleanUp);

const SCHEMAS = fileURLToPath(new URL('../../../schemas/', import.meta.url));
const NAMES = readdirSync(SCHEMAS).filter((name) => name.endsWith('.json'));
const SETTINGS = '.vscode/settings.json';

interface Listed {
  readonly path: string;
  readonly status: string;
}

async function init(folder: string, ...args: string[]) {
  const made = await worldline(['init', '--json', ...args], { cwd: folder });
  expect(made.exit).toBe(0);
  const { files, add_to_settings } = made.json().data;
  return {
    of: (path: string) => (files as Listed[]).find((file) => file.path === path)?.status,
    files,
    add_to_settings,
  };
}

/** VS Code, with the settings of a folder: what it says of a file in it. */
async function underlined(folder: string, path: string, text: string): Promise<string[]> {
  const settings = JSON.parse(readFileSync(join(folder, SETTINGS), 'utf8'));
  const service = getLanguageService({
    schemaRequestService: async (uri) => readFileSync(fileURLToPath(uri), 'utf8'),
    workspaceContext: { resolveRelativePath: (relative, resource) => new URL(relative, resource).href },
  });
  const folderUri = pathToFileURL(`${folder}/`).href;
  service.configure({
    schemas: settings['json.schemas'].map(({ fileMatch, url }: { fileMatch: string[]; url: string }) => ({
      uri: new URL(url, folderUri).href,
      fileMatch,
      folderUri,
    })),
  });
  const document = TextDocument.create(pathToFileURL(join(folder, path)).href, 'json', 1, text);
  const found = await service.doValidation(document, service.parseJSONDocument(document));
  return found.map(({ message }) => String(message));
}

describe('worldline init', () => {
  test('writes the schemas of this version and settings that name them; again, it skips them', async () => {
    const folder = emptyFolder();
    const first = await init(folder);
    expect(first.of(SETTINGS)).toBe('created');
    expect(first.add_to_settings).toBeUndefined();
    for (const name of NAMES) {
      expect(first.of(`.vscode/worldline/${name}`)).toBe('created');
      expect(readFileSync(join(folder, '.vscode/worldline', name), 'utf8')).toBe(
        readFileSync(join(SCHEMAS, name), 'utf8'),
      );
    }
    const again = await init(folder);
    expect(new Set(again.files.map(({ status }: Listed) => status))).toEqual(new Set(['skipped']));
    // What lies there is no definition.
    expect((await worldline(['check'], { cwd: folder })).exit).toBe(0);
  });

  test('refreshes schemas of another version', async () => {
    const folder = emptyFolder();
    await init(folder);
    const old = join(folder, '.vscode/worldline/air.schema.json');
    writeFileSync(old, '{}');
    expect((await init(folder)).of('.vscode/worldline/air.schema.json')).toBe('overwritten');
    expect(readFileSync(old, 'utf8')).toBe(readFileSync(join(SCHEMAS, 'air.schema.json'), 'utf8'));
  });

  test('leaves settings alone that are there, even with --force, and says what to add', async () => {
    const folder = emptyFolder();
    mkdirSync(join(folder, '.vscode'));
    const mine = '// mine\n{ "editor.tabSize": 3 }\n';
    writeFileSync(join(folder, SETTINGS), mine);
    const made = await init(folder, '--force');
    expect(made.of(SETTINGS)).toBe('skipped');
    expect(readFileSync(join(folder, SETTINGS), 'utf8')).toBe(mine);
    expect(made.add_to_settings['json.schemas']).toHaveLength(NAMES.length);
    expect((await worldline(['init'], { cwd: folder })).stdout).toContain('"json.schemas": [');
    // Once they are in, nothing more is said.
    writeFileSync(join(folder, SETTINGS), JSON.stringify(made.add_to_settings));
    expect((await init(folder)).add_to_settings).toBeUndefined();
  });

  test('--editor gives an existing world only what editors need', async () => {
    const folder = worldOf('http');
    const made = await init(folder, '--editor');
    expect(made.files.map(({ path }: Listed) => path).sort()).toEqual(
      [SETTINGS, ...NAMES.map((name) => `.vscode/worldline/${name}`)].sort(),
    );
    const nowhere = await worldline(['init', 'nowhere', '--editor', '--json'], { cwd: folder });
    expect(nowhere.exit).not.toBe(0);
    expect(nowhere.json().error.code).toBe('not_found');
    expect(existsSync(join(folder, 'nowhere'))).toBe(false);
  });

  test('a file where the folder of the settings belongs is found before anything is written', async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, '.vscode'), '');
    const made = await worldline(['init', '--json'], { cwd: folder });
    expect(made.json().error.code).toBe('invalid_request');
    expect(readdirSync(folder)).toEqual(['.vscode']);
  });
});

describe('VS Code in a world that init made', () => {
  const wrongNode = '{ "$kind": "defplna" }';

  test.each([
    ['air/plans.air.json', wrongNode],
    ['air/deep/er/any.json', wrongNode],
    ['elsewhere/shared.air.json', wrongNode],
    ['worldline.json', '{ "version": 2 }'],
    ['worldline.host.json', '{ "htpp": {} }'],
  ])('underlines what is wrong in %s', async (path, text) => {
    const folder = emptyFolder();
    await init(folder);
    expect(await underlined(folder, path, text)).toHaveLength(1);
  });

  test.each([
    ['air/scaffolds/plan.air.json', wrongNode],
    ['air/plan_template.air.json', wrongNode],
    ['package.json', '{ "name": "x" }'],
    ['docs/airport.json', '{}'],
  ])('says nothing of %s, which the loader does not read', async (path, text) => {
    const folder = emptyFolder();
    await init(folder);
    expect(await underlined(folder, path, text)).toEqual([]);
  });

  test.each([
    ['definitions', 'definitions/air.v1/a.json', 'definitions/notes/a.json'],
    ['src/plans', 'src/plans/a.json', 'src/other/a.json'],
    ['.', 'defs/a.json', 'a.json'],
  ])('knows the folder that worldline.json names: %s', async (dir, read, other) => {
    const folder = emptyFolder();
    writeFileSync(join(folder, 'worldline.json'), JSON.stringify({ version: 1, air: { dir } }));
    await init(folder, '--editor');
    expect(await underlined(folder, read, wrongNode)).toHaveLength(1);
    expect(await underlined(folder, other, wrongNode)).toEqual([]);
  });

  test.each(['minimal', 'http'])('says nothing of the files of template %s', async (template) => {
    const folder = worldOf(template as 'minimal');
    await init(folder, '--editor');
    for (const path of ['air/manifest.air.json', 'air/plans.air.json', 'air/schemas.air.json', 'worldline.json']) {
      expect([path, await underlined(folder, path, readFileSync(join(folder, path), 'utf8'))]).toEqual([path, []]);
    }
  });
});
