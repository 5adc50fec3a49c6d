import { utf8 } from '@worldline/canon';
import type { AdapterEnv, EffectAdapter, EffectOutcome, EffectRequest } from '@worldline/ports';

/**
 * Effect `approval.request` (`host.md` §5.6). A pending approval is the pending emission itself: it is listed from
 * kernel state and decided through the host, so this adapter keeps only what it needs to count.
 */
export interface ApprovalAdapterOptions {
  /** `approvals.max_pending`, default 10 000. */
  readonly maxPending?: number | undefined;
  /** Told of every request once per process, before it can be decided. */
  readonly notifier?: ApprovalNotifier | undefined;
}

/** Who tells people. Nothing it does reaches an effect. */
export interface ApprovalNotifier {
  start(env: AdapterEnv): Promise<void>;
  /** It is pending: asked now, or found at the start. */
  requested(intentHash: string): void;
  /** It is decided, or withdrawn. */
  over(intentHash: string): void;
  stop(): Promise<void>;
}

const MAX_SUBJECT_BYTES = 512;

export function approvalAdapter(options: ApprovalAdapterOptions = {}): EffectAdapter {
  const { maxPending = 10_000, notifier } = options;
  const pending = new Set<string>();
  return {
    id: 'host.approval',
    kinds: ['approval.request'],
    classify: () => 'deferred',
    async start(env: AdapterEnv): Promise<void> {
      await notifier?.start(env);
    },
    async register(request: EffectRequest): Promise<EffectOutcome | undefined> {
      const { subject } = request.params as { readonly subject: string };
      const size = utf8(subject).length;
      if (size > MAX_SUBJECT_BYTES) {
        return refused(
          'approval.subject_too_long',
          `the subject has ${size} bytes, at most ${MAX_SUBJECT_BYTES} are allowed`,
        );
      }
      // What a restart brings back was admitted before and stays admitted.
      if (!request.recovered && !pending.has(request.intentHash) && pending.size >= maxPending) {
        return refused('approval.too_many', `${pending.size} approvals are pending, at most ${maxPending} are allowed`);
      }
      pending.add(request.intentHash);
      notifier?.requested(request.intentHash);
      return undefined;
    },
    async cancel(intentHash: string): Promise<void> {
      pending.delete(intentHash);
      notifier?.over(intentHash);
    },
    async stop(): Promise<void> {
      await notifier?.stop();
    },
  };
}

function refused(code: string, message: string): EffectOutcome {
  return { status: 'error', error: { code, message } };
}
