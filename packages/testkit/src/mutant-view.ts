import { BUILTINS, isJsonObject, parseType, type Type, type TypeScope, tryResolveType } from '@worldline/air';
import { compareCanonicalKeys, type Path } from '@worldline/canon';
import { type Authored, at, keys, type MutantWorld } from './mutant.ts';
import { LENS_TAGS } from './typed-type.ts';

/** Where things stand in an authored world: what mutations look for. Knows the language by its specification alone. */

export interface Placed {
  readonly node: number;
  readonly path: Path;
}

export interface PlanView {
  readonly node: number;
  readonly name: string;
  readonly json: Authored;
  readonly steps: readonly Authored[];
  readonly edges: readonly Authored[];
}

/** Slots of steps (`definitions.md` §5), by step kind. */
export const SLOTS: Readonly<Record<string, readonly string[]>> = {
  raise_event: ['value'],
  emit_effect: ['params', 'idempotency_key'],
  assign: ['expr'],
  end: ['result'],
  spawn_plan: ['input'],
  spawn_for_each: ['inputs'],
};

/** Members that hold nothing but an expression, by step kind. */
export const EXPRS: Readonly<Record<string, string>> = {
  await_receipt: 'for',
  await_event: 'where',
  await_plan: 'for',
  await_plans_all: 'handles',
};

export const BINDS: Readonly<Record<string, string>> = {
  emit_effect: 'effect_id_as',
  await_receipt: 'as',
  await_event: 'as',
  assign: 'as',
  spawn_plan: 'handle_as',
  await_plan: 'as',
  spawn_for_each: 'handles_as',
  await_plans_all: 'results_as',
};

export function nodesOf(
  world: MutantWorld,
  kind: string,
): readonly { readonly node: number; readonly json: Authored }[] {
  return world.nodes.flatMap((json, node) => (json.$kind === kind ? [{ node, json }] : []));
}

export function manifestOf(world: MutantWorld): { readonly node: number; readonly json: Authored } {
  const found = nodesOf(world, 'manifest')[0];
  if (found === undefined) throw new Error(`world ${world.name} has no manifest`);
  return found;
}

export function plansOf(world: MutantWorld): readonly PlanView[] {
  return nodesOf(world, 'defplan').map(({ node, json }) => ({
    node,
    name: json.name,
    json,
    steps: json.steps,
    edges: json.edges ?? [],
  }));
}

export function grantsOf(world: MutantWorld): readonly Authored[] {
  return manifestOf(world).json.defaults?.cap_grants ?? [];
}

export function triggersOf(world: MutantWorld): readonly Authored[] {
  return manifestOf(world).json.triggers ?? [];
}

export function scopeOf(world: MutantWorld): TypeScope {
  const own = new Map(
    nodesOf(world, 'defschema').map(({ json }): [string, Type] => [json.name, readType(json.type) as Type]),
  );
  return { lookup: (name) => own.get(name) ?? BUILTINS.schemas.get(name)?.def.type };
}

/** A path may go by any name into values of the schema: they are maps. */
export function isMap(world: MutantWorld, schema: string): boolean {
  const scope = scopeOf(world);
  const type = tryResolveType({ kind: 'ref', name: schema }, scope);
  return (type?.kind === 'option' ? tryResolveType(type.item, scope) : type)?.kind === 'map';
}

export function readType(json: Authored): Type | undefined {
  const read = parseType(json);
  return read.ok ? read.value : undefined;
}

/** Own effects by kind, and the built-in ones that the manifest lists. */
export function effectsOf(
  world: MutantWorld,
): ReadonlyMap<string, { readonly params: string; readonly receipt: string; readonly capType: string }> {
  const listed = new Set<string>((manifestOf(world).json.effects ?? []).map(({ name }: Authored) => name));
  const builtin = [...BUILTINS.effects].flatMap(([name, { def }]) =>
    listed.has(name)
      ? [[def.effectKind, { params: def.paramsSchema, receipt: def.receiptSchema, capType: def.capType }] as const]
      : [],
  );
  const own = nodesOf(world, 'defeffect').map(
    ({ json }) =>
      [json.kind, { params: json.params_schema, receipt: json.receipt_schema, capType: json.cap_type }] as const,
  );
  return new Map([...builtin, ...own]);
}

