import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  builtinScope,
  compilePatch,
  type Diagnostic,
  type Json,
  loadAuthored,
  parseExpr,
  parseRef,
  parseType,
  printJson,
  readSlot,
  type SourceFile,
  type Type,
} from '@worldline/air';
import { hashText } from '@worldline/canon';
import { type Authored, Draft, type MutantWorld, mutantWorlds } from '@worldline/testkit';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { BOMBS } from './bombs.mjs';

/**
 * Whatever stands in a file, the loader and the checker answer: they never throw, they come to an end, their findings are
 * bounded and the same every time, and memory grows with the input alone.
 */

const RUNS = Number(process.env['WORLDLINE_FUZZ_RUNS'] ?? 300);
const SEEDS = [20_261_128, Number(process.env['WORLDLINE_SEED'] ?? randomInt(2 ** 31))];

/** Findings, and the one that counts those that are left out. */
const FINDINGS_MAX = 1001;
/** Characters of one finding without its path, whose parts are names of the author's. */
const FINDING_MAX = 20_000;

function judge(findings: readonly Diagnostic[]): void {
  expect(findings.length).toBeLessThanOrEqual(FINDINGS_MAX);
  for (const found of findings) {
    expect(found.code).toMatch(/^[a-z_]+(\.[a-z0-9_]+)*$/);
    expect(found.message).not.toBe('');
    expect(JSON.stringify({ ...found, path: [] }).length).toBeLessThanOrEqual(FINDING_MAX);
  }
}

/** Load twice; what is said must be the same. */
function answers(files: readonly SourceFile[]): void {
  const once = loadAuthored(files);
  const again = loadAuthored(files);
  const findings = once.ok ? once.value.warnings : once.failure;
  judge(findings);
  if (!once.ok) expect(once.failure.some(({ severity }) => severity === 'error')).toBe(true);
  expect(again.ok).toBe(once.ok);
  expect(again.ok ? again.value.warnings : again.failure).toEqual(findings);
  if (once.ok && again.ok) {
    expect(hashText(again.value.catalog.manifestHash)).toBe(hashText(once.value.catalog.manifestHash));
  }
}

const NAMES = ['f/A@1', 'f/B@1', 'f/C@1', 'f/p@1', 'f/q@1', 'f/cap@1', 'f/effect@1', 'f/y@1', 'f/key@1'] as const;
const SYS = ['sys/SecretRef@1', 'sys/TextOrSecretRef@1', 'sys/PlanError@1', 'sys/HttpRequestParams@1', 'sys/timer@1'];
const FIELDS = ['a', 'b', 'id', 'text', 'tag', 'value', '$tag', 'ref', 'op', 'args', '__proto__', 'é', 'x.y', ''];
const IDENTS = ['s', 't', 'u', 'v', 'h', 'r', 'a.b', 'correlation_id', 's.t'];
const KINDS = ['timer.set', 'timer.after', 'http.request', 'llm.generate', 'f.effect', 'mcp.call.x'];

const pick = <T>(...items: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...items);
const ident = pick(...IDENTS);
const name = fc.oneof({ weight: 6, arbitrary: pick(...NAMES) }, { weight: 1, arbitrary: pick(...SYS) });
const kind = pick(...KINDS);
const scalar: fc.Arbitrary<Json> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer({ min: -3, max: 300 }),
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }),
  pick(
    '',
    'x',
    '5',
    '-1',
    '1e3',
    '@plan.input',
    'AAEC',
    `sha256:${'ab'.repeat(32)}`,
    '2024-01-01T00:00:00Z',
    'sha256:',
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
);

/** A reference, its root and its path hardly ever fitting. */
const refText = fc
  .tuple(
    fc.oneof(
      pick('@plan.input', '@event', '@plan.inputs', '@', '@var:', '@step:'),
      ident.map((id) => `@var:${id}`),
      ident.map((id) => `@step:${id}`),
    ),
    fc.array(pick('a', 'b', 'id', '$tag', '$value', '$status', '$error', 'code', '', 'x'), { maxLength: 3 }),
  )
  .map(([root, path]) => [root, ...path].join('.'));

