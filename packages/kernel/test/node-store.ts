import { sha256, toHex } from '@worldline/canon';

/** Nodes by hash, and how many were put and read: what an index costs. */
export class NodeStore {
  readonly nodes = new Map<string, Uint8Array>();
  puts = 0;
  gets = 0;

  readonly put = (bytes: Uint8Array): Uint8Array => {
    const hash = sha256(bytes);
    this.nodes.set(toHex(hash), bytes);
    this.puts++;
    return hash;
  };

  readonly get = (hash: Uint8Array): Uint8Array | undefined => {
    this.gets++;
    return this.nodes.get(toHex(hash));
  };
}
