export { deniedRange, embeddedV4, inCidr, parseAddress, parseCidr, type AddressBytes, type Cidr } from './address.ts';
export { approvalAdapter, type ApprovalAdapterOptions } from './approval.ts';
export { blobGetAdapter, blobPutAdapter, type BlobAdapterOptions } from './blob.ts';
export { createGuardedHttp, guardedHttp, type GuardedHttpOptions } from './guarded-http.ts';
export { headerAllowed, requestHeaders, responseHeaders } from './header.ts';
export { HTTP_ADAPTER_ID, httpAdapter, type HttpAdapterOptions, type HttpCredential } from './http.ts';
export { timerAdapter } from './timer.ts';
export { guardUrl, readExceptions, vetAddresses, type GuardedUrl, type PrivateExceptions, type Resolver } from './url-guard.ts';
