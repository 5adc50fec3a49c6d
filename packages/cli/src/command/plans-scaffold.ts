import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  BUILTINS,
  builtinEffect,
  builtinScope,
  isJsonObject,
  type Json,
  type JsonObject,
  memberNames,
  NAME,
  printJson,
  type Type,
  tryResolveType,
  ZERO_HASH_TEXT,
} from '@worldline/air';
import { compareUtf8 } from '@worldline/canon';
import { shown } from '../air-folder.ts';
import type { Context } from '../context.ts';
import { acceptImports } from '../definition-files.ts';
import { KINDS, needsOf, type Section } from '../definition-needs.ts';
import { stop } from '../failure.ts';
import { isFolder, makeFolder } from '../folder.ts';
import { type ImportedNode, type ResolvedImport, readImports } from '../imports.ts';
import { type Data, printable } from '../output.ts';
import { type Contract, contractOf } from '../pack-contract.ts';
import { didYouMean } from '../suggest.ts';

export interface ScaffoldFlags {
  readonly pack: string;
  readonly profile: string;
  readonly plan?: string;
  readonly triggerEvent?: string;
  readonly namespace?: string;
  readonly out?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly map?: string;
}

/** `worldline plans scaffold` (`packs.md` §5): what consuming a pack begins with. Edits no file that exists. */
export async function plansScaffold(ctx: Context, flags: ScaffoldFlags): Promise<void> {
  const { pack: wanted, profile } = flags;
  if (profile !== 'turnkey' && profile !== 'composable-core')
    stop('invalid_request', `"${profile}" is no profile`, { hint: 'turnkey or composable-core' });
  if (flags.triggerEvent !== undefined && profile !== 'turnkey')
    stop('invalid_request', '--trigger-event is for the profile turnkey', { hint: 'leave it out' });
  const namespace = flags.namespace ?? 'app';
  if (!/^[a-z][a-z0-9._-]*$/.test(namespace))
    stop('invalid_request', `"${namespace}" is no namespace`, {
      hint: 'a small letter, then small letters, digits, ".", "_" and "-": shop',
    });
  if (flags.triggerEvent !== undefined && !NAME.test(flags.triggerEvent))
    stop('invalid_request', `"${flags.triggerEvent}" is no name of a schema`, { hint: 'such as shop/Wanted@1' });
  const sync = ctx.syncFile(flags.map);
  const imports = await readImports(sync, ctx.root);
  acceptImports(ctx, sync, imports);
  const pack = imports.find((one) => one.pack === wanted);
  if (pack === undefined) {
    const near = didYouMean(wanted, new Set(imports.map((one) => one.pack)));
    return stop('plans.pack_unknown', `no import is called "${wanted}"`, {
      hint: near ?? 'add it to air.imports of worldline.json',
    });
  }
  const target = targetOf(pack, profile, flags.plan);
  const scaffold =
    profile === 'turnkey' ? turnkey(pack, target, namespace, flags.triggerEvent) : composable(pack, target, namespace);
  if (flags.triggerEvent !== undefined && flags.triggerEvent !== target.input)
    ctx.out.notice(`${target.name} takes ${target.input}: check will find PK005 unless the trigger has an input_expr`);
  const out =
    flags.out === undefined
      ? join(sync.airDir, 'scaffolds', `plan-pack-${wanted}-${profile}.json`)
      : resolve(ctx.cwd, flags.out);
  const about = { pack: wanted, profile, target_plan: target.name };
  if (flags.dryRun === true) {
    ctx.out.answer([printJson(scaffold, 2)], { ...about, out: shown(out, ctx.root), scaffold: scaffold as Data });
    return;
  }
  if (isFolder(out)) stop('invalid_request', `${shown(out, ctx.root)} is a folder`, { hint: 'name a file with --out' });
  if (existsSync(out) && flags.force !== true)
    stop('plans.exists', `${shown(out, ctx.root)} exists`, {
      hint: 'name another file with --out, or overwrite it with --force',
    });
  const written = [out];
  write(out, scaffold);
  const template = scaffold['wrapper_plan_template'];
  if (template !== undefined) {
    const file = join(sync.airDir, 'plans', `adapter_${flowOf(target.name)}_template.air.json`);
    if (existsSync(file) && flags.force !== true) {
      ctx.out.notice(`${shown(file, ctx.root)} exists and stays; --force overwrites it`);
    } else {
      write(file, [scaffold['wrapper_schema_template'] as Json, template]);
      written.push(file);
    }
  }
  const paths = written.map((path) => shown(path, ctx.root));
  ctx.out.answer(
    [
      ...paths.map((path) => `created ${printable(path)}`),
      ...(scaffold['notes'] as readonly string[]).map((note) => `  ${note}`),
    ],
    { ...about, written: paths },
  );
}

