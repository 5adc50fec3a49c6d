import { type DiagnosticEntry, type DiagnosticGroup, type Example, example } from './entry.ts';

/** Definitions from elsewhere (`packs.md` §2, §4.2). */

const LOCK = 'sha256:531f5cc7b7491c8ff34ea8d20d403efc3fe94390ebf439da947000a08b86e219';

const importing = (entry: string) => `
  {
    "version": 1,
    "air": { "imports": [${entry}] }
  }
`;

const locked = example('worldline.json', importing(`{ "path": "shared", "lock": "${LOCK}" }`));
const unlocked = example('worldline.json', importing('«{ "path": "shared" }»'));

const imported = (text: string) => example('import', text);
const ONE_SCHEMA = imported('[{ "$kind": "defschema", "name": "shared/Id@1", "type": { "text": {} } }]');
const ONE_POLICY = imported('[«{ "$kind": "defpolicy", "name": "shared/policy@1", "rules": [] }»]');

const AUTHORITY: Pick<DiagnosticEntry, 'severity' | 'rules' | 'title' | 'meaning' | 'wrong' | 'right' | 'beside'> = {
  severity: 'warning',
  rules: [],
  title: 'An import brings a policy or a secret.',
  meaning:
    'What a world may do is decided by its owner. A policy or secret of an import means nothing until the manifest lists it, and then somebody else decides. Write your own, and do not list this one.',
  wrong: ONE_POLICY,
  right: ONE_SCHEMA,
  beside: ['PK012', 'PK014'],
};

/** A consumer of the pack `ping`, with what is to be shown in place of its parts. */
function consumer(parts: {
  readonly plans?: string;
  readonly trigger?: string;
  readonly grant?: string;
  readonly allow?: string;
  readonly more?: string;
  readonly schemas?: string;
  readonly listed?: string;
}): Example {
  const {
    plans = '[{ "name": "ping/entry_ping@1" }]',
    trigger = '{ "event": "ping/Ask@1", "plan": "ping/entry_ping@1" }',
    grant = '{ "name": "cap_web", "cap": "sys/http.out@1", "params": { "hosts": ["example.com"] } }',
    allow = 'http.request',
    more = '',
    schemas = '',
    listed = '[{ "name": "ping/Ask@1" }',
  } = parts;
  return example(
    'consumer',
    `
    [
      {
        "$kind": "manifest",
        "air_version": "1",
        "schemas": ${listed}${schemas}],
        "modules": [],
        "plans": ${plans},
        "effects": [{ "name": "sys/http.request@1" }],
        "caps": [],
        "policies": [{ "name": "app/policy@1" }],
        "triggers": [${trigger}],
        "defaults": { "policy": "app/policy@1", "cap_grants": [${grant}] }
      },
      { "$kind": "defpolicy", "name": "app/policy@1", "rules": [{ "when": { "effect_kind": "${allow}" }, "decision": "allow" }] }${more}
    ]
  `,
  );
}

const PING = '[«{ "name": "ping/entry_ping@1" }»]';

const copyOf = (name: string) => `,
      {
        "$kind": "defplan",
        "name": «"${name}"»,
        "input": "ping/Ask@1",
        "steps": [
          {
            "id": "ping",
            "op": "emit_effect",
            "kind": "http.request",
            "cap": "cap_web",
            "params": { "method": "GET", "url": "https://example.com/", "headers": {}, "body_ref": null },
            "bind": { "effect_id_as": "ping_h" }
          },
          { "id": "done", "op": "end" }
        ],
        "edges": [{ "from": "ping", "to": "done" }]
      }`;

const plan = (name: string) =>
  `[{ "$kind": "defplan", "name": ${name}, "input": "demo/Order@1", "steps": [{ "id": "done", "op": "end" }] }]`;

