// biome-ignore-all lint/suspicious/noExplicitAny: mutants of authored JSON have every shape
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Json, JsonFloat, parseExpr, parseType, readSlot, typeToJson } from '../../packages/air/src/index.ts';
import { parseNode } from '../../packages/air/src/node-parse.ts';
import { STEP_SHAPES, TRIGGER_SHAPE } from '../../packages/air/src/node-shape.ts';
import { membersThat } from '../../packages/air/src/shape.ts';
import {
  exprArb,
  jsonArb,
  spellingArb,
  type TypedValue,
  typeArb,
  typedValueArb,
} from '../../packages/air/test/arbitraries.ts';
import { readSyncFile } from '../../packages/cli/src/sync-file.ts';
import { readHostConfig } from '../../packages/host/src/config.ts';
import { everyExpr, everyNode, everyType } from './every-node.ts';
import { AIR, HOST, SYNC, validator } from './schema-files.ts';

/**
 * Schema and parser agree. What the parser takes, the schema takes (G1); and where only structure is at stake (members,
 * requiredness, JSON kinds, patterns, choices), what the parser refuses, the schema refuses.
 */

const RUNS = Number(process.env['WORLDLINE_FUZZ_RUNS'] ?? 250);
/** One fixed seed, and one that nobody has tried; the test's name tells it. */
const SEEDS = [5, Number(process.env['WORLDLINE_SEED'] ?? Math.floor(Math.random() * 2 ** 31))];

function holds<T>(property: fc.IProperty<T>, seed: number): void {
  fc.assert(property, { numRuns: RUNS, seed });
}

const air = validator(AIR);
const slot = validator(AIR, 'slot');
const expr = validator(AIR, 'expr');
const type = validator(AIR, 'type');

/** As a schema sees it: numbers are numbers, whatever their size. */
function plain(json: Json): unknown {
  if (typeof json === 'bigint') return Number(json);
  if (json instanceof JsonFloat) return Number(json.text);
  if (Array.isArray(json)) return json.map(plain);
  if (typeof json !== 'object' || json === null) return json;
  const copy: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Object.entries(json)) copy[name] = plain(value as Json);
  return copy;
}

function accepts(node: unknown): boolean {
  return parseNode({ json: node as Json, base: [] }, { authored: true }).problems.length === 0;
}

type Place = readonly (string | number)[];

/** Every place of a value, the inside of slots left out. */
function places(value: unknown, at: Place = []): Place[] {
  const here: Place[] = [at];
  if (value === null || typeof value !== 'object') return here;
  if (isSlot(at)) return here;
  return here.concat(
    Object.entries(value).flatMap(([key, part]) => places(part, [...at, Array.isArray(value) ? Number(key) : key])),
  );
}

function isSlot(at: Place): boolean {
  const [section, , member] = at;
  if (section === 'steps' && at.length === 3) return SLOTS.has(member as string);
  if (section === 'triggers' && at.length === 3) return membersThat(TRIGGER_SHAPE, 'slot').includes(member as string);
  return at.length === 4 && at[1] === 'cap_grants' && at[3] === 'params';
}

const SLOTS = new Set([...Object.values(STEP_SHAPES).flatMap(({ members }) => membersThat(members, 'slot'))]);

const JUNK: readonly unknown[] = [
  null,
  true,
  1,
  0,
  '',
  'x',
  'a b',
  'a/b@1',
  'A/b@0',
  [],
  {},
  `sha256:${'b'.repeat(64)}`,
  'sha256:',
  { ref: '@plan.input' },
  { text: {} },
  { name: 'a/b@1' },
  [{ name: 'a/b@1' }],
  { $comment: 'x' },
  { ref: '@plan.inputs' },
  { op: 'eq', args: [] },
];

/** So many of them are no malformed expression. */
const SOUND = JUNK.length - 2;

interface Change {
  readonly place: number;
  readonly how: number;
  readonly with: number;
}

const changes: fc.Arbitrary<readonly Change[]> = fc.array(
  fc.record({ place: fc.nat(), how: fc.nat(4), with: fc.nat(JUNK.length - 1) }),
  { minLength: 1, maxLength: 3 },
);

