import type { EffectAdapter } from '@worldline/ports';

/**
 * Effects `timer.set` and `timer.after` (`host.md` §5.3). The lease holder fires timers from the store's timer rows, and
 * their receipts are made by the kernel; this adapter only says who stands for these kinds and how they are delivered.
 */
export function timerAdapter(): EffectAdapter {
  return {
    id: 'timer.set',
    kinds: ['timer.set', 'timer.after'],
    classify: () => 'deferred',
    async register() {},
  };
}
