import { toHex } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { typeErrors } from '../src/admission.ts';
import { loadAuthored } from '../src/load-authored.ts';
import { loadStored } from '../src/load-stored.ts';
import { planWorld, raise } from './check-support.ts';
import { filesOf, op, ref } from './fixtures.ts';
import { PatchBase } from './patch-support.ts';

/** Where types are checked, and where not (expressions.md §13; decision 0045). */

const schemas = { In: '{id: text, o?: text}', Said: '{s: text}' };
const said = (value: unknown) => planWorld({ schemas, steps: [raise('a', 't/Said@1', { s: value })] });
const ILL = said(op('len', ref('@plan.input.id')));
const UNSURE = said(ref('@plan.input.o'));

function stored(nodes: unknown) {
  const loaded = loadAuthored(filesOf(nodes), { staticTypes: false });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure));
  const objects = new Map(loaded.value.objects.map(({ hash, bytes }) => [toHex(hash), bytes]));
  return {
    manifestHash: loaded.value.catalog.manifestHash,
    get: (hash: Uint8Array) => objects.get(toHex(hash)),
  };
}

describe('an ill-typed plan', () => {
  test('does not load from a folder', () => {
    const loaded = loadAuthored(filesOf(ILL));
    expect(loaded).toMatchObject({ ok: false, failure: [{ code: 'slot_type', severity: 'error' }] });
  });

  test('is no candidate of a patch', () => {
    const base = new PatchBase(UNSURE);
    const patches = [
      { replace_def: { kind: 'defplan', name: 't/p@1', new_node: ILL.at(-1), pre_hash: base.ref('plans', 't/p@1') } },
    ];
    const compiled = base.compile(patches);
    expect(compiled).toMatchObject({
      ok: false,
      failure: [{ code: 'manifest.validation', details: [{ code: 'slot_type', name: 't/p@1' }] }],
    });
    expect(base.compile(patches, { staticTypes: false }).ok).toBe(true);
  });

  test('is found in a stored manifest that is to become active, and read all the same where it is active', () => {
    const { manifestHash, get } = stored(ILL);
    expect(typeErrors(manifestHash, get)).toMatchObject([
      { code: 'slot_type', name: 't/p@1', path: ['steps', 0, 'value', 'record', 's'], fields: { step: 'a' } },
    ]);
    expect(loadStored(manifestHash, get).ok).toBe(true);
  });
});

describe('a plan that may fail', () => {
  test('loads with a warning', () => {
    const loaded = loadAuthored(filesOf(UNSURE));
    expect(loaded).toMatchObject({
      ok: true,
      value: { warnings: [{ code: 'option_unwrap_unproven', severity: 'warning', fields: { step: 'a' } }] },
    });
  });

  test('is a candidate of a patch, with the warning', () => {
    const sound = said(ref('@plan.input.id'));
    const base = new PatchBase(sound);
    const node = UNSURE.at(-1);
    const patches = [
      { replace_def: { kind: 'defplan', name: 't/p@1', new_node: node, pre_hash: base.ref('plans', 't/p@1') } },
    ];
    const compiled = base.compile(patches);
    expect(compiled).toMatchObject({ ok: true, value: { warnings: [{ code: 'option_unwrap_unproven' }] } });
  });

  test('is admitted', () => {
    const { manifestHash, get } = stored(UNSURE);
    expect(typeErrors(manifestHash, get)).toEqual([]);
  });
});

test('what does not load has no type errors: that is for others to explain', () => {
  expect(typeErrors(new Uint8Array(32), () => undefined)).toEqual([]);
});