/** A value with some of its members gone, renamed, replaced or commented. */
function mutant(base: unknown, list: readonly Change[]): any {
  const copy: any = structuredClone(base);
  for (const change of list) {
    const all = places(copy).filter((place) => place.length > 0);
    const place = all[change.place % all.length];
    if (place === undefined) continue;
    const parent = place.slice(0, -1).reduce((value: any, part) => value[part], copy);
    const last = place.at(-1) as any;
    if (change.how === 0) {
      if (Array.isArray(parent)) parent.splice(last, 1);
      else delete parent[last];
    } else if (change.how === 1) {
      // What is wrong inside a slot is judged when its type is known, after parsing.
      parent[last] = structuredClone(isSlot(place) ? JUNK[change.with % SOUND] : JUNK[change.with]);
    } else if (change.how === 2 && !Array.isArray(parent)) {
      parent[`${last}x`] = parent[last];
      delete parent[last];
    } else if (change.how === 3) {
      if (Array.isArray(parent)) parent.push(structuredClone(JUNK[change.with]));
      else parent[change.with % 2 === 0 ? 'more' : 'name'] = structuredClone(JUNK[change.with]);
    } else if (change.how === 4 && !Array.isArray(parent)) {
      parent['$comment'] = structuredClone(JUNK[change.with]);
    }
  }
  return copy;
}

describe.each(SEEDS)('with seed %i', (seed) => {
  test.each(everyNode().map((node) => [node.$kind, node]))(
    'a mutant of a %s is taken by the schema exactly when the parser takes it',
    (_, node) => {
      holds(
        fc.property(changes, (list) => {
          const changed = mutant(node, list);
          const taken = accepts(changed);
          expect({ taken, said: taken ? air(changed) : [] }).toEqual({ taken: air(changed).length === 0, said: [] });
        }),
        seed,
      );
    },
  );

  test('a mutant of a type expression is taken by the schema exactly when the parser takes it', () => {
    holds(
      fc.property(changes, (list) => {
        const changed = mutant({ t: everyType() }, list).t ?? null;
        expect(type(changed).length === 0).toBe(parseType(changed).ok);
      }),
      seed,
    );
  });

  test('a mutant of an expression is taken by the schema exactly when the parser takes it', () => {
    holds(
      fc.property(changes, (list) => {
        const changed = mutant({ e: everyExpr() }, list).e ?? null;
        expect(expr(changed).length === 0).toBe(parseExpr(changed).ok);
      }),
      seed,
    );
  });

  test('every type is taken', () => {
    holds(
      fc.property(typeArb(), (value) => {
        expect(type(plain(typeToJson(value)))).toEqual([]);
      }),
      seed,
    );
  });

  test('every expression is taken, alone and in a slot', () => {
    holds(
      fc.property(exprArb(), (json) => {
        expect(expr(plain(json))).toEqual([]);
        expect(slot(plain(json))).toEqual([]);
      }),
      seed,
    );
  });

  test('every spelling of a value is taken in a slot, with and without expressions in it', () => {
    const spelled = typedValueArb(2).chain((typed: TypedValue) =>
      fc.oneof(spellingArb(typed), spellingArb(typed, exprArb())).map((json) => ({ ...typed, json })),
    );
    holds(
      fc.property(spelled, ({ json, type: declared, scope }) => {
        fc.pre(readSlot(json, declared, scope).ok);
        expect(slot(plain(json))).toEqual([]);
      }),
      seed,
    );
  });

  test('arbitrary JSON that a slot of some type takes is taken by the schema, and so is what an Expr takes', () => {
    const scope = { lookup: () => undefined };
    holds(
      fc.property(jsonArb(), typeArb(2), (json, declared) => {
        if ([declared, undefined].some((each) => readSlot(json, each, scope).ok)) expect(slot(plain(json))).toEqual([]);
        if (parseExpr(json).ok) expect(expr(plain(json))).toEqual([]);
      }),
      seed,
    );
  });

  test('a mutant of a host configuration that its reader takes is taken by the schema', () => {
    const check = validator(HOST);
    holds(
      fc.property(changes, (list) => {
        const changed = mutant(EVERY_KEY, list);
        if (readHostConfig(changed, {}).ok) expect(check(changed), JSON.stringify(changed)).toEqual([]);
      }),
      seed,
    );
  });

  test('what the schema of the host configuration takes is refused by its reader only for what keys mean together', () => {
    const check = validator(HOST);
    holds(
      fc.property(changes, (list) => {
        const changed = mutant(EVERY_KEY, list);
        const read = readHostConfig(changed, {});
        if (check(changed).length > 0 || read.ok) return;
        const paths = read.failure.map(({ path }) => path.filter((part) => typeof part === 'string').join('.'));
        for (const path of paths) expect(path).toMatch(MEANING);
      }),
      seed,
    );
  });
});

