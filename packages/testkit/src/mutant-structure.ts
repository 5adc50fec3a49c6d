import { printJson } from '@worldline/air';
import { type Path, pointer } from '@worldline/canon';
import {
  type Authored,
  at,
  copy,
  drop,
  type Expected,
  type MutantWorld,
  type MutationClass,
  misspelt,
  type Place,
  put,
} from './mutant.ts';
import { BINDS, EXPRS, manifestOf, nodesOf, placesIn, SLOTS } from './mutant-view.ts';

/** Faults in the structure of nodes: V-101 … V-107 (`definitions.md` §1, §3, §10). */

/** What stands behind a member. */
type Kind =
  | 'name'
  | 'ident'
  | 'kind'
  | 'hash'
  | 'text'
  | 'enum'
  | 'list'
  | 'object'
  | 'integer'
  | 'expr'
  | 'slot'
  | 'type';

interface Shape {
  readonly node: number;
  readonly path: Path;
  readonly json: Authored;
  readonly required: Readonly<Record<string, Kind>>;
  readonly optional: Readonly<Record<string, Kind>>;
}

const STEP_MEMBERS: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  raise_event: { event: 'name' },
  emit_effect: { kind: 'kind', cap: 'ident' },
  await_receipt: {},
  await_event: { event: 'name' },
  assign: {},
  end: {},
  spawn_plan: { plan: 'name' },
  await_plan: {},
  spawn_for_each: { plan: 'name' },
  await_plans_all: {},
};

const OPTIONAL_MEMBERS: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  emit_effect: { idempotency_key: 'slot' },
  await_event: { where: 'expr' },
  end: { result: 'slot' },
  spawn_for_each: { max_fanout: 'integer' },
};

/** Every object of fixed members in the nodes of a world. The name of a definition is not among its members here. */
function shapesOf(world: MutantWorld): readonly Shape[] {
  return world.nodes.flatMap((json, node): Shape[] => {
    const shape = (
      path: Path,
      required: Readonly<Record<string, Kind>>,
      optional: Readonly<Record<string, Kind>> = {},
    ): Shape[] => {
      const found = at(json, path);
      return found === undefined ? [] : [{ node, path, json: found, required, optional }];
    };
    const each = (path: Path, of: (path: Path, item: Authored) => Shape[]): Shape[] =>
      (at(json, path) ?? []).flatMap((item: Authored, index: number) => of([...path, index], item));
    switch (json.$kind) {
      case 'defschema':
        return shape([], { type: 'type' });
      case 'defeffect':
        return shape(
          [],
          { kind: 'kind', params_schema: 'name', receipt_schema: 'name', cap_type: 'kind', origin_scope: 'enum' },
          { description: 'text' },
        );
      case 'defcap':
        return [
          ...shape([], { cap_type: 'kind', schema: 'type' }, { enforcer: 'object' }),
          ...shape(['enforcer'], { module: 'name' }),
        ];
      case 'defpolicy':
        return [
          ...shape([], { rules: 'list' }),
          ...each(['rules'], (path) => [
            ...shape(path, { when: 'object', decision: 'enum' }),
            ...shape(
              [...path, 'when'],
              {},
              {
                effect_kind: 'kind',
                cap_name: 'ident',
                cap_type: 'kind',
                origin_kind: 'enum',
                origin_name: 'name',
              },
            ),
          ]),
        ];
      case 'defsecret':
        return shape(
          [],
          { binding_id: 'text' },
          { expected_digest: 'hash', allowed_caps: 'list', allowed_plans: 'list' },
        );
      case 'defplan':
        return [
          ...shape(
            [],
            { input: 'name', steps: 'list' },
            {
              output: 'name',
              locals: 'object',
              edges: 'list',
              required_caps: 'list',
              allowed_effects: 'list',
              invariants: 'list',
            },
          ),
          ...each(['steps'], (path, step) => [
            ...shape(
              path,
              {
                id: 'ident',
                ...STEP_MEMBERS[step.op],
                ...Object.fromEntries(
                  (SLOTS[step.op] ?? []).flatMap((name) =>
                    name in (OPTIONAL_MEMBERS[step.op] ?? {}) ? [] : [[name, 'slot' as const]],
                  ),
                ),
                ...(step.op in EXPRS && step.op !== 'await_event'
                  ? { [EXPRS[step.op] as string]: 'expr' as const }
                  : {}),
                ...(step.op in BINDS ? { bind: 'object' as const } : {}),
              },
              OPTIONAL_MEMBERS[step.op] ?? {},
            ),
            ...(step.op in BINDS ? shape([...path, 'bind'], { [BINDS[step.op] as string]: 'ident' }) : []),
          ]),
          ...each(['edges'], (path) => shape(path, { from: 'ident', to: 'ident' }, { when: 'expr' })),
        ];
      case 'manifest':
        return [
          ...shape(
            [],
            { schemas: 'list', modules: 'list', plans: 'list', caps: 'list', policies: 'list' },
            { effects: 'list', secrets: 'list', defaults: 'object', module_bindings: 'object', triggers: 'list' },
          ),
          ...shape(['defaults'], {}, { policy: 'name', cap_grants: 'list' }),
          ...each(['defaults', 'cap_grants'], (path) =>
            shape(path, { name: 'ident', cap: 'name', params: 'slot' }, { expiry_ns: 'integer' }),
          ),
          ...each(['triggers'], (path) =>
            shape(path, { event: 'name', plan: 'name' }, { correlate_by: 'text', when: 'expr', input_expr: 'slot' }),
          ),
        ];
      default:
        return [];
    }
  });
}

