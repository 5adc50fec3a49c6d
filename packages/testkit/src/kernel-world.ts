import {
  type CompiledPatch,
  encodeValue,
  type Json,
  type Loaded,
  type LoadOptions,
  loadAuthored,
  normalizeCbor,
  readLiteral,
  toSugar,
} from '@worldline/air';
import {
  bytesEqual,
  type CborValue,
  encode,
  FailureError,
  hashText,
  sha256,
  sha512,
  toHex,
  u64be,
  unwrap,
} from '@worldline/canon';
import {
  type Applied,
  defaultConfig,
  type Emission,
  encodeConfig,
  type Ingress,
  type Instance,
  type JournalRecord,
  Kernel,
  type ReceiptData,
  type RecordedBatch,
  type RecordKind,
  replayGenesis,
  restore,
  type StampProposal,
  type WorldConfig,
} from '@worldline/kernel';

/**
 * A kernel over plain memory: no host, no store, no time but what the test says.
 *
 * It keeps every batch and the digest after it, so `checkParity` can compare the live state with every prefix replayed
 * from genesis and with every baseline restored (`plans.md` §15, P4–P5).
 */
export class KernelWorld {
  kernel: Kernel;
  readonly loaded: Loaded;
  /** How far both clocks move before each input; 0 for inputs at one and the same time. */
  tickNs = 1_000_000n;
  readonly #objects = new Map<string, Uint8Array>();
  readonly #batches: RecordedBatch[] = [];
  readonly #records: { readonly seq: number; readonly record: JournalRecord }[] = [];
  /** Digest after each batch. */
  readonly #digests: Uint8Array[] = [];
  readonly #baselines: { readonly ref: Uint8Array; readonly height: number }[] = [];
  #nowNs: bigint;
  #logicalNs: bigint;
  #draws = 0;
  #lastBatchAt = 0;
  readonly #residentMax: number | undefined;
  readonly #keepsDigests: boolean;

