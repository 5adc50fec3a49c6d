import { pointer } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import type { Diagnostic, Edit } from '../../src/diagnostic.ts';
import { loadAuthored } from '../../src/load-authored.ts';
import { typeJson } from '../check-support.ts';
import { type Authored, filesOf, manifestOf, op, plan, ref, schema } from '../fixtures.ts';

/** Worlds for the corpus of the lints (`patterns.md` §8): one plan, `t/p@1`, and what a case adds. */

export interface LintWorldParts {
  readonly steps: readonly Authored[];
  readonly edges?: readonly Authored[];
  readonly invariants?: readonly Authored[];
  readonly locals?: Readonly<Record<string, string>>;
  readonly output?: string;
  readonly triggers?: readonly Authored[];
  /** Further plans. */
  readonly more?: readonly Authored[];
}

const SCHEMAS = {
  In: '{request_id: text, deadline_ns: nat, n: nat, url: text, pay: t/Out@1, order: {id: text}}',
  Small: '{ask: text, note: text}',
  Ev: '{request_id: text, kind: text, n: nat, order: {id: text}}',
  Other: '{request_id: text, kind: text}',
  Out: 'variant(Done, Failed: text, TimedOut: nat)',
  Said: '{request_id: text, result: t/Out@1}',
  Params: '{x: text, token?: sys/TextOrSecretRef@1, bin?: sys/BytesOrSecretRef@1, list?: list<sys/TextOrSecretRef@1>}',
  Receipt: '{y: nat, items: list<text>}',
  Nothing: 'nat',
};

const GRANTS = [
  { name: 'c', cap: 't/cap@1', params: {} },
  { name: 'web', cap: 'sys/http.out@1', params: {} },
  { name: 'clock', cap: 'sys/timer@1', params: {} },
  { name: 'desk', cap: 'sys/approval@1', params: {} },
  { name: 'mesh', cap: 'sys/fabric@1', params: { worlds: ['other'] } },
  { name: 'look', cap: 'sys/query@1', params: {} },
  { name: 'blob', cap: 'sys/blob@1', params: {} },
];

const EFFECTS = ['http.request', 'timer.set', 'timer.after', 'approval.request', 'fabric.send', 'blob.get', 'blob.put'];

export function worldOf(parts: LintWorldParts): Authored[] {
  const { steps, more = [], triggers, ...rest } = parts;
  const defs: Authored[] = [
    ...Object.entries(SCHEMAS).map(([name, notation]) => schema(`t/${name}@1`, typeJson(notation))),
    {
      $kind: 'defeffect',
      name: 't/do@1',
      kind: 't.do',
      params_schema: 't/Params@1',
      receipt_schema: 't/Receipt@1',
      cap_type: 't.cap',
      origin_scope: 'plan',
    },
    { $kind: 'defcap', name: 't/cap@1', cap_type: 't.cap', schema: { record: {} } },
    { $kind: 'defsecret', name: 't/key@1', binding_id: 'env:KEY' },
    plan('t/p@1', { input: 't/In@1', steps, ...rest }),
    ...more,
  ];
  const manifest = manifestOf(defs, {
    defaults: { cap_grants: GRANTS },
    ...(triggers === undefined ? {} : { triggers }),
  });
  manifest.effects.push(...EFFECTS.map((kind) => ({ name: `sys/${kind}@1` })), {
    name: 'sys/introspect.journal_head@1',
  });
  return [manifest, ...defs];
}

/** A further plan; takes what `t/p@1` takes. */
export function child(name: string, steps: readonly Authored[], edges: readonly Authored[] = [], parts: Authored = {}) {
  return plan(name, { input: 't/In@1', steps, edges, ...parts });
}

export function lints(parts: LintWorldParts): readonly Diagnostic[] {
  return lintsOf(worldOf(parts));
}

