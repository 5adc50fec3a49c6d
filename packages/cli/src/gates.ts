/** The conformance gates for tests of a world: `runGates(await loadGateWorld(folder))`. */
export {
  GATE_NAMES,
  type GateConfig,
  type GateName,
  type GateOptions,
  type GateReport,
  type GateWorld,
  runGates,
  type SuiteReport,
} from '@worldline/testkit/gates';
export { loadGateWorld } from './gate-world.ts';
