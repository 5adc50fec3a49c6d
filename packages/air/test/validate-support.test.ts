import { describe, expect, test } from 'vitest';
import { add, findings, load, plan, record, ref, smallWorld, type WorldFixture } from './fixtures.ts';

/** What the language has and this runtime does not run yet: refused beside everything else that is found. */

type Case = [why: string, change: (world: WorldFixture) => void, expected: string[]];

function check(cases: readonly Case[]): void {
  test.each(cases)('%s', (_why, change, expected) => {
    const world = smallWorld();
    change(world);
    expect(findings(load(world.nodes))).toEqual(expected);
  });
}

const P = 'demo/p@1';

describe('not supported yet', () => {
  const module = {
    $kind: 'defmodule',
    name: 'demo/m@1',
    module_kind: 'reducer',
    abi: { reducer: { state: 'demo/Task@1', event: 'demo/Task@1' } },
  };
  const enforcer = {
    $kind: 'defmodule',
    name: 'demo/check@1',
    module_kind: 'pure',
    abi: { pure: { input: 'sys/CapCheckInput@1', output: 'sys/CapCheckOutput@1' } },
  };
  check([
    ['a module', (world) => add(world, module), ['- unsupported manifest /modules/0']],
    [
      'a built-in reducer',
      ({ manifest }) => manifest.modules.push({ name: 'sys/Workspace@1' }),
      ['- unsupported manifest /modules/0'],
    ],
    [
      'routing, inboxes, bindings',
      (world) => {
        const { manifest } = add(world, module);
        manifest.module_bindings = { 'demo/m@1': { slots: { default: 'clock' } } };
        manifest.routing = {
          events: [{ event: 'demo/Task@1', reducer: 'demo/m@1' }],
          inboxes: [{ source: 'fabric', reducer: 'demo/m@1' }],
        };
      },
      [
        '- unsupported manifest /modules/0',
        '- unsupported manifest /module_bindings',
        '- unsupported manifest /routing/events',
        '- unsupported manifest /routing/inboxes',
      ],
    ],
    [
      'empty routing and bindings ask for nothing',
      ({ manifest }) => {
        manifest.module_bindings = {};
        manifest.routing = { events: [], inboxes: [] };
      },
      [],
    ],
    [
      'an enforcer of the world’s own',
      (world) =>
        add(world, enforcer, {
          $kind: 'defcap',
          name: 'demo/c@1',
          cap_type: 'x',
          schema: record({}),
          enforcer: { module: 'demo/check@1' },
        }),
      ['- unsupported manifest /modules/0', '- unsupported demo/c@1 /enforcer/module'],
    ],
    [
      'a kind that the kernel would have to answer',
      (world) => {
        add(
          world,
          plan(P, {
            steps: [
              {
                id: 'a',
                op: 'emit_effect',
                kind: 'workspace.empty_root',
                params: { workspace: 'w' },
                cap: 'ws',
                bind: { effect_id_as: 'h' },
              },
            ],
          }),
        );
        world.manifest.effects.push({ name: 'sys/workspace.empty_root@1' });
        world.manifest.defaults.cap_grants.push({ name: 'ws', cap: 'sys/workspace@1', params: {} });
      },
      [`- unsupported ${P} /steps/0/kind`],
    ],
    [
      'steps of subplans run',
      (world) => {
        const spawn = {
          id: 's',
          op: 'spawn_plan',
          plan: 'demo/core_run@1',
          input: ref('@plan.input'),
          bind: { handle_as: 'k' },
        };
        const wait = { id: 'w', op: 'await_plan', for: ref('@var:k'), bind: { as: 'r' } };
        add(world, plan(P, { steps: [spawn, wait] }));
      },
      [],
    ],
    [
      'listing such an effect and granting its cap is harmless',
      ({ manifest }) => {
        manifest.effects.push({ name: 'sys/workspace.empty_root@1' });
        manifest.defaults.cap_grants.push({ name: 'ws', cap: 'sys/workspace@1', params: {} });
      },
      [],
    ],
  ]);
});
