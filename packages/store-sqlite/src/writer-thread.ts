import { Worker } from 'node:worker_threads';
import { type Failure, FailureError, type Result } from '@worldline/canon';
import { type CommitArguments, packCommit } from './commit-message.ts';
import type { OperationAnswer, OperationArguments, OperationName, PostedOperation } from './operations.ts';
import type { Reply, Request, WriterMessage, WriterStart } from './protocol.ts';
import { damageFailure } from './sql.ts';

export type CallAnswer<K extends OperationName> =
  | { readonly done: true; readonly answer: OperationAnswer<K> }
  | { readonly done: false; readonly isUnknown: boolean; readonly message: string };

interface Waiting {
  readonly settle: (reply: Reply) => void;
}

/** The calling side of the writer thread. The thread keeps the process alive only while it owes an answer. */
export class WriterThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  readonly #clockNs: (() => bigint) | undefined;
  #lastId = 0;
  /** Why nothing more can be written. */
  #ended: string | undefined;

  private constructor(worker: Worker, clockNs: (() => bigint) | undefined) {
    this.#worker = worker;
    this.#clockNs = clockNs;
    this.#exited = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#end('the writer thread has ended; open the store again');
        resolve();
      });
    });
    worker.on('error', (error: unknown) =>
      this.#end(`the writer thread failed: ${String(error)}; open the store again`),
    );
    worker.on('message', (message: WriterMessage) => {
      if (!('replies' in message)) return;
      for (const reply of message.replies) {
        const waiting = this.#waiting.get(reply.id);
        this.#waiting.delete(reply.id);
        waiting?.settle(reply);
      }
      // The end of a closing thread is waited for.
      if (this.#waiting.size === 0 && this.#ended === undefined) worker.unref();
    });
  }

  /** Starts the thread and waits until its connection is open. */
  static start(start: WriterStart, clockNs: (() => bigint) | undefined): Promise<Result<WriterThread>> {
    const isSource = import.meta.url.endsWith('.ts');
    const worker = new Worker(new URL(isSource ? './writer.ts' : './writer.js', import.meta.url), {
      workerData: start,
      name: 'worldline store',
      // Flags of the caller's process are not for this thread; sources resolve their packages to sources.
      execArgv: isSource
        ? ['--conditions=worldline-source', '--disable-warning=ExperimentalWarning']
        : ['--disable-warning=ExperimentalWarning'],
    });
    return new Promise((resolve, reject) => {
      const failed = (failure: Failure) => resolve({ ok: false, failure });
      worker.once('error', reject);
      worker.once('message', (message: WriterMessage) => {
        worker.off('error', reject);
        if ('failure' in message) return failed(message.failure);
        const thread = new WriterThread(worker, clockNs);
        worker.unref();
        resolve({ ok: true, value: thread });
      });
    });
  }

  /** @throws FailureError `journal.corrupt`; an error with the writer's message when the arguments are a bug of the caller. */
  call<K extends PostedOperation>(operation: K, ...args: OperationArguments<K>): Promise<CallAnswer<K>> {
    return this.#ask<K>(operation, args, NOTHING);
  }

  /** @throws as `call`. */
  commit(given: CommitArguments): Promise<CallAnswer<'commit'>> {
    const message = packCommit(given);
    return this.#ask<'commit'>('commit', [message], [message.buffer]);
  }

  #ask<K extends OperationName>(
    operation: K,
    args: readonly unknown[],
    transfer: readonly ArrayBuffer[],
  ): Promise<CallAnswer<K>> {
    if (this.#ended !== undefined) return Promise.resolve({ done: false, isUnknown: false, message: this.#ended });
    return new Promise((resolve, reject) => {
      this.#post({ operation, args }, transfer, (reply) => {
        if ('answer' in reply) resolve({ done: true, answer: reply.answer as OperationAnswer<K> });
        else if ('bug' in reply) reject(new TypeError(reply.bug));
        else if ('corrupt' in reply) reject(new FailureError(damageFailure(new Error(reply.corrupt))));
        else if ('unknown' in reply) resolve({ done: false, isUnknown: true, message: reply.unknown });
        else resolve({ done: false, isUnknown: false, message: reply.unavailable });
      });
    });
  }

  /** Everything asked for so far is finished first. */
  async close(): Promise<void> {
    if (this.#ended === undefined) {
      this.#post({ operation: 'close', args: [] }, NOTHING, () => undefined);
      this.#ended = 'the store is closed';
    }
    this.#worker.ref();
    await this.#exited;
  }

  #post(
    asked: Pick<Request, 'operation' | 'args'>,
    transfer: readonly ArrayBuffer[],
    settle: (reply: Reply) => void,
  ): void {
    const request: Request = { id: ++this.#lastId, ...asked, nowNs: this.#clockNs?.() };
    if (this.#waiting.size === 0) this.#worker.ref();
    this.#waiting.set(request.id, { settle });
    this.#worker.postMessage(request, transfer);
  }

  #end(message: string): void {
    this.#ended ??= message;
    for (const [id, { settle }] of this.#waiting) settle({ id, unknown: message });
    this.#waiting.clear();
  }
}

const NOTHING: readonly never[] = [];