/** Where the reader refuses what no schema can: bytes of a key, addresses, what keys of one object say of each other. */
const MEANING =
  /^(receipts\.trusted_keys\.key|world\.logical_origin|server\.bind|approvals\.webhook\.(url|secret)|fabric\.peers(\.[$\w]+\.(path|url|token))?)$/;

const EVERY_KEY = {
  effects: {
    timeout_ms: 1,
    max_in_flight: 1,
    retry: { 'host.http': { max: 1, base_ms: 1, factor: 2, cap_ms: 3 } },
  },
  http: {
    timeout_ms: 1,
    max_body_bytes: 1,
    redirects: 'recheck',
    allow_private: ['a'],
    credentials: [{ grant: 'g', origin: 'o', header: 'h', prefix: '', binding: 'b' }],
    proxy: '',
    env_proxy: true,
    retry_statuses: [500],
  },
  approvals: {
    rules: [{ subject_prefix: '', roles: ['a'] }],
    max_pending: 1,
    webhook: { url: 'https://desk.example', secret: 'env:DESK' },
  },
  fabric: { peers: { near: { path: '../near' }, far: { url: 'https://far.example', token: 'a' } }, max_bytes: 1 },
  server: {
    enabled: true,
    bind: '127.0.0.1:0',
    allowed_hosts: ['a'],
    allowed_origins: ['https://a.example'],
    tls: { cert: 'c', key: 'k' },
    insecure_bind: true,
  },
  secrets: { bindings: { a: 'b' }, allow_placeholders: true, allow_echo: ['x'] },
  receipts: {
    trusted_keys: [
      { adapter_id: 'a', key_id: 'k', alg: 'hmac-sha256', key: '00ff', kinds: ['x'], from_ns: '1', until_ns: '2' },
    ],
  },
  governance: { direct_apply: true },
  store: { engine: 'sqlite', dir: 'x' },
  journal: { fsync: 'always', max_group: 1 },
  snapshot: { every_entries: 1, every_ms: 1, keep: 1, verify: true },
  shutdown: { grace_ms: 1 },
  world: {
    clock: 'virtual',
    engine_profile: 'x',
    limits: { max_event_bytes: 5 },
    opaque_state_ok: true,
    receipt_verification: 'off',
    require_policy: true,
    logical_origin: '5',
    fabric_accept: [{ from: 'far', schemas: ['a/b@1'], modes: ['event'] }],
  },
  adapters: [{ module: 'm', export: 'e', options: {} }],
  log: { level: 'warn', json: true },
};

describe('worldline.json', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'worldline-schemas-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const every = {
    version: 1,
    air: { dir: 'air', imports: [] },
    build: {},
    modules: {},
    workspaces: [],
    checks: { ignore: [{ code: 'RL001', plan: 'a/b@1', step: 's', reason: 'because' }] },
  };

  test.each(SEEDS)('a mutant that its reader takes is taken by the schema, with seed %i', (seed) => {
    const check = validator(SYNC);
    expect(check(every)).toEqual([]);
    fc.assert(
      fc.property(changes, (list) => {
        const changed = mutant(every, list);
        writeFileSync(join(folder, 'worldline.json'), JSON.stringify(changed));
        let taken = true;
        try {
          readSyncFile(folder);
        } catch {
          taken = false;
        }
        if (taken) expect(check(changed)).toEqual([]);
      }),
      { numRuns: Math.min(RUNS, 1000), seed },
    );
  });
});
