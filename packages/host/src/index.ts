export { APPROVAL_KIND, type ApprovalView, approvalView, rolesFor } from './approvals.ts';
export { answerOf, type IngressAnswer } from './batch-answer.ts';
export { systemClock } from './clock.ts';
export {
  type AdapterPlugin,
  type ApprovalRule,
  defaultHostConfig,
  type EffectsConfig,
  type Environment,
  type HostConfig,
  type HttpConfig,
  type HttpCredentialConfig,
  type RetryPolicy,
  readHostConfig,
} from './config.ts';
export { type CreatedWorld, type CreateWorldOptions, createWorld } from './create.ts';
export type { HostEvent } from './dispatcher.ts';
export { type Answer, type HostFailure, refuse } from './failure.ts';
export { readIdentity, type WorldFolder, type WorldIdentity, worldFolder, writeIdentity } from './folder.ts';
export { uuidv7 } from './ids.ts';
export { type Submission, type SubmitOptions, submitItem } from './inbox-client.ts';
export {
  decodeInboxItem,
  type EncodedItem,
  encodeInboxItem,
  type InboxEnvelope,
  type InboxIngress,
} from './inbox-item.ts';
export { collectBatches, decodeStoredBatch, readBatches } from './journal-read.ts';
export { type JournalProblem, type JournalReport, type JournalVerifyOptions, verifyJournal } from './journal-verify.ts';
export { ensureKeys, ephemeralKey, type HostKey, type WorldKeys } from './keys.ts';
export { LEASE_TIMES, type LeaseTimes } from './lease.ts';
export { inspectLock, type LockInfo, type LockState, removeLock, writeLock } from './lock.ts';
export { silentLogger } from './log.ts';
export { type AdapterFactory, loadPlugins } from './plugins.ts';
export { AdapterRegistry } from './registry.ts';
export { type ReplayDifference, type ReplayOptions, type ReplayReport, replayVerify } from './replay.ts';
export {
  type CancelRequest,
  type DecisionRequest,
  type EventRequest,
  type Given,
  type ManualReceiptRequest,
  type PlanStartRequest,
  prepareCancel,
  prepareDecision,
  prepareEvent,
  prepareManualReceipt,
  preparePlanStart,
} from './requests.ts';
export { objectSource, restoreKernel } from './restore.ts';
export { Redactor, SecretResolver } from './secrets.ts';
export { signReceipts } from './signer.ts';
export {
  type DurableBatch,
  type OpenWorldOptions,
  openWorld,
  type PlanView,
  planView,
  type Waiting,
  World,
  type WorldReport,
} from './world.ts';
