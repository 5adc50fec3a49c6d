import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { planWorld } from './plan-world.ts';
import { cleanUp, worldline, worldOf } from './support.ts';

/** `plans effects` and `plans can` on a folder that is never run. Tests start the built command: npx tsc -b packages/cli */

afterAll(cleanUp);

const PAY = 'shop/pay@1';
const world = planWorld();

describe('worldline plans effects', () => {
  test('every effect with its step, its place, what it reaches and what the gate says', async () => {
    const run = await worldline(['plans', 'effects', PAY, '--json'], { cwd: world });
    expect(run.exit).toBe(0);
    const { data } = run.json();
    const { effects } = data;
    expect(
      effects.map((one: { plan: string; step: string; kind: string; via: string; guarded: boolean; answer: string }) =>
        [one.plan, one.step, one.kind, one.via, one.guarded, one.answer].join(' '),
      ),
    ).toEqual([
      'shop/pay@1 check http.request itself false yes',
      'shop/pay@1 post http.request itself true depends',
      'shop/pay@1 elsewhere http.request itself false no',
      'shop/pay@1 blocked http.request itself false no',
      'shop/pay@1 ask llm.generate itself false yes',
      'shop/note@1 note http.request spawned false depends',
      'shop/after@1 nap timer.after triggered true yes',
    ]);
    expect(data.plans).toEqual([
      { plan: PAY, via: 'itself', dead_steps: ['off'] },
      { plan: 'shop/note@1', via: 'spawned', dead_steps: [] },
      { plan: 'shop/after@1', via: 'triggered', dead_steps: [] },
    ]);
    expect(data.policy).toEqual({ name: 'shop/policy@1', allows: 6, denies: 1 });
    expect(data.secrets).toEqual([{ alias: 'llm/key', version: 1, named: true }]);
    expect(data.spawns).toMatchObject([{ step: 'kid', child: 'shop/note@1', fanout_max: 1 }]);
    expect(data.raises).toMatchObject([
      { step: 'tell', starts: [{ plan: 'shop/after@1', when: 'always' }], wakes: [PAY] },
    ]);
    const reasons = (step: string) => effects.find((one: { step: string }) => one.step === step).reasons;
    expect(reasons('elsewhere')[0]).toMatchObject({ code: 'enforcer_denies' });
    expect(reasons('blocked')[0]).toMatchObject({ code: 'policy_denies' });
    expect(reasons('note').map(({ code }: { code: string }) => code)).toEqual(['enforcer_decides', 'expires']);
    const post = effects[1];
    expect(post.bounds.find(({ name }: { name: string }) => name === 'host')).toMatchObject({
      by: 'both',
      values: ['api.example.com'],
    });
    // The place is where the step is written.
    const line = readFileSync(join(world, post.file), 'utf8')
      .split('\n')
      .slice(post.line - 1, post.line + 1)
      .join('');
    expect(line).toContain('"id": "post"');
  });

  test('a table for people says the same, with totals and the verdict of the policy', async () => {
    const run = await worldline(['plans', 'effects', PAY], { cwd: world });
    expect([run.exit, run.stderr]).toEqual([0, '']);
    expect(run.stdout).toMatch(
      /http\.request\s+post\s+maybe\s+api\s+POST https:\/\/api\.example\.com\/…\s+depends\s+air\/world\.air\.json:\d+:\d+/,
    );
    expect(run.stdout).toContain('llm/key@1');
    expect(run.stdout).toContain('until 2027-01-15T08:00:00.000Z');
    expect(run.stdout).toMatch(/never run: off/);
    expect(run.stdout.trimEnd().split('\n').at(-1)).toBe('policy: shop/policy@1 denies 1 of 7 effects (http.request)');
  });

  test('a plan that reaches nothing', async () => {
    const run = await worldline(['plans', 'effects', 'shop/idle@1'], { cwd: world });
    expect(run.exit).toBe(0);
    expect(run.stdout).toContain('no effects, no events, no waits, no children');
  });

  test('an unknown plan has a suggestion and exit 4', async () => {
    const run = await worldline(['plans', 'effects', 'shop/pya@1', '--json'], { cwd: world });
    expect(run.exit).toBe(4);
    expect(run.json().error).toMatchObject({ code: 'plan.unknown', details: { hint: expect.stringContaining(PAY) } });
  });

  test('a folder with errors is not asked', async () => {
    const broken = planWorld(undefined, [{ $kind: 'defplan', name: 'shop/bad@1', input: 'shop/None@1', steps: [] }]);
    const run = await worldline(['plans', 'effects', PAY, '--json'], { cwd: broken });
    expect([run.exit, run.json().error.code]).toEqual([1, 'manifest.validation']);
  });

  test('--active asks the world, which may differ from the folder', async () => {
    const folder = worldOf('http');
    const before = await worldline(['plans', 'effects', 'web/fetch@1', '--active', '--json'], { cwd: folder });
    expect(before.exit).not.toBe(0);
    await worldline(['run', '--batch'], { cwd: folder });
    const run = await worldline(['plans', 'effects', 'web/fetch@1', '--active', '--json'], { cwd: folder });
    expect(run.exit).toBe(0);
    expect(run.json().data).toMatchObject({ source: 'world', effects: [{ step: 'ask', answer: 'depends' }] });
    expect(run.json().meta.manifest_hash).toMatch(/^sha256:/);
  });

  test('what the host adds is told: credentials, and redirects that are followed', async () => {
    const credentials = [
      { grant: 'api', origin: 'https://api.example.com', header: 'authorization', binding: 'env:TOKEN' },
    ];
    const folder = planWorld({ http: { redirects: 'recheck', credentials } });
    const run = await worldline(['plans', 'effects', PAY], { cwd: folder });
    expect(run.stdout).toContain('credential: header authorization from env:TOKEN');
    expect(run.stdout).toContain('redirects: followed wherever grant hook allows: anything');
  });
});

