import type { Flow, FlowRow, RowRef } from './flow.ts';
import { correlationToJson, type SummaryJson } from './json.ts';

/** A flow for people and as JSON (`summaries.md` §5): one lane per journal, messages as arrows between them. */

/** Least room for what stands behind the first lane's rows, and for a lane between two others. */
const LANE_WIDTH_MIN = 37;
/** Shortest arrow. */
const ARROW_MIN = 4;

export function renderFlow(flow: Flow): readonly string[] {
  const isShown = flow.lanes.length > 1;
  const name = (lane: number): string => (isShown ? letter(lane) : '');
  const arrivals = new Map(
    flow.rows.filter((row) => row.sentFrom !== undefined).map((row) => [key({ lane: row.lane, seq: row.seq }), row]),
  );
  // An arrow to the right ends in the row of its arrival, which then needs none of its own.
  const drawn = new Set<string>();
  for (const { lane, sentTo } of flow.rows) if (sentTo !== undefined && sentTo.lane > lane) drawn.add(key(sentTo));
  const rows = flow.rows.filter((row) => !drawn.has(key(row)));
  const digits = Math.max(0, ...rows.filter((row) => row.lane === 0).map((row) => String(row.seq).length));
  const main = (row: FlowRow): string =>
    `${name(row.lane)}#${String(row.seq).padEnd(digits)} ${row.what.padEnd(6)} ${row.name}`;
  const aside = (row: FlowRow): string =>
    `${name(row.lane)}#${row.seq} ${row.what} ${row.name}${row.note === '' ? '' : `  ${row.note}`}`;
  const title = `flow ${JSON.stringify(correlationToJson(flow.correlation))}`;
  const first = rows.filter((row) => row.lane === 0);
  const notes = Math.max(width(title), ...first.map((row) => width(main(row)))) + 2;
  const columns = [0];
  flow.lanes.forEach((_, lane) => {
    const own = rows.filter((row) => row.lane === lane).map((row) => width(lane === 0 ? noteOf(row) : aside(row)));
    const start = lane === 0 ? notes : columns[lane]!;
    columns.push(start + Math.max(LANE_WIDTH_MIN, ...own.map((columns) => columns + ARROW_MIN)));
  });
  const column = (lane: number): number => columns[lane] ?? 0;

  const lines = rows.map((row) => {
    const note = noteOf(row);
    const own =
      row.lane === 0 ? pad(main(row), notes) + note : pad('', column(row.lane)) + aside(row) + (row.isLost ? LOST : '');
    const target = row.sentTo === undefined ? undefined : arrivals.get(key(row.sentTo));
    if (target !== undefined && target.lane > row.lane) {
      const from = note === '' && row.lane === 0 ? own : `${own} `;
      const at = column(target.lane);
      return `${from}${'─'.repeat(Math.max(1, at - 1 - width(from)))}▶ ${name(target.lane)}#${target.seq} ${target.what} ${target.name}`;
    }
    if (row.sentFrom === undefined) return own.trimEnd();
    if (row.sentFrom.lane > row.lane) {
      const from = `${own}${note === '' && row.lane === 0 ? '' : ' '}◀`;
      return `${from}${'─'.repeat(Math.max(1, column(row.sentFrom.lane) - width(from)))}┘`;
    }
    return `${own.trimEnd()}  from ${name(row.sentFrom.lane)}#${row.sentFrom.seq}`;
  });
  const heads = isShown
    ? flow.lanes.map(({ label }, lane) => ({
        at: lane === 0 ? notes : column(lane),
        text: `${letter(lane)}: ${label ?? ''}`,
      }))
    : [];
  return [heads.reduce((line, { at, text }) => pad(line, at) + text, title).trimEnd(), ...lines, verdict(flow)];
}

const LOST = '  arrived nowhere';

function noteOf(row: FlowRow): string {
  return `${row.note}${row.isLost ? LOST : ''}`;
}

function verdict({ state, lanes, rows }: Flow): string {
  const counted = lanes.map(({ runs, live, error }, lane) => {
    const of = [...(live > 0 ? [`${live} live`] : []), ...(error > 0 ? [`${error} error`] : [])];
    return `${runs} ${runs === 1 ? 'run' : 'runs'}${lanes.length > 1 ? ` ${letter(lane)}` : ''}${of.length === 0 ? '' : ` (${of.join(', ')})`}`;
  });
  const lost = rows.filter((row) => row.isLost).length;
  return `${state}: ${[...counted, ...(lost === 0 ? [] : [`${lost} ${lost === 1 ? 'message' : 'messages'} arrived nowhere`])].join(', ')}`;
}

export function flowToJson(flow: Flow): SummaryJson {
  const place = ({ lane, seq }: RowRef): SummaryJson => {
    const label = flow.lanes[lane]?.label;
    return label === undefined ? { seq } : { world: label, seq };
  };
  return {
    correlation: correlationToJson(flow.correlation),
    state: flow.state,
    worlds: flow.lanes.map(({ label, runs, live, error }) => ({
      ...(label === undefined ? {} : { world: label }),
      runs,
      live,
      error,
    })),
    rows: flow.rows.map((row) => ({
      ...(place(row) as { readonly [member: string]: SummaryJson }),
      what: row.what,
      name: row.name,
      ...(row.note === '' ? {} : { note: row.note }),
      ...(row.sentTo === undefined ? {} : { sent_to: place(row.sentTo) }),
      ...(row.sentFrom === undefined ? {} : { sent_from: place(row.sentFrom) }),
      ...(row.isLost === true ? { lost: true } : {}),
    })),
  };
}

/** A, B, … Z, AA, … */
function letter(lane: number): string {
  const last = String.fromCharCode(65 + (lane % 26));
  return lane < 26 ? last : letter(Math.floor(lane / 26) - 1) + last;
}

function key({ lane, seq }: RowRef): string {
  return `${lane}/${seq}`;
}

function width(text: string): number {
  return [...text].length;
}

function pad(text: string, to: number): string {
  return text + ' '.repeat(Math.max(0, to - width(text)));
}
