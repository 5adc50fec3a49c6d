import { createToken, type NamedToken, readTokens, revokeToken } from '@worldline/server';
import type { Context } from '../context.ts';
import { stop, stopWith } from '../failure.ts';
import { looksLikeWorld } from '../folder.ts';
import { type Data, table } from '../output.ts';

/** `worldline token …` (`host.md` §8.1, §12.2): who may ask this world over the network, and for what. */

export interface TokenFlags {
  readonly scope?: readonly string[];
  readonly role?: readonly string[];
  readonly expires?: string;
  readonly peer?: string;
}

export async function makeToken(ctx: Context, name: string, flags: TokenFlags): Promise<void> {
  // One may be made before the first run; in a folder that holds no world it would admit nobody to nothing.
  if (!looksLikeWorld(ctx.root))
    stop('not_found', `${ctx.root} holds no world: neither worldline.json, air/ nor .worldline/`, {
      hint: 'make one with "worldline init"',
    });
  const { dir } = await ctx.folder();
  const now = new Date();
  const expiresAt = flags.expires === undefined ? undefined : new Date(now.getTime() + durationMs(flags.expires));
  // Whoever sends messages sends them for a peer; nothing else has to be said.
  const scopes = flags.scope ?? (flags.peer === undefined ? [] : ['fabric']);
  const made = createToken(dir, { name, scopes, roles: flags.role, expiresAt, peer: flags.peer }, now);
  if (!made.ok) return stopWith(made.failure);
  ctx.out.notice('this is shown once; keep it where the one who uses it finds it');
  ctx.out.answer([made.value], { name, token: made.value });
}

export async function listTokens(ctx: Context): Promise<void> {
  const tokens = readTokens((await ctx.folder()).dir);
  if (!tokens.ok) return stopWith(tokens.failure);
  const now = Date.now();
  ctx.out.answer(
    tokens.value.length === 0
      ? ['no tokens but the owner’s, in .worldline/token']
      : table(
          ['NAME', 'SCOPES', 'ROLES', 'PEER', 'EXPIRES'],
          tokens.value.map((token) => [
            token.name,
            token.scopes.join(' '),
            token.roles?.join(' ') ?? '',
            token.peer ?? '',
            token.expires_at === undefined
              ? 'never'
              : `${token.expires_at}${Date.parse(token.expires_at) <= now ? ' (over)' : ''}`,
          ]),
        ),
    { tokens: tokens.value.map(tokenJson) },
  );
}

export async function dropToken(ctx: Context, name: string): Promise<void> {
  const revoked = revokeToken((await ctx.folder()).dir, name);
  if (!revoked.ok) return stopWith(revoked.failure);
  ctx.out.answer([`revoked ${name}`], { name });
}

/** Without its hash: nobody needs it. */
function tokenJson({ sha256: _, ...token }: NamedToken): Data {
  return { ...token, scopes: [...token.scopes], roles: token.roles === undefined ? undefined : [...token.roles] };
}

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function durationMs(text: string): number {
  const match = /^([1-9]\d{0,5})([smhd])$/.exec(text);
  return match === null
    ? stop('invalid_request', `"${text}" is no duration`, { hint: '30m, 12h, 90d' })
    : Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
}
