import { pointer, type Result } from '@worldline/canon';
import { BUILTINS } from '../src/builtins.ts';
import { ExprChecker, type ExprEnv, type ExprFinding } from '../src/check-expr.ts';
import type { Diagnostic } from '../src/diagnostic.ts';
import type { Expr } from '../src/expr.ts';
import { parseExpr } from '../src/expr-parse.ts';
import { parseJson } from '../src/json.ts';
import { loadAuthored } from '../src/load-authored.ts';
import { type StaticType, TypeTable } from '../src/static-type.ts';
import type { TypeScope } from '../src/type.ts';
import { type Authored, filesOf, manifestOf, plan, schema } from './fixtures.ts';
import { type } from './support.ts';

/** Helpers of the tests of the static checker. */

/** A type in notation, or one that only the checker knows. */
export type Notation = string | StaticType;

export function typed(notation: Notation): StaticType {
  return typeof notation === 'string' ? type(notation) : notation;
}

export function receipt(payload: Notation): StaticType {
  return { kind: 'receipt', payload: typed(payload), segments: true };
}

export const SCOPE: TypeScope = { lookup: (name) => BUILTINS.schemas.get(name)?.def.type };

export interface Readable {
  readonly input?: Notation;
  readonly event?: Notation;
  readonly vars?: Readonly<Record<string, Notation>>;
  readonly steps?: Readonly<Record<string, Notation>>;
}

/** Every root keeps its value, and nothing is known about any. */
export function envOf(readable: Readable, table = new TypeTable(SCOPE)): ExprEnv {
  const unknown: StaticType = { kind: 'unknown' };
  const of = (notation: Notation | undefined) => (notation === undefined ? unknown : typed(notation));
  return {
    table,
    rootType: (ref) =>
      ref.root === 'input'
        ? of(readable.input)
        : ref.root === 'event'
          ? of(readable.event)
          : of((ref.root === 'var' ? readable.vars : readable.steps)?.[ref.name ?? '']),
    rootPlace: (ref) => ({ root: `${ref.root} ${ref.name ?? ''}`, path: [] }),
    fact: () => undefined,
    provable: true,
  };
}

export interface Checked {
  /** `code /path`, warnings with a `~` before them. */
  readonly found: readonly string[];
  readonly findings: readonly ExprFinding[];
  /** Of an expression that is assigned. */
  readonly type?: string;
}

export function expr(json: Authored): Expr {
  return unwrap(
    parseExpr(unwrap(parseJson(JSON.stringify(json))), {
      variables: new Set(['r', 'v', 'x', 'y', 'h', 'correlation_id']),
      steps: new Set(['s', 'first', 'later']),
    }),
  );
}

/** The first failure as an exception. */
function unwrap<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}

/** Hints are made when somebody wants to read them. */
export function hintOf({ hint }: ExprFinding): string | undefined {
  return typeof hint === 'function' ? hint() : hint;
}

function run(step: (report: (finding: ExprFinding) => void) => StaticType | undefined, table: TypeTable): Checked {
  const findings: ExprFinding[] = [];
  const result = step((finding) => findings.push(finding));
  return {
    findings,
    found: findings.map(({ code, severity, path }) =>
      `${severity === 'warning' ? '~' : ''}${code} ${pointer(path)}`.trimEnd(),
    ),
    ...(result === undefined ? {} : { type: table.text(result) }),
  };
}

/** Checks an expression whose type nothing demands. */
export function infer(json: Authored, readable: Readable = {}): Checked {
  const table = new TypeTable(SCOPE);
  return run((report) => new ExprChecker(envOf(readable, table), 'x', report).assigned(expr(json)), table);
}

export function expect_(json: Authored, expected: Notation, readable: Readable = {}): Checked {
  const table = new TypeTable(SCOPE);
  return run((report) => {
    new ExprChecker(envOf(readable, table), 'slot', report).expect(expr(json), typed(expected));
    return undefined;
  }, table);
}

export function predicate(json: Authored, readable: Readable = {}): Checked {
  const table = new TypeTable(SCOPE);
  return run((report) => {
    new ExprChecker(envOf(readable, table), 'when', report).predicate(expr(json));
    return undefined;
  }, table);
}

