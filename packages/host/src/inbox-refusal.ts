import type { EnqueueAnswer } from '@worldline/ports';
import { refuse } from './failure.ts';

/**
 * Why a store did not take an item into the inbox of a world.
 *
 * @param conflict - what came before with the same key, in the words of whoever asks.
 * @returns `ingress.conflict`, `full`, `world.archived`, `not_found` or `host_error`.
 */
export function enqueueRefusal(
  worldId: string,
  refusal: Exclude<EnqueueAnswer, { readonly answer: 'ok' | 'duplicate' }>,
  conflict: string,
) {
  switch (refusal.answer) {
    case 'conflict':
      return refuse('ingress.conflict', conflict);
    case 'full':
      return refuse('full', 'the inbox of this world is full', { hint: 'Try again when the world has caught up.' });
    case 'world.archived':
      return refuse('world.archived', 'this world is archived');
    case 'not_found':
      return refuse('not_found', `the store holds no world ${worldId}`);
    case 'unavailable':
      return refuse('host_error', `the store does not answer: ${refusal.message}`);
    default:
      return refusal satisfies never;
  }
}