/** Now and then anything else where something particular is expected. */
function mostly(good: fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  return fc.oneof({ weight: 30, arbitrary: good }, { weight: 1, arbitrary: trees.junk });
}

const OPS =
  'len get has eq ne lt le gt ge and or not concat hash hash_bytes add sub mul div mod starts_with ends_with contains if'.split(
    ' ',
  );
const CONSTANTS = [
  'null',
  'bool',
  'int',
  'nat',
  'dec128',
  'text',
  'bytes_b64',
  'time_ns',
  'duration_ns',
  'hash',
  'uuid',
];
const TYPES = ['bool', 'int', 'nat', 'dec128', 'bytes', 'text', 'time', 'duration', 'hash', 'uuid', 'unit', 'txt'];

const trees = fc.letrec<{ junk: Json; type: Json; expr: Json; slot: Json }>((tie) => ({
  junk: fc.oneof(
    { depthSize: 'small' },
    scalar,
    fc.array(tie('junk'), { maxLength: 3 }),
    fc.dictionary(pick(...FIELDS, '$kind', '$comment', 'record', 'map', 'list', 'variant'), tie('junk'), {
      maxKeys: 3,
    }),
  ),
  type: fc.oneof(
    { depthSize: 'small' },
    pick(...TYPES).map((type): Json => ({ [type]: {} })),
    name.map((ref): Json => ({ ref })),
    fc.dictionary(pick(...FIELDS), tie('type'), { maxKeys: 3 }).map((record): Json => ({ record })),
    fc.dictionary(pick(...FIELDS), tie('type'), { maxKeys: 3 }).map((variant): Json => ({ variant })),
    tie('type').map((list): Json => ({ list })),
    tie('type').map((set): Json => ({ set })),
    tie('type').map((option): Json => ({ option })),
    fc.tuple(tie('type'), tie('type')).map(([key, value]): Json => ({ map: { key, value } })),
  ),
  expr: fc.oneof(
    { depthSize: 'small' },
    refText.map((ref): Json => ({ ref })),
    fc.tuple(pick(...CONSTANTS), scalar).map(([tag, body]): Json => ({ [tag]: tag === 'null' ? {} : body })),
    pick<Json>({ nat: 1 }, { text: 'x' }, { bool: true }, { int: -1 }, { nat: 0 }),
    fc
      .tuple(pick(...OPS), fc.array(tie('expr'), { minLength: 1, maxLength: 3 }))
      .map(([op, args]): Json => ({ op, args })),
    fc.dictionary(pick(...FIELDS), tie('expr'), { maxKeys: 3 }).map((record): Json => ({ record })),
    fc.array(tie('expr'), { maxLength: 3 }).map((list): Json => ({ list })),
    fc.array(tie('expr'), { maxLength: 3 }).map((set): Json => ({ set })),
    fc
      .array(fc.record({ key: tie('expr'), value: tie('expr') }), { maxLength: 2 })
      .map((map): Json => ({ map: map as unknown as Json })),
    fc.tuple(pick('A', 'B', 'a'), tie('expr')).map(([tag, value]): Json => ({ variant: { tag, value } })),
  ),
  slot: fc.oneof(
    { depthSize: 'small' },
    tie('expr'),
    scalar,
    fc.dictionary(pick(...FIELDS), tie('slot'), { maxKeys: 3 }),
    fc.array(tie('slot'), { maxLength: 3 }),
  ),
}));

/** An object with some of its members, most of them right. */
function some(
  required: Record<string, fc.Arbitrary<Json>>,
  optional: Record<string, fc.Arbitrary<Json>> = {},
): fc.Arbitrary<Json> {
  const all = Object.fromEntries(Object.entries({ ...required, ...optional }).map(([key, arb]) => [key, mostly(arb)]));
  return fc.oneof(
    { weight: 20, arbitrary: fc.record(all, { requiredKeys: Object.keys(required) }) },
    { weight: 1, arbitrary: fc.record(all, { requiredKeys: [] }) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.record(all), pick(...FIELDS), trees.junk)
        .map(([made, key, value]) => ({ ...made, [key]: value })),
    },
  ) as fc.Arbitrary<Json>;
}

