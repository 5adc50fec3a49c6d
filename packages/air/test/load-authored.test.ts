import { hashText, sha256 } from '@worldline/canon';
import { expect, test } from 'vitest';
import { loadStored } from '../src/load-stored.ts';
import { findings, load, smallWorld } from './fixtures.ts';

test('a small world loads, and its stored form loads to the same catalog (definitions.md §8.4, §9)', () => {
  const loaded = load(smallWorld().nodes);
  expect(findings(loaded)).toEqual([]);
  if (!loaded.ok) return;
  expect(loaded.value.warnings).toEqual([]);
  const store = new Map(loaded.value.objects.map(({ hash, bytes }) => [hashText(hash), bytes]));
  for (const { hash, bytes } of loaded.value.objects) expect(hashText(sha256(bytes))).toBe(hashText(hash));
  const stored = loadStored(loaded.value.catalog.manifestHash, (hash) => store.get(hashText(hash)));
  expect(findings(stored)).toEqual([]);
  if (!stored.ok) return;
  const { scope: _a, ...authoredCatalog } = loaded.value.catalog;
  const { scope: _b, ...storedCatalog } = stored.value;
  expect(storedCatalog).toEqual(authoredCatalog);
});
