import { createHmac } from 'node:crypto';
import { utf8 } from '@worldline/canon';
import type { AdapterEnv } from '@worldline/ports';
import type { ApprovalNotifier } from './approval.ts';

/**
 * `approvals.webhook` (`host.md` §5.6): tells an address about every pending approval.
 *
 * N1  At least once: what a process could not deliver is announced by the next one, since every process announces what
 *     it finds pending. Nothing is kept on disk, and a receiver knows a repeat by its intent hash.
 * N2  Nothing that goes wrong here reaches an effect: no outcome depends on it, and no request waits for it.
 */
export interface ApprovalWebhookOptions {
  readonly url: string;
  /** Key of the signature; undefined while it cannot be found. */
  readonly secret: () => Promise<string | undefined>;
  /** The body for a request; undefined when it is no longer pending. */
  readonly describe: (intentHash: string) => Promise<string | undefined>;
}

export const SIGNATURE_HEADER = 'x-worldline-signature';

const CONCURRENT = 4;
const ATTEMPT_MS = 10_000;
/** How long the end of a process waits for what was never tried. A lease lasts longer. */
const STOP_MS = 5_000;
const ANSWER_BYTES_MAX = 1024 * 1024;
const PAUSE_FIRST_MS = 1_000;
const PAUSE_MAX_MS = 60_000;

/** `sha256=` and the HMAC-SHA256 of the body in hex. */
export function webhookSignature(secret: string, body: Uint8Array): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

export class ApprovalWebhook implements ApprovalNotifier {
  readonly #options: ApprovalWebhookOptions;
  readonly #host: string;
  #env: AdapterEnv | undefined;
  /** Never tried by this process, in order. Each is tried at once, whatever became of others. */
  readonly #fresh = new Set<string>();
  /** Tried in vain, the longest ago first; they wait for the pause to be over. */
  readonly #failed = new Set<string>();
  readonly #sending = new Set<string>();
  readonly #stop = new AbortController();
  #isStopping = false;
  #idle: (() => void) | undefined;
  /** In a row; a delivery ends the row. */
  #failures = 0;
  /** Why the last attempt that failed did. */
  #why = 'there was no time';
  #endPause: (() => void) | undefined;

  constructor(options: ApprovalWebhookOptions) {
    this.#options = options;
    this.#host = new URL(options.url).hostname;
  }

  async start(env: AdapterEnv): Promise<void> {
    this.#env = env;
  }

  requested(intentHash: string): void {
    if (this.#isStopping) return;
    this.#failed.delete(intentHash);
    this.#fresh.add(intentHash);
    this.#pump();
  }

  over(intentHash: string): void {
    this.#fresh.delete(intentHash);
    this.#failed.delete(intentHash);
  }

  /** Lets what was never tried be tried, for a while. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#endPause?.();
    const limit = setTimeout(() => {
      // What is under way is cut off, and nothing new begins.
      for (const intentHash of this.#fresh) this.#failed.add(intentHash);
      this.#fresh.clear();
      this.#stop.abort();
    }, STOP_MS);
    if (this.#fresh.size + this.#sending.size > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    clearTimeout(limit);
    if (this.#failed.size > 0)
      this.#env?.log.warn('approvals were not announced; the next start announces them', {
        webhook: this.#host,
        approvals: this.#failed.size,
        reason: this.#why,
      });
  }

  #pump(): void {
    while (this.#sending.size < CONCURRENT) {
      const next = this.#next();
      if (next === undefined) break;
      this.#sending.add(next);
      this.#announce(next).then((why) => this.#done(next, why));
    }
    if (this.#sending.size === 0 && this.#fresh.size === 0) this.#idle?.();
  }

  #next(): string | undefined {
    const mayRepeat = this.#endPause === undefined && !this.#isStopping;
    for (const from of mayRepeat ? [this.#fresh, this.#failed] : [this.#fresh]) {
      for (const intentHash of from) {
        from.delete(intentHash);
        return intentHash;
      }
    }
    return undefined;
  }

  /** @returns why it was not delivered; undefined when it was, or needs no more. */
  async #announce(intentHash: string): Promise<string | undefined> {
    try {
      const secret = await this.#options.secret();
      if (secret === undefined) return 'its secret is not there';
      const text = await this.#options.describe(intentHash);
      if (text === undefined) return undefined;
      const body = utf8(text);
      const answer = await this.#env!.http.request({
        method: 'POST',
        url: this.#options.url,
        headers: { 'content-type': 'application/json', [SIGNATURE_HEADER]: webhookSignature(secret, body) },
        body,
        signal: AbortSignal.any([AbortSignal.timeout(ATTEMPT_MS), this.#stop.signal]),
        maxBodyBytes: ANSWER_BYTES_MAX,
        grantedHosts: [this.#host],
      });
      if (!answer.ok) return `${answer.failure.code}: ${answer.failure.message}`;
      const { status } = answer.value;
      return status >= 200 && status < 300 ? undefined : `it answers ${status}`;
    } catch (error) {
      return String(error);
    }
  }

  #done(intentHash: string, why: string | undefined): void {
    this.#sending.delete(intentHash);
    if (why === undefined) {
      this.#failures = 0;
      this.#endPause?.();
    } else {
      this.#failed.add(intentHash);
      this.#why = why;
      this.#pause();
    }
    this.#pump();
  }

  #pause(): void {
    // One pause for all that fail together.
    if (this.#endPause !== undefined || this.#isStopping) return;
    const { clock, log } = this.#env!;
    if (this.#failures === 0)
      log.warn('an approval could not be announced; it is tried again', { webhook: this.#host, reason: this.#why });
    const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** this.#failures++);
    const cancel = clock.setTimer(clock.monoNs() + BigInt(pauseMs) * 1_000_000n, () => {
      this.#endPause = undefined;
      this.#pump();
    });
    this.#endPause = () => {
      cancel();
      this.#endPause = undefined;
    };
  }
}
