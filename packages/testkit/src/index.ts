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
  type Authored,
  Draft,
  disagreements,
  type Expected,
  findingsOf,
  type Mutant,
  type MutantWorld,
  type MutationClass,
  mutantOf,
  type Place,
  showFinding,
} from './mutant.ts';
export { MUTATION_CLASSES } from './mutant-classes.ts';
export { faultsOf, mutantWorlds } from './mutant-worlds.ts';
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
export { changedWorldArb } from './typed-changes.ts';
export { featuresOf } from './typed-coverage.ts';
export {
  type RunOptions,
  type RunReport,
  type RunSketch,
  runSketchArb,
  runTypedWorld,
} from './typed-run.ts';
export { type TypedWorld, typedWorldArb, type WorldShape } from './typed-world.ts';
export { VirtualClock, type VirtualClockStart } from './virtual-clock.ts';
