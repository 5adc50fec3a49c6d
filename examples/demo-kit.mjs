// What the demos of the numbered examples share: a fresh copy of the world, its daemon, services beside it, the CLI, and a
// list of what was promised. Plain Node, no packages.
//
// A demo prints the same text each time (no times, ports or hashes of its own), so that a README can show it and a test
// can run it again.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ask, ended, journal, ROOT, start, WORLDLINE } from './command.mjs';

/** Where the worlds of demos are made. */
const WORLDS = join(ROOT, 'demo-worlds');
/** How long anything may take. Far more than it does: only a demo that hangs ends by it. */
const PATIENCE_SECONDS = 300;

export const SECOND_NS = 1_000_000_000;

/**
 * Logical time of a new world is the time of day, in nanoseconds since 1970.
 *
 * @returns a deadline that many seconds from now, as text: it is too large for a JavaScript number.
 */
export function deadlineIn(seconds) {
  return String((BigInt(Date.now()) + BigInt(Math.round(seconds * 1000))) * 1_000_000n);
}

/**
 * Runs `story(demo)` on a fresh copy of the world beside the calling file; exits with 1 when a promise is not kept.
 *
 * @param url - `import.meta.url` of the demo.
 */
export async function runDemo(url, story) {
  const demo = new Demo(dirname(fileURLToPath(url)));
  process.on('exit', () => demo.killAll());
  try {
    if (!existsSync(WORLDLINE)) throw new Error('the build is missing: run `npm run build` first');
    await story(demo);
    await demo.finish();
  } catch (error) {
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = 1;
  } finally {
    demo.killAll();
  }
}

/**
 * The same with several worlds: folders beside the calling file, each with a process of its own.
 *
 * @param names - of those folders; the story gets a demo for each, by name.
 */
export async function runWorlds(url, names, story) {
  const here = dirname(fileURLToPath(url));
  const demos = Object.fromEntries(names.map((name) => [name, new Demo(here, name)]));
  const all = Object.values(demos);
  const killAll = () => {
    for (const demo of all) demo.killAll();
  };
  process.on('exit', killAll);
  try {
    if (!existsSync(WORLDLINE)) throw new Error('the build is missing: run `npm run build` first');
    await story(demos);
    for (const demo of all) await demo.rest();
    const problems = all.reduce((count, demo) => count + demo.problems, 0);
    if (problems > 0) throw new Error(`${problems} promise(s) not kept`);
    all[0].say(`Every promise kept. The worlds stay in ${relative(process.cwd(), join(WORLDS, basename(here)))}.`);
  } catch (error) {
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = 1;
  } finally {
    killAll();
  }
}

class Demo {
  #here;
  /** Of several worlds, its folder's name. */
  #name;
  #world;
  #children = new Set();
  #daemon;
  #problems = 0;

