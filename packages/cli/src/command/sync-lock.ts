import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { shown } from '../air-folder.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { stop } from '../failure.ts';
import { type LockState, lockOf, lockState } from '../import-lock.ts';
import { type ResolvedImport, readImports } from '../imports.ts';
import { counted, type Data, printable } from '../output.ts';
import { didYouMean } from '../suggest.ts';
import { withLocks } from '../sync-file-edit.ts';

export interface SyncLockFlags {
  readonly map?: string;
  readonly check?: boolean;
  readonly update?: string;
}

/** `worldline sync lock` (`packs.md` §2.5): what the imports are now becomes what they are to be. */
export async function syncLock(ctx: Context, flags: SyncLockFlags): Promise<void> {
  const sync = ctx.syncFile(flags.map);
  if (flags.check === true && flags.update !== undefined)
    stop('invalid_request', '--check writes nothing, so --update has no meaning', { hint: 'give one of them' });
  const all = await readImports(sync, ctx.root);
  const found = flags.update === undefined ? all : all.filter((one) => isCalled(one, flags.update!));
  if (flags.update !== undefined && found.length === 0) {
    stop('not_found', `no import is called "${flags.update}"`, { hint: didYouMean(flags.update, all.map(nameOf)) });
  }
  const states = found.map((one) => ({ one, state: lockState(one) }));
  const stale = states.filter(({ state }) => state !== 'same');
  const data = {
    ...(sync.path === undefined ? {} : { map: shown(sync.path, ctx.root) }),
    locks: states.map(({ one, state }) => ({ import: nameOf(one), state, lock: lockOf(one) as Data })),
  };
  const human = states.map(({ one, state }) => `${SAYS[state].padEnd(9)} ${printable(nameOf(one))}  ${one.defsHash}`);
  if (flags.check === true) {
    if (stale.length > 0) human.push(`${counted(stale.length, 'lock')} to write: worldline sync lock`);
    ctx.out.answer(human, { ...data, changed: false });
    if (stale.length > 0) process.exitCode = EXIT.check;
    return;
  }
  if (stale.length > 0 && sync.path !== undefined) {
    const text = readFileSync(sync.path, 'utf8');
    const locks = stale.map(({ one }) => ({
      index: one.entry.index,
      // Whoever keeps the hash alone goes on so.
      lock: typeof one.entry.lock === 'string' ? one.defsHash : lockOf(one),
    }));
    // Whole or not at all: an editor that has the file open must never see half of it.
    const temporary = `${sync.path}.${process.pid}.tmp`;
    writeFileSync(temporary, withLocks(text, locks));
    renameSync(temporary, sync.path);
  }
  human.push(
    states.length === 0
      ? 'no imports, so nothing to lock'
      : stale.length === 0
        ? 'unchanged'
        : `${counted(stale.length, 'lock')} written`,
  );
  ctx.out.answer(human, { ...data, changed: stale.length > 0 });
}

const SAYS: Readonly<Record<LockState, string>> = { same: 'same', missing: 'new', different: 'changed' };

function nameOf({ entry: { source } }: ResolvedImport): string {
  return source.kind === 'path' ? source.path : source.package + (source.pack === undefined ? '' : `#${source.pack}`);
}

function isCalled(one: ResolvedImport, name: string): boolean {
  const { source } = one.entry;
  return name === nameOf(one) || (source.kind === 'npm' && name === source.package);
}