describe('worldline plans can', () => {
  const ask = async (folder: string, ...args: string[]) => {
    const run = await worldline(['plans', 'can', ...args, '--json'], { cwd: folder });
    return { exit: run.exit, ...run.json().data };
  };

  test.each([
    ['yes', 0, [PAY, 'http.request']],
    ['yes', 0, [PAY, 'http.request', '--method', 'get', '--host', 'API.example.com']],
    ['depends', 0, [PAY, 'http.request', '--method', 'POST']],
    ['depends', 0, [PAY, 'http.request', '--host', 'elsewhere.example']],
    ['no', 7, [PAY, 'http.request', '--method', 'DELETE', '--host', 'api.example.com']],
    ['yes', 0, [PAY, 'llm.generate']],
    ['depends', 0, [PAY, 'timer.after']],
    ['no', 7, [PAY, 'blob.put']],
    ['no', 7, [PAY, 'mcp.call']],
    ['no', 7, ['shop/idle@1', 'http.request']],
    ['no', 0, [PAY, 'blob.put', '--expect', 'no']],
    ['yes', 7, [PAY, 'llm.generate', '--expect', 'no']],
    ['depends', 7, [PAY, 'timer.after', '--expect', 'yes']],
  ])('%s (exit %i): %j', async (answer, exit, args) => {
    expect(await ask(world, ...args)).toMatchObject({ answer, exit });
  });

  test('the reasons name the step, its place and why', async () => {
    const run = await worldline(['plans', 'can', PAY, 'http.request', '--method', 'DELETE'], { cwd: world });
    expect(run.stdout).toMatch(/^no: shop\/pay@1 can never emit http\.request DELETE\n/);
    expect(run.stdout).toMatch(
      /no: step check with grant api: GET https:\/\/api\.example\.com\/health {2}air\/world\.air\.json:\d+:\d+\n {4}its method can only be GET/,
    );
    const none = await worldline(['plans', 'can', 'shop/idle@1', 'http.request'], { cwd: world });
    expect(none.stdout).toContain('no step of it emits http.request');
  });

  test('a reducer that takes an event of the run may emit what it declares', async () => {
    const folder = planWorld(undefined, [
      {
        $kind: 'defmodule',
        name: 'shop/ledger@1',
        module_kind: 'reducer',
        abi: { reducer: { state: 'shop/Paid@1', event: 'shop/Entry@1', effects_emitted: ['blob.put'] } },
      },
      {
        $kind: 'defschema',
        name: 'shop/Entry@1',
        type: { variant: { Paid: { ref: 'shop/Paid@1' }, Put: { ref: 'sys/BlobPutResult@1' } } },
      },
      {
        $kind: 'defplan',
        name: 'shop/told@1',
        input: 'shop/Order@1',
        steps: [{ id: 'say', op: 'raise_event', event: 'shop/Paid@1', value: { id: { ref: '@plan.input.id' } } }],
      },
    ]);
    expect(await ask(folder, 'shop/told@1', 'blob.put')).toMatchObject({
      answer: 'depends',
      exit: 0,
      reducers: ['shop/ledger@1'],
    });
    expect(await ask(folder, 'shop/idle@1', 'blob.put')).toMatchObject({ answer: 'no', reducers: [] });
    const { stdout } = await worldline(['plans', 'effects', 'shop/told@1'], { cwd: folder });
    expect(stdout).toContain('REDUCER        MAY EMIT\nshop/ledger@1  blob.put\n');
  });

  test('a step that can never run is told as the reason', async () => {
    const folder = planWorld(undefined, [
      {
        $kind: 'defplan',
        name: 'shop/dead@1',
        input: 'shop/Order@1',
        steps: [
          { id: 'a', op: 'assign', expr: { bool: false }, bind: { as: 'on' } },
          {
            id: 'nap',
            op: 'emit_effect',
            kind: 'timer.after',
            cap: 'clock',
            params: { after_ns: 1 },
            bind: { effect_id_as: 'h' },
          },
        ],
        edges: [{ from: 'a', to: 'nap', when: { ref: '@var:on' } }],
      },
    ]);
    const dead = await ask(folder, 'shop/dead@1', 'timer.after');
    expect(dead).toMatchObject({ answer: 'no', reasons: [expect.stringContaining('step nap can never run')] });
  });

  test('where redirects are followed, a host that only the grant allows is possible', async () => {
    const plan = {
      $kind: 'defplan',
      name: 'shop/fixed@1',
      input: 'shop/Order@1',
      steps: ['api', 'hook'].map((cap) => ({
        id: `ask_${cap}`,
        op: 'emit_effect',
        kind: 'http.request',
        cap,
        params: { method: 'GET', url: 'https://api.example.com/', headers: {} },
        bind: { effect_id_as: `${cap}_h` },
      })),
    };
    const answers = async (config?: Record<string, unknown>) => {
      const { steps } = await ask(planWorld(config, [plan]), 'shop/fixed@1', 'http.request', '--host', 'evil.example');
      return steps.map((one: { step: string; answer: string }) => `${one.step} ${one.answer}`);
    };
    expect(await answers()).toEqual(['ask_api no', 'ask_hook no']);
    // Grant api names its host, grant hook names none.
    expect(await answers({ http: { redirects: 'recheck' } })).toEqual(['ask_api no', 'ask_hook depends']);
  });

  test('an unknown kind has a suggestion and exit 4; flags that make no sense exit 2', async () => {
    const unknown = await worldline(['plans', 'can', PAY, 'htp.request', '--json'], { cwd: world });
    expect(unknown.exit).toBe(4);
    expect(unknown.json().error.details.hint).toContain('http.request');
    // Of the runtime's own kinds, too, which the manifest need not list.
    const near = await worldline(['plans', 'can', PAY, 'approval.reqest', '--json'], { cwd: world });
    expect(near.json().error.details.hint).toContain('approval.request');
    const wrong = await worldline(['plans', 'can', PAY, 'timer.after', '--host', 'x'], { cwd: world });
    expect(wrong.exit).toBe(2);
  });
});