export const IMPORTS: DiagnosticGroup = {
  title: 'Imports and packs',
  entries: [
    {
      code: 'import.shape',
      severity: 'error',
      rules: [],
      title: 'An entry of air.imports cannot be what it says.',
      meaning:
        'An import has either "path", a folder relative to worldline.json, or "npm", an installed package with the folder or the plan pack in it. A path that only this machine has, and a package under an alias, are warnings.',
      wrong: example('worldline.json', importing('«{ "path": "shared", "npm": { "package": "agent-defs" } }»')),
      right: locked,
      beside: ['PK014'],
    },
    {
      code: 'import.package_missing',
      severity: 'error',
      rules: [],
      title: 'A package that is imported is not installed.',
      meaning:
        'It is looked for in node_modules of the folder with worldline.json, or of "from", and of every folder above. Nothing is fetched: add it to devDependencies and install.',
      wrong: example('worldline.json', importing('{ "npm": { "package": «"agent-defs-that-nobody-has"» } }')),
      right: locked,
      beside: ['PK014'],
    },
    {
      code: 'import.version',
      severity: 'error',
      rules: [],
      title: 'Another version of a package is installed than the import asks for.',
      meaning:
        '"version" is a range as in package.json. Install a version that satisfies it, or change the range after you have looked at what changed.',
    },
    {
      code: 'import.archive',
      severity: 'error',
      rules: [],
      title: 'A package that is imported is inside an archive.',
      meaning:
        'Yarn keeps packages zipped, and definitions are read as files. "yarn unplug" with the name of the package unpacks it.',
    },
    {
      code: 'import.escapes_package',
      severity: 'error',
      rules: [],
      title: 'A package leads to files outside of itself.',
      meaning:
        'By "air_dir", by its package.json, or by a symbolic link. Nothing outside of a package is read for it, so that an import cannot pull in what lies around on a machine. Ask who publishes it.',
    },
    {
      code: 'import.too_large',
      severity: 'error',
      rules: [],
      title: 'An import has too many files, or too large ones.',
      meaning:
        'At most 2 000 files, 4 MiB in each, 32 MiB together. Usually the folder is not the one with the definitions: name that with "air_dir", or with a longer path.',
    },
    {
      code: 'import.parse',
      severity: 'error',
      rules: [],
      title: 'A file of an import holds something else than definitions.',
      meaning:
        'Every .json file below the imported folder holds one definition or a list of them; a blank file and worldline.json are skipped. Move other files elsewhere, or import a folder below.',
      wrong: imported('[«{ "name": "agent-defs", "version": "1.0.0" }»]'),
      right: ONE_SCHEMA,
      beside: ['PK012', 'PK014'],
    },
    {
      code: 'import.manifest',
      severity: 'error',
      rules: [],
      title: 'An import holds a manifest.',
      meaning:
        'A manifest says what one world has, grants and routes. An import brings definitions, and the world that imports them lists those it wants. Import the folder of the definitions alone.',
      wrong: imported('[«{ "$kind": "manifest", "air_version": "1" }»]'),
      right: ONE_SCHEMA,
      beside: ['PK012', 'PK014'],
    },
    {
      code: 'import.sys_def',
      severity: 'error',
      rules: [],
      title: 'An import defines a name under sys/.',
      meaning: 'Those names are of the definitions that the runtime brings along. Call it otherwise, or remove it.',
      wrong: imported('[{ "$kind": "defschema", "name": «"sys/Id@1"», "type": { "text": {} } }]'),
      right: ONE_SCHEMA,
      beside: ['PK012', 'PK014'],
    },
    {
      code: 'import.lock_missing',
      severity: 'warning',
      rules: [],
      title: 'An import has no lock.',
      meaning:
        'A lock says what was imported when somebody last looked at it, so that a change is noticed. "worldline sync lock" writes it. In CI, or with WORLDLINE_IMPORT_LOCK_STRICT, a missing lock is an error.',
      wrong: unlocked,
      right: locked,
      beside: ['PK014'],
    },
    {
      code: 'import.lock_mismatch',
      severity: 'warning',
      rules: [],
      title: 'An import is not what its lock says.',
      meaning:
        'Its definitions, its version or its folder changed since the lock was written. Look at what changed, then accept it with "worldline sync lock". In CI, or with WORLDLINE_IMPORT_LOCK_STRICT, this is an error.',
      wrong: example('worldline.json', importing(`«{ "path": "shared", "lock": "sha256:${'0'.repeat(64)}" }»`)),
      right: locked,
      beside: ['PK014'],
    },
    { code: 'import.authority', ...AUTHORITY },
    {
      code: 'import.unlisted_ref',
      severity: 'error',
      rules: [],
      title: 'A listed definition needs one of an import that the manifest does not list.',
      meaning:
        'What is imported is only available; the world has what its manifest lists, and that must be whole. The hint has the line to add. "worldline push --add-refs" lists it in the world, and says what is to be added here.',
      wrong: consumer({ listed: '«[»' }),
      right: consumer({}),
      beside: ['PK012'],
    },
    {
      code: 'PK001',
      severity: 'error',
      rules: [],
      title: 'The name of a plan in a pack does not say what it is for.',
      meaning:
        'Plans of a pack begin with entry_ (started by a trigger), core_ (spawned by other plans), adapter_ (between envelopes) or _internal_ (of nobody else). For an import that is no plan pack this is a warning.',
      wrong: example('pack', plan('"shared/ping@1"').replace('{ "$kind"', '«{ "$kind"').replace('] }]', '] }»]')),
      right: example('pack', plan('"shared/entry_ping@1"')),
      beside: ['PK002', 'PK012', 'PK014'],
    },
    {
      code: 'PK002',
      severity: 'error',
      rules: [],
      title: 'A pack has plans, and none that a consumer could use.',
      meaning:
        'A consumer triggers an entry_ plan or spawns a core_ plan. A pack with adapters and internal plans alone has nothing to begin with. For an import that is no plan pack this is a warning.',
      wrong: example('pack', plan('"shared/adapter_ping@1"')),
      right: example('pack', plan('"shared/core_ping@1"')),
      beside: ['PK012', 'PK014'],
    },
    {
      code: 'PK003',
      severity: 'error',
      rules: [],
      title: 'No grant has the name of a slot that an imported plan needs.',
      meaning:
        'Importing grants nothing. For every slot of a listed plan, and of the plans it starts, defaults.cap_grants has a grant of that name; its params say how far it reaches.',
      wrong: consumer({ plans: PING, grant: '' }),
      right: consumer({}),
      beside: ['PK012', 'grant.not_found'],
    },
    {
      code: 'PK004',
      severity: 'error',
      rules: [],
      title: 'The grant for a slot of an imported plan is of another type.',
      meaning:
        'The slot takes a grant of the type that the effect needs, http.out for http.request. The name of the slot is the choice of the pack, what it grants is that of the consumer.',
      wrong: consumer({ plans: PING, grant: '{ "name": "cap_web", "cap": "sys/timer@1", "params": {} }' }),
      right: consumer({}),
      beside: ['PK012', 'cap.type_mismatch'],
    },
    {
      code: 'PK005',
      severity: 'error',
      rules: [],
      title: 'A trigger starts an imported entry plan with an event that is not its input.',
      meaning:
        'An entry plan takes its event as it is. For events of your own, map with input_expr, or write an adapter plan that spawns the core plan of the pack.',
      wrong: consumer({
        trigger: '{ "event": «"app/Asked@1"», "plan": "ping/entry_ping@1" }',
        schemas: ', { "name": "app/Asked@1" }',
        more: ',\n      { "$kind": "defschema", "name": "app/Asked@1", "type": { "record": { "id": { "text": {} } } } }',
      }),
      right: consumer({}),
      beside: ['PK012', 'trigger.input_mismatch'],
    },
    {
      code: 'PK006',
      severity: 'error',
      rules: [],
      title: 'A plan that is triggered from an import is copied into the folder, too.',
      meaning:
        'The copy has no use while it is the same, and stops the world as soon as one of both changes. Remove it; for another behaviour, give the plan a name of its own.',
      wrong: consumer({ more: copyOf('ping/entry_ping@1') }),
      right: consumer({}),
      beside: ['PK012'],
    },
    {
      code: 'PK007',
      severity: 'warning',
      rules: [],
      title: 'A plan that is imported is copied into the folder, too.',
      meaning:
        'The copy has no use while it is the same, and becomes a conflict as soon as one of both changes. Remove it; for another behaviour, give the plan a name of its own.',
      wrong: consumer({ trigger: '', more: copyOf('ping/entry_ping@1') }),
      right: consumer({ trigger: '' }),
      beside: ['PK012'],
    },
    {
      code: 'PK008',
      severity: 'warning',
      rules: [],
      title: 'A plan of the folder has the steps of an imported one under another name.',
      meaning:
        'A copy misses what the pack mends later. Use the imported plan: trigger it, or spawn its core plan from one of your own.',
      wrong: consumer({
        plans: '[{ "name": "ping/entry_ping@1" }, { "name": "app/ping@1" }]',
        more: copyOf('app/ping@1'),
      }),
      right: consumer({}),
      beside: ['PK012'],
    },
    {
      code: 'PK009',
      severity: 'error',
      rules: [],
      title: 'The policy denies an effect that an imported plan needs.',
      meaning:
        'Every run of the plan would end with policy_denied. The default policy needs a rule that allows the effect for the plan that emits it: often the core plan, not the one that is triggered.',
      wrong: consumer({ plans: PING, allow: 'timer.set' }),
      right: consumer({}),
      beside: ['PK012'],
    },
    {
      code: 'PK010',
      severity: 'warning',
      rules: [],
      title: 'A trigger, a plan or a rule of the folder names a plan that is internal to its pack.',
      meaning:
        'What begins with _internal_ is no part of what a pack promises, and may change or go in any release. Start and spawn its entry_ or core_ plans; a rule that has to allow what an internal plan emits does so by effect kind and grant.',
      wrong: consumer({
        plans: '[{ "name": "ping/entry_ping@1" }, { "name": "ping/_internal_map@1" }]',
        trigger: '{ "event": "ping/Ask@1", "plan": «"ping/_internal_map@1"» }',
      }),
      right: consumer({}),
      beside: ['PK012'],
    },
    {
      code: 'PK011',
      severity: 'warning',
      rules: [],
      title: 'Nothing in the world hears of an event that an imported plan raises.',
      meaning:
        'The outcome of an imported plan is often an event. It is journaled, but no reducer gets it, no trigger starts by it, and no plan awaits it. Wire it to whoever should know; where that is somebody outside, who reads the journal, say so in checks.ignore.',
      wrong: consumer({
        schemas: ', { "name": "ping/Said@1" }',
        plans: '[«{ "name": "ping/entry_say@1" }»]',
        trigger: '{ "event": "ping/Ask@1", "plan": "ping/entry_say@1" }',
      }),
      right: consumer({
        schemas: ', { "name": "ping/Said@1" }',
        plans: '[{ "name": "ping/entry_say@1" }, { "name": "app/note@1" }]',
        trigger: `{ "event": "ping/Ask@1", "plan": "ping/entry_say@1" },
          { "event": "ping/Said@1", "plan": "app/note@1" }`,
        more: `,
      { "$kind": "defplan", "name": "app/note@1", "input": "ping/Said@1", "steps": [{ "id": "done", "op": "end" }] }`,
      }),
      beside: ['PK012'],
    },
    {
      code: 'PK012',
      severity: 'warning',
      rules: [],
      title: 'The lock of an import is missing or different.',
      meaning:
        'What is behind it is import.lock_missing or import.lock_mismatch: nobody has accepted the import as it is now. "worldline sync lock" does, and writes nothing else. An error in CI.',
      wrong: unlocked,
      right: locked,
      beside: ['PK014'],
    },
    { code: 'PK013', ...AUTHORITY },
    {
      code: 'PK014',
      severity: 'warning',
      rules: [],
      title: 'The manifest lists nothing of an import.',
      meaning:
        'What is imported is only available; the world has what its manifest lists. List what you want of it, or remove the import.',
      wrong: unlocked,
      right: consumer({}),
      beside: ['PK012'],
    },
  ],
};
