/** The conformance gates over a world folder; an entry of its own, so that the command loads nothing else of this package. */
export { TemplateError } from './gates/answers.ts';
export { FlowError, flowConfig } from './gates/flow.ts';
export {
  type FlowConfig,
  GATE_NAMES,
  GATES,
  type GateConfig,
  type GateName,
  type GateOptions,
  type GateProblem,
  type GateReport,
  type GateWorld,
  type ReceiptConfig,
  type ResponseConfig,
} from './gates/gate.ts';
export { prepareFlows } from './gates/prepare.ts';
export { runGates, type SuiteReport } from './gates/suite.ts';
