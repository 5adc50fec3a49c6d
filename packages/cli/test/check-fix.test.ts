import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fixTexts, writeFixed } from '../src/check-fix.ts';
import type { Finding } from '../src/finding.ts';
import { cleanUp, emptyFolder, worldline, worldOf } from './support.ts';

/** Lints in `worldline check`: what they refuse, how they are silenced, and what `--fix` writes. */

afterAll(cleanUp);

const PLANS = 'air/plans.air.json';

/** The world of the template that asks a service, with a POST instead of a GET: a write without a key (RL003). */
async function posting(change: (text: string) => string = (text) => text): Promise<string> {
  const folder = await worldOf('http');
  const file = join(folder, PLANS);
  writeFileSync(file, change(readFileSync(file, 'utf8').replace('"GET"', '"POST"')));
  return folder;
}

function plansOf(folder: string): string {
  return readFileSync(join(folder, PLANS), 'utf8');
}

const KEY =
  '"idempotency_key": { "op": "hash", "args": [ { "record": { "op": { "text": "fetch.ask" }, "id": { "ref": "@plan.input.id" } } } ] },';

describe('lints', () => {
  test('a warning is shown with its place and its hint, and refused only with --fail-on-warning', async () => {
    const folder = await posting();
    const found = await worldline(['check', '--json'], { cwd: folder });
    expect(found.exit).toBe(0);
    expect(found.json().data.findings).toMatchObject([
      {
        code: 'RL003',
        level: 'warning',
        plan: 'web/fetch@1',
        step: 'ask',
        path: '/steps/0',
        file: PLANS,
        line: 7,
        column: 5,
      },
    ]);
    expect(Object.keys(found.json().data.findings[0])).not.toContain('edit');
    expect((await worldline(['check', '--fail-on-warning'], { cwd: folder })).exit).toBe(7);
  });

  test('an info refuses nothing, not even with --fail-on-warning', async () => {
    const folder = await worldOf('minimal');
    const file = join(folder, PLANS);
    const note =
      '{ "id": "note", "op": "assign", "expr": { "ref": "@plan.input.name" }, "bind": { "as": "noted" } },\n    { "id": "done"';
    writeFileSync(file, readFileSync(file, 'utf8').replace('{ "id": "done"', note));
    const found = await worldline(['check', '--fail-on-warning', '--json'], { cwd: folder });
    expect(found.json().data.findings).toMatchObject([{ code: 'RL013', level: 'info', step: 'note' }]);
    expect(found.exit).toBe(0);
    const shown = await worldline(['check', '--fail-on-warning'], { cwd: folder });
    expect(shown.stdout).toContain('0 errors, 0 warnings, 1 info in 1 file');
  });

  test('checks.ignore silences one with its reason; beside an error nothing is said about such an entry', async () => {
    const folder = await posting();
    const ignored = { code: 'RL003', plan: 'web/fetch@1', step: 'ask', reason: 'the service knows repeats' };
    writeFileSync(join(folder, 'worldline.json'), JSON.stringify({ version: 1, checks: { ignore: [ignored] } }));
    const found = await worldline(['check', '--fail-on-warning', '--json'], { cwd: folder });
    expect([found.exit, found.json().data.findings]).toEqual([0, []]);
    writeFileSync(join(folder, PLANS), plansOf(folder).replace('"cap_web"', '"cap_wbe"'));
    const broken = await worldline(['check', '--json'], { cwd: folder });
    expect(broken.json().data.findings.map(({ code }: { code: string }) => code)).toEqual(['grant.not_found']);
  });
});

