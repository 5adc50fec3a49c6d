import { type CborValue, decode, encode, fail, ok, type Result } from '@worldline/canon';
import {
  type EffectErrorData,
  type EffectStatus,
  type Ingress,
  ingressDigest,
  type ReceiptData,
} from '@worldline/kernel';

/**
 * What lies in a world's durable inbox (`hosting.md` §5, `docs/formats/inbox-item.md`): one canonical CBOR map per item.
 *
 * I1  A store never looks inside. Whoever enqueues computes the digest of the ingress that the item becomes.
 * I2  Decoding is total: bytes that are no item become an ingress that the kernel refuses, so the cursor moves on.
 */

/** Ingress kinds that may wait in an inbox; genesis and snapshots never do. */
export type InboxIngress = Exclude<Ingress, { kind: 'genesis' | 'snapshot' }>;

export interface InboxEnvelope {
  readonly ingress: InboxIngress;
  readonly dedupeKey?: string | undefined;
  /** Wall clock of whoever enqueued; never world time. */
  readonly enqueuedAtNs: bigint;
}

export interface DecodedItem extends InboxEnvelope {
  /** It has members that this version does not read. */
  readonly saysMore: boolean;
}

export interface EncodedItem {
  readonly item: Uint8Array;
  /** `kernel.md` §3 rule 2, 32 bytes. */
  readonly digest: Uint8Array;
  readonly dedupeKey: string | undefined;
  /** A receipt or timer: a full inbox takes it all the same, and its key is kept (`hosting.md` §7). */
  readonly isDelivery: boolean;
}

/** @returns what `inbox.enqueue` takes. */
export function encodeInboxItem(envelope: InboxEnvelope): EncodedItem {
  const { ingress, dedupeKey, enqueuedAtNs } = envelope;
  const common = {
    kind: ingress.kind,
    ingress_id: ingress.ingressId,
    dedupe_key: dedupeKey,
    enqueued_at_ns: enqueuedAtNs,
  };
  return {
    item: encode({ ...common, ...fieldsOf(ingress) }),
    digest: ingressDigest(ingress),
    dedupeKey,
    isDelivery: ingress.kind === 'receipt' || ingress.kind === 'timer',
  };
}

function fieldsOf(ingress: InboxIngress): { [key: string]: CborValue | undefined } {
  switch (ingress.kind) {
    case 'event':
      return { schema: ingress.schema, value: ingress.value, key: ingress.key };
    case 'inbox':
      return { source: ingress.source, schema: ingress.schema, value: ingress.value, key: ingress.key };
    case 'receipt':
      return receiptFields(ingress.receipt);
    case 'timer':
      return { emission_seq: ingress.emissionSeq };
    case 'plan_start':
      return {
        plan: ingress.plan,
        input: ingress.input,
        correlation: ingress.correlation,
        bind_locals: ingress.bindLocals,
      };
    case 'control':
      return controlFields(ingress);
    default:
      return ingress satisfies never;
  }
}

function controlFields(ingress: Extract<InboxIngress, { kind: 'control' }>): { [key: string]: CborValue | undefined } {
  const { command } = ingress;
  switch (command) {
    case 'plan_cancel':
      return { command, plan_id: ingress.planId, reason: ingress.reason, actor: ingress.actor };
    case 'pin':
      return { command, add: [...ingress.add], remove: [...ingress.remove] };
    case 'manifest':
      return {
        command,
        manifest_hash: ingress.manifestHash,
        manifest_base: ingress.manifestBase,
        patch_hash: ingress.patchHash,
        actor: ingress.actor,
      };
    case 'config':
      return { command, config_hash: ingress.configHash };
    default:
      return command satisfies never;
  }
}

function receiptFields(r: ReceiptData): { [key: string]: CborValue | undefined } {
  return {
    intent_hash: r.intentHash,
    emission_seq: r.emissionSeq,
    adapter_id: r.adapterId,
    status: r.status,
    payload_cbor: r.payloadCbor,
    error: r.error as CborValue | undefined,
    cost_cents: r.costCents,
    signature: r.signature,
  };
}

