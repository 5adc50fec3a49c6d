import { isJsonObject, type Json, type JsonObject } from '@worldline/air';
import { encode } from '@worldline/canon';
import { decodeConfig, encodeConfig, type WorldConfig } from '@worldline/kernel';
import { type Answer, refuse } from './failure.ts';

/** World configuration (`kernel.md` §15) as JSON: every member under its journaled name. */

export function configJson(config: WorldConfig): JsonObject {
  const { logical_origin, fabric_accept, limits, ...rest } = config;
  return {
    ...rest,
    fabric_accept: fabric_accept.map((accept) => JSON.parse(JSON.stringify(accept)) as Json),
    limits: { ...limits },
    ...(logical_origin === undefined ? {} : { logical_origin }),
  } as JsonObject;
}

/**
 * Reads a whole configuration: a member that is left out is not a default here, it is missing.
 *
 * @returns `config.invalid` with the path of the first wrong member.
 */
export function readConfigJson(json: Json | undefined): Answer<WorldConfig> {
  if (json === undefined || !isJsonObject(json))
    return refuse('config.invalid', 'a configuration is an object', { path: ['config'] });
  const origin = json['logical_origin'];
  // Whole numbers beyond 2^53 arrive as decimal text (`host.md` §8.2).
  const isText = typeof origin === 'string' && /^(0|[1-9][0-9]{0,19})$/.test(origin);
  let bytes: Uint8Array;
  try {
    bytes = encode({ ...json, ...(isText ? { logical_origin: BigInt(origin as string) } : {}) } as never);
  } catch {
    return refuse('config.invalid', 'a configuration holds texts, whole numbers, lists and objects', {
      path: ['config'],
    });
  }
  const read = decodeConfig(bytes);
  if (read.ok) return read;
  return refuse('config.invalid', read.failure.message, { path: ['config', ...read.failure.path] });
}

export interface ConfigDifference {
  /** `limits.max_event_bytes` */
  readonly member: string;
  readonly from: Json | undefined;
  readonly to: Json | undefined;
}

/** Members in which two configurations differ, by name. */
export function configDifferences(from: WorldConfig, to: WorldConfig): readonly ConfigDifference[] {
  const [before, after] = [flat(configJson(from)), flat(configJson(to))];
  const members = [...new Set([...before.keys(), ...after.keys()])].sort();
  return members
    .map((member) => ({ member, from: before.get(member), to: after.get(member) }))
    .filter((one) => text(one.from) !== text(one.to));
}

export function sameConfig(a: WorldConfig, b: WorldConfig): boolean {
  return Buffer.compare(encodeConfig(a), encodeConfig(b)) === 0;
}

function flat(config: JsonObject): ReadonlyMap<string, Json> {
  const members = new Map<string, Json>();
  for (const [name, value] of Object.entries(config)) {
    if (name !== 'limits') members.set(name, value);
    else for (const [limit, bound] of Object.entries(value as JsonObject)) members.set(`limits.${limit}`, bound);
  }
  return members;
}

function text(json: Json | undefined): string | undefined {
  return json === undefined
    ? undefined
    : JSON.stringify(json, (_key, member: unknown) => (typeof member === 'bigint' ? String(member) : member));
}