const constant = (value: Json): fc.Arbitrary<Json> => fc.constant(value);
const bind = (member: string): fc.Arbitrary<Json> => some({ [member]: ident });
const { slot, expr, type } = trees;
const step: fc.Arbitrary<Json> = fc.oneof(
  some({ id: ident, op: constant('assign'), expr: slot, bind: bind('as') }),
  some({ id: ident, op: constant('assign'), expr, bind: bind('as') }),
  some(
    { id: ident, op: constant('emit_effect'), kind, cap: ident, params: slot, bind: bind('effect_id_as') },
    { idempotency_key: slot },
  ),
  some({
    id: ident,
    op: constant('await_receipt'),
    for: ident.map((id): Json => ({ ref: `@var:${id}` })),
    bind: bind('as'),
  }),
  some({ id: ident, op: constant('await_event'), event: name, bind: bind('as') }, { where: expr }),
  some({ id: ident, op: constant('raise_event'), event: name, value: slot }),
  some({ id: ident, op: constant('spawn_plan'), plan: name, input: slot, bind: bind('handle_as') }),
  some({ id: ident, op: constant('await_plan'), for: expr, bind: bind('as') }),
  some(
    { id: ident, op: constant('spawn_for_each'), plan: name, inputs: slot, bind: bind('handles_as') },
    { max_fanout: fc.integer({ min: 0, max: 3 }) },
  ),
  some({ id: ident, op: constant('await_plans_all'), handles: expr, bind: bind('results_as') }),
  some({ id: ident, op: constant('end') }, { result: slot }),
);
const edge = some({ from: ident, to: ident }, { when: expr });
const lists = (item: fc.Arbitrary<Json>, maxLength: number): fc.Arbitrary<Json> => fc.array(item, { maxLength });
const rule = some({
  when: some(
    {},
    { effect_kind: kind, cap_name: ident, cap_type: kind, origin_kind: pick('plan', 'reducer'), origin_name: name },
  ),
  decision: pick('allow', 'deny'),
});
const node: fc.Arbitrary<Json> = fc.oneof(
  { weight: 4, arbitrary: some({ $kind: constant('defschema'), name: pick('f/A@1', 'f/B@1', 'f/C@1'), type }) },
  {
    weight: 4,
    arbitrary: some(
      { $kind: constant('defplan'), name: pick('f/p@1', 'f/q@1'), input: name, steps: lists(step, 6) },
      {
        output: name,
        locals: fc.dictionary(ident, name, { maxKeys: 2 }),
        edges: lists(edge, 6),
        invariants: lists(expr, 2),
        required_caps: lists(ident, 2),
        allowed_effects: lists(kind, 2),
      },
    ),
  },
  {
    weight: 1,
    arbitrary: some({
      $kind: constant('defeffect'),
      name: constant('f/effect@1'),
      kind,
      params_schema: name,
      receipt_schema: name,
      cap_type: kind,
      origin_scope: pick('plan', 'both', 'reducer'),
    }),
  },
  {
    weight: 1,
    arbitrary: some(
      { $kind: constant('defcap'), name: constant('f/cap@1'), cap_type: kind, schema: type },
      { enforcer: some({ module: name }) },
    ),
  },
  { weight: 1, arbitrary: some({ $kind: constant('defpolicy'), name: constant('f/y@1'), rules: lists(rule, 3) }) },
  {
    weight: 1,
    arbitrary: some(
      { $kind: constant('defsecret'), name: pick('f/key@1', 'f/key@0', 'f/key'), binding_id: pick('env:X', ' ') },
      { allowed_caps: lists(ident, 2), allowed_plans: lists(name, 2) },
    ),
  },
  {
    weight: 1,
    arbitrary: some(
      {
        $kind: constant('defmodule'),
        name: constant('f/m@1'),
        module_kind: pick('reducer', 'pure'),
        abi: some({}, { reducer: some({ state: name, event: name }), pure: some({ input: name, output: name }) }),
      },
      { key_schema: name },
    ),
  },
);
const reference = some({ name });
const manifest = some(
  {
    $kind: constant('manifest'),
    air_version: constant('1'),
    schemas: constant([{ name: 'f/A@1' }, { name: 'f/B@1' }]),
    modules: lists(reference, 1),
    plans: lists(
      pick('f/p@1', 'f/q@1').map((each): Json => ({ name: each })),
      2,
    ),
    caps: lists(reference, 1),
    policies: lists(reference, 1),
  },
  {
    effects: lists(
      pick('sys/timer.set@1', 'sys/http.request@1', 'f/effect@1').map((each): Json => ({ name: each })),
      2,
    ),
    secrets: lists(reference, 2),
    defaults: some(
      {},
      {
        policy: name,
        cap_grants: lists(
          some(
            { name: ident, cap: pick('sys/timer@1', 'sys/http.out@1', 'f/cap@1'), params: slot },
            { expiry_ns: scalar },
          ),
          3,
        ),
      },
    ),
    triggers: lists(
      some(
        { event: name, plan: pick('f/p@1', 'f/q@1') },
        { correlate_by: pick('id', 'a.b', '$value.id', ''), when: expr, input_expr: slot },
      ),
      2,
    ),
    routing: some(
      {},
      {
        events: lists(some({ event: name, reducer: name }, { key_field: pick('id', '$value.id') }), 2),
        inboxes: lists(some({ source: pick('x'), reducer: name }), 1),
      },
    ),
    module_bindings: fc.dictionary(name, some({ slots: fc.dictionary(ident, ident, { maxKeys: 1 }) }), { maxKeys: 1 }),
  },
);
const nodes = fc
  .tuple(fc.oneof({ weight: 9, arbitrary: manifest }, { weight: 1, arbitrary: node }), fc.array(node, { maxLength: 7 }))
  .map(([first, more]) => [first, ...more]);

