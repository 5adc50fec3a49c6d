import { typeErrors } from '@worldline/air';
import { fail, ok, toHex } from '@worldline/canon';
import type { ManifestIngress, StoredObject } from '@worldline/kernel';
import type { Store } from '@worldline/ports';
import type { HostConfig } from './config.ts';
import { type Answer, type HostFailure, refuse } from './failure.ts';

/**
 * Direct apply (`governance.md` §6): the active manifest is replaced by one that was compiled against it, without a
 * proposal. What it refers to is durable before the command is handed over (J5), so the lease holder needs nothing but
 * hashes, and a change that is refused leaves unreferenced objects behind and nothing else.
 */
export interface ManifestChangeRequest {
  readonly manifestHash: Uint8Array;
  /** The manifest that the change was compiled against. */
  readonly manifestBase: Uint8Array;
  readonly patchHash: Uint8Array;
  /** Who asks; recorded. */
  readonly actor: string;
  /** Nodes, candidate, compiled patch and document. */
  readonly objects: readonly StoredObject[];
  readonly ingressId?: string | undefined;
}

/**
 * Stores what the change refers to, if its plans and triggers are well typed: what runs is admitted here. The kernel
 * reads a manifest without that check, since replay has to accept what was accepted once (D10).
 *
 * @returns the command to submit; `governance.direct_apply_disabled`, `manifest.validation` with the findings, or
 *   `host_error` when the store does not take the objects.
 */
export async function prepareManifestChange(
  store: Store,
  config: HostConfig,
  request: ManifestChangeRequest,
): Promise<Answer<ManifestIngress>> {
  if (!config.governance.directApply) return fail(directApplyDisabled());
  const illTyped = typeFailure(store, request);
  if (illTyped !== undefined) return fail(illTyped);
  const put = await store.cas.putMany(request.objects);
  if (put.answer !== 'ok') return refuse('host_error', `the store did not take the definitions: ${put.answer}`);
  const { manifestHash, manifestBase, patchHash, actor, ingressId } = request;
  return ok({ kind: 'control', command: 'manifest', manifestHash, manifestBase, patchHash, actor, ingressId });
}

/**
 * What is wrong with the types of a manifest that is to become active. Undefined also for one that does not load: that is
 * for the kernel to refuse, on record.
 *
 * @param change - Its objects are looked at before the store, which has to hold the rest.
 */
export function typeFailure(
  store: Store,
  change: Pick<ManifestChangeRequest, 'manifestHash'> & Partial<Pick<ManifestChangeRequest, 'objects'>>,
): HostFailure | undefined {
  const given = new Map((change.objects ?? []).map((object) => [toHex(object.hash), object.bytes]));
  const details = typeErrors(change.manifestHash, (hash) => {
    const bytes = given.get(toHex(hash));
    if (bytes !== undefined) return bytes;
    const got = store.cas.getSync(hash);
    return got.answer === 'ok' ? got.bytes : undefined;
  });
  const [first] = details;
  if (first === undefined) return undefined;
  return {
    code: 'manifest.validation',
    path: [],
    message: `types do not fit: ${first.code}: ${first.message}`,
    hint: first.hint,
    details,
  };
}

export function directApplyDisabled(): HostFailure {
  return {
    code: 'governance.direct_apply_disabled',
    path: [],
    message: 'worldline.host.json forbids changing the manifest without a proposal (governance.direct_apply)',
    hint: 'This release has no proposals yet; set governance.direct_apply to true for the time of a push.',
  };
}
