import { type Catalog, recordedParamsSchema } from '@worldline/air';
import type { CborValue } from '@worldline/canon';
import type { Emission } from '@worldline/kernel';
import { injectSecrets, mayHoldSecrets, type SecretResolver } from './secrets.ts';

export interface EffectSecretsParts {
  readonly secrets: Pick<SecretResolver, 'resolve'>;
  /** Its declarations and bindings hold now, whatever the emission's origin pins. */
  readonly liveCatalog: () => Catalog;
  /** Catalog that the emission's origin pins: it says where in the params a secret may stand. */
  readonly pinnedCatalog: (emission: Emission) => Catalog;
}

/** Secrets of effects (`host.md` §6): which effects may hold any, and their params with plaintext for one attempt. */
export class EffectSecrets {
  readonly #parts: EffectSecretsParts;
  /** By kind. */
  readonly #mayHold = new WeakMap<Catalog, Map<string, boolean>>();

  constructor(parts: EffectSecretsParts) {
    this.#parts = parts;
  }

  mayHold(emission: Emission): boolean {
    const catalog = this.#parts.pinnedCatalog(emission);
    let kinds = this.#mayHold.get(catalog);
    if (kinds === undefined) {
      kinds = new Map();
      this.#mayHold.set(catalog, kinds);
    }
    let may = kinds.get(emission.kind);
    if (may === undefined) {
      const effect = catalog.effects.get(emission.kind);
      may =
        effect !== undefined && mayHoldSecrets({ kind: 'ref', name: recordedParamsSchema(effect.def) }, catalog.scope);
      kinds.set(emission.kind, may);
    }
    return may;
  }

  /** @param params - of an emission that `mayHold` any; stays as it is. */
  inject(emission: Emission, params: CborValue) {
    const { secrets, pinnedCatalog, liveCatalog } = this.#parts;
    const catalog = pinnedCatalog(emission);
    const plan = emission.origin.origin_kind === 'plan' ? emission.origin.name : undefined;
    const type = { kind: 'ref', name: recordedParamsSchema(catalog.effects.get(emission.kind)!.def) } as const;
    const declared = liveCatalog().secrets;
    return injectSecrets(params, type, catalog.scope, (ref) =>
      secrets.resolve(declared, ref, { grant: emission.capName, plan }),
    );
  }
}
