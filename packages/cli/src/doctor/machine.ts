import { existsSync, lstatSync, readdirSync, statfsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { WorldFolder } from '@worldline/host';
import type { Context } from '../context.ts';
import { loadDefinitions } from '../definition-files.ts';
import { type Report, sizeText } from './report.ts';

/** The machine and the folder: nothing here needs a world. */

const NODE_MIN = [22, 13] as const;
const FREE_PROBLEM = 64 * 1024 * 1024;
const FREE_WARNING = 1024 * 1024 * 1024;

/** @param version - `24.1.0` */
export function checkNode(report: Report, version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1]);
  if (isOld)
    report.problem(
      'node',
      'node.version',
      `Node ${version} is older than ${NODE_MIN.join('.')}`,
      'install a current Node',
    );
  else report.ok('node', `Node ${version}`);
}

/** `.worldline` is its owner's alone, and so is every secret in it (`host.md` §1). */
export function checkPermissions(report: Report, folder: WorldFolder): void {
  if (process.platform === 'win32') return;
  const open: string[] = [];
  if (isOpen(folder.dir)) open.push(folder.dir);
  for (const path of secretFiles(folder)) if (isOpen(path)) open.push(path);
  if (open.length === 0) {
    report.ok('permissions', 'nobody else can read what is in .worldline');
    return;
  }
  const names = open.map((path) => relative(folder.root, path));
  report.problem(
    'permissions',
    'folder.permissions',
    `others can reach ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`,
    `chmod -R go-rwx ${folder.dir}`,
  );
}

function secretFiles(folder: WorldFolder): string[] {
  const below = (dir: string) => (existsSync(dir) ? [dir, ...readdirSync(dir).map((name) => join(dir, name))] : []);
  return [
    ...below(folder.keys),
    ...below(folder.secrets),
    ...['control.sock', 'token', 'tokens.json']
      .map((name) => join(folder.dir, name))
      .filter((path) => existsSync(path)),
  ];
}

function isOpen(path: string): boolean {
  return (lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0) % 0o100 !== 0;
}

export function checkDisk(report: Report, dir: string): void {
  const { bavail, bsize } = statfsSync(dir);
  judgeDisk(report, bavail * bsize);
}

/** @param free - bytes. */
export function judgeDisk(report: Report, free: number): void {
  const text = `${sizeText(free)} free`;
  if (free < FREE_PROBLEM)
    report.problem('disk', 'disk.full', text, 'make room; a world stops cleanly when nothing can be written');
  else if (free < FREE_WARNING) report.warn('disk', 'disk.low', text, 'make room');
  else report.ok('disk', text);
}

/** Host configuration and definitions of the folder. @returns whether the configuration can be read. */
export async function checkFiles(ctx: Context, report: Report): Promise<boolean> {
  const config = await report.look('configuration', async () => await ctx.config());
  if (config === undefined) return false;
  report.ok('configuration', 'worldline.host.json can be used');
  await report.look('definitions', async () => {
    const sync = ctx.syncFile();
    const { airDir } = sync;
    if (!existsSync(airDir)) {
      report.ok('definitions', 'the folder holds none');
      return;
    }
    const { files, result } = await loadDefinitions(ctx, sync, config.world.require_policy);
    if (result.ok) report.ok('definitions', `${files.length} files without errors`);
    else
      report.problem(
        'definitions',
        'definitions.invalid',
        `${result.failure.length} errors, the first: ${result.failure[0]?.file ?? ''} ${result.failure[0]?.message ?? ''}`,
        'worldline check',
      );
  });
  return true;
}
