import { cpSync, rmSync } from 'node:fs';
import { GATE_NAMES, type GateName, type GateOptions, type GateWorld, runGates } from '@worldline/testkit/gates';
import { KernelWorld } from '@worldline/testkit';
import { describe, expect, test } from 'vitest';
import { asking, delegating, fanningOut, racing } from './fixtures.ts';

/** Every gate can fail: a world with one mistake, or a double with one, turns that gate red and no other. */

/** Enough to find the mistakes below. */
const COUNT = 8;

/** The gates that found something, and what they said. */
async function red(
  world: GateWorld,
  options: GateOptions = {},
): Promise<{ readonly gates: readonly GateName[]; readonly said: string }> {
  const { gates } = await runGates(world, { seed: 1, count: COUNT, ...options });
  const failed = gates.filter(({ verdict }) => verdict === 'failed');
  const said = failed.flatMap(({ problems }) => problems.map(({ message }) => message)).join('\n');
  return { gates: failed.map(({ gate }) => gate), said };
}

/** A world whose inputs go through `change` first. */
function double(change: (w: KernelWorld, apply: KernelWorld['apply']) => KernelWorld['apply']): GateOptions {
  return {
    // It lives in this process, where the crash gate does not go.
    only: GATE_NAMES.filter((gate) => gate !== 'crash'),
    open(loaded, config) {
      const w = KernelWorld.over(loaded, config);
      w.apply = change(w, w.apply.bind(w));
      return w;
    },
  };
}

test('without a mistake no gate is red', async () => {
  for (const world of [asking(), racing(), delegating(), fanningOut()])
    expect(
      await red(
        world,
        double((_, apply) => apply),
      ),
    ).toEqual({ gates: [], said: '' });
});

describe('replay', () => {
  test('a kernel that changes its state and journals nothing', async () => {
    const secretive = double((w, apply) => (ingress) => {
      const applied = apply(ingress);
      if (ingress.kind === 'receipt' && applied.outcome.kind === 'applied') {
        const stamp = { nowNs: 0n, logicalNs: 0n, entropy: new Uint8Array(64) };
        w.kernel.apply({ kind: 'control', command: 'pin', add: [new Uint8Array(32)], remove: [] }, stamp);
        w.kernel.accept(1);
      }
      return applied;
    });
    expect((await red(delegating(), secretive)).gates).toEqual(['replay']);
  });
});

describe('duplicates', () => {
  test('a kernel that forgets which requests it has had', async () => {
    const forgetful = double((_, apply) => (ingress) => apply({ ...ingress, ingressId: undefined }));
    const { gates, said } = await red(racing(), forgetful);
    expect(gates).toEqual(['duplicates']);
    expect(said).toContain('started a second run');
  });
});

describe('cross-talk', () => {
  test('a wait that does not compare the id', async () => {
    const { gates, said } = await red(asking(true));
    expect(gates).toEqual(['cross-talk']);
    expect(said).toContain('for another request');
  });
});

describe('late-losers', () => {
  test('a race whose branches are joined', async () => {
    const { gates, said } = await red(racing(true));
    expect(gates).toEqual(['late-losers']);
    expect(said).toContain('does not settle it');
  });

  test('a kernel that says of a late receipt that it was applied', async () => {
    const boasting = double((_, apply) => (ingress) => {
      const applied = apply(ingress);
      const records = applied.records.map((record) =>
        record.record_kind === 'effect_receipt' ? { ...record, disposition: 'applied' as const } : record,
      );
      return { ...applied, records };
    });
    expect((await red(racing(), boasting)).gates).toEqual(['late-losers']);
  });
});

describe('denials', () => {
  test('an entry that listens to Ok alone', async () => {
    const { gates, said } = await red(delegating(true));
    expect(gates).toEqual(['denials']);
    expect(said).toContain('0 events t/WorkSettled@1');
  });

  test('an error whose description is lost', async () => {
    const vague = double((w, apply) => {
      w.object = () => undefined;
      return apply;
    });
    expect((await red(delegating(), vague)).gates).toEqual(['denials']);
  });
});

describe('fan-out', () => {
  test('a parent that is silent when its children differ', async () => {
    expect((await red(fanningOut(true))).gates).toEqual(['fan-out']);
  });

  test('a kernel that does not tell the parent of a cancelled child', async () => {
    const deaf = double((_, apply) => (ingress) => {
      if (ingress.kind === 'control') return { outcome: { kind: 'duplicate' }, records: [], objects: [] };
      return apply(ingress);
    });
    expect((await red(fanningOut(), deaf)).gates).toEqual(['fan-out']);
  });
});

describe('crash', () => {
  test('a store that loses the newest batch: the wait in it is gone', async () => {
    let copy = '';
    const afterKill = (store: string, kills: number) => {
      if (kills === 1) {
        copy = `${store}.copy`;
        cpSync(store, copy, { recursive: true });
      } else if (kills === 2) {
        rmSync(store, { recursive: true });
        cpSync(copy, store, { recursive: true });
      }
    };
    const { gates, said } = await red(fanningOut(), { afterKill, only: ['replay', 'crash'] });
    expect(gates).toEqual(['crash']);
    expect(said).toContain('waits for something else');
  });
});

test('every gate is tried here', () => {
  expect(GATE_NAMES).toEqual(['replay', 'duplicates', 'cross-talk', 'late-losers', 'denials', 'fan-out', 'crash']);
});
