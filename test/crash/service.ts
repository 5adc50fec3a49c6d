import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Seen {
  /** Requests for this job. */
  calls: number;
  /** Idempotency keys they carried. */
  readonly keys: Set<string>;
}

/** The outside world: counts what reaches it, for longer than any process under test lives. */
export class Service {
  readonly #server: Server;
  readonly #seen = new Map<string, Seen>();
  /** Milliseconds before it answers; a job called `big…` gets more than a row holds. */
  delayMs = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      const id = request.url!.slice(1);
      const seen = this.#seen.get(id) ?? { calls: 0, keys: new Set() };
      this.#seen.set(id, seen);
      seen.calls++;
      const key = request.headers['idempotency-key'];
      if (typeof key === 'string') seen.keys.add(key);
      request.resume();
      setTimeout(() => response.end(id.startsWith('big') ? 'x'.repeat(20_000) : 'done'), this.delayMs);
    });
  }

  static async start(): Promise<Service> {
    const service = new Service();
    await new Promise<void>((listening) => service.#server.listen(0, '127.0.0.1', listening));
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  forget(): void {
    this.#seen.clear();
  }

  calls(id: string): number {
    return this.#seen.get(id)?.calls ?? 0;
  }

  keys(id: string): number {
    return this.#seen.get(id)?.keys.size ?? 0;
  }

  async stop(): Promise<void> {
    await new Promise((closed) => {
      this.#server.closeAllConnections();
      this.#server.close(closed);
    });
  }
}