/**
 * Reads an item.
 *
 * @returns the ingress without `inboxSeq`; a receipt's verdict is empty until the lease holder has judged it. Failure
 *   code `decode_error`.
 */
export function decodeInboxItem(bytes: Uint8Array): Result<DecodedItem> {
  const decoded = decode(bytes);
  if (!decoded.ok) return malformed(decoded.failure.code);
  const item = decoded.value;
  if (
    item === null ||
    typeof item !== 'object' ||
    Array.isArray(item) ||
    item instanceof Uint8Array ||
    item instanceof Map
  ) {
    return malformed('an inbox item is a map');
  }
  const fields = new Fields(item as { readonly [key: string]: CborValue | undefined });
  const kind = fields.text('kind');
  const ingressId = fields.optionalText('ingress_id');
  const dedupeKey = fields.optionalText('dedupe_key');
  const enqueuedAtNs = fields.optionalInteger('enqueued_at_ns') ?? 0n;
  const ingress = readIngress(kind, fields, { ingressId, dedupeKey });
  if (fields.problem !== undefined) return malformed(fields.problem);
  if (ingress === undefined) return malformed(`unknown kind "${kind}"`);
  return ok({ ingress, dedupeKey, enqueuedAtNs, saysMore: fields.hasMore });
}

function readIngress(
  kind: string,
  fields: Fields,
  known: { readonly ingressId: string | undefined; readonly dedupeKey: string | undefined },
): InboxIngress | undefined {
  const { ingressId, dedupeKey } = known;
  switch (kind) {
    case 'event':
      return {
        kind,
        ingressId,
        schema: fields.text('schema'),
        value: fields.bytes('value'),
        key: fields.optionalBytes('key'),
      };
    case 'inbox':
      return {
        kind,
        ingressId,
        source: fields.text('source'),
        schema: fields.text('schema'),
        value: fields.bytes('value'),
        key: fields.optionalBytes('key'),
      };
    case 'receipt':
      return { kind, receipt: readReceipt(fields), verdict: {}, dedupeKey };
    case 'timer':
      return { kind, emissionSeq: fields.seq('emission_seq') };
    case 'plan_start':
      return {
        kind,
        ingressId,
        plan: fields.text('plan'),
        input: fields.bytes('input'),
        correlation: fields.optionalBytes('correlation'),
        bindLocals: fields.optionalBytesMap('bind_locals'),
      };
    case 'control':
      return readControl(fields, ingressId);
    default:
      return undefined;
  }
}

function readControl(fields: Fields, ingressId: string | undefined): InboxIngress | undefined {
  const command = fields.text('command');
  const kind = 'control';
  switch (command) {
    case 'plan_cancel': {
      const planId = fields.seq('plan_id');
      return { kind, command, ingressId, planId, reason: fields.text('reason'), actor: fields.text('actor') };
    }
    case 'pin':
      return { kind, command, ingressId, add: fields.hashes('add'), remove: fields.hashes('remove') };
    case 'manifest':
      return {
        kind,
        command,
        ingressId,
        manifestHash: fields.bytes('manifest_hash'),
        manifestBase: fields.bytes('manifest_base'),
        patchHash: fields.bytes('patch_hash'),
        actor: fields.text('actor'),
      };
    case 'config':
      return { kind, command, ingressId, configHash: fields.bytes('config_hash') };
    default:
      fields.refuse(`unknown command "${command}"`);
      return undefined;
  }
}

function readReceipt(fields: Fields): ReceiptData {
  const status = fields.text('status');
  if (!['ok', 'error', 'timeout'].includes(status)) fields.refuse(`status "${status}"`);
  return {
    intentHash: fields.bytes('intent_hash'),
    emissionSeq: fields.optionalSeq('emission_seq'),
    adapterId: fields.text('adapter_id'),
    status: status as EffectStatus,
    payloadCbor: fields.optionalBytes('payload_cbor'),
    error: fields.optionalError('error'),
    costCents: fields.optionalInteger('cost_cents'),
    signature: fields.bytes('signature'),
  };
}

