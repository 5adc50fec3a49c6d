import type { Command } from 'commander';
import { examples, group, type Run, repeated } from './form.ts';

/** Commands on definitions: those of the folder and those of the world, and how one becomes the other. */

/** Between folder and world. */
export function definitionCommands(root: Command, run: Run): void {
  root
    .command('push')
    .summary("make the folder's definitions those of the world")
    .description(
      'Checks the definitions of the folder and makes them those of the world. Runs under way end as begun; what starts afterwards is new. Authority is live: grants and policy hold for everybody at once. Without a world yet, makes it.',
    )
    .option('--map <file>', 'sync file (default: worldline.json of the world)')
    .option('--dry-run', 'show what would change, and write nothing')
    .option('--prune-defs', 'remove definitions that only the world has')
    .option('--add-refs', 'list what listed definitions need of imports, and say what was added')
    .addHelpText('after', examples('push --dry-run', 'push', 'push --add-refs', 'push --prune-defs --json'))
    .action(async (flags) => run(async (ctx) => (await import('../command/push.ts')).push(ctx, flags)));

  root
    .command('pull')
    .summary("make the world's definitions those of the folder")
    .description(
      'Writes the definitions of the world into the folder. What is the same stays as it was written, comments included. Changes that were never pushed are not overwritten.',
    )
    .option('--map <file>', 'sync file (default: worldline.json of the world)')
    .option('--dry-run', 'list the files that would change, and write nothing')
    .option('--prune', 'remove definitions that only the folder has')
    .option('--with-imports', 'write definitions that imports have as well')
    .option('--check-clean', 'write nothing; exit 7 when folder and world differ')
    .option('--force', 'overwrite changes that were never pushed')
    .addHelpText('after', examples('pull --dry-run', 'pull', 'pull --check-clean --prune'))
    .action(async (flags) => run(async (ctx) => (await import('../command/pull.ts')).pull(ctx, flags)));

  const sync = group(root, 'sync', 'worldline.json and what it imports');
  sync
    .command('lock')
    .summary('accept the imports as they are now')
    .description(
      'Writes into worldline.json what each import holds, so that a change of it is noticed: a warning here, an error in CI (CI or WORLDLINE_IMPORT_LOCK_STRICT set). Nothing else in the file changes.',
    )
    .option('--map <file>', 'sync file (default: worldline.json of the world)')
    .option('--check', 'write nothing; exit 7 when a lock is missing or different')
    .option('--update <package|path>', 'this import only')
    .addHelpText('after', examples('sync lock', 'sync lock --check', 'sync lock --update @acme/agent-defs'))
    .action(async (flags) => run(async (ctx) => (await import('../command/sync-lock.ts')).syncLock(ctx, flags)));

  const manifest = group(root, 'manifest', 'what the world lists, grants and routes');
  manifest
    .command('get')
    .summary('show the manifest')
    .description('Shows the canonical manifest of the world, now or at a height of its journal.')
    .option('--consistency <c>', 'head, at_least:<height> or exact:<height>', 'head')
    .option('--raw', 'write the canonical bytes to standard output')
    .addHelpText('after', examples('manifest get', 'manifest get --consistency exact:17 --json'))
    .action(async (flags) => run(async (ctx) => (await import('../command/manifest.ts')).getManifest(ctx, flags)));
}

/** Those that the world has, one by one. */
export function defsCommands(root: Command, run: Run): void {
  const defs = group(root, 'defs', 'definitions of the live manifest');
  defs
    .command('ls')
    .summary('list definitions')
    .description('Lists the definitions of the live manifest by name.')
    .option(
      '--kind <kind>',
      'only this kind: schema, plan, effect, cap, policy, module, secret (repeatable)',
      repeated,
      [],
    )
    .option('--prefix <text>', 'only names that begin so')
    .addHelpText('after', examples('defs ls', 'defs ls --kind plan --kind schema --prefix hello/'))
    .action(async (flags) => run(async (ctx) => (await import('../command/defs.ts')).listDefs(ctx, flags)));
  defs
    .command('get')
    .summary('show one definition')
    .description('Shows the canonical node of one definition.')
    .argument('<name>', 'name, demo/greet@1')
    .option('--kind <kind>', 'when several kinds have a definition of this name', repeated, [])
    .addHelpText('after', examples('defs get hello/greet@1', 'defs get sys/http.request@1 --kind effect'))
    .action(async (name: string, flags) =>
      run(async (ctx) => (await import('../command/defs.ts')).getDef(ctx, name, flags)),
    );
}