function write(path: string, json: Json): void {
  try {
    makeFolder(dirname(path));
    const temporary = `${path}.${process.pid}.tmp`;
    writeFileSync(temporary, `${printJson(json, 2)}\n`);
    renameSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    stop('host_error', `${path} cannot be written: ${(error as Error).message}`, {
      hint: 'check the folder’s permissions',
    });
  }
}

type Plans = ReadonlyMap<string, JsonObject>;

function plansOf({ nodes }: ResolvedImport): Plans {
  return new Map(nodes.flatMap(({ kind, name, json }) => (kind === 'defplan' ? [[name, json]] : [])));
}

function targetOf(pack: ResolvedImport, profile: 'turnkey' | 'composable-core', given: string | undefined): Contract {
  const role = profile === 'turnkey' ? 'entry' : 'core';
  const plans = plansOf(pack);
  const candidates = [...plans.values()]
    .map((node) => contractOf(node, (name) => plans.get(name)))
    .filter((contract) => contract.role === role);
  const names = candidates.map(({ name }) => name);
  if (candidates.length === 0)
    return stop('plans.no_candidate', `pack "${pack.pack}" has no plan ${role}_…`, { hint: 'try the other profile' });
  if (given === undefined) {
    if (candidates.length > 1)
      stop('plans.ambiguous', `pack "${pack.pack}" has several: ${names.join(', ')}`, { hint: 'name one with --plan' });
    return candidates[0]!;
  }
  const hint = didYouMean(given, names);
  return (
    candidates.find(({ name }) => name === given) ??
    stop('plans.no_candidate', `no plan ${role}_… is called ${given}`, { hint })
  );
}

/** `ns/core_fetch_by@1` is `fetch_by`. */
function flowOf(plan: string): string {
  const name = plan.slice(plan.indexOf('/') + 1, plan.lastIndexOf('@'));
  return name
    .replace(/^(?:entry|core)_/, '')
    .toLowerCase()
    .replace(/[^a-z0-9_]/g, '_');
}

function pascal(flow: string): string {
  return flow
    .split('_')
    .map((part) => part.slice(0, 1).toUpperCase() + part.slice(1))
    .join('');
}

function turnkey(pack: ResolvedImport, target: Contract, namespace: string, event: string | undefined): JsonObject {
  return {
    ...head(pack, target, 'turnkey'),
    manifest_snippet: snippet(pack, target, [{ event: event ?? target.input, plan: target.name }]),
    policy_def: policyOf(target, namespace),
    notes: [
      'paste manifest_snippet into the manifest, and leave out what it has already',
      ...correlationNotes(pack, target),
      'give each grant what the plan is to reach, and remove "$todo"',
      'merge the rules of policy_def into your policy, or list it as defaults.policy',
      ...target.emittedEvents.map(
        (event) => `let something hear of ${event}, or silence PK011 where somebody outside reads it`,
      ),
      'run "worldline check"',
    ],
  };
}

