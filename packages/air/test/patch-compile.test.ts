import { type CborValue, decode, hashOf, hashText, sha256, unwrap, utf8 } from '@worldline/canon';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  authorityChanges,
  compilePatch,
  type Json,
  type JsonObject,
  readLiteral,
  summaryToJson,
} from '../src/index.ts';
import {
  type Authored,
  add,
  chain,
  manifestOf as manifestOfNodes,
  NAT,
  node,
  plan,
  record,
  schema,
  smallWorld,
  TEXT,
} from './fixtures.ts';
import { compiled, loaded, PatchBase, refusals } from './patch-support.ts';

/** Patch documents, rule by rule (governance.md §2). */

const RUN = 'demo/core_run@1';
const ZERO = `sha256:${'0'.repeat(64)}`;
const OTHER = `sha256:${'1'.repeat(64)}`;
const blockHash = (block: unknown) => hashText(hashOf(block as CborValue));

let base: PatchBase;
beforeEach(() => {
  base = new PatchBase(smallWorld().nodes);
});

const note = () => schema('demo/Note@1', record({ text: TEXT }));
const addNote = () => ({ add_def: { kind: 'defschema', node: note() } });
const manifestOf = (hash: Uint8Array) => unwrap(decode(base.get(hash)!)) as JsonObject;
const names = (manifest: JsonObject, section: string) =>
  (manifest[section] as readonly { name: string }[]).map(({ name }) => name);
/** Compiles and makes the candidate the base. */
function apply(patches: readonly Authored[]): JsonObject {
  const patch = compiled(base.compile(patches));
  base.put(patch.objects);
  return manifestOf(patch.manifestHash);
}

