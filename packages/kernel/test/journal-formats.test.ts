import { readFileSync } from 'node:fs';
import { type CborValue, CborWriter, decodeCanonical, encode, fromHex, sha256, toHex, unwrap } from '@worldline/canon';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BatchBody, decodeBatchBody, encodeBatchBody, explainBatchBody } from '../src/body.ts';
import { readBatchBody, writeBatchBody } from '../src/body-bytes.ts';
import { nextChain, ZERO_CHAIN } from '../src/chain.ts';
import { decodeConfig, defaultConfig, encodeConfig, type WorldConfig } from '../src/config.ts';
import { INGRESS_KINDS } from '../src/ingress-kinds.ts';
import { merkleProof, merkleRoot, merkleRootFromProof } from '../src/merkle.ts';
import { receiptDigest, receiptsMessage } from '../src/receipt-digest.ts';
import type { JournalRecord, RecordKind } from '../src/record.ts';
import { decodeAnyRecord, decodeRecord } from '../src/record-codec.ts';
import { encodeRecord } from '../src/record-writer.ts';

const vectors = JSON.parse(readFileSync(new URL('../../../test/vectors/journal-batch.json', import.meta.url), 'utf8'));
const bytes = (hex: string): Uint8Array => fromHex(hex) as Uint8Array;
const NONE = new Uint8Array(0);

const hashArb = fc.uint8Array({ minLength: 32, maxLength: 32 });
const bytesArb = fc.uint8Array({ maxLength: 40 });
const seqArb = fc.maxSafeInteger().map(Math.abs);
const timeArb = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const nameArb = fc.string({ unit: 'binary', maxLength: 20 });

/** A member that may be absent. */
const maybe = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arb, { nil: undefined });

/** Without the members that are undefined, as a decoder gives it. */
const present = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;

