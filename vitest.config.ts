import { defineConfig } from 'vitest/config';

// Unit tests run against the sources (condition "worldline-source"); tests that start the command use the build.
export default defineConfig({
  resolve: { conditions: ['worldline-source', 'node', 'import', 'default'] },
  ssr: { resolve: { conditions: ['worldline-source', 'node', 'import', 'default'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    // Most tests wait for commands they have started; files share nothing that they write.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
