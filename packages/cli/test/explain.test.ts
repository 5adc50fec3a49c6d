import { afterAll, describe, expect, test } from 'vitest';
import { DIAGNOSTICS } from '../src/diagnostics/table.ts';
import { cleanUp, emptyFolder, worldline } from './support.ts';

/** `worldline check --explain`, in a folder that is no world: an explanation needs none. */

afterAll(cleanUp);

const explain = (...args: string[]) => worldline(['check', '--explain', ...args], { cwd: emptyFolder() });

describe('check --explain', () => {
  test('a code: severity, rule, meaning, a wrong example with a mark below the place, a right one', async () => {
    const { exit, stdout, stderr } = await explain('plan.edge_unknown_step');
    expect([exit, stderr]).toEqual([0, '']);
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('plan.edge_unknown_step  error  V-503');
    const marked = lines.findIndex((line) => /^ +\^+$/.test(line));
    const mark = lines[marked]!;
    expect(lines[marked - 1]!.slice(mark.indexOf('^'), mark.lastIndexOf('^') + 1)).toBe('"end"');
    expect(lines.findIndex((line) => line.startsWith('wrong, '))).toBeLessThan(marked);
    expect(lines.findIndex((line) => line.startsWith('right, '))).toBeGreaterThan(marked);
    expect(stdout).not.toContain('shared/');
    expect(Math.max(...lines.slice(0, 6).map((line) => line.length))).toBeLessThanOrEqual(110);
  });

  test('--json: the same as data', async () => {
    const { exit, json } = await explain('plan.edge_unknown_step', '--json');
    expect(exit).toBe(0);
    expect(json().data).toMatchObject({
      query: 'plan.edge_unknown_step',
      entries: [
        {
          code: 'plan.edge_unknown_step',
          severity: 'error',
          rules: ['V-503'],
          title: expect.any(String),
          meaning: expect.any(String),
          wrong: { part: 'plan', text: expect.any(String), line: 6, column: expect.any(Number), length: 5 },
          right: { part: 'plan', text: expect.any(String) },
          document: 'docs/diagnostics.md#planedge_unknown_step',
        },
      ],
    });
    const { text, line, column, length } = json().data.entries[0].wrong;
    expect(text.split('\n')[line - 1].slice(column - 1, column - 1 + length)).toBe('"end"');
  });

  test.each(['V-516', 'v-516', 'V516'])('a rule, %s: all its codes', async (rule) => {
    const { exit, json } = await explain(rule, '--json');
    expect(exit).toBe(0);
    expect(json().data.entries.map(({ code }: { code: string }) => code)).toEqual([
      'plan.literal_needs_schema',
      'plan.result_missing',
      'plan.end_missing',
    ]);
  });

  test('no code: all of them, grouped, one line each', async () => {
    const human = await explain();
    expect(human.exit).toBe(0);
    const listed = human.stdout.split('\n').filter((line) => line.startsWith('  '));
    expect(listed.map((line) => line.trim().split(/ {2,}/)[0])).toEqual([...DIAGNOSTICS.keys()]);
    const { data } = (await explain('--json')).json();
    expect(data.groups.flatMap(({ codes }: { codes: { code: string }[] }) => codes.map(({ code }) => code))).toEqual([
      ...DIAGNOSTICS.keys(),
    ]);
  });

  test.each([
    ['plan.cylic', 'did you mean "plan.cyclic"?'],
    ['slottype', 'did you mean "slot_type"?'],
    ['V-524', expect.stringContaining('did you mean "V-')],
    ['\u001b]0;x\u0007 what on earth', '"worldline check --explain" lists all codes'],
  ])('an unknown code %j: exit 4 and a suggestion', async (code, hint) => {
    const { exit, json } = await explain(code, '--json');
    expect(exit).toBe(4);
    expect(json().error).toMatchObject({ code: 'not_found', details: { hint } });
    expect((await explain(code)).stderr).not.toMatch(/(?!\n)\p{Cc}/u);
  });
});
