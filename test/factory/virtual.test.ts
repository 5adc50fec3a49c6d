import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fabricAdapter } from '@worldline/adapters';
import { fail } from '@worldline/canon';
import type { FabricPeer } from '@worldline/ports';
import { printSummary, renderSummary, summaryToJson } from '@worldline/summary';
import { VirtualClock } from '@worldline/testkit';
import { expect, test } from 'vitest';
import { differences, expectedFactory, expectedRequester, measured } from '../../examples/10-factory/lib/expected.mjs';
import { makeOrders, NEAR_NS, wanted } from '../../examples/10-factory/lib/orders.mjs';
import { matches } from '../../examples/10-factory/lib/report.mjs';
import { type Node, packNodes } from '../packs/consumer.ts';
import { HostStage } from '../packs/host-stage.ts';
import { type Order, Workshop } from './workshop.ts';

/**
 * Both worlds of `examples/10-factory` on the real host with one virtual clock: an order of each category, with approval,
 * correlated wait, fan-out and restarts (`summaries.md` §9). The summaries are compared with the committed ones, byte for byte.
 *
 * `WORLDLINE_UPDATE_GOLDEN=1 npm test -- test/factory/virtual.test.ts` writes the committed ones anew.
 */

const EXAMPLE = new URL('../../examples/10-factory/', import.meta.url);
const UPDATES = process.env['WORLDLINE_UPDATE_GOLDEN'] === '1';
const HTTP_TIMEOUT_MS = 10_000;
const NAMES = ['factory', 'requester'] as const;
type Name = (typeof NAMES)[number];

function nodesOf(folder: string): readonly Node[] {
  const url = new URL(`${folder}/`, EXAMPLE);
  return readdirSync(url).flatMap((name) => {
    const json = JSON.parse(readFileSync(new URL(name, url), 'utf8')) as Node | Node[];
    return Array.isArray(json) ? json : [json];
  });
}

const NODES: Readonly<Record<Name, readonly Node[]>> = {
  factory: [
    ...nodesOf('contract'),
    ...nodesOf('factory/air'),
    ...packNodes('deadline-race'),
    ...packNodes('approval-gate'),
  ],
  requester: [...nodesOf('contract'), ...nodesOf('requester/air')],
};

/** The two worlds, and everything around them. */
class TwoWorlds {
  readonly clock = new VirtualClock();
  readonly workshop: Workshop;
  readonly stages = {} as Record<Name, HostStage>;

  private constructor(orders: readonly Order[]) {
    this.workshop = new Workshop(orders);
  }

