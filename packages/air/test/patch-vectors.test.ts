import { readFileSync } from 'node:fs';
import { type CborValue, decode, encode, fromHex, hashText, sha256, toHex, unwrap } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import { summaryToJson } from '../src/index.ts';
import type { Authored } from './fixtures.ts';
import { compiled, PatchBase } from './patch-support.ts';

interface Vector {
  readonly name: string;
  readonly document: Authored;
  readonly manifest_hash: string;
  readonly patch_hash: string;
  readonly compiled_hex: string;
  readonly summary: Authored;
}

const file: { world: Authored[]; base_manifest_hash: string; vectors: Vector[] } = JSON.parse(
  readFileSync(new URL('../../../test/vectors/patch.json', import.meta.url), 'utf8'),
);

describe('patches compile to these bytes (docs/formats/patch.md)', () => {
  test('the base', () => {
    expect(hashText(new PatchBase(file.world).hash)).toBe(file.base_manifest_hash);
  });

  test.each(file.vectors)('$name', ({ document, manifest_hash, patch_hash, compiled_hex, summary }) => {
    const patch = compiled(new PatchBase(file.world).compileDocument(document));
    expect(hashText(patch.patchHash)).toBe(patch_hash);
    expect(hashText(patch.manifestHash)).toBe(manifest_hash);
    expect(JSON.parse(JSON.stringify(summaryToJson(patch.summary)))).toEqual(summary);
    const bytes = patch.objects.find(({ hash }) => hashText(hash) === patch_hash)!.bytes;
    expect(toHex(bytes)).toBe(compiled_hex);
  });

  test.each(file.vectors)(
    '$name: both hashes follow from the bytes alone',
    ({ manifest_hash, patch_hash, compiled_hex }) => {
      const bytes = fromHex(compiled_hex)!;
      expect(hashText(sha256(bytes))).toBe(patch_hash);
      const { manifest } = unwrap(decode(bytes)) as { manifest: CborValue };
      expect(hashText(sha256(encode(manifest)))).toBe(manifest_hash);
    },
  );
});
