import { type Json, normalizeCbor, recordedParamsSchema, secretRefs } from '@worldline/air';
import { decode, hashText } from '@worldline/canon';
import type { EffectIntent, EffectReceipt } from '@worldline/kernel';
import { type FailedEffect, failureHint } from './failure-hints.ts';
import {
  atStep,
  catalogOf,
  entryAt,
  type Reason,
  type ReasonCode,
  type RunPlace,
  runPath,
  runText,
  type Scene,
  startedFor,
} from './reason.ts';
import type { TraceEntry } from './trace.ts';

/** Why an effect failed, from its receipt. */

export function receiptReason(scene: Scene, entry: TraceEntry, receipt: EffectReceipt): Reason {
  const intentEntry = entryAt(scene.trace, entry.causeSeq);
  const intent = intentEntry?.record.record_kind === 'effect_intent' ? intentEntry.record : undefined;
  const { origin } = intent ?? {};
  const runs: readonly RunPlace[] =
    origin?.origin_kind === 'plan' ? runPath(scene, origin.plan_id, origin.name, origin.step_id) : [];
  const error = receipt.error;
  const code = codeOf(receipt);
  const kind = intent?.kind ?? 'the effect';
  const of = runs.length > 0 ? `${runText(runs.at(-1)!)}${atStep(runs.at(-1)!.step)}` : (origin?.name ?? 'somebody');
  const secrets = code === 'secret_unavailable' && intent !== undefined ? secretsIn(scene, intentEntry!, intent) : [];
  const short = hashText(receipt.intent_hash).slice(0, 19);
  const said = error === undefined ? receipt.status : `${error.code}: ${error.message}`;
  const message = intent?.kind.startsWith('fabric.send') === true ? messageOf(intent) : {};
  const told = textsOf(code, { kind, of, said, short, receipt, secrets, ...message });
  const after = consequence(scene, entry, runs.at(-1));
  return {
    code,
    text: `${told.text}${after.text}${startedFor(runs)}`,
    hint: told.hint,
    runs,
    facts: {
      effect_kind: kind,
      adapter: receipt.adapter_id,
      status: receipt.status,
      ...(error === undefined ? {} : { error_code: error.code, message: error.message }),
      ...(error?.retryable === null || error === undefined ? {} : { retryable: error.retryable }),
      ...(message.world === undefined ? {} : { dest_world: message.world }),
      ...(message.schema === undefined ? {} : { schema: message.schema }),
      ...(secrets.length === 0 ? {} : { secrets: secrets as readonly Json[] as Json }),
    },
    evidence: [...(intentEntry === undefined ? [] : [intentEntry.seq]), entry.seq, ...after.evidence],
    intentHash: receipt.intent_hash,
  };
}

function codeOf({ status, error }: EffectReceipt): ReasonCode {
  if (error?.code.startsWith('secret.') === true) return 'secret_unavailable';
  if (error?.code === 'delivery.unknown') return 'delivery_unknown';
  if (error?.code === 'delivery.exhausted') return 'delivery_exhausted';
  if (error?.code === 'adapter.missing') return 'adapter_missing';
  return status === 'timeout' ? 'effect_timed_out' : 'effect_failed';
}

interface Told extends FailedEffect {
  readonly of: string;
  readonly said: string;
  readonly short: string;
  readonly receipt: EffectReceipt;
  readonly secrets: readonly { readonly secret: string; readonly binding?: string }[];
}

function textsOf(code: ReasonCode, told: Told): { readonly text: string; readonly hint: string } {
  const { kind, of, said, short, receipt, secrets, world } = told;
  const get = `"worldline effects get ${short}" shows what was asked and answered`;
  switch (code) {
    case 'secret_unavailable': {
      const names = secrets.map(({ secret, binding }) => `${secret}${binding === undefined ? '' : ` (${binding})`}`);
      return {
        text: `${kind} of ${of} was not sent, because a secret cannot be used: ${said}${names.length === 0 ? '' : `; it needs ${names.join(', ')}`}`,
        hint: `give ${names.length === 0 ? 'the secret' : names.join(' and ')} its value where its binding looks for it; "worldline doctor" names those without`,
      };
    }
    case 'delivery_unknown':
      return {
        text: `${kind} of ${of} had begun when the process ended, so nobody knows whether it happened`,
        hint: `ask the other side whether it happened, then go on from "worldline effects get ${short}"; an idempotency key makes such a call repeatable`,
      };
    case 'delivery_exhausted':
      return {
        text: `${kind} of ${of} was given up: ${said}`,
        hint: `find out what ends the process while it performs ${kind}; ${get}`,
      };
    case 'adapter_missing':
      return {
        text: `no adapter performs ${kind}, which ${of} asked for`,
        hint: `add an adapter for ${kind} to "adapters" of worldline.host.json and restart; "worldline status" shows kinds without one`,
      };
    case 'effect_timed_out':
      return {
        text: `${kind} of ${of} took longer than the time limit of ${receipt.adapter_id}`,
        hint: `raise the time limit in worldline.host.json, or ask for less; ${get}`,
      };
    default:
      return {
        text: `${receipt.adapter_id} answered ${kind}${world === undefined ? '' : ` to ${world}`} of ${of} with ${said}`,
        hint: `${failureHint(receipt.error?.code ?? '', told) ?? (receipt.error?.retryable === true ? 'it may work when it is asked for again' : 'it will fail again as it stands')}; ${get}`,
      };
  }
}

/** Where a message was to go: typed ones are recorded as `fabric.send` too (`kernel.md` §9.2). */
function messageOf(intent: EffectIntent): { readonly world?: string; readonly schema?: string } {
  const decoded = decode(intent.params_cbor);
  if (!decoded.ok) return {};
  const { dest_world: world, schema } = decoded.value as { readonly [key: string]: unknown };
  return {
    ...(typeof world === 'string' ? { world } : {}),
    ...(typeof schema === 'string' ? { schema } : {}),
  };
}

/** What became of the run that asked. */
function consequence(
  scene: Scene,
  entry: TraceEntry,
  run: RunPlace | undefined,
): { readonly text: string; readonly evidence: readonly number[] } {
  if (run === undefined) return { text: '', evidence: [] };
  for (const { seq, record } of scene.trace.entries) {
    if (seq <= entry.seq || record.record_kind !== 'plan_ended' || record.plan_id !== run.planId) continue;
    return {
      text:
        record.status === 'ok'
          ? '; the run dealt with that and ended ok'
          : `; the run then ended with ${record.error_code}${atStep(record.step_id)}`,
      evidence: [seq],
    };
  }
  return { text: '', evidence: [] };
}

/** The secrets that the effect refers to, found by schema. */
function secretsIn(scene: Scene, entry: TraceEntry, intent: EffectIntent): Told['secrets'] {
  const catalog = catalogOf(scene.live, entry.activeManifest) ?? scene.live.catalog;
  const effect = catalog.effects.get(intent.kind)?.def;
  if (effect === undefined) return [];
  const type = { kind: 'ref', name: recordedParamsSchema(effect) } as const;
  const read = normalizeCbor(intent.params_cbor, type, catalog.scope, type.name);
  if (!read.ok) return [];
  return secretRefs(read.value.value, type, catalog.scope).map(({ alias, version }) => {
    const def = catalog.secrets.find((one) => one.alias === alias && BigInt(one.version) === version);
    return { secret: `${alias}@${version}`, ...(def === undefined ? {} : { binding: def.bindingId }) };
  });
}