describe('the document (governance.md §2)', () => {
  test('what is no JSON, no object, or has unknown or missing keys is patch.schema at its place', () => {
    expect(refusals(base.compileDocument([]))).toEqual(['patch.schema']);
    expect(refusals(base.compileDocument({ version: '1', extra: 1 })).sort()).toEqual([
      'patch.schema /base_manifest_hash',
      'patch.schema /extra',
      'patch.schema /patches',
    ]);
    const broken = compilePatch('{"version": }', base.get);
    expect(broken.ok ? [] : broken.failure).toMatchObject([{ code: 'patch.schema', line: 1, column: 13 }]);
  });

  test('an omitted version is "1"; any other is patch.version', () => {
    const { version: _, ...rest } = base.document([addNote()]);
    expect(refusals(base.compileDocument(rest))).toEqual([]);
    for (const version of ['2', 1, null])
      expect(refusals(base.compileDocument({ ...rest, version }))).toEqual(['patch.version /version']);
  });

  test('the base must be a manifest of the store: patch.base_unknown', () => {
    const document = base.document([addNote()]);
    expect(refusals(base.compileDocument({ ...document, base_manifest_hash: OTHER }))).toEqual([
      'patch.base_unknown /base_manifest_hash',
    ]);
    const definition = base.ref('plans', RUN);
    expect(refusals(base.compileDocument({ ...document, base_manifest_hash: definition }))).toEqual([
      'patch.base_unknown /base_manifest_hash',
    ]);
  });

  test('there is at least one operation, and each has exactly one known key', () => {
    expect(refusals(base.compile([]))).toEqual(['patch.schema /patches']);
    expect(refusals(base.compile([{}, { ...addNote(), remove_def: {} }, { add_deff: {} }, 7]))).toEqual([
      'patch.schema /patches/0',
      'patch.schema /patches/1',
      'patch.schema /patches/2/add_deff',
      'patch.schema /patches/3',
    ]);
  });

  test('unknown and missing members of operations are patch.schema', () => {
    expect(
      refusals(
        base.compile([
          { add_def: { kind: 'defschema', node: note(), more: 1 } },
          { replace_def: { kind: 'defplan', name: RUN } },
          { set_manifest_refs: {} },
          { set_triggers: { pre_hash: 'x', triggers: {} } },
        ]),
      ).sort(),
    ).toEqual([
      'patch.schema /patches/0/add_def/more',
      'patch.schema /patches/1/replace_def/new_node',
      'patch.schema /patches/1/replace_def/pre_hash',
      'patch.schema /patches/2/set_manifest_refs',
      'patch.schema /patches/3/set_triggers/pre_hash',
      'patch.schema /patches/3/set_triggers/triggers',
    ]);
  });

  test('blocks are read as the manifest reads them, and found fault with where they stand', () => {
    const empty = blockHash([]);
    expect(
      refusals(
        base.compile([
          { set_triggers: { pre_hash: empty, triggers: [{ event: 'demo/Task@1', plan: RUN, wen: 1 }] } },
          { set_routing_events: { pre_hash: empty, events: [{ event: 'demo/Task@1' }] } },
          { set_routing_inboxes: { pre_hash: empty, inboxes: [{ source: 's', reducer: 'nope' }] } },
          { set_defaults: { cap_grants: [{ name: 'clock', cap: 'sys/timer@1' }] } },
          { set_module_bindings: { pre_hash: blockHash({}), bindings: { 'demo/M@1': { slot: {} } } } },
        ]),
      ).sort(),
    ).toEqual([
      'patch.schema /patches/0/set_triggers/triggers/0/wen',
      'patch.schema /patches/1/set_routing_events/events/0/reducer',
      'patch.schema /patches/2/set_routing_inboxes/inboxes/0/reducer',
      'patch.schema /patches/3/set_defaults/cap_grants/0/params',
      'patch.schema /patches/4/set_module_bindings/bindings/demo~1M@1/slot',
    ]);
  });

  test('a document over 4 MiB, more than 2 000 operations, a node over 1 MiB: patch.too_large', () => {
    const document = base.document([addNote()], { pad: 'x'.repeat(4 * 1024 * 1024) });
    expect(refusals(base.compileDocument(document))).toEqual(['patch.too_large']);
    const many = Array.from({ length: 2001 }, addNote);
    expect(refusals(base.compile(many))).toEqual(['patch.too_large /patches']);
    const wide = plan('demo/wide@1', {
      steps: [{ id: 'a', op: 'assign', expr: { text: 'x'.repeat(1024 * 1024) }, bind: { as: 'v' } }],
    });
    expect(refusals(base.compile([{ add_def: { kind: 'defplan', node: wide } }]))).toEqual([
      'patch.too_large /patches/0/add_def/node',
    ]);
  });
});

describe('kinds and names (governance.md §2.1)', () => {
  test('a kind that is no DefKind, the manifest included, is patch.kind', () => {
    expect(
      refusals(
        base.compile([
          { add_def: { kind: 'manifest', node: note() } },
          { remove_def: { kind: 'plan', name: RUN, pre_hash: ZERO } },
          { set_manifest_refs: { remove: [{ kind: 'defschemas', name: 'demo/Task@1' }] } },
        ]),
      ),
    ).toEqual([
      'patch.kind /patches/0/add_def/kind',
      'patch.kind /patches/1/remove_def/kind',
      'patch.kind /patches/2/set_manifest_refs/remove/0/kind',
    ]);
  });

  test('a node of another kind is patch.kind_mismatch, of another name patch.name_mismatch', () => {
    const pre_hash = base.ref('plans', RUN);
    expect(
      refusals(
        base.compile([
          { add_def: { kind: 'defplan', node: note() } },
          { replace_def: { kind: 'defplan', name: RUN, new_node: plan('demo/other@1', {}), pre_hash } },
        ]),
      ),
    ).toEqual([
      'patch.kind_mismatch /patches/0/add_def/node/$kind',
      'patch.name_mismatch /patches/1/replace_def/new_node/name',
    ]);
  });

  test('no operation touches a sys/ definition or reference: patch.sys_immutable (§2.5)', () => {
    const pre_hash = base.ref('effects', 'sys/timer.set@1');
    const own = (name: string) => ({ ...note(), name });
    for (const [op, at] of [
      [{ add_def: { kind: 'defschema', node: own('sys/Mine@1') } }, 'add_def/node/name'],
      [
        { replace_def: { kind: 'defschema', name: 'sys/Hash@1', new_node: own('sys/Hash@1'), pre_hash } },
        'replace_def/name',
      ],
      [{ remove_def: { kind: 'defeffect', name: 'sys/timer.set@1', pre_hash } }, 'remove_def/name'],
      [
        { set_manifest_refs: { add: [{ kind: 'defeffect', name: 'sys/http.request@1', hash: ZERO }] } },
        'set_manifest_refs/add/0/name',
      ],
      [
        { set_manifest_refs: { remove: [{ kind: 'defeffect', name: 'sys/timer.set@1' }] } },
        'set_manifest_refs/remove/0/name',
      ],
    ] as const)
      expect(refusals(base.compile([op]))).toEqual([`patch.sys_immutable /patches/0/${at}`]);
  });

  test('names are looked up with their kind: a plan and a schema of one name are two things', () => {
    const manifest = apply([{ add_def: { kind: 'defplan', node: plan('demo/Task@1', {}) } }]);
    expect(names(manifest, 'plans')).toEqual(['demo/Task@1', RUN]);
    const schemas = (from: JsonObject) =>
      (from['schemas'] as readonly { name: string; hash: string }[]).find(({ name }) => name === 'demo/Task@1');
    expect(schemas(manifest)).toEqual(schemas(base.manifest));
  });
});

