import { resolveType, type Type, type TypeScope, tryResolveType } from '@worldline/air';
import { type Path, pointer } from '@worldline/canon';
import {
  type Authored,
  copy,
  type Draft,
  type Expected,
  LOST_FACTS,
  type MutantWorld,
  type MutationClass,
  misspelt,
  type Place,
  put,
} from './mutant.ts';
import {
  canonicalPath,
  isCorrelated,
  manifestOf,
  type PlanView,
  plansOf,
  refsIn,
  refsOfSlot,
  scopeOf,
  slotsOf,
  sugarParts,
  triggersOf,
} from './mutant-view.ts';

/** Faults in expressions: their form (V-109, V-513, V-707) and their types (`expressions.md` §13). */

export const ref = (text: string): Authored => ({ ref: text });
export const op = (name: string, ...args: Authored[]): Authored => ({ op: name, args });
export const nat = (value: number | string): Authored => ({ nat: value });
export const text = (value: string): Authored => ({ text: value });

/** What an expression may read at a place. */
export interface Reads {
  readonly input?: Type | undefined;
  readonly event?: Type | undefined;
}

/** A place that takes one more expression. */
interface Room {
  readonly at: string;
  readonly node: number;
  readonly reads: Reads;
  /** A guard, a condition or an invariant, in which a bool is wanted. */
  readonly isPredicate: boolean;
  /** How deep the expression stands in its slot: 1 at its root. */
  readonly depth: number;
  readonly step?: Authored;
  /** Put the expression there. @returns its path. */
  readonly fill: (draft: Draft, expr: Authored) => Path;
}

function named(name: string | undefined): Type | undefined {
  return name === undefined ? undefined : { kind: 'ref', name };
}

/** Every predicate, and for every plan one more invariant and one more `assign`. */
function roomsOf(world: MutantWorld): readonly Room[] {
  return [...plansOf(world).flatMap(roomsOfPlan), ...triggerRooms(world)];
}

function joined(before: Authored, expr: Authored, path: Path): { readonly value: Authored; readonly path: Path } {
  return before === undefined || before === null
    ? { value: expr, path }
    : { value: op('and', copy(before), expr), path: [...path, 'args', 1] };
}

function roomsOfPlan(plan: PlanView): readonly Room[] {
  const { node, json } = plan;
  const reads: Reads = { input: named(json.input) };
  const edges = plan.edges.map(
    (edge, index): Room => ({
      at: `${plan.name} edge ${index}`,
      node,
      reads,
      isPredicate: true,
      depth: edge.when === undefined ? 1 : 2,
      fill: (draft, expr) => {
        const { value, path } = joined(edge.when, expr, ['edges', index, 'when']);
        draft.nodes[node].edges[index].when = value;
        return path;
      },
    }),
  );
  const waits = plan.steps.flatMap((step, index): Room[] =>
    step.op !== 'await_event' || step.where === undefined
      ? []
      : [
          {
            at: `${plan.name} where of ${step.id}`,
            node,
            reads: { ...reads, event: named(step.event) },
            isPredicate: true,
            depth: 2,
            step,
            fill: (draft, expr) => {
              const { value, path } = joined(step.where, expr, ['steps', index, 'where']);
              draft.nodes[node].steps[index].where = value;
              return path;
            },
          },
        ],
  );
  return [
    ...edges,
    ...waits,
    {
      at: `${plan.name} a further invariant`,
      node,
      reads,
      isPredicate: true,
      depth: 1,
      fill: (draft, expr) => {
        const target = draft.nodes[node];
        target.invariants = [...(target.invariants ?? []), expr];
        return ['invariants', target.invariants.length - 1];
      },
    },
    {
      at: `${plan.name} a further assign`,
      node,
      reads,
      isPredicate: false,
      depth: 1,
      fill: (draft, expr) => {
        const { steps } = draft.nodes[node];
        steps.push({ id: `mutant${steps.length}`, op: 'assign', expr, bind: { as: `mutant${steps.length}` } });
        return ['steps', steps.length - 1, 'expr'];
      },
    },
  ];
}

