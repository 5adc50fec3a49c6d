export type * from './clock.ts';
export type * from './store.ts';
