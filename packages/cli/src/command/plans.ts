import { isJsonObject, type Json, memberNames } from '@worldline/air';
import { decode } from '@worldline/canon';
import type { Given, PlanStartRequest } from '@worldline/host';
import type { PlanEnded } from '@worldline/kernel';
import { typedJson } from '@worldline/summary';
import { ingressId, operator, type Settled, submitting } from '../access.ts';
import { confirm } from '../confirm.ts';
import type { Context } from '../context.ts';
import { stop } from '../failure.ts';
import { readJson } from '../input.ts';
import { type Data, printable, table } from '../output.ts';
import { Reader, reading, requireIdentity } from '../reader.ts';
import { brief } from '../record-view.ts';
import { endedRun, liveRun, type RunView, runJson, stepStates, waitsText, waitText } from '../run-view.ts';

export interface StartFlags {
  readonly correlation?: string;
  readonly bind?: string;
  readonly idempotencyKey?: string;
  readonly wait: 'accepted' | 'applied' | 'settled' | 'ended';
}

/** `worldline plans start`. */
export async function startPlan(ctx: Context, plan: string, input: string, flags: StartFlags): Promise<void> {
  const request: PlanStartRequest = {
    plan,
    input: { json: readJson(input, '<input>', ctx.cwd) },
    correlation:
      flags.correlation === undefined ? undefined : { json: readJson(flags.correlation, '--correlation', ctx.cwd) },
    bindLocals: flags.bind === undefined ? undefined : readBind(readJson(flags.bind, '--bind', ctx.cwd)),
    ingressId: ingressId(flags.idempotencyKey),
  };
  await submitting(ctx, async (access) => {
    const answer = await access.submit({ kind: 'plan', request }, flags.wait === 'accepted' ? 'accepted' : 'applied');
    if (answer.state === 'accepted') {
      ctx.out.answer(['accepted'], { ingress_id: answer.ingressId });
      return;
    }
    const { planId, firstSeq, lastSeq, duplicate } = answer;
    const data = { plan_id: planId, first_seq: firstSeq, last_seq: lastSeq, duplicate };
    if (duplicate) ctx.out.notice('this start was submitted before; this is its first answer');
    if (flags.wait !== 'ended' || planId === undefined) {
      ctx.out.answer([String(planId)], data, await access.meta());
      return;
    }
    const run = await access.ended(planId, firstSeq);
    ctx.out.answer(
      [
        `${planId} ${run.status}${run.error_code === undefined ? '' : ` [${run.error_code}] ${printable(run.message ?? '')}`}`,
      ],
      { ...data, run: await endedJson(run, access) },
      await access.meta(),
    );
  });
}

async function endedJson(ended: PlanEnded, access: Settled): Promise<Data> {
  return { ...runJson(endedRun(ended, await access.height())) };
}

function readBind(json: Json): Readonly<Record<string, Given>> {
  if (!isJsonObject(json)) return stop('invalid_request', '--bind must be an object: {"name": value, …}');
  return Object.fromEntries(memberNames(json).map((name) => [name, { json: json[name]! }]));
}

export interface ListFlags {
  readonly live?: boolean;
  readonly plan?: string;
  readonly limit: number;
}

/** `worldline plans ls`: live runs from the state, ended ones from the journal backwards. */
export async function listPlans(ctx: Context, flags: ListFlags): Promise<void> {
  await reading(ctx, async (reader) => {
    const kernel = await reader.kernel();
    const wanted = (name: string) => flags.plan === undefined || name === flags.plan;
    const runs: RunView[] = [];
    for (const instance of kernel.instances()) if (wanted(instance.name)) runs.push(liveRun(instance, kernel));
    if (flags.live !== true) {
      let ended = 0;
      for await (const { seq, record } of reader.entriesBackwards()) {
        if (ended >= flags.limit) break;
        if (record.record_kind !== 'plan_ended' || !wanted(record.plan_name)) continue;
        runs.push(endedRun(record, seq));
        ended++;
      }
    }
    const newest = runs.sort((a, b) => b.planId - a.planId);
    const shown = newest.slice(0, flags.limit);
    if (newest.length > shown.length) ctx.out.notice(`only the newest ${flags.limit} runs are shown; see --limit`);
    ctx.out.answer(
      table(
        ['ID', 'PLAN', 'STATUS', 'CORRELATION', 'WAITS'],
        shown.map((run) => [
          run.planId,
          run.plan,
          run.errorCode === undefined ? run.status : `${run.status} ${run.errorCode}`,
          run.correlation === undefined ? '' : brief(run.correlation, 40),
          waitsText(run.waits),
        ]),
      ),
      { plans: shown.map(runJson) },
      await reader.meta(),
    );
  });
}

