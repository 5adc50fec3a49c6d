import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashOf, hashText, toHex, unwrap } from '@worldline/canon';
import type { EffectAdapter, EffectOutcome, EffectRequest } from '@worldline/ports';
import { describe, expect, test } from 'vitest';
import type { HostEvent } from '../src/dispatcher.ts';
import { collectBatches } from '../src/journal-read.ts';
import { AdapterRegistry } from '../src/registry.ts';
import type { World } from '../src/world.ts';
import {
  Bench,
  fakeAdapter,
  gate,
  hostConfig,
  job,
  NODES,
  okOutcome,
  recordingLog,
  settle,
  until,
} from './bench-world.ts';

const start = (id: string) => ({ plan: 't/call_plan@1', input: job(id) });

async function receiptOf(bench: Bench) {
  const [receipt] = await bench.of('effect_receipt');
  return receipt;
}

/** Runs one `t.call` on the given adapters and gives its receipt. */
async function run(adapters: readonly EffectAdapter[], more: Parameters<Bench['open']>[0] = {}) {
  const bench = await Bench.create();
  const world = await bench.open({ adapters, ...more });
  await world.startPlan(start('a'));
  unwrap(await world.runBatch({ timeoutMs: 10_000 }));
  await world.close();
  await bench.replays();
  return { receipt: (await receiptOf(bench))!, bench };
}

describe('an outcome becomes a receipt (`host.md` §2)', () => {
  test('ok: the payload in canonical form, missing options filled, signed by this host', async () => {
    const { receipt, bench } = await run([
      fakeAdapter(async () => ({ status: 'ok', payload: { text: 'hi' }, costCents: 7n })),
    ]);
    expect(receipt).toMatchObject({ adapter_id: 'test.call', status: 'ok', cost_cents: 7n, sig_key: bench.key.keyId });
    expect(toHex(receipt.payload_cbor!)).toBe('d9d9f7a2646e6f7465f66474657874626869');
    expect(receipt.signature.length).toBe(64);
  });

  test('a payload that does not conform: error, adapter.bad_payload', async () => {
    const { receipt } = await run([fakeAdapter(async () => ({ status: 'ok', payload: { text: 7 } }))]);
    expect(receipt).toMatchObject({ status: 'error', error: { code: 'adapter.bad_payload' } });
    expect(receipt.payload_cbor).toBeUndefined();
  });

  test('a payload that cannot be encoded: error, adapter.bad_payload', async () => {
    const { receipt } = await run([fakeAdapter(async () => ({ status: 'ok', payload: { text: 1.5 } }))]);
    expect(receipt).toMatchObject({ error: { code: 'adapter.bad_payload' } });
  });

  const nonsense: [string, unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['a text', 'ok'],
    ['an empty object', {}],
    ['ok without a payload', { status: 'ok' }],
    ['an unknown status', { status: 'done', payload: {} }],
    ['a failure without an error', { status: 'error' }],
    ['a negative cost', { status: 'ok', payload: { text: 'x' }, costCents: -1n }],
  ];
  test.each(nonsense)('an answer that is no outcome (%s): adapter.bad_payload', async (_, value) => {
    const { receipt } = await run([fakeAdapter(async () => value as EffectOutcome)]);
    expect(receipt).toMatchObject({ status: 'error', error: { code: 'adapter.bad_payload' } });
  });

  test('a thrown exception becomes adapter.exception with its message', async () => {
    const { receipt } = await run([
      fakeAdapter(async () => {
        throw new Error('boom');
      }),
    ]);
    expect(receipt).toMatchObject({ status: 'error', error: { code: 'adapter.exception', message: 'boom' } });
  });

  test('an adapter that throws before it returns a promise, or in classify, stops nothing', async () => {
    const sync = fakeAdapter(() => {
      throw new Error('at once');
    });
    expect((await run([sync])).receipt).toMatchObject({ error: { code: 'adapter.exception', message: 'at once' } });
    const classify: EffectAdapter = {
      ...fakeAdapter(),
      classify() {
        throw new Error('no class');
      },
    };
    expect((await run([classify])).receipt).toMatchObject({
      error: { code: 'adapter.exception', message: 'no class' },
    });
  });

  test('a failure keeps a conforming payload and drops any other; its detail is a blob', async () => {
    const failing = (payload: unknown) =>
      fakeAdapter(async () => ({
        status: 'error',
        error: { code: 'x.y', message: 'm', retryable: false, detail: { n: 1n } },
        payload: payload as never,
      }));
    const kept = await run([failing({ text: 'typed failure' })]);
    expect(toHex(kept.receipt.payload_cbor!)).toContain(toHex(new TextEncoder().encode('typed failure')));
    const detail = kept.bench.store.cas.getSync(Buffer.from(kept.receipt.error!.detail_ref!.slice(7), 'hex'));
    expect(detail.answer === 'ok' && new TextDecoder().decode(detail.bytes)).toBe('{"n":"1"}');
    const dropped = await run([failing({ nope: true })]);
    expect(dropped.receipt.payload_cbor).toBeUndefined();
    expect(dropped.receipt.error).toMatchObject({ code: 'x.y', message: 'm', retryable: false });
  });

  test('a message is cut to 2 KiB between characters, and made Unicode', async () => {
    const { receipt } = await run([
      fakeAdapter(async () => ({ status: 'error', error: { code: 'x.y', message: `\ud800${'ä'.repeat(3000)}` } })),
    ]);
    const { message } = receipt.error!;
    const size = new TextEncoder().encode(message).length;
    expect(size).toBeLessThanOrEqual(2048);
    expect(size).toBeGreaterThan(2044);
    expect(message.isWellFormed()).toBe(true);
    expect(message.endsWith('ä')).toBe(true);
  });

  test('a payload over max_receipt_bytes: adapter.payload_too_large', async () => {
    const bench = await Bench.create({
      config: { limits: { ...(await import('@worldline/kernel')).defaultConfig().limits, max_receipt_bytes: 100 } },
    });
    const world = await bench.open({ adapters: [fakeAdapter(async () => okOutcome('x'.repeat(200)))] });
    await world.startPlan(start('a'));
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    await world.close();
    expect(await receiptOf(bench)).toMatchObject({ error: { code: 'adapter.payload_too_large' } });
  });

  test('no adapter: adapter.missing from host.dispatch', async () => {
    const log = recordingLog();
    const { receipt } = await run([], { log });
    expect(receipt).toMatchObject({ adapter_id: 'host.dispatch', error: { code: 'adapter.missing' } });
    expect(log.lines.some((line) => line.startsWith('warn') && line.includes('t.call'))).toBe(true);
  });
});

