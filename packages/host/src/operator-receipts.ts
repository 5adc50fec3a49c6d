import { hashText, ok, toHex } from '@worldline/canon';
import type { Applied, Emission } from '@worldline/kernel';
import type { EffectOutcome } from '@worldline/ports';
import { rolesFor, subjectOf } from './approval-view.ts';
import { APPROVAL_KIND, decisionOutcome } from './approvals.ts';
import type { HostConfig } from './config.ts';
import type { Dispatcher } from './dispatcher.ts';
import { type Answer, type HostFailure, refuse } from './failure.ts';
import type { Loop } from './loop.ts';
import { pinnedCatalog } from './pinned-catalog.ts';
import { type AdapterRegistry, DISPATCHER_ID } from './registry.ts';
import { type DecisionRequest, type ManualReceiptRequest, prepareDecision, prepareManualReceipt } from './requests.ts';
import type { UnsignedReceipt } from './signer.ts';

export interface OperatorReceiptsParts {
  readonly registry: AdapterRegistry;
  readonly rules: HostConfig['approvals']['rules'];
  readonly loop: () => Loop;
  readonly dispatcher: () => Dispatcher;
  /** Whether a receipt of this intent is in the journal; waits for what is applied and not durable yet. */
  readonly isSettled: (intentHash: Uint8Array) => Promise<Answer<boolean>>;
}

/**
 * Receipts that no adapter makes: decisions of people, withdrawals of what nobody waits for any more, and receipts by
 * hand. The first receipt of an emission wins, whoever makes it (`kernel.md` §10.2).
 */
export class OperatorReceipts {
  readonly #parts: OperatorReceiptsParts;

  constructor(parts: OperatorReceiptsParts) {
    this.#parts = parts;
  }

  /** @returns `not_found`, `approval.decided`, `approval.role`, `decode_error` or `invalid_request`. */
  async decide(request: DecisionRequest): Promise<Answer<Applied>> {
    const { rules } = this.#parts;
    const emission = this.#parts.loop().kernel.emissionOfIntent(request.intentHash);
    if (emission === undefined) return this.#decidedOrUnknown(request.intentHash);
    if (emission.kind !== APPROVAL_KIND) return refuse('not_found', `${hashText(emission.intentHash)} is no approval`);
    const prepared = prepareDecision(emission, request, this.#approvalAdapter());
    if (!prepared.ok) return prepared;
    const roles = rolesFor(rules, subjectOf(emission));
    if (roles !== undefined && request.roles !== undefined && !request.roles.some((role) => roles.includes(role)))
      return roleMissing(roles);
    const applied = await this.#settle(emission, prepared.value, decisionOutcome(request));
    if (applied === undefined) return decided();
    if ('code' in applied) return { ok: false, failure: applied };
    return applied.outcome.kind === 'duplicate' ? decided() : ok(applied);
  }

  /** Approvals whose run has ended. */
  withdraw(emissionSeqs: readonly number[]): void {
    const { kernel } = this.#parts.loop();
    for (const seq of emissionSeqs) {
      const emission = kernel.emission(seq);
      if (emission === undefined) continue;
      const { code, message } = WITHDRAWN;
      const receipt: UnsignedReceipt = {
        intentHash: emission.intentHash,
        emissionSeq: seq,
        adapterId: this.#approvalAdapter(),
        status: 'error',
        error: { code, message, retryable: null, detail_ref: null },
      };
      void this.#settle(emission, receipt, { status: 'error', error: { code, message } });
    }
  }

  /**
   * Recorded under `manual.<adapter>`.
   *
   * @returns undefined when the emission was settled already; `receipt.unknown`, `receipt.intent_mismatch`,
   *   `receipt.payload_invalid` or `approval.role`.
   */
  async inject(request: ManualReceiptRequest): Promise<Answer<Applied | undefined>> {
    const { kernel } = this.#parts.loop();
    const { emissionSeq, intentHash } = request;
    const emission = emissionSeq === undefined ? kernel.emissionOfIntent(intentHash) : kernel.emission(emissionSeq);
    if (emission === undefined) {
      const settled = await this.#parts.isSettled(intentHash);
      if (!settled.ok) return settled;
      return settled.value ? ok(undefined) : refuse('receipt.unknown', 'no open effect has this intent');
    }
    if (toHex(emission.intentHash) !== toHex(intentHash)) {
      return refuse('receipt.intent_mismatch', `emission ${emission.emissionSeq} has another intent`);
    }
    if (emission.kind === APPROVAL_KIND && request.status === 'ok' && request.mayDecide === false)
      return refuse('approval.role', 'an approval is decided in the name of who decides, not answered by hand', {
        path: ['status'],
        hint: `POST /api/approvals/${hashText(emission.intentHash)}, with a token that has scope "approval"`,
      });
    const adapterId = request.adapterId ?? this.#parts.registry.find(emission.kind)?.id;
    const prepared = prepareManualReceipt(pinnedCatalog(kernel, emission), emission, { ...request, adapterId });
    if (!prepared.ok) return prepared;
    const applied = await this.#deliver(prepared.value);
    return 'code' in applied ? { ok: false, failure: applied } : ok(applied);
  }

  /** @returns undefined when another receipt is on its way. */
  #settle(
    emission: Emission,
    receipt: UnsignedReceipt,
    outcome: EffectOutcome,
  ): Promise<Applied | HostFailure> | undefined {
    const dispatcher = this.#parts.dispatcher();
    const completed = dispatcher.complete(emission.emissionSeq, outcome);
    if (completed !== undefined) return completed;
    return dispatcher.isHeld(emission.emissionSeq) ? undefined : this.#deliver(receipt);
  }

  #deliver(receipt: UnsignedReceipt): Promise<Applied | HostFailure> {
    return new Promise((resolve) => {
      this.#parts.loop().deliver({ receipt, token: undefined, onDurable: resolve, onDropped: resolve });
    });
  }

  async #decidedOrUnknown(intentHash: Uint8Array): Promise<Answer<never>> {
    const settled = await this.#parts.isSettled(intentHash);
    if (!settled.ok) return settled;
    return settled.value ? decided() : refuse('not_found', `no approval ${hashText(intentHash)} is open`);
  }

  #approvalAdapter(): string {
    return this.#parts.registry.find(APPROVAL_KIND)?.id ?? DISPATCHER_ID;
  }
}

const WITHDRAWN = { code: 'approval.withdrawn', message: 'nobody waits for this decision any more' } as const;

/** @param roles - of the rule for the subject; a rule may name none, and is then the owner's alone. */
function roleMissing(roles: readonly string[]): Answer<never> {
  const [one] = roles;
  return refuse('approval.role', 'this caller has no role that may decide it', {
    path: ['roles'],
    hint:
      one === undefined
        ? 'Only the owner of the world may decide it.'
        : `Decide with one of the roles ${roles.join(', ')}: "worldline token create <name> --scope approval --role ${one}".`,
  });
}

function decided(): Answer<never> {
  return refuse('approval.decided', 'this request has been decided');
}