/** Texts of real files, and of generated nodes. */
const TEXTS: readonly string[] = mutantWorlds().flatMap((world) => [
  printJson(world.nodes as Authored),
  ...new Draft(world.nodes).files().map(({ text }) => text),
]);

/** A piece of one file in another, cuts, and characters exchanged. */
const damaged = fc
  .tuple(
    pick(...TEXTS),
    fc.array(
      fc.record({
        at: fc.nat(),
        cut: fc.nat({ max: 40 }),
        text: fc.oneof(
          pick('"', '{', '}', '[', ']', ',', ':', 'null', '\\u', '\\ud800', '\ufeff', '1e9', '-', '$', '@', '//'),
          fc.string({ unit: 'binary', maxLength: 3 }),
          fc.tuple(pick(...TEXTS), fc.nat(), fc.nat({ max: 300 })).map(([other, from, length]) => {
            const start = from % other.length;
            return other.slice(start, start + length);
          }),
        ),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    fc.option(fc.nat(), { nil: undefined, freq: 3 }),
  )
  .map(([text, changes, end]) => {
    let made = text;
    for (const { at, cut, text: added } of changes) {
      const start = at % (made.length + 1);
      made = made.slice(0, start) + added + made.slice(start + cut);
    }
    return end === undefined ? made : made.slice(0, end % (made.length + 1));
  });

describe.each(SEEDS)(`hostile input, ${RUNS} of each kind, seed %i`, (seed) => {
  const run = <T>(arb: fc.Arbitrary<T>, check: (value: T) => void, share = 1): void =>
    fc.assert(fc.property(arb, check), { seed, numRuns: Math.ceil(RUNS * share) });

  test('nodes whose members are mostly right are answered', () => {
    run(nodes, (world) => answers([{ path: 'air/a.json', text: printJson(world) }]));
  }, 3_600_000);

  test('nodes spread over files, one of which does not read, are answered', () => {
    run(
      fc.tuple(nodes, fc.nat()),
      ([world, which]) => {
        const texts = world.map((each) => printJson(each, 1));
        const broken = texts[which % texts.length] as string;
        texts[which % texts.length] = broken.slice(0, which % (broken.length + 1));
        answers(texts.map((text, index) => ({ path: `air/${index}.json`, text })));
      },
      0.3,
    );
  }, 3_600_000);

  test('any JSON is answered', () => {
    run(trees.junk, (json) => answers([{ path: 'air/a.json', text: printJson(json) }]), 0.5);
  }, 3_600_000);

  test('files that were cut, spliced and scribbled in are answered', () => {
    run(damaged, (text) => answers([{ path: 'air/a.json', text }]));
  }, 3_600_000);

  test('any text is answered', () => {
    run(fc.string({ unit: 'binary', maxLength: 200 }), (text) => answers([{ path: 'air/a.json', text }]), 0.5);
  }, 3_600_000);

  test('any bytes that a file may hold are answered', () => {
    run(
      fc.uint8Array({ maxLength: 200 }),
      (bytes) => answers([{ path: 'air/a.json', text: new TextDecoder().decode(bytes) }]),
      0.5,
    );
  }, 3_600_000);

  test('an expression, a type and a reference of any shape are answered', () => {
    run(fc.oneof(trees.expr, trees.junk, trees.slot), (json) => {
      const names = { variables: new Set(IDENTS), steps: new Set(IDENTS) };
      for (const read of [parseExpr(json), parseExpr(json, names), parseType(json)]) {
        if (!read.ok) expect(read.failure.length).toBeGreaterThan(0);
      }
    });
    run(fc.oneof(refText, fc.string({ unit: 'binary' })), (text) => {
      parseRef(text, { variables: new Set(IDENTS), steps: new Set() });
      parseRef(text);
    });
  }, 3_600_000);

  test('a slot of any type with anything in it is answered', () => {
    const types: Type[] = [];
    run(trees.type, (json) => {
      const read = parseType(json);
      if (read.ok) types.push(read.value);
    });
    expect(types.length).toBeGreaterThan(0);
    run(fc.tuple(fc.nat(), fc.oneof(trees.slot, trees.junk)), ([which, json]) => {
      const read = readSlot(json, types[which % types.length], builtinScope(), 'fuzz');
      if (!read.ok) expect(read.failure.length).toBeGreaterThan(0);
    });
    run(trees.slot, (json) => {
      const read = readSlot(json, undefined, builtinScope(), 'fuzz');
      if (!read.ok) expect(read.failure.length).toBeGreaterThan(0);
    });
  }, 3_600_000);

  test('a patch of any content is answered', () => {
    const base = loadAuthored(new Draft((mutantWorlds()[1] as MutantWorld).nodes).files());
    if (!base.ok) throw new Error('the base of the patches does not load');
    const stored = new Map(base.value.objects.map(({ hash, bytes }) => [hashText(hash), bytes]));
    const op = fc.oneof(
      fc
        .tuple(pick('add_def', 'replace_def'), node)
        .map(([verb, def]): Json => ({ [verb]: { kind: (def as Authored).$kind ?? 'defplan', node: def } })),
      fc
        .tuple(
          pick('remove_def', 'set_default_policy', 'update_default_grants', 'set_triggers', 'set_manifest_refs'),
          trees.junk,
        )
        .map(([verb, body]): Json => ({ [verb]: body })),
      lists(some({ event: name, plan: name }, { input_expr: slot, when: expr }), 2).map(
        (triggers): Json => ({ set_triggers: { triggers } }),
      ),
      trees.junk,
    );
    const document = some({
      version: constant('1'),
      base_manifest_hash: constant(hashText(base.value.catalog.manifestHash)),
      patches: lists(op, 4),
    });
    run(fc.oneof({ weight: 9, arbitrary: document }, { weight: 1, arbitrary: trees.junk }), (json) => {
      const text = printJson(json);
      const [once, again] = [0, 1].map(() => compilePatch(text, (hash) => stored.get(hashText(hash))));
      if (once === undefined || again === undefined) throw new Error('compiled twice');
      judge(once.ok ? once.value.warnings : (once.failure as readonly Diagnostic[]));
      expect(again.ok ? again.value.warnings : again.failure).toEqual(once.ok ? once.value.warnings : once.failure);
    });
  }, 3_600_000);
});

/** Memory that a bomb of a few megabytes may take; V8 gives up beyond it. */
const HEAP_MB = 768;
/** Nothing here takes as long as that unless it never ends. */
const NEVER_MS = 240_000;

const SCRIPT = fileURLToPath(new URL('./bombs.mjs', import.meta.url));
const BIN = fileURLToPath(new URL('../../packages/cli/bin/worldline.js', import.meta.url));

interface Ended {
  readonly exit: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], cwd?: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: NEVER_MS });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (exit, signal) => resolve({ exit, signal, stdout, stderr }));
  });
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A world whose one file has this text. */
function folderOf(text: string | Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), 'worldline-fuzz-'));
  folders.push(folder);
  mkdirSync(join(folder, 'air'));
  writeFileSync(join(folder, 'worldline.json'), JSON.stringify({ version: 1, air: { dir: 'air' } }));
  writeFileSync(join(folder, 'air', 'bomb.air.json'), text);
  return folder;
}