describe('what an adapter is shown', () => {
  test('the request carries identity, params, grant and origin of the intent', async () => {
    let seen: EffectRequest | undefined;
    const { bench } = await run([
      fakeAdapter(async (request) => {
        seen = request;
        return okOutcome();
      }),
    ]);
    const intent = (await bench.of('effect_intent'))[0]!;
    const seq = (await bench.records()).find((r) => r.record.record_kind === 'effect_intent')!.seq;
    expect(seen).toMatchObject({
      intentHash: hashText(intent.intent_hash),
      emissionSeq: seq,
      worldId: bench.worldId,
      kind: 't.call',
      capName: 'cap_t',
      origin: { kind: 'plan', name: 't/call_plan@1', planId: 0, stepId: 'go' },
      attempt: 1,
      recovered: false,
    });
    expect(seen!.grant).toMatchObject({ name: 'cap_t', cap: 't/cap@1' });
    expect(seen!.params).toEqual({ id: 'a', mode: 'one' });
    expect(seen!.paramsCbor).toEqual(intent.params_cbor);
    expect(seen!.dispatchId).toBe(
      hashText(hashOf({ world_id: bench.worldId, emission_seq: seq, intent_hash: intent.intent_hash })),
    );
    // §3.4: with a key, equal content is one operation for the provider too.
    expect(seen!.externalKey).toBe(toHex(hashOf({ world_id: bench.worldId, intent_hash: intent.intent_hash })));
  });

  test('without a key the provider is shown the dispatch id (§3.4)', async () => {
    const bench = await Bench.create();
    const adapter = fakeAdapter();
    const world = await bench.open({ adapters: [adapter] });
    await world.startPlan({ plan: 't/unkeyed@1', input: job('a') });
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    expect(`sha256:${adapter.calls[0]!.externalKey}`).toBe(adapter.calls[0]!.dispatchId);
    await world.close();
  });
});

