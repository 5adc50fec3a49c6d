import { type CborValue, decodeCanonical, encode, type Failure, fail, ok, type Result } from '@worldline/canon';
import { isCount, isMap, isText, isTextMap, isU64 } from './wire.ts';

/**
 * World configuration (`kernel.md` §15): a content-addressed object, named by its hash in every `manifest` record.
 * Members carry their wire names, and every one is written, defaults included, so that a later release with other
 * defaults replays the same.
 */
export interface WorldConfig {
  readonly clock: 'wall' | 'virtual';
  readonly engine_profile: string;
  /** Who may send messages to this world, as authored; empty: nobody. */
  readonly fabric_accept: readonly FabricAccept[];
  readonly limits: WorldLimits;
  readonly opaque_state_ok: boolean;
  readonly receipt_verification: 'required' | 'off';
  readonly require_policy: boolean;
  /** Logical time at genesis, ns; without it, the wall clock's. */
  readonly logical_origin?: bigint | undefined;
}

export interface FabricAccept {
  /** `air://…` address, `air://<universe>/*`, or peer name. */
  readonly from: string;
  readonly schemas?: readonly string[] | undefined;
  readonly modes?: readonly ('event' | 'inbox')[] | undefined;
}

/** Part of determinism: only a control ingress changes them. Sizes in bytes. */
export interface WorldLimits {
  /** Translated receipts are exempt. */
  readonly max_event_bytes: number;
  readonly max_params_bytes: number;
  readonly max_receipt_bytes: number;
  /** Per cell. */
  readonly max_state_bytes: number;
  /** Per step or pure call. */
  readonly max_output_bytes: number;
  readonly max_events_per_step: number;
  readonly max_tasks_per_ingress: number;
  readonly max_entries_per_batch: number;
  readonly max_ann_bytes: number;
  readonly max_module_bytes: number;
  /** Pages of 64 KiB. */
  readonly max_memory_pages: number;
  readonly fuel_per_call: number;
  readonly max_js_heap_bytes: number;
  readonly js_interrupts_per_call: number;
  readonly resource_retries: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

const DEFAULT_LIMITS: WorldLimits = {
  max_event_bytes: MIB,
  max_params_bytes: 8 * MIB,
  max_receipt_bytes: 8 * MIB,
  max_state_bytes: 16 * MIB,
  max_output_bytes: 20 * MIB,
  max_events_per_step: 256,
  max_tasks_per_ingress: 100_000,
  max_entries_per_batch: 200_000,
  max_ann_bytes: 64 * KIB,
  max_module_bytes: 16 * MIB,
  max_memory_pages: 4096,
  fuel_per_call: 1_000_000_000,
  max_js_heap_bytes: 64 * MIB,
  js_interrupts_per_call: 20_000,
  resource_retries: 3,
};

/** All defaults of a standalone world. */
export function defaultConfig(): WorldConfig {
  return {
    clock: 'wall',
    engine_profile: '1',
    fabric_accept: [],
    limits: { ...DEFAULT_LIMITS },
    opaque_state_ok: false,
    receipt_verification: 'required',
    require_policy: false,
  };
}

/** `C(config)`; its SHA-256 is the world's `config_hash`. */
export function encodeConfig(config: WorldConfig): Uint8Array {
  return encode({
    clock: config.clock,
    engine_profile: config.engine_profile,
    fabric_accept: config.fabric_accept.map(({ from, schemas, modes }) => ({ from, schemas, modes })),
    limits: { ...config.limits },
    opaque_state_ok: config.opaque_state_ok,
    receipt_verification: config.receipt_verification,
    require_policy: config.require_policy,
    logical_origin: config.logical_origin,
  });
}

const MEMBERS: ReadonlySet<string> = new Set([
  'clock',
  'engine_profile',
  'fabric_accept',
  'limits',
  'opaque_state_ok',
  'receipt_verification',
  'require_policy',
  'logical_origin',
]);
const LIMITS: ReadonlySet<string> = new Set(Object.keys(DEFAULT_LIMITS));
const ACCEPT_MEMBERS: ReadonlySet<string> = new Set(['from', 'schemas', 'modes']);

/**
 * Read a stored config. Unknown members are refused: a release that does not know them would decide otherwise.
 *
 * @returns `config.invalid` with the path of the first member that is not as it must be.
 */
export function decodeConfig(bytes: Uint8Array): Result<WorldConfig> {
  const decoded = decodeCanonical(bytes);
  if (!decoded.ok) return invalid([], decoded.failure.message);
  const config = decoded.value;
  if (!isTextMap(config)) return invalid([], 'expected a map');
  for (const key of Object.keys(config)) if (!MEMBERS.has(key)) return invalid([key], 'unknown member');
  const { clock, engine_profile, fabric_accept, limits, opaque_state_ok, receipt_verification, require_policy } =
    config;
  if (clock !== 'wall' && clock !== 'virtual') return invalid(['clock'], 'expected wall or virtual');
  if (!isText(engine_profile)) return invalid(['engine_profile'], 'expected text');
  if (!Array.isArray(fabric_accept)) return invalid(['fabric_accept'], 'expected a list');
  const accepts: FabricAccept[] = [];
  for (const [i, entry] of (fabric_accept as readonly CborValue[]).entries()) {
    const accept = readAccept(entry);
    if (accept === undefined) return invalid(['fabric_accept', i], 'expected {from, schemas?, modes?}');
    accepts.push(accept);
  }
  if (!isTextMap(limits)) return invalid(['limits'], 'expected a map');
  for (const key of Object.keys(limits)) if (!LIMITS.has(key)) return invalid(['limits', key], 'unknown member');
  for (const key of LIMITS) if (!isCount(limits[key])) return invalid(['limits', key], 'expected a count');
  if (typeof opaque_state_ok !== 'boolean') return invalid(['opaque_state_ok'], 'expected a boolean');
  if (receipt_verification !== 'required' && receipt_verification !== 'off') {
    return invalid(['receipt_verification'], 'expected required or off');
  }
  if (typeof require_policy !== 'boolean') return invalid(['require_policy'], 'expected a boolean');
  const origin = config.logical_origin;
  if (origin !== undefined && !isU64(origin)) return invalid(['logical_origin'], 'expected a time');
  return ok({
    clock,
    engine_profile,
    fabric_accept: accepts,
    limits: { ...(limits as unknown as WorldLimits) },
    opaque_state_ok,
    receipt_verification,
    require_policy,
    ...(origin === undefined ? {} : { logical_origin: BigInt(origin) }),
  });
}

function readAccept(value: CborValue): FabricAccept | undefined {
  if (!isMap(value, ACCEPT_MEMBERS)) return undefined;
  const { from, schemas, modes } = value;
  if (!isText(from)) return undefined;
  if (schemas !== undefined && !(Array.isArray(schemas) && schemas.every(isText))) return undefined;
  if (modes !== undefined && !(Array.isArray(modes) && modes.every((mode) => mode === 'event' || mode === 'inbox'))) {
    return undefined;
  }
  return {
    from,
    ...(schemas === undefined ? {} : { schemas: schemas as string[] }),
    ...(modes === undefined ? {} : { modes: modes as ('event' | 'inbox')[] }),
  };
}

function invalid(
  path: readonly (string | number)[],
  message: string,
): { readonly ok: false; readonly failure: Failure } {
  return fail({ code: 'config.invalid', path, message: `world config: ${message}` });
}
