import type { GraphEdge, GraphNode, PlanGraph } from './plan-graph.ts';
import { textWidth } from './text-width.ts';

/**
 * A plan as one self-contained SVG: no script, no link, no font to load; colours for light and dark; title and
 * description for those who do not see it. Sizes in pixels.
 */

const CHAR = 7.3;
const LINE = 17;
const PAD = 10;
/** Columns of a line, and lines of one text; the whole of it is in the tooltip. */
const COLUMNS = 40;
const LINES = 4;
/** Beyond so many steps and edges the quick way of making layers is taken; the other one takes minutes. */
const CAREFUL_MAX = 400;

interface Point {
  readonly x: number;
  readonly y: number;
}

export async function graphSvg({ plan, nodes, edges }: PlanGraph): Promise<string[]> {
  const { layout, Graph } = await import('@dagrejs/dagre');
  const graph = new Graph({ multigraph: true });
  const ranker = nodes.length + edges.length > CAREFUL_MAX ? 'longest-path' : 'network-simplex';
  graph.setGraph({ rankdir: 'TB', nodesep: 28, ranksep: 42, marginx: 16, marginy: 16, ranker });
  for (const node of nodes) {
    const lines = linesOf(node);
    const width = Math.max(...lines.map(textWidth)) * CHAR + 2 * PAD;
    graph.setNode(String(node.index), { width, height: lines.length * LINE + 2 * PAD });
  }
  edges.forEach((edge, i) => {
    const size = edge.label === undefined ? { width: 0, height: 0 } : labelSize(wrapped(edge.label));
    graph.setEdge(String(edge.from), String(edge.to), { ...size, labelpos: 'c' }, String(i));
  });
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const size = `${number(width)} ${number(height)}`;
  const steps = nodes.filter(({ role }) => role !== 'plan').length;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${number(width)}" height="${number(height)}" viewBox="0 0 ${size}" role="img" aria-labelledby="plan-title plan-desc">`,
    `<title id="plan-title">${escaped(`Plan ${plan.name}`)}</title>`,
    `<desc id="plan-desc">${escaped(`A graph of ${steps} steps and ${plan.edges.length} edges. ${nodes.map((node) => `${node.title}: ${node.text}.`).join(' ')}`)}</desc>`,
    `<style>${STYLE}</style>`,
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>',
    `<rect class="paper" width="${number(width)}" height="${number(height)}"/>`,
    ...edges.map((edge, i) => {
      const at = graph.edge(String(edge.from), String(edge.to), String(i)) as {
        points: readonly Point[];
        x?: number;
        y?: number;
      };
      return drawEdge(edge, at);
    }),
    ...nodes.map((node) => drawNode(node, graph.node(String(node.index)) as Point & { width: number; height: number })),
    '</svg>',
  ];
}

function linesOf({ title, text, isDead }: GraphNode): string[] {
  return [...wrapped(title, 1), ...wrapped(text), ...(isDead ? ['never runs'] : [])];
}

function labelSize(lines: readonly string[]): { readonly width: number; readonly height: number } {
  return { width: Math.max(...lines.map(textWidth)) * CHAR + 8, height: lines.length * LINE };
}

function drawNode(node: GraphNode, { x, y, width, height }: Point & { width: number; height: number }): string {
  const [left, top] = [x - width / 2, y - height / 2];
  const round = node.role === 'end' ? height / 2 : node.role === 'wait' ? 12 : 4;
  const lines = linesOf(node).map((line, i) => {
    const at = `x="${number(x)}" y="${number(top + PAD + (i + 0.75) * LINE)}"`;
    return `<text class="${i === 0 ? 'name' : 'what'}" ${at}>${escaped(line)}</text>`;
  });
  const box = `<rect x="${number(left)}" y="${number(top)}" width="${number(width)}" height="${number(height)}" rx="${number(round)}"/>`;
  const whole = `<title>${escaped(`${node.title}: ${node.text}`)}</title>`;
  return `<g class="${node.role}${node.isDead ? ' dead' : ''}">${whole}${box}${lines.join('')}</g>`;
}

