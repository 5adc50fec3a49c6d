/** Event schemas that only the kernel and the fabric produce (`kernel.md` §3.1 row 3). */
export const RESERVED_SCHEMAS: ReadonlySet<string> = new Set([
  'sys/TimerFired@1',
  'sys/BlobPutResult@1',
  'sys/BlobGetResult@1',
  'sys/FabricMessage@1',
]);
