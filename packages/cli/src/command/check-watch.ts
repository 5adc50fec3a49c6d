import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { listAirFolder, shown } from '../air-folder.ts';
import { Context } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { CommandError } from '../failure.ts';
import { type Finding, failureFindings } from '../finding.ts';
import { importPaths } from '../imports.ts';
import { counted, type Data, printable } from '../output.ts';
import type { SyncFile } from '../sync-file.ts';
import {
  type CheckFlags,
  checkOnce,
  expectFix,
  type Fixes,
  fixOnce,
  type Report,
  renderReport,
  reportData,
} from './check.ts';

/**
 * `worldline check --watch`: checks again whenever something it reads has changed, until it is interrupted.
 *
 * W1 What decides is a look at the files (size, times, identity), never an event: editors rename, folders vanish and come
 *    back, and some file systems tell nothing. Events only say when to look; without them a look every second does.
 * W2 The look comes before the check. What changes while a check reads is seen by the next look, so no change is lost.
 * W3 Nothing that stands in a file, or does not stand there, ends the watch.
 */

/** Between two looks when no event comes. */
const LOOK_MS = 1_000;
/** An editor's save is several events; what is quiet for so long is done. */
const QUIET_MS = 40;
/** But somebody who writes all the time sees results, too. */
const QUIET_MAX_MS = 400;

export async function checkWatch(ctx: Context, flags: CheckFlags): Promise<void> {
  expectFix(flags);
  const { root } = ctx;
  const hints = new Hints(ctx.interrupted);
  const map = flags.map === undefined ? join(root, 'worldline.json') : resolve(ctx.cwd, flags.map);
  const others = [map, join(root, 'worldline.host.json'), join(root, '.env')];
  let airDir = join(root, 'air');
  let seen: ReadonlyMap<string, string> | undefined;
  let before: Report | undefined;
  let fixes: readonly string[] = [];
  try {
    for (let check = 1; !ctx.interrupted.aborted; ) {
      airDir = syncOf(ctx, flags)?.airDir ?? airDir;
      const listed = listAirFolder(airDir);
      const imported = await importPaths(syncOf(ctx, flags) ?? NO_IMPORTS);
      const folders = [...listed.folders, ...imported.folders];
      const now = look([...others, ...listed.files, ...imported.files, ...folders]);
      hints.watchFolders(look([root, dirname(map), ...folders]));
      const changed = seen === undefined ? [] : difference(seen, now).map((path) => shown(path, root));
      if (seen === undefined || changed.length > 0) {
        const started = performance.now();
        const { report, wrote, human, data } = await checkAnyhow(ctx, flags, root);
        // What is written is a change like any other, so the next round follows at once; it shows what was fixed as well.
        const elapsedMs = Math.round(performance.now() - started);
        show(ctx, { check, changed, report, before, elapsedMs, human: [...fixes, ...human], data });
        fixes = wrote ? human : [];
        before = report;
        check += 1;
      }
      seen = now;
      await hints.next();
    }
  } finally {
    hints.close();
  }
  process.exitCode = EXIT.interrupted;
}

const NO_IMPORTS: SyncFile = { path: undefined, text: undefined, airDir: '', base: '', imports: [], ignore: [] };

/** The sync file; undefined while it says nothing sensible. */
function syncOf(ctx: Context, flags: CheckFlags): SyncFile | undefined {
  try {
    return ctx.syncFile(flags.map);
  } catch {
    return undefined;
  }
}

/** A check with fresh eyes, and what it fixed; what makes it impossible is its finding. */
async function checkAnyhow(ctx: Context, flags: CheckFlags, root: string): Promise<Fixes> {
  const nothing = { wrote: false, human: [], data: {} };
  const { out, cwd, env, interrupted, composition } = ctx;
  const fresh = new Context({ flags: { ...ctx.flags, world: root }, out, cwd, env, interrupted, composition });
  try {
    if (flags.fix !== true) return { report: await checkOnce(fresh, flags), ...nothing };
    const done = await fixOnce(fresh, flags);
    // Round after round, that there is nothing to fix is no news.
    const human = (done.data['fixed'] as readonly Data[]).length > 0 || done.report.isBroken ? done.human : [];
    return { ...done, human };
  } catch (error) {
    const findings = impossible(error);
    const report = {
      map: undefined,
      mapText: undefined,
      airDir: undefined,
      files: [],
      imports: new Map(),
      planHashes: new Map(),
      findings,
      errors: findings.length,
      warnings: 0,
      infos: 0,
      isBroken: true,
      hiddenErrors: 0,
    };
    return { report, ...nothing };
  }
}

/** @throws what is no news about files: a mistaken flag, a bug. */
function impossible(error: unknown): readonly Finding[] {
  if (error instanceof CommandError && error.failure.code === 'not_found') return failureFindings(error.failure);
  if (error instanceof Error && 'syscall' in error) {
    return failureFindings({ code: 'host_error', message: error.message });
  }
  throw error;
}

