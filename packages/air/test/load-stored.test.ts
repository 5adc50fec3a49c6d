import { encode, hashText, parseHashText, sha256 } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../src/json.ts';
import { loadStored } from '../src/load-stored.ts';
import { encodeNode } from '../src/node-json.ts';
import { type Authored, findings, load, smallWorld } from './fixtures.ts';

/** A stored world that a test may damage: objects by hash, and the manifest to change. */
class Stored {
  readonly objects = new Map<string, Uint8Array>();
  readonly manifest: Authored;

  constructor() {
    const loaded = load(smallWorld().nodes);
    if (!loaded.ok) throw new Error('fixture');
    for (const { hash, bytes } of loaded.value.objects) this.objects.set(hashText(hash), bytes);
    this.manifest = structuredClone(loaded.value.manifestNode);
  }

  /** @returns the hash as text. */
  put(json: Authored): string {
    const bytes = encodeNode(json as JsonObject);
    const hash = hashText(sha256(bytes));
    this.objects.set(hash, bytes);
    return hash;
  }

  load() {
    const hash = this.put(this.manifest);
    return loadStored(parseHashText(hash) as Uint8Array, (key) => this.objects.get(hashText(key)));
  }
}

type Case = [why: string, change: (stored: Stored) => void, expected: string[]];

function check(cases: readonly Case[]): void {
  test.each(cases)('%s', (_why, change, expected) => {
    const stored = new Stored();
    change(stored);
    expect(findings(stored.load())).toEqual(expected);
  });
}

const OTHER = `sha256:${'1'.repeat(64)}`;

describe('definitions.md §9: references of a stored manifest', () => {
  check([
    ['a sound one', () => {}, []],
    [
      'V-103: a hash is required',
      ({ manifest }) => delete manifest.plans[0].hash,
      ['V-103 node.bad_field manifest /plans/0/hash'],
    ],
    [
      'V-107: a placeholder is none',
      ({ manifest }) => (manifest.plans[0].hash = 'sha256'),
      ['V-107 hash.invalid manifest /plans/0/hash'],
    ],
    [
      'V-201',
      ({ manifest }) => delete manifest.air_version,
      ['V-201 manifest.air_version_missing manifest /air_version'],
    ],
    [
      'V-203',
      ({ manifest }) => manifest.plans.push({ name: 'sys/p@1', hash: OTHER }),
      ['V-203 name.reserved manifest /plans/1/name'],
    ],
    [
      'V-207: a built-in with another hash',
      ({ manifest }) => (manifest.effects[0].hash = OTHER),
      ['V-207 hash.mismatch manifest /effects/0/hash'],
    ],
    [
      'V-207: the zero hash',
      ({ manifest }) => (manifest.effects[0].hash = `sha256:${'0'.repeat(64)}`),
      ['V-207 hash.mismatch manifest /effects/0/hash'],
    ],
    [
      'V-209: not in the store',
      ({ manifest }) => (manifest.plans[0].hash = OTHER),
      ['V-209 store.not_found manifest /plans/0/hash'],
    ],
    [
      'V-209: other bytes',
      (stored) => stored.objects.set(stored.manifest.plans[0].hash, encode({ a: 1 })),
      ['V-209 hash.mismatch manifest /plans/0/hash'],
    ],
    [
      'V-210: a schema listed as a plan',
      ({ manifest }) => (manifest.plans[0].hash = manifest.schemas[0].hash),
      ['V-210 ref.kind_mismatch manifest /plans/0'],
    ],
    [
      'V-210: another name',
      ({ manifest }) => (manifest.schemas[0].hash = manifest.schemas[1].hash),
      ['V-210 ref.name_mismatch manifest /schemas/0/name'],
    ],
    [
      'V-211',
      ({ manifest }) => manifest.schemas.push(manifest.schemas[0]),
      ['V-211 ref.duplicate manifest /schemas/3/name'],
    ],
    [
      'V-208: a linked copy of a built-in module is accepted',
      (stored) => {
        const pure = { input: 'sys/CapCheckInput@1', output: 'sys/CapCheckOutput@1' };
        const name = 'sys/CapEnforceHttpOut@1';
        const hash = stored.put({ $kind: 'defmodule', name, module_kind: 'pure', wasm_hash: OTHER, abi: { pure } });
        stored.manifest.modules.push({ name, hash });
      },
      [],
    ],
    [
      'V-208: but it must be stored',
      ({ manifest }) => manifest.modules.push({ name: 'sys/CapEnforceHttpOut@1', hash: OTHER }),
      ['V-209 store.not_found manifest /modules/0/hash'],
    ],
    [
      'a node that is broken in itself is reported with its own kind and name',
      (stored) => {
        stored.manifest.schemas[0].hash = stored.put({ $kind: 'defschema', name: 'demo/Task@1', type: { txt: {} } });
      },
      ['V-301 type.invalid demo/Task@1 /type/txt'],
    ],
    [
      'all references are looked at, in the order of the sections',
      ({ manifest }) => {
        manifest.plans[0].hash = OTHER;
        manifest.schemas[2].hash = OTHER;
        manifest.policies[0].hash = OTHER;
      },
      [
        'V-209 store.not_found manifest /schemas/2/hash',
        'V-209 store.not_found manifest /plans/0/hash',
        'V-209 store.not_found manifest /policies/0/hash',
      ],
    ],
    [
      'rules of §10 hold as for authored worlds',
      ({ manifest }) => (manifest.defaults.cap_grants[0].cap = 'sys/gone@1'),
      ['V-602 cap.def_not_found manifest /defaults/cap_grants/0/cap'],
    ],
  ]);
});