function lintsOf(world: readonly Authored[]): readonly Diagnostic[] {
  const result = loadAuthored(filesOf(world), { lints: true, willRun: false });
  if (!result.ok) {
    const errors = result.failure.filter(({ severity }) => severity === 'error');
    throw new Error(errors.map(({ code, path, message }) => `${code} ${pointer(path)} ${message}`).join('\n'));
  }
  return result.value.warnings.filter(({ code }) => code.startsWith('RL'));
}

/** The world with what an edit says; `check --fix` does the same to its text. */
function edited(world: readonly Authored[], edit: Edit): readonly Authored[] {
  const copy = JSON.parse(JSON.stringify(world));
  const last = edit.path.at(-1) as string | number;
  const owner = edit.path.slice(0, -1).reduce((node, segment) => node[segment], copy);
  const value = edit.path.length === 0 ? copy : owner[last];
  switch (edit.kind) {
    case 'add':
      expect(Object.keys(value)).toContain(edit.before);
      value[edit.member] = JSON.parse(edit.text);
      break;
    case 'append':
      value.push(JSON.parse(edit.text));
      break;
    case 'replace':
      owner[last] = JSON.parse(edit.text);
      break;
    case 'wrap':
      owner[last] = JSON.parse(edit.open + JSON.stringify(value) + edit.close);
      break;
    case 'remove':
      owner.splice(last, 1);
      break;
    default:
      edit satisfies never;
  }
  return copy;
}

/** How each finding of a lint is mended, by kind of edit; `-` where nobody but the author can say. */
export function mends(code: string, cases: readonly (readonly [name: string, parts: LintWorldParts, ...string[]])[]) {
  describe(`${code}: what mends it`, () => {
    test.each(cases.map(([name, parts, ...kinds]) => ({ name, parts, kinds })))('$name', ({ parts, kinds }) => {
      const findings = lints(parts).filter((finding) => finding.code === code);
      expect(findings.map(({ edit }) => edit?.kind ?? '-')).toEqual(kinds);
      expectMended(parts, findings);
    });
  });
}

/** Each edit alone: the world stays valid, the finding is gone, and nothing new is found. */
function expectMended(parts: LintWorldParts, findings: readonly Diagnostic[]): void {
  const before = lints(parts);
  for (const { code, edit, name, fields } of findings) {
    if (edit === undefined) continue;
    const left = lintsOf(edited(worldOf(parts), edit));
    const isThis = (one: Diagnostic) =>
      one.code === code && one.name === name && one.fields?.['step'] === fields?.['step'];
    expect(left.filter(isThis)).toEqual([]);
    expect(left.length).toBeLessThan(before.length);
  }
}

/** `plan step /path` of a finding. */
function place({ name, path, fields }: Diagnostic): string {
  return [name, fields?.['step'] ?? '-', pointer(path)].join(' ');
}

export type Case = readonly [name: string, parts: LintWorldParts, ...places: string[]];

/** At least five plans that trigger a lint, and five that nearly do. */
export function corpus(
  code: string,
  level: 'warning' | 'info',
  { triggers, spares }: { readonly triggers: readonly Case[]; readonly spares: readonly Case[] },
): void {
  const named = (cases: readonly Case[]) =>
    cases.map(([name, parts, ...expected]) => ({ name, parts, expected: expected as readonly string[] }));
  const found = (parts: LintWorldParts) => lints(parts).filter((finding) => finding.code === code);

  describe(`${code}: plans that trigger it`, () => {
    test.each(named(triggers))('$name', ({ parts, expected }) => {
      const findings = found(parts);
      expect(findings.map(place)).toEqual(expected);
      for (const { severity, line, column, file } of findings) {
        expect(severity).toBe(level);
        expect(file).toBe('air/world.air.json');
        expect(line).toBeGreaterThan(0);
        expect(column).toBeGreaterThan(0);
      }
      expectMended(parts, findings);
    });
    test('they are at least five, and each finds something', () => {
      expect(triggers.length).toBeGreaterThanOrEqual(5);
      for (const { name, expected } of named(triggers)) expect(expected.length, name).toBeGreaterThan(0);
    });
  });
  describe(`${code}: near misses`, () => {
    test.each(named(spares))('$name', ({ parts }) => {
      expect(found(parts).map(place)).toEqual([]);
    });
    test('they are at least five', () => {
      expect(spares.length).toBeGreaterThanOrEqual(5);
    });
  });
}

