import {
  type Flow,
  FlowIndex,
  flowToJson,
  renderCorrelations,
  renderFlow,
  renderInstances,
  renderSummary,
  type Summary,
  type SummaryJson,
  summaryToJson,
  summaryToMarkdown,
} from '@worldline/summary';

/**
 * Summaries as they are shown: one journal is its summary; several are a list of summaries and the flows over all of them
 * (`summaries.md` §5–§7).
 */
export class SummaryReport {
  readonly summaries: readonly Summary[];
  /** Flows are drawn, not only listed. */
  readonly #isDrawn: boolean;
  readonly #flows: readonly Flow[];

  /** @param isDrawn - one correlation was asked for by name. */
  constructor(summaries: readonly Summary[], isDrawn: boolean) {
    this.summaries = summaries;
    this.#isDrawn = isDrawn;
    this.#flows = flowsOf(summaries);
  }

  json(): SummaryJson {
    const { summaries } = this;
    if (summaries.length === 1) return summaryToJson(summaries[0]!);
    const worlds = { v: 1, worlds: summaries.map(summaryToJson) };
    return this.#hasFlows() ? { ...worlds, flows: this.#flows.map(flowToJson) } : worlds;
  }

  text(): string {
    const { summaries } = this;
    const blocks = summaries.flatMap((summary) => [
      `${summaries.length > 1 ? `${summary.label}\n` : ''}${renderSummary(summary).trimEnd()}`,
      ...(summary.instances === undefined ? [] : [renderInstances(summary).join('\n')]),
    ]);
    return `${[...blocks, ...this.#flowBlocks()].join('\n\n')}\n`;
  }

  markdown(): string {
    const parts = this.summaries.map((summary) => summaryToMarkdown(summary).trimEnd());
    const fenced = this.#flowBlocks().map((block) => `\`\`\`text\n${block}\n\`\`\``);
    const flows = fenced.length === 0 ? [] : [`${this.summaries.length > 1 ? '#' : '##'} Flows`, ...fenced];
    return `${[...parts, ...flows].join('\n\n')}\n`;
  }

  #hasFlows(): boolean {
    return this.summaries.some((summary) => summary.correlations !== undefined);
  }

  #flowBlocks(): readonly string[] {
    if (!this.#hasFlows()) return [];
    if (!this.#isDrawn || this.#flows.length === 0) return [renderCorrelations(this.#flows).join('\n')];
    return this.#flows.map((flow) => renderFlow(flow).join('\n'));
  }
}

/** One flow per correlation, in the order in which the journals have them. */
function flowsOf(summaries: readonly Summary[]): readonly Flow[] {
  const lanes = summaries.map(({ flows }) => flows).filter((lane) => lane !== undefined);
  if (lanes.length === 0) return [];
  const index = new FlowIndex(lanes);
  const seen = new Map<string, Uint8Array>();
  for (const { correlations = [] } of summaries) {
    for (const { correlation } of correlations) seen.set(Buffer.from(correlation).toString('hex'), correlation);
  }
  return [...seen.values()].map((correlation) => index.flowOf(correlation));
}