function composable(pack: ResolvedImport, target: Contract, namespace: string): JsonObject {
  const flow = flowOf(target.name);
  const request = `${namespace}/${pascal(flow)}Requested@1`;
  const adapter = `${namespace}/adapter_${flow}@1`;
  const fields = fieldsOf(pack, target.input);
  // Only the fields of a record can be mapped one by one.
  const from = (root: string): Json =>
    fields === undefined
      ? { ref: `${root}.request` }
      : { record: Object.fromEntries(memberNames(fields).map((field) => [field, { ref: `${root}.${field}` }])) };
  const found = snippet(pack, target, [{ event: request, plan: adapter }]);
  const add = (section: string, name: string) => [...(found[section] as readonly Json[]), refTo(name)];
  return {
    ...head(pack, target, 'composable-core'),
    manifest_snippet: { ...found, schemas: add('schemas', request), plans: add('plans', adapter) },
    trigger_alternative: { event: request, plan: target.name, input_expr: from('@event') },
    policy_def: policyOf(target, namespace),
    wrapper_schema_template: {
      $kind: 'defschema',
      name: request,
      type: { record: fields ?? { request: { ref: target.input } } },
    },
    wrapper_plan_template: wrapperOf(adapter, request, target, from('@plan.input')),
    notes: [
      'rename the template of the adapter so that it does not end in _template.air.json',
      'give the request the fields that you have, and map them to those of the core plan (TODO)',
      'do something with each outcome before its end',
      'paste manifest_snippet into the manifest, and leave out what it has already',
      ...correlationNotes(pack, target),
      'give each grant what the plan is to reach, and remove "$todo"',
      'merge the rules of policy_def into your policy, or list it as defaults.policy',
      'run "worldline check"',
    ],
  };
}

/** Of a schema that is a record. */
function fieldsOf({ nodes }: ResolvedImport, schema: string): JsonObject | undefined {
  const type = nodes.find(({ kind, name }) => kind === 'defschema' && name === schema)?.json['type'];
  const record = type !== undefined && isJsonObject(type) ? type['record'] : undefined;
  return record !== undefined && isJsonObject(record) ? record : undefined;
}

/** Requests carry their id in a field of one of these names (`patterns.md` §1.3). */
const ID_FIELDS = ['request_id', 'correlation_id'];

function correlationNotes(pack: ResolvedImport, target: Contract): readonly string[] {
  const fields = fieldsOf(pack, target.input);
  const id = ID_FIELDS.find((field) => fields?.[field] !== undefined);
  return id === undefined ? [] : [`add "correlate_by": "${id}" to the trigger, so that a run is found by its request`];
}

function head(pack: ResolvedImport, target: Contract, profile: string): JsonObject {
  const { name, role, input, output, emittedEvents, awaitedEvents, requiredCaps, allowedEffects, children } = target;
  return {
    kind: 'plan-pack-scaffold',
    profile,
    pack: pack.pack,
    target_plan: name,
    contract: {
      name,
      role,
      input,
      ...(output === undefined ? {} : { output }),
      emitted_events: emittedEvents,
      awaited_events: awaitedEvents,
      required_caps: requiredCaps,
      allowed_effects: allowedEffects,
      children,
    },
  };
}

function wrapperOf(name: string, input: string, core: Contract, mapping: Json): JsonObject {
  const tagIs = (tag: string): JsonObject => ({ op: 'eq', args: [{ ref: '@var:out.$tag' }, { text: tag }] });
  return {
    $kind: 'defplan',
    name,
    input,
    // So that a field that does not fit is found where it is mapped.
    locals: { request: core.input },
    steps: [
      {
        $comment: 'TODO: map your request to the input of the core plan',
        id: 'map',
        op: 'assign',
        expr: mapping,
        bind: { as: 'request' },
      },
      { id: 'run', op: 'spawn_plan', plan: core.name, input: { ref: '@var:request' }, bind: { handle_as: 'core_h' } },
      { id: 'ran', op: 'await_plan', for: { ref: '@var:core_h' }, bind: { as: 'out' } },
      { id: 'end_ok', op: 'end' },
      { id: 'end_error', op: 'end' },
      { id: 'end_canceled', op: 'end' },
    ],
    edges: [
      { from: 'map', to: 'run' },
      { from: 'run', to: 'ran' },
      { from: 'ran', to: 'end_ok', when: tagIs('Ok') },
      { from: 'ran', to: 'end_error', when: tagIs('Error') },
      { from: 'ran', to: 'end_canceled', when: tagIs('Canceled') },
    ],
  };
}

const refTo = (name: string): JsonObject => ({ name, hash: ZERO_HASH_TEXT });