function label(node: number, path: Path, what = ''): string {
  return `node ${node} ${pointer(path) || '/'}${what === '' ? '' : ` (${what})`}`;
}

/** A class of one change and one finding at one place. */
function single(
  name: string,
  code: string,
  rule: string,
  places: (world: MutantWorld) => readonly {
    readonly node: number;
    readonly path: Path;
    /** Where the finding is, when that is not where the change is. */
    readonly found?: Path | undefined;
    readonly value?: Authored;
    readonly remove?: boolean;
    readonly hint?: string | undefined;
    readonly code?: string;
    readonly rule?: string;
    readonly mayFollow?: readonly string[] | undefined;
  }[],
): MutationClass {
  return {
    name,
    alone: true,
    places: (world) =>
      places(world).map(
        ({ node, path, found, value, remove, hint, code: other, rule: otherRule, mayFollow }): Place => ({
          at: label(node, path, value === undefined ? '' : printJson(value ?? null).slice(0, 40)),
          node,
          mayFollow,
          change: (draft): readonly Expected[] => {
            if (remove === true) drop(draft.nodes[node], path);
            else put(draft.nodes[node], path, copy(value));
            return [{ code: other ?? code, rule: otherRule ?? rule, node, path: found ?? path, hint }];
          },
        }),
      ),
  };
}

function members(
  world: MutantWorld,
  kinds?: readonly Kind[],
): readonly {
  readonly node: number;
  readonly path: Path;
  readonly kind: Kind;
  readonly value: Authored;
  readonly required: boolean;
}[] {
  return shapesOf(world).flatMap(({ node, path, json, required, optional }) =>
    Object.entries({ ...required, ...optional }).flatMap(([name, kind]) =>
      name in json && (kinds === undefined || kinds.includes(kind))
        ? [{ node, path: [...path, name], kind, value: json[name], required: name in required }]
        : [],
    ),
  );
}

/** A value of a kind that the member cannot have, with the code and rule that say so. */
const WRONG: Readonly<Record<Kind, readonly [value: Authored, code?: string, rule?: string] | undefined>> = {
  name: [7],
  ident: [true],
  kind: [['http.request']],
  hash: [{ sha256: 'ab' }],
  text: [7],
  enum: [1],
  list: [{}],
  object: [[]],
  integer: [{}],
  expr: [true, 'expr.invalid', 'V-109'],
  slot: undefined,
  type: ['text', 'type.invalid', 'V-301'],
};

const BAD_NAMES = ['Shop/x@1', 'shop/x', 'shop/x@0', 'shop/x@01', 'x@1', 'shop/x y@1', '/x@1', 'shop/1x@1'];
const BAD_IDENTS = ['1st', '', 'a b', `a${'b'.repeat(64)}`, 'é', '@var:x'];
const BAD_KINDS = ['Http', '', '.x', 'http request'];
const BAD_HASHES = ['sha256:ab', `sha256:${'AB'.repeat(32)}`, `sha512:${'ab'.repeat(32)}`, `sha256:${'zz'.repeat(32)}`];

/** Members that a finding elsewhere needs: without them, what names them is found missing too. */
const NAMING: Readonly<Record<string, readonly string[]>> = {
  name: ['grant.not_found', 'secret.not_permitted'],
};

function followers(path: Path): readonly string[] | undefined {
  return path.includes('cap_grants') ? NAMING[String(path.at(-1))] : undefined;
}

