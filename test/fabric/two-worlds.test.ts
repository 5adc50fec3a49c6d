import { join } from 'node:path';
import { postMessage } from '@worldline/adapters';
import { encode, hashText, type Result, sha256, unwrap } from '@worldline/canon';
import type { FabricAcceptance } from '@worldline/ports';
import { readDaemonFile } from '@worldline/server';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ofKind, recordsOf, unread } from '../crash/check.ts';
import type { DaemonSettings } from '../crash/daemon-child.ts';
import { isRunning } from '../crash/folder.ts';
import { seeded } from '../crash/random.ts';
import { bodyOf, killAt, Pair, REQUEST, RESPONSE, SETTLED } from './pair.ts';

/**
 * F11 (`patterns.md` §7) and `hosting.md` §10.3: a desk and a lab in two processes, each ended by SIGKILL at every step of a
 * question and its answer; answers before the receipt, after the deadline, repeated, in another order.
 */

let pair: Pair;
beforeEach(async () => {
  pair = await Pair.make();
}, 120_000);
afterEach(() => pair.remove());

const LONG = { timeout: 300_000 };
const [SEND, ANSWER] = ['fabric.send.request', 'fabric.send.response'];

describe('restarts', () => {
  const LAB_STEPS: readonly (readonly [string, DaemonSettings])[] = [
    ['the request is written and not durable', killAt({ at: 'store.sync', what: 'inbox.enqueue' }, 'store')],
    ['the request is durable and not acknowledged', killAt({ at: 'store.synced', what: 'inbox.enqueue' }, 'store')],
    ['the request is applied', killAt({ at: 'loop.applied', what: 'event' })],
    ['its batch is written and not durable', killAt({ at: 'store.sync', what: 'commit' }, 'store')],
    ['its batch is durable', killAt({ at: 'loop.committed', what: 'event' })],
    ['the answer may leave', killAt({ at: 'dispatch.durable', what: ANSWER })],
    ['the answer is about to be sent', killAt({ at: 'dispatch.calling', what: ANSWER })],
    ['the answer is sent and has no receipt', killAt({ at: 'dispatch.called', what: ANSWER })],
    ['its receipt is applied', killAt({ at: 'loop.applied', what: 'receipt' })],
    ['its receipt is durable', killAt({ at: 'loop.committed', what: 'receipt' })],
  ];

  test('B (the lab) is killed at each step in turn: every question is answered once', LONG, async () => {
    const desk = await pair.desk.run();
    const ids: string[] = [];
    for (const [step, settings] of LAB_STEPS) {
      const lab = await pair.lab.runOrEnd(settings);
      ids.push(`lab-${ids.length}`);
      await pair.ask(ids.at(-1)!);
      expect([step, await lab.gone]).toEqual([step, 'SIGKILL']);
    }
    const lab = await pair.lab.run();
    await pair.settled(lab, ids.length);
    await pair.stop({ desk, lab });
    await pair.checkAnswered(ids);
  });

  const DESK_STEPS: readonly (readonly [string, DaemonSettings])[] = [
    ['the question is applied', killAt({ at: 'loop.applied', what: 'event' })],
    ['the question is durable', killAt({ at: 'loop.committed', what: 'event' })],
    ['the request may leave', killAt({ at: 'dispatch.durable', what: SEND })],
    ['the request is about to be sent', killAt({ at: 'dispatch.calling', what: SEND })],
    ['the request is sent and has no receipt', killAt({ at: 'dispatch.called', what: SEND })],
    ['its receipt is applied', killAt({ at: 'loop.applied', what: 'receipt' })],
    ['its receipt is durable', killAt({ at: 'loop.committed', what: 'receipt' })],
    ['the answer is written and not durable', killAt({ at: 'store.sync', what: 'inbox.enqueue' }, 'store')],
    ['the answer is durable and not acknowledged', killAt({ at: 'store.synced', what: 'inbox.enqueue' }, 'store')],
    ['the answer is applied', killAt({ at: 'loop.applied', what: 'event', hit: 2 })],
    ['the answer is applied and durable', killAt({ at: 'loop.committed', what: 'event', hit: 2 })],
  ];

  test('A (the desk) is killed at each step in turn: every question is settled once', LONG, async () => {
    const lab = await pair.lab.run();
    const ids: string[] = [];
    for (const [step, settings] of DESK_STEPS) {
      const desk = await pair.desk.runOrEnd(settings);
      ids.push(`desk-${ids.length}`);
      await pair.ask(ids.at(-1)!);
      expect([step, await desk.gone]).toEqual([step, 'SIGKILL']);
    }
    const desk = await pair.desk.run();
    await pair.settled(desk, ids.length);
    await pair.stop({ desk, lab });
    await pair.checkAnswered(ids);
  });

  // Every look reads both journals from their beginning, so there is an end to what a long run asks for.
  const KILLS = Math.min(100, Number(process.env['WORLDLINE_KILLS'] ?? 4));
  const SEED = Number(process.env['WORLDLINE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  test(`${KILLS} kills of either at random instants, questions all the time: each is settled once (seed ${SEED})`, {
    timeout: 180_000 + KILLS * 10_000,
  }, async () => {
    const random = seeded(SEED);
    const running = { desk: pair.desk.start(), lab: pair.lab.start() };
    const ids: string[] = [];
    const askSome = async (count: number) => {
      for (let i = 0; i < count; i++) {
        ids.push(`q-${ids.length}`);
        await pair.ask(ids.at(-1)!);
      }
    };
    for (let kill = 0; kill < KILLS; kill++) {
      const side = random() < 0.5 ? 'desk' : 'lab';
      const child = running[side];
      if (random() < 0.75) await child.until('the start', () => isRunning(child));
      await askSome(1 + Math.floor(random() * 4));
      await sleep(random() * 200);
      await pair[side].kill(child);
      running[side] = pair[side].start();
    }
    await askSome(3);
    await pair.settled(running.desk, ids.length);
    await pair.stop(running);
    await pair.checkAnswered(ids);
  });
});

