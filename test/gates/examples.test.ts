import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadGateWorld } from 'worldline/gates';
import { ROOT } from '../house/repository.ts';
import { bothSeeds } from './both-seeds.ts';

/** The conformance gates (`plans.md` §17, `patterns.md` §7 F2–F7) over every example: it takes part by being there. */

const EXAMPLES = join(ROOT, 'examples');

/** Folders that are worlds. */
function worldFolders(folder: string, depth = 3): readonly string[] {
  if (existsSync(join(folder, 'worldline.json'))) return [folder];
  if (depth === 0) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules' && !entry.name.startsWith('.'))
    .flatMap((entry) => worldFolders(join(folder, entry.name), depth - 1));
}

const WORLDS = worldFolders(EXAMPLES).map((folder) => ({ name: relative(EXAMPLES, folder), folder }));

test('both profiles of every pack are among them, and the factory', () => {
  expect(WORLDS.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      '01-release-gate',
      '02-deadline-race-turnkey',
      '03-deadline-race-core',
      '04-approval-gate-turnkey',
      '05-approval-gate-core',
      join('06-request-response-turnkey', 'desk'),
      join('06-request-response-turnkey', 'lab'),
      join('07-request-response-core', 'desk'),
      join('07-request-response-core', 'lab'),
      join('10-factory', 'factory'),
      join('10-factory', 'requester'),
    ]),
  );
});

describe.each(WORLDS)('$name', ({ folder }) => bothSeeds(() => loadGateWorld(folder)));
