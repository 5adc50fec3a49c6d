import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/**
 * The examples of the packs are what `worldline plans scaffold` writes, filled in (`packs.md` §5, §9.7): turnkey by hosts and a
 * correlation only, composable-core by the mapping and by work after the outcome.
 */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

type Node = Readonly<Record<string, unknown>>;
type List = readonly Node[];

interface Scaffold {
  readonly manifest_snippet: Readonly<Record<'schemas' | 'plans' | 'effects' | 'triggers', List>> & {
    readonly defaults: { readonly cap_grants: List };
  };
  readonly policy_def: { readonly name: string; readonly rules: List };
  readonly wrapper_plan_template?: Node & { readonly steps: List; readonly edges: List };
}

function scaffoldFor(example: string, pack: string, profile: string, namespace: string): Scaffold {
  const args = ['--world', join(ROOT, 'examples', example), 'plans', 'scaffold', '--json', '--dry-run'];
  const flags = ['--pack', pack, '--profile', profile, '--namespace', namespace];
  const launcher = join(ROOT, 'packages/cli/bin/worldline.js');
  const run = spawnSync(process.execPath, [launcher, ...args, ...flags], { encoding: 'utf8' });
  expect(run.status, run.stdout + run.stderr).toBe(0);
  return (JSON.parse(run.stdout) as { data: { scaffold: Scaffold } }).data.scaffold;
}

function nodesOf(example: string): List {
  const folder = join(ROOT, 'examples', example, 'air');
  return readdirSync(folder).flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as List);
}

const ofKind = (nodes: List, kind: string) => nodes.filter((node) => node['$kind'] === kind);
const namesOf = (list: unknown) => (list as List).map(({ name }) => name).sort();
const only = (node: Node, keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, node[key]]));

const EXAMPLES = [
  { example: '02-deadline-race-turnkey', pack: 'deadline-race', profile: 'turnkey', namespace: 'shop' },
  { example: '03-deadline-race-core', pack: 'deadline-race', profile: 'composable-core', namespace: 'shop' },
  { example: '04-approval-gate-turnkey', pack: 'approval-gate', profile: 'turnkey', namespace: 'deploy' },
  { example: '05-approval-gate-core', pack: 'approval-gate', profile: 'composable-core', namespace: 'deploy' },
] as const;

describe.each(EXAMPLES)('examples/$example', ({ example, pack, profile, namespace }) => {
  const scaffold = scaffoldFor(example, pack, profile, namespace);
  const nodes = nodesOf(example);
  const [manifest] = ofKind(nodes, 'manifest') as [Node];
  const { manifest_snippet: snippet, policy_def: policy, wrapper_plan_template: template } = scaffold;
  const defaults = manifest['defaults'] as { readonly cap_grants: List; readonly policy: string };
  const [ownPolicy] = ofKind(nodes, 'defpolicy') as [Node];

  test('lists what the scaffold lists', () => {
    for (const section of ['schemas', 'plans', 'effects'] as const)
      expect(namesOf(manifest[section])).toEqual(expect.arrayContaining(namesOf(snippet[section])));
  });

  test('grants every slot by the cap that the scaffold names', () => {
    const given = defaults.cap_grants.map(({ name, cap }) => ({ name, cap }));
    expect(given).toEqual(expect.arrayContaining(snippet.defaults.cap_grants.map((one) => only(one, ['name', 'cap']))));
  });

  test('starts what the scaffold starts, by the same event', () => {
    const triggers = (manifest['triggers'] as List).map((one) => only(one, ['event', 'plan']));
    expect(triggers).toEqual(snippet.triggers);
  });

  test('allows what the scaffold allows', () => {
    expect(defaults.policy).toBe(policy.name);
    expect(ownPolicy['name']).toBe(policy.name);
    expect(ownPolicy['rules']).toEqual(expect.arrayContaining([...policy.rules]));
  });

  if (profile === 'turnkey')
    test('has nothing else: no plan, no schema, no grant and no rule of its own', () => {
      expect(nodes.map(({ $kind }) => $kind).sort()).toEqual(['defpolicy', 'manifest']);
      for (const section of ['schemas', 'plans', 'effects'] as const)
        expect(namesOf(manifest[section])).toEqual(namesOf(snippet[section]));
      expect(defaults.cap_grants).toHaveLength(snippet.defaults.cap_grants.length);
      expect(ownPolicy['rules']).toEqual(policy.rules);
    });
  else
    test('has one plan: that of the template, with steps before and after', () => {
      const plans = ofKind(nodes, 'defplan');
      expect(plans.map((plan) => only(plan, ['name', 'input', 'locals']))).toEqual([
        only(template!, ['name', 'input', 'locals']),
      ]);
      const [plan] = plans as [Node];
      const steps = plan['steps'] as List;
      for (const id of ['run', 'ran']) {
        const written = template!.steps.find((step) => step['id'] === id);
        expect(steps.find((step) => step['id'] === id)).toEqual(written);
      }
      expect(steps.map(({ id }) => id)).toEqual(expect.arrayContaining(['map']));
      const edges = plan['edges'] as List;
      expect(edges).toEqual(expect.arrayContaining(template!.edges.filter(({ from }) => from !== 'ran')));
      const afterwards = edges.filter(({ from }) => from === 'ran');
      for (const tag of ['Ok', 'Error', 'Canceled']) expect(JSON.stringify(afterwards)).toContain(`"${tag}"`);
    });
});