  private constructor(loaded: Loaded, config: WorldConfig, residentMax: number | undefined, keepsDigests: boolean) {
    this.#residentMax = residentMax;
    this.#keepsDigests = keepsDigests;
    this.loaded = loaded;
    this.#nowNs = 1_700_000_000_000_000_000n;
    this.#logicalNs = config.logical_origin ?? this.#nowNs;
    for (const { hash, bytes } of loaded.objects) this.#objects.set(toHex(hash), bytes);
    const configBytes = encodeConfig(config);
    this.#objects.set(toHex(sha256(configBytes)), configBytes);
    const genesis = Kernel.genesis(
      { objects: this.#source, epoch: 1, residentMax },
      { kind: 'genesis', manifestHash: loaded.catalog.manifestHash, configHash: sha256(configBytes) },
      this.#stamp(),
    );
    if (!genesis.ok) throw new FailureError(genesis.failure[0]!);
    this.kernel = genesis.value.kernel;
    this.#keep(genesis.value.applied);
    this.snapshot();
  }

  /**
   * @param nodes - definition nodes and one manifest, as an author writes them.
   * @param options - `staticTypes: false` for a manifest that only a world from before the checker can have.
   * @throws FailureError with the first diagnostic when they do not load.
   */
  static create(
    nodes: readonly unknown[],
    config: Partial<WorldConfig> = {},
    residentMax?: number,
    options?: LoadOptions,
  ): KernelWorld {
    const loaded = loadAuthored([{ path: 'air/world.air.json', text: JSON.stringify(nodes) }], options);
    if (!loaded.ok) throw new FailureError(loaded.failure[0]!);
    return new KernelWorld(loaded.value, { ...defaultConfig(), logical_origin: 0n, ...config }, residentMax, true);
  }

  /**
   * A world over definitions that are loaded already.
   *
   * @param options.keepsDigests - whether there is a digest after every batch, which `checkParity` needs and which costs
   *   as much as the batch. Default true.
   */
  static over(
    loaded: Loaded,
    config: Partial<WorldConfig> = {},
    options: { readonly keepsDigests?: boolean } = {},
  ): KernelWorld {
    const whole = { ...defaultConfig(), logical_origin: 0n, ...config };
    return new KernelWorld(loaded, whole, undefined, options.keepsDigests ?? true);
  }

  readonly #source = { get: (hash: Uint8Array) => this.#objects.get(toHex(hash)) };

  #stamp(): StampProposal {
    this.#draws++;
    return { nowNs: this.#nowNs, logicalNs: this.#logicalNs, entropy: sha512(u64be(this.#draws)) };
  }

  #keep(applied: Applied): void {
    for (const { hash, bytes } of applied.objects) this.#objects.set(toHex(hash), bytes);
    if (applied.batch === undefined) return;
    this.#lastBatchAt = this.#records.length;
    applied.records.forEach((record, i) => this.#records.push({ seq: applied.batch!.firstSeq + i, record }));
    this.#batches.push({ body: applied.batch.body, chain: applied.batch.chain });
    this.kernel.accept(1);
    if (this.#keepsDigests) this.#digests.push(this.kernel.snapshot().ref);
  }

  // Driving

  apply(ingress: Ingress): Applied {
    this.#nowNs += this.tickNs;
    this.#logicalNs += this.tickNs;
    const applied = this.kernel.apply(ingress, this.#stamp());
    this.#keep(applied);
    return applied;
  }

  /** Moves both clocks. */
  advance(ns: bigint): void {
    this.#nowNs += ns;
    this.#logicalNs += ns;
  }

  get logicalNs(): bigint {
    return this.#logicalNs;
  }

  /** JSON (either lens) of a schema as canonical CBOR; what does not fit is sent as it stands. */
  encode(schema: string, json: unknown): Uint8Array {
    const read = readLiteral(toJson(json), { kind: 'ref', name: schema }, this.kernel.catalog.scope, schema);
    return read.ok ? encodeValue(read.value) : encode(json as CborValue);
  }

  send(
    schema: string,
    json: unknown,
    options: { ingressId?: string; key?: Uint8Array; inboxSeq?: Uint8Array } = {},
  ): Applied {
    return this.apply({ kind: 'event', schema, value: this.encode(schema, json), ...options });
  }

  start(
    plan: string,
    input: unknown,
    options: { correlation?: CborValue; bindLocals?: Record<string, unknown>; ingressId?: string } = {},
  ): Applied {
    const def = this.kernel.catalog.plans.get(plan)?.def;
    const bindLocals =
      options.bindLocals === undefined
        ? undefined
        : Object.fromEntries(
            Object.entries(options.bindLocals).map(([name, json]) => [
              name,
              this.encode(def?.locals.get(name) ?? '', json),
            ]),
          );
    return this.apply({
      kind: 'plan_start',
      plan,
      input: this.encode(def?.input ?? '', input),
      correlation: options.correlation === undefined ? undefined : encode(options.correlation),
      bindLocals,
      ingressId: options.ingressId,
    });
  }

  receipt(emission: Emission, answer: Partial<ReceiptData> & { payload?: unknown } = {}): Applied {
    const schema = this.kernel.catalog.effects.get(emission.kind)!.def.receiptSchema;
    const { payload, ...rest } = answer;
    return this.apply({
      kind: 'receipt',
      receipt: {
        intentHash: emission.intentHash,
        emissionSeq: emission.emissionSeq,
        adapterId: 'test',
        status: 'ok',
        payloadCbor: payload === undefined ? undefined : this.encode(schema, payload),
        signature: new Uint8Array(64),
        ...rest,
      },
      verdict: {},
    });
  }

  /** Offers a timer at the current logical time. */
  fire(emission: Emission): Applied {
    return this.apply({ kind: 'timer', emissionSeq: emission.emissionSeq });
  }

  cancel(planId: number, reason = 'test'): Applied {
    return this.apply({ kind: 'control', command: 'plan_cancel', planId, reason, actor: 'tester' });
  }

  /** Replaces the manifest by what the nodes define. */
  push(nodes: readonly unknown[], options?: LoadOptions): Applied {
    const loaded = loadAuthored([{ path: 'air/world.air.json', text: JSON.stringify(nodes) }], options);
    if (!loaded.ok) throw new FailureError(loaded.failure[0]!);
    for (const { hash, bytes } of loaded.value.objects) this.#objects.set(toHex(hash), bytes);
    const { manifestHash } = loaded.value.catalog;
    return this.apply({
      kind: 'control',
      command: 'manifest',
      manifestHash,
      manifestBase: this.kernel.catalog.manifestHash,
      patchHash: manifestHash,
      actor: 'tester',
    });
  }

  /** Replaces the manifest by a compiled patch. */
  change(patch: Pick<CompiledPatch, 'manifestHash' | 'manifestBase' | 'patchHash' | 'objects'>): Applied {
    for (const { hash, bytes } of patch.objects) this.#objects.set(toHex(hash), bytes);
    const { manifestHash, manifestBase, patchHash } = patch;
    return this.apply({ kind: 'control', command: 'manifest', manifestHash, manifestBase, patchHash, actor: 'tester' });
  }

  /** Changes members of the world configuration. */
  configure(change: Partial<WorldConfig>): Applied {
    const bytes = encodeConfig({ ...this.kernel.config, ...change });
    const configHash = sha256(bytes);
    this.#objects.set(toHex(configHash), bytes);
    return this.apply({ kind: 'control', command: 'config', configHash });
  }

  /** Journals a snapshot of the state and promotes it. */
  snapshot(): void {
    const { ref, objects } = this.kernel.snapshot();
    for (const { hash, bytes } of objects) this.#objects.set(toHex(hash), bytes);
    this.#baselines.push({ ref, height: this.kernel.head.height });
    this.#keep(this.kernel.apply({ kind: 'snapshot', snapshotRef: ref, promote: true }, this.#stamp()));
  }

  /** What a crash leaves: a new kernel from the newest baseline and the journal. */
  reopen(): void {
    this.kernel = unwrap(
      restore(
        { objects: this.#source, epoch: 2, verify: true, residentMax: this.#residentMax },
        this.#baselines.at(-1)!,
        this.#batches,
      ),
    );
  }

  // Looking

  pending(kind?: string): Emission[] {
    return [...this.kernel.pending()].filter((e) => kind === undefined || e.kind === kind);
  }

  instances(): Instance[] {
    return [...this.kernel.instances()];
  }

  /** All records of a kind, oldest first. */
  records<K extends RecordKind>(kind: K): (Extract<JournalRecord, { record_kind: K }> & { readonly seq: number })[] {
    return this.#records
      .filter(({ record }) => record.record_kind === kind)
      .map(({ seq, record }) => ({ ...(record as Extract<JournalRecord, { record_kind: K }>), seq }));
  }

  /** Kinds of the records of the newest batch, in order. */
  lastKinds(): RecordKind[] {
    return this.#records.slice(this.#lastBatchAt).map(({ record }) => record.record_kind);
  }

  allRecords(): readonly { readonly seq: number; readonly record: JournalRecord }[] {
    return this.#records;
  }

  get batches(): readonly RecordedBatch[] {
    return this.#batches;
  }

  object(hash: Uint8Array): Uint8Array | undefined {
    return this.#objects.get(toHex(hash));
  }

  /** Canonical bytes as JSON sugar of a schema. */
  decode(schema: string, bytes: Uint8Array): Json {
    const type = { kind: 'ref', name: schema } as const;
    const read = normalizeCbor(bytes, type, this.kernel.catalog.scope, schema);
    if (!read.ok) throw new FailureError(read.failure[0]!);
    return toSugar(read.value.value, type, this.kernel.catalog.scope);
  }

  /** Events of a schema that plans raised, as JSON. */
  raised(schema: string): Json[] {
    return this.records('domain_event')
      .filter((r) => r.schema === schema && r.origin === 'plan')
      .map((r) => this.decode(schema, r.value));
  }

  // Proving

  /**
   * Live = replay of every prefix from genesis = restore from every baseline with its tail, byte for byte.
   *
   * @throws when a record or a digest differs.
   */
  checkParity(): void {
    if (!this.#keepsDigests) throw new Error('this world keeps no digests');
    const options = { objects: this.#source, epoch: 9, verify: true };
    this.#batches.forEach((_, i) => {
      const replayed = unwrap(replayGenesis(options, this.#batches.slice(0, i + 1)));
      same(`prefix of ${i + 1} batches`, replayed.snapshot().ref, this.#digests[i]!);
    });
    const live = this.kernel.snapshot().ref;
    same('live', live, this.#digests.at(-1)!);
    for (const baseline of this.#baselines) {
      const restored = unwrap(restore(options, baseline, this.#batches));
      same(`baseline at ${baseline.height}`, restored.snapshot().ref, live);
    }
  }
}

function same(what: string, actual: Uint8Array, expected: Uint8Array): void {
  if (!bytesEqual(actual, expected))
    throw new Error(`${what}: digest ${hashText(actual)}, expected ${hashText(expected)}`);
}

function toJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? v.toString() : v))) as Json;
}
