import { type Env, normalizeCbor, type ReceiptView, type Value } from '@worldline/air';
import { KernelFault } from './fault.ts';
import type { BufferedReceipt, Definition, Instance } from './instance.ts';

/** What the expressions of one instance may read (`plans.md` §1 M2). */
export class InstanceEnv implements Env {
  readonly #instance: Instance;
  readonly #definition: Definition;
  readonly #event: Value | undefined;
  /** Receipts that were read, since an expression looks at one again for each member. */
  #views: Map<number, ReceiptView> | undefined;

  constructor(instance: Instance, definition: Definition, event?: Value) {
    this.#instance = instance;
    this.#definition = definition;
    this.#event = event;
  }

  input(): Value {
    return this.#instance.input;
  }

  variable(name: string): Value | undefined {
    return this.#instance.variables.get(name);
  }

  step(id: string): Value | undefined {
    return this.#instance.stepValues.get(id);
  }

  event(): Value | undefined {
    return this.#event;
  }

  receipt(emissionSeq: number): ReceiptView | undefined {
    let view = this.#views?.get(emissionSeq);
    if (view !== undefined) return view;
    const receipt = this.#instance.receipts.get(emissionSeq);
    if (receipt === undefined) return undefined;
    view = this.#view(receipt);
    this.#views ??= new Map();
    this.#views.set(emissionSeq, view);
    return view;
  }

  #view(receipt: BufferedReceipt): ReceiptView {
    return {
      status: receipt.status,
      payload: receipt.payloadCbor === undefined ? undefined : this.#payload(receipt.emissionSeq, receipt.payloadCbor),
      adapterId: receipt.adapterId,
      costCents: receipt.costCents,
      error: receipt.error === undefined ? undefined : errorValue(receipt.error),
    };
  }

  /**
   * The recorded payload as this instance's own pin reads it. A leader or a waiter of the same emission may pin another
   * receipt schema; a payload that fits theirs and not this one is none here, as any payload that does not conform.
   */
  #payload(emissionSeq: number, payloadCbor: Uint8Array): Value | undefined {
    const kind = this.#kindOf(emissionSeq);
    const { catalog } = this.#definition;
    const effect = catalog.effects.get(kind);
    if (effect === undefined) throw new KernelFault('state.impossible', `pinned manifest lacks effect kind ${kind}`);
    const schema = effect.def.receiptSchema;
    const read = normalizeCbor(payloadCbor, { kind: 'ref', name: schema }, catalog.scope, schema);
    return read.ok ? read.value.value : undefined;
  }

  #kindOf(emissionSeq: number): string {
    for (const [handle, effect] of this.#instance.handles) {
      if (effect.emissionSeq !== emissionSeq) continue;
      const kind = this.#definition.program.kinds.get(handle);
      if (kind !== undefined) return kind;
    }
    throw new KernelFault(
      'state.impossible',
      `emission ${emissionSeq} belongs to no handle of instance ${this.#instance.id}`,
    );
  }
}

/** A receipt's error as a `sys/EffectError@1` value. */
function errorValue(error: NonNullable<BufferedReceipt['error']>): Value {
  return {
    kind: 'record',
    // Canonical key order: shorter first.
    fields: new Map<string, Value>([
      ['code', { kind: 'text', value: error.code }],
      ['message', { kind: 'text', value: error.message }],
      ['retryable', error.retryable === null ? { kind: 'null' } : { kind: 'bool', value: error.retryable }],
      ['detail_ref', error.detail_ref === null ? { kind: 'null' } : { kind: 'hash', value: error.detail_ref }],
    ]),
  };
}