describe('add_def, replace_def, remove_def', () => {
  test('add_def lists a new definition and stores its canonical node', () => {
    const patch = compiled(base.compile([addNote()]));
    base.put(patch.objects);
    const listed = names(manifestOf(patch.manifestHash), 'schemas');
    expect(listed).toEqual(['demo/Approved@1', 'demo/Done@1', 'demo/Note@1', 'demo/Task@1']);
    expect(patch.catalog.schemas.get('demo/Note@1')!.hash).toEqual(sha256(base.get(patch.objects[0]!.hash)!));
  });

  test('adding a name that the base has: an equal node changes nothing with a warning, another is patch.def_exists', () => {
    const same = node(smallWorld(), RUN);
    const patch = compiled(base.compile([{ add_def: { kind: 'defplan', node: same } }, addNote()]));
    expect(patch.warnings.map(({ code, path }) => [code, path])).toEqual([
      ['patch.def_unchanged', ['patches', 0, 'add_def', 'node']],
    ]);
    expect(patch.summary.defChanges).toEqual([{ kind: 'defschema', name: 'demo/Note@1', action: 'added' }]);
    for (const other of [
      { kind: 'defplan', node: plan(RUN, {}) },
      { kind: 'defschema', node: schema('demo/Task@1', record({ id: TEXT, at: NAT, more: TEXT })) },
      { kind: 'defschema', node: schema('demo/Task@1', TEXT) },
      { kind: 'defplan', node: plan(RUN, { steps: [{ id: 'x', op: 'raise_event', event: 'demo/Done@1', value: 1 }] }) },
    ])
      expect(refusals(base.compile([{ add_def: other }]))).toEqual(['patch.def_exists /patches/0/add_def/node/name']);
  });

  test('replace_def rewrites the reference; a missing one is patch.def_missing, never an add', () => {
    const edited = plan(RUN, { steps: [{ id: 'done', op: 'end' }] });
    const pre_hash = base.ref('plans', RUN);
    const patch = compiled(base.compile([{ replace_def: { kind: 'defplan', name: RUN, new_node: edited, pre_hash } }]));
    expect(patch.catalog.plans.get(RUN)!.def.steps.map(({ id }) => id)).toEqual(['done']);
    expect(patch.summary.defChanges).toEqual([{ kind: 'defplan', name: RUN, action: 'changed' }]);
    const missing = { kind: 'defplan', name: 'demo/other@1', new_node: plan('demo/other@1', {}), pre_hash };
    expect(refusals(base.compile([{ replace_def: missing }]))).toEqual([
      'patch.def_missing /patches/0/replace_def/name',
    ]);
  });

  test('remove_def drops the reference and leaves the node in the store', () => {
    const pre_hash = base.ref('plans', RUN);
    const triggers = base.manifest['triggers'];
    const manifest = apply([
      { remove_def: { kind: 'defplan', name: RUN, pre_hash } },
      { set_triggers: { pre_hash: blockHash(triggers), triggers: [] } },
    ]);
    expect(names(manifest, 'plans')).toEqual([]);
    expect(manifest['triggers']).toBeUndefined();
    expect(base.get(hashOfText(pre_hash))).toBeDefined();
    expect(refusals(base.compile([{ remove_def: { kind: 'defcap', name: RUN, pre_hash } }]))).toEqual([
      'patch.def_missing /patches/0/remove_def/name',
    ]);
  });

  test('pre_hash of a definition is the hash in the base: patch.pre_hash', () => {
    const replace = { kind: 'defplan', name: RUN, new_node: plan(RUN, {}), pre_hash: OTHER };
    expect(refusals(base.compile([{ replace_def: replace }]))).toEqual([
      'patch.pre_hash /patches/0/replace_def/pre_hash',
    ]);
    expect(refusals(base.compile([{ remove_def: { kind: 'defplan', name: RUN, pre_hash: ZERO } }]))).toEqual([
      'patch.pre_hash /patches/0/remove_def/pre_hash',
    ]);
  });

  test('a node of wrong structure is patch.schema at its member', () => {
    const bad = { ...note(), type: { record: { text: { texxt: {} } } } };
    expect(refusals(base.compile([{ add_def: { kind: 'defschema', node: bad } }]))[0]).toMatch(
      /^patch\.schema \/patches\/0\/add_def\/node\/type/,
    );
  });
});