function triggerRooms(world: MutantWorld): readonly Room[] {
  const { node } = manifestOf(world);
  return triggersOf(world).map(
    (trigger, index): Room => ({
      at: `when of trigger ${index}`,
      node,
      reads: { event: named(trigger.event) },
      isPredicate: true,
      depth: trigger.when === undefined ? 1 : 2,
      fill: (draft, expr) => {
        const { value, path } = joined(trigger.when, expr, ['triggers', index, 'when']);
        draft.nodes[node].triggers[index].when = value;
        return path;
      },
    }),
  );
}

interface Fault {
  readonly expr: Authored;
  readonly found: readonly (readonly [code: string, path: Path, hint?: string])[];
}

/** The same finding at each of some places. */
function fault(expr: Authored, code: string, path: Path, hint?: string): Fault {
  return { expr, found: [[code, path, hint]] };
}

/** A class of expressions with a fault. */
function inRooms(
  name: string,
  find: (room: Room, scope: TypeScope) => readonly Fault[],
  options: { readonly rule?: string; readonly predicates?: boolean; readonly alone?: boolean } = {},
): MutationClass {
  return {
    name,
    alone: options.alone,
    places: (world) => {
      const scope = scopeOf(world);
      return roomsOf(world).flatMap((room) =>
        options.predicates === true && !room.isPredicate
          ? []
          : find(room, scope).map(
              ({ expr, found }): Place => ({
                at: `${room.at}: ${JSON.stringify(expr).slice(0, 80)}`,
                node: room.node,
                // Guards of other edges stand for facts; one that is wrong gives none.
                mayFollow: LOST_FACTS,
                change: (draft) => {
                  const path = room.fill(draft, copy(expr));
                  return found.map(
                    ([code, inner, hint]): Expected => ({
                      code,
                      rule: options.rule,
                      node: room.node,
                      path: [...path, ...inner],
                      hint,
                    }),
                  );
                },
              }),
            ),
      );
    },
  };
}

const one = nat(1);
const yes = { bool: true };

/** A predicate around a value, true or not: `eq(value, value)`, faulty in its first argument. */
function compared(
  room: Room,
  value: Authored,
  other: Authored,
  found: readonly (readonly [code: string, path: Path, hint?: string])[],
): Fault {
  return room.isPredicate
    ? { expr: op('eq', value, other), found: found.map(([code, path, hint]) => [code, ['args', 0, ...path], hint]) }
    : { expr: value, found };
}

export const FORM_CLASSES: readonly MutationClass[] = [
  inRooms(
    'an unknown operator',
    (room) =>
      ['equals', 'if', 'EQ', ''].map((name) => compared(room, op(name, one, one), yes, [['expr.invalid', ['op']]])),
    { rule: 'V-109', alone: true },
  ),
  inRooms(
    'an operator with a wrong number of arguments',
    (room) =>
      [op('eq', one), op('not', yes, yes), op('and', yes), op('len'), op('add', one, one, one), op('has', one)].map(
        (expr) => compared(room, expr, yes, [['expr.invalid', ['args']]]),
      ),
    { rule: 'V-109', alone: true },
  ),
  inRooms(
    'a reference that is none',
    (room) =>
      [
        '@plan.inputs',
        '@event_x',
        '@plan.input.',
        '@plan.input..a',
        '@var:',
        '@var:1x',
        '@step:',
        '@',
        '@now',
        '@event.$when',
      ].map((wrong) => compared(room, ref(wrong), yes, [['expr.invalid', ['ref']]])),
    { rule: 'V-109', alone: true },
  ),
  inRooms(
    'a constant that is none',
    () =>
      (
        [
          [{ nat: -1 }, 'nat'],
          [{ int: '9223372036854775808' }, 'int'],
          [{ bool: 'true' }, 'bool'],
          [{ text: 7 }, 'text'],
          [{ dec128: '1.' }, 'dec128'],
          [{ bytes_b64: 'A' }, 'bytes_b64'],
          [{ hash: 'sha256:ab' }, 'hash'],
          [{ uuid: 'x' }, 'uuid'],
          [{ time_ns: -1 }, 'time_ns'],
          [{ duration_ns: '9223372036854775808' }, 'duration_ns'],
        ] as const
      ).map(([expr, tag]) => fault(op('eq', expr, yes), 'expr.invalid', ['args', 0, tag])),
    { rule: 'V-109', alone: true },
  ),
  inRooms(
    'a constructor of another shape',
    () =>
      (
        [
          [{ record: [] }, ['record']],
          [{ record: { $a: yes } }, ['record', '$a']],
          [{ list: {} }, ['list']],
          [{ set: 'x' }, ['set']],
          [{ map: {} }, ['map']],
          [{ map: [{ key: one }] }, ['map', 0]],
          [{ map: [{ key: one, value: one, extra: one }] }, ['map', 0]],
          [{ variant: { value: one } }, ['variant']],
          [{ variant: { tag: 7 } }, ['variant']],
          [{ const: yes }, ['const']],
          [{ op: 'not' }, ['op']],
        ] as const
      ).map(([expr, path]) => fault(op('eq', expr, yes), 'expr.invalid', ['args', 0, ...path])),
    { rule: 'V-109', alone: true },
  ),
  inRooms(
    'an expression that is too large',
    (room) =>
      room.depth > 1
        ? []
        : [fault(op('or', ...Array.from({ length: 10_001 }, () => yes)), 'expr_too_large', ['args', 9_999])],
    { rule: 'V-109', alone: true },
  ),
];

