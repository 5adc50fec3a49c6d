import { driveToEnd } from './drive.ts';
import type { Flow } from './flow.ts';
import { type GateOptions, GateTally, type GateWorld } from './gate.ts';
import { GateRun, type Request } from './run.ts';
import { idOf } from './templates.ts';

/** `patterns.md` F5; cases C45–C48. */

const NO_KEY = '00'.repeat(32);

export function duplicatesGate(world: GateWorld, flows: readonly Flow[], options: GateOptions): GateTally {
  const tally = new GateTally('duplicates');
  for (const flow of flows) {
    sameIngress(world, flow, options, tally);
    twins(world, flow, options, tally);
  }
  return tally;
}

function open(world: GateWorld, options: GateOptions, tally: GateTally): GateRun {
  return new GateRun(world.loaded, options, (name, message, hint) => tally.problem(name, message, hint));
}

/** The same request again under its ingress id, and every answer again. */
function sameIngress(world: GateWorld, flow: Flow, options: GateOptions, tally: GateTally): void {
  const run = open(world, options, tally);
  const id = idOf(1);
  const key = { ingressId: `ingress of ${id}` };
  run.request(flow, id, key);
  const request = run.requests.get(id) as Request;
  const runs = request.plans.length;
  const repeat = (when: string) => {
    const { outcome } = run.request(flow, id, key);
    tally.count('requests repeated under their ingress id');
    if (outcome.kind !== 'duplicate')
      tally.problem(flow.name, `the same request under one ingress id, ${when}, is ${outcome.kind}, not duplicate`);
  };
  repeat('while it runs');
  if (request.plans.length !== runs)
    tally.problem(flow.name, `the same request under one ingress id started a second run`);
  const height = () => run.w.kernel.head.height;
  for (let i = 0; i < 500; i++) {
    const [delivery] = driveToEnd(run, request, 'answers', 1);
    if (delivery === undefined) break;
    const before = height();
    const { outcome } = run.again(delivery);
    tally.count(delivery.event === undefined ? 'receipts repeated' : 'events repeated');
    if (delivery.event !== undefined) continue;
    if (outcome.kind === 'applied' || height() !== before)
      tally.problem(
        flow.name,
        `a receipt that came twice is ${outcome.kind} and journals ${height() - before} records`,
      );
  }
  repeat('after its end');
  once(flow, request, tally, 'a request whose inputs all came twice');
}

/** The same request without an ingress id: two runs, and one dispatch for each key that both use. */
function twins(world: GateWorld, flow: Flow, options: GateOptions, tally: GateTally): void {
  const run = open(world, options, tally);
  const id = idOf(2);
  run.request(flow, id, { key: 'first' });
  run.request(flow, id, { key: 'second' });
  const pair = [...run.requests.values()];
  tally.count('twins without ingress id');
  for (let i = 0; i < 500; i++) {
    // One after the other, so that what is open is open for both.
    const moved = pair.filter((request) => driveToEnd(run, request, 'answers', 1).length > 0);
    if (moved.length === 0) break;
  }
  const dispatched = new Map<string, number>();
  for (const { kind, key } of pair.flatMap(({ sent }) => sent)) {
    if (key === NO_KEY) continue;
    dispatched.set(`${kind} ${key}`, (dispatched.get(`${kind} ${key}`) ?? 0) + 1);
  }
  const own = new Map<string, number>();
  for (const { kind, key } of pair[0]?.sent ?? []) own.set(`${kind} ${key}`, (own.get(`${kind} ${key}`) ?? 0) + 1);
  for (const [name, times] of dispatched) {
    tally.count('keys dispatched once');
    if (times > (own.get(name) ?? times))
      tally.problem(flow.name, `${name.split(' ')[0]}: ${times} dispatches of one idempotency key while it was open`);
  }
  for (const request of pair) once(flow, request, tally, 'one of two equal requests');
  const [first, second] = pair.map((request) => request.outcome());
  if (first !== second) tally.problem(flow.name, `two equal requests that were answered alike ended differently`);
}

/** It is over, and settled exactly once. */
export function once(flow: Flow, request: Request, tally: GateTally, who: string): void {
  const { settled } = request;
  if (request.ends.length !== request.plans.length)
    tally.problem(
      flow.name,
      `${who} has ${request.plans.length} runs, of which ${request.ends.length} ended`,
      waitsHint(request),
    );
  if (flow.settled !== undefined && settled.length !== 1)
    tally.problem(flow.name, `${who} has ${settled.length} events ${flow.settled.event}, not one`, waitsHint(request));
}

export function waitsHint(request: Request): string {
  const last = request.path.at(-1);
  if (last === undefined) return 'nothing could be delivered to it';
  const [, step, answer] = last.split(':');
  return `the last thing that came was "${answer}" for step "${step}"`;
}
