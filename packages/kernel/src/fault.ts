/**
 * Host aborts and world faults (`kernel.md` §13.3, §13.4). No ingress, plan, policy or adapter can cause a world
 * fault; it means that memory, store or journal is not what it must be.
 */
export class KernelFault extends Error {
  override readonly name = 'KernelFault';
  /** `entropy.error`, `object.missing`, `object.corrupt`, `state.impossible`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}
