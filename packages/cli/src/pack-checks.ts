import {
  BUILTINS,
  builtinEffect,
  type Catalog,
  type Diagnostic,
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  judgePolicy,
  type Loaded,
  locate,
  parseJson,
  SECTION_KINDS,
  SECTIONS,
  type SourceFile,
} from '@worldline/air';
import { hashOf, type Path, pointer, type Result, toHex } from '@worldline/canon';
import { shown } from './air-folder.ts';
import type { Finding } from './finding.ts';
import { plainJson } from './import-lock.ts';
import type { ImportedNode, ResolvedImport } from './imports.ts';
import { type Contract, contractOf, roleOf } from './pack-contract.ts';
import type { SyncFile } from './sync-file.ts';

/** Imports and their wiring (`packs.md` §4.2): what a pack is, what it needs, and what the consumer gives it. */

interface Place {
  readonly node: JsonObject;
  readonly file: SourceFile;
  readonly base: Path;
}

interface World {
  readonly sync: SyncFile;
  readonly shownFrom: string;
  readonly imports: readonly ResolvedImport[];
  readonly manifest: Place | undefined;
  readonly own: readonly Place[];
  readonly imported: ReadonlyMap<string, ImportedNode>;
  /** Of a set that is valid; undefined otherwise. */
  readonly catalog: Catalog | undefined;
  /** Plans that the folder defines in another way than an import. */
  readonly conflicts: ReadonlySet<string | undefined>;
}

/** The contracts of an import's plans, in the order of its files. */
export function contractsOf({ nodes }: ResolvedImport, all: readonly ResolvedImport[]): readonly Contract[] {
  const plans = new Map(
    all.flatMap((one) => one.nodes).flatMap((node) => (isPlan(node) ? [[node.name, node.json]] : [])),
  );
  return nodes.filter(isPlan).map(({ json }) => contractOf(json, (name) => plans.get(name)));
}

/**
 * @param files - Of the folder and of its imports.
 * @param result - What they were loaded as.
 */
export function packFindings(
  sync: SyncFile,
  shownFrom: string,
  imports: readonly ResolvedImport[],
  files: readonly SourceFile[],
  result: Result<Loaded, readonly Diagnostic[]>,
): readonly Finding[] {
  if (imports.length === 0) return [];
  const catalog = result.ok ? result.value.catalog : undefined;
  const problems = result.ok ? [] : result.failure;
  const conflicts = new Set(problems.flatMap(({ code, name }) => (code === 'import.conflict' ? [name] : [])));
  const own = files.filter(({ imported }) => imported !== true).flatMap(placesOf);
  const imported = new Map(imports.flatMap(({ nodes }) => nodes.map((node) => [`${node.kind} ${node.name}`, node])));
  const manifest = own.find(({ node }) => node['$kind'] === 'manifest');
  const world: World = { sync, shownFrom, imports, manifest, own, imported, catalog, conflicts };
  return [
    ...imports.flatMap((one) => ofImport(world, one)),
    ...ofManifest(world),
    ...ofInternals(world),
    ...ofCopies(world),
  ];
}

function isPlan({ kind }: ImportedNode): boolean {
  return kind === 'defplan';
}

/** PK001, PK002, PK014. */
function ofImport(world: World, one: ResolvedImport): readonly Finding[] {
  const { nodes, pack, isPack, entry } = one;
  const plans = nodes.filter(isPlan);
  const level = isPack ? ('error' as const) : ('warning' as const);
  const found: Finding[] = [];
  for (const { name, file, line, column } of plans) {
    if (roleOf(name) !== 'unknown') continue;
    const fix = 'let its name begin with entry_, core_, adapter_ or _internal_';
    const message = `the name of "${name}" in import "${pack}" does not say what it is for`;
    found.push({
      code: 'PK001',
      level,
      kind: 'defplan',
      name,
      plan: name,
      path: '',
      file,
      line,
      column,
      message,
      fix,
      hint: fix,
    });
  }
  const atEntry = (code: string, of: Finding['level'], message: string, fix: string): Finding => ({
    code,
    level: of,
    path: pointer(['air', 'imports', entry.index]),
    file: world.sync.path === undefined ? undefined : shown(world.sync.path, world.shownFrom),
    ...entry.position,
    message,
    fix,
    hint: fix,
  });
  if (plans.length > 0 && !plans.some(({ name }) => ['entry', 'core'].includes(roleOf(name)))) {
    const fix = 'a pack has a plan entry_… to be triggered, or core_… to be spawned';
    found.push(atEntry('PK002', level, `import "${pack}" has plans, and none that a consumer could use`, fix));
  }
  const listed = new Set(
    SECTIONS.flatMap((section) => listedIn(world, section).map((name) => `${SECTION_KINDS[section]} ${name}`)),
  );
  if (!nodes.some(({ kind, name }) => listed.has(`${kind} ${name}`))) {
    const fix = 'list what you want of it, or remove the import';
    found.push(atEntry('PK014', 'warning', `the manifest lists nothing of import "${pack}"`, fix));
  }
  return found;
}

