import { encodeValue, type Json, type Value } from '@worldline/air';
import { decode } from '@worldline/canon';
import { ChangeError, demanding, denying, expiring } from './changed-world.ts';
import { driveToEnd } from './drive.ts';
import { waitsHint } from './duplicates-gate.ts';
import type { Flow } from './flow.ts';
import { type GateOptions, GateTally, type GateWorld } from './gate.ts';
import { GateRun, type Request, textOf } from './run.ts';
import { idOf } from './templates.ts';

/**
 * `patterns.md` F7, cases C24, C25, C31, C50, and C31 run as a child.
 *
 * The world is loaded again with one thing changed: a kind denied by policy, grants expired, an invariant that never holds.
 * The run that it meets ends with that code and a `sys/PlanError@1` that resolves (G3); when that run is a child, the
 * request is settled all the same.
 */
export function denialsGate(world: GateWorld, flows: readonly Flow[], options: GateOptions): GateTally {
  const tally = new GateTally('denials');
  const children = new Set<string>();
  for (const flow of flows) {
    const quiet = driven(world, flow, options, tally);
    const kinds = new Set(quiet.request.sent.map(({ kind }) => kind));
    if (kinds.size === 0) tally.skip(`${flow.name} sends no effect that could be denied`);
    for (const kind of kinds) {
      const caps = new Set(flow.envelope.effects.flatMap((one) => (one.kind === kind ? [one.cap] : [])));
      meet(() => denying(world, kind), flow, options, tally, 'policy_denied', `${kind} denied by policy`);
      meet(() => expiring(world, caps), flow, options, tally, 'cap_denied', `grants of ${kind} expired`);
    }
    for (const plan of new Set(quiet.request.names)) {
      const isRoot = plan === flow.plan;
      const broken = () => demanding(world, plan, NEVER);
      meet(broken, flow, options, tally, 'invariant_violation', `an invariant of ${plan} broken`, plan);
      if (isRoot) continue;
      children.add(plan);
      const input = quiet.inputs.get(plan);
      if (input !== undefined) asChild(world, flow, plan, input, tally);
    }
  }
  if (children.size === 0) tally.skip('no run starts a child: nothing to show of Error{code: invariant_violation}');
  return tally;
}

const NEVER = { op: 'eq', args: [{ nat: 1 }, { nat: 2 }] } as unknown as Json;

interface Driven {
  readonly run: GateRun;
  readonly request: Request;
  /** Of plans that were seen waiting. */
  readonly inputs: ReadonlyMap<string, Value>;
}

function driven(world: GateWorld, flow: Flow, options: GateOptions, tally: GateTally): Driven {
  const run = new GateRun(world.loaded, options, (name, message, hint) => tally.problem(name, message, hint));
  const id = idOf(1);
  run.request(flow, id);
  const request = run.requests.get(id) as Request;
  const inputs = new Map<string, Value>();
  for (let i = 0; i < 500; i++) {
    for (const { name, input } of run.w.instances()) inputs.set(name, input);
    if (driveToEnd(run, request, 'answers', 1).length === 0) break;
  }
  return { run, request, inputs };
}

function meet(
  change: () => GateWorld,
  flow: Flow,
  options: GateOptions,
  tally: GateTally,
  code: string,
  what: string,
  plan?: string,
): void {
  let changed: GateWorld;
  try {
    changed = change();
  } catch (error) {
    if (!(error instanceof ChangeError)) throw error;
    tally.skip(`${what}: the definitions do not allow it (${error.message})`);
    return;
  }
  const { request } = driven(changed, flow, options, tally);
  tally.count(code === 'invariant_violation' ? 'invariants broken' : 'denials');
  const met = request.ends.filter((end) => end.code === code && (plan === undefined || end.plan === plan));
  if (met.length === 0) {
    const ends = request.ends.map((end) => `${end.plan} ${end.code}`).join(', ');
    tally.problem(flow.name, `${what}: no run ended with ${code}; there ended: ${ends}`);
    return;
  }
  if (request.ends.length !== request.plans.length)
    tally.problem(flow.name, `${what}: a run goes on for ever`, waitsHint(request));
  const entry = request.ends.find(({ planId }) => planId === request.plans[0]);
  const isEntry = met.some(({ planId }) => planId === request.plans[0]);
  if (isEntry) return;
  // Only a child met it.
  if (entry?.code !== 'ok')
    tally.problem(flow.name, `${what}: the run that started it ended with ${entry?.code ?? 'nothing'}, not ok`);
  if (flow.settled === undefined) return;
  tally.count('requests settled all the same');
  if (request.settled.length !== 1) {
    tally.problem(
      flow.name,
      `${what}: ${request.settled.length} events ${flow.settled.event}, not one`,
      'branch on Error and Canceled after await_plan, and raise the event there as well',
    );
  }
}

const RESULT = 'gates/Result@1';
const PROBE = 'gates/core_probe@1';

/** A run that starts the plan as its child gets `Error{code: "invariant_violation"}`. */
function asChild(world: GateWorld, flow: Flow, plan: string, input: Value, tally: GateTally): void {
  const def = world.loaded.catalog.plans.get(plan)?.def;
  if (def === undefined) return;
  const ok = def.output === undefined ? { unit: {} } : { ref: def.output };
  const nodes = [
    {
      $kind: 'defschema',
      name: RESULT,
      type: { variant: { Ok: ok, Error: { ref: 'sys/PlanError@1' }, Canceled: { unit: {} } } },
    },
    {
      $kind: 'defplan',
      name: PROBE,
      input: def.input,
      output: RESULT,
      steps: [
        { id: 'run', op: 'spawn_plan', plan, input: { ref: '@plan.input' }, bind: { handle_as: 'child' } },
        { id: 'ran', op: 'await_plan', for: { ref: '@var:child' }, bind: { as: 'out' } },
        { id: 'done', op: 'end', result: { ref: '@var:out' } },
      ],
      edges: [
        { from: 'run', to: 'ran' },
        { from: 'ran', to: 'done' },
      ],
    },
  ] as unknown as readonly Json[];
  let changed: GateWorld;
  try {
    changed = demanding(world, plan, NEVER, nodes, { schemas: [RESULT], plans: [PROBE] });
  } catch (error) {
    if (!(error instanceof ChangeError)) throw error;
    tally.skip(`${plan} as a child of a probe: ${error.message}`);
    return;
  }
  const run = new GateRun(changed.loaded, {}, (name, message, hint) => tally.problem(name, message, hint));
  const id = idOf(1);
  const probe = { ...flow, event: undefined, plan: PROBE, schema: def.input, idPath: undefined, settled: undefined };
  run.request(probe, id, { value: encodeValue(input) });
  // A plan that begins with a wait has completed no step before something comes, so its invariants are not looked at.
  driveToEnd(run, run.requests.get(id) as Request, 'answers');
  const [result] = run.w.records('plan_result').filter((one) => one.plan_name === PROBE);
  const read = result === undefined ? undefined : decode(result.value_cbor);
  const said = textOf(read?.ok === true ? read.value : null);
  tally.count('parents told');
  if (!said.includes('"Error"') || !said.includes('"invariant_violation"'))
    tally.problem(flow.name, `the parent of a run of ${plan} whose invariant broke got ${said}`);
}