describe('retries (`host.md` §3.2)', () => {
  const flaky = (failures: number, error: { retryable?: boolean; notSent?: boolean; retryAfterMs?: number }) => {
    let n = 0;
    return async (): Promise<EffectOutcome> =>
      n++ < failures ? { status: 'error', error: { code: 'x.flaky', message: 'again', ...error } } : okOutcome();
  };
  /** Moves the world's clock in small steps until the batch is done. */
  async function runMoving(bench: Bench, world: World, stepMs = 50) {
    const batch = world.runBatch({ timeoutMs: 10_000 });
    let isDone = false;
    void batch.then(() => {
      isDone = true;
    });
    while (!isDone) {
      bench.clock.advanceMs(stepMs);
      await settle();
    }
    return unwrap(await batch);
  }

  test('read and keyed requests are repeated on retryable errors, at most twice, under the same external key', async () => {
    for (const deliveryClass of ['read', 'keyed'] as const) {
      const bench = await Bench.create();
      const adapter = fakeAdapter(flaky(2, { retryable: true }), { deliveryClass });
      const world = await bench.open({ adapters: [adapter], random: () => 0.5 });
      await world.startPlan(start('a'));
      await runMoving(bench, world);
      expect(adapter.calls.map((c) => c.attempt)).toEqual([1, 2, 3]);
      expect(new Set(adapter.calls.map((c) => c.externalKey)).size).toBe(1);
      expect(await receiptOf(bench)).toMatchObject({ status: 'ok' });
      await world.close();
    }
  });

  test('the third failure is the receipt; an error that is not retryable is one at once', async () => {
    for (const [error, calls] of [
      [{ retryable: true }, 3],
      [{ retryable: false }, 1],
      [{}, 1],
    ] as const) {
      const bench = await Bench.create();
      const adapter = fakeAdapter(flaky(9, error));
      const world = await bench.open({ adapters: [adapter], random: () => 0 });
      await world.startPlan(start('a'));
      await runMoving(bench, world);
      expect(adapter.calls.length).toBe(calls);
      expect(await receiptOf(bench)).toMatchObject({ status: 'error', error: { code: 'x.flaky' } });
      await world.close();
    }
  });

  test('at_most_once is repeated only while nothing was sent (§3.1)', async () => {
    for (const [error, calls] of [
      [{ retryable: true, notSent: true }, 3],
      [{ retryable: true }, 1],
    ] as const) {
      const bench = await Bench.create();
      const adapter = fakeAdapter(flaky(2, error), { deliveryClass: 'at_most_once' });
      const world = await bench.open({ adapters: [adapter], random: () => 0 });
      await world.startPlan(start('a'));
      await runMoving(bench, world);
      expect(adapter.calls.length).toBe(calls);
      await world.close();
    }
  });

  test('all attempts share the time limit: a pause that does not fit ends with the error', async () => {
    const bench = await Bench.create();
    const adapter = fakeAdapter(flaky(9, { retryable: true, retryAfterMs: 2_000 }), { timeoutMs: 1_000 });
    const world = await bench.open({ adapters: [adapter] });
    await world.startPlan(start('a'));
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    expect(adapter.calls.length).toBe(1);
    expect(await receiptOf(bench)).toMatchObject({ error: { code: 'x.flaky' } });
    await world.close();
  });

  describe('a world that closes waits for no pause (§7.5)', () => {
    const again = { retryable: true, notSent: true, retryAfterMs: 20_000 };
    /** A world whose one effect waits for its second attempt; its clock stands still. */
    async function paused(deliveryClass: 'read' | 'keyed' | 'at_most_once') {
      const bench = await Bench.create();
      const adapter = fakeAdapter(flaky(1, again), { deliveryClass });
      let isPaused = false;
      const onHostEvent = ({ event }: HostEvent) => {
        isPaused ||= event === 'attempt_failed';
      };
      const world = await bench.open({ adapters: [adapter], onHostEvent });
      await world.startPlan(start('a'));
      await until(() => isPaused);
      return { bench, adapter, world };
    }

    test.each(['read', 'keyed'] as const)('what is %s is left to the next start', async (deliveryClass) => {
      const { bench, adapter, world } = await paused(deliveryClass);
      await world.close({ graceMs: 3_600_000 });
      expect(await receiptOf(bench)).toBeUndefined();
      const next = await bench.open({ adapters: [adapter] });
      unwrap(await next.runBatch({ timeoutMs: 10_000 }));
      await next.close();
      expect(adapter.calls.map(({ attempt, externalKey }) => [attempt, externalKey])).toEqual([
        [1, adapter.calls[0]?.externalKey],
        [2, adapter.calls[0]?.externalKey],
      ]);
      expect(await receiptOf(bench)).toMatchObject({ status: 'ok' });
      await bench.replays();
    });

    test('so is an attempt that fails meanwhile', async () => {
      const bench = await Bench.create();
      const answered = gate();
      const fails = flaky(1, again);
      const adapter = fakeAdapter(() => answered.promise.then(fails));
      const world = await bench.open({ adapters: [adapter] });
      await world.startPlan(start('a'));
      await until(() => adapter.calls.length === 1);
      const closed = world.close({ graceMs: 3_600_000 });
      answered.open();
      await closed;
      expect(await receiptOf(bench)).toBeUndefined();
    });

    test('what may be sent once only is waited for: its mark would say that it may have been sent', async () => {
      const { bench, adapter, world } = await paused('at_most_once');
      const closed = world.close({ graceMs: 3_600_000 });
      bench.clock.advanceMs(20_000);
      await closed;
      expect(adapter.calls.length).toBe(2);
      expect(await receiptOf(bench)).toMatchObject({ status: 'ok' });
    });
  });
});