describe('time and order', () => {
  test('the answer is there before the receipt of the send: it settles, and the receipt is late', LONG, async () => {
    const lab = await pair.lab.run();
    const dying = await pair.desk.runOrEnd(killAt({ at: 'dispatch.called', what: SEND }));
    await pair.ask('early');
    expect(await dying.gone).toBe('SIGKILL');
    // The lab answers into the inbox of the desk, which is down; then it stands still and acknowledges nothing.
    await lab.until('the answer', async () => (await pair.desk.look(unread)).length > 0);
    lab.kill('SIGSTOP');
    const desk = await pair.desk.run();
    await pair.settled(desk, 1);
    await desk.until('the receipt', async () => ofKind(await pair.desk.look(recordsOf), 'effect_receipt').length > 0);
    lab.kill('SIGCONT');
    await lab.until('its own receipt', async () => ofKind(await pair.lab.look(recordsOf), 'effect_receipt').length > 0);
    await pair.stop({ desk, lab });
    const entries = await pair.desk.entries();
    const answer = entries.find(({ record }) => record.record_kind === 'domain_event' && record.schema === RESPONSE)!;
    const receipt = entries.find(({ record }) => record.record_kind === 'effect_receipt')!;
    expect(answer.seq).toBeLessThan(receipt.seq);
    expect(receipt.record).toMatchObject({ status: 'ok', disposition: 'late' });
    await pair.checkAnswered(['early']);
  });

  test('the answer comes after the deadline: it is an event, and nothing is settled twice', LONG, async () => {
    const desk = await pair.desk.run();
    await pair.ask('late', 0.5);
    await pair.settled(desk, 1);
    const lab = await pair.lab.run();
    await lab.until('the late answer', async () => (await pair.desk.events(RESPONSE)).length === 1);
    await lab.until('its receipt', async () => ofKind(await pair.lab.look(recordsOf), 'effect_receipt').length > 0);
    await pair.stop({ desk, lab });
    expect(await pair.desk.events(SETTLED)).toMatchObject([{ correlation_id: 'late', result: { $tag: 'TimedOut' } }]);
    await pair.checkParity();
  });

  test(
    'answers that come twice, in another order, from nobody asked: each question takes its own, once',
    LONG,
    async () => {
      const desk = await pair.desk.run();
      await pair.ask('x');
      await pair.ask('y');
      const isSent = async () => ofKind(await pair.desk.look(recordsOf), 'effect_receipt').length === 2;
      await desk.until('both requests in the inbox of the lab', isSent);
      // The test answers in the place of the lab, which is not running, as its host would.
      const answer = async (n: number, correlation_id: string, from_world = 'lab') => {
        const body = { $tag: 'Answered', $value: { body_ref: bodyOf(correlation_id) } };
        const delivered = await postMessage(
          { socketPath: readDaemonFile(join(pair.desk.root, '.worldline'))!.socket! },
          {
            messageId: hashText(sha256(encode(n))),
            fromWorld: pair.lab.worldId,
            schema: RESPONSE,
            value: encode({ correlation_id, from_world, answer: body }),
            mode: 'event',
          },
          new AbortController().signal,
        );
        return unwrap(delivered as Result<FabricAcceptance>);
      };
      const first = await answer(1, 'y');
      expect(await answer(1, 'y')).toEqual({ seq: first.seq, duplicate: true });
      await answer(2, 'z');
      await answer(3, 'x', 'elsewhere');
      await answer(4, 'x');
      await answer(5, 'x');
      expect((await answer(4, 'x')).duplicate).toBe(true);
      await pair.settled(desk, 2);
      // Now the lab itself answers both.
      const lab = await pair.lab.run();
      await lab.until(
        'its receipts',
        async () => ofKind(await pair.lab.look(recordsOf), 'effect_receipt').length === 2,
      );
      await desk.until('its answers', async () => (await pair.desk.events(RESPONSE)).length === 7);
      await pair.stop({ desk, lab });
      expect((await pair.desk.events(SETTLED)).map((event) => event.correlation_id)).toEqual(['y', 'x']);
      await pair.checkAnswered(['x', 'y']);
    },
  );

  test('never at the same time: batch by batch, everything waits in the inboxes, and is counted', LONG, async () => {
    await pair.ask('slow');
    expect(await pair.desk.said('run', '--batch')).toMatch(/^2 effects, 1 receipt;/);
    expect(await pair.lab.said('run', '--batch')).toMatch(/^1 effect, 1 receipt; nothing is waited for/);
    expect(await pair.desk.said('run', '--batch')).toMatch(/^0 effects, 0 receipts; waiting for 1 timer/);
    await pair.checkAnswered(['slow']);
  });

  test('forty questions at once each get their own answer', LONG, async () => {
    const [desk, lab] = [await pair.desk.run(), await pair.lab.run()];
    const ids = Array.from({ length: 40 }, (_, i) => `q-${i}`);
    for (const id of ids) await pair.ask(id);
    await pair.settled(desk, ids.length);
    const all = async () => ofKind(await pair.lab.look(recordsOf), 'plan_ended').length === 2 * ids.length;
    await lab.until('every reply', all);
    await pair.stop({ desk, lab });
    await pair.checkAnswered(ids);
  });
});

