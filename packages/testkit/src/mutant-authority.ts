import { BUILTINS, printJson, SECTIONS } from '@worldline/air';
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
} from './mutant.ts';
import {
  capTypeOf,
  effectsOf,
  grantsOf,
  isCorrelated,
  isMap,
  manifestOf,
  nodesOf,
  plansOf,
  refsIn,
  slotsOf,
  triggersOf,
} from './mutant-view.ts';

/** Faults in what may be done and by whom: references, grants, policies, secrets, triggers: V-2xx, V-43x, V-6xx, V-707. */

interface ManifestPlace {
  readonly at: string;
  readonly node?: number;
  readonly mayFollow?: readonly string[] | undefined;
  readonly change: (
    manifest: Authored,
    draft: Draft,
  ) => readonly (Omit<Expected, 'node'> & { readonly node?: number })[];
}

/** @param options.alone - False where what another definition says decides: where a secret is, its schema knows. */
function inManifest(
  name: string,
  find: (world: MutantWorld, manifest: Authored) => readonly ManifestPlace[],
  options: { readonly alone?: boolean } = {},
): MutationClass {
  return {
    name,
    alone: options.alone ?? true,
    places: (world) => {
      const { node, json } = manifestOf(world);
      return find(world, json).map(
        (place): Place => ({
          at: place.at,
          node: place.node ?? node,
          mayFollow: place.mayFollow,
          change: (draft) => place.change(draft.nodes[node], draft).map((expected) => ({ node, ...expected })),
        }),
      );
    },
  };
}

const GRANTS: Path = ['defaults', 'cap_grants'];

/** Where effects are emitted under a grant: the plan's node and the step. */
function emitsOf(
  world: MutantWorld,
): readonly { readonly node: number; readonly index: number; readonly step: Authored; readonly plan: Authored }[] {
  return plansOf(world).flatMap(({ node, json, steps }) =>
    steps.flatMap((step, index) => (step.op === 'emit_effect' ? [{ node, index, step, plan: json }] : [])),
  );
}

/** Secret references as sugar writes them: `{alias, version}` of literals. */
function secretUses(world: MutantWorld): readonly {
  readonly node: number;
  readonly path: Path;
  readonly json: Authored;
  readonly cap: string | undefined;
  readonly plan: string;
}[] {
  return slotsOf(world).flatMap(({ node, path, json, step, name }) => {
    const found: { path: Path; json: Authored }[] = [];
    const visit = (part: Authored, at: Path): void => {
      if (part === null || typeof part !== 'object') return;
      if (typeof part.alias === 'string' && 'version' in part) found.push({ path: at, json: part });
      else
        for (const [key, value] of Object.entries(part)) visit(value, [...at, Array.isArray(part) ? Number(key) : key]);
    };
    visit(json, path);
    return found.map((use) => ({
      node,
      ...use,
      cap: name === 'params' ? (step.cap as string) : undefined,
      plan: world.nodes[node].name as string,
    }));
  });
}

/** A secret may permit some grants only (V-616): another fault than the one to be planted. */
function usesSecret(step: Authored): boolean {
  return step.params !== null && typeof step.params === 'object' && printJson(step.params).includes('"alias"');
}

/** The plan's own list of grants, when there is one, would disagree with the steps (V-506); it is derived as well. */
function emitUnder(plan: Authored, index: number, grant: string): void {
  plan.steps[index].cap = grant;
  delete plan.required_caps;
}

/** References to what no event of the trigger has. */
function unheardOf(world: MutantWorld, trigger: Authored): readonly string[] {
  return isMap(world, trigger.event) ? [] : ['@event.zz_unheard_of'];
}

function deep(json: Authored, path: Path): Authored {
  return path.reduce((found: Authored, part) => found[part], json);
}