describe('batch body (journal.md §2)', () => {
  test('seal (check vector)', () => {
    const body = encodeBatchBody({
      v: 1,
      firstSeq: vectors.seal.firstSeq,
      epoch: vectors.seal.epoch,
      cursor: NONE,
      ingress: { kind: 'seal' },
      entries: [],
    });
    expect(toHex(body)).toBe(vectors.seal.body);
  });

  test('chain of a first batch C({}) (check vector)', () => {
    expect(toHex(nextChain(ZERO_CHAIN, encode({})))).toBe(vectors.emptyMapChain);
  });

  test('genesis: body, record, config hash and chain together (check vector)', () => {
    const { epoch, nowNs, logicalNowNs, entropyByte, manifestHash, chain } = vectors.genesis;
    const body = encodeBatchBody({
      v: 1,
      firstSeq: 0,
      epoch,
      cursor: NONE,
      ingress: { kind: 'genesis' },
      stamp: {
        nowNs: BigInt(nowNs),
        logicalNowNs: BigInt(logicalNowNs),
        entropy: new Uint8Array(64).fill(entropyByte),
        manifestHash: bytes(manifestHash),
      },
      entries: [
        encodeRecord({
          record_kind: 'manifest',
          manifest_hash: bytes(manifestHash),
          config_hash: sha256(encodeConfig(defaultConfig())),
        }),
      ],
    });
    expect(toHex(nextChain(ZERO_CHAIN, body))).toBe(chain);
  });

  const bodyArb: fc.Arbitrary<BatchBody> = fc
    .record({
      firstSeq: fc.nat(),
      epoch: seqArb,
      cursor: bytesArb,
      kind: fc.constantFrom(...INGRESS_KINDS),
      identity: maybe(fc.record({ ingressId: nameArb, digest: hashArb })),
      inboxSeq: maybe(bytesArb),
      stamp: fc.record({
        nowNs: timeArb,
        logicalNowNs: timeArb,
        entropy: fc.uint8Array({ minLength: 64, maxLength: 64 }),
        manifestHash: hashArb,
      }),
      entries: fc.array(bytesArb, { maxLength: 5 }),
    })
    .map(({ firstSeq, epoch, cursor, kind, identity, inboxSeq, stamp, entries }) => ({
      v: 1,
      firstSeq,
      epoch,
      cursor,
      ingress: { kind, ingressId: identity?.ingressId, digest: identity?.digest, inboxSeq },
      stamp: ['snapshot', 'seal', 'skip'].includes(kind) ? undefined : stamp,
      entries: kind === 'seal' || kind === 'skip' ? [] : entries,
    }));

  test('what is encoded is decoded, and the bytes are the only ones', () => {
    fc.assert(
      fc.property(bodyArb, (body) => {
        const encoded = encodeBatchBody(body);
        expect(decodeCanonical(encoded).ok).toBe(true);
        const decoded = unwrap(decodeBatchBody(encoded));
        expect(decoded).toEqual(body);
        expect(toHex(encodeBatchBody(decoded))).toBe(toHex(encoded));
      }),
    );
  });

  test('put together from encoded entries it has the same bytes', () => {
    const [out, entries] = [new CborWriter(), new CborWriter()];
    fc.assert(
      fc.property(bodyArb, fc.nat({ max: 70_000 }), (body, expected) => {
        entries.clear();
        out.clear();
        for (const entry of body.entries) {
          // Whatever length was expected of an entry.
          const opened = entries.openBytes(expected);
          entries.raw(entry);
          entries.closeBytes(opened);
        }
        const from = writeBatchBody(out, body, { count: body.entries.length, bytes: entries.peek() });
        expect(toHex(out.take())).toBe(toHex(encodeBatchBody(body)));
        expect(toHex(out.peek().subarray(from, from + entries.length))).toBe(toHex(entries.peek()));
      }),
    );
  });

  const node = (change: { readonly [member: string]: CborValue | undefined }): Uint8Array =>
    encode({
      v: 1,
      first_seq: 5,
      epoch: 1,
      cursor: NONE,
      ingress: { kind: 'event' },
      stamp: { now_ns: 1, logical_now_ns: 2, entropy: new Uint8Array(64), manifest_hash: new Uint8Array(32) },
      entries: [NONE],
      ...change,
    });

  test('times are bigints of any size', () => {
    const stamp = unwrap(decodeBatchBody(node({}))).stamp;
    expect(stamp?.nowNs).toBe(1n);
    expect(stamp?.logicalNowNs).toBe(2n);
  });

  const wrong: [string, { readonly [member: string]: CborValue | undefined }, (string | number)[]][] = [
    ['another format', { v: 2 }, ['v']],
    ['an unknown member', { x: 1 }, []],
    ['no entries', { entries: undefined }, ['entries']],
    ['an entry that is no bytes', { entries: [NONE, 'x'] }, ['entries', 1]],
    ['a negative seq', { first_seq: -1 }, ['first_seq']],
    ['a seq beyond 2^53', { first_seq: 2n ** 60n }, ['first_seq']],
    ['a last seq beyond 2^53', { first_seq: Number.MAX_SAFE_INTEGER, entries: [NONE, NONE] }, ['first_seq']],
    ['an epoch that is text', { epoch: '1' }, ['epoch']],
    ['no cursor', { cursor: undefined }, ['cursor']],
    ['an unknown kind', { ingress: { kind: 'tick' } }, ['ingress', 'kind']],
    ['an unknown member of the ingress', { ingress: { kind: 'event', x: 1 } }, ['ingress']],
    ['an id without digest', { ingress: { kind: 'event', ingress_id: 'a' } }, ['ingress', 'digest']],
    ['a digest without id', { ingress: { kind: 'event', digest: new Uint8Array(32) } }, ['ingress', 'digest']],
    ['a short digest', { ingress: { kind: 'event', ingress_id: 'a', digest: NONE } }, ['ingress', 'digest']],
    ['no stamp', { stamp: undefined }, ['stamp']],
    ['a stamp on a snapshot', { ingress: { kind: 'snapshot' } }, ['stamp']],
    [
      'short entropy',
      { stamp: { now_ns: 1, logical_now_ns: 2, entropy: new Uint8Array(63), manifest_hash: new Uint8Array(32) } },
      ['stamp', 'entropy'],
    ],
    [
      'a negative time',
      { stamp: { now_ns: -1, logical_now_ns: 2, entropy: new Uint8Array(64), manifest_hash: new Uint8Array(32) } },
      ['stamp', 'now_ns'],
    ],
    ['entries in a seal', { ingress: { kind: 'seal' }, stamp: undefined }, ['entries']],
  ];
  test.each(wrong)('R7: %s is refused', (_, change, path) => {
    expect(decodeBatchBody(node({})).ok).toBe(true);
    expect(readBatchBody(node(change))).toBeUndefined();
    expect(decodeBatchBody(node(change))).toMatchObject({ ok: false, failure: { code: 'journal.corrupt', path } });
  });

  test('hostile bytes never throw', () => {
    fc.assert(
      fc.property(
        bodyArb,
        fc.nat(),
        fc.nat({ max: 255 }),
        fc.uint8Array({ maxLength: 30 }),
        (body, place, byte, noise) => {
          const changed = encodeBatchBody(body);
          changed[place % changed.length] = byte;
          for (const input of [changed, changed.subarray(0, place % changed.length), noise]) {
            const decoded = decodeBatchBody(input);
            // Read in place or by way of data: the same is taken.
            expect(explainBatchBody(input)).toEqual(decoded);
            expect(readBatchBody(input) !== undefined).toBe(decoded.ok);
            if (decoded.ok) expect(toHex(encodeBatchBody(decoded.value))).toBe(toHex(input));
            else expect(decoded.failure.code).toBe('journal.corrupt');
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('chain (journal.md §2)', () => {
  test('is the hash of both parts, whatever the size of the body', () => {
    for (const length of [0, 1, 65_503, 65_504, 65_505, 200_000]) {
      const previous = new Uint8Array(32).fill(length & 0xff);
      const body = new Uint8Array(length).fill(7);
      expect(nextChain(previous, body)).toEqual(sha256(Uint8Array.from([...previous, ...body])));
    }
  });
});

describe('records (journal.md §3)', () => {
  const originArb = fc.oneof(
    fc.record({ origin_kind: fc.constant('plan' as const), name: nameArb, plan_id: seqArb, step_id: nameArb }),
    fc.record({ origin_kind: fc.constant('reducer' as const), name: nameArb, key: maybe(bytesArb) }).map(present),
  );
  const errorArb = fc.record({
    code: nameArb,
    message: nameArb,
    retryable: fc.constantFrom(null, true, false),
    detail_ref: fc.option(hashArb.map((hash) => `sha256:${toHex(hash)}`)),
  });

  /** Every kind with every optional member present or absent. */
  const RECORDS: { readonly [Kind in RecordKind]: fc.Arbitrary<Extract<JournalRecord, { record_kind: Kind }>> } = {
    domain_event: fc.record({
      record_kind: fc.constant('domain_event' as const),
      schema: nameArb,
      value: bytesArb,
      key: maybe(bytesArb),
      event_hash: hashArb,
      origin: fc.constantFrom(
        'external' as const,
        'inbox' as const,
        'reducer' as const,
        'plan' as const,
        'receipt' as const,
      ),
      ingress_id: maybe(nameArb),
      origin_name: maybe(nameArb),
      plan_id: maybe(seqArb),
      source: maybe(nameArb),
      cause: maybe(seqArb),
    }),
    effect_intent: fc.record({
      record_kind: fc.constant('effect_intent' as const),
      intent_hash: hashArb,
      kind: nameArb,
      cap_name: nameArb,
      params_cbor: bytesArb,
      idempotency_key: hashArb,
      origin: originArb,
      coalesced_into: maybe(seqArb),
      cause: seqArb,
    }),
    effect_receipt: fc
      .record({
        record_kind: fc.constant('effect_receipt' as const),
        intent_hash: hashArb,
        emission_seq: seqArb,
        adapter_id: nameArb,
        status: fc.constantFrom('ok' as const, 'error' as const, 'timeout' as const),
        payload_cbor: maybe(bytesArb),
        error: errorArb,
        cost_cents: maybe(timeArb),
        signature: bytesArb,
        sig_key: maybe(nameArb),
        disposition: fc.constantFrom('applied' as const, 'buffered' as const, 'late' as const, 'orphaned' as const),
      })
      .map(({ error, ...rest }) => ({ ...rest, error: rest.status === 'ok' ? undefined : error })),
    cap_decision: fc.record({
      record_kind: fc.constant('cap_decision' as const),
      intent_hash: hashArb,
      stage: fc.constant('enqueue' as const),
      effect_kind: nameArb,
      cap_name: nameArb,
      cap_type: nameArb,
      grant_hash: hashArb,
      enforcer_module: nameArb,
      decision: fc.constantFrom('allow' as const, 'deny' as const),
      deny: maybe(fc.record({ code: nameArb, message: nameArb })),
      expiry_ns: maybe(timeArb),
    }),
    policy_decision: fc.record({
      record_kind: fc.constant('policy_decision' as const),
      intent_hash: hashArb,
      policy_name: nameArb,
      rule_index: maybe(fc.nat()),
      decision: fc.constantFrom('allow' as const, 'deny' as const),
    }),
    plan_started: fc.record({
      record_kind: fc.constant('plan_started' as const),
      plan_name: nameArb,
      plan_id: seqArb,
      manifest_hash: hashArb,
      input_hash: hashArb,
      correlation: maybe(bytesArb),
      parent_instance_id: maybe(seqArb),
      parent_step_id: maybe(nameArb),
      cause: seqArb,
    }),
    plan_ended: fc.record({
      record_kind: fc.constant('plan_ended' as const),
      plan_name: nameArb,
      plan_id: seqArb,
      status: fc.constantFrom('ok' as const, 'error' as const),
      error_code: maybe(nameArb),
      step_id: maybe(nameArb),
      message: maybe(nameArb),
      result_ref: maybe(hashArb),
      started_seq: seqArb,
      correlation: maybe(bytesArb),
      cause: seqArb,
    }),
    plan_result: fc.record({
      record_kind: fc.constant('plan_result' as const),
      plan_name: nameArb,
      plan_id: seqArb,
      output_schema: nameArb,
      value_cbor: bytesArb,
    }),
    plan_start: fc.record({
      record_kind: fc.constant('plan_start' as const),
      plan: nameArb,
      input_cbor: bytesArb,
      correlation: maybe(bytesArb),
      bind_locals: maybe(fc.dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), bytesArb, { noNullPrototype: true })),
      plan_id: seqArb,
      ingress_id: maybe(nameArb),
    }),
    plan_cancel: fc.record({
      record_kind: fc.constant('plan_cancel' as const),
      plan_id: seqArb,
      reason: nameArb,
      actor: nameArb,
      ingress_id: maybe(nameArb),
    }),
    reducer_fault: fc.record({
      record_kind: fc.constant('reducer_fault' as const),
      reducer: nameArb,
      key: maybe(bytesArb),
      event_seq: seqArb,
      event_hash: hashArb,
      code: nameArb,
      message: nameArb,
    }),
    ingress_rejected: fc.record({
      record_kind: fc.constant('ingress_rejected' as const),
      ingress_kind: nameArb,
      ingress_id: maybe(nameArb),
      inbox_seq: maybe(bytesArb),
      emission_seq: maybe(seqArb),
      digest: hashArb,
      code: nameArb,
      message: nameArb,
    }),
    manifest: fc.record({
      record_kind: fc.constant('manifest' as const),
      manifest_hash: hashArb,
      config_hash: hashArb,
    }),
    governance: fc.record({
      record_kind: fc.constant('governance' as const),
      event: fc.constant('direct_applied' as const),
      patch_hash: hashArb,
      manifest_base: hashArb,
      manifest_hash_new: hashArb,
      actor: nameArb,
    }),
    snapshot: fc.record({
      record_kind: fc.constant('snapshot' as const),
      snapshot_ref: hashArb,
      height: seqArb,
      manifest_hash: hashArb,
    }),
    baseline: fc.record({
      record_kind: fc.constant('baseline' as const),
      snapshot_ref: hashArb,
      height: seqArb,
      manifest_hash: hashArb,
      logical_time_ns: timeArb,
      receipt_horizon_height: seqArb,
    }),
    custom: fc.record({ record_kind: fc.constant('custom' as const), tag: nameArb, data: bytesArb }),
  };
  const recordArb: fc.Arbitrary<JournalRecord> = fc.oneof(...Object.values(RECORDS));

  test.each(Object.keys(RECORDS) as RecordKind[])(
    '%s: what is encoded is decoded, and the bytes are the only ones',
    (kind) => {
      fc.assert(
        fc.property(RECORDS[kind] as fc.Arbitrary<JournalRecord>, (record) => {
          const encoded = encodeRecord(record);
          // Written member by member or by looking at it, with the members in whatever order they come.
          expect(toHex(encoded)).toBe(toHex(encode(record as unknown as CborValue)));
          const decoded = unwrap(decodeRecord(encoded));
          expect(decoded).toEqual(present(record));
          expect(toHex(encodeRecord(decoded))).toBe(toHex(encoded));
        }),
        { numRuns: 50 },
      );
    },
  );

  test.each(['effect_receipt', 'cap_decision', 'policy_decision', 'effect_intent'] as const)(
    'a %s that is read in place is what it is by way of data, and hostile bytes are the same to both',
    (kind) => {
      fc.assert(
        fc.property(
          RECORDS[kind] as fc.Arbitrary<JournalRecord>,
          fc.nat(),
          fc.nat({ max: 255 }),
          (record, place, byte) => {
            const encoded = encodeRecord(record);
            expect(decodeRecord(encoded)).toEqual(decodeAnyRecord(encoded));
            // A receipt's are in an order of their own, since before the others were read in place.
            const members = (read: ReturnType<typeof decodeRecord>) => Object.keys(unwrap(read)).sort();
            expect(members(decodeRecord(encoded))).toEqual(members(decodeAnyRecord(encoded)));
            encoded[place % encoded.length] = byte;
            for (const input of [encoded, encoded.subarray(0, place % encoded.length)]) {
              expect(decodeRecord(input)).toEqual(decodeAnyRecord(input));
            }
          },
        ),
        { numRuns: 500 },
      );
    },
  );

  test('R7: a record without one of its members, or with one more, is refused at that member', () => {
    fc.assert(
      fc.property(recordArb, fc.nat(), (record, pick) => {
        const whole = present(record) as unknown as { readonly [member: string]: CborValue };
        const members = Object.keys(whole);
        const member = members[pick % members.length] as string;
        const { [member]: _, ...without } = whole;
        const decoded = decodeRecord(encode(without));
        // Optional members may go; then it is another record of the kind. The error of a receipt may not.
        if (decoded.ok) expect(toHex(encodeRecord(decoded.value))).toBe(toHex(encode(without)));
        else expect(decoded.failure).toMatchObject({ code: 'journal.corrupt', path: [member] });
        expect(decodeRecord(encode({ ...whole, zz: 1 }))).toMatchObject({
          failure: { code: 'journal.corrupt', path: ['zz'] },
        });
        expect(decodeRecord(encode({ ...whole, [member]: [] }))).toMatchObject({
          failure: { code: 'journal.corrupt', path: [member] },
        });
      }),
      { numRuns: 300 },
    );
  });

  const receipt = {
    record_kind: 'effect_receipt',
    intent_hash: new Uint8Array(32),
    emission_seq: 1,
    adapter_id: 'a',
    status: 'ok',
    signature: new Uint8Array(64),
    disposition: 'applied',
  };
  const intent = {
    record_kind: 'effect_intent',
    intent_hash: new Uint8Array(32),
    kind: 'k',
    cap_name: 'c',
    params_cbor: NONE,
    idempotency_key: new Uint8Array(32),
    cause: 1,
  };
  const error = { code: 'c', message: 'm', retryable: null, detail_ref: null };
  const wrong: [string, CborValue, string[]][] = [
    ['an unknown kind', { record_kind: 'tick' }, ['record_kind']],
    ['a kind of the object prototype', { record_kind: 'constructor' }, ['record_kind']],
    ['no kind', { tag: 'x' }, ['record_kind']],
    [
      'a short hash',
      { record_kind: 'manifest', manifest_hash: new Uint8Array(31), config_hash: new Uint8Array(32) },
      ['manifest_hash'],
    ],
    ['an ok receipt with an error', { ...receipt, error }, ['error']],
    ['a failed receipt without error', { ...receipt, status: 'error' }, ['error']],
    [
      'an error without one of its members',
      { ...receipt, status: 'error', error: { code: 'c', message: 'm', retryable: null } },
      ['error'],
    ],
    ['a detail that is no hash text', { ...receipt, status: 'error', error: { ...error, detail_ref: 'x' } }, ['error']],
    ['an unknown status', { ...receipt, status: 'late' }, ['status']],
    ['a negative cost', { ...receipt, cost_cents: -1 }, ['cost_cents']],
    ['a member named as in the object prototype', { ...receipt, toString: 1 }, ['toString']],
    ['an origin of no kind', { ...intent, origin: { origin_kind: 'host', name: 'n' } }, ['origin']],
    ['a reducer with a plan id', { ...intent, origin: { origin_kind: 'reducer', name: 'n', plan_id: 1 } }, ['origin']],
    ['a plan without step', { ...intent, origin: { origin_kind: 'plan', name: 'n', plan_id: 1 } }, ['origin']],
    [
      'a reason beyond 512 bytes',
      { record_kind: 'plan_cancel', plan_id: 1, reason: 'ü'.repeat(257), actor: 'a' },
      ['reason'],
    ],
    [
      'a local that is no bytes',
      { record_kind: 'plan_start', plan: 'p', input_cbor: NONE, plan_id: 0, bind_locals: { a: 1 } },
      ['bind_locals'],
    ],
  ];
  test.each(wrong)('R7: %s is refused', (_, record, path) => {
    expect(decodeRecord(encode(record))).toMatchObject({ ok: false, failure: { code: 'journal.corrupt', path } });
  });

  test('hostile bytes never throw, and what is taken is canonical', () => {
    fc.assert(
      fc.property(recordArb, fc.nat(), fc.nat({ max: 255 }), (record, place, byte) => {
        const changed = encodeRecord(record);
        changed[place % changed.length] = byte;
        for (const input of [changed, changed.subarray(0, place % changed.length)]) {
          const decoded = decodeRecord(input);
          if (decoded.ok) expect(toHex(encodeRecord(decoded.value))).toBe(toHex(input));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('world config (kernel.md §15)', () => {
  test('all defaults of a standalone world (check vector)', () => {
    expect(toHex(sha256(encodeConfig(defaultConfig())))).toBe(vectors.defaultConfigHash);
    expect(unwrap(decodeConfig(encodeConfig(defaultConfig())))).toEqual(defaultConfig());
  });

  test('what is encoded is decoded; lists stay as authored, the origin only if set', () => {
    const config: WorldConfig = {
      ...defaultConfig(),
      clock: 'virtual',
      receipt_verification: 'off',
      require_policy: true,
      logical_origin: 0n,
      fabric_accept: [
        { from: 'peer', schemas: ['b/B@1', 'a/A@1'] },
        { from: 'air://u/*', modes: ['inbox', 'event'] },
        { from: 'x' },
      ],
    };
    const encoded = encodeConfig(config);
    expect(unwrap(decodeConfig(encoded))).toEqual(config);
    const accept = (unwrap(decodeCanonical(encoded)) as { fabric_accept: CborValue }).fabric_accept;
    expect(accept).toEqual([
      { from: 'peer', schemas: ['b/B@1', 'a/A@1'] },
      { from: 'air://u/*', modes: ['inbox', 'event'] },
      { from: 'x' },
    ]);
    expect('logical_origin' in unwrap(decodeConfig(encodeConfig(defaultConfig())))).toBe(false);
  });

  test('every member is required and none is added, limits included', () => {
    const whole = unwrap(decodeCanonical(encodeConfig(defaultConfig()))) as { [member: string]: CborValue };
    const limits = whole.limits as { [member: string]: CborValue };
    expect(Object.keys(limits).length).toBe(15);
    for (const member of Object.keys(whole)) {
      const { [member]: _, ...without } = whole;
      expect(decodeConfig(encode(without))).toMatchObject({
        ok: false,
        failure: { code: 'config.invalid', path: [member] },
      });
    }
    for (const member of Object.keys(limits)) {
      const { [member]: _, ...without } = limits;
      const path = ['limits', member];
      expect(decodeConfig(encode({ ...whole, limits: without }))).toMatchObject({ ok: false, failure: { path } });
      expect(decodeConfig(encode({ ...whole, limits: { ...limits, [member]: -1 } }))).toMatchObject({
        ok: false,
        failure: { path },
      });
    }
    expect(decodeConfig(encode({ ...whole, extra: 1 }))).toMatchObject({ ok: false, failure: { path: ['extra'] } });
    expect(decodeConfig(encode({ ...whole, limits: { ...limits, extra: 1 } }))).toMatchObject({
      ok: false,
      failure: { path: ['limits', 'extra'] },
    });
    expect(decodeConfig(encode({ ...whole, fabric_accept: [{ from: 'a', modes: ['x'] }] }))).toMatchObject({
      ok: false,
      failure: { path: ['fabric_accept', 0] },
    });
    expect(decodeConfig(Uint8Array.of(1, 2))).toMatchObject({ ok: false, failure: { code: 'config.invalid' } });
  });
});

describe('Merkle roots (journal.md §2.1)', () => {
  const leaf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

  test.each(vectors.merkle as { leaves: number[]; root: string }[])(
    'list $leaves (check vector)',
    ({ leaves, root }) => {
      expect(toHex(merkleRoot(leaves.map(leaf)))).toBe(root);
    },
  );

  test('every leaf of every list has a proof, and no other leaf, place, count or proof fits the root', () => {
    for (let count = 1; count <= 33; count++) {
      const leaves = Array.from({ length: count }, (_, i) => leaf(i));
      const root = toHex(merkleRoot(leaves));
      for (let index = 0; index < count; index++) {
        const proof = merkleProof(leaves, index);
        const rootOf = (x: Uint8Array, i: number, n: number, p: readonly Uint8Array[]): string | undefined => {
          const found = merkleRootFromProof(x, i, n, p);
          return found === undefined ? undefined : toHex(found);
        };
        expect(rootOf(leaf(index), index, count, proof)).toBe(root);
        expect(rootOf(leaf(99), index, count, proof)).not.toBe(root);
        expect(rootOf(leaf(index), index, count, [...proof, leaf(0)])).toBe(undefined);
        if (proof.length > 0) {
          expect(rootOf(leaf(index), index, count, proof.slice(1))).toBe(undefined);
          expect(rootOf(leaf(index), index, count, [NONE, ...proof.slice(1)])).toBe(undefined);
          expect(rootOf(leaf(index), index, count, [leaf(77), ...proof.slice(1)])).not.toBe(root);
          expect(rootOf(leaf(index), (index + 1) % count, count, proof)).not.toBe(root);
        }
      }
    }
  });

  test('there is no root of nothing and no proof beyond the list', () => {
    expect(() => merkleRoot([])).toThrow(RangeError);
    expect(() => merkleProof([leaf(1)], 1)).toThrow(RangeError);
    for (const [index, count] of [
      [-1, 1],
      [1, 1],
      [0, 0],
      [0.5, 2],
      [0, 2 ** 60],
    ] as const) {
      expect(merkleRootFromProof(leaf(1), index, count, [])).toBe(undefined);
    }
  });
});

describe('receipt digest (kernel.md §10.3)', () => {
  const { worldId, emissionSeq, intentHash, adapterId, payload, digest, root } = vectors.receipt;
  const receipt = {
    emissionSeq,
    intentHash: bytes(intentHash),
    adapterId,
    status: 'ok' as const,
    payloadCbor: bytes(payload),
    signature: new Uint8Array(64),
  };

  test('digest, and root as a group of one (check vectors)', () => {
    expect(toHex(receiptDigest(worldId, receipt))).toBe(digest);
    expect(toHex(merkleRoot([receiptDigest(worldId, receipt)]))).toBe(root);
  });

  test('every signed member counts, the signature does not', () => {
    const error = { code: 'c', message: 'm', retryable: true, detail_ref: null };
    const variants = [
      receiptDigest('another world', receipt),
      receiptDigest(worldId, { ...receipt, emissionSeq: 8 }),
      receiptDigest(worldId, { ...receipt, intentHash: new Uint8Array(32) }),
      receiptDigest(worldId, { ...receipt, adapterId: 'host.other' }),
      receiptDigest(worldId, { ...receipt, status: 'timeout' }),
      receiptDigest(worldId, { ...receipt, payloadCbor: undefined }),
      receiptDigest(worldId, { ...receipt, costCents: 0n }),
      receiptDigest(worldId, { ...receipt, error }),
      receiptDigest(worldId, { ...receipt, error: { ...error, retryable: null } }),
    ].map(toHex);
    expect(new Set([...variants, digest]).size).toBe(variants.length + 1);
    expect(toHex(receiptDigest(worldId, { ...receipt, signature: NONE }))).toBe(digest);
  });

  test('the signed message is the domain and the root', () => {
    expect(Buffer.from(receiptsMessage(bytes(root))).toString('latin1')).toBe(
      `worldline.receipts.v1${Buffer.from(bytes(root)).toString('latin1')}`,
    );
  });
});

describe('hashes of kernel.md §1 (check vectors)', () => {
  const hash = (value: CborValue): string => toHex(sha256(encode(value)));
  const timer = encode({ deliver_at_ns: 5, key: 'retry' });
  const event = encode({ id: 'abc' });

  test.each([
    ['{}', hash({}), '75bd49cb964988d6fd2c058f51230c3dc2a254753751fbe0f313b4b1e0681b69'],
    ['timer params', toHex(timer), 'd9d9f7a2636b65796572657472796d64656c697665725f61745f6e7305'],
    [
      'intent',
      hash({ kind: 'timer.set', params: timer, cap: 'cap_timer', idempotency_key: new Uint8Array(32) }),
      '385a609d1f704b46da4e27f94b31cd5983e11bf5988a8369a890681fa53d01b4',
    ],
    [
      'grant',
      hash({ defcap_ref: 'sys/timer@1', cap_type: 'timer', params_cbor: encode({}) }),
      '197f17f1c5f766bf5a37c5a290471cbec3c1dd21d913e07c23838f7d6d2cc1d1',
    ],
    [
      'grant that expires',
      hash({ defcap_ref: 'sys/timer@1', cap_type: 'timer', params_cbor: encode({}), expiry_ns: 1000n }),
      '0c605afccf2c4e1600d73a0179043c80f4fbcd56730ec87f3fe84bd1d8af1790',
    ],
    [
      'event',
      hash({ schema: 'com.acme/Event@1', value: event }),
      'e9d521924bd4aaf1c711fce786619915ad8fedf0301ba9e633449116d7356734',
    ],
    [
      'event with key',
      hash({ schema: 'com.acme/Event@1', value: event, key: encode('abc') }),
      'b5d8beb9cd3456c0ff435d1fa292c48a34d77db1c5b6cf4025b45268763b8c7f',
    ],
    [
      'ingress digest',
      hash({ kind: 'event', schema: 'com.acme/Point@1', value: bytes('d9d9f7a2617801617921') }),
      'cdbbaa4fed33149ffedee0b71d8216ad02a7f2ec155b4eac15fac2546335c939',
    ],
    [
      'env of plans.md §14',
      toHex(
        encode({
          vars: { h: { handle: 12 }, n: { int: 3 }, r: { receipt: 12 } },
          input: { record: { id: { text: 'r1' } } },
          steps: {},
        }),
      ),
      'd9d9f7a36476617273a36168a16668616e646c650c616ea163696e74036172a167726563656970740c65696e707574a1667265636f7264a1626964a16474657874627231657374657073a0',
    ],
  ])('%s', (_, actual, expected) => {
    expect(actual).toBe(expected);
  });
});