/** Every reference of slots, guards and invariants, with its place. */
function placedRefs(world: MutantWorld): readonly {
  readonly node: number;
  readonly path: Path;
  readonly text: string;
  readonly plan: PlanView;
  readonly where: 'slot' | 'guard' | 'invariant' | 'condition';
  readonly step?: Authored;
}[] {
  const scope = scopeOf(world);
  return plansOf(world).flatMap((plan) => {
    const { node } = plan;
    const of = (json: Authored, path: Path, where: 'guard' | 'invariant' | 'condition', step?: Authored) =>
      refsIn(json ?? null, path).map((each) => ({ node, plan, where, step, ...each }));
    return [
      ...slotsOf(world)
        .filter((slot) => slot.node === node)
        .flatMap((slot) =>
          refsOfSlot(slot, scope).map((each) => ({ node, plan, where: 'slot' as const, step: slot.step, ...each })),
        ),
      ...plan.edges.flatMap(({ when }, index) => of(when, ['edges', index, 'when'], 'guard')),
      ...plan.steps.flatMap((step, index) =>
        step.op === 'await_event' ? of(step.where, ['steps', index, 'where'], 'condition', step) : [],
      ),
      ...(plan.json.invariants ?? []).flatMap((invariant: Authored, index: number) =>
        of(invariant, ['invariants', index], 'invariant'),
      ),
    ];
  });
}

/** Another text for a reference in a slot or a guard. */
function rewritten(
  name: string,
  find: (
    placed: ReturnType<typeof placedRefs>[number],
    world: MutantWorld,
    scope: TypeScope,
  ) => readonly {
    readonly text: string;
    readonly code: string;
    readonly below?: Path;
    readonly hint?: string | undefined;
  }[],
): MutationClass {
  return {
    name,
    places: (world) => {
      const scope = scopeOf(world);
      return placedRefs(world).flatMap((placed) =>
        find(placed, world, scope).map(
          ({ text: other, code, below = [], hint }): Place => ({
            at: `${placed.plan.name} ${pointer(placed.path)} ${other}`,
            node: placed.node,
            mayFollow: LOST_FACTS,
            change: (draft) => {
              put(draft.nodes[placed.node], placed.path, { ref: other });
              return [
                { code, node: placed.node, path: [...canonicalPath(world, placed.node, placed.path), ...below], hint },
              ];
            },
          }),
        ),
      );
    },
  };
}

function variablesOf(plan: PlanView): readonly string[] {
  return [
    'correlation_id',
    ...Object.keys(plan.json.locals ?? {}),
    ...plan.steps.flatMap(({ bind }) => Object.values(bind ?? {}) as string[]),
  ];
}

/** The type that a path leads to through records, or undefined. */
function along(type: Type | undefined, segments: readonly string[], scope: TypeScope): Type | undefined {
  return segments.reduce<Type | undefined>((found, segment) => {
    const target = found && tryResolveType(found, scope);
    return target?.kind === 'record' ? target.fields.get(segment) : undefined;
  }, type);
}

