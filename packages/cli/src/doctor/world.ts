import { hashText } from '@worldline/canon';
import {
  AdapterRegistry,
  APPROVAL_KIND,
  configDifferences,
  effectViews,
  type HostConfig,
  missingAdapters,
  Redactor,
  SecretResolver,
  silentLogger,
  type WorldFolder,
} from '@worldline/host';
import type { Kernel } from '@worldline/kernel';
import type { Store, WorldRow } from '@worldline/ports';
import { formatDuration } from '@worldline/summary';
import { makeAdapters } from '../adapters.ts';
import type { Context } from '../context.ts';
import { folderDiffers } from '../manifest-difference.ts';
import { counted } from '../output.ts';
import { Reader } from '../reader.ts';
import type { Report } from './report.ts';

/** What the world wants and cannot have, and what waits for too long. */

const SECOND = 1_000_000_000n;
const TIMER_GRACE_NS = 60n * SECOND;
const APPROVAL_OLD_NS = 24n * 3600n * SECOND;
/** So many time limits after it was asked for, an effect is not just slow. */
const LIMITS_OLD = 10n;
const ATTEMPTS_HIGH = 3;
const CLOCK_BEHIND_NS = 2n * SECOND;

export interface WorldParts {
  readonly ctx: Context;
  readonly report: Report;
  readonly folder: WorldFolder;
  readonly config: HostConfig;
  readonly store: Store;
  readonly row: WorldRow;
  readonly kernel: Kernel;
  readonly nowNs: bigint;
  readonly isRunning: boolean;
}

export async function checkWorld(parts: WorldParts): Promise<void> {
  const { report } = parts;
  checkClock(parts);
  await report.look('adapters', () => checkAdapters(parts));
  await report.look('secrets', () => checkSecrets(parts));
  checkConfig(parts);
  await report.look('manifest', () => checkManifest(parts));
  await report.look('peers', async () => (await import('./peers.ts')).checkPeers(parts, resolverOf(parts)));
  await report.look('webhook', async () => (await import('./webhook.ts')).checkWebhook(parts, resolverOf(parts)));
  await report.look('effects', () => checkEffects(parts));
}

function checkClock({ report, kernel, nowNs }: WorldParts): void {
  const behind = kernel.lastNowNs - nowNs;
  if (behind > CLOCK_BEHIND_NS)
    report.problem(
      'clock',
      'clock.behind',
      `this machine’s clock is ${formatDuration(behind)} before the last record`,
      'set the clock; until then no time passes for this world',
    );
  else report.ok('clock', 'not before the last record');
}

async function checkAdapters({ ctx, report, config, kernel }: WorldParts): Promise<void> {
  const { adapters } = await makeAdapters(ctx, config, async () => undefined);
  const registry = AdapterRegistry.of(adapters);
  if (!registry.ok) {
    report.problem('adapters', registry.failure.code, registry.failure.message, registry.failure.hint);
    return;
  }
  const missing = missingAdapters(kernel.catalog, registry.value);
  if (missing.length === 0) {
    report.ok('adapters', `every effect kind has one`);
    return;
  }
  const wanted = new Set([...kernel.pending()].map(({ kind }) => kind));
  const help = 'add one to "adapters" of worldline.host.json; without it such an effect fails with adapter.missing';
  if (missing.some((kind) => wanted.has(kind)))
    report.problem('adapters', 'adapter.missing', `no adapter for ${missing.join(', ')}, and an effect waits`, help);
  else report.warn('adapters', 'adapter.missing', `no adapter for ${missing.join(', ')}`, help);
}

function resolverOf({ ctx, folder, config }: WorldParts): SecretResolver {
  return new SecretResolver(
    {
      env: ctx.worldEnv,
      dir: folder.secrets,
      bindings: config.secrets.bindings,
      placeholders: config.secrets.allowPlaceholders,
    },
    new Redactor(),
  );
}

async function checkSecrets(parts: WorldParts): Promise<void> {
  const { report, kernel } = parts;
  const { secrets } = kernel.catalog;
  const resolver = resolverOf(parts);
  const missing = await resolver.probe(secrets, silentLogger);
  if (missing.length > 0) {
    const where = secrets
      .filter((def) => missing.includes(`${def.alias}@${def.version}`))
      .map((def) => `${def.alias}@${def.version} from ${def.bindingId}`);
    report.problem(
      'secrets',
      'secret.unavailable',
      `no usable value for ${where.join(', ')}`,
      'set the variable in the environment or in .env, or put the file into .worldline/secrets',
    );
  } else report.ok('secrets', secrets.length === 0 ? 'none are declared' : `${secrets.length} can be used`);
}