interface Round {
  readonly check: number;
  readonly changed: readonly string[];
  readonly report: Report;
  readonly before: Report | undefined;
  readonly elapsedMs: number;
  /** What was fixed. */
  readonly human: readonly string[];
  readonly data: { readonly [key: string]: Data };
}

function show(ctx: Context, { check, changed, report, before, elapsedMs, human: fixed, data }: Round): void {
  const { out } = ctx;
  const at = new Date();
  const delta = before && {
    errors: report.errors - before.errors,
    warnings: report.warnings - before.warnings,
  };
  out.clear();
  const shownMax = 3;
  const more = changed.length > shownMax ? ` and ${changed.length - shownMax} more` : '';
  const why = changed.length === 0 ? '' : `  changed: ${changed.slice(0, shownMax).map(printable).join(', ')}${more}`;
  const human = [
    out.style('dim', `${at.toTimeString().slice(0, 8)}  check ${check} in ${elapsedMs} ms${why}`),
    ...fixed,
    ...(fixed.length === 0 ? [] : ['']),
    ...renderReport(ctx, report),
    ...(delta === undefined ? [] : [`since the check before: ${deltaText(delta)}`]),
    out.style('dim', 'waiting for changes; Ctrl-C ends'),
    '',
  ];
  out.line(human.join('\n'), {
    at: at.toISOString(),
    check,
    elapsed_ms: elapsedMs,
    changed,
    errors: report.errors,
    warnings: report.warnings,
    ...(delta === undefined ? {} : { delta }),
    ...reportData(ctx, report),
    ...data,
  });
}

function deltaText({ errors, warnings }: { readonly errors: number; readonly warnings: number }): string {
  const parts = [[errors, 'error'] as const, [warnings, 'warning'] as const].flatMap(([n, what]) =>
    n === 0 ? [] : [`${counted(Math.abs(n), what)} ${n > 0 ? 'more' : 'fewer'}`],
  );
  return parts.length === 0 ? 'as many findings' : parts.join(', ');
}

/** Identity of each file and folder that is there. */
function look(paths: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const path of paths) {
    const identity = identityOf(path);
    if (identity !== undefined) found.set(path, identity);
  }
  return found;
}

function identityOf(path: string): string | undefined {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    const { dev, ino, size, mtimeNs, ctimeNs, mode } = stat;
    // A folder's own times change with files that nobody reads.
    return stat.isDirectory() ? `${dev} ${ino}` : `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs} ${mode}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

/** Paths that came, went or are not what they were, in order. */
function difference(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): readonly string[] {
  const paths = new Set([...before.keys(), ...now.keys()]);
  return [...paths].filter((path) => before.get(path) !== now.get(path)).sort();
}

/** Says when a look may be worth it. */
class Hints {
  readonly #interrupted: AbortSignal;
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>();
  #wake: (() => void) | undefined;
  #pending = false;

  constructor(interrupted: AbortSignal) {
    this.#interrupted = interrupted;
    interrupted.addEventListener('abort', () => this.#hint());
  }

  /**
   * One watcher per folder: watching a tree at once is not equally reliable on all systems.
   *
   * @param folders - with their identity: a folder of the same name is another one.
   */
  watchFolders(folders: ReadonlyMap<string, string>): void {
    for (const [folder, { watcher, identity }] of this.#watchers) {
      if (folders.get(folder) === identity) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const [folder, identity] of folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#hint());
        watcher.on('error', () => {
          watcher.close();
          if (this.#watchers.get(folder)?.watcher === watcher) this.#watchers.delete(folder);
          this.#hint();
        });
        this.#watchers.set(folder, { watcher, identity });
      } catch {
        // Not there any more, or no watchers left: the next look comes by itself.
      }
    }
  }

  /** Resolves when it is quiet after an event, after a while without one, and at once when interrupted. */
  async next(): Promise<void> {
    const isDone = () => this.#interrupted.aborted;
    if (isDone()) return;
    if (!this.#pending) await this.#event(LOOK_MS);
    const end = performance.now() + QUIET_MAX_MS;
    while (this.#pending && !isDone() && performance.now() < end) {
      this.#pending = false;
      await this.#event(QUIET_MS);
    }
    this.#pending = false;
  }

  close(): void {
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** The next event, or the end of the time. */
  async #event(ms: number): Promise<void> {
    const timer = new AbortController();
    await Promise.race([
      new Promise<void>((wake) => {
        this.#wake = wake;
      }),
      sleep(ms, undefined, { signal: timer.signal }).catch(() => {}),
    ]);
    this.#wake = undefined;
    timer.abort();
  }

  #hint(): void {
    this.#pending = true;
    this.#wake?.();
  }
}
