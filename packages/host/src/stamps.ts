import { randomFillSync } from 'node:crypto';
import type { StampProposal } from '@worldline/kernel';
import type { Clock } from '@worldline/ports';

const ENTROPY_BYTES = 64;
const POOL_STAMPS = 256;

/**
 * Samples root stamps (`kernel.md` §4).
 *
 * S1  logical proposal = base + (mono − mono0); base = last logical + max(0, wall − wall of the last journaled ingress).
 *     So logical time runs on while a world is closed, ignores wall jumps while it is open, and never goes back.
 */
export class Stamper {
  readonly #clock: Clock;
  readonly #entropy: () => Uint8Array;
  #baseNs = 0n;
  #mono0Ns = 0n;

  /** @param entropy - 64 bytes per call; absent: the platform's CSPRNG. */
  constructor(clock: Clock, entropy: () => Uint8Array = entropyPool()) {
    this.#clock = clock;
    this.#entropy = entropy;
  }

  /** At opening and after a reload, with the restored state's times. */
  rebase(last: { readonly logicalNowNs: bigint; readonly lastNowNs: bigint }): void {
    this.#mono0Ns = this.#clock.monoNs();
    const away = this.#clock.wallNs() - last.lastNowNs;
    this.#baseNs = last.logicalNowNs + (away > 0n ? away : 0n);
  }

  /** Logical time now, before the kernel's `max`. */
  logicalNs(): bigint {
    return this.#baseNs + (this.#clock.monoNs() - this.#mono0Ns);
  }

  /** When the monotonic clock will show what is logical time `logicalNs`. */
  monoAtNs(logicalNs: bigint): bigint {
    return this.#mono0Ns + (logicalNs - this.#baseNs);
  }

  sample(): StampProposal {
    return { nowNs: this.#clock.wallNs(), logicalNs: this.logicalNs(), entropy: this.#entropy() };
  }
}

/** Draws many stamps' worth of bytes at once; a call of the generator costs more than the bytes. */
export function entropyPool(): () => Uint8Array {
  let pool = new Uint8Array(0);
  let at = 0;
  return () => {
    if (at === pool.length) {
      // A fresh array each time: stamps given out earlier are views of the old one.
      pool = randomFillSync(new Uint8Array(ENTROPY_BYTES * POOL_STAMPS));
      at = 0;
    }
    const bytes = pool.subarray(at, at + ENTROPY_BYTES);
    at += ENTROPY_BYTES;
    return bytes;
  };
}
