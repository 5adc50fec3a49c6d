import { Worker } from 'node:worker_threads';
import { StoreOpenError } from './database.ts';
import type { Writer } from './writer.ts';

/** The writer's thread as seen from the one that asks. */

export interface ThreadData {
  readonly dir: string;
  readonly inboxMax: number;
  readonly objectBytesMax: number;
}

type Operation = {
  [Name in keyof Writer]: Writer[Name] extends (...args: never[]) => unknown ? Name : never;
}[keyof Writer];

export interface Request {
  readonly id: number;
  readonly operation: Operation | 'close';
  readonly args: readonly unknown[];
}

export interface Reply {
  readonly id: number;
  readonly value?: unknown;
  /** Message of a caller's bug. */
  readonly thrown?: string | undefined;
  readonly opening?:
    | { readonly code: StoreOpenError['code'] | string; readonly message: string; readonly hint: string }
    | undefined;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const IS_SOURCE = import.meta.url.endsWith('.ts');

export class RemoteWriter {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;
  /** Why nothing can be asked any more. */
  #gone: string | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (reply: Reply) => this.#settle(reply));
    worker.on('error', (error: unknown) => this.#lose(error instanceof Error ? error.message : String(error)));
    worker.on('exit', () => this.#lose('the writer thread ended'));
  }

  /** @throws StoreOpenError when the file cannot be used. */
  static async open(data: ThreadData): Promise<RemoteWriter> {
    const url = new URL(IS_SOURCE ? './writer-thread.ts' : './writer-thread.js', import.meta.url);
    const worker = new Worker(url, { workerData: data, execArgv: IS_SOURCE ? ['--conditions=worldline-source'] : [] });
    await new Promise<void>((resolve, reject) => {
      worker.once('message', (reply: Reply) => {
        if (reply.opening === undefined) return resolve();
        const { code, message, hint } = reply.opening;
        void worker.terminate();
        reject(new StoreOpenError(code as StoreOpenError['code'], message, hint));
      });
      worker.once('error', reject);
    });
    // An idle thread must not keep a process alive; a request that waits does.
    worker.unref();
    return new RemoteWriter(worker);
  }

  call<Name extends Operation>(
    operation: Name,
    ...args: Parameters<Extract<Writer[Name], (...args: never[]) => unknown>>
  ): Promise<ReturnType<Extract<Writer[Name], (...args: never[]) => unknown>>> {
    return this.#post(operation, args) as Promise<never>;
  }

  async close(): Promise<void> {
    if (this.#gone === undefined) await this.#post('close', []).catch(() => {});
    this.#gone ??= 'the store is closed';
    await this.#worker.terminate();
  }

  #post(operation: Request['operation'], args: readonly unknown[]): Promise<unknown> {
    if (this.#gone !== undefined) return Promise.resolve({ answer: 'unavailable', message: this.#gone });
    const id = this.#next++;
    if (this.#waiting.size === 0) this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, operation, args } satisfies Request);
    });
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (reply.thrown === undefined) waiting.resolve(reply.value);
    else waiting.reject(new TypeError(reply.thrown));
  }

  /** What was asked may have happened: a commit says so, everything else may be repeated. */
  #lose(message: string): void {
    this.#gone ??= message;
    for (const { resolve } of this.#waiting.values()) resolve({ answer: 'unknown', message });
    this.#waiting.clear();
  }
}