describe('set_manifest_refs', () => {
  test('adds a reference to a stored node of that kind and name, and removes one', () => {
    const noted = add(smallWorld(), note());
    const hash = new PatchBase(noted.nodes).ref('schemas', 'demo/Note@1');
    base.put(loaded(noted.nodes).objects);
    const added = apply([{ set_manifest_refs: { add: [{ kind: 'defschema', name: 'demo/Note@1', hash }] } }]);
    expect(names(added, 'schemas')).toContain('demo/Note@1');
    const without = apply([
      { set_manifest_refs: { remove: [{ kind: 'defpolicy', name: 'demo/policy@1' }] } },
      { set_defaults: { policy: null } },
    ]);
    expect(names(without, 'policies')).toEqual([]);
  });

  test('a hash that is zero and filled by nothing, absent from the store, or of another node: patch.ref_unresolved', () => {
    const link = (kind: string, name: string, hash?: string) => [
      { set_manifest_refs: { add: [{ kind, name, ...(hash === undefined ? {} : { hash }) }] } },
    ];
    const at = 'patch.ref_unresolved /patches/0/set_manifest_refs/add/0/hash';
    expect(refusals(base.compile(link('defschema', 'demo/Note@1', ZERO)))).toEqual([at]);
    expect(refusals(base.compile(link('defschema', 'demo/Note@1')))).toEqual([at]);
    expect(refusals(base.compile(link('defschema', 'demo/Note@1', OTHER)))).toEqual([at]);
    const task = base.ref('schemas', 'demo/Task@1');
    expect(refusals(base.compile(link('defschema', 'demo/Note@1', task)))).toEqual([at]);
    expect(refusals(base.compile(link('defplan', 'demo/Task@1', task)))).toEqual([at]);
  });

  test('removing an absent reference changes nothing, with a warning', () => {
    const patch = compiled(
      base.compile([{ set_manifest_refs: { remove: [{ kind: 'defplan', name: 'demo/gone@1' }] } }, addNote()]),
    );
    expect(patch.warnings.map(({ code }) => code)).toEqual(['patch.ref_absent']);
  });

  test('beside a node of the patch the hash is left out, zero or the right one; else patch.duplicate_op (§2.4)', () => {
    const right = hashText(compiled(base.compile([addNote()])).catalog.schemas.get('demo/Note@1')!.hash);
    const beside = (hash: string) => [
      { set_manifest_refs: { add: [{ kind: 'defschema', name: 'demo/Note@1', hash }] } },
      addNote(),
    ];
    const plain = compiled(base.compile([addNote()])).patchHash;
    expect(compiled(base.compile(beside(ZERO))).patchHash).toEqual(plain);
    expect(compiled(base.compile(beside(right))).patchHash).toEqual(plain);
    expect(refusals(base.compile(beside(OTHER)))).toEqual(['patch.duplicate_op /patches/0/set_manifest_refs/add/0']);
    expect(refusals(base.compile(beside(ZERO), { requireHashes: true }))).toEqual([
      'patch.ref_unresolved /patches/0/set_manifest_refs/add/0/hash',
    ]);
    expect(refusals(base.compile(beside(right), { requireHashes: true }))).toEqual([]);
  });
});

