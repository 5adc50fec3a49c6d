import { describe, expect, test } from 'vitest';
import { loadAuthored } from '../../src/load-authored.ts';
import { type Authored, chain, filesOf, load, ref, smallWorld } from '../fixtures.ts';
import { assign, child, end, got, heard, lints, say, to, worldOf, write } from './support.ts';

/** What holds of all lints together. */

const { idempotency_key: _, ...bare } = write('m');
const messy = {
  steps: [heard('w'), bare, got('m'), assign('a', 'x', { nat: 1 }), end('done'), say('s')],
  edges: [...chain('m', 'm_got', 'done', 's'), to('w', 'done')],
};

describe('lints', () => {
  test('are asked for: a load without the option finds none', () => {
    const found = loadAuthored(filesOf(worldOf(messy)), { willRun: false });
    expect(found.ok && found.value.warnings.map(({ code }) => code)).toEqual([]);
  });

  test('several in one plan, in the order of the document', () => {
    expect(lints(messy).map(({ code, fields }) => `${code} ${fields?.['step']}`)).toEqual([
      'RL002 w',
      'RL013 w',
      'RL003 m',
      'RL008 m_got',
      'RL013 m_got',
      'RL013 a',
      'RL011 s',
    ]);
  });

  const findings = (nodes: readonly Authored[]) => {
    const found = loadAuthored(filesOf(nodes), { lints: true, willRun: false });
    if (found.ok) throw new Error('there is no error');
    return found.failure.map(({ code, name }) => `${code} ${name ?? ''}`.trim());
  };

  test('a plan with an error has none', () => {
    expect(findings(worldOf({ ...messy, edges: [to('w', 'nowhere')] }))).toEqual(['plan.edge_unknown_step t/p@1']);
  });

  test('beside it, a sound plan has its own; not one that starts the broken one, over however many others', () => {
    const wrong = child('t/wrong@1', [assign('a', 'x', ref('@var:nowhere'))]);
    const unread = assign('a', 'x', { nat: 1 });
    const starts = (name: string, of: string) =>
      child(
        name,
        [unread, { id: 's', op: 'spawn_plan', plan: of, input: ref('@plan.input'), bind: { handle_as: 'h' } }],
        [to('a', 's')],
      );
    const sound = child('t/sound@1', [unread]);
    const more = [
      starts('t/above@1', 't/near@1'),
      starts('t/fine@1', 't/sound@1'),
      starts('t/near@1', 't/wrong@1'),
      sound,
      wrong,
    ];
    const trigger = { event: 't/In@1', plan: 't/wrong@1', correlate_by: 'request_id' };
    const found = findings(worldOf({ steps: [end('done')], more, triggers: [trigger] }));
    expect(found.filter((line) => line.startsWith('RL')).sort()).toEqual([
      'RL013 t/fine@1',
      'RL013 t/sound@1',
      'RL018 t/fine@1',
    ]);
    expect(found.filter((line) => !line.startsWith('RL')).length).toBeGreaterThan(0);
  });

  test('an error outside of plans says nothing certain about any: then there are none', () => {
    const nodes = worldOf(messy).map((node) => (node['name'] === 't/Ev@1' ? { ...node, wrong: 1 } : node));
    expect(findings(nodes)).toEqual(['node.unknown_field t/Ev@1']);
  });

  test('the same world finds the same, and its catalog is the same as without them', () => {
    const first = load(smallWorld().nodes, { lints: true });
    const second = load(smallWorld().nodes, { lints: true });
    const without = load(smallWorld().nodes);
    if (!first.ok || !second.ok || !without.ok) throw new Error('the small world does not load');
    expect(second.value.warnings).toEqual(first.value.warnings);
    expect(first.value.catalog.manifestHash).toEqual(without.value.catalog.manifestHash);
  });

  test('payload_unproven keeps its code where nobody asks for lints, and is named as the cause where somebody does', () => {
    const parts = {
      steps: [write('m'), got('m'), assign('a', 'x', ref('@var:m_r.y'))],
      edges: [to('m', 'm_got'), to('m_got', 'a')],
    };
    const plain = loadAuthored(filesOf(worldOf(parts)), { willRun: false });
    expect(plain.ok && plain.value.warnings.map(({ code }) => code)).toEqual(['payload_unproven']);
    const found = lints(parts).filter(({ code }) => code === 'RL004');
    expect(found.map(({ fields }) => fields?.['cause'])).toEqual(['payload_unproven']);
  });

  test('a plan of as many steps as there may be is looked at as any other', () => {
    // Every question about pairs and triples of waits is asked.
    const steps = [
      ...Array.from({ length: 170 }, (_, index) => heard(`w${index}`)),
      ...Array.from({ length: 170 }, (_, index) => ({
        id: `t${index}`,
        op: 'emit_effect',
        kind: 'timer.set',
        cap: 'clock',
        params: { deliver_at_ns: ref('@plan.input.deadline_ns') },
        bind: { effect_id_as: `t${index}_h` },
      })),
      ...Array.from({ length: 170 }, (_, index) => got(`t${index}`)),
      end('one'),
      end('two'),
    ];
    const edges = Array.from({ length: 170 }, (_, index) => [
      to(`w${index}`, 'one'),
      to(`t${index}_got`, 'one'),
      to(`t${index}_got`, 'two'),
    ]).flat();
    const codes = new Set(lints({ steps, edges }).map(({ code }) => code));
    expect([...codes].sort()).toEqual(['RL008', 'RL010', 'RL013', 'RL021']);
  });
});
