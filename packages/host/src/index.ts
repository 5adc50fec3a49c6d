export {
  type ApprovalEnd,
  type ApprovalRow,
  type ApprovalView,
  approvalEnd,
  approvalJson,
  approvalView,
  endedApprovals,
  pendingApprovals,
  rolesFor,
  type TimedIntent,
} from './approval-view.ts';
export { APPROVAL_KIND } from './approvals.ts';
export { measureSnapshot, retainedBaselines, type SnapshotSize, verifyBaseline } from './baselines.ts';
export { answerOf, type IngressAnswer } from './batch-answer.ts';
export { adapterBlobs, SecretLeak } from './blobs.ts';
export { firstWorldKey, nextWorldKey, signCheckpoint, WorldKeyLine } from './checkpoint-signature.ts';
export type { CheckpointStatus } from './checkpointer.ts';
export { systemClock } from './clock.ts';
export {
  type AdapterPlugin,
  type ApprovalRule,
  defaultHostConfig,
  type EffectsConfig,
  type Environment,
  type FabricConfig,
  type HostConfig,
  type HttpConfig,
  type HttpCredentialConfig,
  type PeerConfig,
  type RetryPolicy,
  readHostConfig,
  type ServerConfig,
  type WebhookConfig,
} from './config.ts';
export { type CreatedWorld, type CreateWorldOptions, createWorld } from './create.ts';
export type { HostEvent } from './dispatcher.ts';
export { type EffectState, type EffectView, effectView, effectViews, type Progress } from './effects.ts';
export { enqueueMessage, type FabricSender, messageKey, prepareMessage } from './fabric-inbox.ts';
export { localSender } from './fabric-peers.ts';
export { type Answer, type HostFailure, refuse } from './failure.ts';
export { readIdentity, type WorldFolder, type WorldIdentity, worldFolder, writeIdentity } from './folder.ts';
export type { HostReport } from './host-watch.ts';
export { uuidv7 } from './ids.ts';
export { type Submission, type SubmitOptions, submitItem } from './inbox-client.ts';
export {
  decodeInboxItem,
  type EncodedItem,
  encodeInboxItem,
  type InboxEnvelope,
  type InboxIngress,
} from './inbox-item.ts';
export {
  batchAt,
  collectBatches,
  type DecodedBatch,
  decodeStoredBatch,
  type JournalPage,
  readBatches,
  type StampedRecord,
} from './journal-read.ts';
export {
  type JournalProblem,
  type JournalReport,
  type JournalVerifyOptions,
  type SignatureKeys,
  type SignatureReport,
  verifyJournal,
} from './journal-verify.ts';
export { ensureKeys, ephemeralKey, type HostKey, keyIdOf, readKeys, type WorldKeys } from './keys.ts';
export { LEASE_TIMES, type LeaseTimes } from './lease.ts';
export {
  inspectLock,
  isAlive,
  isDeadWorker,
  type LockInfo,
  type LockState,
  removeLock,
  workerId,
  workerPid,
  writeLock,
} from './lock.ts';
export { silentLogger } from './log.ts';
export { directApplyDisabled, type ManifestChangeRequest, prepareManifestChange } from './manifest-change.ts';
export { useNativeSha256 } from './native-hash.ts';
export { type OpenWorldOptions, openWorld } from './open.ts';
export { readOutboxRequest } from './outbox-request.ts';
export { type AdapterFactory, loadPlugins } from './plugins.ts';
export { AdapterRegistry, DISPATCHER_ID } from './registry.ts';
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
  type WorldView,
} from './requests.ts';
export { objectSource, readFailure, restoreKernel } from './restore.ts';
export { retryPauseMs } from './retry.ts';
export { Redactor, SecretResolver, type SecretSources } from './secrets.ts';
export { type Exported, type ExportOptions, exportJournal, type SegmentBatch, SegmentFile } from './segment-file.ts';
export { type SettledEffect, settledEffects } from './settled-effect.ts';
export { SIGNING_GROUP_MAX, type SignedReceipt, signReceipts, type UnsignedReceipt } from './signer.ts';
export { entropyPool } from './stamps.ts';
export type { Submitted } from './submitted.ts';
export { isReservedAdapter, ReceiptVerifier, type TrustedKey, verifyReceipt } from './verifier.ts';
export { type BatchReport, type CloseOptions, type RunBatchOptions, type Wait, World } from './world.ts';
export { type ConfigDifference, configDifferences, configJson, readConfigJson, sameConfig } from './world-config.ts';
export { missingAdapters, type Waiting, type WorldState, type WorldStatus } from './world-status.ts';
