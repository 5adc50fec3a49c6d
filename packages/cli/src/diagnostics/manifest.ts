import { type DiagnosticGroup, example } from './entry.ts';

const OTHER_EMPTY = '"schemas": [], "modules": [], "plans": [], "caps": [], "policies": []';

/** The manifest, its references, and sets of definitions: rules V-201 … V-211. */
export const MANIFEST: DiagnosticGroup = {
  title: 'Manifest and definitions',
  entries: [
    {
      code: 'manifest.air_version_missing',
      severity: 'error',
      rules: ['V-201'],
      title: 'The manifest does not say which version of the language it is written in.',
      meaning:
        'Without its version nothing else in a manifest can be judged, so this comes before everything in it. Write "air_version": "1".',
      wrong: example(
        'folder',
        `
        «{ "$kind": "manifest", ${OTHER_EMPTY} }»
      `,
      ),
      right: example(
        'folder',
        `
        { "$kind": "manifest", "air_version": "1", ${OTHER_EMPTY} }
      `,
      ),
    },
    {
      code: 'manifest.air_version_unsupported',
      severity: 'error',
      rules: ['V-201'],
      title: 'The manifest is written in a version of the language that is not known here.',
      meaning:
        'The one version there is reads "1", as a text. Of another version nothing is known, not even what would be wrong with it, so the rest of the manifest is not looked at.',
      wrong: example(
        'folder',
        `
        { "$kind": "manifest", "air_version": «1», ${OTHER_EMPTY} }
      `,
      ),
      right: example(
        'folder',
        `
        { "$kind": "manifest", "air_version": "1", ${OTHER_EMPTY} }
      `,
      ),
    },
    {
      code: 'air.manifest_missing',
      severity: 'error',
      rules: ['V-204'],
      title: 'No file of the folder holds a manifest.',
      meaning:
        'The manifest lists which definitions make up the world, and grants, routes and triggers. A folder needs exactly one. Files are looked for below the folder of definitions; "worldline init" writes a folder that has all of it.',
      wrong: example(
        'folder',
        `
        [{ "$kind": "defschema", "name": "demo/Example@1", "type": { "text": {} } }]
      `,
      ),
      right: example(
        'folder',
        `
        [
          { "$kind": "manifest", "air_version": "1", "schemas": [{ "name": "demo/Example@1" }], "modules": [], "plans": [], "caps": [], "policies": [] },
          { "$kind": "defschema", "name": "demo/Example@1", "type": { "text": {} } }
        ]
      `,
      ),
    },
    {
      code: 'air.manifest_duplicate',
      severity: 'error',
      rules: ['V-204'],
      title: 'A folder holds two manifests.',
      meaning:
        'Nobody could say which of the two is the world. Keep one. Two versions side by side are kept in two folders, and one of them is named with --air or in worldline.json.',
      wrong: example(
        'folder',
        `
        [
          { "$kind": "manifest", "air_version": "1", ${OTHER_EMPTY} },
          «{ "$kind": "manifest", "air_version": "1", ${OTHER_EMPTY} }»
        ]
      `,
      ),
      right: example(
        'folder',
        `
        [
          { "$kind": "manifest", "air_version": "1", ${OTHER_EMPTY} }
        ]
      `,
      ),
    },
    {
      code: 'import.conflict',
      severity: 'error',
      rules: ['V-202'],
      title: 'Two definitions of one kind and name differ.',
      meaning:
        'A name stands for exactly one definition; nothing overrides anything, whatever the order of files. Keep one of the two, or give the changed one a new version: demo/Example@2.',
      wrong: example(
        'nodes',
        `
        [
          { "$kind": "defschema", "name": "demo/Example@1", "type": { "text": {} } },
          { "$kind": "defschema", "name": «"demo/Example@1"», "type": { "nat": {} } }
        ]
      `,
      ),
      right: example(
        'nodes',
        `
        [
          { "$kind": "defschema", "name": "demo/Example@1", "type": { "text": {} } },
          { "$kind": "defschema", "name": "demo/Example@2", "type": { "nat": {} } }
        ]
      `,
      ),
    },
    {
      code: 'def.duplicate',
      severity: 'warning',
      rules: ['V-202'],
      title: 'A definition stands in the folder twice, word for word.',
      meaning:
        'Exact copies count once, so nothing breaks. But the next change to one of them makes the two differ, and then they are refused. Remove one.',
      wrong: example(
        'nodes',
        `
        [
          { "$kind": "defschema", "name": "demo/Example@1", "type": { "text": {} } },
          { "$kind": "defschema", "name": «"demo/Example@1"», "type": { "text": {} } }
        ]
      `,
      ),
      right: example(
        'nodes',
        `
        [
          { "$kind": "defschema", "name": "demo/Example@1", "type": { "text": {} } }
        ]
      `,
      ),
    },
    {
      code: 'def.unlisted',
      severity: 'warning',
      rules: [],
      title: 'A definition is in the folder, but the manifest does not list it.',
      meaning:
        'Only what the manifest lists is part of the world, so this definition has no effect. List it in the manifest, or remove it.',
      wrong: example(
        'folder',
        `
        [
          { "$kind": "manifest", "air_version": "1", "schemas": [], "modules": [], "plans": [], "caps": [], "policies": [] },
          { "$kind": "defschema", "name": «"demo/Example@1"», "type": { "text": {} } }
        ]
      `,
      ),
      right: example(
        'folder',
        `
        [
          { "$kind": "manifest", "air_version": "1", "schemas": [{ "name": "demo/Example@1" }], "modules": [], "plans": [], "caps": [], "policies": [] },
          { "$kind": "defschema", "name": "demo/Example@1", "type": { "text": {} } }
        ]
      `,
      ),
    },
    {
      code: 'air.sys_def',
      severity: 'error',
      rules: ['V-203'],
      title: 'A definition of your own has a name under sys/.',
      meaning:
        'Everything under sys/ comes with the runtime and is the same in every world. Use a namespace of your own.',
      wrong: example(
        'folder',
        `
        [
          { "$kind": "manifest", "air_version": "1", "schemas": [], "modules": [], "plans": [], "caps": [], "policies": [] },
          { "$kind": "defschema", "name": «"sys/Example@1"», "type": { "text": {} } }
        ]
      `,
      ),
      right: example(
        'nodes',
        `
        [
          { "$kind": "defschema", "name": "demo/Example@1", "type": { "text": {} } }
        ]
      `,
      ),
    },
    {
      code: 'name.reserved',
      severity: 'error',
      rules: ['V-203'],
      title: 'The manifest lists a sys/ name that the runtime does not have there.',
      meaning:
        'Names under sys/ can be listed only under schemas, modules, effects and caps, and only when the runtime has them. Usually the name is misspelt, has another version, or stands in the wrong section.',
      wrong: example(
        'manifest',
        `
        {
          "effects": [{ "name": "sys/timer.set@1" }, { "name": «"sys/http.get@1"» }]
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "effects": [{ "name": "sys/timer.set@1" }, { "name": "sys/http.request@1" }]
        }
      `,
      ),
    },
    {
      code: 'ref.unknown',
      severity: 'error',
      rules: ['V-206'],
      title: 'The manifest lists a definition that no file has.',
      meaning:
        'Each name in the manifest needs its definition in a file of the folder, of the kind that the section is for. Look for a misspelt name, another version number, or a file that lies outside the folder.',
      wrong: example(
        'manifest',
        `
        {
          "policies": [{ "name": "demo/policy@1" }, { "name": «"demo/polices@1"» }]
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "policies": [{ "name": "demo/policy@1" }]
        }
      `,
      ),
    },
    {
      code: 'ref.duplicate',
      severity: 'error',
      rules: ['V-211'],
      title: 'A section of the manifest lists a name twice.',
      meaning: 'Each definition is listed once; a second entry says nothing more, or something else. Remove it.',
      wrong: example(
        'manifest',
        `
        {
          "policies": [{ "name": "demo/policy@1" }, { "name": «"demo/policy@1"» }]
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "policies": [{ "name": "demo/policy@1" }]
        }
      `,
      ),
    },
    {
      code: 'ref.stale_hash',
      severity: 'warning',
      rules: [],
      title: 'The hash beside a name in the manifest is not that of the definition.',
      meaning:
        'The definition was changed after the hash was written. The hash of the definition as it is now is used. In a folder hashes are best left out: they are filled in when it is loaded. worldline check --fix writes the right one.',
      wrong: example(
        'manifest',
        `
        {
          "policies": [
            { "name": "demo/policy@1", "hash": «"sha256:ab00000000000000000000000000000000000000000000000000000000000000"» }
          ]
        }
      `,
      ),
      right: example(
        'manifest',
        `
        {
          "policies": [{ "name": "demo/policy@1" }]
        }
      `,
      ),
    },
    {
      code: 'effect.kind_duplicate',
      severity: 'error',
      rules: ['V-211'],
      title: 'Two listed effects have one kind, or one takes a kind of the runtime.',
      meaning:
        'Plans name an effect by its kind, so a kind must stand for one effect. Give your effect a kind of its own.',
      wrong: example(
        'folder',
        `
        [
          {
            "$kind": "manifest",
            "air_version": "1",
            "schemas": [{ "name": "demo/Alarm@1" }],
            "modules": [],
            "plans": [],
            "effects": [{ "name": "sys/timer.set@1" }, «{ "name": "demo/alarm@1" }»],
            "caps": [],
            "policies": []
          },
          { "$kind": "defschema", "name": "demo/Alarm@1", "type": { "record": { "at": { "nat": {} } } } },
          {
            "$kind": "defeffect",
            "name": "demo/alarm@1",
            "kind": "timer.set",
            "params_schema": "demo/Alarm@1",
            "receipt_schema": "demo/Alarm@1",
            "cap_type": "demo",
            "origin_scope": "plan"
          }
        ]
      `,
      ),
      right: example(
        'nodes',
        `
        {
          "$kind": "defeffect",
          "name": "demo/alarm@1",
          "kind": "demo.alarm",
          "params_schema": "demo/Shipped@1",
          "receipt_schema": "demo/Shipped@1",
          "cap_type": "demo",
          "origin_scope": "plan"
        }
      `,
      ),
    },
    {
      code: 'hash.mismatch',
      severity: 'error',
      rules: ['V-207', 'V-208', 'V-209'],
      title: 'A stored manifest pins a definition by a hash that the definition does not have.',
      meaning:
        'This is about a manifest that a world has stored, not about your files: there the hash of every definition is written, and the bytes found under it, or the definition of the runtime, are others. Run "worldline doctor"; the store may be damaged, or the manifest was made elsewhere. In a folder no hashes are needed.',
    },
    {
      code: 'store.not_found',
      severity: 'error',
      rules: ['V-208', 'V-209'],
      title: 'A stored manifest lists a definition that the store does not hold.',
      meaning:
        'This is about a manifest that a world has stored, not about your files: the definition behind a hash is missing. Run "worldline doctor", and restore the store from a copy if it is damaged.',
    },
    {
      code: 'ref.kind_mismatch',
      severity: 'error',
      rules: ['V-210'],
      title: 'A stored manifest lists a definition in the section of another kind.',
      meaning:
        'This is about a manifest that a world has stored, not about your files: under the hash of, say, a plan stands a schema. Such a manifest was not made by this program from a folder; make it again with "worldline push".',
    },
    {
      code: 'ref.name_mismatch',
      severity: 'error',
      rules: ['V-210'],
      title: 'A stored manifest lists a definition under another name than its own.',
      meaning:
        'This is about a manifest that a world has stored, not about your files: the hash leads to a definition whose name is not the one listed. Make the manifest again with "worldline push".',
    },
    {
      code: 'module.builtin_linked',
      severity: 'warning',
      rules: ['V-208'],
      title: 'A stored manifest lists a built-in module by the hash of a copy.',
      meaning:
        'This is about a manifest that a world has stored, not about your files. The copy is accepted, but the implementation of the runtime runs, not the copy. List the module by its name only and push again.',
    },
    {
      code: 'unsupported',
      severity: 'error',
      rules: [],
      title: 'The language has it, this version does not run it yet.',
      meaning:
        'What is marked reads and hashes as specified, but nothing here could carry it out, so a world that needs it is refused before it starts. Modules, routing to reducers, and effects on workspaces, introspection and governance come with later versions.',
      wrong: example(
        'worldline.json',
        `
        {
          "version": 1,
          "modules": «{ "pull": true }»
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
  ],
};
