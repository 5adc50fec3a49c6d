// What must hold when everything is settled: the answers, what the workshop received, and what both journals say.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { differences, expectedFactory, expectedRequester, hasErrorRun, measured } from './expected.mjs';
import { CATEGORIES } from './orders.mjs';
import { brief, markdown, matches } from './report.mjs';

export const ARTIFACTS = ['factory-summary.json', 'factory-summary.md'];

/** What the journals and the workshop say, beside what the table says. */
export async function judge(run) {
  const { options, orders, worlds, killed, proofs, prove } = run;
  const expected = { factory: expectedFactory(orders), requester: expectedRequester(orders) };
  const problems = [];
  const answers = await judgeAnswers(run, problems);
  const workshop = judgeWorkshop(run);

  const summaries = {};
  const tables = {};
  const [flows, ...seen] = await Promise.all([
    inspectFlows(orders, worlds),
    ...Object.entries(worlds).map(([name, world]) => inspect(name, world, expected[name], options.out)),
  ]);
  for (const { name, summary, table, found } of seen) {
    summaries[name] = summary;
    tables[name] = table;
    for (const proof of found) prove(...proof);
  }
  prove(...flows.proof);
  const got = { factory: measured(summaries.factory), requester: measured(summaries.requester) };
  for (const name of Object.keys(worlds)) {
    const found = differences(expected[name], got[name]);
    problems.push(...found.map((text) => `${name}: ${text}`));
    const says = found.length === 0 ? 'every counter is what the table says' : `${found.length} counters differ`;
    prove(`counts of the ${name}`, found.length === 0, says);
  }
  problems.push(...proofs.filter(({ holds }) => !holds).map(({ name, says }) => `${name}: ${says}`));
  const report = {
    v: 1,
    requests: orders.length,
    seed: options.seed,
    ...answers,
    killed,
    workshop,
    flows: flows.counts,
    expected,
    measured: got,
    proofs,
    problems,
    worlds: summaries,
  };
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, ARTIFACTS[0]), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(options.out, ARTIFACTS[1]), `${markdown(report, flows.drawn, tables)}\n`);
  return report;
}

/** What the requester was told: one answer for each order, and the right one. */
async function judgeAnswers({ orders, worlds, prove }, problems) {
  const closed = new Map();
  for (const { record } of await worlds.requester.journal('domain_event'))
    if (record.schema === 'office/OrderClosed@1')
      closed.set(record.value.request_id, [...(closed.get(record.value.request_id) ?? []), record.value.outcome]);
  const isAnswered = ({ id, category }) => closed.get(id)?.length === 1 && matches(category.outcome, closed.get(id)[0]);
  for (const order of orders) {
    if (isAnswered(order)) continue;
    const got = JSON.stringify(closed.get(order.id) ?? []);
    problems.push(`${order.id} (${order.category.name}): expected ${brief(order.category.outcome)} once, got ${got}`);
  }
  const answered = orders.filter(isAnswered).length;
  const says = `${answered} of ${orders.length} orders were answered as they must be, each once`;
  prove('answers', answered === orders.length, says);
  return {
    answered,
    categories: CATEGORIES.map((category) => {
      const of = orders.filter((order) => order.category === category);
      const { name, outcome } = category;
      return { name, orders: of.length, answered: of.filter(isAnswered).length, outcome };
    }),
    orders: orders.map(({ id, category, tasks }) => ({
      id,
      category: category.name,
      tasks: tasks.length,
      outcome: closed.get(id)?.[0] ?? null,
    })),
  };
}

