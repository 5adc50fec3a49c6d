export { type MemoryStore, type MemoryStoreOptions, memoryStore, type StoreFault } from './memory-store.ts';
export { VirtualClock, type VirtualClockStart } from './virtual-clock.ts';
export { KernelWorld } from './kernel-world.ts';
