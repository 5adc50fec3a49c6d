import { may, need, type Shape } from '@worldline/air';

/** The keys of `worldline.json` (`packs.md` §1): `sync-file.ts` reads by them, editors complete by them. */

const text = { is: 'text' } as const;

export const IGNORED_SHAPE = {
  code: need(text, 'a code', 'Code of the findings, as `worldline check` shows it.'),
  plan: may(text, 'Only findings about this plan.'),
  step: may(text, 'Only findings about this step.'),
  reason: need(text, 'a reason', 'Why these findings are accepted.'),
} as const satisfies Shape;

const path = { is: 'text', notEmpty: true } as const;

export const NPM_SHAPE = {
  package: need(path, 'a package name', 'Name of an installed npm package, with its scope.'),
  version: may(path, 'Range that the installed version must satisfy: `^2.1.0`.'),
  air_dir: may(
    path,
    'Folder of the definitions inside the package. Default: what its `package.json` says, else `air`.',
  ),
  pack: may(
    { is: 'text', pattern: /^[a-z0-9][a-z0-9-]{0,63}$/ },
    'Name of a plan pack of the package, in place of `air_dir`.',
  ),
  from: may(path, 'Folder to look for `node_modules` from, relative to this file. Default: the one of this file.'),
} as const satisfies Shape;

export const IMPORT_SHAPE = {
  path: may(path, 'Folder with definitions, relative to this file.'),
  npm: may({ is: 'object', shape: NPM_SHAPE }, 'Definitions of an installed npm package.'),
  lock: may({ is: 'json' }, 'What was imported when it was last accepted; `worldline sync lock` writes it.'),
} as const satisfies Shape;

export const LOCK_SHAPE = {
  source: may(text, '`path` or `npm`.'),
  path: may(text, 'As written, with `/`.'),
  package: may(text, 'Name of the package.'),
  version: may(text, 'Its exact version.'),
  air_dir: may(text, 'Folder inside the package.'),
  defs_hash: need(text, 'a hash', 'Of all definitions.'),
} as const satisfies Shape;

export const SYNC_AIR_SHAPE = {
  dir: may({ is: 'text', notEmpty: true }, 'Folder of the definitions, relative to this file. Default `air`.'),
  imports: may(
    { is: 'list', items: { is: 'object', shape: IMPORT_SHAPE } },
    'Definitions from elsewhere; the manifest says which of them the world has.',
  ),
} as const satisfies Shape;

export const CHECKS_SHAPE = {
  ignore: may(
    { is: 'list', items: { is: 'object', shape: IGNORED_SHAPE } },
    'Findings that `worldline check` does not show. One that fits nothing is itself a finding.',
  ),
} as const satisfies Shape;

export const SYNC_FILE_SHAPE = {
  version: need({ is: 'exactly', value: 1 }, '1', 'Version of the format of this file: `1`.'),
  air: may({ is: 'object', shape: SYNC_AIR_SHAPE }, 'Where the definitions are.'),
  build: may({ is: 'later', empty: true }, 'What `worldline build` makes definitions from.'),
  modules: may({ is: 'later', empty: true }, 'Artefacts of modules.'),
  workspaces: may({ is: 'later', empty: true }, 'Folders that are synchronised with workspaces.'),
  checks: may({ is: 'object', shape: CHECKS_SHAPE }, 'How `worldline check` judges.'),
} as const satisfies Shape;