export const STRUCTURE_CLASSES: readonly MutationClass[] = [
  single('a required member left out', 'node.bad_field', 'V-103', (world) =>
    members(world).flatMap(({ node, path, required }) =>
      required ? [{ node, path, remove: true, mayFollow: followers(path) }] : [],
    ),
  ),
  single('a member of the wrong JSON kind', 'node.bad_field', 'V-103', (world) =>
    members(world).flatMap(({ node, path, kind }) => {
      const wrong = WRONG[kind];
      if (wrong === undefined) return [];
      const [value, code = 'node.bad_field', rule = 'V-103'] = wrong;
      return [{ node, path, value, code, rule, mayFollow: followers(path) }];
    }),
  ),
  single('null for a list or a map', 'node.bad_field', 'V-103', (world) =>
    members(world).flatMap(({ node, path, kind }) =>
      // Null for an optional object means absent; locals and bindings are maps.
      kind === 'list' || ['locals', 'module_bindings'].includes(String(path.at(-1)))
        ? [{ node, path, value: null }]
        : [],
    ),
  ),
  single('an unknown member', 'node.unknown_field', 'V-104', (world) =>
    shapesOf(world).map(({ node, path }) => ({
      node,
      path: [...path, 'zz_unheard_of'],
      value: 1,
      hint: 'Known members',
    })),
  ),
  single('a misspelt member beside the right one', 'node.unknown_field', 'V-104', (world) =>
    shapesOf(world).flatMap(({ node, path, json, required, optional }) =>
      Object.keys({ ...required, ...optional }).flatMap((name) => {
        const wrong = name.length < 4 ? undefined : misspelt(name, Object.keys({ ...required, ...optional }));
        return wrong === undefined ? [] : [{ node, path: [...path, wrong], value: json[name] ?? 1, hint: `"${name}"` }];
      }),
    ),
  ),
  single('a word that is none of the allowed ones', 'node.bad_field', 'V-103', (world) =>
    members(world, ['enum']).map(({ node, path }) => ({ node, path, value: 'perhaps' })),
  ),
  single('an unknown step kind', 'node.bad_field', 'V-103', (world) =>
    nodesOf(world, 'defplan').flatMap(({ node, json }) =>
      json.steps.map((step: Authored, index: number) => ({
        node,
        path: ['steps', index, 'op'],
        value: misspelt(step.op, []) ?? 'ned',
        hint: `"${step.op}"`,
      })),
    ),
  ),
  single('a bad name', 'name.invalid', 'V-105', (world) =>
    members(world, ['name']).map(({ node, path }, index) => ({
      node,
      path,
      value: BAD_NAMES[index % BAD_NAMES.length],
    })),
  ),
  single('a bad name of a reference in the manifest', 'name.invalid', 'V-105', (world) => {
    const { node, json } = manifestOf(world);
    return ['schemas', 'plans', 'caps', 'policies', 'modules', 'effects'].map((section, index) => ({
      node,
      path: [section],
      found: [section, (json[section] ?? []).length, 'name'],
      value: [...(json[section] ?? []), { name: BAD_NAMES[index % BAD_NAMES.length] }],
    }));
  }),
  single('a bad identifier', 'ident.invalid', 'V-106', (world) =>
    members(world, ['ident']).map(({ node, path }, index) => ({
      node,
      path,
      value: BAD_IDENTS[index % BAD_IDENTS.length],
      mayFollow: followers(path),
    })),
  ),
  single('a bad effect kind or cap type', 'ident.invalid', 'V-106', (world) =>
    members(world, ['kind']).map(({ node, path }, index) => ({
      // Whose kind is not known defines none.
      mayFollow: path.length === 1 && path[0] === 'kind' ? ['effect.not_found', 'plan.effect_unknown'] : undefined,
      node,
      path,
      value: BAD_KINDS[index % BAD_KINDS.length],
    })),
  ),
  single('a bad name of a local', 'ident.invalid', 'V-106', (world) =>
    nodesOf(world, 'defplan').flatMap(({ node, json }) =>
      BAD_IDENTS.map((local) => ({
        node,
        path: ['locals'],
        found: ['locals', local],
        value: { ...json.locals, [local]: 'sys/PlanError@1' },
      })),
    ),
  ),
  single('a bad hash', 'hash.invalid', 'V-107', (world) => [
    ...members(world, ['hash']).map(({ node, path }, index) => ({
      node,
      path,
      value: BAD_HASHES[index % BAD_HASHES.length],
    })),
    ...['schemas', 'plans'].flatMap((section) => {
      const { node, json } = manifestOf(world);
      return json[section].map((_: Authored, index: number) => ({
        node,
        path: [section, index, 'hash'],
        value: BAD_HASHES[index % BAD_HASHES.length],
      }));
    }),
  ]),
  single('a number out of range', 'node.bad_field', 'V-103', (world) =>
    members(world, ['integer']).flatMap(({ node, path }) =>
      ['-1', path.at(-1) === 'max_fanout' ? 0 : '18446744073709551616', 'many'].map((value) => ({ node, path, value })),
    ),
  ),
  single('an expression that is a bare value', 'expr.invalid', 'V-109', (world) =>
    members(world, ['expr']).flatMap(({ node, path }) =>
      [null, 'x', 1, [], {}, { const: { bool: true } }, { bool: true, text: 'x' }].flatMap((value) =>
        value === null && ['when', 'where'].includes(String(path.at(-1)))
          ? []
          : [
              {
                node,
                path,
                value,
                found: Object.keys(value ?? {})[0] === 'const' ? [...path, 'const'] : path,
                // Null for a required member is a value that is no expression.
              },
            ],
      ),
    ),
  ),
  {
    name: 'an unknown kind of node',
    alone: true,
    places: (world) =>
      nodesOf(world, 'defschema').map(
        ({ node, json }): Place => ({
          at: label(node, [], 'a copy'),
          node,
          change: (draft) => {
            const added = draft.add({ ...copy(json), $kind: 'defschmea', name: 'mutant/other@1' });
            return [{ code: 'node.unknown_kind', rule: 'V-102', node: added, path: ['$kind'], hint: '"defschema"' }];
          },
        }),
      ),
  },
  {
    name: 'a node without a kind',
    alone: true,
    places: (world) =>
      [{}, [], 7, 'x', null].map(
        (node): Place => ({
          at: `a further node ${JSON.stringify(node)}`,
          node: world.nodes.length,
          change: (draft) => {
            const added = draft.add(node);
            // In a file by itself only an object is a node; in a list anything is judged as one.
            draft.texts.set(added, JSON.stringify([node]));
            return [
              Array.isArray(node) || node === null || typeof node !== 'object'
                ? { code: 'node.bad_field', rule: 'V-103', node: added, path: [] }
                : { code: 'node.unknown_kind', rule: 'V-102', node: added, path: [] },
            ];
          },
        }),
      ),
  },
  {
    name: 'a definition without a name',
    alone: true,
    places: (world) =>
      world.nodes.flatMap((json, node): Place[] =>
        json.$kind === 'manifest' || json.$kind === 'defsecret'
          ? []
          : [
              {
                at: label(node, [], 'a copy'),
                node,
                change: (draft) => {
                  const nameless = copy(json);
                  delete nameless.name;
                  return [{ code: 'node.bad_field', rule: 'V-103', node: draft.add(nameless), path: ['name'] }];
                },
              },
            ],
      ),
  },
];

