import type { Failure } from '@worldline/canon';
import type { FailpointModule } from '@worldline/ports';
import type { OperationName } from './operations.ts';
import type { WriteLimits } from './write-tx.ts';

/** What passes between the calling thread and the writer thread. */

export interface WriterStart {
  readonly dir: string;
  readonly limits: WriteLimits;
  readonly failpoints: FailpointModule | undefined;
}

export interface Request {
  readonly id: number;
  readonly operation: OperationName | 'close';
  readonly args: readonly unknown[];
  /** Store time, when the caller's clock is not this machine's. */
  readonly nowNs: bigint | undefined;
}

export type Reply = { readonly id: number } & (
  | { readonly answer: unknown }
  /** Certainly not written. */
  | { readonly unavailable: string }
  /** The transaction's commit failed in a way that leaves it open what a later recovery finds. */
  | { readonly unknown: string }
  /** The file is damaged. */
  | { readonly corrupt: string }
  /** A bug of the caller, to be thrown there. */
  | { readonly bug: string }
);

export type WriterMessage =
  | { readonly ready: true }
  | { readonly failure: Failure }
  | { readonly replies: readonly Reply[] };
