import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, type Stats, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import type { Context } from '../context.ts';
import { namesSchemas, SETTINGS, schemaMappings, schemasOfWorld, vscodeSettings } from '../editor/vscode.ts';
import { CommandError, stop } from '../failure.ts';
import { isFolder, makeFolder } from '../folder.ts';
import { packageFile } from '../package-file.ts';
import { didYouMean } from '../suggest.ts';
import { readSyncFile } from '../sync-file.ts';

export interface InitFlags {
  readonly template: string;
  readonly force?: boolean;
  /** Only what editors need. */
  readonly editor?: boolean;
  readonly fresh?: boolean;
  readonly yes?: boolean;
}

const TEMPLATES = ['minimal', 'http'];
const LATER = ['counter', 'agent'];

/** `worldline init [path]` (`host.md` §12.2): a world folder from a template. */
export async function init(ctx: Context, path: string | undefined, flags: InitFlags): Promise<void> {
  const { template } = flags;
  if (LATER.includes(template))
    stop('unsupported', `not supported yet: template "${template}"`, { hint: `use one of: ${TEMPLATES.join(', ')}` });
  if (!TEMPLATES.includes(template))
    stop('invalid_request', `there is no template "${template}"`, { hint: didYouMean(template, TEMPLATES) });
  const given = path ?? ctx.flags.world ?? '.';
  const root = resolve(ctx.cwd, given);
  if (flags.editor === true && !isFolder(root))
    stop('not_found', `there is no folder ${given}`, { hint: 'make a world with "worldline init"' });
  const airDir = airDirOf(root);
  const source = fileURLToPath(packageFile(`templates/${template}/`));
  const plan: PlannedFile[] = [
    ...(flags.editor === true ? [] : filesBelow(source)).map((file) => {
      // npm packs no file of this name, so templates keep it without the dot.
      const name = file === 'gitignore' ? '.gitignore' : file;
      const kind = flags.force === true ? ('replaced' as const) : ('kept' as const);
      return { name, target: join(root, name), kind, content: () => readFileSync(join(source, file)) };
    }),
    // Settings are the author's once they are there; schemas are generated, so the newest are the right ones.
    ...[
      { ...vscodeSettings(airDir), kind: 'kept' as const },
      ...schemasOfWorld().map((file) => ({ ...file, kind: 'replaced' as const })),
    ].map(({ name, text, kind }) => ({ name, target: join(root, name), kind, content: () => Buffer.from(text) })),
  ];
  // Everything that can go wrong is looked at before anything is written.
  refuseObstacles(root, given, plan);
  if (flags.fresh === true) await forget(ctx, root, flags.yes === true);

  const files = plan.map(({ name, target, kind, content }) => {
    const present = existsSync(target);
    if (present && kind === 'kept') return { path: name, status: 'skipped' };
    try {
      const bytes = content();
      if (present && readFileSync(target).equals(bytes)) return { path: name, status: 'skipped' };
      makeFolder(dirname(target));
      writeFileSync(target, bytes);
    } catch (error) {
      stop('host_error', `${name} cannot be written: ${(error as Error).message}`, {
        hint: 'check the folder’s permissions',
      });
    }
    return { path: name, status: present ? 'overwritten' : 'created' };
  });
  const missing = namesSchemas(textAt(join(root, SETTINGS))) ? undefined : schemaMappings(airDir);
  const where = relative(ctx.cwd, root);
  const start = where === '' ? 'worldline' : `worldline --world ${where.startsWith('..') ? root : where}`;
  const human = [
    ...files.map((file) => `${file.status.padEnd(11)} ${file.path}`),
    ...(missing === undefined
      ? []
      : [
          '',
          `${SETTINGS} is yours and was left alone; for completion add to it:`,
          `"json.schemas": ${JSON.stringify(missing, null, 2)}`,
        ]),
    ...(flags.editor === true
      ? []
      : [
          '',
          'next:',
          `  ${start} check              # find mistakes before a run`,
          `  ${start} run                # run the world until Ctrl-C`,
        ]),
  ];
  ctx.out.answer(human, {
    world: root,
    files,
    ...(missing === undefined ? {} : { add_to_settings: { 'json.schemas': missing } }),
  });
}

interface PlannedFile {
  readonly name: string;
  readonly target: string;
  /** What happens when it is there already. */
  readonly kind: 'kept' | 'replaced';
  readonly content: () => Buffer;
}

function textAt(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The folder of definitions, relative to the world. A `worldline.json` that is broken says nothing about it. */
function airDirOf(root: string): string {
  try {
    return relative(root, readSyncFile(root).airDir).split(sep).join('/') || '.';
  } catch (error) {
    if (error instanceof CommandError) return 'air';
    throw error;
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

function refuseObstacles(
  root: string,
  given: string,
  plan: readonly { readonly name: string; readonly target: string }[],
): void {
  for (let folder = root; ; folder = dirname(folder)) {
    if (entryAt(folder) !== undefined) {
      if (!isFolder(folder)) {
        stop(
          'invalid_request',
          folder === root ? `${given} is not a folder` : `${folder} is not a folder, so ${given} cannot be made`,
          {
            hint: 'name another folder',
          },
        );
      }
      break;
    }
    if (folder === dirname(folder)) break;
  }
  for (const { name, target } of plan) {
    const stat = entryAt(target);
    if (stat !== undefined && !stat.isFile())
      stop('invalid_request', `${name} exists and is not a file`, { hint: 'move it away first' });
    const parent = entryAt(dirname(target));
    if (parent !== undefined && !parent.isDirectory())
      stop('invalid_request', `${relative(root, dirname(target))} exists and is not a folder`, {
        hint: 'move it away first',
      });
  }
}

/** What stands at a path; below a file there is nothing. */
function entryAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** `--fresh`: deletes the world's state, after its name was typed. */
async function forget(ctx: Context, root: string, yes: boolean): Promise<void> {
  const { inspectLock, worldFolder } = await import('@worldline/host');
  const folder = worldFolder(root);
  if (!existsSync(folder.dir)) return;
  const lock = await inspectLock(folder.lock);
  if (lock.state === 'alive') {
    stop('world.locked', `process ${lock.lock.pid} is running this world`, { hint: 'stop it first' });
  }
  if (!yes) {
    const name = basename(root);
    if (process.stdin.isTTY !== true || ctx.out.json)
      stop('invalid_request', '--fresh deletes the journal and all state of this world', {
        hint: 'confirm with --yes',
      });
    const prompt = createInterface({ input: process.stdin, output: process.stderr });
    const typed = await prompt.question(
      `This deletes the journal and all state of "${name}". Type its name to go on: `,
      { signal: ctx.interrupted },
    );
    prompt.close();
    if (typed.trim() !== name) stop('invalid_request', 'that is not the name of this world; nothing was deleted');
  }
  rmSync(folder.dir, { recursive: true });
  ctx.out.notice(`deleted ${relative(ctx.cwd, folder.dir)}`);
}
