import { type AuthorityChange, type Loaded, type PatchSummary, summaryToJson } from '@worldline/air';
import { hashText } from '@worldline/canon';
import { directApplyDisabled, readIdentity } from '@worldline/host';
import { operator, submitting } from '../access.ts';
import { ownDefinitions } from '../active-manifest.ts';
import { readAirFolder, shown } from '../air-folder.ts';
import type { Context } from '../context.ts';
import { requireDefinitions } from '../definition-files.ts';
import { CommandError, stopWith } from '../failure.ts';
import {
  difference,
  type ManifestChange,
  type ManifestDifference,
  type PinnedRuns,
  pinnedRuns,
} from '../manifest-difference.ts';
import { counted, type Data, printable } from '../output.ts';
import { Reader, reading } from '../reader.ts';
import type { SyncFile } from '../sync-file.ts';
import { writeSyncState } from '../sync-state.ts';
import type { UnlistedRef } from '../unlisted-refs.ts';
import { writing } from '../writer.ts';

export interface PushFlags {
  readonly map?: string;
  readonly dryRun?: boolean;
  readonly pruneDefs?: boolean;
  readonly addRefs?: boolean;
}

/** `worldline push` (`packs.md` §7): the folder's definitions become those of the world. */
export async function push(ctx: Context, flags: PushFlags): Promise<void> {
  const config = await ctx.config();
  const sync = ctx.syncFile(flags.map);
  const { airDir } = sync;
  const identity = await readIdentity(await ctx.folder());
  if (!identity.ok) return stopWith(identity.failure);
  const { loaded, added } = await requireDefinitions(ctx, sync, config.world.require_policy, {
    addRefs: flags.addRefs === true,
  });
  for (const warning of loaded.warnings)
    ctx.out.notice(`${warning.file ?? ''} ${warning.code}: ${warning.message}`.trim());
  if (identity.value === undefined) return await create(ctx, flags, sync, loaded, added);

  const found = await reading(ctx, async (reader) => {
    const requirePolicy = (await reader.kernel()).config.require_policy;
    const between = await difference(reader, loaded, { prune: flags.pruneDefs === true, requirePolicy });
    // After the change these runs are under way with what is active now, or with something older.
    const manifestHash = between.change?.compiled.manifestHash;
    const pinned = manifestHash === undefined ? [] : pinnedRuns(await reader.kernel(), manifestHash);
    return { ...between, pinned, meta: await reader.meta() };
  });
  const { change, pinned } = found;
  for (const { kind, name } of found.kept)
    ctx.out.notice(`${name} (${bare(kind)}) is only in the world and stays; --prune-defs removes it`);
  if (change === undefined) {
    const manifestHash = hashText(found.active.hash);
    if (flags.dryRun !== true) await writeSyncState(ctx, manifestHash, readAirFolder(airDir, ctx.root));
    ctx.out.answer(
      [...addedLines(added), 'unchanged'],
      { manifest_hash: manifestHash, changed: false, kept: keptData(found), workspaces: [], ...addedData(added) },
      found.meta,
    );
    return;
  }
  for (const warning of change.compiled.warnings) ctx.out.notice(`${warning.code}: ${warning.message}`);
  if (flags.dryRun === true) {
    if (!config.governance.directApply)
      ctx.out.notice('worldline.host.json forbids changing the manifest without a proposal (governance.direct_apply)');
    ctx.out.answer(
      [
        ...addedLines(added),
        `would change the manifest to ${hashText(change.compiled.manifestHash)}`,
        ...describe(ctx, change, pinned),
      ],
      { ...changeData(found, change, pinned), ...addedData(added), dry_run: true },
      found.meta,
    );
    return;
  }
  if (!config.governance.directApply) return stopWith(directApplyDisabled());
  const meta = await apply(ctx, change);
  await writeSyncState(ctx, hashText(change.compiled.manifestHash), readAirFolder(airDir, ctx.root));
  ctx.out.answer(
    [
      ...addedLines(added),
      `changed the manifest to ${hashText(change.compiled.manifestHash)}`,
      ...describe(ctx, change, pinned),
    ],
    { ...changeData(found, change, pinned), ...addedData(added) },
    meta,
  );
}

