import type { GraphEdge, GraphNode, PlanGraph } from './plan-graph.ts';

/**
 * A plan as a Mermaid flowchart. Ids are made here and every text is quoted with its special characters as entities, so
 * nothing that an author wrote is ever read as Mermaid or as HTML.
 */
export function graphMermaid({ plan, nodes, edges }: PlanGraph): string[] {
  const of = (role: GraphNode['role']) => nodes.filter((node) => node.role === role).map(({ index }) => `n${index}`);
  const dead = nodes.filter(({ isDead }) => isDead).map(({ index }) => `n${index}`);
  return [
    'flowchart TD',
    `  accTitle: ${plainLine(`Plan ${plan.name}`)}`,
    ...nodes.map((node) => `  n${node.index}${shape(node)}`),
    ...edges.map((edge) => `  n${edge.from} ${arrow(edge)} n${edge.to}`),
    '  classDef effect fill:#fde68a,stroke:#b45309,color:#111827',
    '  classDef wait fill:#dbeafe,stroke:#1d4ed8,color:#111827',
    '  classDef event fill:#dcfce7,stroke:#15803d,color:#111827',
    '  classDef child fill:#ede9fe,stroke:#6d28d9,color:#111827',
    '  classDef dead opacity:0.45,stroke-dasharray:4 3',
    ...(['effect', 'wait', 'event', 'child'] as const).flatMap((role) =>
      of(role).length === 0 ? [] : [`  class ${of(role).join(',')} ${role}`],
    ),
    ...(dead.length === 0 ? [] : [`  class ${dead.join(',')} dead`]),
  ];
}

function shape({ role, title, text, isDead }: GraphNode): string {
  const label = `"${quoted(title)}<br/>${quoted(cut(text))}${isDead ? '<br/>never runs' : ''}"`;
  switch (role) {
    case 'do':
      return `[${label}]`;
    case 'effect':
      return `[/${label}/]`;
    case 'wait':
      return `{{${label}}}`;
    case 'event':
      return `>${label}]`;
    case 'child':
    case 'plan':
      return `[[${label}]]`;
    case 'end':
      return `([${label}])`;
    default:
      return role satisfies never;
  }
}

function arrow({ kind, label }: GraphEdge): string {
  const line = kind === 'after' ? '-->' : kind === 'spawns' ? '==>' : '-.->';
  return label === undefined ? line : `${line}|"${quoted(cut(label))}"|`;
}

const CUT_AT = 80;

function cut(text: string): string {
  const points = [...text];
  return points.length <= CUT_AT ? text : `${points.slice(0, CUT_AT - 1).join('')}…`;
}

/** Inside quotes: everything but letters, digits and harmless signs as an entity by its number; two `$` would be a formula. */
function quoted(text: string): string {
  const entities = cleaned(text).replace(/[^\p{L}\p{N} _.,:=@/$…!+(){}-]/gu, (c) => `#${c.codePointAt(0)};`);
  return entities.replaceAll('$$', '#36;#36;');
}

/** A line that no quote protects. */
function plainLine(text: string): string {
  return cleaned(text).replace(/[^\p{L}\p{N} _.,@/-]/gu, ' ');
}

function cleaned(text: string): string {
  return text.toWellFormed().replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
}
