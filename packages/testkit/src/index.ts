export { type FailpointRule, failpointModule, failpoints } from './failpoints.ts';
export {
  type FaultyStore,
  faultyStore,
  type SeededTrouble,
  STORE_TROUBLES,
  type StoreTrouble,
  seededTrouble,
  type TroublePlan,
} from './faulty-store.ts';
export { KernelWorld } from './kernel-world.ts';
export { type MemoryStore, type MemoryStoreOptions, memoryStore, type StoreFault } from './memory-store.ts';
export {
  type MakeStore,
  type StoreCase,
  type StoreHarness,
  type StoreHarnessOptions,
  StoreTest,
} from './store-case.ts';
export { type BatchStep, runStoreScript, type StoreStep, storeScript } from './store-comparison.ts';
export { STORE_CASES, storeConformance, type TestFramework } from './store-conformance.ts';
export { storeUnderTrouble, type TroubleOptions } from './store-trouble.ts';
export { VirtualClock, type VirtualClockStart } from './virtual-clock.ts';
