import type { IntentOrigin } from '@worldline/kernel';
import { armsDeadline, holdsTimedOut } from './evidence.ts';
import { atStep, type Reason, runPath, runText, type Scene, startedFor } from './reason.ts';
import type { TraceEntry } from './trace.ts';

/**
 * Runs that ended with `TimedOut` (`patterns.md` R6), or that raised an event which says so; of one that its parents pass on,
 * the run that had the deadline.
 */
export function deadlinesWon(scene: Scene): readonly Reason[] {
  const { entries } = scene.trace;
  const seen = new Set<number>();
  const found = entries.flatMap((entry): Reason[] => {
    const run = timedOutRun(entry);
    if (run === undefined || seen.has(run.planId)) return [];
    seen.add(run.planId);
    const { planId, plan, told, shows } = run;
    const armed = entries.find(
      ({ record }) =>
        record.record_kind === 'effect_intent' &&
        record.origin.origin_kind === 'plan' &&
        record.origin.plan_id === planId &&
        armsDeadline(record),
    );
    const rang =
      armed &&
      entries.find(({ record, causeSeq }) => record.record_kind === 'effect_receipt' && causeSeq === armed.seq);
    const own = armed !== undefined && rang !== undefined && rang.seq < entry.seq ? { armed, rang } : undefined;
    const step = own?.armed.record.record_kind === 'effect_intent' ? stepOf(own.armed.record.origin) : undefined;
    const runs = runPath(scene, planId, plan, step);
    const name = runText(runs.at(-1)!);
    return [
      {
        code: 'deadline_won',
        text: `${own !== undefined ? `the deadline of ${name}${atStep(step)} came before what it waited for, and it ${told}` : `${name} ${told}: a deadline came before what was waited for`}${startedFor(runs)}`,
        hint: `find out what kept the answer that ${plan} waited for, or give it a later deadline`,
        runs,
        facts: own === undefined ? {} : { armed_ns: String(own.armed.atNs) },
        evidence: [...(own === undefined ? [] : [own.armed.seq, own.rang.seq]), ...shows],
      },
    ];
  });
  const above = new Set(found.flatMap(({ runs }) => runs.slice(0, -1).map(({ planId }) => planId)));
  return found.filter(({ runs }) => !above.has(runs.at(-1)!.planId));
}

interface TimedOutRun {
  readonly planId: number;
  readonly plan: string;
  readonly told: string;
  readonly shows: readonly number[];
}

/** The run that this record shows to have taken a deadline branch (`summaries.md` §3.1). */
function timedOutRun({ seq, record }: TraceEntry): TimedOutRun | undefined {
  if (record.record_kind === 'plan_result' && holdsTimedOut(record.value_cbor)) {
    const { plan_id: planId, plan_name: plan } = record;
    return { planId, plan, told: `ended with TimedOut at #${seq - 1}`, shows: [seq - 1, seq] };
  }
  if (record.record_kind !== 'domain_event' || record.origin !== 'plan' || record.plan_id === undefined)
    return undefined;
  if (!holdsTimedOut(record.value)) return undefined;
  const { plan_id: planId, origin_name: plan = '' } = record;
  return { planId, plan, told: `raised ${record.schema} with TimedOut at #${seq}`, shows: [seq] };
}

function stepOf(origin: IntentOrigin): string | undefined {
  return origin.origin_kind === 'plan' ? origin.step_id : undefined;
}
