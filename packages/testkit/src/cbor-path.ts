import type { CborValue } from '@worldline/canon';

/** Puts a value where the path leads, as far as it leads anywhere. @returns whether it did. */
export function put(data: CborValue, path: readonly string[], value: CborValue): boolean {
  let at: CborValue | undefined = data;
  for (const segment of path.slice(0, -1)) at = isRecord(at) ? at[segment] : undefined;
  const last = path.at(-1) as string;
  if (!isRecord(at) || !Object.hasOwn(at, last)) return false;
  at[last] = value;
  return true;
}

export function isRecord(data: CborValue | undefined): data is { [key: string]: CborValue } {
  return typeof data === 'object' && data !== null && !Array.isArray(data) && !(data instanceof Map);
}