export const SCOPE_CLASSES: readonly MutationClass[] = [
  rewritten('a variable that nothing binds', ({ text: found, plan, where }) => {
    if (where === 'invariant' || where === 'condition' || !found.startsWith('@var:')) return [];
    const [name = '', ...path] = found.slice('@var:'.length).split('.');
    const wrong = misspelt(name, variablesOf(plan));
    const tail = path.map((segment) => `.${segment}`).join('');
    return [
      { text: `@var:zz_unheard_of${tail}`, code: 'ref_unknown_var', below: ['ref'] },
      ...(wrong === undefined
        ? []
        : [{ text: `@var:${wrong}${tail}`, code: 'ref_unknown_var', below: ['ref'], hint: `"${name}"` }]),
    ];
  }),
  rewritten('a step that is not there', ({ where }) =>
    where === 'invariant' || where === 'condition'
      ? []
      : [{ text: '@step:zz_unheard_of.a.b', code: 'ref_unknown_step', below: ['ref'] }],
  ),
  rewritten('an event where there is none', ({ where }) =>
    where === 'invariant' || where === 'condition'
      ? []
      : [{ text: '@event.id', code: 'ref_root_forbidden', below: ['ref'] }],
  ),
];

/** Fields of the input that have a kind, behind refs but not behind options. */
function fieldsOf(
  reads: Reads,
  scope: TypeScope,
  kinds: readonly string[],
): readonly (readonly [text: string, type: Type])[] {
  const roots = [
    ['@plan.input', reads.input],
    ['@event', reads.event],
  ] as const;
  return roots.flatMap(([root, type]) => {
    const target = type && tryResolveType(type, scope);
    if (target?.kind !== 'record') return [];
    return [...target.fields].flatMap(([name, field]) => {
      const kind = tryResolveType(field, scope)?.kind;
      return kind !== undefined && kinds.includes(kind) && !name.includes('.')
        ? [[`${root}.${name}`, field] as const]
        : [];
    });
  });
}

const SCALARS = ['bool', 'int', 'nat', 'dec128', 'bytes', 'text', 'time', 'duration', 'hash', 'uuid', 'list', 'set'];

/** An expression that is no value of a type, and has no fault of its own. */
function otherType(type: Type, scope: TypeScope): Authored {
  switch (type.kind) {
    case 'option':
      return otherType(tryResolveType(type.item, scope) ?? type.item, scope);
    case 'int':
    case 'nat':
    case 'time':
    case 'duration':
      return op('not', yes);
    default:
      return op('len', { list: [] });
  }
}