/** Cap type of a grant's defcap. */
export function capTypeOf(world: MutantWorld, cap: string): string | undefined {
  return (
    nodesOf(world, 'defcap').find(({ json }) => json.name === cap)?.json.cap_type ?? BUILTINS.caps.get(cap)?.def.capType
  );
}

/** Every place of a JSON value, itself first, in document order. */
export function placesIn(json: Authored, path: Path = []): Path[] {
  if (Array.isArray(json)) return [path, ...json.flatMap((item, index) => placesIn(item, [...path, index]))];
  return [path, ...keys(json).flatMap((key) => placesIn(json[key], [...path, key]))];
}

/** Every `{"ref": "@…"}` of a JSON value: the path of the object. */
export function refsIn(json: Authored, path: Path = []): readonly { readonly path: Path; readonly text: string }[] {
  return placesIn(json, path).flatMap((place) => {
    const part = at(json, place.slice(path.length));
    return keys(part).length === 1 && typeof part.ref === 'string' && part.ref.startsWith('@')
      ? [{ path: place, text: part.ref as string }]
      : [];
  });
}

export function isExpression(json: Authored): boolean {
  const names = keys(json).filter((name) => name !== '$comment');
  if (names.length === 1 && typeof json.ref === 'string') return json.ref.startsWith('@');
  return names.length === 2 && names.includes('op') && names.includes('args');
}

export function holdsExpression(json: Authored): boolean {
  return placesIn(json).some((path) => isExpression(at(json, path)));
}

/** A slot with the type it is read with; undefined for an `assign` to a variable without a local. */
export interface SlotPlace extends Placed {
  readonly json: Authored;
  readonly type: Type | undefined;
  readonly step?: Authored;
  readonly name: string;
}

export function slotsOf(world: MutantWorld): readonly SlotPlace[] {
  const effects = effectsOf(world);
  const plans = plansOf(world);
  const inputOf = new Map(plans.map(({ name, json }) => [name, json.input as string]));
  const ref = (name: string | undefined): Type | undefined => (name === undefined ? undefined : { kind: 'ref', name });
  const typeOf = (plan: Authored, step: Authored, name: string): Type | undefined => {
    switch (name) {
      case 'params':
        return ref(effects.get(step.kind)?.params);
      case 'idempotency_key':
        return { kind: 'hash' };
      case 'value':
        return ref(step.event);
      case 'result':
        return ref(plan.output);
      case 'input':
        return ref(inputOf.get(step.plan));
      case 'inputs':
        return { kind: 'list', item: ref(inputOf.get(step.plan)) as Type };
      default:
        return ref(plan.locals?.[step.bind.as]);
    }
  };
  const steps = plans.flatMap(({ node, json, steps: list }) =>
    list.flatMap((step, index) =>
      (SLOTS[step.op] ?? []).flatMap((name): SlotPlace[] =>
        name in step
          ? [{ node, path: ['steps', index, name], json: step[name], type: typeOf(json, step, name), step, name }]
          : [],
      ),
    ),
  );
  const manifest = manifestOf(world);
  const triggers = triggersOf(world).flatMap((trigger, index): SlotPlace[] =>
    'input_expr' in trigger
      ? [
          {
            node: manifest.node,
            path: ['triggers', index, 'input_expr'],
            json: trigger.input_expr,
            type: ref(inputOf.get(trigger.plan)),
            name: 'input_expr',
          },
        ]
      : [],
  );
  return [...steps, ...triggers];
}

/** A part of a slot with its type and its two paths. */
export interface SlotPart {
  readonly json: Authored;
  /** As written: refs not resolved. */
  readonly type: Type;
  readonly path: Path;
  /** In the canonical form of the slot, were it an expression. */
  readonly canonical: Path;
  /** May null stand here? The type is that of the value, then. */
  readonly optional: boolean;
}

/**
 * Parts of a slot that are written in sugar, itself first, and the expressions and tagged values in it, into which it does
 * not go. Nothing below a set and the pairs of a map, whose order the canonical form chooses.
 */
