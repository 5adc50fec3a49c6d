import type { Flow } from './flow.ts';
import { correlationToJson } from './json.ts';
import { formatDuration } from './render.ts';
import type { InstanceSummary, Summary } from './summary.ts';

/** What `--instances` and `--correlations` list for people, below the table of `summaries.md` §7. */

export function renderInstances({ instances = [] }: Summary): readonly string[] {
  if (instances.length === 0) return ['no runs'];
  return columns(
    ['run', 'plan', 'parent', 'correlation', 'status', 'time', 'intents', ''],
    instances.map((run) => [
      `#${run.plan_id}`,
      run.plan_name,
      run.parent_plan_id === undefined ? '' : `#${run.parent_plan_id}`,
      run.correlation === undefined ? '' : JSON.stringify(correlationToJson(run.correlation)),
      run.error_code === undefined ? run.status : `${run.status} ${run.error_code}`,
      timeOf(run),
      String(run.intents),
      run.timeout_path ? 'deadline won' : '',
    ]),
  );
}

/** Of a live run its age; unknown for one that began before the range. */
function timeOf({ duration_ns: duration, live_age_ns: age }: InstanceSummary): string {
  if (duration !== undefined) return formatDuration(duration);
  return age === undefined ? '?' : `${formatDuration(age)} so far`;
}

export function renderCorrelations(flows: readonly Flow[]): readonly string[] {
  if (flows.length === 0) return ['no correlations'];
  const sum = (flow: Flow, of: 'runs' | 'live' | 'error'): string =>
    String(flow.lanes.reduce((total, lane) => total + lane[of], 0));
  const rows = (flow: Flow, ...what: readonly string[]): string =>
    String(flow.rows.filter((row) => what.includes(row.what)).length);
  return columns(
    ['correlation', 'state', 'runs', 'live', 'err', 'events', 'effects'],
    flows.map((flow) => [
      JSON.stringify(correlationToJson(flow.correlation)),
      flow.state,
      sum(flow, 'runs'),
      sum(flow, 'live'),
      sum(flow, 'error'),
      rows(flow, 'event', 'raised'),
      rows(flow, 'intent'),
    ]),
  );
}

/** Columns two spaces apart, numbers to the right. */
function columns(header: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const cells = [header, ...rows];
  const widths = header.map((_, i) => Math.max(...cells.map((row) => [...row[i]!].length)));
  const isNumber = header.map((_, i) => rows.every((row) => /^[0-9]+$/.test(row[i]!)));
  return cells.map((row) =>
    row
      .map((cell, i) => {
        const space = ' '.repeat(widths[i]! - [...cell].length);
        return isNumber[i] ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd(),
  );
}
