import { type CborValue, decode, hashOf, hashText, unwrap } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  diffManifests,
  type Json,
  type JsonObject,
  type Loaded,
  manifestOfParts,
  manifestParts,
  printJson,
} from '../src/index.ts';
import { type Authored, manifestOf, plan, schema } from './fixtures.ts';
import { compiled, loaded, PatchBase } from './patch-support.ts';
import { SHAPES, worldArb } from './small-worlds.ts';

/** Laws of patches (governance.md §1, packs.md §7 step 5), over small worlds that differ in everything a patch changes. */

const nodes = (from: Loaded) => {
  const byHash = new Map(from.objects.map(({ hash, bytes }) => [hashText(hash), bytes]));
  return (hash: string) => unwrap(decode(byHash.get(hash)!)) as Json;
};

/** The one form of M2, which every compiled candidate has. */
const plain = (manifest: Json) => hashText(hashOf(manifestOfParts(manifestParts(manifest as JsonObject)) as CborValue));

function diff(base: PatchBase, candidate: Loaded, prune: boolean) {
  return diffManifests(base, candidate.manifestNode as JsonObject, nodes(candidate), { prune });
}

describe('diff and compile', () => {
  test('the difference of two manifests, compiled on the first, gives exactly the second', () => {
    fc.assert(
      fc.property(worldArb, worldArb, (from, to) => {
        const base = new PatchBase(loaded(from));
        const candidate = loaded(to);
        const { document } = diff(base, candidate, true);
        if (document === undefined) {
          expect(plain(candidate.manifestNode)).toBe(plain(base.manifest));
          return;
        }
        const patch = compiled(base.compileDocument(JSON.parse(printJson(document))));
        base.put(patch.objects);
        const made = unwrap(decode(base.get(patch.manifestHash)!)) as Json;
        expect(plain(made)).toBe(plain(candidate.manifestNode));
        // Compiled manifests have the one form, so a second patch finds nothing to do.
        expect(plain(made)).toBe(hashText(patch.manifestHash));
        const again = diffManifests(
          { hash: patch.manifestHash, manifest: made as JsonObject },
          candidate.manifestNode as JsonObject,
          nodes(candidate),
        );
        expect(again).toEqual({ document: undefined, kept: [] });
      }),
    );
  });

  test('without pruning nothing is taken away but what the blocks said, and what stays is named', () => {
    fc.assert(
      fc.property(worldArb, worldArb, (from, to) => {
        const base = new PatchBase(loaded(from));
        const candidate = loaded(to);
        const { document, kept } = diff(base, candidate, false);
        const listed = (manifest: Json) =>
          new Set(
            Object.values(manifestParts(manifest as JsonObject).refs)
              .flat()
              .map(({ name }) => name),
          );
        const wanted = listed(candidate.manifestNode);
        expect(new Set(kept.map(({ name }) => name))).toEqual(
          new Set([...listed(base.manifest)].filter((name) => !wanted.has(name))),
        );
        for (const op of (document?.['patches'] ?? []) as Authored[])
          expect(Object.keys(op)).not.toContain('remove_def');
      }),
    );
  });

  test('unchanged definitions and blocks never appear in a difference', () => {
    fc.assert(
      fc.property(worldArb, worldArb, (from, to) => {
        const base = new PatchBase(loaded(from));
        const candidate = loaded(to);
        const { document } = diff(base, candidate, true);
        if (document === undefined) return;
        const patch = compiled(base.compileDocument(JSON.parse(printJson(document))));
        const ops = (document['patches'] as Authored[]).map((op) => Object.keys(op)[0]);
        expect(ops.filter((op) => op!.endsWith('_def'))).toHaveLength(patch.summary.defChanges.length);
        const blocks = patch.summary.manifestSections.filter((s) => s !== 'manifest_refs' && s !== 'secrets');
        expect(ops.filter((op) => op!.startsWith('set_')).sort()).toEqual(blocks.map((s) => `set_${s}`));
      }),
    );
  });
});

describe('patch_hash', () => {
  test('the order of operations never changes it', () => {
    fc.assert(
      fc.property(worldArb, worldArb, fc.infiniteStream(fc.nat()), (from, to, picks) => {
        const base = new PatchBase(loaded(from));
        const { document } = diff(base, loaded(to), true);
        if (document === undefined) return;
        const given = JSON.parse(printJson(document)) as Authored;
        const rest = [...given.patches];
        const shuffled: Authored[] = [];
        while (rest.length > 0) shuffled.push(...rest.splice((picks.next().value ?? 0) % rest.length, 1));
        const [one, other] = [given, { ...given, patches: shuffled }].map((each) =>
          compiled(base.compileDocument(each)),
        );
        expect(hashText(other!.patchHash)).toBe(hashText(one!.patchHash));
      }),
    );
  });

  test('sugar and tagged forms of one plan have one', () => {
    const base = new PatchBase([manifestOf([schema('demo/A@1', SHAPES[1])]), schema('demo/A@1', SHAPES[1])]);
    const say = (value: Authored) =>
      plan('demo/say@1', {
        input: 'demo/A@1',
        steps: [{ id: 'say', op: 'raise_event', event: 'demo/A@1', value }],
      });
    const hashes = [{ id: 'x', n: 7 }, { record: { id: { text: 'x' }, n: { nat: 7 } } }].map((value) =>
      hashText(compiled(base.compile([{ add_def: { kind: 'defplan', node: say(value) } }])).patchHash),
    );
    expect(hashes[0]).toBe(hashes[1]);
  });
});