/** What arrived outside: everything that was published, once, and nothing else. */
function judgeWorkshop({ orders, workshop, killed, prove }) {
  const published = orders.filter(({ category }) => category.outcome.Published !== undefined);
  const ids = (list) => [...list].sort().join();
  const all = ids(published.map(({ id }) => id));
  const sum = (counts) => counts.reduce((total, n) => total + n, 0);
  const releases = [...workshop.releases.values()];
  const counts = {
    releases: releases.length,
    release_requests: sum(releases.map(({ requests }) => requests)),
    announcements: workshop.announcements.size,
    announcement_requests: sum([...workshop.announcements.values()]),
  };
  prove(
    'released',
    ids(releases.map(({ order }) => order)) === all,
    `${counts.releases} releases under ${counts.releases} keys, in ${counts.release_requests} requests; ${published.length} orders`,
  );
  prove(
    'repeated',
    counts.release_requests === published.length + killed.publish,
    `sent again after the kill, under their keys: ${killed.publish} of the publications`,
  );
  prove(
    'announced',
    ids(workshop.announcements.keys()) === all && counts.announcement_requests === published.length,
    `${counts.announcement_requests} announcements, none of them twice`,
  );
  return counts;
}

/** Each order as one flow through both journals: there and back by two messages, and broken only where a run ended in error. */
async function inspectFlows(orders, worlds) {
  const { requester, factory } = worlds;
  const journals = [
    '--journal',
    requester.folder,
    '--label',
    'requester',
    '--journal',
    factory.folder,
    '--label',
    'factory',
  ];
  const { flows } = await requester.ask('trace-summary', ...journals, '--correlations');
  const byId = new Map(flows.map((flow) => [flow.correlation, flow]));
  const isWhole = (order) => {
    const flow = byId.get(order.id);
    const messages = flow?.rows.filter(({ sent_to }) => sent_to?.seq !== undefined).length;
    return messages === 2 && flow.state === (hasErrorRun(order) ? 'broken' : 'settled');
  };
  const whole = orders.filter(isWhole).length;
  const state = (wanted) => flows.filter((flow) => flow.state === wanted).length;
  const counts = { settled: state('settled'), broken: state('broken'), waiting: state('waiting') };
  const { id } = orders.find(({ category }) => category.killed === 'announce');
  const { stdout } = await requester.run('trace-summary', ...journals, '--correlation', JSON.stringify(id));
  return {
    counts,
    drawn: stdout.slice(stdout.indexOf('flow "')).trimEnd(),
    proof: [
      'worldline trace-summary over both journals',
      whole === orders.length && flows.length === orders.length,
      `${whole} of ${orders.length} orders go there and back; ${counts.settled} flows settled, ${counts.broken} with a run that ended in error`,
    ],
  };
}

/** What the commands say of one world that has ended. */
async function inspect(name, world, expected, out) {
  const thresholds = join(out, 'factory-worlds', `${name}-thresholds.json`);
  writeFileSync(thresholds, `${JSON.stringify(thresholdsOf(expected), null, 2)}\n`);
  const summary = await world.run('--json', 'trace-summary', '--label', name, '--check', thresholds);
  const { stdout: table } = await world.run('trace-summary', '--label', name, '--format', 'md');
  const verified = await world.run('journal', 'verify', '--signatures');
  const replayed = await world.run('replay', '--verify', '--from-genesis');
  const first = ({ stdout, stderr }) => (stdout || stderr).trim().split('\n')[0];
  return {
    name,
    summary: JSON.parse(summary.stdout).data,
    table,
    found: [
      [
        `worldline trace-summary --check of the ${name}`,
        summary.code === 0,
        summary.code === 0 ? 'every threshold holds' : summary.stderr.trim(),
      ],
      [`worldline journal verify --signatures of the ${name}`, verified.code === 0, first(verified)],
      [`worldline replay --verify --from-genesis of the ${name}`, replayed.code === 0, first(replayed)],
    ],
  };
}

/** What `trace-summary --check` must find: nothing left, and no failure that was not injected. */
function thresholdsOf({ totals }) {
  return {
    'totals.runs.live': { max: 0 },
    'totals.errors.*': { max: 0, except: totals.errors },
    ...Object.fromEntries(
      Object.entries(totals.signals).map(([name, n]) => [`totals.failure_signals.${name}`, { min: n, max: n }]),
    ),
    'roots.runs.error': { max: 0 },
    receipts_orphaned: { max: 0 },
  };
}