describe('no two operations on one thing: patch.duplicate_op', () => {
  const pre = () => base.ref('plans', RUN);
  const remove = () => ({ remove_def: { kind: 'defplan', name: RUN, pre_hash: pre() } });
  const replace = () => ({ replace_def: { kind: 'defplan', name: RUN, new_node: plan(RUN, {}), pre_hash: pre() } });

  test('two operations on one definition', () => {
    expect(refusals(base.compile([remove(), replace()]))).toEqual(['patch.duplicate_op /patches/1/replace_def']);
    expect(refusals(base.compile([addNote(), addNote()]))).toEqual(['patch.duplicate_op /patches/1/add_def']);
  });

  test('an operation on a definition and one on its reference, in either order', () => {
    const unlink = { set_manifest_refs: { remove: [{ kind: 'defplan', name: RUN }] } };
    const link = { set_manifest_refs: { add: [{ kind: 'defplan', name: RUN, hash: pre() }] } };
    expect(refusals(base.compile([replace(), unlink]))).toEqual([
      'patch.duplicate_op /patches/1/set_manifest_refs/remove/0',
    ]);
    expect(refusals(base.compile([link, remove()]))).toEqual(['patch.duplicate_op /patches/0/set_manifest_refs/add/0']);
  });

  test('two operations on one block', () => {
    const triggers = { set_triggers: { pre_hash: blockHash(base.manifest['triggers']), triggers: [] } };
    expect(refusals(base.compile([triggers, triggers]))).toEqual(['patch.duplicate_op /patches/1/set_triggers']);
    expect(refusals(base.compile([{ set_defaults: {} }, { set_defaults: {} }]))).toEqual([
      'patch.duplicate_op /patches/1/set_defaults',
    ]);
  });
});