/** JSON of a type in notation, for schemas. */
export function typeJson(notation: string): Authored {
  return writeType(type(notation));
}

function writeType(part: ReturnType<typeof type>): Authored {
  switch (part.kind) {
    case 'ref':
      return { ref: part.name };
    case 'record':
      return { record: Object.fromEntries([...part.fields].map(([name, field]) => [name, writeType(field)])) };
    case 'variant':
      return { variant: Object.fromEntries([...part.arms].map(([name, arm]) => [name, writeType(arm)])) };
    case 'list':
    case 'set':
    case 'option':
      return { [part.kind]: writeType(part.item) };
    case 'map':
      return { map: { key: writeType(part.key), value: writeType(part.value) } };
    default:
      return { [part.kind]: {} };
  }
}

export interface PlanParts {
  /** Types by local part of the name, in notation: `{ In: '{id: text}' }` is `t/In@1`. */
  readonly schemas?: Readonly<Record<string, string>>;
  readonly steps?: readonly Authored[];
  readonly edges?: readonly Authored[];
  readonly locals?: Readonly<Record<string, string>>;
  readonly output?: string;
  readonly invariants?: readonly Authored[];
  /** Further nodes, such as child plans. */
  readonly more?: readonly Authored[];
  readonly triggers?: readonly Authored[];
  /** Parts of the effect `t.do`. */
  readonly params?: string;
  readonly receipt?: string;
}

export const PLAN = 't/p@1';

/** A world around one plan that takes `t/In@1` and may emit `t.do`. */
export function planWorld(parts: PlanParts): Authored[] {
  const schemas = {
    In: '{id: text}',
    Params: parts.params ?? '{x: text}',
    Receipt: parts.receipt ?? '{y: nat}',
    ...parts.schemas,
  };
  const defs: Authored[] = [
    ...Object.entries(schemas).map(([name, notation]) => schema(`t/${name}@1`, typeJson(notation))),
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
    plan(PLAN, {
      input: 't/In@1',
      steps: parts.steps ?? [{ id: 'done', op: 'end' }],
      ...(parts.edges === undefined ? {} : { edges: parts.edges }),
      ...(parts.locals === undefined ? {} : { locals: parts.locals }),
      ...(parts.output === undefined ? {} : { output: parts.output }),
      ...(parts.invariants === undefined ? {} : { invariants: parts.invariants }),
    }),
    ...(parts.more ?? []),
  ];
  const manifest = manifestOf(defs, {
    defaults: { cap_grants: [{ name: 'c', cap: 't/cap@1', params: {} }] },
    ...(parts.triggers === undefined ? {} : { triggers: parts.triggers }),
  });
  return [manifest, ...defs];
}

export function emit(id: string, params: Authored, as = `${id}_h`): Authored {
  return { id, op: 'emit_effect', kind: 't.do', params, cap: 'c', bind: { effect_id_as: as } };
}

export function wait(id: string, handle: string, as: string): Authored {
  return { id, op: 'await_receipt', for: { ref: `@var:${handle}` }, bind: { as } };
}

export function assign(id: string, as: string, value: Authored): Authored {
  return { id, op: 'assign', expr: value, bind: { as } };
}

export function raise(id: string, event: string, value: Authored): Authored {
  return { id, op: 'raise_event', event, value };
}

export function edge(from: string, to: string, when?: Authored): Authored {
  return when === undefined ? { from, to } : { from, to, when };
}

/** Findings that concern types, errors or warnings; what this runtime does not run yet is left out. */
export function diagnose(nodes: Authored): readonly Diagnostic[] {
  const result = loadAuthored(filesOf(nodes));
  const all = result.ok ? result.value.warnings : result.failure;
  return all.filter(({ code }) => code !== 'unsupported');
}

/** `code /path` of each finding, warnings with a `~` before them. */
export function found(nodes: Authored): readonly string[] {
  return diagnose(nodes).map(({ code, severity, path }) =>
    `${severity === 'warning' ? '~' : ''}${code} ${pointer(path)}`.trimEnd(),
  );
}