/** `worldline plans get <id>`. */
export async function getPlan(ctx: Context, id: number): Promise<void> {
  await reading(ctx, async (reader) => {
    const kernel = await reader.kernel();
    if (id >= kernel.nextPlanId) unknown(id);
    const instance = kernel.instance(id);
    if (instance !== undefined) {
      const run = liveRun(instance, kernel);
      const steps = stepStates(instance, kernel);
      ctx.out.answer(
        [
          ...head(run),
          '',
          ...table(
            ['STEP', 'OP', 'STATE'],
            steps.map((step) => [step.id, step.op, step.state]),
          ),
        ],
        { ...runJson(run), steps: steps.map((step) => ({ ...step })) },
        await reader.meta(),
      );
      return;
    }
    const { run, result, cause } = await endedDetails(reader, id);
    ctx.out.answer(
      [
        ...head(run),
        ...(result === undefined ? [] : [`result       ${brief(result, 2_000)}`]),
        ...(cause === undefined ? [] : [`error        ${brief(cause, 2_000)}`]),
      ],
      {
        ...runJson(run),
        ...(result === undefined ? {} : { result }),
        ...(cause === undefined ? {} : { error: cause }),
      },
      await reader.meta(),
    );
  });
}

function unknown(id: number): never {
  return stop('not_found', `there is no plan ${id} in this world`, { hint: '"worldline plans ls" shows them' });
}

/** Of a barrier over a thousand children the first ones are enough; `--json` has all. */
const WAITS_SHOWN = 20;

function head(run: RunView): string[] {
  const lines = [
    ['plan', run.plan],
    ['status', run.errorCode === undefined ? run.status : `${run.status} [${run.errorCode}] ${run.message ?? ''}`],
    ['started', `#${run.startedSeq}`],
    ...(run.endedSeq === undefined ? [] : [['ended', `#${run.endedSeq}`]]),
    ...(run.step === undefined ? [] : [['at step', run.step]]),
    ...(run.correlation === undefined ? [] : [['correlation', brief(run.correlation)]]),
    ...run.waits.slice(0, WAITS_SHOWN).map((wait) => ['waits for', `${waitText(wait)} at step ${wait.step}`]),
    ...(run.waits.length > WAITS_SHOWN ? [['waits for', `${run.waits.length - WAITS_SHOWN} more`]] : []),
    ...(run.status === 'ok' ? [] : [['why', `worldline trace-diagnose --plan ${run.planId}`]]),
  ];
  return lines.map(([name, text]) => `${name!.padEnd(12)} ${printable(text!)}`);
}

async function endedDetails(
  reader: Reader,
  id: number,
): Promise<{ readonly run: RunView; readonly result: Json | undefined; readonly cause: Json | undefined }> {
  let result: Json | undefined;
  for await (const { seq, record } of reader.entriesBackwards()) {
    // `plan_result` stands directly behind `plan_ended`, so backwards it comes first.
    if (record.record_kind === 'plan_result' && record.plan_id === id) {
      const catalog = await reader.catalog();
      result = typedJson(record.value_cbor, catalog.scope.lookup(record.output_schema), catalog);
    }
    if (record.record_kind !== 'plan_ended' || record.plan_id !== id) continue;
    const started = await reader.recordAt(record.started_seq);
    const run = endedRun(record, seq, started?.record_kind === 'plan_started' ? started : undefined);
    const stored = record.result_ref === undefined ? undefined : reader.object(record.result_ref);
    const decoded = stored === undefined ? undefined : decode(stored);
    return { run, result, cause: decoded?.ok === true ? (decoded.value as Json) : undefined };
  }
  return unknown(id);
}

/** `worldline plans cancel <id>`. */
export async function cancelPlan(
  ctx: Context,
  id: number,
  flags: { readonly reason: string; readonly yes?: boolean },
): Promise<void> {
  if (flags.yes !== true)
    await confirm(
      ctx,
      `Cancel plan ${id}? Requests already sent are not taken back.`,
      'cancelling a run cannot be undone',
    );
  await submitting(ctx, async (access) => {
    const reader = await Reader.over(access.store, (await requireIdentity(ctx)).world_id);
    // The kernel knows live runs only; whether this one ever was is for the journal to say.
    if (id >= (await reader.kernel()).nextPlanId) unknown(id);
    const answer = await access.submit(
      { kind: 'cancel', request: { planId: id, reason: flags.reason, actor: operator() } },
      'applied',
    );
    if (answer.state === 'accepted') ctx.out.answer(['accepted'], { ingress_id: answer.ingressId });
    else ctx.out.answer(['cancelled'], { first_seq: answer.firstSeq, last_seq: answer.lastSeq }, await access.meta());
  });
}
