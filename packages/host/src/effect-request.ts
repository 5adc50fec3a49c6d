import type { Catalog } from '@worldline/air';
import { type CborValue, decode, hashOf, hashText, toHex } from '@worldline/canon';
import type { Emission } from '@worldline/kernel';
import type { EffectGrant, EffectOrigin, EffectRequest } from '@worldline/ports';

export interface RequestParts {
  readonly worldId: string;
  readonly emission: Emission;
  /** Live catalog, for the grant. */
  readonly catalog: Catalog;
  readonly attempt: number;
  readonly recovered: boolean;
}

/**
 * One pending emission as an adapter sees it. What costs a hash or a decode is computed when it is first read: most
 * adapters look at a few members only.
 */
export class EmissionRequest implements EffectRequest {
  readonly #parts: RequestParts;
  readonly #injected: CborValue | undefined;
  #params: CborValue | undefined;
  #intentHash: string | undefined;
  #dispatchId: string | undefined;
  #externalKey: string | undefined;
  #grant: EffectGrant | undefined;

  /** @param injected - params with secrets in place of their references; absent: the params hold none. */
  constructor(parts: RequestParts, injected?: CborValue) {
    this.#parts = parts;
    this.#injected = injected;
  }

  /** The same request for a further attempt, or with secrets. */
  with(changes: { readonly attempt: number; readonly injected: CborValue | undefined }): EmissionRequest {
    return new EmissionRequest({ ...this.#parts, attempt: changes.attempt }, changes.injected ?? this.#injected);
  }

  get intentHash(): string {
    this.#intentHash ??= hashText(this.#parts.emission.intentHash);
    return this.#intentHash;
  }

  get emissionSeq(): number {
    return this.#parts.emission.emissionSeq;
  }

  /** `hosting.md` §2. */
  get dispatchId(): string {
    if (this.#dispatchId === undefined) {
      const { worldId, emission } = this.#parts;
      this.#dispatchId = hashText(
        hashOf({ world_id: worldId, emission_seq: emission.emissionSeq, intent_hash: emission.intentHash }),
      );
    }
    return this.#dispatchId;
  }

  get worldId(): string {
    return this.#parts.worldId;
  }

  get kind(): string {
    return this.#parts.emission.kind;
  }

  get capName(): string {
    return this.#parts.emission.capName;
  }

  get paramsCbor(): Uint8Array {
    return this.#parts.emission.paramsCbor;
  }

  get params(): CborValue {
    if (this.#injected !== undefined) return this.#injected;
    this.#params ??= decodeCanonicalParams(this.#parts.emission.paramsCbor);
    return this.#params;
  }

  get idempotencyKey(): Uint8Array {
    return this.#parts.emission.idempotencyKey;
  }

  /**
   * Equal content under one key is one operation for the provider too; without a key, only retries of one dispatch are
   * the same (`host.md` §3.4).
   */
  get externalKey(): string {
    if (this.#externalKey === undefined) {
      const { worldId, emission } = this.#parts;
      this.#externalKey = emission.idempotencyKey.some((byte) => byte !== 0)
        ? toHex(hashOf({ world_id: worldId, intent_hash: emission.intentHash }))
        : this.dispatchId.slice('sha256:'.length);
    }
    return this.#externalKey;
  }

  get origin(): EffectOrigin {
    const { origin } = this.#parts.emission;
    return origin.origin_kind === 'plan'
      ? { kind: 'plan', name: origin.name, planId: origin.plan_id, stepId: origin.step_id }
      : { kind: 'reducer', name: origin.name, key: origin.key };
  }

  get grant(): EffectGrant {
    if (this.#grant === undefined) {
      const name = this.#parts.emission.capName;
      const grant = this.#parts.catalog.grants.get(name);
      // A grant may be gone after a manifest change; the intent was admitted under it all the same.
      this.#grant =
        grant === undefined
          ? { name, cap: '', params: null }
          : { name, cap: grant.cap, params: decodeCanonicalParams(grant.paramsCbor), expiryNs: grant.expiryNs };
    }
    return this.#grant;
  }

  get enqueuedLogicalNs(): bigint {
    return this.#parts.emission.logicalNowNs;
  }

  get attempt(): number {
    return this.#parts.attempt;
  }

  get recovered(): boolean {
    return this.#parts.recovered;
  }
}

function decodeCanonicalParams(bytes: Uint8Array): CborValue {
  const decoded = decode(bytes);
  if (!decoded.ok) throw new Error(`journaled params do not decode: ${decoded.failure.code}`);
  return decoded.value;
}
