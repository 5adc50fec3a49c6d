import { checkStaticTypes } from './check-types.ts';
import type { Diagnostic } from './diagnostic.ts';
import { readStoredWorld } from './load-stored.ts';
import { toDiagnostics } from './node-read.ts';

/**
 * What is wrong with the types of a stored manifest that is to become active (`expressions.md` §13). `loadStored` does not
 * ask: what a journal pins is past admission, and a later, stricter checker must not keep a world from reopening (D10).
 *
 * @param get - The bytes of an object, or undefined when there is none.
 * @returns the errors of the checker; none for a manifest that does not load, which `loadStored` explains.
 */
export function typeErrors(
  manifestHash: Uint8Array,
  get: (hash: Uint8Array) => Uint8Array | undefined,
): readonly Diagnostic[] {
  const read = readStoredWorld(manifestHash, get);
  if (!read.ok) return [];
  return toDiagnostics(checkStaticTypes(read.value.world, {}).filter(({ severity }) => severity !== 'warning'));
}
