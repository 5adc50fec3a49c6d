import { TemplateError } from './answers.ts';
import { crashGate } from './crash-gate.ts';
import { crossTalkGate } from './cross-talk-gate.ts';
import { denialsGate } from './denials-gate.ts';
import { trial } from './drive.ts';
import { duplicatesGate } from './duplicates-gate.ts';
import { fanOutGate } from './fan-out-gate.ts';
import { type Flow, FlowError } from './flow.ts';
import { GATE_NAMES, type GateName, type GateOptions, type GateReport, GateTally, type GateWorld } from './gate.ts';
import { lateLosersGate } from './late-losers-gate.ts';
import { prepareFlows, startsPlan } from './prepare.ts';
import { replayGate } from './replay-gate.ts';

export interface SuiteReport {
  readonly seed: number;
  readonly flows: readonly Flow[];
  readonly gates: readonly GateReport[];
  /** Plans that no gate says anything about. */
  readonly untried: readonly Untried[];
  readonly passed: boolean;
}

export interface Untried {
  readonly plan: string;
  readonly reason: string;
}

const CONCURRENT = 1_000;
const SEEDS = 10_000;
const SCHEDULES = 20;
const ORDERS = 12;
const KILLS = 200;

/**
 * Runs the conformance gates over a world (`plans.md` §17, `patterns.md` §7 F2–F8). Nothing outside is touched: effects are
 * answered by scripted receipts, and the world of the folder is not opened.
 *
 * @throws FlowError when `gates.json` names what is not there, or what it says does not get a request through.
 */
export async function runGates(world: GateWorld, options: GateOptions = {}): Promise<SuiteReport> {
  const { flows, dropped } = drivableFlows(world);
  const gates: GateReport[] = [];
  for (const gate of GATE_NAMES) {
    if (options.only !== undefined && !options.only.includes(gate)) continue;
    if (options.signal?.aborted === true) break;
    const report = await runGate(gate, world, flows, options);
    gates.push(report);
    options.onReport?.(report);
  }
  return {
    seed: options.seed ?? 1,
    flows,
    gates,
    untried: untriedPlans(world, flows, dropped),
    passed: gates.every(({ verdict }) => verdict !== 'failed'),
  };
}

/**
 * The flows that can be driven, and why others cannot: those that were made up for one trigger of several. One that
 * `gates.json` gives, or that all requests of a schema take, has to work.
 */
function drivableFlows(world: GateWorld): { readonly flows: readonly Flow[]; readonly dropped: readonly Untried[] } {
  const prepared = prepareFlows(world);
  if (prepared.length === 0) throw new FlowError('the world has no plan');
  const isMadeUp = (world.config.flows ?? []).length === 0;
  const flows: Flow[] = [];
  const dropped: Untried[] = [];
  for (const flow of prepared) {
    const reason = troubleWith(world, flow);
    if (reason === undefined) flows.push(flow);
    else if (isMadeUp && flow.event !== undefined && flow.name !== flow.event)
      dropped.push({ plan: flow.plan, reason });
    else throw new FlowError(`${flow.name}: ${reason}`);
  }
  const [first] = dropped;
  if (flows.length === 0 && first !== undefined) throw new FlowError(`${first.plan}: ${first.reason}`);
  return { flows, dropped };
}

/** Plans to which no flow leads: what the gates say is not about them. */
function untriedPlans(world: GateWorld, flows: readonly Flow[], dropped: readonly Untried[]): readonly Untried[] {
  const tried = new Set(flows.flatMap(({ envelope }) => envelope.plans).map(({ plan }) => plan));
  const reasons = new Map(dropped.map(({ plan, reason }) => [plan, reason]));
  return [...world.loaded.catalog.plans.keys()]
    .filter((plan) => !tried.has(plan))
    .map((plan) => ({ plan, reason: reasons.get(plan) ?? 'no request that was tried leads to it' }));
}

async function runGate(
  gate: GateName,
  world: GateWorld,
  drivable: readonly Flow[],
  options: GateOptions,
): Promise<GateReport> {
  const { count } = options;
  const few = (usual: number) => Math.max(1, Math.min(usual, count ?? usual));
  const progress = (done: number, total: number) => options.onProgress?.(gate, done, total);
  let tally: GateTally;
  try {
    tally = await run();
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    tally = new GateTally(gate);
    tally.problem(drivable.map(({ name }) => name).join(', '), error.message, HINT);
  }
  return tally.report(hasTried(tally));

  async function run(): Promise<GateTally> {
    switch (gate) {
      case 'replay':
        return replayGate(world, drivable, options, few(SCHEDULES), progress);
      case 'duplicates':
        return duplicatesGate(world, drivable, options);
      case 'cross-talk':
        return crossTalkGate(world, drivable, options, count ?? CONCURRENT, progress);
      case 'late-losers':
        return lateLosersGate(world, drivable, options, count ?? SEEDS, progress);
      case 'denials':
        return denialsGate(world, drivable, options);
      case 'fan-out':
        return fanOutGate(world, drivable, options, few(ORDERS));
      case 'crash':
        return crashGate(world, drivable, options, few(KILLS), progress);
      default:
        return gate satisfies never;
    }
  }
}

const HINT = 'write a request, receipts and responses into gates.json; "worldline gates --print" shows what was tried';

/** What shows, for each gate, that it had something to try. */
const TRIED: Readonly<Record<GateName, readonly string[]>> = {
  replay: ['schedules'],
  duplicates: ['twins without ingress id'],
  'cross-talk': ['requests at once'],
  'late-losers': ['races', 'races at equal times'],
  denials: ['denials', 'invariants broken'],
  'fan-out': ['barriers'],
  crash: ['kills'],
};

function hasTried(tally: GateTally): boolean {
  return TRIED[tally.gate].some((what) => tally.counted(what) > 0);
}

/** Why a flow cannot be driven; undefined when it can. */
function troubleWith(world: GateWorld, flow: Flow): string | undefined {
  const run = trial(world, flow, 'answers');
  if (run instanceof TemplateError) return run.message;
  const [request] = run.requests.values();
  if (request === undefined || request.plans.length === 0) return 'a request starts no run';
  if (!startsPlan(run, flow)) return 'a request starts other plans only';
  const end = request.ends.find(({ planId }) => planId === request.plans[0]);
  if (end === undefined || end.code === 'ok') return undefined;
  return `a request ends with ${end.code}${end.step === undefined ? '' : ` in step "${end.step}"`} of ${end.plan}, though everything it asks for is answered`;
}