describe('check --fix', () => {
  test('writes the key that RL003 recommends, keeps the rest of the text, and finds nothing more', async () => {
    const folder = await posting();
    const before = plansOf(folder);
    const run = await worldline(['check', '--fix', '--json'], { cwd: folder });
    expect(run.json().data).toMatchObject({
      findings: [],
      dry_run: false,
      fixed: [{ code: 'RL003', plan: 'web/fetch@1', step: 'ask', file: PLANS, inserted: KEY }],
    });
    expect(plansOf(folder)).toBe(
      before.replace(
        '      "bind": { "effect_id_as": "request" }',
        `      ${KEY}\n      "bind": { "effect_id_as": "request" }`,
      ),
    );
    const again = await worldline(['check', '--fix', '--json'], { cwd: folder });
    expect(again.json().data.fixed).toEqual([]);
  });

  test('--dry-run shows it and writes nothing', async () => {
    const folder = await posting();
    const before = plansOf(folder);
    const run = await worldline(['check', '--fix', '--dry-run'], { cwd: folder });
    expect(run.stdout).toContain(`would fix RL003 at ${PLANS}:7:5`);
    expect(run.stdout).toContain(KEY);
    expect(plansOf(folder)).toBe(before);
    const alone = await worldline(['check', '--dry-run', '--json'], { cwd: folder });
    expect(alone.json().error.code).toBe('invalid_request');
  });

  test('keeps line ends, a byte order mark and a step on one line', async () => {
    const folder = await posting(
      (text) =>
        `\ufeff${text.replaceAll('\n', '\r\n').replace(/\r\n\s*"bind": \{ "effect_id_as"/, ' "bind": { "effect_id_as"')}`,
    );
    const before = plansOf(folder);
    const run = await worldline(['check', '--fix', '--json'], { cwd: folder });
    expect(run.json().data.fixed).toHaveLength(1);
    expect(plansOf(folder)).toBe(before.replace('"bind": { "effect_id_as"', `${KEY} "bind": { "effect_id_as"`));
    expect(run.json().data.findings).toEqual([]);
  });

  test('lines of such a file end as they did', async () => {
    const folder = await posting((text) => text.replaceAll('\n', '\r\n'));
    const before = plansOf(folder);
    await worldline(['check', '--fix', '--json'], { cwd: folder });
    expect(plansOf(folder)).toBe(
      before.replace('      "bind": { "effect_id_as"', `      ${KEY}\r\n      "bind": { "effect_id_as"`),
    );
  });

  test('touches nothing while there is an error', async () => {
    const folder = await posting((text) => text.replace('"cap_web"', '"cap_wbe"'));
    const before = plansOf(folder);
    const run = await worldline(['check', '--fix'], { cwd: folder });
    expect(run.exit).toBe(7);
    expect(run.stdout).toContain('nothing was fixed');
    expect(plansOf(folder)).toBe(before);
  });

  test('adds conjuncts, and does each edit once', () => {
    const fixed = (text: string, ...edits: readonly Finding['edit'][]) => {
      const findings = edits.map(
        (edit) => ({ code: 'RL001', level: 'warning', message: '', file: 'a.json', edit }) as const,
      );
      return fixTexts([{ path: 'a.json', text }], findings).files[0]?.text;
    };
    const wrap = { kind: 'wrap', path: ['where'], open: '{ "and": [ ', close: ', 2 ] }' } as const;
    expect(fixed('{ "where" : {"a": "]}\\""}, "bind": 1 }', wrap, wrap)).toBe(
      '{ "where" : { "and": [ {"a": "]}\\""}, 2 ] }, "bind": 1 }',
    );
    expect(fixed('{"where":true}', wrap)).toBe('{"where":{ "and": [ true, 2 ] }}');
    const append = { kind: 'append', path: ['args'], text: '3' } as const;
    expect(fixed('{"args": [1,\r\n\t[2] ]}', append, { ...append, text: '4' }, append)).toBe(
      '{"args": [1,\r\n\t[2],\r\n\t3,\r\n\t4 ]}',
    );
    expect(fixed('{"args":[]}', append)).toBe('{"args":[3]}');
    expect(fixed('{"args":["x", -1.5e3]}', append)).toBe('{"args":["x", -1.5e3, 3]}');
    // What has changed since it was found is left alone.
    const add = { kind: 'add', path: [], member: 'where', text: '1', before: 'bind' } as const;
    for (const edit of [append, add, { kind: 'remove', path: ['args', 0] } as const])
      expect(fixed('{"other": 1}', edit)).toBe('{"other": 1}');
    expect(fixed('{"bind": 1, "where": 2}', add)).toBe('{"bind": 1, "where": 2}');
    expect(fixed('{"bind": 1}', add)).toBe('{"where": 1, "bind": 1}');
  });

  test('writes nothing at all when one of the files is not what was read any more', () => {
    const folder = emptyFolder();
    const files = ['a.json', 'b.json', 'gone.json'].map((path) => ({ path, text: `"${path}"` }));
    const fixed = files.map((file) => ({ ...file, text: `${file.text} ` }));
    const texts = () => ['a.json', 'b.json'].map((path) => readFileSync(join(folder, path), 'utf8'));
    for (const { path, text } of files.slice(0, 2)) writeFileSync(join(folder, path), text);
    expect(writeFixed(folder, files, fixed)).toBe(false);
    expect(texts()).toEqual(['"a.json"', '"b.json"']);
    writeFileSync(join(folder, 'b.json'), '"typed meanwhile"');
    expect(writeFixed(folder, files.slice(0, 2), fixed.slice(0, 2))).toBe(false);
    expect(texts()).toEqual(['"a.json"', '"typed meanwhile"']);
    // One that is not to be changed may have changed.
    expect(writeFixed(folder, files.slice(0, 2), [fixed[0]!, files[1]!])).toBe(true);
    expect(texts()).toEqual(['"a.json" ', '"typed meanwhile"']);
  });

  test('finds the step in a file that holds a list of definitions', async () => {
    const folder = await posting(
      (text) => `[\n{ "$kind": "defschema", "name": "web/Unused@1", "type": { "unit": {} } },\n${text}]`,
    );
    const before = plansOf(folder);
    const run = await worldline(['check', '--fix', '--json'], { cwd: folder });
    expect(run.json().data.fixed).toHaveLength(1);
    expect(plansOf(folder)).toBe(
      before.replace('      "bind": { "effect_id_as"', `      ${KEY}\n      "bind": { "effect_id_as"`),
    );
  });

  test('a hash beside a name is that of the definition as it is; the text around it stays', async () => {
    const folder = await posting();
    const manifest = join(folder, 'air/manifest.air.json');
    const hashed = (hash: string) => `{ "hash" :\t"${hash}" , "name": "web/fetch@1" }`;
    const text = (hash: string) =>
      original.replace(/\{\s*"name": "web\/fetch@1"\s*\}/, hashed(hash)).replaceAll('\n', '\r\n');
    const original = readFileSync(manifest, 'utf8');
    // An escape in a string is one way to write it.
    writeFileSync(manifest, text(`\\u0073ha256:${'0'.repeat(63)}1`));
    const stale = (await worldline(['check', '--json', '--ignore', 'RL003'], { cwd: folder })).json().data.findings;
    expect(stale.map(({ code }: { code: string }) => code)).toEqual(['ref.stale_hash']);
    const dry = await worldline(['check', '--fix', '--dry-run', '--ignore', 'RL003', '--json'], { cwd: folder });
    const [{ inserted }] = dry.json().data.fixed;
    const run = await worldline(['check', '--fix', '--ignore', 'RL003', '--json'], { cwd: folder });
    expect(run.json().data).toMatchObject({ findings: [], fixed: [{ code: 'ref.stale_hash', inserted }] });
    expect(readFileSync(manifest, 'utf8')).toBe(text(JSON.parse(inserted)));
    // It was right until the plan got its key.
    const both = await worldline(['check', '--fix', '--json'], { cwd: folder });
    expect(both.json().data.findings).toEqual([]);
    expect(both.json().data.fixed.map(({ code }: { code: string }) => code)).toEqual(['RL003', 'ref.stale_hash']);
    const { data } = (await worldline(['defs', 'ls', '--json', '--mode', 'batch'], { cwd: folder })).json();
    const plan = data.defs.find(({ name }: { name: string }) => name === 'web/fetch@1');
    expect(readFileSync(manifest, 'utf8')).toBe(text(plan.hash));
  });

  test('writes the edges that RL020 misses, first the list and then its items', async () => {
    const folder = worldOf('minimal');
    const file = join(folder, PLANS);
    const plan = (edges: string) => `{
  "$kind": "defplan",
  "name": "hello/greet@1",
  "input": "hello/Asked@1",${edges}
  "steps": [
    { "id": "a", "op": "assign", "expr": { "text": "a" }, "bind": { "as": "x" } },
    { "id": "b", "op": "assign", "expr": { "ref": "@var:x" }, "bind": { "as": "y" } },
    { "id": "c", "op": "assign", "expr": { "ref": "@var:y" }, "bind": { "as": "z" } }
  ],
  "invariants": [ { "op": "eq", "args": [ { "ref": "@var:z" }, { "text": "a" } ] } ]
}
`;
    writeFileSync(file, plan(''));
    const run = await worldline(['check', '--fix', '--only', 'RL020', '--json'], { cwd: folder });
    expect(run.json().data.fixed).toMatchObject([
      { code: 'RL020', step: 'b', inserted: '"edges": [ { "from": "a", "to": "b" } ],' },
      { code: 'RL020', step: 'c', inserted: '{ "from": "b", "to": "c" }' },
    ]);
    expect(run.json().data.findings).toEqual([]);
    expect(plansOf(folder)).toBe(plan('\n  "edges": [ { "from": "a", "to": "b" }, { "from": "b", "to": "c" } ],'));
  });

  test('removes entries of checks.ignore that silence nothing, and no others', async () => {
    const folder = await posting();
    const entry = (code: string) => `{ "code": "${code}",\n        "reason": "known, and [meant] \\"so\\"" }`;
    const sync = (...codes: string[]) =>
      `{\n  "version": 1,\n  "checks": { "ignore": [\n      ${codes.map(entry).join(',\n      ')}\n  ] }\n}\n`;
    const map = join(folder, 'worldline.json');
    writeFileSync(map, sync('RL001', 'RL003', 'RL005', 'RL009'));
    const dry = await worldline(['check', '--fix', '--dry-run'], { cwd: folder });
    expect(dry.stdout).toContain(
      'would fix checks.ignore_unused at worldline.json:4:7\n  - { "code": "RL001", "reason"',
    );
    const run = await worldline(['check', '--fix', '--json'], { cwd: folder });
    expect(run.json().data).toMatchObject({ findings: [] });
    expect(run.json().data.fixed).toHaveLength(3);
    expect(readFileSync(map, 'utf8')).toBe(sync('RL003'));
    // Who can tell what these were meant for?
    for (const doubtful of [sync('RL3'), sync('RL003').replace('"code"', '"plan": "web/ftech@1", "code"')]) {
      writeFileSync(map, doubtful);
      await worldline(['check', '--fix', '--ignore', 'RL003'], { cwd: folder });
      expect(readFileSync(map, 'utf8')).toBe(doubtful);
    }
    writeFileSync(map, sync('RL001'));
    await worldline(['check', '--fix', '--only', 'checks.ignore_unused'], { cwd: folder });
    expect(readFileSync(map, 'utf8')).toBe(sync().replace('[\n      \n  ]', '[]'));
  });

  test('leaves alone what is silenced or not asked for', async () => {
    const folder = await posting();
    const before = plansOf(folder);
    const run = await worldline(['check', '--fix', '--ignore', 'RL003', '--json'], { cwd: folder });
    expect(run.json().data.fixed).toEqual([]);
    expect(plansOf(folder)).toBe(before);
  });
});
