import { type Diagnostic, type Loaded, type LoadOptions, loadAuthored, type SourceFile } from '@worldline/air';
import type { Result } from '@worldline/canon';
import { readFolder, valid } from './air-folder.ts';
import type { Context } from './context.ts';
import { CommandError, type Detail } from './failure.ts';
import { type Finding, failureFindings } from './finding.ts';
import { lockProblems, locksAreStrict } from './import-lock.ts';
import { type ResolvedImport, readImports } from './imports.ts';
import type { SyncFile } from './sync-file.ts';
import type { UnlistedRef } from './unlisted-refs.ts';

/** The definitions of a world folder and of all it imports, as one set (`packs.md` §2.4, §4.1). */
export interface DefinitionSet {
  /** Those of the folder, then those of each import. */
  readonly files: readonly SourceFile[];
  readonly imports: readonly ResolvedImport[];
  /** Imported definitions that the manifest should list. */
  readonly unlisted: readonly UnlistedRef[];
  /** What is to be known about imports: errors where locks are strict. */
  readonly findings: readonly Finding[];
  readonly result: Result<Loaded, readonly Diagnostic[]>;
}

/**
 * @param options.asListed - The result is that of a manifest which lists what is unlisted, so that it holds no consequences of that.
 * @throws CommandError for a folder or an import that cannot be read.
 */
export async function loadDefinitions(
  ctx: Context,
  sync: SyncFile,
  requirePolicy: boolean,
  options: Pick<LoadOptions, 'willRun' | 'lints'> & { readonly asListed?: boolean } = {},
): Promise<DefinitionSet> {
  const own = readFolder(sync.airDir, ctx.root);
  const imports = sync.imports.length === 0 ? [] : await readImports(sync, ctx.root);
  const files = [...own, ...imports.flatMap((found) => found.files)];
  // A folder without imports does not load what looks for this.
  const refs = imports.length === 0 ? undefined : await import('./unlisted-refs.ts');
  const unlisted = refs?.unlistedRefs(files, imports) ?? [];
  const { asListed, ...load } = options;
  const taken = (asListed === true && refs?.withRefs(files, unlisted)) || files;
  return {
    files,
    imports,
    unlisted,
    findings: [...importFindings(ctx, sync, imports), ...(refs?.unlistedFindings(files, unlisted) ?? [])],
    result: loadAuthored(taken, { requirePolicy, ...load }),
  };
}

/**
 * The definitions, for commands that need them valid, and imports as they were accepted.
 *
 * @param options.addRefs - Take what the manifest should list as listed.
 * @throws CommandError `manifest.validation`, `import.lock_missing`, `import.lock_mismatch`, `import.unlisted_ref`, and as
 *   `loadDefinitions`.
 */
export async function requireDefinitions(
  ctx: Context,
  sync: SyncFile,
  requirePolicy: boolean,
  options: { readonly addRefs?: boolean } = {},
): Promise<{
  readonly loaded: Loaded;
  readonly imports: readonly ResolvedImport[];
  readonly added: readonly UnlistedRef[];
}> {
  const { imports, findings, result, unlisted } = await loadDefinitions(ctx, sync, requirePolicy, { asListed: true });
  const added = options.addRefs === true ? unlisted : [];
  accept(ctx, added.length === 0 ? findings : findings.filter(({ code }) => code !== 'import.unlisted_ref'));
  return { loaded: valid(result, sync.airDir, ctx.root), imports, added };
}

/**
 * Imports that nobody has looked at stop a command where locks are strict, and are told elsewhere.
 *
 * @throws CommandError `import.lock_missing`, `import.lock_mismatch`.
 */
export function acceptImports(ctx: Context, sync: SyncFile, imports: readonly ResolvedImport[]): void {
  accept(ctx, importFindings(ctx, sync, imports));
}

function accept(ctx: Context, findings: readonly Finding[]): void {
  const errors = findings.filter(({ level }) => level === 'error');
  const [first] = errors;
  if (first !== undefined) {
    throw new CommandError({
      code: first.cause ?? first.code,
      message: first.message,
      hint: first.hint,
      details: errors.map(({ code, cause, path, message, hint, file, line, column }) => ({
        code: cause ?? code,
        pointer: path ?? '',
        message,
        hint,
        file,
        line,
        column,
      })),
    });
  }
  for (const { cause, code, file, message } of findings)
    ctx.out.notice(`${file ?? ''} ${cause ?? code}: ${message}`.trim());
}

function importFindings(ctx: Context, sync: SyncFile, imports: readonly ResolvedImport[]): readonly Finding[] {
  if (imports.length === 0) return [];
  const level = locksAreStrict(ctx.worldEnv) ? ('error' as const) : ('warning' as const);
  return [
    ...imports.flatMap(({ warnings }) => warnings.flatMap((one) => asFindings(one, { level: 'warning' }))),
    ...lockProblems(sync, imports, ctx.root).flatMap((one) =>
      asFindings(one, { level, code: 'PK012', cause: one.code }),
    ),
    ...imports.flatMap(authority),
  ];
}

/** Authority belongs to the consumer: what allows something, or opens a secret, is worth a look. */
function authority({ nodes, pack }: ResolvedImport): readonly Finding[] {
  return nodes.flatMap(({ kind, name, file, line, column }): Finding[] => {
    if (kind !== 'defpolicy' && kind !== 'defsecret') return [];
    const hint = 'write a policy and secrets of your own, and do not list this one';
    return [
      {
        code: 'PK013',
        cause: 'import.authority',
        level: 'warning',
        kind,
        name,
        def: name,
        file,
        line,
        column,
        path: '',
        message: `import "${pack}" brings ${kind} "${name}"`,
        fix: hint,
        hint,
      },
    ];
  });
}

function asFindings(one: Detail, more: Partial<Finding>): readonly Finding[] {
  return failureFindings({ code: one.code, message: one.message, details: [one] }).map((found) => ({
    ...found,
    ...more,
  }));
}
