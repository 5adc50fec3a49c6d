import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { effectEnvelope } from '@worldline/air';
import type { Context } from '../context.ts';
import { readDefinitions, requirePlan } from '../definitions.ts';
import { stop } from '../failure.ts';
import { type PlanGraph, planGraph } from '../plan-graph.ts';
import { graphMermaid } from '../plan-graph-mermaid.ts';
import { graphText } from '../plan-graph-text.ts';

export interface GraphFlags {
  readonly format: 'text' | 'mermaid' | 'svg';
  readonly deep?: boolean;
  readonly out?: string;
  readonly active?: boolean;
}

/** `worldline plans graph <plan>`: the steps of a plan and what leads from one to the next. */
export async function drawPlan(ctx: Context, plan: string, flags: GraphFlags): Promise<void> {
  const definitions = await readDefinitions(ctx, flags.active === true);
  requirePlan(definitions, plan);
  const graph = planGraph(effectEnvelope(definitions.catalog, plan)!, flags.deep === true);
  const lines = await render(graph, flags.format);
  const data = {
    plan,
    format: flags.format,
    nodes: graph.nodes.map(({ index, role, title, text, isDead }) => ({ index, role, title, text, dead: isDead })),
    edges: graph.edges.map((edge) => ({ ...edge })),
  };
  if (flags.out === undefined) {
    ctx.out.answer(lines, { ...data, graph: `${lines.join('\n')}\n` }, definitions.meta);
    return;
  }
  try {
    writeFileSync(resolve(ctx.cwd, flags.out), `${lines.join('\n')}\n`);
  } catch (error) {
    stop('host_error', `${flags.out} cannot be written: ${(error as Error).message}`, {
      hint: 'check that its folder exists and can be written',
    });
  }
  ctx.out.answer([`written to ${flags.out}`], { ...data, out: flags.out }, definitions.meta);
}

async function render(graph: PlanGraph, format: GraphFlags['format']): Promise<readonly string[]> {
  switch (format) {
    case 'text':
      return graphText(graph);
    case 'mermaid':
      return graphMermaid(graph);
    case 'svg':
      return (await import('../plan-graph-svg.ts')).graphSvg(graph);
    default:
      return format satisfies never;
  }
}
