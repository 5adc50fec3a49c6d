export { checkSqliteStore, type StoreCheck } from './check.ts';
export { openSqliteStore, type SqliteStoreOptions } from './sqlite-store.ts';
