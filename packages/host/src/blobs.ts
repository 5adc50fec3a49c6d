import { fail, hashText, ok, parseHashText, type Result } from '@worldline/canon';
import type { BlobFailure, Blobs, CasStore, CodedError } from '@worldline/ports';
import type { Redactor } from './secrets.ts';

/** What a blob write of a secret rejects with; the receipt of the effect becomes `error`, `secret.leak`. */
export class SecretLeak extends Error implements CodedError {
  override readonly name = 'SecretLeak';
  readonly code = 'secret.leak';
}

export class StoreTrouble extends Error implements CodedError {
  override readonly name = 'StoreTrouble';
  readonly code = 'adapter.exception';
}

/** Raw bytes for adapters, over the content store. */
export function adapterBlobs(cas: CasStore, redactor: Redactor): Blobs {
  return {
    async get(hash, options = {}): Promise<Result<Uint8Array, BlobFailure>> {
      const address = parseHashText(hash);
      if (address === undefined) return failed('blob.missing', `"${hash}" is no hash`);
      if (options.maxBytes !== undefined) {
        // Asked first, so that a huge object is not read only to be refused.
        const stat = await cas.stat(address);
        if (stat !== undefined && stat.size > options.maxBytes) {
          return failed('blob.too_large', `${hash} has ${stat.size} bytes, at most ${options.maxBytes} are taken`);
        }
      }
      const answer = await cas.get(address);
      switch (answer.answer) {
        case 'ok':
          return ok(answer.bytes);
        case 'not_found':
          return failed('blob.missing', `${hash} is not in the store`);
        case 'corrupt':
          return failed('blob.corrupt', `the stored bytes of ${hash} have another hash`);
        default:
          return failed('blob.unavailable', answer.message);
      }
    },
    async put(bytes) {
      const alias = redactor.leak(bytes);
      if (alias !== undefined) throw new SecretLeak(`a blob would hold the secret ${alias}`);
      const answer = await cas.put(bytes);
      if (answer.answer === 'ok') return hashText(answer.hash);
      throw new StoreTrouble(
        answer.answer === 'unavailable' ? answer.message : `the blob was not stored: ${answer.answer}`,
      );
    },
    async has(hash) {
      const address = parseHashText(hash);
      return address !== undefined && (await cas.has(address));
    },
  };
}

function failed(code: BlobFailure['code'], message: string): Result<never, BlobFailure> {
  return fail({ code, message });
}
