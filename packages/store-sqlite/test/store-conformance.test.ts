import { storeConformance } from '@worldline/testkit';
import { describe, test } from 'vitest';
import { makeSqliteStore } from './harness.ts';

storeConformance('SQLite store', makeSqliteStore, { describe, test });