/** PK003, PK004, PK005, PK009, PK011. */
function ofManifest(world: World): readonly Finding[] {
  const { manifest, imported, catalog } = world;
  if (manifest === undefined) return [];
  const found: Finding[] = [];
  const report = (code: string, level: Finding['level'], path: Path, message: string, fix: string, plan?: string) =>
    found.push({ code, level, kind: 'manifest', plan, ...at(manifest, path), message, fix, hint: fix });
  const planOf = (name: string) => imported.get(`defplan ${name}`)?.json;
  const grants = new Set(objectsIn(objectOf(manifest.node['defaults'])['cap_grants']).map(({ name }) => name));
  const heard = heardEvents(world);
  for (const [i, name] of listedIn(world, 'plans').entries()) {
    const node = planOf(name);
    if (node === undefined) continue;
    const { requiredCaps, emissions, emittedEvents } = contractOf(node, planOf);
    for (const event of emittedEvents) {
      if (heard.has(event)) continue;
      const message = `nothing in this world hears of "${event}", which "${name}" raises`;
      const fix =
        'route it, trigger a plan by it, or await it; where somebody outside reads it, silence this and say who';
      report('PK011', 'warning', ['plans', i], message, fix, name);
    }
    for (const slot of requiredCaps) {
      if (grants.has(slot)) continue;
      report(
        'PK003',
        'error',
        ['plans', i],
        `no grant is called "${slot}", which "${name}" needs`,
        `add "${slot}" to defaults.cap_grants`,
        name,
      );
    }
    for (const { plan, kind, cap } of emissions) {
      const [needed, given] = [capTypeOfKind(world, kind), capTypeOfGrant(world, cap)];
      if (plan !== name || needed === undefined || given === undefined || needed === given) continue;
      const message = `grant "${cap}" is of type ${given}, and ${kind} of "${plan}" needs ${needed}`;
      report('PK004', 'error', ['plans', i], message, `give "${cap}" a cap of type ${needed}`, plan);
    }
    if (catalog?.policy === undefined) continue;
    for (const { plan, kind, cap } of emissions) {
      const grant = catalog.grants.get(cap);
      if (plan !== name || grant === undefined) continue;
      const origin = { origin_kind: 'plan', name: plan, plan_id: 0, step_id: '' } as const;
      if (judgePolicy(catalog.policy, { kind, cap, origin }, grant).decision === 'allow') continue;
      const fix = `add {"when": {"effect_kind": "${kind}", "origin_kind": "plan", "origin_name": "${plan}"}, "decision": "allow"}`;
      report('PK009', 'error', ['plans', i], `the policy lets "${plan}" emit no ${kind}`, fix, plan);
    }
  }
  for (const [i, trigger] of objectsIn(manifest.node['triggers']).entries()) {
    const name = String(trigger['plan']);
    const node = planOf(name);
    if (node === undefined) continue;
    const isMapped = trigger['input_expr'] !== undefined && trigger['input_expr'] !== null;
    if (roleOf(name) === 'entry' && !isMapped && trigger['event'] !== node['input']) {
      const message = `"${name}" takes ${String(node['input'])}, and ${String(trigger['event'])} would start it`;
      report(
        'PK005',
        'error',
        ['triggers', i, 'event'],
        message,
        'trigger it by its input, or map with input_expr',
        name,
      );
    }
  }
  return found;
}

function capTypeOfKind(world: World, kind: string): string | undefined {
  const node = defsOf(world, 'defeffect').find((each) => each['kind'] === kind);
  return builtinEffect(kind)?.def.capType ?? textOf(node?.['cap_type']);
}

function capTypeOfGrant(world: World, name: string): string | undefined {
  const grants = objectsIn(objectOf(world.manifest?.node['defaults'])['cap_grants']);
  const cap = textOf(grants.find((grant) => grant['name'] === name)?.['cap']) ?? '';
  const node = defsOf(world, 'defcap').find((each) => each['name'] === cap);
  return BUILTINS.caps.get(cap)?.def.capType ?? textOf(node?.['cap_type']);
}

function defsOf({ own, imported }: World, kind: string): readonly JsonObject[] {
  const all = [...own.map(({ node }) => node), ...[...imported.values()].map(({ json }) => json)];
  return all.filter((node) => node['$kind'] === kind);
}

function textOf(json: Json | undefined): string | undefined {
  return typeof json === 'string' ? json : undefined;
}

/** Events that the manifest routes or triggers by, and those that its plans await. */
function heardEvents(world: World): ReadonlySet<string> {
  const { manifest, own, imported } = world;
  if (manifest === undefined) return new Set();
  const plans = new Map(
    own.flatMap(({ node }) => (node['$kind'] === 'defplan' ? [[String(node['name']), node] as const] : [])),
  );
  const awaited = listedIn(world, 'plans').flatMap((name) => {
    const node = plans.get(name) ?? imported.get(`defplan ${name}`)?.json;
    return node === undefined ? [] : contractOf(node, () => undefined).awaitedEvents;
  });
  const wired = [...objectsIn(objectOf(manifest.node['routing'])['events']), ...objectsIn(manifest.node['triggers'])];
  return new Set([...wired.map(({ event }) => String(event)), ...awaited]);
}

