// The artefacts of a run: factory-summary.json for programs, factory-summary.md for people.

/** Does an answer look as the table says? `*` stands for anything; an incomplete order has one task that did not pass. */
export function matches(expected, got) {
  if (expected === '*') return got !== undefined && got !== null;
  if (expected === null || typeof expected !== 'object') return expected === got;
  if (expected.Incomplete !== undefined) {
    const others = (got?.Incomplete?.tasks ?? []).filter(
      (task) => task?.Ok !== 'Passed' && !('Passed' in (task?.Ok ?? {})),
    );
    return others.length === 1 && matches(expected.Incomplete, others[0].Ok);
  }
  const names = Object.keys(expected);
  return (
    got !== null &&
    typeof got === 'object' &&
    Object.keys(got).length === names.length &&
    names.every((name) => matches(expected[name], got[name]))
  );
}

/** What a kill interrupted, in words. */
export function inFlight({ publish, announce }) {
  const some = (n, noun) => `${n} ${noun}${n === 1 ? '' : 's'}`;
  return `${some(publish, 'publication')} and ${some(announce, 'announcement')}`;
}

/** An outcome in a few words. */
export function brief(outcome) {
  const [arm, value] = Object.entries(outcome)[0];
  if (value === null || typeof value !== 'object') return arm;
  if (arm === 'Incomplete' && !Array.isArray(value.tasks)) return `Incomplete: ${brief(value)}`;
  const words = Object.values(value).filter((v) => typeof v === 'string' && v !== '*');
  if (arm === 'TimedOut' || arm === 'Refused' || words.length === 0)
    return value.status === undefined ? arm : `${arm} ${value.status}`;
  return `${arm} ${words.join(' ')}`;
}

/**
 * @param report - what `factory-summary.json` holds.
 * @param flow - one order through both journals, drawn.
 * @param tables - the worlds' summaries as Markdown, by name.
 */
export function markdown(report, flow, tables) {
  const { categories, killed, proofs, problems } = report;
  const line = (...cells) => `| ${cells.join(' | ')} |`;
  return [
    '# Factory summary',
    '',
    `${report.requests} orders at once, seed \`${report.seed}\`: ${problems.length === 0 ? 'everything as expected' : `**${problems.length} differences**`}.`,
    '',
    ...(problems.length === 0 ? [] : [...problems.map((problem) => `- ${problem}`), '']),
    line('Injected', 'Orders', 'Answer that the requester must get', 'Got it'),
    line('---', '--:', '---', '--:'),
    ...categories.map((c) => line(c.name, c.orders, `\`${brief(c.outcome)}\``, c.answered)),
    line('**all**', report.requests, '', report.answered),
    '',
    '## The kill',
    '',
    `\`kill -9\` of the factory with ${inFlight(killed)} in flight, and ${killed.open} effects open.`,
    'Publications have idempotency keys: they were sent again, and made once. Announcements have none: they were not sent again, and',
    'are answered `delivery.unknown`.',
    '',
    line('At the workshop', ''),
    line('---', '--:'),
    line('releases', report.workshop.releases),
    line('requests for them', report.workshop.release_requests),
    line('announcements', report.workshop.announcements),
    line('requests for them', report.workshop.announcement_requests),
    '',
    '## Failures of the factory, counted from its journal',
    '',
    line('Category', 'Expected', 'Counted'),
    line('---', '--:', '--:'),
    ...Object.entries(report.expected.factory.totals.signals).map(([name, n]) =>
      line(`\`${name}\``, n, report.measured.factory.totals.signals[name]),
    ),
    '',
    'These are counts of runs and receipts. An order is several runs, and one that passes on that a run below it was out of time counts',
    'under `timeout_path` too, so that one order may stand for several there.',
    '',
    '## Proofs',
    '',
    ...proofs.map(({ name, holds, says }) => `- ${holds ? '✓' : '✗'} ${name}: ${says}`),
    '',
    '## One order through both journals',
    '',
    '```text',
    flow,
    '```',
    '',
    // Their headings go below the one of this document.
    ...Object.values(tables).flatMap((table) => [table.trim().replace(/^#/gm, '##'), '']),
  ].join('\n');
}
