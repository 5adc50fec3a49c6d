import type { Command } from 'commander';
import { examples, group, type Run } from './form.ts';

/** Commands on stored bytes, which values name by their hash. */
export function blobCommands(root: Command, run: Run): void {
  const blob = group(root, 'blob', 'bytes by their hash');
  blob
    .command('put')
    .summary('store bytes')
    .description('Stores bytes and prints their hash, which plans pass on as a reference.')
    .argument('<source>', '@file or @-')
    .addHelpText('after', examples('blob put @notes.json', 'blob put @- < notes.json'))
    .action(async (source: string) => run(async (ctx) => (await import('../command/blob.ts')).putBlob(ctx, source)));
  blob
    .command('get')
    .summary('fetch bytes')
    .description('Fetches the bytes of a hash. Without --out or --raw only the size is printed.')
    .argument('<hash>', 'sha256:…')
    .option('--out <file>', 'write the bytes to this file')
    .option('--raw', 'write the bytes to standard output')
    .addHelpText('after', examples('blob get sha256:3f2a… --out notes.json', 'blob get sha256:3f2a… --raw'))
    .action(async (hash: string, flags) =>
      run(async (ctx) => (await import('../command/blob.ts')).getBlob(ctx, hash, flags)),
    );
  blob
    .command('stat')
    .summary('size of stored bytes')
    .description('Tells whether bytes with this hash are stored, and their size.')
    .argument('<hash>', 'sha256:…')
    .addHelpText('after', examples('blob stat sha256:3f2a…'))
    .action(async (hash: string) => run(async (ctx) => (await import('../command/blob.ts')).statBlob(ctx, hash)));
}