/** Members of an item by type; the first wrong one is remembered, and reading goes on with a harmless value. */
class Fields {
  problem: string | undefined;
  readonly #item: { readonly [key: string]: CborValue | undefined };
  readonly #read = new Set<string>();

  constructor(item: { readonly [key: string]: CborValue | undefined }) {
    this.#item = item;
  }

  refuse(problem: string): void {
    this.problem ??= problem;
  }

  /** Members that nobody asked for. */
  get hasMore(): boolean {
    return Object.keys(this.#item).some((name) => !this.#read.has(name));
  }

  #get<T>(name: string, kind: string, test: (value: CborValue) => value is CborValue & T, otherwise: T): T {
    this.#read.add(name);
    const value = this.#item[name];
    if (value !== undefined && test(value)) return value;
    this.refuse(`"${name}" must be ${kind}`);
    return otherwise;
  }

  #has(name: string): boolean {
    return this.#item[name] !== undefined;
  }

  text(name: string): string {
    return this.#get<string>(name, 'text', (v) => typeof v === 'string', '');
  }

  optionalText(name: string): string | undefined {
    return this.#has(name) ? this.text(name) : undefined;
  }

  bytes(name: string): Uint8Array {
    return this.#get<Uint8Array>(name, 'bytes', (v) => v instanceof Uint8Array, new Uint8Array(0));
  }

  optionalBytes(name: string): Uint8Array | undefined {
    return this.#has(name) ? this.bytes(name) : undefined;
  }

  seq(name: string): number {
    return this.#get<number>(name, 'a sequence number', isSeq, 0);
  }

  optionalSeq(name: string): number | undefined {
    return this.#has(name) ? this.seq(name) : undefined;
  }

  optionalInteger(name: string): bigint | undefined {
    if (!this.#has(name)) return undefined;
    return BigInt(
      this.#get<number | bigint>(name, 'an integer', (v) => typeof v === 'number' || typeof v === 'bigint', 0),
    );
  }

  hashes(name: string): readonly Uint8Array[] {
    return this.#get<readonly Uint8Array[]>(name, 'a list of hashes', isByteList, []);
  }

  optionalBytesMap(name: string): Readonly<Record<string, Uint8Array>> | undefined {
    if (!this.#has(name)) return undefined;
    return this.#get<Readonly<Record<string, Uint8Array>>>(name, 'a map of bytes', isByteMap, {});
  }

  optionalError(name: string): EffectErrorData | undefined {
    if (!this.#has(name)) return undefined;
    return this.#get<EffectErrorData>(name, 'an effect error', isEffectError, {
      code: '',
      message: '',
      retryable: null,
      detail_ref: null,
    });
  }
}

function isSeq(value: CborValue): value is number {
  return typeof value === 'number' && value >= 0;
}

function isByteList(value: CborValue): value is CborValue & readonly Uint8Array[] {
  return Array.isArray(value) && value.every((v) => v instanceof Uint8Array);
}

function isPlainMap(value: CborValue): value is { readonly [key: string]: CborValue | undefined } {
  return (
    value !== null &&
    typeof value === 'object' &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Map)
  );
}

function isByteMap(value: CborValue): value is CborValue & Readonly<Record<string, Uint8Array>> {
  return isPlainMap(value) && Object.values(value).every((v) => v instanceof Uint8Array);
}

function isEffectError(value: CborValue): value is CborValue & EffectErrorData {
  if (!isPlainMap(value) || Object.keys(value).length !== 4) return false;
  const { code, message, retryable, detail_ref } = value;
  return (
    typeof code === 'string' &&
    typeof message === 'string' &&
    (retryable === null || typeof retryable === 'boolean') &&
    (detail_ref === null || typeof detail_ref === 'string')
  );
}

function malformed(message: string): Result<never> {
  return fail({ code: 'decode_error', path: [], message: `inbox item: ${message}` });
}
