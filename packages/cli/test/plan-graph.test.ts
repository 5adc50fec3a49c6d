import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { effectEnvelope, loadAuthored, type SourceFile } from '@worldline/air';
import { afterAll, describe, expect, test } from 'vitest';
import { type PlanGraph, planGraph } from '../src/plan-graph.ts';
import { graphMermaid } from '../src/plan-graph-mermaid.ts';
import { graphSvg } from '../src/plan-graph-svg.ts';
import { graphText } from '../src/plan-graph-text.ts';
import { planWorld } from './plan-world.ts';
import { cleanUp, emptyFolder, worldline } from './support.ts';

/** `plans graph`: what is drawn is the plan, and nothing an author wrote gets out of its label. */

afterAll(cleanUp);

function graphOf(files: readonly SourceFile[], plan: string, deep = false): PlanGraph {
  const loaded = loadAuthored(files, { willRun: false });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure, null, 1));
  return planGraph(effectEnvelope(loaded.value.catalog, plan)!, deep);
}

const EXAMPLE = fileURLToPath(new URL('../../../examples/01-release-gate/', import.meta.url));
const example = () =>
  graphOf(
    ['manifest', 'plans', 'schemas'].map((name) => ({
      path: `air/${name}.air.json`,
      text: readFileSync(join(EXAMPLE, `air/${name}.air.json`), 'utf8'),
    })),
    'rel/entry_release@1',
  );

interface HostilePlan {
  readonly hostile: string;
  readonly steps?: number;
}

/** A chain whose guards compare with a text, and whose texts are that text as well. */
function hostile({ hostile: text, steps: count = 2 }: HostilePlan): PlanGraph {
  const steps = Array.from({ length: count }, (_, i) => ({
    id: `s${i}`,
    op: 'assign',
    expr: { text },
    bind: { as: `v${i}` },
  }));
  const edges = steps
    .slice(1)
    .flatMap(({ id }, i) => [
      { from: `s${i}`, to: id, when: { op: 'eq', args: [{ ref: `@var:v${i}` }, { text }] } },
      ...(i >= 4 && i % 3 === 0 ? [{ from: `s${i - 4}`, to: id }] : []),
    ]);
  const nodes = [
    { $kind: 'defschema', name: 'x/In@1', type: { record: {} } },
    { $kind: 'defplan', name: 'x/p@1', input: 'x/In@1', steps, edges },
    {
      $kind: 'manifest',
      air_version: '1',
      schemas: [{ name: 'x/In@1' }],
      modules: [],
      plans: [{ name: 'x/p@1' }],
      caps: [],
      policies: [],
    },
  ];
  return graphOf([{ path: 'air/w.air.json', text: JSON.stringify(nodes) }], 'x/p@1');
}

const HOSTILE = [
  '"]; click n0 "javascript:alert(1)"',
  '</text></svg><script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '"| n1 --> n0\n%% \n  n9["x"]',
  '`**md**` #quot; #35; &quot; &amp; \\" $\\alpha$ ;;',
  'end subgraph classDef style linkStyle $$x^2$$ %%{init: {}}%%',
  '\u202egnp.exe \u0000 \u0007 \u2028 \ufffe \u{1f600}',
];

/**
 * The part of Mermaid that is written here, line by line: nodes of seven shapes, arrows with quoted labels, classes. A
 * quoted label holds entities and harmless signs, and the one tag `<br/>`.
 */
const LABEL = String.raw`"(?:[\p{L}\p{N} _.,:=@/…!+(){}-]|\$(?!\$)|#[0-9]+;|<br/>)*"`;
const NODE = String.raw`n\d+(?:\[${LABEL}\]|\[/${LABEL}/\]|\{\{${LABEL}\}\}|>${LABEL}\]|\[\[${LABEL}\]\]|\(\[${LABEL}\]\))`;
const EDGE = String.raw`n\d+ (?:-->|==>|-\.->)(?:\|${LABEL}\|)? n\d+`;
const STYLE = String.raw`classDef [a-z]+ [a-z0-9:#,. -]+|class n\d+(?:,n\d+)* [a-z]+`;
const LINE = new RegExp(String.raw`^  (?:accTitle: [\p{L}\p{N} _.,@/-]+|${NODE}|${EDGE}|${STYLE})$`, 'u');

function checkMermaid(lines: readonly string[], { nodes, edges }: PlanGraph): void {
  const [first, ...rest] = lines;
  expect(first).toBe('flowchart TD');
  expect(rest.filter((line) => !LINE.test(line))).toEqual([]);
  expect(rest.filter((line) => new RegExp(`^  ${NODE}$`, 'u').test(line)).length).toBe(nodes.length);
  expect(rest.filter((line) => new RegExp(`^  ${EDGE}$`, 'u').test(line)).length).toBe(edges.length);
}