function drawEdge(edge: GraphEdge, { points, x, y }: { points: readonly Point[]; x?: number; y?: number }): string {
  const path = `<path class="edge ${edge.kind}" marker-end="url(#tip)" d="${curve(points)}"/>`;
  if (edge.label === undefined || x === undefined || y === undefined) return path;
  const lines = wrapped(edge.label);
  const { width, height } = labelSize(lines);
  const top = y - height / 2;
  const texts = lines.map((line, i) => {
    const at = `x="${number(x)}" y="${number(top + (i + 0.75) * LINE)}"`;
    return `<text class="guard" ${at}>${escaped(line)}</text>`;
  });
  return [
    `<g><title>${escaped(edge.label)}</title>${path}`,
    `<rect class="paper" x="${number(x - width / 2)}" y="${number(top)}" width="${number(width)}" height="${number(height)}"/>`,
    `${texts.join('')}</g>`,
  ].join('');
}

/** Through the middle between each two bends, round at the bends. */
function curve(points: readonly Point[]): string {
  const at = ({ x, y }: Point) => `${number(x)} ${number(y)}`;
  const [first, ...rest] = points;
  if (first === undefined) return '';
  const parts = [`M${at(first)}`];
  rest.forEach((bend, i) => {
    const next = rest[i + 1];
    if (next === undefined) parts.push(`L${at(bend)}`);
    else parts.push(`Q${at(bend)} ${at({ x: (bend.x + next.x) / 2, y: (bend.y + next.y) / 2 })}`);
  });
  return parts.join('');
}

/** In lines that break at spaces; what does not fit ends in `…`. */
function wrapped(text: string, linesMax = LINES): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/u).flatMap(pieces)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (textWidth(longer) <= COLUMNS) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    line = word;
  }
  lines.push(line);
  if (lines.length <= linesMax) return lines;
  const last = [...(lines[linesMax - 1] as string)];
  while (textWidth(last.join('')) >= COLUMNS) last.pop();
  return [...lines.slice(0, linesMax - 1), `${last.join('')}…`];
}

/** A word that is longer than a line, in parts that are not. */
function pieces(word: string): string[] {
  if (textWidth(word) <= COLUMNS) return [word];
  const points = [...word];
  // Wide characters take two columns.
  const at = COLUMNS / 2;
  return Array.from({ length: Math.ceil(points.length / at) }, (_, i) => points.slice(i * at, (i + 1) * at).join(''));
}

function number(value: number): string {
  return String(Math.round(value * 10) / 10);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** As XML text; characters that XML cannot hold become U+FFFD. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"']/g, (c) => ENTITIES[c]!);
}

const STYLE = [
  'text{font:12px ui-monospace,Menlo,Consolas,monospace;text-anchor:middle;fill:#111827}',
  '.name{font-weight:bold}.what{font-size:11px}.guard{font-size:11px;fill:#4b5563}',
  '.paper{fill:#fff}.edge{fill:none;stroke:#6b7280;stroke-width:1.3}.tip{fill:#6b7280}',
  '.data,.starts{stroke-dasharray:4 4}.spawns{stroke-width:2.4}',
  'g rect{stroke-width:1.3}.do rect{fill:#f3f4f6;stroke:#6b7280}.effect rect{fill:#fde68a;stroke:#b45309}',
  '.wait rect{fill:#dbeafe;stroke:#1d4ed8}.event rect{fill:#dcfce7;stroke:#15803d}',
  '.child rect,.plan rect{fill:#ede9fe;stroke:#6d28d9}.end rect{fill:#fff;stroke:#111827;stroke-width:2}',
  '.dead{opacity:.45}.dead rect{stroke-dasharray:4 3}',
  '@media (prefers-color-scheme:dark){',
  'text{fill:#f9fafb}.guard{fill:#d1d5db}.paper{fill:#111827}.edge{stroke:#9ca3af}.tip{fill:#9ca3af}',
  '.do rect{fill:#1f2937;stroke:#9ca3af}.effect rect{fill:#78350f;stroke:#fbbf24}.wait rect{fill:#1e3a8a;stroke:#93c5fd}',
  '.event rect{fill:#14532d;stroke:#86efac}.child rect,.plan rect{fill:#4c1d95;stroke:#c4b5fd}',
  '.end rect{fill:#111827;stroke:#f9fafb}}',
].join('');
