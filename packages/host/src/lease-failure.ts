import type { HostFailure } from './failure.ts';
import type { LeaseLoss } from './lease.ts';

/** What everybody is told who waits for a world that this process may no longer write. */
export function leaseFailure(loss: LeaseLoss, reason = ''): HostFailure {
  switch (loss) {
    case 'fenced':
      return lockedFailure('another process took the world over');
    case 'expired':
      return lockedFailure('the lease ran out');
    case 'unavailable':
      return unansweredFailure(reason);
    case 'damaged':
      return { code: 'journal.corrupt', path: [], message: reason };
    case 'skewed':
      return { code: 'host_error', path: [], message: "this machine's clock is far from the store's" };
    default:
      return loss satisfies never;
  }
}

/** The disk is full or failing, and the lease could not be kept. */
export function unansweredFailure(reason: string): HostFailure {
  return {
    code: 'store.unavailable',
    path: [],
    message: `the store did not answer until the lease ran out: ${reason}`,
    hint: 'Nothing that was acknowledged is lost. Make room or mend the disk, then start the world again.',
  };
}

export function lockedFailure(message: string): HostFailure {
  return { code: 'world.locked', path: [], message, hint: 'Another process runs this world; send the request to it.' };
}