export const TYPED_CLASSES: readonly MutationClass[] = [
  {
    name: 'a predicate that is no bool',
    places: (world) => {
      const scope = scopeOf(world);
      return roomsOf(world).flatMap((room) => {
        if (!room.isPredicate) return [];
        const options = fieldsOf(room.reads, scope, ['option']).filter(
          ([, field]) =>
            (tryResolveType((resolveType(field, scope) as { item: Type }).item, scope) as Type).kind === 'bool',
        );
        const roots = [
          ...(room.reads.input === undefined ? [] : [ref('@plan.input')]),
          ...(room.reads.event === undefined ? [] : [ref('@event')]),
        ];
        const wrong = [one, text('true'), op('len', { list: [] }), ...roots, ...options.map(([place]) => ref(place))];
        return wrong.map(
          (expr): Place => ({
            at: `${room.at}: ${JSON.stringify(expr)}`,
            node: room.node,
            mayFollow: LOST_FACTS,
            change: (draft) => {
              const filled = room.fill(draft, expr);
              // Not beside what was there, but in its place.
              const path = room.depth === 1 ? filled : filled.slice(0, -2);
              put(draft.nodes[room.node], path, expr);
              const plan = draft.nodes[room.node].name as string;
              const isUnused = room.step !== undefined && isCorrelated(world, plan);
              return [
                { code: 'not_bool', node: room.node, path },
                ...(isUnused ? [{ code: 'plan.correlation_unused', rule: 'V-521', node: room.node, path }] : []),
              ];
            },
          }),
        );
      });
    },
  },
  inRooms('an operand of the wrong type', () => {
    const faults: readonly (readonly [expr: Authored, path: Path])[] = [
      [op('and', yes, { int: 1 }), ['args', 1]],
      [op('or', text('x'), yes), ['args', 0]],
      [op('not', one), ['args', 0]],
      [op('starts_with', text('x'), one), ['args', 1]],
      [op('ends_with', one, text('x')), ['args', 0]],
      [op('gt', op('len', one), one), ['args', 0, 'args', 0]],
      [op('eq', op('concat', text('x'), one), text('x')), ['args', 0, 'args', 1]],
      [op('eq', op('hash_bytes', text('x')), op('hash', one)), ['args', 0, 'args', 0]],
      [op('gt', op('add', text('x'), one), one), ['args', 0, 'args', 0]],
      [op('contains', one, one), ['args', 0]],
      [op('has', yes, yes), ['args', 0]],
    ];
    return faults.map(([expr, path]) => fault(expr, 'operand_type', path));
  }),
  inRooms('operands that do not go together', () =>
    [
      op('lt', text('x'), one),
      op('ge', { dec128: '1' }, one),
      op('gt', op('add', { time_ns: 1 }, { time_ns: 1 }), { time_ns: 1 }),
      op('gt', op('mul', { time_ns: 1 }, { duration_ns: 1 }), one),
    ].map((expr) => fault(expr, 'operand_type', expr.op === 'gt' ? ['args', 0] : ['args', 1])),
  ),
  inRooms('values that can never be equal', () =>
    [
      op('eq', text('5'), nat(5)),
      op('ne', yes, { list: [] }),
      op('eq', { record: { a: one } }, { record: { b: one } }),
    ].map((expr) => fault(expr, 'never_equal', [])),
  ),
  inRooms('an unknown field', (room, scope) =>
    (
      [
        ['@plan.input', room.reads.input],
        ['@event', room.reads.event],
      ] as const
    ).flatMap(([root, type]) => {
      const target = type && tryResolveType(type, scope);
      if (target?.kind !== 'record') return [];
      // In a trigger that is V-707.
      const code = room.reads.input === undefined ? 'trigger.unknown_ref' : 'unknown_field';
      const below: Path = room.reads.input === undefined ? ['ref'] : [];
      const names = [...target.fields.keys()].filter((name) => /^[a-z_]+$/.test(name));
      const meant = names.find((name) => name.length > 3 && misspelt(name, names) !== undefined);
      const wrong = meant === undefined ? undefined : misspelt(meant, names);
      return [
        compared(room, ref(`${root}.zz_unheard_of`), yes, [[code, below]]),
        ...(wrong === undefined ? [] : [compared(room, ref(`${root}.${wrong}`), yes, [[code, below, `${meant}`]])]),
      ];
    }),
  ),
  rewritten('a misspelt field', ({ text: found, plan, step, where }, _world, scope) => {
    const root = found.startsWith('@plan.input.') ? '@plan.input' : found.startsWith('@event.') ? '@event' : undefined;
    if (root === undefined || (root === '@event' && where !== 'condition')) return [];
    const segments = found.slice(root.length + 1).split('.');
    const last = segments.pop() as string;
    const type = along(named(root === '@event' ? step?.event : plan.json.input), segments, scope);
    const target = type && tryResolveType(type, scope);
    if (target?.kind !== 'record' || !target.fields.has(last)) return [];
    const wrong = misspelt(last, target.fields.keys());
    return wrong === undefined
      ? []
      : [{ text: [root, ...segments, wrong].join('.'), code: 'unknown_field', hint: last }];
  }),
  inRooms('a path into a scalar', (room, scope) =>
    room.reads.input === undefined
      ? []
      : fieldsOf(room.reads, scope, SCALARS).map(([place]) =>
          compared(room, ref(`${place}.deeper`), yes, [['path_on_scalar', []]]),
        ),
  ),
  inRooms('a tag that no arm has', (room, scope) =>
    fieldsOf(room.reads, scope, ['variant']).map(([place]) =>
      fault(op('eq', ref(`${place}.$tag`), text('ZzOther')), 'unknown_tag', ['args', 1]),
    ),
  ),
  inRooms('a key that is no constant', (room, scope) => {
    const key = fieldsOf(room.reads, scope, ['text'])[0]?.[0];
    const root = key?.split('.')[0] === '@event' ? '@event' : '@plan.input';
    return key === undefined || (room.reads.input === undefined && root !== '@event')
      ? []
      : [
          fault(op('has', ref(root), ref(key)), 'get_key_not_constant', ['args', 1]),
          fault(op('eq', op('get', ref(root), ref(key)), yes), 'get_key_not_constant', ['args', 0, 'args', 1]),
        ];
  }),
  inRooms('a constant that always fails', (room) =>
    [
      op('div', { int: 1 }, { int: 0 }),
      op('mod', { int: 1 }, nat(0)),
      op('get', { list: [one, one] }, nat(5)),
      op('get', { list: [one] }, { int: -1 }),
      op('get', { map: [{ key: text('a'), value: one }] }, text('b')),
      op('add', nat('18446744073709551615'), one),
      op('mul', nat('18446744073709551615'), nat(2)),
      op('sub', { int: '-9223372036854775808' }, one),
      op('add', { time_ns: '18446744073709551615' }, { duration_ns: 1 }),
    ].map((expr) =>
      compared(room, expr, expr.args[0].time_ns === undefined ? one : { time_ns: 1 }, [['const_error', []]]),
    ),
  ),
  inRooms('a map with one key and two values', (room) => [
    room.isPredicate
      ? fault(
          op(
            'has',
            {
              map: [
                { key: text('a'), value: one },
                { key: text('a'), value: nat(2) },
              ],
            },
            text('a'),
          ),
          'const_error',
          ['args', 0],
        )
      : fault(
          op('len', {
            map: [
              { key: text('a'), value: one },
              { key: text('a'), value: nat(2) },
            ],
          }),
          'const_error',
          ['args', 0],
        ),
  ]),
  inRooms('a list of mixed items', () => [
    fault(op('gt', op('len', { list: [one, text('x')] }), one), 'element_type', ['args', 0, 'args', 0, 'list', 1]),
    fault(op('gt', op('len', { set: [text('a'), text('b'), yes] }), one), 'element_type', [
      'args',
      0,
      'args',
      0,
      'set',
      2,
    ]),
    fault(
      op(
        'gt',
        op('len', {
          map: [
            { key: text('a'), value: one },
            { key: text('b'), value: yes },
          ],
        }),
        one,
      ),
      'element_type',
      ['args', 0, 'args', 0, 'map', 1, 'value'],
    ),
  ]),
  inRooms('a set of what is no scalar', () => [
    fault(op('gt', op('len', { set: [{ record: { a: one } }] }), one), 'element_type', [
      'args',
      0,
      'args',
      0,
      'set',
      0,
    ]),
    fault(op('gt', op('len', { set: [{ list: [] }] }), one), 'element_type', ['args', 0, 'args', 0, 'set', 0]),
  ]),
  inRooms('a map key that is none', () =>
    [yes, { dec128: '1' }, { list: [] }, { bytes_b64: '' }].map((key) =>
      fault(op('gt', op('len', { map: [{ key, value: one }] }), one), 'key_type', [
        'args',
        0,
        'args',
        0,
        'map',
        0,
        'key',
      ]),
    ),
  ),
  {
    name: 'a value of the wrong type in a slot, computed',
    places: (world) => {
      const scope = scopeOf(world);
      return slotsOf(world).flatMap((slot) =>
        sugarParts(slot, scope).flatMap(({ type, path, canonical }): Place[] => {
          const target = tryResolveType(type, scope);
          if (target === undefined) return [];
          return [
            {
              at: `${world.nodes[slot.node].name ?? 'manifest'} ${pointer(path)} (${target.kind})`,
              node: slot.node,
              change: (draft) => {
                put(draft.nodes[slot.node], path, otherType(target, scope));
                return [{ code: 'slot_type', node: slot.node, path: canonical }];
              },
            },
          ];
        }),
      );
    },
  },
  {
    name: 'a constant out of the range of its slot, computed',
    places: (world) => {
      const scope = scopeOf(world);
      return slotsOf(world).flatMap((slot) =>
        sugarParts(slot, scope).flatMap(({ type, path, canonical }): Place[] => {
          const kind = tryResolveType(type, scope)?.kind;
          if (kind !== 'nat' && kind !== 'int') return [];
          const expr = kind === 'nat' ? op('sub', nat(2), nat(5)) : op('add', nat('18446744073709551615'), nat(0));
          return [
            {
              at: `${world.nodes[slot.node].name ?? 'manifest'} ${pointer(path)}`,
              node: slot.node,
              change: (draft) => {
                put(draft.nodes[slot.node], path, expr);
                return [{ code: 'const_range', node: slot.node, path: canonical }];
              },
            },
          ];
        }),
      );
    },
  },
  {
    name: 'a constructor of another record in a slot',
    places: (world) => {
      const scope = scopeOf(world);
      return slotsOf(world).flatMap((slot): Place[] => {
        const target = slot.type && tryResolveType(slot.type, scope);
        if (target?.kind !== 'record' || slot.type === undefined) return [];
        const read = ref(slot.name === 'input_expr' ? '@event' : '@plan.input');
        return [
          {
            at: `${world.nodes[slot.node].name ?? 'manifest'} ${pointer(slot.path)}`,
            node: slot.node,
            change: (draft) => {
              put(draft.nodes[slot.node], slot.path, { record: { zz_other: read } });
              const missing = [...target.fields].flatMap(([name, type]) =>
                tryResolveType(type, scope)?.kind === 'option' ? [] : [name],
              );
              return [
                { code: 'unknown_field', node: slot.node, path: [...slot.path, 'record', 'zz_other'] },
                ...missing.map((name) => ({
                  code: 'value.missing_field',
                  node: slot.node,
                  path: [...slot.path, 'record', name],
                })),
              ];
            },
          },
        ];
      });
    },
  },
  {
    name: 'a constructor of an unknown arm in a slot',
    places: (world) => {
      const scope = scopeOf(world);
      return slotsOf(world).flatMap((slot) =>
        sugarParts(slot, scope).flatMap(({ type, path, canonical }): Place[] => {
          if (tryResolveType(type, scope)?.kind !== 'variant') return [];
          const read = ref(slot.name === 'input_expr' ? '@event' : '@plan.input');
          return [
            {
              at: `${world.nodes[slot.node].name ?? 'manifest'} ${pointer(path)}`,
              node: slot.node,
              change: (draft) => {
                put(draft.nodes[slot.node], path, { variant: { tag: 'ZzOther', value: read } });
                return [{ code: 'unknown_tag', node: slot.node, path: [...canonical, 'variant', 'tag'] }];
              },
            },
          ];
        }),
      );
    },
  },
  {
    name: 'a handle used as a value',
    places: (world) =>
      plansOf(world).flatMap((plan) =>
        plan.steps.flatMap((step): Place[] =>
          step.op !== 'emit_effect'
            ? []
            : [
                {
                  at: `${plan.name} ${step.id}`,
                  node: plan.node,
                  change: (draft) => {
                    draft.nodes[plan.node].steps.push({
                      id: 'mutant',
                      op: 'assign',
                      expr: op('hash', ref(`@var:${step.bind.effect_id_as}`)),
                      bind: { as: 'mutant' },
                    });
                    return [
                      { code: 'handle_misuse', node: plan.node, path: ['steps', plan.steps.length, 'expr', 'args', 0] },
                    ];
                  },
                },
                ...slotsOf(world)
                  .filter((slot) => slot.node === plan.node && slot.name === 'value')
                  .map(
                    (slot): Place => ({
                      at: `${plan.name} ${step.id} in ${pointer(slot.path)}`,
                      node: plan.node,
                      change: (draft) => {
                        put(draft.nodes[plan.node], slot.path, ref(`@var:${step.bind.effect_id_as}`));
                        return [{ code: 'handle_misuse', node: plan.node, path: slot.path }];
                      },
                    }),
                  ),
              ],
        ),
      ),
  },
  {
    name: 'a variable of two types',
    places: (world) =>
      plansOf(world).flatMap((plan) =>
        (
          [
            [text('x'), one],
            [{ record: { a: one } }, { record: { a: text('x') } }],
            [{ list: [one] }, { set: [one] }],
          ] as const
        ).map(
          ([first, second]): Place => ({
            at: `${plan.name} ${JSON.stringify([first, second])}`,
            node: plan.node,
            change: (draft) => {
              const { steps } = draft.nodes[plan.node];
              steps.push({ id: 'mutant1', op: 'assign', expr: first, bind: { as: 'mutant' } });
              steps.push({ id: 'mutant2', op: 'assign', expr: second, bind: { as: 'mutant' } });
              return [{ code: 'var_type_conflict', node: plan.node, path: ['steps', steps.length - 1, 'bind', 'as'] }];
            },
          }),
        ),
      ),
  },
];
