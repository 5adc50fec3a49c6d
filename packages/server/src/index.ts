export { defaultAddress, SOCKET_PATH_BYTES_MAX } from './address.ts';
export { type ControlServer, type ControlServerOptions, startControlServer } from './control-server.ts';
export { type DaemonInfo, readDaemonFile } from './daemon-file.ts';
export { effectJson, settledJson } from './effects.ts';
export { ApiServer, type ApiServerOptions, LIMITS } from './http-server.ts';
export { httpStatus } from './http-status.ts';
export type { ApiRequest, Identity } from './request.ts';
export type { Endpoint, Reply } from './router.ts';