/** Elements by name; throws where the text is no well-formed XML of the few forms that are written here. */
function checkXml(text: string): Map<string, number> {
  const open: string[] = [];
  const counts = new Map<string, number>();
  const token = /<(\/?)([a-z]+)((?: [a-zA-Z-]+="[^"<]*")*)(\/?)>|([^<]+)/gy;
  const entity = /&(?!(?:amp|lt|gt|quot|#39);)/;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what XML forbids
  const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/u;
  for (let at = 0; at < text.length; at = token.lastIndex) {
    token.lastIndex = at;
    const found = token.exec(text);
    if (found === null) throw new Error(`no XML at ${at}: ${text.slice(at, at + 60)}`);
    const [whole, closing, name = '', attributes = '', empty, content] = found;
    if (entity.test(whole) || forbidden.test(whole)) throw new Error(`bad character in ${whole.slice(0, 60)}`);
    if (content !== undefined) {
      if (open.length === 0 && content.trim() !== '') throw new Error('text outside the root');
      continue;
    }
    const names = [...attributes.matchAll(/ ([a-zA-Z-]+)=/g)].map(([, key]) => key);
    if (new Set(names).size !== names.length) throw new Error(`an attribute twice in ${whole}`);
    if (closing === '/') {
      if (open.pop() !== name) throw new Error(`</${name}> closes something else`);
      continue;
    }
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (empty !== '/') open.push(name);
  }
  if (open.length > 0) throw new Error(`open at the end: ${open.join(', ')}`);
  return counts;
}

test('the checker of XML bites', () => {
  expect(() => checkXml('<svg><g></svg></g>')).toThrow();
  expect(() => checkXml('<svg>&nbsp;</svg>')).toThrow();
  expect(() => checkXml('<svg a="1" a="2"/>')).toThrow();
  expect(() => checkXml('<svg><script x></script></svg>')).toThrow();
  expect([...checkXml('<svg a="&amp;"><g/></svg>')]).toEqual([
    ['svg', 1],
    ['g', 1],
  ]);
});

describe('the plan of the example', () => {
  test('as text', () => {
    expect(`${graphText(example()).join('\n')}\n`).toMatchSnapshot();
  });

  test('as Mermaid', () => {
    const graph = example();
    const lines = graphMermaid(graph);
    checkMermaid(lines, graph);
    expect(`${lines.join('\n')}\n`).toMatchSnapshot();
  });

  test('as SVG: one box for each step, one line for each edge, title and description, nothing from outside', async () => {
    const graph = example();
    const svg = (await graphSvg(graph)).join('\n');
    const counts = checkXml(svg);
    expect([counts.get('svg'), counts.get('desc'), counts.get('style')]).toEqual([1, 1, 1]);
    expect(svg.match(/marker-end/g)?.length).toBe(graph.edges.length);
    expect(svg.match(/<g class="/g)?.length).toBe(graph.nodes.length);
    expect(svg).toContain('aria-labelledby="plan-title plan-desc"');
    expect(svg).toContain('prefers-color-scheme:dark');
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|href|script|@import|url\((?!#)/);
  });

  test('steps stand behind what leads to them', () => {
    const { nodes, edges } = example();
    expect(nodes.map(({ index }) => index)).toEqual(nodes.map((_, i) => i));
    expect(edges.filter(({ from, to }) => from >= to)).toEqual([]);
  });
});

describe('what an author wrote stays in its label', () => {
  test.each(HOSTILE)('%j', async (text) => {
    const graph = hostile({ hostile: text });
    checkMermaid(graphMermaid(graph), graph);
    const svg = (await graphSvg(graph)).join('\n');
    expect([...checkXml(svg).keys()].sort()).toEqual([
      'defs',
      'desc',
      'g',
      'marker',
      'path',
      'rect',
      'style',
      'svg',
      'text',
      'title',
    ]);
    const lines = graphText(graph);
    expect(lines.length).toBe(5);
    expect(lines.join('')).not.toMatch(/(?!\n)[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
  });
});

test('a plan of five hundred steps is drawn in every form', async () => {
  const graph = hostile({ hostile: 'ok', steps: 500 });
  expect(graph.nodes.length).toBe(500);
  expect(graphText(graph).length).toBe(2 + graph.nodes.length + graph.edges.length);
  checkMermaid(graphMermaid(graph), graph);
  expect(checkXml((await graphSvg(graph)).join('\n')).get('svg')).toBe(1);
}, 300_000);

describe('worldline plans graph', () => {
  const world = planWorld();

  test('text is the default; data edges, dead steps and waits are shown', async () => {
    const run = await worldline(['plans', 'graph', 'shop/pay@1'], { cwd: world });
    expect([run.exit, run.stderr]).toEqual([0, '']);
    expect(run.stdout).toMatch(/off +emits http\.request with grant api {2}\(never runs\)/);
    expect(run.stdout).toMatch(/─▶ post {2}if input\.paid/);
    expect(run.stdout).toContain('waits for event shop/Paid@1');
    expect(run.stdout).not.toContain('shop/after@1');
  });

  test('--deep links children and what events start', async () => {
    const run = await worldline(['plans', 'graph', 'shop/pay@1', '--deep', '--json'], { cwd: world });
    const { nodes, edges } = run.json().data;
    const title = (index: number) => nodes[index].title;
    const links = edges.filter(({ kind }: { kind: string }) => kind === 'spawns' || kind === 'starts');
    expect(links.map((e: { from: number; to: number; kind: string }) => [title(e.from), e.kind, title(e.to)])).toEqual([
      ['kid', 'spawns', 'shop/note@1'],
      ['tell', 'starts', 'shop/after@1'],
    ]);
  });

  test('--out writes the file, and says so when it cannot', async () => {
    const folder = emptyFolder();
    const file = join(folder, 'pay.svg');
    const run = await worldline(['plans', 'graph', 'shop/pay@1', '--format', 'svg', '--out', file], { cwd: world });
    expect(run.exit).toBe(0);
    checkXml(readFileSync(file, 'utf8'));
    const failed = await worldline(['plans', 'graph', 'shop/pay@1', '--out', join(folder, 'no', 'x'), '--json'], {
      cwd: world,
    });
    expect([failed.exit, failed.json().error.code]).toEqual([1, 'host_error']);
  });

  test('an unknown plan is exit 4, an unknown format exit 2', async () => {
    expect((await worldline(['plans', 'graph', 'shop/pay@2'], { cwd: world })).exit).toBe(4);
    expect((await worldline(['plans', 'graph', 'shop/pay@1', '--format', 'dot'], { cwd: world })).exit).toBe(2);
  });
});
