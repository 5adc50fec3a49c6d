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
import { after, isCorrelated, isSpawned, type PlanView, plansOf } from './mutant-view.ts';

/** Faults in the wiring of plans: V-501 … V-523, V-701 … V-706 and the codes of `plans.md` §2.1. */

/** One place per plan and whatever `find` yields there. */
function perPlan(
  name: string,
  find: (plan: PlanView, world: MutantWorld) => readonly PlanPlace[],
  options: { readonly alone?: boolean } = {},
): MutationClass {
  return {
    name,
    alone: options.alone ?? true,
    places: (world) =>
      plansOf(world).flatMap((plan) =>
        find(plan, world).map(
          (place): Place => ({
            at: `${plan.name} ${place.at}`,
            node: plan.node,
            mayFollow: place.mayFollow,
            change: (draft) =>
              place.change(draft.nodes[plan.node], draft).map((expected) => ({ node: plan.node, ...expected })),
          }),
        ),
      ),
  };
}

interface PlanPlace {
  readonly at: string;
  readonly mayFollow?: readonly string[];
  readonly change: (plan: Authored, draft: Draft) => readonly (Omit<Expected, 'node'> & { readonly node?: number })[];
}

/** One place per step of some kinds. */
function perStep(
  name: string,
  ops: readonly string[],
  find: (step: Authored, index: number, plan: PlanView, world: MutantWorld) => readonly PlanPlace[],
): MutationClass {
  return perPlan(name, (plan, world) =>
    plan.steps.flatMap((step, index) =>
      ops.includes(step.op)
        ? find(step, index, plan, world).map((place) => ({ ...place, at: `step ${step.id} ${place.at}` }))
        : [],
    ),
  );
}

const assign = (id: string, as: string, expr: Authored): Authored => ({ id, op: 'assign', expr, bind: { as } });
const yes = { bool: true };

/** A bool that does not fold to a constant. */
const sameInput = (): Authored => ({ op: 'eq', args: [{ ref: '@plan.input' }, { ref: '@plan.input' }] });

/** A handle that only one step awaits. */
function awaitsOf(plan: PlanView, handle: string): readonly number[] {
  return plan.steps.flatMap((step, index) => (step.for?.ref === `@var:${handle}` ? [index] : []));
}

const HANDLE_OPS = ['emit_effect', 'spawn_plan', 'spawn_for_each'];