/** Bombs go off one after another in a few processes: a process costs more than most of them. */
const BATCH = 8;
const batches = new Map<number, Promise<Ended>>();

function batchOf(name: string): Promise<Ended> {
  const names = Object.keys(BOMBS);
  const batch = Math.floor(names.indexOf(name) / BATCH);
  let running = batches.get(batch);
  if (running === undefined) {
    const some = names.slice(batch * BATCH, (batch + 1) * BATCH);
    running = start([`--max-old-space-size=${HEAP_MB}`, SCRIPT, ...some]);
    batches.set(batch, running);
  }
  return running;
}

describe('files that are made to hurt', () => {
  test.each(Object.keys(BOMBS))('%s', { timeout: NEVER_MS + 10_000 }, async (name) => {
    const { exit, signal, stdout, stderr } = await batchOf(name);
    const lines = stdout.split('\n').filter((line) => line !== '');
    const found = lines.map((line) => JSON.parse(line)).find((line) => line.name === name);
    // When a batch dies, the bomb that killed it is the first without a line.
    if (found === undefined) expect({ exit, signal, after: lines.length, stderr: stderr.slice(0, 500) }).toBe(name);
    expect(found.findings).toBeLessThanOrEqual(FINDINGS_MAX);
    expect(found.longest).toBeLessThanOrEqual(FINDING_MAX);
  });

  test.each([
    ['a million open brackets', BOMBS['a million open brackets']?.() ?? ''],
    ['a hundred thousand unknown members', BOMBS['a hundred thousand unknown members']?.() ?? ''],
    ['a thousand errors behind ten million letters', BOMBS['a thousand errors behind ten million letters']?.() ?? ''],
    ['many plans that start one another', BOMBS['many plans that start one another']?.() ?? ''],
    ['bytes that are no text', Uint8Array.from({ length: 5_000 }, (_, index) => (index * 197) % 256)],
    ['nothing but zeros', new Uint8Array(1_000_000)],
    ['half a character', Uint8Array.of(0x7b, 0x22, 0xc3, 0x22, 0x3a, 0x31, 0x7d)],
    ['two bytes of another encoding', Uint8Array.of(0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00)],
  ] as const)(
    'worldline check says exit code 7 and shows no stack: %s',
    { timeout: NEVER_MS + 10_000 },
    async (_name, text) => {
      const folder = folderOf(text);
      const plain = await start([BIN, 'check'], folder);
      expect(plain.exit).toBe(7);
      expect(`${plain.stdout}${plain.stderr}`).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
      expect(plain.stdout.length + plain.stderr.length).toBeLessThan(2_000_000);
      const json = await start([BIN, 'check', '--json'], folder);
      expect(json.exit).toBe(7);
      expect(JSON.parse(json.stdout)).toMatchObject({ data: { findings: expect.any(Array) } });
    },
  );
});
