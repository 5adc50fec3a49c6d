import * as crypto from 'node:crypto';
import { installSha256 } from '@worldline/canon';

let isInstalled = false;

/** Gives the pure packages the platform's SHA-256 (design decision D11). Safe to repeat. */
export function useNativeSha256(): void {
  if (isInstalled) return;
  installSha256((bytes) => {
    const digest = crypto.hash('sha256', bytes, 'buffer');
    // A view of the same bytes: callers compare and store plain arrays.
    return new Uint8Array(digest.buffer, digest.byteOffset, digest.byteLength);
  });
  isInstalled = true;
}