describe('time limits (§3.5)', () => {
  test('at the limit the signal fires; an adapter that comes back then gives a timeout receipt with its payload', async () => {
    const bench = await Bench.create();
    let reason: unknown;
    const adapter = fakeAdapter(
      (_, ctx) =>
        new Promise((resolve) => {
          ctx.signal.addEventListener('abort', () => {
            reason = (ctx.signal.reason as Error).name;
            resolve({
              status: 'error',
              error: { code: 'x.aborted', message: 'aborted' },
              payload: { text: 'partial' },
            });
          });
        }),
      { timeoutMs: 1_000 },
    );
    const world = await bench.open({ adapters: [adapter] });
    await world.startPlan(start('a'));
    await until(() => adapter.calls.length === 1);
    bench.clock.advanceMs(999);
    await settle();
    expect(reason).toBeUndefined();
    bench.clock.advanceMs(1);
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    expect(reason).toBe('TimeoutError');
    const receipt = await receiptOf(bench);
    expect(receipt).toMatchObject({ status: 'timeout', error: { code: 'adapter.timeout' } });
    expect(receipt!.payload_cbor).toBeDefined();
    await world.close();
  });

  test('an adapter that ignores the signal for 5 s is given up, reported, and its late result dropped', async () => {
    const bench = await Bench.create();
    const late = gate<EffectOutcome>();
    const adapter = fakeAdapter(() => late.promise, { timeoutMs: 1_000 });
    const log = recordingLog();
    const world = await bench.open({ adapters: [adapter], log });
    await world.startPlan(start('a'));
    await until(() => adapter.calls.length === 1);
    bench.clock.advanceMs(5_999);
    await settle();
    expect(await receiptOf(bench)).toBeUndefined();
    bench.clock.advanceMs(1);
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    expect(await receiptOf(bench)).toMatchObject({ status: 'timeout', error: { code: 'adapter.timeout' } });
    expect(log.lines.some((line) => line.includes('ignored its time limit'))).toBe(true);
    late.open(okOutcome());
    await settle();
    expect((await bench.of('effect_receipt')).length).toBe(1);
    await world.close();
  });

  test('`effects.timeout_ms` holds for adapters without a limit and never undercuts an own longer one', async () => {
    for (const [own, general, expiresAtMs] of [
      [undefined, 500, 500],
      [2_000, 500, 2_000],
    ] as const) {
      const bench = await Bench.create();
      let isAborted = false;
      const adapter = fakeAdapter(
        (_, ctx) =>
          new Promise((resolve) => {
            ctx.signal.addEventListener('abort', () => {
              isAborted = true;
              resolve(okOutcome());
            });
          }),
        own === undefined ? {} : { timeoutMs: own },
      );
      const config = hostConfig((c) => ({ effects: { ...c.effects, timeoutMs: general } }));
      const world = await bench.open({ adapters: [adapter], config });
      await world.startPlan(start('a'));
      await until(() => adapter.calls.length === 1);
      bench.clock.advanceMs(expiresAtMs - 1);
      expect(isAborted).toBe(false);
      bench.clock.advanceMs(1);
      expect(isAborted).toBe(true);
      unwrap(await world.runBatch({ timeoutMs: 5_000 }));
      // It had succeeded all the same, and that is the truth.
      expect(await receiptOf(bench)).toMatchObject({ status: 'ok' });
      await world.close();
    }
  });
});

