import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { ok } from '@worldline/canon';
import { type Answer, refuse } from './failure.ts';

/** Where the host keeps a standalone world (`host.md` §1). */
export interface WorldFolder {
  readonly root: string;
  /** `.worldline`, made with mode 0700. */
  readonly dir: string;
  readonly config: string;
  readonly identity: string;
  readonly lock: string;
  readonly keys: string;
  readonly secrets: string;
}

export function worldFolder(root: string): WorldFolder {
  const dir = join(root, '.worldline');
  return {
    root,
    dir,
    config: join(root, 'worldline.host.json'),
    identity: join(dir, 'world.json'),
    lock: join(dir, 'lock'),
    keys: join(dir, 'keys'),
    secrets: join(dir, 'secrets'),
  };
}

export interface WorldIdentity {
  readonly world_id: string;
  readonly universe_id: string;
  /** RFC 3339. */
  readonly created_at: string;
}

/** @returns undefined when the folder holds no world yet; `host_error` when its file is damaged. */
export async function readIdentity(folder: WorldFolder): Promise<Answer<WorldIdentity | undefined>> {
  let text: string;
  try {
    text = await readFile(folder.identity, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ok(undefined);
    throw error;
  }
  try {
    const identity = JSON.parse(text) as Partial<WorldIdentity> | null;
    if (typeof identity?.world_id === 'string' && typeof identity.universe_id === 'string')
      return ok(identity as WorldIdentity);
  } catch {
    // Reported below, with the other ways a file can be damaged.
  }
  return refuse('host_error', 'world.json is damaged', {
    hint: 'It must hold { world_id, universe_id, created_at }; the store knows the ids.',
  });
}

/** Written once, after the world was created in the store. */
export async function writeIdentity(folder: WorldFolder, identity: WorldIdentity): Promise<void> {
  await mkdir(folder.dir, { recursive: true, mode: 0o700 });
  const temporary = `${folder.identity}.${process.pid}`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(identity, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, folder.identity);
}