// Steps

const at = (path: string) => ref(`@plan.input.${path}`);

export const ID = at('request_id');

export function key(id: string, on: Authored = ID): Authored {
  return op('hash', { record: { op: { text: `p.${id}` }, id: on } });
}

/** A write; its handle is `<id>_h`. */
export function write(id: string, parts: Authored = {}): Authored {
  return {
    id,
    op: 'emit_effect',
    kind: 't.do',
    params: { x: 'x' },
    cap: 'c',
    idempotency_key: key(id),
    bind: { effect_id_as: `${id}_h` },
    ...parts,
  };
}

export function emit(id: string, kind: string, cap: string, params: Authored, parts: Authored = {}): Authored {
  return { id, op: 'emit_effect', kind, params, cap, bind: { effect_id_as: `${id}_h` }, ...parts };
}

export function web(id: string, method: Authored, parts: Authored = {}): Authored {
  return emit(id, 'http.request', 'web', { method, url: at('url'), headers: {} }, parts);
}

export function timer(id: string, name?: Authored, when: Authored = at('deadline_ns')): Authored {
  return emit(id, 'timer.set', 'clock', { deliver_at_ns: when, ...(name === undefined ? {} : { key: name }) });
}

export const DEADLINE = op('concat', { text: 'deadline:' }, ID);

export function ask(id: string): Authored {
  return emit(id, 'approval.request', 'desk', { subject: ID, requester: 'me' });
}

export function send(id: string, on: Authored = ID): Authored {
  const params = { dest_world: 'other', schema: 't/Ev@1', value: { blob_ref: op('hash', on) }, correlation_id: on };
  return emit(id, 'fabric.send', 'mesh', params);
}

/** Awaits the receipt of `<of>` into `<of>_r`. */
export function got(of: string, id = `${of}_got`): Authored {
  return { id, op: 'await_receipt', for: ref(`@var:${of}_h`), bind: { as: `${of}_r` } };
}

/** Awaits an event, correlated unless the case says otherwise, into `<id>_e`. */
export function heard(
  id: string,
  where: Authored = op('eq', ref('@event.request_id'), ID),
  event = 't/Ev@1',
): Authored {
  return { id, op: 'await_event', event, where, bind: { as: `${id}_e` } };
}

export function assign(id: string, as: string, expr: Authored): Authored {
  return { id, op: 'assign', expr, bind: { as } };
}

export function say(id: string, result: Authored = { Done: null }): Authored {
  return { id, op: 'raise_event', event: 't/Said@1', value: { request_id: ID, result } };
}

export function raise(id: string, event: string, value: Authored): Authored {
  return { id, op: 'raise_event', event, value };
}

/** Spawns into `<id>_c`. */
export function spawn(id: string, name: string, input: Authored = ref('@plan.input')): Authored {
  return { id, op: 'spawn_plan', plan: name, input, bind: { handle_as: `${id}_c` } };
}

export function joined(of: string, as = `${of}_o`): Authored {
  return { id: `${of}_done`, op: 'await_plan', for: ref(`@var:${of}_c`), bind: { as } };
}

export function end(id = 'done', result?: Authored): Authored {
  return { id, op: 'end', ...(result === undefined ? {} : { result }) };
}

// Guards

export function status(variable: string, value = 'ok', operation = 'eq'): Authored {
  return op(operation, ref(`@var:${variable}.$status`), { text: value });
}

export function tag(place: string, value: string, operation = 'eq'): Authored {
  return op(operation, ref(`${place}.$tag`), { text: value });
}

/** `a → b`, `a → b` with a guard. */
export function to(from: string, next: string, when?: Authored): Authored {
  return when === undefined ? { from, to: next } : { from, to: next, when };
}
