import { type DiagnosticGroup, example } from './entry.ts';

/** The folder around the definitions: sync file, configuration, files that cannot be read. */
export const FOLDER: DiagnosticGroup = {
  title: 'Folder and configuration',
  entries: [
    {
      code: 'not_found',
      severity: 'error',
      rules: [],
      title: 'There is no world, or no folder of definitions, where it was looked for.',
      meaning:
        'A world is a folder with worldline.json, air/ or .worldline/; it is looked for from the current folder upwards, or taken from --world. "worldline init" makes one. The command ends with exit code 4; under --watch it waits for the folder to come back.',
    },
    {
      code: 'host_error',
      severity: 'error',
      rules: [],
      title: 'The system refused to read a file or folder.',
      meaning:
        'The message says which one and why. Check that it exists and that this user may read it; under --watch the check is done again as soon as something changes.',
    },
    {
      code: 'air.unreadable',
      severity: 'error',
      rules: [],
      title: 'A file of the folder cannot be read, or is no UTF-8 text.',
      meaning:
        'Definitions are UTF-8 text. Save the file as UTF-8, or move it elsewhere if it is no definition. Until then names that no other file defines are not reported, because they may be defined in this one.',
    },
    {
      code: 'findings.truncated',
      severity: 'warning',
      rules: [],
      title: 'There are more findings than are shown.',
      meaning:
        'The first thousand are shown, in document order; the message says how many more there are. Correct some, usually one mistake at the beginning is behind most of them, and check again.',
    },
    {
      code: 'sync.version',
      severity: 'error',
      rules: [],
      title: 'worldline.json is of a version that is not known here.',
      meaning: 'The one version there is is the number 1. Write "version": 1.',
      wrong: example(
        'worldline.json',
        `
        {
          "version": «2»
        }
      `,
      ),
      right: example(
        'worldline.json',
        `
        {
          "version": 1
        }
      `,
      ),
    },
    {
      code: 'sync.schema',
      severity: 'error',
      rules: [],
      title: 'worldline.json is no JSON, or has a key or value that it cannot have.',
      meaning:
        'Unknown keys are refused, so that a misspelt one never passes silently. The keys are version, air, build, modules, workspaces and checks.',
      wrong: example(
        'worldline.json',
        `
        {
          "version": 1,
          "air": { «"folder"»: "air" }
        }
      `,
      ),
      right: example(
        'worldline.json',
        `
        {
          "version": 1,
          "air": { "dir": "air" }
        }
      `,
      ),
    },
    {
      code: 'checks.ignore_unused',
      severity: 'warning',
      rules: [],
      title: 'An entry of checks.ignore silences nothing.',
      meaning:
        'The finding it was written for is gone, or the code is misspelt, or it is an error: those cannot be silenced. Remove the entry, so that it does not hide something later; worldline check --fix does where no finding of that code is left.',
      wrong: example(
        'worldline.json',
        `
        {
          "version": 1,
          "checks": { "ignore": [«{ "code": "def.unlisted", "reason": "comes with the next release" }»] }
        }
      `,
      ),
      right: example(
        'worldline.json',
        `
        {
          "version": 1,
          "checks": { "ignore": [] }
        }
      `,
      ),
    },
    {
      code: 'config.invalid',
      severity: 'error',
      rules: [],
      title: 'worldline.host.json is no JSON, or a value in it is not of the kind it must be.',
      meaning:
        'The file says how this machine runs the world. The message says what is expected; leave a key out to get its default. Environment variables that begin with WORLDLINE_ are judged, too.',
      wrong: example(
        'worldline.host.json',
        `
        {
          "effects": { "max_in_flight": «"many"» }
        }
      `,
      ),
      right: example(
        'worldline.host.json',
        `
        {
          "effects": { "max_in_flight": 16 }
        }
      `,
      ),
    },
    {
      code: 'config.unknown_key',
      severity: 'error',
      rules: [],
      title: 'worldline.host.json has a key that is not known.',
      meaning: 'A key nobody reads is nearly always a misspelt one. The hint names the nearest key there is.',
      wrong: example(
        'worldline.host.json',
        `
        {
          "effects": { «"max_inflight"»: 16 }
        }
      `,
      ),
      right: example(
        'worldline.host.json',
        `
        {
          "effects": { "max_in_flight": 16 }
        }
      `,
      ),
    },
  ],
};
