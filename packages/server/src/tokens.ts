import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ok } from '@worldline/canon';
import { type Answer, refuse } from '@worldline/host';
import { SCOPES, type Scope } from './scope.ts';

/**
 * Tokens of a world (`host.md` §1, §8.1): `.worldline/token` holds the owner's, `.worldline/tokens.json` the hashes of
 * named ones. Both are the owner's alone (0600).
 *
 * T1  Of a named token only the SHA-256 is kept; its text is shown once, when it is made.
 * T2  A change holds for the next request: a running world reads the file again.
 */
export interface NamedToken {
  readonly name: string;
  /** Hex of the SHA-256 of its text. */
  readonly sha256: string;
  readonly scopes: readonly Scope[];
  /** Those of `approvals.rules` that it has (`host.md` §5.6). No scope stands for one, `admin` included. */
  readonly roles?: readonly string[] | undefined;
  /** RFC 3339. */
  readonly created_at: string;
  /** RFC 3339. */
  readonly expires_at?: string | undefined;
  /** World id of the peer that sends with it, or its address `air://<universe>/<world>`. */
  readonly peer?: string | undefined;
}

/** Name of a token, and of the peer that sends with it: a name of `fabric.peers` (`config-fabric.ts`). */
const TOKEN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const OWNER = 'token';
const NAMED = 'tokens.json';

/** @returns `host_error` when the file is damaged: nobody is let in by half of it. */
export function readTokens(dir: string): Answer<readonly NamedToken[]> {
  const damaged = refuse('host_error', `${NAMED} is damaged`, {
    hint: `Remove .worldline/${NAMED}; its tokens then have to be made again.`,
  });
  let text: string;
  try {
    text = readFileSync(join(dir, NAMED), 'utf8');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? ok([]) : damaged;
  }
  try {
    const { tokens } = JSON.parse(text) as { readonly tokens?: unknown };
    return Array.isArray(tokens) && tokens.every(isToken) ? ok(tokens) : damaged;
  } catch {
    return damaged;
  }
}

function isToken(value: unknown): value is NamedToken {
  const token = value as Partial<NamedToken> | null;
  return (
    typeof token?.name === 'string' &&
    typeof token.sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(token.sha256) &&
    Array.isArray(token.scopes) &&
    token.scopes.every((scope) => SCOPES.includes(scope)) &&
    (token.roles === undefined || (Array.isArray(token.roles) && token.roles.every(isRole))) &&
    (token.expires_at === undefined || !Number.isNaN(Date.parse(token.expires_at)))
  );
}

function isRole(role: unknown): boolean {
  return typeof role === 'string' && role !== '';
}

export interface NewToken {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly roles?: readonly string[] | undefined;
  readonly expiresAt?: Date | undefined;
  readonly peer?: string | undefined;
}

/** @returns the text of the token, which is nowhere else; `invalid_request`, or `token.exists`. */
export function createToken(dir: string, wanted: NewToken, now: Date): Answer<string> {
  const { name, scopes, roles, expiresAt, peer } = wanted;
  if (!TOKEN_NAME.test(name))
    return refuse('invalid_request', 'a token has a name of 1 to 64 letters, digits, ".", "_" and "-"');
  if (scopes.length === 0)
    return refuse('invalid_request', 'a token needs at least one scope', { hint: `--scope ${SCOPES.join(', ')}` });
  const unknown = scopes.find((scope) => !SCOPES.some((known) => known === scope));
  if (unknown !== undefined)
    return refuse('invalid_request', `there is no scope "${unknown}"`, { hint: SCOPES.join(', ') });
  if (roles?.every(isRole) === false)
    return refuse('invalid_request', 'a role has a name', {
      hint: 'approvals.rules of worldline.host.json names them',
    });
  if (scopes.includes('fabric') && peer === undefined)
    return refuse('invalid_request', 'a token with scope fabric belongs to one world', {
      hint: 'Name it with --peer <world id>; "worldline status" in its folder shows the id.',
    });
  if (peer !== undefined && !/^(air:\/\/[0-9a-f-]{36}\/)?[0-9a-f-]{36}$/.test(peer))
    return refuse('invalid_request', `"${peer.slice(0, 80)}" is no world id`, {
      hint: '"worldline status" in the folder of the peer shows its id.',
    });
  return changing(dir, (tokens) => {
    if (tokens.some((token) => token.name === name))
      return refuse('token.exists', `there is a token "${name}" already`, { hint: `worldline token revoke ${name}` });
    const text = randomBytes(32).toString('base64url');
    const made: NamedToken = {
      name,
      sha256: sha256Hex(text),
      scopes: scopes as readonly Scope[],
      ...(roles === undefined || roles.length === 0 ? {} : { roles }),
      created_at: now.toISOString(),
      ...(expiresAt === undefined ? {} : { expires_at: expiresAt.toISOString() }),
      ...(peer === undefined ? {} : { peer }),
    };
    return ok({ tokens: [...tokens, made], answer: text });
  });
}

/** @returns `not_found` when there is none of that name. */
export function revokeToken(dir: string, name: string): Answer<void> {
  return changing(dir, (tokens) => {
    const left = tokens.filter((token) => token.name !== name);
    return left.length === tokens.length
      ? refuse('not_found', `there is no token "${name}"`, { hint: 'worldline token ls' })
      : ok({ tokens: left, answer: undefined });
  });
}

/** One change at a time: a lock file is made or refused as a whole, and what is written replaces the file as a whole. */
function changing<T>(
  dir: string,
  change: (tokens: readonly NamedToken[]) => Answer<{ readonly tokens: readonly NamedToken[]; readonly answer: T }>,
): Answer<T> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const [path, lock] = [join(dir, NAMED), join(dir, `${NAMED}.new`)];
  try {
    writeFileSync(lock, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return refuse('busy', 'another command is changing the tokens', {
      hint: `If none is, one was killed: remove .worldline/${NAMED}.new.`,
    });
  }
  try {
    const tokens = readTokens(dir);
    const changed = tokens.ok ? change(tokens.value) : tokens;
    if (!changed.ok) return changed;
    writeFileSync(lock, `${JSON.stringify({ tokens: changed.value.tokens }, null, 2)}\n`, { mode: 0o600, flush: true });
    renameSync(lock, path);
    return ok(changed.value.answer);
  } finally {
    rmSync(lock, { force: true });
  }
}

/** The owner's token, made when there is none. */
export function ownerToken(dir: string): string {
  const path = join(dir, OWNER);
  for (;;) {
    try {
      return readFileSync(path, 'utf8').trim();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flush: true });
    try {
      linkSync(temporary, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      rmSync(temporary, { force: true });
    }
  }
}

/**
 * Who has this token.
 *
 * @returns `owner`, the named token, or undefined for one that is unknown or has expired.
 */
export function holderOf(dir: string, text: string, now: Date): Answer<'owner' | NamedToken | undefined> {
  const digest = sha256(text);
  if (timingSafeEqual(digest, sha256(ownerToken(dir)))) return ok('owner');
  const tokens = readTokens(dir);
  if (!tokens.ok) return tokens;
  let found: NamedToken | undefined;
  // All of them, so that how long it takes says nothing.
  for (const token of tokens.value) if (timingSafeEqual(digest, Buffer.from(token.sha256, 'hex'))) found = token;
  const isOver = found?.expires_at !== undefined && Date.parse(found.expires_at) <= now.getTime();
  return ok(isOver ? undefined : found);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function sha256Hex(text: string): string {
  return sha256(text).toString('hex');
}
