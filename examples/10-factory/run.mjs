// A coding factory that fails in every way it can, and is killed in the middle: 50 orders at once, each answered as it must be.
//
//   npm run factory                          set-up, then this
//   node examples/10-factory/run.mjs --help
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ROOT, WORLDLINE } from '../command.mjs';
import { ARTIFACTS, judge } from './lib/judge.mjs';
import { CATEGORIES, makeOrders, wanted } from './lib/orders.mjs';
import { inFlight } from './lib/report.mjs';
import { Workshop } from './lib/workshop.mjs';
import { World } from './lib/world.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const HELP = `Usage: node examples/10-factory/run.mjs [options]

Runs two worlds, a requester and a factory, and ${CATEGORIES.length} kinds of orders between them; kills the factory in the middle, and
compares what the journals say with what was injected. Exit code 0: everything as expected, 7: something differs, 1: it could
not be carried out.

Options:
  --requests <n>   orders, all at once (default: 50, at least ${CATEGORIES.length})
  --seed <text>    shuffles the orders and their tasks (default: factory)
  --out <dir>      where factory-summary.json, factory-summary.md and the worlds are written (default: artifacts)
  --timeout <s>    when to give up (default: 600)
  --json           print the report instead of the progress
  -h, --help       this text

Afterwards the worlds are yours: worldline --world <dir>/factory-worlds/factory plans ls`;

const startedAt = performance.now();
let isQuiet = false;

function say(text) {
  if (isQuiet) return;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(5);
  process.stdout.write(`${seconds}s  ${text}\n`);
}

function readOptions() {
  const text = { type: 'string' };
  const { values } = parseArgs({
    options: {
      requests: { ...text, default: '50' },
      seed: { ...text, default: 'factory' },
      out: { ...text, default: 'artifacts' },
      timeout: { ...text, default: '600' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const whole = (name, min) => {
    const n = Number(values[name]);
    if (!/^\d+$/.test(values[name]) || n < min || n > 10_000)
      throw new TypeError(`--${name} must be a whole number from ${min} to 10000`);
    return n;
  };
  return {
    help: values.help,
    json: values.json,
    seed: values.seed,
    out: resolve(values.out),
    requests: values.help ? 0 : whole('requests', CATEGORIES.length),
    timeoutS: values.help ? 0 : whole('timeout', 1),
  };
}

/** The worlds as they are in this folder, in a place where they may leave their state. */
function makeWorlds(out) {
  const folder = join(out, 'factory-worlds');
  // Whatever an earlier run left must not pass for what this one did.
  for (const old of [folder, ...ARTIFACTS.map((name) => join(out, name))])
    rmSync(old, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(HERE, 'contract'), join(folder, 'contract'), { recursive: true });
  for (const name of ['factory', 'requester'])
    for (const item of ['air', 'worldline.json', 'worldline.host.json'])
      cpSync(join(HERE, name, item), join(folder, name, item), { recursive: true });
  // The packs are looked for upwards from the worlds, as every npm package is.
  if (relative(ROOT, folder).startsWith('..'))
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');
  return { factory: new World(join(folder, 'factory')), requester: new World(join(folder, 'requester')) };
}

/** Whoever approves, and the workshop's late tasks: what happens around the factory while it works. */
class Surroundings {
  #factory;
  #workshop;
  #orders;
  #decided = new Set();
  /** The orders that are decided on now. */
  decides = () => false;
  /** Orders that wait for a decision. */
  asked = [];
  decisions = { approve: 0, deny: 0 };

  constructor(factory, workshop, orders) {
    this.#factory = factory;
    this.#workshop = workshop;
    this.#orders = new Map(orders.map((order) => [`release ${order.id}`, order]));
  }

  /** One look at what the factory waits for. @returns its open effects. */
  async turn() {
    const { effects } = await this.#factory.get('/api/effects');
    const approvals = effects.filter(({ kind }) => kind === 'approval.request');
    this.asked = approvals.map(({ params }) => this.#orders.get(params.subject));
    await Promise.all(approvals.map((effect) => this.#decide(effect)));
    // A late task is answered when the race is decided: its request came, so its timer was set, and that is gone.
    const armed = new Set(effects.filter(({ kind }) => kind === 'timer.set').map(({ params }) => params.key));
    for (const id of this.#workshop.heldTasks()) if (!armed.has(`deadline:${id}`)) this.#workshop.releaseTask(id);
    return effects;
  }

  async #decide({ intent_hash, params: { subject } }) {
    const order = this.#orders.get(subject);
    if (order.approver === 'silent' || this.#decided.has(subject) || !this.decides(order)) return;
    this.#decided.add(subject);
    this.decisions[order.approver]++;
    const decision = order.approver === 'deny' ? 'denied' : 'approved';
    await this.#factory.post(`/api/approvals/${intent_hash}`, {
      decision,
      rationale: `factory run: ${order.approver}`,
    });
  }
}

async function main(options) {
  const orders = makeOrders(options.requests, options.seed);
  const count = (test) => orders.filter(test).length;
  const worlds = makeWorlds(options.out);
  const { factory, requester } = worlds;
  const each = (use) => Promise.all(Object.values(worlds).map(use));
  const proofs = [];
  const prove = (name, holds, says) => {
    proofs.push({ name, holds, says });
    if (!isQuiet) process.stdout.write(`        ${holds ? '✓' : '✗'} ${name}: ${says}\n`);
  };

  say('Two worlds: a requester that orders, a factory that works. Nothing has run yet.');
  const checks = await each((world) => world.run('check', '--fail-on-warning'));
  for (const [i, name] of Object.keys(worlds).entries())
    prove(`worldline check of the ${name}`, checks[i].code === 0, checks[i].stdout.trim().split('\n').at(-1));

  const workshop = new Workshop(orders);
  await workshop.open();
  await each((world) => world.start());
  say(`The workshop is at ${workshop.url}. Both worlds run (pids ${factory.pid} and ${requester.pid}).`);

  await Promise.all(
    orders.map((order) =>
      requester.post(
        '/api/events?wait=applied',
        { schema: 'office/OrderWanted@1', value: wanted(order, workshop.url, BigInt(Date.now()) * 1_000_000n) },
        { 'idempotency-key': order.id },
      ),
    ),
  );
  say(
    `${orders.length} orders are wanted, ${count(({ category }) => category.outcome.Published === undefined)} of which will not end as hoped.`,
  );

  // Those that are to be in flight when the kill comes are approved all at once, so that none is in flight for long.
  const around = new Surroundings(factory, workshop, orders);
  const isDoomed = ({ category }) => category.killed !== undefined;
  await until(options, `${count(isDoomed)} approvals to be asked for`, async () => {
    await around.turn();
    return around.asked.filter(isDoomed).length === count(isDoomed);
  });
  around.decides = isDoomed;
  say(`A person approves the first ${count(isDoomed)}; the workshop holds back its answers.`);
  const killed = {
    publish: count((o) => o.category.killed === 'publish'),
    announce: count((o) => o.category.killed === 'announce'),
    open: 0,
  };
  await until(options, `${inFlight(killed)} to be in flight`, async () => {
    killed.open = (await around.turn()).length;
    return workshop.heldCount('publish') === killed.publish && workshop.heldCount('announce') === killed.announce;
  });
  await factory.kill9();
  say(`kill -9 of the factory: ${inFlight(killed)} in flight, ${killed.open} effects open.`);

  workshop.comeBack();
  around.decides = () => true;
  await factory.start();
  say(
    `worldline run is back (pid ${factory.pid}); nothing was sent in by hand again. Now everything is approved or denied.`,
  );
  let saidAt = performance.now();
  await until(options, 'every order to be answered', async () => {
    const working = (await around.turn()).filter(({ kind }) => kind !== 'timer.set');
    if (performance.now() - saidAt > 2_000) {
      saidAt = performance.now();
      const { approve, deny } = around.decisions;
      say(
        `approved ${approve}, denied ${deny}; ${working.length} effects of the factory are open, beside its deadlines`,
      );
    }
    if (working.length > 0) return false;
    const { effects: ordered } = await requester.get('/api/effects');
    if (ordered.some(({ kind }) => kind !== 'timer.set')) return false;
    const states = await each((world) => world.ask('status'));
    return states.every(({ plans }) => plans.live === 0);
  });
  say('Every order is answered; no run is live in either world.');
  for (const [name, world] of Object.entries(worlds))
    prove(`worldline stop of the ${name}`, (await world.stop()) === 0, 'it ended cleanly');
  await workshop.close();

  const report = await judge({ options, orders, worlds, workshop, killed, proofs, prove });
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  for (const problem of report.problems) say(`differs: ${problem}`);
  const shownOut = relative(process.cwd(), options.out) || '.';
  say(
    `${report.problems.length === 0 ? 'Everything as expected.' : `${report.problems.length} differences.`} ${shownOut}/factory-summary.md has it all; the worlds are beside it:`,
  );
  if (!isQuiet) {
    const command = `node ${relative(process.cwd(), WORLDLINE)} --world ${relative(process.cwd(), factory.folder)}`;
    process.stdout.write(`          ${command} plans ls\n          ${command} trace-summary --instances\n`);
  }
  process.exitCode = report.problems.length === 0 ? 0 : 7;
}

async function until(options, what, probe) {
  while (!(await probe())) {
    if (performance.now() - startedAt > options.timeoutS * 1000)
      throw new Error(`after ${options.timeoutS} s still waiting for ${what}`);
    await sleep(100);
  }
}

let options;
try {
  options = readOptions();
} catch (error) {
  process.stderr.write(`error: ${error.message}\n\n${HELP}\n`);
  process.exit(2);
}
if (options.help) {
  process.stdout.write(`${HELP}\n`);
} else if (!existsSync(join(ROOT, 'packages/cli/dist'))) {
  process.stderr.write(
    'error: the build is missing; run `npm run factory` from the repository, or `npm run build` first\n',
  );
  process.exitCode = 1;
} else {
  isQuiet = options.json;
  main(options).catch((error) => {
    process.stderr.write(`error: ${error.message}\n`);
    process.exit(1);
  });
}
