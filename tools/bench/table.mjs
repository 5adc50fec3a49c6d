// Tables for people: aligned text, or Markdown for docs/benchmarks.md.
import { keeps } from './comparison.mjs';
import { round } from './statistics.mjs';

const HEAD = ['figure', 'bound', 'measured', '', 'how'];

export function text(rows) {
  return aligned([HEAD, ...rows.map(cells)]);
}

export function markdown(rows) {
  const lines = [['Figure', 'Bound', 'Measured', 'Met', 'How'], HEAD.map(() => '---'), ...rows.map(cells)];
  return lines.map((line) => `| ${line.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n');
}

function cells({ what, value, unit, bound, note = '', failure }) {
  if (failure !== undefined) return [what, '', 'not measured', '', failure];
  const kept = keeps(value, bound);
  return [
    what,
    bound === undefined ? '' : `${bound.max === undefined ? '≥' : '≤'} ${number(bound.max ?? bound.min)} ${unit}`,
    `${number(round(value))} ${unit}`,
    kept === undefined ? '' : kept ? 'met' : 'NOT MET',
    note,
  ];
}

/** Thousands apart, so that 120 000 is not read as 12 000. */
function number(value) {
  const [whole, fraction] = String(value).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ' ');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** Columns of equal width; the last one is not padded. */
export function aligned(table) {
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  return table
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
