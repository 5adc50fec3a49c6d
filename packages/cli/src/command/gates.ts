import { useNativeSha256 } from '@worldline/host';
import {
  FlowError,
  flowConfig,
  GATE_NAMES,
  GATES,
  type GateName,
  type GateReport,
  prepareFlows,
  runGates,
  type SuiteReport,
} from '@worldline/testkit/gates';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { stop } from '../failure.ts';
import { readGateWorld } from '../gate-world.ts';
import { type Data, printable, table, toJson } from '../output.ts';

export interface GatesFlags {
  readonly only?: string;
  readonly seed?: number;
  readonly count?: number;
  readonly gates?: string;
  readonly print?: boolean;
}

/** `worldline gates`: the conformance gates over a world folder. Opens no world and sends nothing. */
export async function gates(ctx: Context, flags: GatesFlags): Promise<void> {
  useNativeSha256();
  const only = names(flags.only);
  const { count, seed = 1 } = flags;
  if (count === 0) stop('invalid_request', '--count is at least 1');
  const world = await readGateWorld(ctx, flags.gates);
  try {
    if (flags.print === true) {
      const config = { flows: prepareFlows(world).map(flowConfig) } as unknown as Data;
      ctx.out.answer(toJson(config, true).split('\n').map(printable), config);
      return;
    }
    const bar = ctx.out.transient();
    const report = await runGates(world, {
      only,
      seed,
      count,
      signal: ctx.interrupted,
      onProgress: (gate, done, total) => bar.show(`${gate} ${done}/${total}`),
      onReport: () => bar.end(),
    });
    bar.end();
    if (ctx.interrupted.aborted) stop('interrupted', 'interrupted');
    ctx.out.answer(render(ctx, report), data(report));
    if (!report.passed) process.exitCode = EXIT.check;
  } catch (error) {
    if (!(error instanceof FlowError)) throw error;
    stop('gates.flow', error.message, {
      hint:
        world.loaded.catalog.plans.size === 0
          ? 'list a plan in the manifest'
          : 'say in gates.json what requests, receipts and responses look like; "worldline gates --print" shows what was tried',
    });
  }
}

function names(list: string | undefined): readonly GateName[] | undefined {
  if (list === undefined) return undefined;
  const wanted = list.split(',').map((name) => name.trim());
  for (const name of wanted) {
    if (!GATE_NAMES.includes(name as GateName))
      stop('invalid_request', `there is no gate "${name}"`, { hint: `there are ${GATE_NAMES.join(', ')}` });
  }
  return wanted as readonly GateName[];
}

const VERDICTS = { passed: 'passed', failed: 'FAILED', not_applicable: 'not applicable' } as const;

function render(ctx: Context, report: SuiteReport): string[] {
  const { out } = ctx;
  const rows = report.gates.map(({ gate, verdict, what }) => [gate, VERDICTS[verdict], what]);
  const lines = table(['GATE', 'VERDICT', 'TRIED'], rows).map((line, i) => {
    const verdict = report.gates[i - 1]?.verdict;
    return verdict === 'failed' ? out.style('red', line) : verdict === 'not_applicable' ? out.style('dim', line) : line;
  });
  const notes = report.gates.flatMap((gate) =>
    gate.verdict === 'not_applicable'
      ? []
      : gate.notApplicable.map((reason) => `${gate.gate}: not applicable: ${reason}`),
  );
  const failed = report.gates.filter(({ verdict }) => verdict === 'failed');
  return [
    ...lines,
    ...(notes.length === 0 ? [] : ['', ...notes.map((note) => out.style('dim', printable(note)))]),
    ...failed.flatMap((gate) => ['', ...problems(ctx, gate)]),
    ...untried(ctx, report),
    '',
    failed.length === 0
      ? `${out.style('bold', 'all gates passed')}, seed ${report.seed}`
      : `${failed.length} of ${report.gates.length} gates failed, seed ${report.seed}`,
  ];
}

/** Plans that the verdicts say nothing about. */
function untried(ctx: Context, { untried: plans }: SuiteReport): string[] {
  if (plans.length === 0) return [];
  return [
    '',
    ...plans.map(({ plan, reason }) => ctx.out.style('yellow', printable(`not tried: ${plan}: ${reason}`))),
    `${ctx.out.style('cyan', 'hint')}: say in gates.json what starts ${plans.length === 1 ? 'it' : 'them'}: "worldline gates --print" shows how that looks`,
  ];
}

function problems(ctx: Context, { gate, problems: found, problemCount }: GateReport): string[] {
  const { out } = ctx;
  return [
    `${out.style('red', gate)}: ${GATES[gate]}`,
    ...found.flatMap(({ flow, message, hint }) => [
      `  ${printable(flow)}: ${printable(message)}`,
      ...(hint === undefined ? [] : [`    ${out.style('cyan', 'hint')}: ${printable(hint)}`]),
    ]),
    ...(problemCount > found.length ? [`  and ${problemCount - found.length} more`] : []),
  ];
}

function data(report: SuiteReport): Data {
  return {
    passed: report.passed,
    seed: report.seed,
    untried: report.untried.map(({ plan, reason }) => ({ plan, reason })),
    flows: report.flows.map(({ name, plan, settled }) => ({
      name,
      plan,
      ...(settled === undefined ? {} : { settled: settled.event }),
    })),
    gates: report.gates.map(({ gate, verdict, counts, problems: found, problemCount, notApplicable }) => ({
      gate,
      promise: GATES[gate],
      verdict,
      counts,
      problem_count: problemCount,
      problems: found.map(({ flow, message, hint }) => ({ flow, message, ...(hint === undefined ? {} : { hint }) })),
      not_applicable: notApplicable,
    })),
  };
}
