export { defaultAddress, SOCKET_PATH_BYTES_MAX } from './address.ts';
export { type ControlServer, type ControlServerOptions, startControlServer } from './control-server.ts';
export { type DaemonInfo, readDaemonFile } from './daemon-file.ts';
export { effectJson, settledJson } from './effects.ts';
export type { StreamLimits } from './event-stream.ts';
export {
  type AtHead,
  findEvents,
  findTraceRoot,
  type JournalSource,
  readTrace,
  traceBatch,
} from './event-trace.ts';
export { ApiServer, type ApiServerOptions, LIMITS } from './http-server.ts';
export { httpStatus } from './http-status.ts';
export type { ApiRequest, Identity } from './request.ts';
export type { Endpoint, Reply, StreamReply } from './router.ts';
export { SCOPES, type Scope } from './scope.ts';
export { createToken, type NamedToken, readTokens, revokeToken } from './tokens.ts';
