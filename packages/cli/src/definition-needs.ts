import { isJsonArray, isJsonObject, type Json, type JsonObject, memberNames } from '@worldline/air';

/** Which definitions a definition needs, read from what is written (`packs.md` §2.4). */

/** Sections that give no authority: a cap allows nothing without a grant. */
export const KINDS = {
  schemas: 'defschema',
  modules: 'defmodule',
  plans: 'defplan',
  effects: 'defeffect',
  caps: 'defcap',
} as const;

export type Section = keyof typeof KINDS;

export const SECTIONS = Object.keys(KINDS) as readonly Section[];

/** Definitions that one needs, by section and name. */
export type Need = (section: Section, name: Json | undefined) => void;

/**
 * What a definition itself needs, not what that needs in turn.
 *
 * @param effects - Names of effects by their kind, which is how a plan says them.
 */
export function needsOf(node: JsonObject, effects: ReadonlyMap<Json | undefined, string>, need: Need): void {
  switch (node['$kind']) {
    case 'defschema':
      return refsIn(node['type'], need);
    case 'defcap':
      refsIn(node['schema'], need);
      return need('modules', objectOf(node['enforcer'])['module']);
    case 'defeffect':
      need('schemas', node['params_schema']);
      return need('schemas', node['receipt_schema']);
    case 'defplan':
      need('schemas', node['input']);
      need('schemas', node['output']);
      for (const schema of Object.values(objectOf(node['locals']))) need('schemas', schema);
      for (const step of objectsIn(node['steps'])) {
        need('schemas', step['event']);
        need('plans', step['plan']);
        need('effects', effects.get(step['kind']));
      }
      return;
    case 'manifest':
      for (const trigger of objectsIn(node['triggers'])) {
        need('schemas', trigger['event']);
        need('plans', trigger['plan']);
      }
      for (const grant of objectsIn(objectOf(node['defaults'])['cap_grants'])) need('caps', grant['cap']);
      return;
    default:
      return;
  }
}

/** Schemas that a type refers to, wherever in it. */
function refsIn(type: Json | undefined, need: Need): void {
  if (type === undefined) return;
  if (isJsonArray(type)) for (const item of type) refsIn(item, need);
  if (!isJsonObject(type)) return;
  for (const key of memberNames(type)) {
    if (key === 'ref' && typeof type[key] === 'string') need('schemas', type[key]);
    else refsIn(type[key], need);
  }
}

export function objectsIn(list: Json | undefined): readonly JsonObject[] {
  return list !== undefined && isJsonArray(list) ? list.filter(isJsonObject) : [];
}

function objectOf(json: Json | undefined): JsonObject {
  return json !== undefined && isJsonObject(json) ? json : {};
}
