import { LAST_NS } from './schema.ts';

export function clampNs(ns: bigint): bigint {
  return ns > LAST_NS ? LAST_NS : ns;
}

export function laterNs(ns: bigint, ms: number): bigint {
  return clampNs(ns + BigInt(Math.round(ms)) * 1_000_000n);
}
