import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unwrap } from '@worldline/canon';
import type { Store } from '@worldline/ports';
import { openSqliteStore } from '@worldline/store-sqlite';
import type { DaemonSettings } from './daemon-child.ts';
import { Child } from './lab.ts';
import { worldNodes } from './nodes.ts';

const WORLDLINE = fileURLToPath(new URL('../../packages/cli/bin/worldline.js', import.meta.url));
const DAEMON = fileURLToPath(new URL('./daemon-child.ts', import.meta.url));

/** A world folder as a user has it, and the commands run in it. */
export class Folder {
  readonly root: string;
  readonly #children: Child[] = [];

  constructor(root = mkdtempSync(join(tmpdir(), 'worldline-folder-'))) {
    this.root = root;
    mkdirSync(join(root, 'air'), { recursive: true });
    writeFileSync(join(root, 'air', 'world.air.json'), JSON.stringify(worldNodes()));
    writeFileSync(join(root, 'worldline.json'), '{ "version": 1 }');
    writeFileSync(
      join(root, 'worldline.host.json'),
      JSON.stringify({ http: { allow_private: ['127.0.0.1'] }, snapshot: { every_entries: 60 } }),
    );
  }

  /** The command as it is built. */
  run(...argv: string[]): Child {
    return this.#started(new Child([WORLDLINE, '--world', this.root, ...argv]));
  }

  /** The same program inside another one that sets its times and failpoints. */
  compose(settings: DaemonSettings, ...argv: string[]): Child {
    const own = ['--disable-warning=ExperimentalWarning', DAEMON, JSON.stringify(settings)];
    return this.#started(new Child([...own, '--world', this.root, ...argv]));
  }

  #started(child: Child): Child {
    this.#children.push(child);
    return child;
  }

  get worldId(): string {
    const identity = JSON.parse(readFileSync(this.path('world.json'), 'utf8')) as { readonly world_id: string };
    return identity.world_id;
  }

  /** In `.worldline`. */
  path(...names: string[]): string {
    return join(this.root, '.worldline', ...names);
  }

  get store(): string {
    return this.path('store');
  }

  async open(readOnly = false): Promise<Store> {
    return unwrap(await openSqliteStore(this.store, { readOnly }));
  }

  async look<T>(use: (store: Store, worldId: string) => Promise<T>): Promise<T> {
    const store = await this.open(true);
    try {
      return await use(store, this.worldId);
    } finally {
      await store.close();
    }
  }

  async remove(): Promise<void> {
    for (const child of this.#children) {
      // A stopped process does not die of anything else.
      child.kill('SIGKILL');
      await child.gone;
    }
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Whether a daemon said that it runs. */
export const isRunning = (child: Child) => /\brunning\b/.test(child.log);
