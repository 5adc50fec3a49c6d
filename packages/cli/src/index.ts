export type { Composition } from './context.ts';
export { EXIT, type ExitCode, exitCode } from './exit-code.ts';
export { main } from './worldline-program.ts';