export const AUTHORITY_CLASSES: readonly MutationClass[] = [
  inManifest('a manifest without air_version', () => [
    {
      at: '',
      change: (json) => {
        delete json.air_version;
        return [{ code: 'manifest.air_version_missing', rule: 'V-201', path: ['air_version'] }];
      },
    },
  ]),
  inManifest('another air_version', () =>
    ['2', 1, '1.0', []].map((version) => ({
      at: JSON.stringify(version),
      change: (json: Authored) => {
        json.air_version = version;
        return [{ code: 'manifest.air_version_unsupported', rule: 'V-201', path: ['air_version'] }];
      },
    })),
  ),
  inManifest('a second manifest', () => [
    {
      at: '',
      change: (json, draft) => [
        { code: 'air.manifest_duplicate', rule: 'V-204', node: draft.add(copy(json)), path: [] },
      ],
    },
  ]),
  {
    name: 'no manifest',
    places: (world) => [
      {
        at: '',
        node: manifestOf(world).node,
        change: (draft) => {
          draft.texts.set(manifestOf(world).node, ' \n');
          return [{ code: 'air.manifest_missing', rule: 'V-204', node: 0, path: [] }];
        },
      },
    ],
  },
  inManifest('a definition under sys/', (world) =>
    world.nodes.flatMap((json, node): ManifestPlace[] =>
      json.$kind === 'manifest'
        ? []
        : [
            {
              at: json.name,
              node,
              change: (_manifest, draft) => [
                {
                  code: 'air.sys_def',
                  rule: 'V-203',
                  node: draft.add({ ...copy(json), name: 'sys/Mutant@1' }),
                  path: ['name'],
                },
              ],
            },
          ],
    ),
  ),
  inManifest('a name defined twice, differently', (world) =>
    nodesOf(world, 'defschema').map(({ node, json }) => ({
      at: json.name,
      node,
      change: (_manifest, draft) => [
        {
          code: 'import.conflict',
          rule: 'V-202',
          node: draft.add({ ...copy(json), type: { record: { zz_other: { bool: {} } } } }),
          path: ['name'],
        },
      ],
    })),
  ),
  inManifest('a reference to what nobody defines', (_world, manifest) =>
    SECTIONS.flatMap((section) => {
      const names = (manifest[section] ?? []).map(({ name }: Authored) => name as string);
      const meant = names.find((name: string) => !name.startsWith('sys/') && misspelt(name, names) !== undefined);
      const wrong = meant === undefined ? undefined : misspelt(meant, names);
      return [...(wrong === undefined ? [] : [wrong]), 'other/zz_unheard_of@1'].map((name) => ({
        at: `${section} ${name}`,
        change: (json: Authored) => {
          json[section] = [...(json[section] ?? []), { name }];
          return [
            {
              code: 'ref.unknown',
              rule: 'V-206',
              path: [section, names.length, 'name'],
              hint: name === wrong ? `"${meant}"` : undefined,
            },
          ];
        },
      }));
    }),
  ),
  inManifest('a reserved name', () =>
    ['schemas', 'plans', 'effects', 'caps', 'policies', 'secrets', 'modules'].map((section) => ({
      at: section,
      change: (json) => {
        json[section] = [...(json[section] ?? []), { name: 'sys/Mutant@1' }];
        return [{ code: 'name.reserved', rule: 'V-203', path: [section, json[section].length - 1, 'name'] }];
      },
    })),
  ),
  inManifest('a built-in schema in the section of effects', () => [
    {
      at: '',
      change: (json) => {
        json.effects = [...(json.effects ?? []), { name: 'sys/PlanError@1' }];
        return [{ code: 'name.reserved', rule: 'V-203', path: ['effects', json.effects.length - 1, 'name'] }];
      },
    },
  ]),
  inManifest('a reference twice', (_world, manifest) =>
    SECTIONS.flatMap((section) =>
      (manifest[section] ?? []).flatMap((ref: Authored, index: number): ManifestPlace[] =>
        ref.name === undefined
          ? []
          : [
              {
                at: `${section} ${ref.name}`,
                change: (json) => {
                  json[section].push(copy(json[section][index]));
                  const last = json[section].length - 1;
                  if (section === 'secrets')
                    return [{ code: 'secret.duplicate', rule: 'V-613', path: [section, last] }];
                  const path = [section, last];
                  return [
                    { code: 'ref.duplicate', rule: 'V-211', path: [...path, 'name'] },
                    // Listing an effect twice lists its kind twice, which is the same mistake.
                  ];
                },
                mayFollow: section === 'effects' ? ['effect.kind_duplicate'] : undefined,
              },
            ],
      ),
    ),
  ),
  inManifest('an effect kind that is taken', (world) =>
    ['timer.set', ...nodesOf(world, 'defeffect').map(({ json }) => json.kind as string)].map((kind) => ({
      at: kind,
      change: (json, draft) => {
        draft.add({
          $kind: 'defeffect',
          name: 'mutant/effect@1',
          kind,
          params_schema: 'sys/TimerSetParams@1',
          receipt_schema: 'sys/TimerSetReceipt@1',
          cap_type: 'timer',
          origin_scope: 'plan',
        });
        json.effects = [...(json.effects ?? []), { name: 'mutant/effect@1' }];
        return [{ code: 'effect.kind_duplicate', rule: 'V-211', path: ['effects', json.effects.length - 1] }];
      },
    })),
  ),
  inManifest('an unlisted schema', () => [
    {
      at: 'of a further effect',
      change: (json, draft) => {
        const added = draft.add({
          $kind: 'defeffect',
          name: 'mutant/effect@1',
          kind: 'mutant.effect',
          params_schema: 'mutant/Params@1',
          receipt_schema: 'sys/PlanErrro@1',
          cap_type: 'mutant',
          origin_scope: 'plan',
        });
        draft.add({ $kind: 'defschema', name: 'mutant/Params@1', type: { text: {} } });
        json.effects = [...(json.effects ?? []), { name: 'mutant/effect@1' }];
        return [
          { code: 'schema.not_found', rule: 'V-420', node: added, path: ['params_schema'], hint: 'manifest.schemas' },
          { code: 'schema.not_found', rule: 'V-420', node: added, path: ['receipt_schema'], hint: 'sys/PlanError@1' },
        ];
      },
    },
  ]),
  inManifest('a typed variant of a kind that is not like it', () =>
    (
      [
        ['cap_type', 'cap_type', 'timer'],
        ['receipt_schema', 'receipt_schema', 'sys/PlanError@1'],
        ['origin_scope', 'origin_scope', 'both'],
        ['params_schema', 'params_schema', 'sys/PlanError@1'],
      ] as const
    ).map(([member, path, value]) => ({
      at: member,
      change: (json, draft) => {
        const params = 'mutant/Params@1';
        const args = {
          record: { server: { text: {} }, tool: { text: {} }, arguments: { record: { q: { text: {} } } } },
        };
        draft.add({ $kind: 'defschema', name: params, type: args });
        const added = draft.add({
          $kind: 'defeffect',
          name: 'mutant/effect@1',
          kind: 'mcp.call.mutant',
          params_schema: params,
          receipt_schema: 'sys/McpCallReceipt@1',
          cap_type: 'mcp',
          origin_scope: 'plan',
          [member]: value,
        });
        json.schemas.push({ name: params });
        json.effects = [...(json.effects ?? []), { name: 'mutant/effect@1' }];
        return [{ code: 'effect.variant_invalid', rule: 'V-421', node: added, path: [path] }];
      },
    })),
  ),
  inManifest('an effect that is not listed', (world, manifest) =>
    (manifest.effects ?? []).flatMap((ref: Authored, index: number): ManifestPlace[] => {
      const kind =
        BUILTINS.effects.get(ref.name)?.def.effectKind ??
        nodesOf(world, 'defeffect').find(({ json }) => json.name === ref.name)?.json.kind;
      const emits = emitsOf(world).filter(({ step }) => step.kind === kind);
      const own = !ref.name.startsWith('sys/');
      if (emits.length === 0) return [];
      return [
        {
          at: ref.name,
          // Policies and lists of a plan may name the kind as well.
          mayFollow: own ? ['effect.not_found', ...LOST_FACTS] : LOST_FACTS,
          change: (json) => {
            json.effects.splice(index, 1);
            return emits.map(({ node, index: step }) => ({
              code: 'plan.effect_unknown',
              rule: 'V-514',
              node,
              path: ['steps', step, 'kind'],
              hint: 'manifest.effects',
            }));
          },
        },
      ];
    }),
  ),
  inManifest('an effect that plans may not emit', (world) =>
    nodesOf(world, 'defeffect').flatMap(({ node, json }): ManifestPlace[] => {
      const emits = emitsOf(world).filter(({ step }) => step.kind === json.kind);
      // The scope of a typed variant is a fault of its own (V-421).
      if (emits.length === 0 || /^(fabric\.send|mcp\.call)\./.test(json.kind)) return [];
      return [
        {
          at: json.kind,
          node,
          change: (_manifest, draft) => {
            draft.nodes[node].origin_scope = 'reducer';
            return emits.map((emit) => ({
              code: 'effect.origin_scope',
              rule: 'V-522',
              node: emit.node,
              path: ['steps', emit.index, 'kind'],
            }));
          },
        },
      ];
    }),
  ),

  inManifest('a grant of a cap that nobody defines', (world) =>
    grantsOf(world).flatMap((grant, index) => {
      const wrong = misspelt(grant.cap, []);
      return [...(wrong === undefined ? [] : [wrong]), 'other/zz_unheard_of@1'].map((cap) => ({
        at: `${grant.name} ${cap}`,
        change: (json: Authored) => {
          json.defaults.cap_grants[index].cap = cap;
          return [
            {
              code: 'cap.def_not_found',
              rule: 'V-602',
              path: [...GRANTS, index, 'cap'],
              hint: cap === wrong ? `"${grant.cap}"` : undefined,
            },
          ];
        },
      }));
    }),
  ),
  inManifest('a grant name twice', (world) =>
    grantsOf(world).map((grant, index) => ({
      at: grant.name,
      change: (json) => {
        json.defaults.cap_grants.push(copy(json.defaults.cap_grants[index]));
        return [
          { code: 'grant.duplicate', rule: 'V-601', path: [...GRANTS, json.defaults.cap_grants.length - 1, 'name'] },
        ];
      },
    })),
  ),
  inManifest('a grant that is not there', (world) =>
    grantsOf(world).map((grant, index) => ({
      at: grant.name,
      change: (json) => {
        json.defaults.cap_grants.splice(index, 1);
        const lost = (node: number, path: Path, rule: string) => ({ code: 'grant.not_found', rule, node, path });
        return [
          ...emitsOf(world).flatMap(({ node, index: step, step: { cap } }) =>
            cap === grant.name ? [lost(node, ['steps', step, 'cap'], 'V-519')] : [],
          ),
          ...nodesOf(world, 'defpolicy').flatMap(({ node, json: policy }) =>
            policy.rules.flatMap(({ when }: Authored, rule: number) =>
              when.cap_name === grant.name ? [lost(node, ['rules', rule, 'when', 'cap_name'], 'V-607')] : [],
            ),
          ),
          ...nodesOf(world, 'defsecret').flatMap(({ node, json: secret }) =>
            (secret.allowed_caps ?? []).flatMap((cap: string, at: number) =>
              cap === grant.name ? [lost(node, ['allowed_caps', at], 'V-617')] : [],
            ),
          ),
        ];
      },
    })),
  ),
  inManifest('a capability of the wrong type', (world) =>
    emitsOf(world).flatMap(({ node, index, step }) =>
      grantsOf(world).flatMap((grant): ManifestPlace[] => {
        if (capTypeOf(world, grant.cap) === effectsOf(world).get(step.kind)?.capType || usesSecret(step)) return [];
        return [
          {
            at: `${world.nodes[node].name} ${step.id} with ${grant.name}`,
            node,
            change: (_manifest, draft) => {
              emitUnder(draft.nodes[node], index, grant.name);
              return [{ code: 'cap.type_mismatch', rule: 'V-519', node, path: ['steps', index, 'cap'] }];
            },
          },
        ];
      }),
    ),
  ),
  inManifest('an unknown grant', (world) =>
    emitsOf(world).flatMap(({ node, index, step }) => {
      if (usesSecret(step)) return [];
      const wrong = misspelt(
        step.cap,
        grantsOf(world).map(({ name }) => name),
      );
      return [...(wrong === undefined ? [] : [wrong]), 'zz_unheard_of'].map((cap) => ({
        at: `${world.nodes[node].name} ${step.id} ${cap}`,
        node,
        change: (_manifest: Authored, draft: Draft) => {
          emitUnder(draft.nodes[node], index, cap);
          return [
            {
              code: 'grant.not_found',
              rule: 'V-519',
              node,
              path: ['steps', index, 'cap'],
              hint: cap === wrong ? `"${step.cap}"` : 'cap_grants',
            },
          ];
        },
      }));
    }),
  ),
  inManifest('grant params that do not fit', (world) =>
    grantsOf(world).flatMap((grant, index): ManifestPlace[] => {
      const params = [...GRANTS, index, 'params'];
      const own = nodesOf(world, 'defcap').find(({ json }) => json.name === grant.cap)?.json.schema;
      if (own === undefined ? !BUILTINS.caps.has(grant.cap) : !('record' in own)) return [];
      const tagged = 'record' in grant.params;
      const fault = (value: Authored, path: Path, cause: string): ManifestPlace => ({
        at: `${grant.name} ${cause}`,
        change: (json) => {
          json.defaults.cap_grants[index].params = value;
          return [{ code: 'grant.params_invalid', rule: 'V-603', path: [...params, ...path], cause }];
        },
      });
      return [
        fault(7, [], 'value.type_mismatch'),
        fault(['x'], [], 'value.type_mismatch'),
        ...(tagged ? [] : [fault({ ...copy(grant.params), zz_other: 1 }, ['zz_other'], 'value.unknown_field')]),
        ...('hosts' in grant.params
          ? [fault({ ...copy(grant.params), hosts: ['a', 7] }, ['hosts', 1], 'value.type_mismatch')]
          : []),
        ...('ports' in grant.params
          ? [fault({ ...copy(grant.params), ports: [-1] }, ['ports', 0], 'value.out_of_range')]
          : []),
        ...('domains' in grant.params ? [fault({ size_max: 1 }, ['domains'], 'value.missing_field')] : []),
      ];
    }),
  ),
  inManifest('an unknown default policy', (_world, manifest) => {
    const policy = manifest.defaults?.policy as string | undefined;
    const wrong = policy === undefined ? undefined : misspelt(policy, []);
    return [...(wrong === undefined ? [] : [wrong]), 'other/zz_unheard_of@1'].map((name) => ({
      at: name,
      change: (json: Authored) => {
        json.defaults = { ...json.defaults, policy: name };
        return [
          {
            code: 'policy.not_found',
            rule: 'V-604',
            path: ['defaults', 'policy'],
            hint: name === wrong ? `"${policy}"` : undefined,
          },
        ];
      },
    }));
  }),
  inManifest('a policy about an unknown grant or effect', (world) =>
    nodesOf(world, 'defpolicy').flatMap(({ node, json }) =>
      json.rules.flatMap((_: Authored, index: number) =>
        (
          [
            ['cap_name', 'zz_unheard_of', 'grant.not_found', 'V-607'],
            ['effect_kind', 'zz.unheard_of', 'effect.not_found', 'V-606'],
          ] as const
        ).map(([member, value, code, rule]) => ({
          at: `rule ${index} ${member}`,
          node,
          change: (_manifest: Authored, draft: Draft) => {
            draft.nodes[node].rules[index].when[member] = value;
            return [{ code, rule, node, path: ['rules', index, 'when', member] }];
          },
        })),
      ),
    ),
  ),
  inManifest('an enforcer that is none', (world) =>
    nodesOf(world, 'defcap').flatMap(({ node, json }) =>
      ['other/zz_unheard_of@1', 'sys/Workspace@1'].map((module) => ({
        at: `${json.name} ${module}`,
        node,
        change: (_manifest: Authored, draft: Draft) => {
          draft.nodes[node].enforcer = { module };
          return [{ code: 'cap.enforcer_invalid', rule: 'V-605', node, path: ['enforcer', 'module'] }];
        },
      })),
    ),
  ),

  inManifest('a secret inside the manifest', () => [
    {
      at: '',
      change: (json) => {
        json.secrets = [...(json.secrets ?? []), { alias: 'mutant', version: 1, binding_id: 'env:X' }];
        return [{ code: 'secret.inline_unsupported', rule: 'V-205', path: ['secrets', json.secrets.length - 1] }];
      },
    },
  ]),
  inManifest('a secret without a good version', () =>
    ['mutant/key', 'mutant/key@0', 'mutant/key@x', 'mutant/key@'].map((name) => ({
      at: name,
      change: (_json, draft) => [
        {
          code: 'secret.name_invalid',
          rule: 'V-611',
          node: draft.add({ $kind: 'defsecret', name, binding_id: 'env:X' }),
          path: ['name'],
        },
      ],
    })),
  ),
  inManifest('a blank binding', (world) =>
    nodesOf(world, 'defsecret').flatMap(({ node, json }) =>
      ['', ' ', '\t\n'].map((binding) => ({
        at: json.name,
        node,
        change: (_manifest: Authored, draft: Draft) => {
          draft.nodes[node].binding_id = binding;
          return [{ code: 'secret.binding_missing', rule: 'V-612', node, path: ['binding_id'] }];
        },
      })),
    ),
  ),
  inManifest(
    'an unknown secret',
    (world) =>
      secretUses(world).flatMap(({ node, path, json }) => {
        const wrong = misspelt(json.alias, []) as string;
        return [
          { alias: wrong, version: json.version, hint: `"${json.alias}@${json.version}"` },
          { alias: json.alias, version: 99, hint: undefined },
          { alias: 'zz_unheard_of', version: 1, hint: undefined },
        ].map(({ alias, version, hint }) => ({
          at: `${world.nodes[node].name} ${pointer(path)} ${alias}@${version}`,
          node,
          change: (_manifest: Authored, draft: Draft) => {
            Object.assign(deep(draft.nodes[node], path), { alias, version });
            return [{ code: 'secret.unknown', rule: 'V-615', node, path, hint }];
          },
        }));
      }),
    { alone: false },
  ),
  inManifest(
    'a secret of version 0',
    (world) =>
      secretUses(world).map(({ node, path }) => ({
        at: `${world.nodes[node].name} ${pointer(path)}`,
        node,
        change: (_manifest, draft) => {
          deep(draft.nodes[node], path).version = 0;
          return [{ code: 'secret.version_invalid', rule: 'V-614', node, path }];
        },
      })),
    { alone: false },
  ),
  inManifest(
    'a secret that does not permit its use',
    (world) =>
      secretUses(world).flatMap(({ node, path, json, cap, plan }) => {
        const secret = nodesOf(world, 'defsecret').find((each) => each.json.name === `${json.alias}@${json.version}`);
        const otherPlan = plansOf(world).find(({ name }) => name !== plan)?.name;
        const otherCap = grantsOf(world).find(({ name }) => name !== cap)?.name;
        if (secret === undefined) return [];
        return [
          ...(otherPlan === undefined ? [] : [{ allowed_plans: [otherPlan] }]),
          ...(otherCap === undefined || cap === undefined ? [] : [{ allowed_caps: [otherCap] }]),
        ].map((lists) => ({
          at: `${pointer(path)} ${JSON.stringify(lists)}`,
          node: secret.node,
          change: (_manifest: Authored, draft: Draft) => {
            Object.assign(draft.nodes[secret.node], lists);
            return [{ code: 'secret.not_permitted', rule: 'V-616', node, path }];
          },
        }));
      }),
    { alone: false },
  ),
  inManifest('a secret that permits what is not there', (world) =>
    nodesOf(world, 'defsecret').flatMap(({ node, json }) =>
      (
        [
          ['allowed_caps', 'zz_unheard_of', 'grant.not_found'],
          ['allowed_plans', 'other/zz_unheard_of@1', 'plan.not_found'],
        ] as const
      ).flatMap(([member, value, code]) =>
        // An empty list permits anything; a list of one unknown name would also forbid the use.
        json[member] === undefined
          ? []
          : [
              {
                at: `${json.name} ${member}`,
                node,
                change: (_manifest: Authored, draft: Draft) => {
                  draft.nodes[node][member].push(value);
                  return [{ code, rule: 'V-617', node, path: [member, json[member].length] }];
                },
              },
            ],
      ),
    ),
  ),
  inManifest(
    'a secret in a grant',
    (world) =>
      grantsOf(world).flatMap((grant, index): ManifestPlace[] => {
        const cap = nodesOf(world, 'defcap').find(({ json }) => json.name === grant.cap)?.json;
        const field = Object.entries(cap?.schema.record ?? {}).find(([, type]) =>
          JSON.stringify(type).includes('sys/TextOrSecretRef@1'),
        )?.[0];
        const secret = nodesOf(world, 'defsecret').find(({ json }) => json.allowed_caps === undefined)?.json;
        if (field === undefined || secret === undefined) return [];
        const [alias, version] = secret.name.split('@');
        return [
          {
            at: grant.name,
            change: (json) => {
              json.defaults.cap_grants[index].params[field] = { secret: { alias, version: Number(version) } };
              return [{ code: 'secret.in_grant', rule: 'V-618', path: [...GRANTS, index, 'params'] }];
            },
          },
        ];
      }),
    { alone: false },
  ),

  inManifest('a trigger on an unknown event', (world) =>
    triggersOf(world).flatMap((trigger, index) => {
      const wrong = misspelt(trigger.event, []);
      return [...(wrong === undefined ? [] : [wrong]), 'other/zz_unheard_of@1'].map((event) => ({
        at: `${index} ${event}`,
        change: (json: Authored) => {
          json.triggers[index].event = event;
          return [
            {
              code: 'schema.not_found',
              rule: 'V-430',
              path: ['triggers', index, 'event'],
              hint: event === wrong ? `"${trigger.event}"` : undefined,
            },
          ];
        },
      }));
    }),
  ),
  inManifest('a trigger for an unknown plan', (world) =>
    triggersOf(world).flatMap((trigger, index) => {
      const wrong = misspelt(
        trigger.plan,
        plansOf(world).map(({ name }) => name),
      );
      return [...(wrong === undefined ? [] : [wrong]), 'other/zz_unheard_of@1'].map((plan) => ({
        at: `${index} ${plan}`,
        change: (json: Authored) => {
          json.triggers[index].plan = plan;
          return [
            {
              code: 'plan.not_found',
              rule: 'V-431',
              path: ['triggers', index, 'plan'],
              hint: plan === wrong ? `"${trigger.plan}"` : undefined,
            },
          ];
        },
      }));
    }),
  ),
  inManifest('a trigger whose event is not the input', (world) =>
    triggersOf(world).flatMap((trigger, index): ManifestPlace[] => {
      const type = nodesOf(world, 'defschema').find(({ json }) => json.name === trigger.event)?.json.type;
      if ('input_expr' in trigger || type?.record === undefined) return [];
      return [
        {
          at: `${index}`,
          change: (json, draft) => {
            // The same fields and one more, so that nothing else about the trigger changes.
            draft.add({
              $kind: 'defschema',
              name: 'mutant/Event@1',
              type: { record: { ...copy(type.record), zz_other: { bool: {} } } },
            });
            json.schemas.push({ name: 'mutant/Event@1' });
            json.triggers[index].event = 'mutant/Event@1';
            return [{ code: 'trigger.input_mismatch', rule: 'V-432', path: ['triggers', index, 'event'] }];
          },
        },
      ];
    }),
  ),
  inManifest('a correlation by what is not there', (world) =>
    triggersOf(world).flatMap((trigger, index): ManifestPlace[] => {
      const waits = plansOf(world)
        .filter(({ name }) => name === trigger.plan)
        .flatMap(({ steps }) => steps.filter(({ op }) => op === 'await_event'));
      const mentions = waits.every(({ where }) => refsIn(where).some(({ text }) => text === '@var:correlation_id'));
      if (!isCorrelated(world, trigger.plan) || trigger.correlate_by === undefined || !mentions) return [];
      const missing = unheardOf(world, trigger).map((text) => text.slice('@event.'.length));
      return [...missing, `${trigger.correlate_by}.deeper`, '', '.'].map((path) => ({
        at: `${index} "${path}"`,
        change: (json) => {
          json.triggers[index].correlate_by = path;
          return [{ code: 'trigger.correlate_by_invalid', rule: 'V-433', path: ['triggers', index, 'correlate_by'] }];
        },
      }));
    }),
  ),
  inManifest('a trigger that reads what it cannot', (world) =>
    triggersOf(world).flatMap((trigger, index) =>
      ['@var:x', '@plan.input.id', '@step:a', ...unheardOf(world, trigger)].map((text) => ({
        at: `${index} when ${text}`,
        change: (json: Authored) => {
          const read = { op: 'eq', args: [{ ref: text }, { ref: text }] };
          json.triggers[index].when = trigger.when === undefined ? read : { op: 'and', args: [trigger.when, read] };
          const at: Path = ['triggers', index, 'when', ...(trigger.when === undefined ? [] : ['args', 1])];
          return [0, 1].map((arg) => ({
            code: 'trigger.unknown_ref',
            rule: 'V-707',
            path: [...at, 'args', arg, 'ref'],
          }));
        },
      })),
    ),
  ),
  inManifest('a trigger whose projection reads what it cannot', (world) =>
    triggersOf(world).flatMap((trigger, index) =>
      'input_expr' in trigger
        ? ['@var:x', '@plan.input', ...unheardOf(world, trigger)].map((text) => ({
            at: `${index} ${text}`,
            change: (json: Authored) => {
              json.triggers[index].input_expr = { ref: text };
              return [{ code: 'trigger.unknown_ref', rule: 'V-707', path: ['triggers', index, 'input_expr', 'ref'] }];
            },
          }))
        : [],
    ),
  ),
];