describe('blocks and their pre_hash (governance.md §2.2)', () => {
  test('triggers: the hash of the list as the manifest has it', () => {
    const triggers = base.manifest['triggers'] as readonly Json[];
    const again = [...triggers, { event: 'demo/Approved@1', plan: 'demo/noted@1' }];
    const noted = { add_def: { kind: 'defplan', node: plan('demo/noted@1', { input: 'demo/Approved@1' }) } };
    const set = (pre_hash: string) => base.compile([noted, { set_triggers: { pre_hash, triggers: again } }]);
    expect(compiled(set(blockHash(triggers))).catalog.triggers).toHaveLength(2);
    expect(refusals(set(blockHash([])))).toEqual(['patch.pre_hash /patches/1/set_triggers/pre_hash']);
  });

  test('an absent block counts as [] or {}', () => {
    const empty = [
      { set_routing_events: { pre_hash: blockHash([]), events: [] } },
      { set_routing_inboxes: { pre_hash: blockHash([]), inboxes: [] } },
      { set_module_bindings: { pre_hash: blockHash({}), bindings: {} } },
      { set_secrets: { pre_hash: blockHash([]), secrets: [] } },
      addNote(),
    ];
    const patch = compiled(base.compile(empty));
    expect(patch.summary.manifestSections).toEqual(['manifest_refs']);
    expect(
      refusals(
        base.compile(
          empty
            .slice(0, 4)
            .map((op) => Object.fromEntries(Object.entries(op).map(([k, v]) => [k, { ...v, pre_hash: OTHER }]))),
        ),
      ),
    ).toEqual([
      'patch.pre_hash /patches/0/set_routing_events/pre_hash',
      'patch.pre_hash /patches/1/set_routing_inboxes/pre_hash',
      'patch.pre_hash /patches/2/set_module_bindings/pre_hash',
      'patch.pre_hash /patches/3/set_secrets/pre_hash',
    ]);
  });

  test('defaults: over {policy?, cap_grants}, and only when given', () => {
    const { defaults } = base.manifest as Authored;
    expect(refusals(base.compile([{ set_defaults: { policy: null, pre_hash: blockHash(defaults) } }]))).toEqual([]);
    expect(refusals(base.compile([{ set_defaults: { policy: null } }]))).toEqual([]);
    expect(refusals(base.compile([{ set_defaults: { policy: null, pre_hash: OTHER } }]))).toEqual([
      'patch.pre_hash /patches/0/set_defaults/pre_hash',
    ]);
    const bare = new PatchBase([manifestOfNodes([note()]), note()]);
    const pre_hash = blockHash({ cap_grants: [] });
    expect(refusals(bare.compile([{ set_defaults: { cap_grants: [], pre_hash } }]))).toEqual([]);
  });
});

describe('set_defaults has three states (governance.md §2.3)', () => {
  const defaults = (op: Authored) => {
    const patch = compiled(base.compile([{ set_defaults: op }, addNote()]));
    base.put(patch.objects);
    return { patch, defaults: (manifestOf(patch.manifestHash) as Authored)['defaults'] };
  };

  test('absent leaves alone', () => {
    expect(defaults({}).defaults).toEqual((base.manifest as Authored)['defaults']);
  });

  test('null clears the policy, with the warning patch.no_policy, and is no list of grants', () => {
    const { patch, defaults: after } = defaults({ policy: null });
    expect(Object.keys(after)).toEqual(['cap_grants']);
    expect(patch.warnings.map(({ code }) => code)).toEqual(['patch.no_policy']);
    expect(refusals(base.compile([{ set_defaults: { cap_grants: null } }]))).toEqual([
      'patch.schema /patches/0/set_defaults/cap_grants',
    ]);
  });

  test('a value replaces: the whole list of grants, or the policy', () => {
    const grants = [
      { name: 'clock', cap: 'sys/timer@1', params: {} },
      { name: 'web', cap: 'sys/http.out@1', params: { hosts: ['a.example'] } },
    ];
    const after = defaults({ cap_grants: grants }).defaults;
    expect(after.policy).toBe('demo/policy@1');
    expect(after.cap_grants.map(({ name }: { name: string }) => name)).toEqual(['clock', 'web']);
  });
});

describe('secrets', () => {
  const secret = (name: string) => ({ $kind: 'defsecret', name, binding_id: 'env:KEY' });
  const declare = (name: string) => ({ add_def: { kind: 'defsecret', node: secret(name) } });
  const list = (...names: string[]) => ({
    set_secrets: { pre_hash: blockHash(base.manifest['secrets'] ?? []), secrets: names.map((name) => ({ name })) },
  });

  test('set_secrets is the final list: it names what the patch adds and nothing that it removes', () => {
    const manifest = apply([list('a/key@1'), declare('a/key@1')]);
    expect(names(manifest, 'secrets')).toEqual(['a/key@1']);
    expect(refusals(base.compile([declare('a/key@1'), list()]))).toEqual(['patch.duplicate_op /patches/1/set_secrets']);
    expect(refusals(base.compile([declare('a/key@1'), list('a/key@1', 'a/key@1')]))).toEqual([
      'patch.duplicate_op /patches/1/set_secrets',
    ]);
    expect(refusals(base.compile([list('a/key@1')]))).toEqual([
      'patch.ref_unresolved /patches/0/set_secrets/secrets/0/hash',
    ]);
  });

  test('replacing and removing secrets goes with the list', () => {
    const patch = compiled(base.compile([declare('a/key@1'), declare('a/old@1')]));
    base.put(patch.objects);
    base.manifest = manifestOf(patch.manifestHash);
    base.hash = patch.manifestHash;
    const remove = { remove_def: { kind: 'defsecret', name: 'a/old@1', pre_hash: base.ref('secrets', 'a/old@1') } };
    const keep = (...given: string[]) => ({
      set_secrets: {
        pre_hash: blockHash(base.manifest['secrets']),
        secrets: given.map((name) => ({ name, hash: base.ref('secrets', name) })),
      },
    });
    expect(refusals(base.compile([remove, keep('a/key@1')]))).toEqual([]);
    expect(refusals(base.compile([remove, keep('a/key@1', 'a/old@1')]))).toEqual([
      'patch.duplicate_op /patches/1/set_secrets',
    ]);
    expect(names(apply([keep('a/key@1')]), 'secrets')).toEqual(['a/key@1']);
  });
});

