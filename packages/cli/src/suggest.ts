import { suggest } from '@worldline/air';

/** Hint for an unknown word: the known one it most likely meant, else all of them when they are few. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const list = [...candidates];
  const near = suggest(word, list);
  if (near !== undefined) return `did you mean "${near}"?`;
  return list.length > 0 && list.length <= 12 ? `known: ${list.join(', ')}` : undefined;
}