describe('over the network', () => {
  async function freePort(): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }

  /** Both reach each other by address and token. */
  async function connected(more: object = {}): Promise<void> {
    const ports = { desk: await freePort(), lab: await freePort() };
    for (const [own, other] of [
      ['desk', 'lab'],
      ['lab', 'desk'],
    ] as const) {
      const token = await pair[other].said('token', 'create', own, '--peer', pair[own].worldId, '--quiet');
      const { world } = pair[own].configured;
      const peers = { [other]: { url: `http://127.0.0.1:${ports[other]}`, token: 'env:PEER_TOKEN' } };
      pair[own].configure({ world, server: { bind: `127.0.0.1:${ports[own]}` }, fabric: { peers }, ...more });
      pair[own].dotEnv(`PEER_TOKEN=${token}\n`);
    }
  }

  test('a peer that is down for a moment is tried again, and killed it has each request once', LONG, async () => {
    await connected();
    const desk = await pair.desk.run();
    await pair.ask('first');
    const dying = await pair.lab.runOrEnd(killAt({ at: 'store.synced', what: 'inbox.enqueue' }, 'store'));
    expect(await dying.gone).toBe('SIGKILL');
    const lab = await pair.lab.run();
    await pair.ask('second');
    await pair.settled(desk, 2);
    await lab.until('both receipts', async () => ofKind(await pair.lab.look(recordsOf), 'effect_receipt').length === 2);
    await pair.stop({ desk, lab });
    await pair.checkAnswered(['first', 'second']);
  });

  test('nobody there: fabric.peer_unreachable; a token that is revoked: fabric.refused', LONG, async () => {
    await connected({ effects: { retry: { 'host.fabric': { max: 0 } } } });
    const desk = await pair.desk.run();
    await pair.ask('nobody');
    await pair.settled(desk, 1);
    const lab = await pair.lab.run();
    await pair.lab.said('token', 'revoke', 'desk');
    await pair.ask('revoked');
    await pair.settled(desk, 2);
    await pair.stop({ desk, lab });
    const failed = (code: string) => ({ $tag: 'Failed', $value: { stage: 'send', code } });
    expect((await pair.desk.events(SETTLED)).map(({ result }) => result)).toEqual([
      failed('fabric.peer_unreachable'),
      failed('fabric.refused'),
    ]);
    const receipts = ofKind(await pair.desk.look(recordsOf), 'effect_receipt');
    expect(receipts.map(({ error }) => error?.retryable)).toEqual([true, false]);
    expect(await pair.lab.events(REQUEST)).toEqual([]);
    await pair.checkParity();
  });
});