describe('inline secrets of stored manifests (definitions.md §3.8)', () => {
  const inline = { alias: 'demo/key', version: 1, binding_id: 'env:KEY' };
  check([
    ['a sound one', ({ manifest }) => (manifest.secrets = [inline]), []],
    [
      'V-612',
      ({ manifest }) => (manifest.secrets = [{ ...inline, binding_id: '' }]),
      ['V-612 secret.binding_missing manifest /secrets/0/binding_id'],
    ],
    [
      'V-613',
      ({ manifest }) => (manifest.secrets = [inline, { ...inline, binding_id: 'env:B' }]),
      ['V-613 secret.duplicate manifest /secrets/1'],
    ],
    [
      'V-617',
      ({ manifest }) => (manifest.secrets = [{ ...inline, policy: { allowed_caps: ['x'] } }]),
      ['V-617 grant.not_found manifest /secrets/0/policy/allowed_caps/0'],
    ],
    [
      'version 0',
      ({ manifest }) => (manifest.secrets = [{ ...inline, version: 0 }]),
      ['V-103 node.bad_field manifest /secrets/0/version'],
    ],
  ]);

  test('they are part of the catalog', () => {
    const stored = new Stored();
    stored.manifest.secrets = [{ ...inline, policy: { allowed_plans: ['demo/core_run@1'] } }];
    const loaded = stored.load();
    expect(loaded.ok && loaded.value.secrets).toMatchObject([
      { alias: 'demo/key', version: 1, bindingId: 'env:KEY', allowedCaps: [], allowedPlans: ['demo/core_run@1'] },
    ]);
  });
});

describe('the manifest object itself', () => {
  const hash = (bytes: Uint8Array) => sha256(bytes);

  test('missing', () => {
    expect(findings(loadStored(hash(encode({})), () => undefined))).toEqual(['V-209 store.not_found manifest']);
  });

  test('other bytes', () => {
    expect(findings(loadStored(hash(encode({})), () => encode({ a: 1 })))).toEqual(['V-209 hash.mismatch manifest']);
  });

  test.each([
    ['no canonical CBOR', new Uint8Array([0xa0])],
    ['bytes inside', encode({ a: new Uint8Array([1]) })],
    ['keys that are no texts', encode(new Map([[1, 2]]))],
    ['random bytes', new Uint8Array([0xff, 0x00, 0x01])],
  ])('%s', (_why, bytes) => {
    expect(findings(loadStored(hash(bytes), () => bytes))).toEqual(['V-101 json.invalid manifest']);
  });

  test('a definition where a manifest is expected', () => {
    const bytes = encodeNode({ $kind: 'defschema', name: 'demo/T@1', type: { text: {} } });
    expect(findings(loadStored(hash(bytes), () => bytes))).toEqual(['V-204 air.manifest_missing manifest']);
  });

  test('a list', () => {
    const bytes = encode([]);
    expect(findings(loadStored(hash(bytes), () => bytes))).toEqual(['V-103 node.bad_field -']);
  });
});