/** References, triggers and grants for a plan and the plans it starts. */
function snippet(pack: ResolvedImport, target: Contract, triggers: readonly JsonObject[]): JsonObject {
  const plans = plansOf(pack);
  const contracts = [target, ...target.children.flatMap((name) => contractIf(plans, name))];
  const effects = sorted(contracts.flatMap(({ allowedEffects }) => allowedEffects)).map((kind) => effectOf(pack, kind));
  return {
    schemas: neededSchemas(pack, target.name).map(refTo),
    plans: contracts.map(({ name }) => refTo(name)),
    effects: effects.map(refTo),
    triggers,
    defaults: { cap_grants: target.requiredCaps.map((slot) => grantFor(pack, target, slot)) },
  };
}

function contractIf(plans: Plans, name: string): readonly Contract[] {
  const node = plans.get(name);
  return node === undefined ? [] : [contractOf(node, (of) => plans.get(of))];
}

/** Schemas of the pack that a plan needs to the end: those of its children, of their effects, and all that these refer to. */
function neededSchemas({ nodes }: ResolvedImport, plan: string): readonly string[] {
  const effects = new Map(
    nodes.flatMap(({ kind, name, json }) => (kind === 'defeffect' ? [[json['kind'], name]] : [])),
  );
  const reached = new Set<ImportedNode>();
  const take = (section: Section, name: Json | undefined) => {
    const node = nodes.find((one) => one.kind === KINDS[section] && one.name === name);
    if (node === undefined || reached.has(node)) return;
    reached.add(node);
    needsOf(node.json, effects, take);
  };
  take('plans', plan);
  return sorted([...reached].flatMap(({ kind, name }) => (kind === 'defschema' ? [name] : [])));
}

function effectOf(pack: ResolvedImport, kind: string): string {
  const own = pack.nodes.find((node) => node.kind === 'defeffect' && node.json['kind'] === kind);
  return builtinEffect(kind)?.def.name ?? own?.name ?? 'TODO/Effect@1';
}

/** Never more than nothing: what the plan is to reach is the author's to say. */
function grantFor(pack: ResolvedImport, target: Contract, slot: string): JsonObject {
  const types = new Set(
    target.emissions
      .filter(({ cap }) => cap === slot)
      .map(({ kind }) => {
        const own = pack.nodes.find((node) => node.kind === 'defeffect' && node.json['kind'] === kind);
        return builtinEffect(kind)?.def.capType ?? own?.json['cap_type'];
      }),
  );
  const caps = [...BUILTINS.caps.values()].filter(({ def }) => types.has(def.capType));
  const [cap] = caps;
  const todo = 'widen to what is meant: this allows as little as the cap can say';
  if (types.size !== 1 || caps.length !== 1 || cap === undefined)
    return { name: slot, cap: 'TODO/Cap@1', params: { $todo: todo } };
  const params = narrowest(cap.def.schema);
  return { name: slot, cap: cap.def.name, params: { ...(isJsonObject(params) ? params : {}), $todo: todo } };
}

/** The value that allows least: nothing of a set, no more than 0; a limit that may be absent is there. */
function narrowest(given: Type): Json {
  const type = tryResolveType(given, builtinScope());
  switch (type?.kind) {
    case 'record':
      return Object.fromEntries([...type.fields].map(([name, field]) => [name, narrowest(field)]));
    case 'option':
      return narrowest(type.item);
    case 'set':
    case 'list':
      return [];
    case 'map':
      return {};
    case 'bool':
      return false;
    case 'nat':
    case 'int':
    case 'time':
    case 'duration':
      return 0;
    case 'text':
      return '';
    case 'hash':
      return ZERO_HASH_TEXT;
    default:
      return null;
  }
}

/** One rule for each effect, bound to the plan that emits it and to its grant. */
function policyOf({ name, emissions }: Contract, namespace: string): JsonObject {
  const rules = new Map(
    emissions.map(({ plan, kind, cap }) => [
      `${plan} ${kind} ${cap}`,
      { when: { effect_kind: kind, cap_name: cap, origin_kind: 'plan', origin_name: plan }, decision: 'allow' },
    ]),
  );
  return { $kind: 'defpolicy', name: `${namespace}/${flowOf(name)}_policy@1`, rules: [...rules.values()] };
}

function sorted(list: readonly string[]): readonly string[] {
  return [...new Set(list)].sort(compareUtf8);
}