function checkConfig({ report, config, kernel }: WorldParts): void {
  const changed = configDifferences(kernel.config, config.world).map(({ member }) => member);
  if (changed.length > 0)
    report.warn(
      'world settings',
      'config.differs',
      `${changed.join(', ')} of worldline.host.json ${changed.length === 1 ? 'is' : 'are'} not in force`,
      'worldline config get; worldline config apply',
    );
  else report.ok('world settings', 'those of worldline.host.json are in force');
}

async function checkManifest({ ctx, report, store, row }: WorldParts): Promise<void> {
  if (await folderDiffers(ctx, await Reader.over(store, row.worldId)))
    report.warn(
      'manifest',
      'manifest.unpushed',
      'the definitions of the folder are not the ones that this world runs',
      'worldline push --dry-run shows the changes, worldline push makes them',
    );
  else report.ok('manifest', 'the folder holds nothing that this world does not run');
}

async function checkEffects(parts: WorldParts): Promise<void> {
  const { report, store, row, config, kernel, nowNs, isRunning } = parts;
  const outbox = new Map((await store.outbox.list(row.worldId)).map((one) => [one.emissionSeq, one]));
  const views = effectViews(kernel, ({ emissionSeq }) => {
    const one = outbox.get(emissionSeq);
    return one && { state: one.claimed && isRunning ? 'in_flight' : 'open', attempt: one.attempt };
  });
  // Times of emissions are logical; the head tells both.
  const ageOf = (logicalNs: bigint) => nowNs - (kernel.lastNowNs - (kernel.logicalNowNs - logicalNs));
  const short = (view: (typeof views)[number]) => hashText(view.emission.intentHash).slice(0, 19);
  const work = views.filter((view) => view.state !== 'deferred');

  const exhausted = work.filter((view) => (view.attempt ?? 0) >= config.effects.claimsMax);
  const often = work.filter((view) => (view.attempt ?? 0) >= ATTEMPTS_HIGH && !exhausted.includes(view));
  const oldNs = LIMITS_OLD * BigInt(config.effects.timeoutMs) * 1_000_000n;
  const old = work.filter((view) => ageOf(view.emission.logicalNowNs) > oldNs);
  if (exhausted.length > 0)
    report.problem(
      'effects',
      'effect.exhausted',
      `${counted(exhausted.length, 'effect')} begun ${config.effects.claimsMax} times without an outcome (${short(exhausted[0]!)})`,
      'worldline effects get <intent>; worldline effects receipt <intent> gives the answer by hand',
    );
  if (often.length > 0)
    report.warn(
      'effects',
      'effect.attempts',
      `${counted(often.length, 'effect')} begun ${ATTEMPTS_HIGH} times or more (${short(often[0]!)})`,
      'worldline effects ls',
    );
  if (old.length > 0)
    report.warn(
      'effects',
      'effect.old',
      `${counted(old.length, 'effect')} without an answer for longer than ${formatDuration(oldNs)} (${short(old[0]!)})`,
      isRunning ? 'worldline effects get <intent>' : 'worldline run',
    );
  if (exhausted.length + often.length + old.length === 0)
    report.ok('effects', work.length === 0 ? 'none are open' : `${counted(work.length, 'effect')} open`);

  const overdue = views.filter((view) => view.dueNs !== undefined && nowNs - view.dueNs > TIMER_GRACE_NS);
  if (overdue.length > 0) {
    const text = `${counted(overdue.length, 'timer')} should have fired by now`;
    if (isRunning) report.problem('timers', 'timer.overdue', text, 'worldline stop; worldline run; its log says why');
    else report.warn('timers', 'timer.overdue', text, 'worldline run');
  } else report.ok('timers', `${views.filter((view) => view.dueNs !== undefined).length} pending, none overdue`);

  const approvals = views.filter((view) => view.emission.kind === APPROVAL_KIND);
  const late = approvals.filter((view) => ageOf(view.emission.logicalNowNs) > APPROVAL_OLD_NS);
  if (late.length > 0)
    report.warn(
      'approvals',
      'approval.old',
      `${counted(late.length, 'approval')} pending for more than a day (${short(late[0]!)})`,
      'worldline approvals ls',
    );
  else report.ok('approvals', `${approvals.length} pending`);
}
