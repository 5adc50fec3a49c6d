import type { Clock } from '@worldline/ports';

/** The platform's timers overflow at 2^31 ms; longer waits are chained. */
const HOP_MS = 1_000_000_000;

/** Wall clock (ms resolution) and monotonic clock of this machine. */
export function systemClock(): Clock {
  return {
    wallNs: () => BigInt(Date.now()) * 1_000_000n,
    monoNs: () => process.hrtime.bigint(),
    setTimer(atMonoNs, fn) {
      let handle: NodeJS.Timeout | undefined;
      const arm = () => {
        const leftMs = Number(atMonoNs - process.hrtime.bigint()) / 1e6;
        handle = leftMs > HOP_MS ? setTimeout(arm, HOP_MS) : setTimeout(fire, Math.max(0, Math.ceil(leftMs)));
      };
      const fire = () => {
        // A platform timer may come a fraction of a millisecond early; being late is allowed, being early is not.
        if (process.hrtime.bigint() < atMonoNs) arm();
        else fn();
      };
      arm();
      return () => clearTimeout(handle);
    },
  };
}