describe('concurrency', () => {
  async function mostAtOnce(adapter: { maxConcurrency?: number }, maxInFlight: number): Promise<number> {
    let now = 0;
    let most = 0;
    const bench = await Bench.create();
    const slow = fakeAdapter(async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return okOutcome();
    }, adapter);
    const config = hostConfig((c) => ({ effects: { ...c.effects, maxInFlight } }));
    const world = await bench.open({ adapters: [slow], config });
    await Promise.all(Array.from({ length: 60 }, (_, i) => world.startPlan(start(`n${i}`))));
    unwrap(await world.runBatch({ wait: true, timeoutMs: 10_000 }));
    await world.close();
    expect((await bench.done()).length).toBe(60);
    return most;
  }

  test('an adapter has at most 16 requests in flight, or as many as it says', async () => {
    expect(await mostAtOnce({}, 64)).toBe(16);
    expect(await mostAtOnce({ maxConcurrency: 3 }, 64)).toBe(3);
  });

  test('`effects.max_in_flight` bounds all of them together', async () => {
    expect(await mostAtOnce({ maxConcurrency: 50 }, 5)).toBe(5);
  });

  test('one slow effect holds back nobody else’s receipt', async () => {
    const bench = await Bench.create();
    const slow = gate();
    const adapter = fakeAdapter(async (request) => {
      if ((request.params as { id: string }).id === 'slow') await slow.promise;
      return okOutcome();
    });
    const world = await bench.open({ adapters: [adapter] });
    await world.startPlan(start('slow'));
    await world.startPlan(start('quick'));
    await until(async () => (await bench.done()).length === 1);
    expect(await bench.done()).toEqual(['quick']);
    slow.open();
    unwrap(await world.runBatch({ wait: true, timeoutMs: 5_000 }));
    expect(await bench.done()).toEqual(['quick', 'slow']);
    await world.close();
  });
});

