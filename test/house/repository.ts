import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * A copy of the sources and of the house's own configuration in a temporary folder, outside the working tree, so that a
 * test may plant a fault without anybody else seeing it. Installed packages are shared through links; the workspace
 * packages are linked to the copies.
 */
export class RepositoryCopy {
  readonly root: string;

  constructor() {
    this.root = mkdtempSync(join(tmpdir(), 'worldline-house-'));
    const kept = [
      'biome.json',
      '.dependency-cruiser.mjs',
      '.gitignore',
      'package.json',
      'package-lock.json',
      '.node-version',
    ];
    for (const name of [...kept, 'tsconfig.base.json', 'tsconfig.json', 'tools'])
      cpSync(join(ROOT, name), join(this.root, name), { recursive: true });
    for (const name of readdirSync(join(ROOT, 'packages'))) {
      const from = join(ROOT, 'packages', name);
      if (!existsSync(join(from, 'package.json'))) continue;
      const to = join(this.root, 'packages', name);
      mkdirSync(to, { recursive: true });
      for (const part of ['package.json', 'tsconfig.json', 'src', 'node_modules']) {
        if (existsSync(join(from, part)))
          cpSync(join(from, part), join(to, part), { recursive: true, verbatimSymlinks: true });
      }
    }
    // `order` cruises packages and test; the copy needs no tests of its own.
    mkdirSync(join(this.root, 'test'));
    writeFileSync(join(this.root, 'test', 'nothing.ts'), 'export {};\n');
    const modules = join(this.root, 'node_modules');
    mkdirSync(join(modules, '@worldline'), { recursive: true });
    for (const name of readdirSync(join(ROOT, 'node_modules'))) {
      if (name !== '@worldline' && name !== 'worldline')
        symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
    }
    for (const name of readdirSync(join(ROOT, 'node_modules', '@worldline'))) {
      symlinkSync(join('..', '..', 'packages', name), join(modules, '@worldline', name));
    }
  }

  write(path: string, text: string): void {
    const target = join(this.root, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }

  remove(path: string): void {
    rmSync(join(this.root, path), { recursive: true });
  }

  /** Run one part of `tools/check.mjs`, the very program `.ci/run` runs, in the copy. */
  check(part: string): { readonly passed: boolean; readonly output: string } {
    const result = spawnSync(process.execPath, [join(this.root, 'tools', 'check.mjs'), part], {
      cwd: this.root,
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
    });
    return { passed: result.status === 0, output: result.stdout + result.stderr };
  }

  close(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