/** PK010: what the consumer says of plans that are internal to a pack. */
function ofInternals({ own, manifest, imported }: World): readonly Finding[] {
  const named = own.flatMap(
    (place): { readonly place: Place; readonly path: Path; readonly name: Json | undefined }[] => {
      const { node } = place;
      switch (node['$kind']) {
        case 'defplan':
          return entriesIn(node['steps']).map(([i, { plan }]) => ({ place, path: ['steps', i, 'plan'], name: plan }));
        case 'defpolicy':
          return entriesIn(node['rules']).map(([i, rule]) => ({
            place,
            path: ['rules', i, 'when', 'origin_name'],
            name: objectOf(rule['when'])['origin_name'],
          }));
        default:
          return place === manifest
            ? entriesIn(node['triggers']).map(([i, { plan }]) => ({ place, path: ['triggers', i, 'plan'], name: plan }))
            : [];
      }
    },
  );
  return named.flatMap(({ place, path, name }): Finding[] => {
    if (typeof name !== 'string' || roleOf(name) !== 'internal' || !imported.has(`defplan ${name}`)) return [];
    const about = place.node['$kind'] === 'manifest' ? { kind: 'manifest' } : { def: String(place.node['name']) };
    const fix = 'use an entry_ or core_ plan: what is internal may change in any release';
    const message = `"${name}" is internal to its pack`;
    return [{ code: 'PK010', level: 'warning', ...about, plan: name, ...at(place, path), message, fix, hint: fix }];
  });
}

/** PK006, PK007, PK008. */
function ofCopies({ own, imported, manifest, conflicts }: World): readonly Finding[] {
  const triggered = new Set(manifest === undefined ? [] : objectsIn(manifest.node['triggers']).map(({ plan }) => plan));
  // Plans of one step are alike without being copies.
  const graphs = new Map(
    [...imported.values()].flatMap((one) =>
      isPlan(one) && objectsIn(one.json['steps']).length > 1 ? [[graphOf(one.json), one.name] as const] : [],
    ),
  );
  return own.flatMap((place): Finding[] => {
    const { node } = place;
    if (node['$kind'] !== 'defplan') return [];
    const name = String(node['name']);
    const original = imported.has(`defplan ${name}`) ? name : graphs.get(graphOf(node));
    if (original === undefined || conflicts.has(name)) return [];
    const about = { kind: 'defplan', name, def: name, plan: name, ...at(place, ['name']) };
    const fix = 'remove the copy: the import has it';
    if (original !== name) {
      const message = `"${name}" has the steps of "${original}", which is imported`;
      return [{ code: 'PK008', level: 'warning', ...about, message, fix, hint: fix }];
    }
    const isTurnkey = roleOf(name) === 'entry' && triggered.has(name);
    const message = `"${name}" is imported, and here is a copy of it`;
    return [
      {
        code: isTurnkey ? 'PK006' : 'PK007',
        level: isTurnkey ? 'error' : 'warning',
        ...about,
        message,
        fix,
        hint: fix,
      },
    ];
  });
}

function graphOf(plan: JsonObject): string {
  return toHex(hashOf([plainJson(plan['steps'] ?? []), plainJson(plan['edges'] ?? [])]));
}

function at({ file, base }: Place, path: Path): Pick<Finding, 'file' | 'path' | 'line' | 'column'> {
  const position = locate(file.text, [...base, ...path]);
  return { file: file.path, path: pointer(path), line: position?.line, column: position?.column };
}

function placesOf(file: SourceFile): readonly Place[] {
  const json = parseJson(file.text);
  if (!json.ok) return [];
  const list: readonly Json[] = isJsonArray(json.value) ? json.value : [json.value];
  const isList = isJsonArray(json.value);
  return list.flatMap((node, i) => (isJsonObject(node) ? [{ node, file, base: isList ? [i] : [] }] : []));
}

function listedIn({ manifest }: World, section: (typeof SECTIONS)[number]): readonly string[] {
  return manifest === undefined ? [] : objectsIn(manifest.node[section]).map(({ name }) => String(name));
}

function objectsIn(list: Json | undefined): readonly JsonObject[] {
  return list !== undefined && isJsonArray(list) ? list.filter(isJsonObject) : [];
}

/** Objects of a list with their positions in it. */
function entriesIn(list: Json | undefined): readonly (readonly [index: number, entry: JsonObject])[] {
  return list !== undefined && isJsonArray(list)
    ? list.flatMap((entry, index) => (isJsonObject(entry) ? [[index, entry] as const] : []))
    : [];
}

function objectOf(json: Json | undefined): JsonObject {
  return json !== undefined && isJsonObject(json) ? json : {};
}
