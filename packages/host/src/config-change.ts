import { bytesEqual, hashText, ok, sha256 } from '@worldline/canon';
import { type Applied, encodeConfig, type WorldConfig } from '@worldline/kernel';
import type { Store } from '@worldline/ports';
import { type Answer, type HostFailure, refuse } from './failure.ts';
import type { Loop } from './loop.ts';

export interface ConfigChangeRequest {
  readonly config: WorldConfig;
  /** Of the configuration that the change was made against. */
  readonly expectedHash: Uint8Array;
}

const CONFIG_HINT = { hint: 'Read it again and make the change against that one.' };

/**
 * Replaces the configuration of a running world (`kernel.md` §15), journaled. The new one is durable in the store before
 * the command that names it (J5).
 *
 * @param stopped - why the loop has stopped.
 * @returns the hash of the configuration that holds now; `config.conflict`, `host_error` when the store does not take it,
 *   or the kernel's reason.
 */
export async function changeConfig(
  store: Pick<Store, 'cas'>,
  loop: Pick<Loop, 'isStopped' | 'whenQuiet' | 'applyNow' | 'kernel'>,
  { config, expectedHash }: ConfigChangeRequest,
  stopped: () => HostFailure,
): Promise<Answer<{ readonly configHash: string }>> {
  const bytes = encodeConfig(config);
  const configHash = sha256(bytes);
  const stored = await store.cas.put(bytes, configHash);
  if (stored.answer !== 'ok') return refuse('host_error', `the store did not take the configuration: ${stored.answer}`);
  return new Promise((resolve) => {
    const done = (applied: Applied | HostFailure) => {
      if ('code' in applied) resolve({ ok: false, failure: applied });
      else if (applied.outcome.kind === 'rejected') resolve(refuse(applied.outcome.code, applied.outcome.message));
      else resolve(ok({ configHash: hashText(configHash) }));
    };
    if (loop.isStopped) {
      done(stopped());
      return;
    }
    // Between batches, so that nothing comes between the comparison and the change.
    loop.whenQuiet(() => {
      const active = loop.kernel.configHash;
      if (!bytesEqual(active, expectedHash)) {
        resolve(refuse('config.conflict', `the configuration in force is ${hashText(active)}`, CONFIG_HINT));
      } else if (bytesEqual(active, configHash)) resolve(ok({ configHash: hashText(configHash) }));
      else {
        loop.applyNow(
          { ingress: { kind: 'control', command: 'config', configHash }, onDurable: done, onDropped: done },
          [],
        );
      }
    });
  });
}
