import { resolve } from 'node:path';
import { BUILTINS, type Catalog } from '@worldline/air';
import { decode } from '@worldline/canon';
import { type FabricConfig, localSender, readIdentity, type SecretResolver } from '@worldline/host';
import { readTokens } from '@worldline/server';
import { activeConfig } from '../command/config.ts';
import type { Context } from '../context.ts';
import { CommandError } from '../failure.ts';
import { openReadOnly } from '../open-store.ts';
import { counted } from '../output.ts';
import { Reader } from '../reader.ts';
import type { Report } from './report.ts';
import type { WorldParts } from './world.ts';

/** Can this world reach the peers it is configured for, and do they hear it? Nothing is sent. */
export async function checkPeers(parts: WorldParts, secrets: SecretResolver): Promise<void> {
  const { ctx, report, config, row, kernel } = parts;
  const { peers } = config.fabric;
  const before = report.count('problem') + report.count('warning');
  const accepted = new Set(kernel.config.fabric_accept.map(({ from }) => from));
  const sentTo = grantedWorlds(kernel.catalog);
  for (const [name, peer] of peers) {
    // A peer that only sends need not hear this world.
    const isHeard = sentTo.has(name) || !accepted.has(name);
    if ('path' in peer)
      await checkLocal(ctx, report, name, resolve(ctx.root, peer.path), isHeard ? row.worldId : undefined);
    else await checkRemote(report, name, peer.url, await secrets.binding(peer.token));
  }
  checkAccepted(parts);
  if (peers.size > 0 && report.count('problem') + report.count('warning') === before)
    report.ok('peers', `${counted(peers.size, 'peer')} in order`);
}

/** Worlds that some grant allows to send to. */
function grantedWorlds({ grants, caps }: Catalog): ReadonlySet<string> {
  const worlds = new Set<string>();
  for (const { cap, paramsCbor } of grants.values()) {
    if ((caps.get(cap) ?? BUILTINS.caps.get(cap))?.def.capType !== 'fabric') continue;
    const params = decode(paramsCbor);
    const named = params.ok ? (params.value as { readonly worlds?: unknown }).worlds : undefined;
    if (Array.isArray(named)) for (const world of named) if (typeof world === 'string') worlds.add(world);
  }
  return worlds;
}

/** @param ownId - this world, if that peer is to hear it. */
async function checkLocal(
  ctx: Context,
  report: Report,
  name: string,
  root: string,
  ownId: string | undefined,
): Promise<void> {
  const warn = (code: string, finding: string, help: string) =>
    report.warn('peers', code, `"${name}": ${finding}`, help);
  const peer = ctx.of(root);
  try {
    const identity = await readIdentity(await peer.folder());
    if (!identity.ok || identity.value === undefined) {
      warn(
        'peer.missing',
        `there is no world in ${root}`,
        'worldline run there, or mend fabric.peers of worldline.host.json',
      );
      return;
    }
    if (ownId === undefined) return;
    const { fabric } = await peer.config();
    const us = await localSender(root, fabric, ownId);
    if (us === undefined) {
      warn(
        'peer.one_way',
        'it has no peer whose folder is this world’s, so it refuses every message',
        'add fabric.peers.<name>.path to its worldline.host.json',
      );
      return;
    }
    const store = await openReadOnly(await peer.storeDir());
    try {
      const { fabric_accept } = activeConfig(await Reader.over(store, identity.value.world_id));
      const isHeard = fabric_accept.some(({ from }) => from === us.name || from.startsWith('air://'));
      if (!isHeard)
        warn(
          'peer.refuses',
          `its fabric_accept does not name this world, which it calls "${us.name}"`,
          'add it to "world" of its worldline.host.json, then worldline config apply there',
        );
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    warn('peer.missing', error.failure.message, 'mend fabric.peers of worldline.host.json');
  }
}

const HEALTH_MS = 3_000;

async function checkRemote(report: Report, name: string, url: URL, token: string | undefined): Promise<void> {
  if (token === undefined)
    report.problem(
      'peers',
      'secret.unavailable',
      `"${name}": its token is not there`,
      'set the variable in the environment or in .env, or put the file into .worldline/secrets',
    );
  const isLocal = ['localhost', '[::1]'].includes(url.hostname) || url.hostname.startsWith('127.');
  if (url.protocol === 'http:' && !isLocal)
    report.warn(
      'peers',
      'peer.plain_http',
      `"${name}": messages and token travel unencrypted`,
      'give it an https address',
    );
  try {
    const base = url.href.endsWith('/') ? url.href : `${url.href}/`;
    const answer = await fetch(new URL('api/health', base), {
      signal: AbortSignal.timeout(HEALTH_MS),
      redirect: 'manual',
    });
    if (answer.status !== 200) throw new Error(`it answers ${answer.status}`);
  } catch (error) {
    report.warn(
      'peers',
      'peer.unreachable',
      `"${name}" does not answer on ${url.href}: ${(error as Error).message}`,
      'is it running, with server.bind? A message to it fails with fabric.peer_unreachable meanwhile',
    );
  }
}

/** Names in `fabric_accept` that nobody can have. */
function checkAccepted({ report, config, folder, kernel }: WorldParts): void {
  const tokens = readTokens(folder.dir);
  const known = new Set([...pathPeers(config.fabric), ...(tokens.ok ? tokens.value.map(({ name }) => name) : [])]);
  const unknown = kernel.config.fabric_accept
    .map(({ from }) => from)
    .filter((from) => !from.startsWith('air://') && !known.has(from));
  if (unknown.length > 0)
    report.warn(
      'peers',
      'peer.unknown',
      `fabric_accept names ${unknown.map((name) => `"${name}"`).join(', ')}, but nobody can come under that name`,
      'a peer on this machine needs fabric.peers.<name>.path, any other a token: worldline token create <name> --peer <world>',
    );
}

function pathPeers({ peers }: FabricConfig): string[] {
  return [...peers].flatMap(([name, peer]) => ('path' in peer ? [name] : []));
}
