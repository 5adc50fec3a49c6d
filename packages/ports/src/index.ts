export type * from './adapter.ts';
export type * from './clock.ts';
export type * from './fabric.ts';
export type * from './failpoint.ts';
export { FAILPOINTS } from './failpoint.ts';
export type * from './store.ts';