  static async open(orders: readonly Order[]): Promise<TwoWorlds> {
    const worlds = new TwoWorlds(orders);
    for (const [name, other, schema] of [
      ['factory', 'requester', 'factory/Order@1'],
      ['requester', 'factory', 'factory/Answer@1'],
    ] as const)
      worlds.stages[name] = await HostStage.open(NODES[name], {
        clock: worlds.clock,
        http: worlds.workshop,
        httpTimeoutMs: HTTP_TIMEOUT_MS,
        config: { fabric_accept: [{ from: other, schemas: [schema], modes: ['event'] }] },
        adapters: () => [fabricAdapter({ peers: new Map([[other, worlds.#peer(name, other)]]) })],
      });
    return worlds;
  }

  #peer(from: Name, to: Name): FabricPeer {
    return {
      deliver: async (message) => {
        const taken = await this.stages[to].world.receiveMessage({ name: from }, message);
        return taken.ok ? taken : fail({ ...taken.failure, retryable: true });
      },
    };
  }

  /** Waits until it holds; the test's own time limit ends it when it never does. */
  async until(holds: () => Promise<boolean> | boolean): Promise<void> {
    while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2));
  }

  async closed(): Promise<readonly { readonly request_id: string; readonly outcome: object }[]> {
    return (await this.stages.requester.settled('office/OrderClosed@1')) as {
      request_id: string;
      outcome: object;
    }[];
  }

  async answered(count: number): Promise<void> {
    await this.until(async () => (await this.closed()).length >= count);
  }

  async decide(order: Order): Promise<void> {
    await this.stages.factory.decide(`release ${order.id}`, order.approver === 'deny' ? 'denied' : 'approved');
  }

  /** Waits until nothing is under way but these requests and questions, and deadlines. */
  async parked(requests: number, questions: number): Promise<void> {
    await this.until(async () => {
      const open = await Promise.all(NAMES.map((name) => this.stages[name].world.effects()));
      const count = (kind: string) => open.flat().filter(({ emission }) => emission.kind === kind).length;
      const others = open.flat().length - count('timer.set') - count('http.request') - count('approval.request');
      return others === 0 && count('http.request') === requests && count('approval.request') === questions;
    });
  }

  async each(act: (stage: HostStage) => Promise<void>): Promise<void> {
    for (const name of NAMES) await act(this.stages[name]);
  }
}

const ORDERS = makeOrders(12, 'golden');
const of = (test: (order: Order) => boolean) => ORDERS.filter(test);
const named = (...names: readonly string[]) => of(({ category }) => names.includes(category.name));
const withTask = (fate: string) => of(({ tasks }) => tasks.some((task) => task.fate === fate));
const isKilled = ({ category }: Order) => category.killed !== undefined;

/** @param restarts - both worlds go on from a new baseline after every act, as new processes would. */
async function played(restarts: boolean) {
  const worlds = await TwoWorlds.open(ORDERS);
  const { workshop, stages } = worlds;
  const held = () => workshop.held('late') + workshop.held('silent');
  const [late, mute] = [withTask('late').length, withTask('silent').length];
  const baseline = async () => {
    await worlds.each((stage) => stage.baseline());
    if (restarts) await worlds.each((stage) => stage.restart());
  };

  for (const order of ORDERS)
    await stages.requester.send('office/OrderWanted@1', wanted(order, 'http://127.0.0.1', 0n));
  // Whether an answer or the receipt of its order comes first is left to nobody: all orders are out before any work is done.
  await worlds.until(async () =>
    (await stages.requester.world.effects()).every(({ emission: { kind } }) => kind === 'timer.set'),
  );
  workshop.open();
  let answered = named('rejected by a tool', 'adapter error', 'capability deny', 'invariant violation').length;
  let asked = ORDERS.length - answered - late - mute;
  await worlds.answered(answered);
  await worlds.parked(late + mute, asked);
  await baseline();
  await worlds.until(() => held() === late + mute);

  // The near deadlines: of a task, whose answer then comes for nobody, and of an approval, which is withdrawn.
  worlds.clock.advance(NEAR_NS);
  const silent = of(({ approver }) => approver === 'silent').length;
  answered += late + silent;
  asked -= silent;
  await worlds.answered(answered);
  workshop.answerLate();
  await worlds.parked(mute, asked);
  await baseline();
  await worlds.until(() => held() === mute);

  // The tool that never answers.
  worlds.clock.advance(BigInt(HTTP_TIMEOUT_MS) * 1_000_000n);
  answered += mute;
  await worlds.answered(answered);
  await worlds.parked(0, asked);
  await baseline();

  // A publication and an announcement are under way when the factory goes down.
  for (const order of of(isKilled)) await worlds.decide(order);
  await worlds.until(() => workshop.held('publish') === 1 && workshop.held('announce') === 1);
  workshop.comeBack();
  await stages.factory.restart();
  answered += of(isKilled).length;
  asked -= of(isKilled).length;
  await worlds.answered(answered);
  await worlds.parked(0, asked);
  await baseline();

  for (const order of named('published', 'refused by the approver', 'policy deny')) await worlds.decide(order);
  await worlds.answered(ORDERS.length);
  await worlds.parked(0, 0);
  await baseline();

  await worlds.each((stage) => stage.replays());
  const closed = await worlds.closed();
  const summaries = {
    factory: await stages.factory.summary(),
    requester: await stages.requester.summary(),
  };
  await worlds.each((stage) => stage.close());
  return { closed, summaries };
}

test('every order ends as its category says, and the summaries are the committed ones, live and restored', {
  timeout: 300_000,
}, async () => {
  const { closed, summaries } = await played(false);
  for (const { id, category } of ORDERS) {
    const outcomes = closed.filter(({ request_id }) => request_id === id).map(({ outcome }) => outcome);
    expect(outcomes).toHaveLength(1);
    expect(matches(category.outcome, outcomes[0]), `${category.name}: ${JSON.stringify(outcomes)}`).toBe(true);
  }
  const restored = (await played(true)).summaries;
  const expected = { factory: expectedFactory(ORDERS), requester: expectedRequester(ORDERS) };
  for (const name of NAMES) {
    const summary = summaries[name];
    expect(summary.inconsistencies).toEqual([]);
    expect(differences(expected[name], measured(JSON.parse(JSON.stringify(summaryToJson(summary)))))).toEqual([]);
    const text = printSummary(summary);
    const artifacts = fileURLToPath(new URL(`../../artifacts/10-factory/${name}/`, import.meta.url));
    mkdirSync(artifacts, { recursive: true });
    writeFileSync(`${artifacts}plan-summary.json`, text);
    writeFileSync(`${artifacts}plan-summary.txt`, renderSummary(summary));
    const golden = fileURLToPath(new URL(`golden/${name}.plan-summary.json`, import.meta.url));
    if (UPDATES) writeFileSync(golden, text);
    const committed = readFileSync(golden, 'utf8');
    // Which members differ is said before the bytes are compared.
    expect(JSON.parse(text)).toEqual(JSON.parse(committed));
    expect(text).toBe(committed);
    expect(JSON.parse(printSummary(restored[name]))).toEqual(JSON.parse(committed));
    expect(printSummary(restored[name])).toBe(committed);
  }
});
