export { type AddressBytes, type Cidr, deniedRange, embeddedV4, inCidr, parseAddress, parseCidr } from './address.ts';
export { type ApprovalAdapterOptions, type ApprovalNotifier, approvalAdapter } from './approval.ts';
export { ApprovalWebhook, type ApprovalWebhookOptions, webhookSignature } from './approval-webhook.ts';
export { type BlobAdapterOptions, blobGetAdapter, blobPutAdapter } from './blob.ts';
export { FABRIC_ADAPTER_ID, type FabricAdapterOptions, fabricAdapter, MESSAGE_BYTES_MAX } from './fabric.ts';
export { type FabricEndpoint, postMessage, urlPeer } from './fabric-post.ts';
export { createGuardedHttp, type GuardedHttpOptions, guardedHttp } from './guarded-http.ts';
export { headerAllowed, requestHeaders, responseHeaders } from './header.ts';
export { HTTP_ADAPTER_ID, type HttpAdapterOptions, type HttpCredential, httpAdapter } from './http.ts';
export { timerAdapter } from './timer.ts';
export {
  type GuardedUrl,
  guardUrl,
  type PrivateExceptions,
  type Resolver,
  readExceptions,
  vetAddresses,
} from './url-guard.ts';