async function create(
  ctx: Context,
  flags: PushFlags,
  sync: SyncFile,
  loaded: Loaded,
  added: readonly UnlistedRef[],
): Promise<void> {
  const manifestHash = hashText(loaded.catalog.manifestHash);
  const many = counted(ownDefinitions(loaded.manifestNode as Parameters<typeof ownDefinitions>[0]), 'definition');
  const data = { manifest_hash: manifestHash, changed: true, created: true, workspaces: [], ...addedData(added) };
  if (flags.dryRun === true) {
    ctx.out.answer([...addedLines(added), `would create a world with ${many} of ${shown(sync.airDir, ctx.root)}`], {
      ...data,
      dry_run: true,
    });
    return;
  }
  const meta = await writing(ctx, async ({ store, identity }) => (await Reader.over(store, identity.world_id)).meta(), {
    sync,
    loaded,
  });
  ctx.out.answer([...addedLines(added), `created the world with ${many}, manifest ${manifestHash}`], data, meta);
}

async function apply(ctx: Context, change: ManifestChange) {
  const { manifestHash, manifestBase, patchHash, objects } = change.compiled;
  const request = { manifestHash, manifestBase, patchHash, objects, actor: operator() };
  try {
    return await submitting(ctx, async (access) => {
      await access.submit({ kind: 'manifest', request }, 'settled');
      return await access.meta();
    });
  } catch (error) {
    if (!(error instanceof CommandError) || error.failure.code !== 'governance.base_stale') throw error;
    const hint = 'somebody changed the manifest meanwhile: look at "worldline push --dry-run", then push again';
    throw new CommandError({ ...error.failure, hint });
  }
}

// What --add-refs put into the manifest of the world: the folder does not list it yet

function addedLines(added: readonly UnlistedRef[]): readonly string[] {
  if (added.length === 0) return [];
  const lines = added.map(({ section, name }) => `  + ${printable(`"${section}": {"name": "${name}"}`)}`);
  return ['listed besides what the manifest of the folder lists; add it there as well:', ...lines];
}

function addedData(added: readonly UnlistedRef[]): { readonly [key: string]: Data } {
  return added.length === 0 ? {} : { added_refs: added.map(({ section, name }) => ({ section, name })) };
}

// What changes, for people

const MARK = { added: '+', changed: '~', removed: '-' } as const;

function describe(ctx: Context, change: ManifestChange, pinned: readonly PinnedRuns[]): readonly string[] {
  const { summary } = change.compiled;
  const lines = summary.defChanges.map(
    ({ kind, name, action }) => `  ${MARK[action]} ${bare(kind)} ${printable(name)}`,
  );
  const sections = summary.manifestSections.filter((section) => section !== 'manifest_refs');
  if (sections.length > 0) lines.push(`  ~ ${sections.join(', ')}`);
  if (change.authority.length > 0) {
    lines.push(ctx.out.style('bold', 'authority:'));
    lines.push(...change.authority.flatMap((one) => authorityLines(one, change)));
  }
  const runs = pinned.reduce((sum, { planIds }) => sum + planIds.length, 0);
  if (runs > 0) {
    const plans = pinned.map(({ plan, planIds }) => `${printable(plan)} (${planIds.length})`).join(', ');
    lines.push(`${counted(runs, 'run')} under way ${runs === 1 ? 'ends' : 'end'} as begun: ${plans}`);
  }
  return lines;
}

function authorityLines(one: AuthorityChange, { grants }: ManifestChange): string[] {
  const { ledger, name, change } = one;
  const before = (ledger === 'grant' && grants.before.get(name)) || one.before;
  const after = (ledger === 'grant' && grants.after.get(name)) || one.after;
  const what = `${ledger.replace('_', ' ')} ${ledger === 'default_policy' ? '' : name}`.trim();
  const lines = [`  ${MARK[change]} ${printable(what)}`];
  if (before !== undefined) lines.push(`      was ${printable(before)}`);
  if (after !== undefined) lines.push(`      is  ${printable(after)}`);
  if (ledger === 'default_policy' && change === 'removed')
    lines.push('      every effect is allowed that its grant allows');
  return lines;
}

function bare(kind: string): string {
  return kind.replace(/^def/, '');
}

// What changes, for programs

function changeData(
  found: ManifestDifference,
  change: ManifestChange,
  pinned: readonly PinnedRuns[],
): { readonly [key: string]: Data } {
  const { compiled } = change;
  return {
    manifest_hash: hashText(compiled.manifestHash),
    manifest_base: hashText(compiled.manifestBase),
    changed: true,
    patch_hash: hashText(compiled.patchHash),
    patch: change.document,
    summary: summaryData(compiled.summary),
    authority: change.authority.map((one) => ({ ...one })),
    pinned: pinned.map(({ plan, planIds }) => ({ plan, count: planIds.length, plan_ids: planIds })),
    kept: keptData(found),
    workspaces: [],
  };
}

function summaryData(summary: PatchSummary): Data {
  return summaryToJson(summary);
}

function keptData({ kept }: ManifestDifference): Data {
  return kept.map(({ kind, name }) => ({ kind: bare(kind), name }));
}