describe('the candidate', () => {
  test('modules: bytes that are not in the store are patch.module_bytes_missing', () => {
    const module = (wasm_hash: string) => ({
      add_def: {
        kind: 'defmodule',
        node: {
          $kind: 'defmodule',
          name: 'demo/M@1',
          module_kind: 'pure',
          wasm_hash,
          abi: { pure: { input: 'demo/Task@1', output: 'demo/Done@1' } },
        },
      },
    });
    const at = 'patch.module_bytes_missing /patches/0/add_def/node/wasm_hash';
    expect(refusals(base.compile([module(ZERO)]))).toEqual([at]);
    expect(refusals(base.compile([module(OTHER)]))).toEqual([at]);
    const bytes = utf8('artefact');
    base.put([{ hash: sha256(bytes), bytes }]);
    // The language has modules; this runtime does not run them yet.
    const found = base.compile([module(hashText(sha256(bytes)))]);
    expect(found.ok ? [] : found.failure[0]!.details!.map(({ code }) => code)).toEqual(['unsupported']);
  });

  test('a literal that does not fit its type is patch.normalize, with definition, step and pointer', () => {
    const bad = plan('demo/bad@1', {
      steps: [{ id: 'say', op: 'raise_event', event: 'demo/Done@1', value: { id: 7, late: false } }],
    });
    const found = base.compile([{ add_def: { kind: 'defplan', node: bad } }]);
    expect(refusals(found)).toEqual(['patch.normalize /patches/0/add_def/node/steps/0/value/id']);
    expect(found.ok ? undefined : found.failure[0]).toMatchObject({
      kind: 'defplan',
      name: 'demo/bad@1',
      fields: { step: 'say' },
    });
    const grants = [{ name: 'clock', cap: 'sys/timer@1', params: { wrong: 1 } }];
    expect(refusals(base.compile([{ set_defaults: { cap_grants: grants } }]))).toEqual([
      'patch.normalize /patches/0/set_defaults/cap_grants/0/params/wrong',
    ]);
  });

  test('a candidate that would not load is manifest.validation, its reasons as details', () => {
    const pre_hash = base.ref('schemas', 'demo/Done@1');
    const found = base.compile([{ remove_def: { kind: 'defschema', name: 'demo/Done@1', pre_hash } }]);
    expect(refusals(found)).toEqual(['manifest.validation']);
    expect(found.ok ? [] : found.failure[0]!.details!.map(({ code, name }) => [code, name])).toEqual([
      ['schema.not_found', RUN],
    ]);
  });

  test('the world’s demand for a default policy holds for candidates too (V-608)', () => {
    const found = base.compile([{ set_defaults: { policy: null } }], { requirePolicy: true });
    expect(found.ok ? [] : found.failure[0]!.details!.map(({ code }) => code)).toEqual(['policy.required']);
  });

  test('built-in effects that its plans emit are listed by themselves; none is ever removed (§2.5)', () => {
    const fetch = plan('demo/fetch@1', {
      steps: [
        {
          id: 'get',
          op: 'emit_effect',
          kind: 'http.request',
          params: { method: 'GET', url: 'https://a.example/', headers: {} },
          cap: 'web',
          bind: { effect_id_as: 'h' },
        },
        { id: 'done', op: 'end' },
      ],
      edges: chain('get', 'done'),
    });
    const web = { name: 'web', cap: 'sys/http.out@1', params: { hosts: ['a.example'] } };
    const grants = [...(base.manifest as Authored)['defaults'].cap_grants, web];
    const manifest = apply([{ add_def: { kind: 'defplan', node: fetch } }, { set_defaults: { cap_grants: grants } }]);
    expect(names(manifest, 'effects')).toEqual(['sys/http.request@1', 'sys/timer.set@1']);
    const pre_hash = base.ref('plans', RUN);
    const without = apply([
      { remove_def: { kind: 'defplan', name: RUN, pre_hash } },
      { set_triggers: { pre_hash: blockHash(base.manifest['triggers']), triggers: [] } },
    ]);
    expect(names(without, 'effects')).toEqual(['sys/timer.set@1']);
  });

  test('nothing of a refused document reaches the store: the compiler writes nothing at all', () => {
    const before = base.objectCount;
    base.compile([addNote(), { set_defaults: { policy: 'demo/none@1' } }]);
    compiled(base.compile([addNote()]));
    expect(base.objectCount).toBe(before);
  });
});

