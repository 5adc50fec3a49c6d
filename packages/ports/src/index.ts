export type * from './adapter.ts';
export type * from './clock.ts';
export type * from './store.ts';
