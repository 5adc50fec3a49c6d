import { type Catalog, typeDigest } from '@worldline/air';
import { type CborValue, encode, hashText } from '@worldline/canon';
import type { CapVerdict, Emission } from '@worldline/kernel';
import type { AdapterCtx, Blobs, Clock, EffectOutcome, GuardedHttp, Logger } from '@worldline/ports';
import type { Flight } from './flight.ts';

export interface FlightContextParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly http: GuardedHttp;
  readonly blobs: Blobs;
  /** Catalog that the emission's origin pins. */
  readonly pinnedCatalog: (emission: Emission) => Catalog;
  readonly recheckCap: (emission: Emission, paramsCbor: Uint8Array) => CapVerdict;
  /** Ends a deferred effect that this flight's adapter registered. */
  readonly complete: AdapterCtx['complete'];
}

/** What one effect's adapter gets (`host.md` §2); the signal is made only when it is looked at. */
export class FlightContext implements AdapterCtx {
  readonly #flight: Flight;
  readonly #parts: FlightContextParts;
  readonly clock: Clock;
  readonly log: Logger;
  readonly blobs: Blobs;
  readonly http: GuardedHttp;

  constructor(flight: Flight, parts: FlightContextParts) {
    this.#flight = flight;
    this.#parts = parts;
    this.clock = parts.clock;
    this.log = parts.log;
    this.blobs = parts.blobs;
    this.http = parts.http;
  }

  get signal(): AbortSignal {
    return this.#flight.signal;
  }

  recheckCap(params: CborValue): CapVerdict {
    let paramsCbor: Uint8Array;
    try {
      paramsCbor = encode(params);
    } catch {
      return { ok: false, code: 'effect.params_invalid', message: 'the changed params cannot be encoded' };
    }
    return this.#parts.recheckCap(this.#flight.emission, paramsCbor);
  }

  typeHash(schema: string): string | undefined {
    const catalog = this.#parts.pinnedCatalog(this.#flight.emission);
    const digest = catalog.schemas.has(schema) ? typeDigest({ kind: 'ref', name: schema }, catalog.scope) : undefined;
    return digest && hashText(digest);
  }

  complete(intentHash: string, outcome: EffectOutcome): Promise<void> {
    return this.#parts.complete(intentHash, outcome);
  }
}