describe('the summary (governance.md §2.7)', () => {
  test('compares base and candidate: definitions by kind and name, sections, operations', () => {
    const pre_hash = base.ref('plans', RUN);
    const patch = compiled(
      base.compile([
        addNote(),
        { replace_def: { kind: 'defplan', name: RUN, new_node: plan(RUN, {}), pre_hash } },
        { remove_def: { kind: 'defschema', name: 'demo/Done@1', pre_hash: base.ref('schemas', 'demo/Done@1') } },
        { set_triggers: { pre_hash: blockHash(base.manifest['triggers']), triggers: [] } },
        // Says that it sets something, and changes nothing.
        { set_routing_events: { pre_hash: blockHash([]), events: [] } },
      ]),
    );
    expect(patch.summary).toMatchObject({
      ops: ['add_def', 'remove_def', 'replace_def', 'set_manifest_refs', 'set_triggers'],
      defChanges: [
        { kind: 'defplan', name: RUN, action: 'changed' },
        { kind: 'defschema', name: 'demo/Done@1', action: 'removed' },
        { kind: 'defschema', name: 'demo/Note@1', action: 'added' },
      ],
      manifestSections: ['manifest_refs', 'triggers'],
    });
    const literal = readLiteral(
      summaryToJson(patch.summary),
      { kind: 'ref', name: 'sys/GovPatchSummary@1' },
      patch.catalog.scope,
      'sys/GovPatchSummary@1',
    );
    expect(literal.ok).toBe(true);
  });

  test('authority: grants, default policy and policies, with what they were and are', () => {
    const grants = [{ name: 'web', cap: 'sys/http.out@1', params: { hosts: ['a.example'] } }];
    const noStep = {
      replace_def: { kind: 'defplan', name: RUN, new_node: plan(RUN, {}), pre_hash: base.ref('plans', RUN) },
    };
    const candidate = apply([
      noStep,
      { set_defaults: { policy: null, cap_grants: grants } },
      { set_manifest_refs: { remove: [{ kind: 'defpolicy', name: 'demo/policy@1' }] } },
    ]);
    const found = authorityChanges(base.manifest, candidate);
    expect(found.map(({ ledger, name, change }) => `${ledger} ${name} ${change}`)).toEqual([
      'policy demo/policy@1 removed',
      'grant clock removed',
      'grant web added',
      'default_policy default removed',
    ]);
    expect(JSON.parse(found[2]!.after!)).toMatchObject({ name: 'web', cap: 'sys/http.out@1' });
  });
});

function hashOfText(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.slice('sha256:'.length), 'hex'));
}
