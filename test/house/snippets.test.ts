import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BUILTINS,
  type Diagnostic,
  encodeValue,
  type Json,
  type JsonObject,
  loadAuthored,
  parseJson,
  parseType,
  printJson,
  readLiteral,
} from '@worldline/air';
import { toHex } from '@worldline/canon';
import { KernelWorld } from '@worldline/testkit';
import { describe, expect, test } from 'vitest';
import { ROOT } from './repository.ts';
import { type Snippet, snippetsOf } from './snippets.ts';

// The language reference shows nothing that the checker would not say and the kernel would not do.

const DOCUMENT = join('docs', 'language.md');
const snippets = snippetsOf(readFileSync(join(ROOT, DOCUMENT), 'utf8'));

type Node = JsonObject & { readonly $kind: string; readonly name?: string };

function nodesIn(text: string): readonly Node[] {
  const json = parseJson(text);
  if (!json.ok) throw new Error(json.failure.message);
  return (Array.isArray(json.value) ? json.value : [json.value]) as readonly Node[];
}

const SECTIONS = {
  defschema: 'schemas',
  defplan: 'plans',
  defeffect: 'effects',
  defcap: 'caps',
  defpolicy: 'policies',
};

/** A world of these definitions: with their manifest, else with one that lists them all. */
function complete(nodes: readonly Node[]): readonly Node[] {
  if (nodes.some(({ $kind }) => $kind === 'manifest')) return nodes;
  const listed = Object.entries(SECTIONS).map(([kind, section]) => [
    section,
    nodes.filter(({ $kind }) => $kind === kind).map(({ name }) => ({ name })),
  ]);
  return [
    ...nodes,
    { $kind: 'manifest', air_version: '1', modules: [], ...Object.fromEntries(listed) } as unknown as Node,
  ];
}

/** The definitions of a world as the document has shown them up to a block. */
function worldBefore(snippet: Snippet): readonly Node[] {
  const sound = snippets.filter(
    ({ kind, world, finds, line }) =>
      kind === 'nodes' && world === snippet.world && finds.length === 0 && line < snippet.line,
  );
  return sound.flatMap(({ text }) => nodesIn(text));
}

/** `nodes` over those of the same kind and name. */
function replaced(world: readonly Node[], nodes: readonly Node[]): readonly Node[] {
  const key = (node: Node) => `${node.$kind} ${node.name}`;
  const given = new Map(nodes.map((node) => [key(node), node]));
  return [...world.filter((node) => !given.has(key(node))), ...nodes];
}

function findings(nodes: readonly Node[]): readonly Diagnostic[] {
  const loaded = loadAuthored([{ path: 'air/example.json', text: printJson(nodes as unknown as Json) }]);
  return loaded.ok ? loaded.value.warnings : loaded.failure;
}

const codes = (nodes: readonly Node[]) => findings(nodes).map(({ code }) => code);

/** The world with an expression in place of that of the step "try". */
function withExpression(world: readonly Node[], expr: Json): readonly Node[] {
  return world.map((node) => {
    if (node.$kind !== 'defplan') return node;
    const steps = (node['steps'] as readonly JsonObject[]).map((step) =>
      step['id'] === 'try' ? { ...step, expr } : step,
    );
    return { ...node, steps };
  });
}

/** How a run of the last plan ends when it is started with this input. */
function end(nodes: readonly Node[], input: unknown): { readonly status: string; readonly step: string | undefined } {
  const world = KernelWorld.create(nodes.map((node) => JSON.parse(printJson(node)) as unknown));
  world.start(nodes.findLast(({ $kind }) => $kind === 'defplan')!.name!, input);
  world.checkParity();
  const [ended] = world.records('plan_ended');
  return { status: ended?.error_code ?? ended?.status ?? 'parked', step: ended?.step_id };
}

describe(`the examples of ${DOCUMENT}`, () => {
  test('there are some of every kind', () => {
    expect(new Set(snippets.map(({ kind }) => kind))).toEqual(new Set(['type', 'value', 'expr', 'nodes']));
    expect(snippets.some(({ finds }) => finds.length > 0)).toBe(true);
  });

  test.each(snippets.filter(({ kind }) => kind === 'type'))('line $line is a type', ({ text }) => {
    const json = parseJson(text);
    expect(json.ok && parseType(json.value).ok).toBe(true);
  });

  test.each(snippets.filter(({ kind }) => kind === 'nodes'))('line $line: definitions with [$finds]', (snippet) => {
    const own = nodesIn(snippet.text);
    const nodes = complete(snippet.finds.length === 0 ? own : replaced(worldBefore(snippet), own));
    expect(codes(nodes)).toEqual(snippet.finds);
    for (const { input, status, step } of snippet.runs) {
      const found = end(nodes, input);
      expect(found.status).toBe(status);
      if (step !== undefined) expect(found.step).toBe(step);
    }
  });

  test.each(snippets.filter(({ kind }) => kind === 'expr'))('line $line: an expression with [$finds]', (snippet) => {
    const [expr] = nodesIn(snippet.text);
    expect(codes(withExpression(worldBefore(snippet), expr as Json))).toEqual(snippet.finds);
  });

  test('all spellings of a value have the same bytes', () => {
    const values = snippets.filter(({ kind }) => kind === 'value');
    const bytes = values.map(({ text, schema, world }) => {
      const declared = snippets.filter((other) => other.kind === 'nodes' && other.world === world);
      const types = new Map(
        declared.flatMap(({ text: nodes }) =>
          nodesIn(nodes).map(({ name, type }) => {
            const parsed = parseType(type as Json);
            if (!parsed.ok) throw new Error(`${name} is no type`);
            return [name, parsed.value] as const;
          }),
        ),
      );
      const json = parseJson(text);
      const scope = { lookup: (name: string) => types.get(name) ?? BUILTINS.schemas.get(name)?.def.type };
      const read = json.ok && readLiteral(json.value, { kind: 'ref', name: schema! }, scope, schema);
      return read === false || !read.ok ? text : toHex(encodeValue(read.value));
    });
    expect(values.length).toBeGreaterThan(1);
    expect(new Set(bytes).size).toBe(1);
  });
});
