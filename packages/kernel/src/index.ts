export type {
  Applied,
  Batch,
  BatchIndex,
  EmittedRow,
  Outcome,
  ReleasedRow,
  StoredObject,
  TimerRow,
  UnseenEvent,
} from './batch.ts';
export type { RecordedBatch } from './batch-log.ts';
export { type BatchBody, decodeBatchBody, encodeBatchBody } from './body.ts';
export { nextChain, ZERO_CHAIN } from './chain.ts';
export {
  BATCHES_PER_CHECKPOINT,
  batchProof,
  type Checkpoint,
  type CheckpointData,
  checkpointMessage,
  decodeCheckpoint,
  encodeCheckpoint,
  rootOfBatch,
} from './checkpoint.ts';
export {
  decodeConfig,
  defaultConfig,
  encodeConfig,
  type FabricAccept,
  type WorldConfig,
  type WorldLimits,
} from './config.ts';
export { classOf, type Emission, type EmissionClass, timerDueNs } from './emission.ts';
export { KernelFault } from './fault.ts';
export { type CapVerdict, dueWallNs, hashIntent } from './gate.ts';
export type {
  ConfigIngress,
  EventIngress,
  GenesisIngress,
  InboxIngress,
  Ingress,
  ManifestIngress,
  PinIngress,
  PlanCancelIngress,
  PlanStartIngress,
  ReceiptData,
  ReceiptIngress,
  ReceiptVerdict,
  SnapshotIngress,
  StampProposal,
  TimerIngress,
} from './ingress.ts';
export { ingressDigest } from './ingress-digest.ts';
export { type Instance, STEP_STATE_NAMES } from './instance.ts';
export { Kernel, type KernelOptions } from './kernel.ts';
export {
  MerkleAccumulator,
  type MerkleTree,
  merkleProof,
  merkleRoot,
  merkleRootFromProof,
  merkleTree,
} from './merkle.ts';
export { type PlanFailureCode, planErrorData } from './plan-end.ts';
export { receiptDigest, receiptsMessage } from './receipt-digest.ts';
export type * from './record.ts';
export { decodeRecord } from './record-codec.ts';
export { encodeRecord } from './record-writer.ts';
export {
  type ReplayedBatch,
  Restoration,
  type RestoreBase,
  type RestoreOptions,
  replayGenesis,
  restore,
} from './restore.ts';
export {
  decodeSegmentFoot,
  decodeSegmentHead,
  encodeSegmentFoot,
  encodeSegmentHead,
  isSegmentFoot,
  SEGMENT_HEAD_BYTES_MAX,
  type SegmentFoot,
  type SegmentHead,
} from './segment.ts';
export { type SnapshotNode, snapshotNodes } from './snapshot-nodes.ts';
export type { ObjectSource } from './state.ts';
export { derivedEntropy } from './turn.ts';
export type { Wait } from './wait-index.ts';
export { decodeWorldKeys, encodeWorldKeys, keyAt, type WorldKey, worldKeyMessage } from './world-key.ts';