/** Changes that are none: the world stays sound, and every hash stays as it is. */
export const HARMLESS_CLASSES: readonly MutationClass[] = [
  {
    name: 'harmless: a comment in any object of a definition',
    places: (world) =>
      shapesOf(world).map(
        ({ node, path }): Place => ({
          at: label(node, path),
          node,
          change: (draft) => {
            at(draft.nodes[node], path).$comment = { any: ['thing'] };
            return [];
          },
        }),
      ),
  },
  {
    name: 'harmless: members in another order',
    places: (world) =>
      world.nodes.flatMap((json, node) =>
        placesIn(json).flatMap((path): Place[] => {
          const found = at(json, path);
          if (found === null || typeof found !== 'object' || Array.isArray(found) || Object.keys(found).length < 2)
            return [];
          return [
            {
              at: label(node, path),
              node,
              change: (draft) => {
                const turned = Object.fromEntries(Object.entries(at(draft.nodes[node], path)).reverse());
                if (path.length === 0) draft.nodes[node] = turned;
                else put(draft.nodes[node], path, turned);
                return [];
              },
            },
          ];
        }),
      ),
  },
  {
    name: 'harmless: null for an optional member that is absent',
    places: (world) =>
      shapesOf(world).flatMap(({ node, path, json, optional }) =>
        Object.entries(optional).flatMap(([name, kind]): Place[] =>
          name in json || kind === 'list' || kind === 'slot' || ['locals', 'module_bindings'].includes(name)
            ? []
            : [
                {
                  at: label(node, [...path, name]),
                  node,
                  change: (draft) => {
                    at(draft.nodes[node], path)[name] = null;
                    return [];
                  },
                },
              ],
        ),
      ),
  },
];