export function sugarParts(slot: SlotPlace, scope: TypeScope): readonly SlotPart[] {
  const found: SlotPart[] = [];
  const visit = (json: Authored, type: Type, path: Path, canonical: Path, optional = false): void => {
    found.push({ json, type, path, canonical, optional });
    if (isExpression(json) || looksTagged(json)) return;
    const target = tryResolveType(type, scope);
    switch (target?.kind) {
      case 'option':
        if (json !== null) {
          found.pop();
          visit(json, target.item, path, canonical, true);
        }
        break;
      case 'record':
        for (const name of keys(json)) {
          const field = target.fields.get(name);
          if (field !== undefined) visit(json[name], field, [...path, name], [...canonical, 'record', name]);
        }
        break;
      case 'variant': {
        const [tag, ...rest] = keys(json);
        const arm = tag === undefined || rest.length > 0 ? undefined : target.arms.get(tag);
        if (arm !== undefined && tryResolveType(arm, scope)?.kind !== 'unit') {
          visit(json[tag as string], arm, [...path, tag as string], [...canonical, 'variant', 'value']);
        }
        break;
      }
      case 'list':
        if (Array.isArray(json)) {
          for (const [index, item] of json.entries()) {
            visit(item, target.item, [...path, index], [...canonical, 'list', index]);
          }
        }
        break;
      case 'map': {
        if (target.key.kind !== 'text' || Array.isArray(json)) break;
        const sorted = keys(json).sort(compareCanonicalKeys);
        for (const name of keys(json)) {
          visit(json[name], target.value, [...path, name], [...canonical, 'map', sorted.indexOf(name), 'value']);
        }
        break;
      }
      default:
        break;
    }
  };
  if (slot.type !== undefined) visit(slot.json, slot.type, slot.path, slot.path);
  return found;
}

/** References in a slot whose place in the canonical form is known: not those below what `sugarParts` does not go into. */
export function refsOfSlot(slot: SlotPlace, scope: TypeScope): ReturnType<typeof refsIn> {
  const reordered = sugarParts(slot, scope).filter(
    ({ json, type }) => Array.isArray(json) && tryResolveType(type, scope)?.kind !== 'list',
  );
  return refsIn(slot.json ?? null, slot.path).filter(
    ({ path }) => !reordered.some((part) => isPrefix(part.path, path)),
  );
}

export function looksTagged(json: Authored): boolean {
  const names = keys(json);
  if (names.length === 1 && LENS_TAGS.has(names[0] as string)) return true;
  return names.length > 0 && names.every((name) => name === 'tag' || name === 'value') && typeof json.tag === 'string';
}

/** The path of a part of an expression or a slot in the canonical form of the node. */
export function canonicalPath(world: MutantWorld, node: number, path: Path): Path {
  const scope = scopeOf(world);
  const slot = slotsOf(world).find((each) => each.node === node && isPrefix(each.path, path));
  if (slot === undefined) return path;
  // The deepest sugar part above the place; what is below it is an expression or tagged, and stays as written.
  const part = sugarParts(slot, scope)
    .filter((each) => isPrefix(each.path, path))
    .at(-1);
  return part === undefined ? path : [...part.canonical, ...path.slice(part.path.length)];
}

function isPrefix(prefix: Path, path: Path): boolean {
  return prefix.length <= path.length && prefix.every((part, index) => part === path[index]);
}

/**
 * Steps that come after a step by edges and by data edges (`plans.md` §6.1), as indices.
 *
 * @param without - Only those that are reached by a way around this step.
 */
export function after(plan: PlanView, step: number, without?: number): ReadonlySet<number> {
  const indexOf = new Map(plan.steps.map(({ id }, index) => [id, index]));
  const next = (index: number): number[] => {
    const { id, bind } = plan.steps[index];
    const bound = Object.values(bind ?? {});
    return [
      ...plan.edges.flatMap(({ from, to }) => (from === id ? [indexOf.get(to) as number] : [])),
      ...plan.steps.flatMap(({ for: handle, handles }, other) =>
        refsIn(handle ?? handles ?? null).some(
          ({ text }) =>
            text === `@step:${id}` || bound.some((name) => text === `@var:${name}` || text.startsWith(`@step:${id}.`)),
        ) && other !== index
          ? [other]
          : [],
      ),
    ];
  };
  const found = new Set<number>();
  const open = next(step);
  for (let each = open.pop(); each !== undefined; each = open.pop()) {
    if (found.has(each) || each === without) continue;
    found.add(each);
    open.push(...next(each));
  }
  return found;
}

export function isCorrelated(world: MutantWorld, plan: string): boolean {
  return triggersOf(world).some((trigger) => trigger.plan === plan && trigger.correlate_by !== undefined);
}

/** Does a plan spawn this one? */
export function isSpawned(world: MutantWorld, plan: string): boolean {
  return plansOf(world).some(({ steps }) => steps.some((step) => step.plan === plan));
}

export { isJsonObject };