describe('the started mark (§3.3)', () => {
  test('an at_most_once call is made only after its mark is durable', async () => {
    const bench = await Bench.create();
    const calls: string[] = [];
    const { world, connection } = await bench.openCuttable({
      adapters: [
        fakeAdapter(
          async () => {
            calls.push(...connection.calls);
            return okOutcome();
          },
          { deliveryClass: 'at_most_once' },
        ),
      ],
    });
    await world.startPlan(start('a'));
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    expect(calls).toEqual(['commit', 'outbox.start']);
    await world.close();
  });

  test('a mark that is lost to another claim: not called under the old one, and claimed again by itself', async () => {
    const bench = await Bench.create();
    const adapter = fakeAdapter(undefined, { deliveryClass: 'at_most_once' });
    let isLost = true;
    const { outbox } = bench.store;
    const store = {
      ...bench.store,
      outbox: {
        ...outbox,
        async start(worldId: string, seq: number, token: Uint8Array) {
          if (!isLost) return outbox.start(worldId, seq, token);
          isLost = false;
          await outbox.retry(worldId, seq, token, 0, 'given back');
          return { answer: 'lost' as const };
        },
      },
    };
    const world = await bench.open({ store, adapters: [adapter] });
    await world.startPlan(start('a'));
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    await world.close();
    expect(adapter.calls.map((c) => c.attempt)).toEqual([2]);
    expect(await receiptOf(bench)).toMatchObject({ status: 'ok' });
  });

  test('read and keyed calls need none', async () => {
    const bench = await Bench.create();
    const { world, connection } = await bench.openCuttable();
    await world.startPlan(start('a'));
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    expect(connection.calls).not.toContain('outbox.start');
    await world.close();
  });
});

describe('registry (§4)', () => {
  const adapter = (id: string, ...kinds: string[]): EffectAdapter => ({ id, kinds, classify: () => 'read' });

  test('the exact kind wins over a wildcard, the longest wildcard over a shorter one', () => {
    const registry = unwrap(
      AdapterRegistry.of([adapter('a', 'mcp.call.*'), adapter('b', 'mcp.call.search'), adapter('c', 'mcp.*')]),
    );
    expect(
      ['mcp.call.search', 'mcp.call.other', 'mcp.list', 'http.request'].map((kind) => registry.find(kind)?.id),
    ).toEqual(['b', 'a', 'c', undefined]);
  });

  test.each([
    ['one pattern twice', [adapter('a', 'x.y'), adapter('b', 'x.y')]],
    ['a reserved id', [adapter('kernel.x', 'x.y')]],
    ['the dispatcher’s id', [adapter('host.dispatch', 'x.y')]],
    ['a manual id', [adapter('manual.x', 'x.y')]],
    ['a wildcard in the middle', [adapter('a', 'x.*.y')]],
  ])('%s: adapter.conflict', (_, adapters) => {
    expect(AdapterRegistry.of(adapters)).toMatchObject({ ok: false, failure: { code: 'adapter.conflict' } });
  });
});

