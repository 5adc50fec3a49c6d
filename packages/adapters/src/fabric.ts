import type { CborValue } from '@worldline/canon';
import type {
  AdapterCtx,
  EffectAdapter,
  EffectOutcome,
  EffectRequest,
  FabricMessage,
  FabricPeer,
} from '@worldline/ports';

/**
 * Effect `fabric.send` and its typed variants (`host.md` §5.7): a message to another world. The intent hash is the
 * message id, so a repeat of any kind is the same message, and the destination keeps one.
 */
export interface FabricAdapterOptions {
  /** Configured destinations by name (`fabric.peers`). */
  readonly peers: ReadonlyMap<string, FabricPeer>;
  /** `fabric.max_bytes`, default 1 MiB: largest value of a message. */
  readonly maxBytes?: number | undefined;
  /** All attempts of one message, default 30 000 ms. */
  readonly timeoutMs?: number | undefined;
}

export const FABRIC_ADAPTER_ID = 'host.fabric';

/** 1 MiB. */
export const MESSAGE_BYTES_MAX = 1024 * 1024;

export function fabricAdapter(options: FabricAdapterOptions): EffectAdapter {
  return {
    id: FABRIC_ADAPTER_ID,
    // What a typed variant sends is recorded as params of `fabric.send` (`kernel.md` §9.2).
    kinds: ['fabric.send', 'fabric.send.*'],
    timeoutMs: options.timeoutMs ?? 30_000,
    classify: () => 'keyed',
    execute: (request, ctx) => send(options, request, ctx),
    async stop() {
      await Promise.all([...options.peers.values()].map((peer) => peer.close?.()));
    },
  };
}

/** `sys/FabricSendParams@1` in the form of `EffectRequest.params`. */
interface SendParams {
  readonly dest_world: string;
  readonly schema: string;
  readonly value:
    | { readonly $tag: 'cbor'; readonly $value: Uint8Array }
    | { readonly $tag: 'blob_ref'; readonly $value: string };
  readonly key: Uint8Array | null;
  readonly correlation_id: string | null;
  readonly mode: string | null;
}

async function send(options: FabricAdapterOptions, request: EffectRequest, ctx: AdapterCtx): Promise<EffectOutcome> {
  const params = request.params as unknown as SendParams;
  const { dest_world, schema, key, correlation_id } = params;
  const mode = params.mode ?? 'event';
  if (mode !== 'event' && mode !== 'inbox') return failed('fabric.refused', `there is no mode "${mode}"`);
  const peer = options.peers.get(dest_world);
  if (peer === undefined)
    return failed('fabric.peer_unknown', `no peer "${dest_world}" is configured (fabric.peers of worldline.host.json)`);
  const value = await readValue(params, bytesMax(options, request), ctx);
  if ('status' in value) return value;
  const message: FabricMessage = {
    messageId: request.intentHash,
    fromWorld: request.worldId,
    schema,
    typeHash: mode === 'event' ? ctx.typeHash(schema) : undefined,
    value: value.bytes,
    key: key ?? undefined,
    correlationId: correlation_id ?? undefined,
    mode,
  };
  const delivered = await peer.deliver(message, ctx.signal);
  if (!delivered.ok) {
    const { code, message: why, retryable } = delivered.failure;
    return failed(code, why, retryable);
  }
  const { seq, duplicate } = delivered.value;
  return { status: 'ok', payload: { message_id: request.intentHash, dest_world, enqueued_seq: seq, duplicate } };
}

/** What the host allows, or the grant where that is less; the gate judged inline values only (`builtins.md` §6.2). */
function bytesMax({ maxBytes = MESSAGE_BYTES_MAX }: FabricAdapterOptions, { grant }: EffectRequest): number {
  const { max_bytes } = (grant.params ?? {}) as { readonly max_bytes?: CborValue };
  const granted = typeof max_bytes === 'number' || typeof max_bytes === 'bigint' ? Number(max_bytes) : maxBytes;
  return Math.min(maxBytes, granted);
}

async function readValue(
  { value }: SendParams,
  maxBytes: number,
  ctx: AdapterCtx,
): Promise<{ readonly bytes: Uint8Array } | EffectOutcome> {
  const tooLarge = (size: string) =>
    failed('fabric.too_large', `the message has ${size} bytes, at most ${maxBytes} are allowed`);
  if (value.$tag === 'cbor')
    return value.$value.length > maxBytes ? tooLarge(String(value.$value.length)) : { bytes: value.$value };
  const blob = await ctx.blobs.get(value.$value, { maxBytes });
  if (blob.ok) return { bytes: blob.value };
  const { code, message } = blob.failure;
  return code === 'blob.too_large' ? tooLarge('more') : failed(code, message, code === 'blob.unavailable');
}

function failed(code: string, message: string, retryable?: boolean): EffectOutcome {
  return { status: 'error', error: { code, message, retryable } };
}
