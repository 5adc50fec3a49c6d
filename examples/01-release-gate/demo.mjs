// The main job on real input: five releases through a gate that is killed in the middle.
//
//   npm run demo                       set-up, then this
//   node examples/01-release-gate/demo.mjs [--keep-quiet]
//
// It exits non-zero when anything differs from what the plan promises, and leaves the world in ./demo-world.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, '../..');
const WORLDLINE = join(ROOT, 'packages/cli/bin/worldline.js');
const WORLD = resolve(ROOT, 'demo-world');
const SECOND_NS = 1_000_000_000;

const startedAt = performance.now();
const problems = [];

function say(text) {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(5);
  process.stdout.write(`${seconds}s  ${text}\n`);
}

function check(holds, text) {
  process.stdout.write(`        ${holds ? '✓' : '✗'} ${text}\n`);
  if (!holds) problems.push(text);
}

/** Runs one command of the CLI. @returns `{ code, stdout, stderr }`. */
function worldline(args, input) {
  return new Promise((settle, reject) => {
    const child = spawn(process.execPath, [WORLDLINE, '--world', WORLD, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', reject);
    child.on('close', (code) => settle({ code, stdout, stderr }));
    child.stdin.end(input ?? '');
  });
}

/** The same with `--json`; a failing command ends the demo. */
async function ask(args, input) {
  const { code, stdout, stderr } = await worldline(['--json', ...args], input);
  if (code !== 0) throw new Error(`worldline ${args.join(' ')} exited ${code}: ${stdout}${stderr}`);
  return JSON.parse(stdout).data;
}

async function until(what, probe, seconds = 15) {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (performance.now() > deadline) throw new Error(`timed out: ${what}`);
    await sleep(100);
  }
}

// Processes around the world

const children = new Set();
function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  children.add(child);
  child.on('close', () => children.delete(child));
  return child;
}
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

async function startService() {
  const child = start(process.execPath, [join(HERE, 'service.mjs')]);
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const port = /^listening (\d+)$/.exec(line)?.[1];
    if (port !== undefined) return { child, url: `http://127.0.0.1:${port}` };
  }
  throw new Error('the release service did not start');
}

async function startDaemon() {
  const child = start(process.execPath, [WORLDLINE, '--world', WORLD, 'run']);
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  await until('the daemon', async () => {
    if (child.exitCode !== null) throw new Error(`worldline run ended: ${log}`);
    return /\brunning\b/.test(log);
  });
  return child;
}

async function kill9(child) {
  const gone = new Promise((settle) => child.once('close', settle));
  child.kill('SIGKILL');
  await gone;
}

async function counts(service) {
  return (await fetch(`${service.url}/counts`)).json();
}

// What the journal says

async function journal() {
  const entries = [];
  for (let from = 0; ; ) {
    const page = await ask(['journal', 'tail', '--from', String(from), '--limit', '1000']);
    entries.push(...page.entries);
    if (page.entries.length === 0 || page.to <= from) return entries;
    from = page.to;
  }
}

const valueOf = (entry) => entry.record.value;
const settledEvents = (entries) =>
  entries
    .filter((e) => e.kind === 'domain_event' && e.record.schema === 'rel/ReleaseSettled@1')
    .map((e) => ({ seq: e.seq, ...valueOf(e) }));

function outcomeOf(event) {
  return typeof event.outcome === 'string' ? event.outcome : (event.outcome.$tag ?? Object.keys(event.outcome)[0]);
}

// The releases

const RELEASES = [
  {
    request_id: 'r-approved',
    build: 'slow-1001',
    within: 600,
    expect: 'Deployed',
    about: 'approved; its deployment is in flight when the daemon is killed',
  },
  { request_id: 'r-denied', build: 'b-1002', within: 600, expect: 'Denied', about: 'denied after the restart' },
  { request_id: 'r-timed-out', build: 'b-1003', within: 4, expect: 'TimedOut', about: 'nobody answers in time' },
  { request_id: 'r-red', build: 'b-red-1004', within: 600, expect: 'BuildRed', about: 'the build is red' },
  {
    request_id: 'r-while-down',
    build: 'b-1005',
    within: 600,
    expect: 'Deployed',
    about: 'approved while the daemon is down',
  },
];

async function pendingApprovals() {
  const { approvals } = await ask(['approvals', 'ls']);
  return new Map(approvals.map((a) => [a.subject.replace('release ', ''), a.intent_hash]));
}

async function decide(request_id, decision) {
  const intent = (await pendingApprovals()).get(request_id);
  if (intent === undefined) throw new Error(`no pending approval for ${request_id}`);
  await ask(['approvals', 'decide', intent, decision, '--rationale', `demo: ${decision}`]);
}