  constructor(here, name) {
    this.#here = here;
    this.#name = name;
    this.#world = join(WORLDS, basename(here), name ?? '.');
    rmSync(this.#world, { recursive: true, force: true });
    mkdirSync(this.#world, { recursive: true });
    for (const item of ['air', 'worldline.json', 'worldline.host.json'])
      if (existsSync(join(here, name ?? '.', item)))
        cpSync(join(here, name ?? '.', item), join(this.#world, item), { recursive: true });
  }

  say(text) {
    process.stdout.write(`${text}\n`);
  }

  get problems() {
    return this.#problems;
  }

  /** Prints whether a promise was kept. */
  check(holds, text) {
    const of = this.#name === undefined ? '' : `${this.#name}: `;
    this.say(`  ${holds ? '✓' : '✗'} ${of}${text}`);
    if (!holds) this.#problems++;
  }

  #run = (...args) => ended(this.#keep(start(this.#world, args)));

  /** Runs a command as a person would, and prints both it and what it says. @returns its exit code. */
  async show(...args) {
    const { code, stdout, stderr } = await this.#run(...args);
    const world = this.#name === undefined ? [] : ['--world', this.#name];
    this.say(`  $ worldline ${[...world, ...args].map(quoted).join(' ')}`);
    for (const line of `${stdout}${stderr}`.trimEnd().split('\n')) this.say(`  ${line}`.trimEnd());
    return code;
  }

  /** The data of a command. */
  ask(...args) {
    return ask(this.#run, ...args);
  }

  /** Sends an event; the same `id` again is the same event. */
  async send(schema, value, id) {
    await this.ask('event', 'send', schema, JSON.stringify(value), '--idempotency-key', id);
  }

  /** Puts text into the store. @returns its hash. */
  async blob(name, text) {
    const file = join(this.#world, name);
    writeFileSync(file, text);
    const { hash } = await this.ask('blob', 'put', `@${file}`);
    rmSync(file);
    return hash;
  }

  /** What the journal holds of some kinds, oldest first: `{ seq, kind, record }`. */
  journal(...kinds) {
    return journal(this.#run, kinds);
  }

  /** Values of the events of a schema that plans raised. */
  async raised(schema) {
    const events = await this.journal('domain_event');
    return events
      .filter(({ record }) => record.schema === schema && record.origin === 'plan')
      .map(({ record }) => record.value);
  }

  /** Waits until plans raised so many events of a schema. */
  async settled(schema, count) {
    return this.until(`${count} × ${schema}`, async () => {
      const values = await this.raised(schema);
      return values.length >= count ? values : undefined;
    });
  }

  async until(what, probe) {
    const end = performance.now() + PATIENCE_SECONDS * 1000;
    for (;;) {
      const found = await probe();
      if (found) return found;
      if (performance.now() > end) throw new Error(`it did not happen: ${what}`);
      await sleep(250);
    }
  }

  /** Starts a service beside the demo. @returns its URL. */
  async service(file) {
    const command = [join(this.#here, file)];
    const child = this.#keep(spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] }));
    for await (const line of createInterface({ input: child.stdout })) {
      const port = /^listening (\d+)$/.exec(line)?.[1];
      if (port !== undefined) return `http://127.0.0.1:${port}`;
    }
    throw new Error(`${file} did not start`);
  }

  /** `worldline run` in a process of its own. */
  async daemon() {
    const child = this.#keep(start(this.#world, ['run']));
    let log = '';
    child.stderr.on('data', (chunk) => (log += chunk));
    await this.until('the daemon runs', () => {
      if (child.exitCode !== null) throw new Error(`worldline run ended: ${log}`);
      return /\brunning\b/.test(log);
    });
    this.#daemon = child;
  }

  /** Ends the daemon as a crash would. */
  async kill() {
    const gone = new Promise((settle) => this.#daemon.once('close', settle));
    this.#daemon.kill('SIGKILL');
    await gone;
    this.#daemon = undefined;
  }

  async #stop() {
    if (this.#daemon === undefined) return;
    const gone = new Promise((settle) => this.#daemon.once('close', settle));
    this.#daemon.kill('SIGTERM');
    this.check((await gone) === 0, 'the daemon stops cleanly');
  }

  /** What every demo ends with: nothing is left running, the journal is whole, a replay finds every byte. */
  async finish() {
    await this.rest();
    if (this.#problems > 0) throw new Error(`${this.#problems} promise(s) not kept`);
    this.say(`Every promise kept. The world stays in ${relative(process.cwd(), this.#world)}.`);
  }

  async rest() {
    await this.until('no run is left', async () => {
      const { plans } = await this.ask('plans', 'ls');
      return plans.every(({ status }) => status !== 'live');
    });
    this.check(true, 'no run is left');
    await this.#stop();
    const verified = await this.#run('journal', 'verify');
    this.check(verified.code === 0, 'worldline journal verify');
    const replayed = await this.#run('replay', '--verify', '--from-genesis');
    this.check(replayed.code === 0, 'worldline replay --verify --from-genesis');
  }

  /** Ends with the demo at the latest. */
  #keep(child) {
    this.#children.add(child);
    child.on('close', () => this.#children.delete(child));
    return child;
  }

  killAll() {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

/** As a shell would need it. */
function quoted(arg) {
  return /^[\w@/.:=,-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`;
}

/** `{ Done: {…} }`, `{ $tag: "Done" }` and `"Done"` are all written `Done`. */
export function armOf(variant) {
  return typeof variant === 'string' ? variant : (variant.$tag ?? Object.keys(variant)[0]);
}
