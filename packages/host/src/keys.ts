import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256, toHex } from '@worldline/canon';

/** An Ed25519 key pair of this host. */
export interface HostKey {
  /** First 16 hex digits of `sha256(raw public key)`. */
  readonly keyId: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

export interface WorldKeys {
  /** Signs receipts (`kernel.md` §10.3). */
  readonly receipts: HostKey;
  /** Signs journal checkpoints and stands in exports (`journal.md` §2.1). */
  readonly world: HostKey;
}

const FILES = { receipts: 'receipt-ed25519.pem', world: 'world-ed25519.pem' } as const;

/** Makes what is missing in `dir` (0700), each file 0600, and reads the rest. Safe to repeat. */
export async function ensureKeys(dir: string): Promise<WorldKeys> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  return { receipts: await ensureKey(dir, FILES.receipts), world: await ensureKey(dir, FILES.world) };
}

/** Public halves of the keys that are there; makes none. */
export async function readKeys(dir: string): Promise<Partial<Record<keyof WorldKeys, Omit<HostKey, 'sign'>>>> {
  const found: Partial<Record<keyof WorldKeys, Omit<HostKey, 'sign'>>> = {};
  for (const name of ['receipts', 'world'] as const) {
    try {
      const { keyId, publicKey } = hostKey(createPrivateKey(await readFile(join(dir, FILES[name]))));
      found[name] = { keyId, publicKey };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return found;
}

async function ensureKey(dir: string, file: string): Promise<HostKey> {
  const path = join(dir, file);
  try {
    const key = createPrivateKey(await readFile(path));
    // A copied world folder may have lost the mode.
    await chmod(path, 0o600);
    return hostKey(key);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    // A link is made or refused as a whole: of two processes that make one world, one key remains.
    await link(temporary, path);
    return hostKey(privateKey);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return hostKey(createPrivateKey(await readFile(path)));
  } finally {
    await rm(temporary, { force: true });
  }
}

/** A key pair that lives in memory only; for tests. */
export function ephemeralKey(): HostKey {
  return hostKey(generateKeyPairSync('ed25519').privateKey);
}

/** The key pair of an Ed25519 private key. */
export function hostKey(privateKey: KeyObject): HostKey {
  // The raw key is the end of its fixed-size SPKI form.
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const publicKey = new Uint8Array(spki.subarray(spki.length - 32));
  return { keyId: keyIdOf(publicKey), publicKey, sign: (message) => new Uint8Array(sign(null, message, privateKey)) };
}

export function keyIdOf(publicKey: Uint8Array): string {
  return toHex(sha256(publicKey)).slice(0, 16);
}

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** @param raw - 32 bytes. @returns undefined when they are no Ed25519 public key. */
export function ed25519PublicKey(raw: Uint8Array): KeyObject | undefined {
  if (raw.length !== 32) return undefined;
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
}
