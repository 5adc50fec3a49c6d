import { counted, printable } from './output.ts';
import type { GraphEdge, GraphNode, PlanGraph } from './plan-graph.ts';

/** A plan as lines: each step with what leads on from it. Every target stands further down. */
export function graphText({ plan, nodes, edges }: PlanGraph): string[] {
  const steps = nodes.filter(({ role }) => role !== 'plan');
  const titles = Math.min(32, Math.max(...nodes.map(({ title }) => title.length)));
  const incoming = nodes.map(({ index }) => edges.filter((edge) => edge.to === index && edge.kind === 'after'));
  const head = (node: GraphNode) => {
    const joins = incoming[node.index]!.length;
    const notes = [
      ...(joins > 1 ? [`after all ${joins} before it, if one leads here`] : []),
      ...(node.isDead ? ['never runs'] : []),
    ];
    const more = notes.length === 0 ? '' : `  (${notes.join('; ')})`;
    return printable(`${node.title.padEnd(titles)}  ${node.text}${more}`).replaceAll('\n', ' ');
  };
  const lines = [
    `${printable(plan.name)}  ${counted(steps.length, 'step')}, ${counted(plan.edges.length, 'edge')}; takes ${plan.input}${plan.output === undefined ? '' : `, gives ${plan.output}`}`,
    '',
  ];
  for (const node of nodes) {
    lines.push(head(node));
    const out = edges.filter(({ from }) => from === node.index).sort((a, b) => a.to - b.to);
    out.forEach((edge, i) => {
      const corner = i === out.length - 1 ? '└' : '├';
      lines.push(
        `  ${corner}${ARROWS[edge.kind]} ${printable(nodes[edge.to]!.title + condition(edge)).replaceAll('\n', ' ')}`,
      );
    });
  }
  return lines;
}

const ARROWS: Readonly<Record<GraphEdge['kind'], string>> = { after: '─▶', data: '┄▶', spawns: '═▶', starts: '┄▷' };

function condition({ kind, label }: GraphEdge): string {
  switch (kind) {
    case 'after':
      return label === undefined ? '' : `  if ${label}`;
    case 'data':
      return '  which waits for it';
    case 'spawns':
      return '  as a child';
    case 'starts':
      return `  by ${label}`;
    default:
      return kind satisfies never;
  }
}