async function main() {
  say('A release gate: build status → approval racing a deadline → deployment.');
  rmSync(WORLD, { recursive: true, force: true });
  mkdirSync(WORLD, { recursive: true });
  for (const item of ['air', 'worldline.json', 'worldline.host.json'])
    cpSync(join(HERE, item), join(WORLD, item), { recursive: true });

  const checked = await worldline(['check']);
  check(checked.code === 0, 'worldline check: types, effects, authority and waits are in order before anything runs');

  const service = await startService();
  say(`The release service runs as a process of its own on ${service.url}.`);
  let daemon = await startDaemon();
  say(`worldline run holds the world ${relative(process.cwd(), WORLD) || '.'} (pid ${daemon.pid}).`);

  say('Five releases come in:');
  for (const release of RELEASES) {
    const notes = JSON.stringify({ release: release.request_id, build: release.build });
    writeFileSync(join(WORLD, 'notes.json'), notes);
    const { hash } = await ask(['blob', 'put', `@${join(WORLD, 'notes.json')}`]);
    const { request_id, build } = release;
    const request = {
      request_id,
      build,
      requester: 'ci',
      service_url: service.url,
      approve_within_ns: release.within * SECOND_NS,
      notes_ref: hash,
    };
    await ask(['event', 'send', 'rel/ReleaseRequested@1', JSON.stringify(request), '--idempotency-key', request_id]);
    process.stdout.write(`          ${request_id.padEnd(13)} ${build.padEnd(11)} ${release.about}\n`);
  }
  rmSync(join(WORLD, 'notes.json'));
  await until('four approvals to be asked for', async () => (await pendingApprovals()).size >= 3);

  say('A person approves r-approved; its deployment takes the service two seconds.');
  await decide('r-approved', 'approve');
  await until('the deployment to reach the service', async () => (await counts(service)).deployments.length > 0);

  await kill9(daemon);
  say('kill -9 of the daemon: one deployment request in flight, approvals pending, a deadline running.');

  say('While it is down, r-while-down is approved: the command opens the world itself, applies, and closes it.');
  await decide('r-while-down', 'approve');

  daemon = await startDaemon();
  say(`worldline run is back (pid ${daemon.pid}); nothing was sent in by hand again.`);
  await decide('r-denied', 'deny');
  say('r-denied is denied. Now the deadline of r-timed-out passes.');
  const entries = await until('five settled releases', async () => {
    const all = await journal();
    return settledEvents(all).length >= RELEASES.length ? all : undefined;
  });

  say('What happened, from the journal:');
  for (const event of settledEvents(entries)) {
    process.stdout.write(
      `          #${String(event.seq).padEnd(4)} ${event.request_id.padEnd(13)} ${outcomeOf(event)}\n`,
    );
  }
  for (const release of RELEASES) {
    const outcomes = settledEvents(entries)
      .filter((e) => e.request_id === release.request_id)
      .map(outcomeOf);
    check(
      outcomes.length === 1 && outcomes[0] === release.expect,
      `${release.request_id} settled once: ${release.expect}`,
    );
  }

  const { deployments } = await counts(service);
  const approved = RELEASES.filter((r) => r.expect === 'Deployed').map((r) => r.build);
  for (const build of approved) {
    const keys = deployments.filter((d) => d.build === build);
    const requests = keys.reduce((n, d) => n + d.requests, 0);
    check(
      keys.length === 1,
      `the service deployed ${build} under exactly one key (${requests} request${requests === 1 ? '' : 's'})`,
    );
  }
  check(deployments.length === approved.length, 'the service deployed nothing else');

  const gone = new Promise((settle) => daemon.once('close', settle));
  daemon.kill('SIGTERM');
  check((await gone) === 0, 'the daemon stops cleanly on SIGTERM');

  const summary = await worldline(['trace-summary']);
  process.stdout.write(`\n${summary.stdout.replace(/^/gm, '          ')}\n`);
  check(summary.code === 0, 'worldline trace-summary');
  const verified = await worldline(['journal', 'verify']);
  check(verified.code === 0, `worldline journal verify: ${verified.stdout.trim().split('\n')[0]}`);
  const replayed = await worldline(['replay', '--verify', '--from-genesis']);
  check(replayed.code === 0, `worldline replay --verify --from-genesis: ${replayed.stdout.trim().split('\n')[0]}`);

  service.child.kill();
  if (problems.length > 0) {
    say(`${problems.length} promise(s) not kept.`);
    process.exitCode = 1;
    return;
  }
  const command = `node ${relative(process.cwd(), WORLDLINE)} --world ${relative(process.cwd(), WORLD)}`;
  say('Every promise kept. The world is yours to explore:');
  process.stdout.write(
    `          ${command} plans ls\n          ${command} journal tail --limit 40\n          ${command} trace-summary --instances\n`,
  );
}

if (!existsSync(WORLDLINE)) {
  process.stderr.write(
    'error: the build is missing; run `npm run demo` from the repository, or `npm run build` first\n',
  );
  process.exit(1);
}
main().catch((error) => {
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(1);
});