export const WIRING_CLASSES: readonly MutationClass[] = [
  perPlan('a plan without steps', () => [
    {
      at: '',
      change: (plan) => {
        plan.steps = [];
        plan.edges = [];
        plan.invariants = [];
        delete plan.required_caps;
        delete plan.allowed_effects;
        return [{ code: 'plan.empty', rule: 'V-501', path: ['steps'] }];
      },
    },
  ]),
  perPlan('a step id used twice', (plan) =>
    plan.steps.map((step) => ({
      at: step.id,
      change: (json) => {
        json.steps.push(assign(step.id, 'mutant', yes));
        return [{ code: 'plan.duplicate_step', rule: 'V-502', path: ['steps', json.steps.length - 1, 'id'] }];
      },
    })),
  ),
  perPlan('an edge that ends nowhere', (plan) =>
    plan.edges.flatMap((edge, index) =>
      ['from', 'to'].flatMap((end) => {
        const wrong =
          misspelt(
            edge[end],
            plan.steps.map(({ id }) => id),
          ) ?? 'zz_unheard_of';
        return [
          {
            at: `edge ${index} ${end}`,
            // Without the edge the facts of its guard are gone (`expressions.md` §13.5).
            mayFollow: LOST_FACTS,
            change: (json: Authored) => {
              json.edges[index][end] = wrong;
              return [
                {
                  code: 'plan.edge_unknown_step',
                  rule: 'V-503',
                  path: ['edges', index, end],
                  hint: wrong.startsWith('zz') ? undefined : edge[end],
                },
              ];
            },
          },
        ];
      }),
    ),
  ),
  perPlan('an edge from nowhere to nowhere', (plan) => [
    {
      at: 'a further edge',
      change: (json) => {
        json.edges = [...(json.edges ?? []), { from: 'zz_unheard_of', to: 'zz_neither' }];
        return ['from', 'to'].map((end) => ({
          code: 'plan.edge_unknown_step',
          rule: 'V-503',
          path: ['edges', plan.edges.length, end],
        }));
      },
    },
  ]),
  perPlan('two edges between the same steps', (plan) =>
    plan.edges.flatMap((edge, index) =>
      [
        edge,
        { from: edge.from, to: edge.to },
        { ...copy(edge), when: { op: 'not', args: [{ ref: '@var:mutant' }] } },
      ].map((double, which) => ({
        at: `edge ${index}, ${['a copy', 'without guard', 'with another guard'][which]}`,
        mayFollow: LOST_FACTS,
        change: (json: Authored) => {
          if (which === 2) json.steps.push(assign('mutant', 'mutant', sameInput()));
          json.edges.push(copy(double));
          return [{ code: 'plan.duplicate_edge', rule: 'V-504', path: ['edges', plan.edges.length] }];
        },
      })),
    ),
  ),
  perPlan('a step that waits for itself', (plan) =>
    plan.steps.map((step) => ({
      at: step.id,
      mayFollow: LOST_FACTS,
      change: (json) => {
        json.edges = [...(json.edges ?? []), { from: step.id, to: step.id }];
        return [{ code: 'plan.cyclic', rule: 'V-505', path: ['edges', plan.edges.length] }];
      },
    })),
  ),
  perPlan('a cycle through edges', (plan) => {
    // From the first step on, the edge that closes the walk is the new one.
    const first = plan.steps[0];
    return [...after(plan, 0)].map((index) => ({
      at: `${plan.steps[index].id} before ${first.id}`,
      mayFollow: LOST_FACTS,
      change: (json) => {
        json.edges = [...(json.edges ?? []), { from: plan.steps[index].id, to: first.id }];
        return [{ code: 'plan.cyclic', rule: 'V-505', path: ['edges', plan.edges.length] }];
      },
    }));
  }),
  perPlan('a cycle through a data edge', (plan) =>
    plan.steps.flatMap((step, index) => {
      if (!HANDLE_OPS.includes(step.op)) return [];
      const handle = Object.values(step.bind)[0] as string;
      return plan.steps.flatMap((waiting, other): PlanPlace[] => {
        if (waiting.for?.ref !== `@var:${handle}` && waiting.handles?.ref !== `@var:${handle}`) return [];
        // The new edge closes the walk if that meets the maker of the handle before anything else on the way to who waits.
        if (plan.steps.slice(0, index).some((_, earlier) => after(plan, earlier, index).has(other))) return [];
        return [
          {
            at: `${waiting.id} before ${step.id}`,
            mayFollow: LOST_FACTS,
            change: (json) => {
              json.edges = [...(json.edges ?? []), { from: waiting.id, to: step.id }];
              return [{ code: 'plan.cyclic', rule: 'V-505', path: ['edges', plan.edges.length] }];
            },
          },
        ];
      });
    }),
  ),
  perPlan('too many steps', (plan) => [
    {
      at: '',
      change: (json) => {
        for (let i = plan.steps.length; i <= 512; i += 1) json.steps.push(assign(`mutant${i}`, `mutant${i}`, yes));
        return [{ code: 'plan.too_large', path: ['steps'] }];
      },
    },
  ]),
  perPlan('too many edges', () => [
    {
      at: '',
      change: (json) => {
        json.edges ??= [];
        const ids = Array.from({ length: 66 }, (_, i) => `mutant${i}`);
        json.steps.push(...ids.map((id) => assign(id, id, yes)));
        for (const [i, from] of ids.entries()) for (const to of ids.slice(i + 1)) json.edges.push({ from, to });
        return [{ code: 'plan.too_large', path: ['edges'] }];
      },
    },
  ]),
  perPlan('too many invariants', () => [
    {
      at: '',
      change: (json) => {
        json.invariants ??= [];
        while (json.invariants.length <= 64) json.invariants.push(sameInput());
        return [{ code: 'plan.too_large', path: ['invariants'] }];
      },
    },
  ]),
  ...(
    [
      ['required_caps', 'plan.caps_mismatch', 'V-506', 'mutant'],
      ['allowed_effects', 'plan.effects_mismatch', 'V-507', 'mutant.kind'],
    ] as const
  ).map(([member, code, rule, extra]) =>
    perPlan(`${member} that say something else than the steps`, (plan) => {
      const of = member === 'required_caps' ? 'cap' : 'kind';
      const derived = [...new Set(plan.steps.flatMap((step) => (step.op === 'emit_effect' ? [step[of]] : [])))];
      const wrong = [[...derived, extra], ...(derived.length > 1 ? [derived.slice(1)] : [])];
      return wrong.map((value) => ({
        at: JSON.stringify(value),
        // What it names beyond the steps is not there either (V-520).
        mayFollow: ['grant.not_found', 'effect.not_found'],
        change: (json) => {
          json[member] = value;
          return [{ code, rule, path: [member] }];
        },
      }));
    }),
  ),

  perStep('a handle bound twice', HANDLE_OPS, (step) => [
    {
      at: '',
      change: (json) => {
        json.steps.push({ ...copy(step), id: 'mutant' });
        return [{ code: 'plan.duplicate_handle', rule: 'V-508', path: ['steps', json.steps.length - 1, 'bind'] }];
      },
    },
  ]),
  perStep('an await of something that is no handle', ['await_receipt'], (step, index) =>
    [
      { text: 'handle' },
      { ref: '@plan.input' },
      { ref: `${step.for.ref}.intent_hash` },
      { ref: `@step:${step.id}` },
      { list: [step.for] },
    ].map((value) => ({
      at: JSON.stringify(value),
      mayFollow: LOST_FACTS,
      change: (json) => {
        json.steps[index].for = value;
        return [{ code: 'plan.await_bad_ref', rule: 'V-509', path: ['steps', index, 'for'] }];
      },
    })),
  ),
  perStep('an await of an unknown handle', ['await_receipt'], (step, index, plan) => {
    const handle = step.for.ref.slice('@var:'.length);
    const others = plan.steps.flatMap(({ bind }) => Object.values(bind ?? {}) as string[]);
    const wrong = misspelt(handle, others) ?? 'zz_unheard_of';
    return [
      {
        at: wrong,
        mayFollow: LOST_FACTS,
        change: (json) => {
          json.steps[index].for.ref = `@var:${wrong}`;
          return [
            {
              code: 'plan.await_unknown_handle',
              rule: 'V-510',
              path: ['steps', index, 'for'],
              hint: wrong.startsWith('zz') ? undefined : `"${handle}"`,
            },
          ];
        },
      },
    ];
  }),
  perPlan('a handle that is bound further down in the list', (plan) =>
    plan.steps.flatMap((step, index): PlanPlace[] => {
      if (step.op !== 'emit_effect') return [];
      const waiting = awaitsOf(plan, step.bind.effect_id_as);
      if (waiting.length !== 1) return [];
      return [
        {
          at: step.id,
          change: (json) => {
            json.steps.push(...json.steps.splice(index, 1));
            return [
              {
                code: 'plan.await_unknown_handle',
                rule: 'V-510',
                path: ['steps', (waiting[0] as number) - 1, 'for'],
                hint: 'up',
              },
            ];
          },
        },
      ];
    }),
  ),

  perPlan('a correlated wait without a condition', (plan, world) =>
    !isCorrelated(world, plan.name)
      ? []
      : plan.steps.flatMap((step, index): PlanPlace[] =>
          step.op !== 'await_event' || step.where === undefined
            ? []
            : [
                {
                  at: step.id,
                  change: (json) => {
                    delete json.steps[index].where;
                    return [{ code: 'plan.correlation_missing', rule: 'V-521', path: ['steps', index] }];
                  },
                },
              ],
        ),
  ),
  perPlan('a correlated wait that does not look at the key', (plan, world) =>
    !isCorrelated(world, plan.name)
      ? []
      : plan.steps.flatMap((step, index): PlanPlace[] =>
          step.op !== 'await_event'
            ? []
            : [
                {
                  at: step.id,
                  change: (json) => {
                    json.steps[index].where = { op: 'eq', args: [{ ref: '@event' }, { ref: '@event' }] };
                    return [{ code: 'plan.correlation_unused', rule: 'V-521', path: ['steps', index, 'where'] }];
                  },
                },
              ],
        ),
  ),
  ...(
    [
      ['names nothing', () => '@var:zz_unheard_of', false],
      ['names no step', () => '@step:zz_unheard_of', false],
      ['is bound further down in the list', () => '@var:mutant', true],
    ] as const
  ).map(([what, text, added]) =>
    perStep(`a wait whose condition reads what ${what}`, ['await_event'], (step, index) => [
      {
        at: text(),
        change: (json) => {
          const read = { op: 'eq', args: [{ ref: text() }, yes] };
          json.steps[index].where = step.where === undefined ? read : { op: 'and', args: [copy(step.where), read] };
          if (added) json.steps.push(assign('mutant', 'mutant', sameInput()));
          return [
            {
              code: 'plan.where_unknown_ref',
              rule: 'V-511',
              path: ['steps', index, 'where', ...(step.where === undefined ? [] : ['args', 1]), 'args', 0, 'ref'],
            },
          ];
        },
      },
    ]),
  ),
  ...(
    [
      ['what is bound only after it', (_: Authored) => '@var:mutant', true],
      ['its own value', (step: Authored) => `@step:${step.id}`, false],
    ] as const
  ).map(([what, text, added]) =>
    perStep(`a wait whose condition reads ${what}`, ['await_event'], (step, index, plan) => [
      {
        at: text(step),
        mayFollow: LOST_FACTS,
        change: (json) => {
          const place = added ? index + 1 : index;
          const read = { op: 'eq', args: [{ ref: text(step) }, { ref: text(step) }] };
          json.steps[index].where = step.where === undefined ? read : { op: 'and', args: [copy(step.where), read] };
          if (added) {
            json.steps.unshift(assign('mutant', 'mutant', sameInput()));
            json.edges = [...plan.edges.map(copy), { from: step.id, to: 'mutant' }];
          }
          return [0, 1].map((arg) => ({
            code: 'plan.where_unbindable',
            path: ['steps', place, 'where', ...(step.where === undefined ? [] : ['args', 1]), 'args', arg, 'ref'],
          }));
        },
      },
    ]),
  ),
  perPlan('an invariant about the event', (plan) => [
    {
      at: '',
      change: (json) => {
        json.invariants = [...(json.invariants ?? []), { op: 'eq', args: [{ ref: '@event.id' }, { ref: '@event' }] }];
        const index = (plan.json.invariants ?? []).length;
        return [0, 1].map((arg) => ({
          code: 'plan.invariant_event_ref',
          rule: 'V-512',
          path: ['invariants', index, 'args', arg, 'ref'],
        }));
      },
    },
  ]),
  perPlan('an invariant about what is never bound', (plan) =>
    ['@var:zz_unheard_of.x', '@step:zz_unheard_of'].map((text) => ({
      at: text,
      change: (json) => {
        json.invariants = [...(json.invariants ?? []), { op: 'eq', args: [{ ref: text }, yes] }];
        const index = (plan.json.invariants ?? []).length;
        return [{ code: 'plan.invariant_unknown_ref', rule: 'V-512', path: ['invariants', index, 'args', 0, 'ref'] }];
      },
    })),
  ),
  perPlan('a variable or local called correlation_id', (plan) => [
    {
      at: 'a step',
      // Declared by a step as well, it has two types.
      mayFollow: ['var_type_conflict', 'correlation_type'],
      change: (json) => {
        json.steps.push(assign('mutant', 'correlation_id', { text: 'x' }));
        return [{ code: 'plan.reserved_var', rule: 'V-523', path: ['steps', plan.steps.length, 'bind'] }];
      },
    },
    {
      at: 'a local',
      mayFollow: ['var_type_conflict', 'correlation_type'],
      change: (json) => {
        json.locals = { ...json.locals, correlation_id: 'sys/PlanError@1' };
        return [{ code: 'plan.reserved_var', rule: 'V-523', path: ['locals', 'correlation_id'] }];
      },
    },
  ]),

  perPlan('a result without an output', (plan, world) =>
    plan.json.output === undefined || isSpawned(world, plan.name)
      ? []
      : [
          {
            at: '',
            change: (json) => {
              delete json.output;
              return plan.steps.flatMap((step, index) =>
                'result' in step
                  ? [{ code: 'plan.literal_needs_schema', path: ['steps', index, 'result'] as Path }]
                  : [],
              );
            },
          },
        ],
  ),
  perStep('an end without the result of the output', ['end'], (_step, index, plan) =>
    plan.json.output === undefined
      ? []
      : [
          {
            at: '',
            change: (json) => {
              delete json.steps[index].result;
              return [{ code: 'plan.result_missing', rule: 'V-516', path: ['steps', index] }];
            },
          },
        ],
  ),
  perPlan('an output without an end', (plan, world) =>
    isSpawned(world, plan.name)
      ? []
      : [
          {
            at: '',
            change: (json) => {
              json.output = json.input;
              for (const [index, step] of plan.steps.entries()) {
                if (step.op === 'end') json.steps[index] = assign(step.id, `mutant_${index}`, yes);
              }
              return [{ code: 'plan.end_missing', rule: 'V-516', path: ['steps'] }];
            },
          },
        ],
  ),

  perPlan('a plan that starts itself', (plan) => [
    {
      at: '',
      change: (json) => {
        json.steps.push({
          id: 'mutant',
          op: 'spawn_plan',
          plan: plan.name,
          input: { ref: '@plan.input' },
          bind: { handle_as: 'mutant' },
        });
        return [{ code: 'plan.spawn_cycle', rule: 'V-706', path: ['steps', plan.steps.length, 'plan'] }];
      },
    },
  ]),
  perStep('an unknown child plan', ['spawn_plan', 'spawn_for_each'], (step, index, _plan, world) => {
    const wrong = misspelt(
      step.plan,
      plansOf(world).map(({ name }) => name),
    );
    return [wrong ?? 'other/zz_unheard_of@1'].map((name) => ({
      at: name,
      // Handles of several plans in one list are told apart by the names of their plans.
      mayFollow: ['plan.handles_mixed'],
      change: (json: Authored) => {
        json.steps[index].plan = name;
        return [
          {
            code: 'plan.not_found',
            rule: 'V-701',
            path: ['steps', index, 'plan'],
            hint: wrong === undefined ? undefined : `"${step.plan}"`,
          },
        ];
      },
    }));
  }),
  perStep('an await of a child that nobody started', ['await_plan', 'await_plans_all'], (step, index) => {
    const member = step.op === 'await_plan' ? 'for' : 'handles';
    const rule = step.op === 'await_plan' ? 'V-703' : 'V-704';
    const wrong = [{ ref: '@var:zz_unheard_of' }, { ref: '@plan.input' }, { text: 'x' }, { ref: `@step:${step.id}` }];
    return wrong.map((value) => ({
      at: JSON.stringify(value),
      mayFollow: ['ref_unknown_var', ...LOST_FACTS],
      change: (json) => {
        json.steps[index][member] = value;
        return [{ code: 'plan.await_bad_handle', rule, path: ['steps', index, member] }];
      },
    }));
  }),
  perPlan('handles of several plans in one list', (plan) => {
    const spawns = plan.steps.filter(({ op }) => op === 'spawn_plan');
    const first = spawns[0];
    return spawns
      .filter((other) => other.plan !== first?.plan)
      .map((other) => ({
        at: `${first.id} and ${other.id}`,
        change: (json) => {
          json.steps.push({
            id: 'mutant',
            op: 'await_plans_all',
            handles: { list: [{ ref: `@step:${first.id}` }, { ref: `@var:${other.bind.handle_as}` }] },
            bind: { results_as: 'mutant' },
          });
          return [{ code: 'plan.handles_mixed', rule: 'V-704', path: ['steps', plan.steps.length, 'handles'] }];
        },
      }));
  }),
  perStep('more children than allowed', ['spawn_for_each'], (step, index) =>
    !Array.isArray(step.inputs) || step.inputs.length < 2
      ? []
      : [
          {
            at: '',
            change: (json) => {
              json.steps[index].max_fanout = step.inputs.length - 1;
              return [{ code: 'plan.fanout_exceeded', rule: 'V-705', path: ['steps', index, 'inputs'] }];
            },
          },
        ],
  ),

  ...(
    [
      ['an unknown schema as input', (json: Authored) => [['input', 'V-518', json.input]]],
      [
        'an unknown schema as output',
        (json: Authored) => (json.output === undefined ? [] : [['output', 'V-518', json.output]]),
      ],
    ] as const
  ).map(([name, of]) =>
    perPlan(name, (plan) =>
      of(plan.json).flatMap(([member, rule, schema]) =>
        schemaPlaces([member as string], rule as string, schema as string),
      ),
    ),
  ),
  perPlan('an unknown schema of a local', (plan) =>
    Object.entries(plan.json.locals ?? {}).flatMap(([local, schema]) =>
      schemaPlaces(['locals', local], 'V-518', schema as string),
    ),
  ),
  perStep('an unknown event schema', ['raise_event', 'await_event'], (step, index) =>
    schemaPlaces(['steps', index, 'event'], 'V-517', step.event),
  ),
  perStep('an unlisted effect kind', ['emit_effect'], (step, index) => {
    const wrong = misspelt(step.kind, []);
    return [...(wrong === undefined ? [] : [wrong]), 'zz.unheard_of'].map((kind) => ({
      at: kind,
      mayFollow: LOST_FACTS,
      change: (json) => {
        json.steps[index].kind = kind;
        // The plan's own list would disagree with the steps (V-507).
        delete json.allowed_effects;
        return [
          {
            code: 'plan.effect_unknown',
            rule: 'V-514',
            path: ['steps', index, 'kind'],
            hint: kind === wrong ? step.kind : undefined,
          },
        ];
      },
    }));
  }),
  perPlan('an assign in sugar to a variable without a type', (plan) =>
    ['x', 7, null, [1], { a: 1 }, true].map((value) => ({
      at: JSON.stringify(value),
      change: (json) => {
        json.steps.push(assign('mutant', 'mutant', value));
        return [{ code: 'plan.literal_needs_schema', rule: 'V-515', path: ['steps', plan.steps.length, 'expr'] }];
      },
    })),
  ),
];

/** An unknown schema, and a misspelt one whose hint must name the right one. */
function schemaPlaces(path: Path, rule: string, schema: string): readonly PlanPlace[] {
  const wrong = misspelt(schema, []);
  return [...(wrong === undefined ? [] : [wrong]), 'other/zz_unheard_of@1'].map((name) => ({
    at: `${pointer(path)} ${name}`,
    change: (json) => {
      put(json, path, name);
      return [{ code: 'schema.not_found', rule, path, hint: name === wrong ? `"${schema}"` : undefined }];
    },
  }));
}