describe('secrets (§6)', () => {
  const withSecret = NODES.flatMap((node) => {
    if (node['$kind'] === 'manifest') {
      const manifest = node as { secrets?: unknown };
      return [{ ...manifest, secrets: [{ name: 't/key@1' }] }];
    }
    if (node['name'] === 't/call@1') return [{ ...node, params_schema: 't/Key@1' }];
    if (node['name'] === 't/call_plan@1') {
      const plan = node as { steps: { id: string }[] };
      const token = {
        variant: { tag: 'secret', value: { record: { alias: { text: 't/key' }, version: { nat: 1 } } } },
      };
      return [
        {
          ...plan,
          steps: plan.steps.map((step) =>
            step.id === 'go' ? { ...step, params: { record: { id: { ref: '@plan.input.id' }, token } } } : step,
          ),
        },
      ];
    }
    if (node['$kind'] === 'defplan' && ['t/unkeyed@1', 't/steps@1'].includes(node['name'] as string)) return [];
    return [node];
  }).map((node) =>
    node['$kind'] === 'manifest'
      ? {
          ...node,
          plans: (node['plans'] as { name: string }[]).filter((p) => !['t/unkeyed@1', 't/steps@1'].includes(p.name)),
        }
      : node,
  );
  const nodes = [...withSecret, { $kind: 'defsecret', name: 't/key@1', binding_id: 'env:TEST_KEY' }];

  async function runSecret(execute: NonNullable<EffectAdapter['execute']>, env: Record<string, string>, more = {}) {
    const bench = await Bench.create({ nodes });
    const log = recordingLog();
    const adapter = fakeAdapter(execute);
    const world = await bench.open({ adapters: [adapter], env, log, ...more });
    await world.startPlan(start('a'));
    unwrap(await world.runBatch({ timeoutMs: 5_000 }));
    await world.close();
    return { bench, adapter, log, receipt: (await receiptOf(bench))! };
  }

  test('the adapter sees the plaintext, the journal only the reference', async () => {
    const { adapter, bench, receipt } = await runSecret(async () => okOutcome(), { TEST_KEY: 'hunter2-hunter2' });
    expect(receipt.status).toBe('ok');
    expect((adapter.calls[0]!.params as { token: unknown }).token).toEqual({
      $tag: 'literal',
      $value: 'hunter2-hunter2',
    });
    const batches = unwrap(await collectBatches(bench.store, bench.worldId, 0));
    const bytes = batches.map((batch) => Buffer.from(batch.body).toString('latin1')).join();
    expect(bytes).toContain('t/key');
    expect(bytes).not.toContain('hunter2');
  });

  test('a secret that cannot be resolved: the world opens, the effect gets an error receipt, nothing is sent', async () => {
    const { adapter, receipt, log } = await runSecret(async () => okOutcome(), {});
    expect(receipt).toMatchObject({ adapter_id: 'host.dispatch', error: { code: 'secret.unavailable' } });
    expect(adapter.calls).toEqual([]);
    expect(log.lines.some((line) => line.includes('a secret is not available'))).toBe(true);
  });

  test.each([
    ['comes', true],
    ['turns out to be missing', false],
  ])(
    'a secret that %s after the world has stopped: nothing is sent, and no other effect begins (D5)',
    async (_, isThere) => {
      const bench = await Bench.create({
        nodes: [...withSecret, { $kind: 'defsecret', name: 't/key@1', binding_id: 'file:key' }],
      });
      const secretsDir = mkdtempSync(join(tmpdir(), 'worldline-secrets-'));
      if (isThere) writeFileSync(join(secretsDir, 'key'), 'hunter2-hunter2');
      const adapter = fakeAdapter(async () => okOutcome(), { maxConcurrency: 1 });
      const events: HostEvent[] = [];
      const onHostEvent = (event: HostEvent) => events.push(event);
      const world = await bench.open({ adapters: [adapter], secretsDir, onHostEvent });
      await Promise.all([world.startPlan(start('a')), world.startPlan(start('b'))]);
      // The file is being read, and the second effect waits for the place of the first.
      await world.close({ hurry: AbortSignal.abort() });
      // Whatever was asked of the disk before is answered by then.
      for (let i = 0; i < 20; i++) await lstat(secretsDir);
      await settle();
      expect(adapter.calls).toEqual([]);
      expect(events.map(({ event, attempt }) => [event, attempt])).toEqual([['dispatch', 1]]);
      rmSync(secretsDir, { recursive: true });
    },
  );

  test('a payload or a blob that holds the secret: secret.leak, unless the kind may echo', async () => {
    const env = { TEST_KEY: 'hunter2-hunter2' };
    expect((await runSecret(async () => okOutcome('it is hunter2-hunter2!'), env)).receipt).toMatchObject({
      error: { code: 'secret.leak' },
    });
    const blob = await runSecret(
      async (_, ctx) => okOutcome(await ctx.blobs.put(new TextEncoder().encode('hunter2-hunter2'))),
      env,
    );
    expect(blob.receipt).toMatchObject({ error: { code: 'secret.leak' } });
    const config = hostConfig((c) => ({ secrets: { ...c.secrets, allowEcho: ['t.call'] } }));
    expect((await runSecret(async () => okOutcome('it is hunter2-hunter2!'), env, { config })).receipt.status).toBe(
      'ok',
    );
  });

  test('errors and logs are redacted', async () => {
    const { receipt, log } = await runSecret(
      async (_, ctx) => {
        ctx.log.warn('using hunter2-hunter2', { key: 'hunter2-hunter2' });
        throw new Error('bad key hunter2-hunter2');
      },
      { TEST_KEY: 'hunter2-hunter2' },
    );
    expect(receipt.error!.message).toBe('bad key «redacted:t/key»');
    expect(log.lines.join()).not.toContain('hunter2');
  });
});
