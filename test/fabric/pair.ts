import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { decode, encode, unwrap } from '@worldline/canon';
import { encodeInboxItem } from '@worldline/host';
import type { JournalRecord } from '@worldline/kernel';
import type { Store } from '@worldline/ports';
import { openSqliteStore } from '@worldline/store-sqlite';
import type { FailpointRule } from '@worldline/testkit';
import { expect } from 'vitest';
import { checkAtRest, checkParity, ofKind, recordsOf, unread } from '../crash/check.ts';
import type { DaemonSettings } from '../crash/daemon-child.ts';
import { isRunning } from '../crash/folder.ts';
import { Child } from '../crash/lab.ts';

/**
 * Two standalone worlds that talk, each in a process of its own: those of `examples/06-request-response-turnkey`
 * (`patterns.md` F11).
 */

const EXAMPLE = fileURLToPath(new URL('../../examples/06-request-response-turnkey', import.meta.url));
const PACK = fileURLToPath(new URL('../../packs/request-response', import.meta.url));
const WORLDLINE = fileURLToPath(new URL('../../packages/cli/bin/worldline.js', import.meta.url));
const DAEMON = fileURLToPath(new URL('../crash/daemon-child.ts', import.meta.url));

export const ASK = 'pack.reqresp/Ask@1';
export const REQUEST = 'pack.reqresp/Request@1';
export const RESPONSE = 'pack.reqresp/Response@1';
export const SETTLED = 'pack.reqresp/AskSettled@1';
export const REPLIED = 'pack.reqresp/ReplySettled@1';

export interface Entry {
  readonly seq: number;
  readonly record: JournalRecord;
}

/** One world folder, the processes that run it, and what its store says. */
export class Side {
  readonly root: string;
  readonly #children: Child[] = [];
  #store: Promise<Store> | undefined;

  constructor(root: string) {
    this.root = root;
  }

  get worldId(): string {
    const text = readFileSync(join(this.root, '.worldline', 'world.json'), 'utf8');
    return (JSON.parse(text) as { readonly world_id: string }).world_id;
  }

  configure(config: unknown): void {
    writeFileSync(join(this.root, 'worldline.host.json'), JSON.stringify(config));
  }

  dotEnv(text: string): void {
    writeFileSync(join(this.root, '.env'), text);
  }

  get configured(): Record<string, unknown> {
    return JSON.parse(readFileSync(join(this.root, 'worldline.host.json'), 'utf8')) as Record<string, unknown>;
  }

  command(...argv: readonly string[]): Child {
    return this.#started(new Child([WORLDLINE, '--world', this.root, ...argv]));
  }

  /** The output of a command that must succeed. */
  async said(...argv: readonly string[]): Promise<string> {
    const child = this.command(...argv);
    expect(await child.gone, child.log).toBe(0);
    return child.lines.join('\n');
  }

  /** `worldline run`, without waiting until it runs. */
  start(settings?: DaemonSettings): Child {
    // As it is built, unless it is to be ended from within.
    if (settings === undefined) return this.command('run');
    const own = ['--disable-warning=ExperimentalWarning', DAEMON, JSON.stringify(settings)];
    return this.#started(new Child([...own, '--world', this.root, 'run']));
  }

  async run(): Promise<Child> {
    const child = this.start();
    await child.until('the start', () => isRunning(child));
    return child;
  }

  /** A process that a failpoint ends, at work or as soon as it has opened the world. */
  async runOrEnd(settings: DaemonSettings): Promise<Child> {
    const child = this.start(settings);
    while (!child.isGone && !isRunning(child)) await sleep(10);
    return child;
  }

  #started(child: Child): Child {
    this.#children.push(child);
    return child;
  }

  async stop(child: Child): Promise<void> {
    await child.until('the start', () => isRunning(child));
    child.kill('SIGTERM');
    expect(await child.gone, child.log).toBe(0);
  }

  async kill(child: Child): Promise<void> {
    child.kill('SIGKILL');
    expect(await child.gone).toBe('SIGKILL');
  }

  /** One connection for the whole test, as a client beside the world keeps it. */
  async look<T>(use: (store: Store, worldId: string) => Promise<T>): Promise<T> {
    this.#store ??= openSqliteStore(join(this.root, '.worldline', 'store')).then((opened) => unwrap(opened));
    return use(await this.#store, this.worldId);
  }

  /** Puts an event into the inbox, as a client beside the world does. */
  async send(schema: string, value: Parameters<typeof encode>[0], id: string): Promise<void> {
    const ingress = { kind: 'event', schema, value: encode(value), ingressId: id } as const;
    const { item, digest, dedupeKey } = encodeInboxItem({ ingress, dedupeKey: id, enqueuedAtNs: 0n });
    const answer = await this.look((store, worldId) => store.inbox.enqueue(worldId, item, digest, dedupeKey));
    expect(answer.answer).toBe('ok');
  }

  async entries(): Promise<readonly Entry[]> {
    return (await this.look(recordsOf)).map((record, seq) => ({ seq, record }));
  }

  /** Values of the events of a schema, in journal order. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it, and a wrong guess fails them
  async events(schema: string): Promise<any[]> {
    return ofKind(await this.look(recordsOf), 'domain_event')
      .filter((event) => event.schema === schema)
      .map((event) => unwrap(decode(event.value)));
  }

  async removed(): Promise<void> {
    for (const child of this.#children) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await child.gone;
    }
    await (await this.#store)?.close();
  }
}

let template: string | undefined;

/** Both worlds as they are when they have been made and nothing has happened; once per test file. */
async function makeTemplate(): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'worldline-pair-'));
  process.once('exit', () => rmSync(root, { recursive: true, force: true }));
  furnish(root);
  const isSource = (path: string) => !path.endsWith('/.worldline');
  for (const name of ['desk', 'lab']) {
    cpSync(join(EXAMPLE, name), join(root, name), { recursive: true, filter: isSource });
    const child = new Child([WORLDLINE, '--world', join(root, name), 'run', '--batch']);
    if ((await child.gone) !== 0) throw new Error(child.log);
  }
  template = root;
  return root;
}

function furnish(root: string): void {
  const scope = join(root, 'node_modules', '@worldline');
  mkdirSync(scope, { recursive: true });
  symlinkSync(PACK, join(scope, 'request-response'));
}

export class Pair {
  readonly root = mkdtempSync(join(tmpdir(), 'worldline-pair-'));
  readonly desk = new Side(join(this.root, 'desk'));
  readonly lab = new Side(join(this.root, 'lab'));

  static async make(): Promise<Pair> {
    const from = template ?? (await makeTemplate());
    const pair = new Pair();
    for (const name of ['desk', 'lab']) cpSync(join(from, name), join(pair.root, name), { recursive: true });
    furnish(pair.root);
    return pair;
  }

  async remove(): Promise<void> {
    await this.desk.removed();
    await this.lab.removed();
    if (existsSync(this.root)) rmSync(this.root, { recursive: true, force: true });
  }

  /** A question of the desk; its answer is its body. */
  ask(id: string, seconds = 3_600): Promise<void> {
    const deadline_ns = (BigInt(Date.now()) + BigInt(seconds * 1_000)) * 1_000_000n;
    const value = { correlation_id: id, dest_world: 'lab', reply_world: 'desk', topic: 't', body_ref: bodyOf(id) };
    return this.desk.send(ASK, { ...value, deadline_ns }, `ask:${id}`);
  }

  /** Waits until the desk has settled so many questions. @param alive - a process whose end would be in vain. */
  async settled(alive: Child, count: number): Promise<void> {
    await alive.until(`${count} settled`, async () => (await this.desk.events(SETTLED)).length >= count);
  }

  /** Ends both cleanly, once neither has anything left to do but wait for deadlines. */
  async stop(running: { readonly desk: Child; readonly lab: Child }): Promise<void> {
    for (const side of ['desk', 'lab'] as const) {
      const { [side]: child } = running;
      await child.until(`${side} is at rest`, async () => {
        const open = openOf(await this[side].look(recordsOf));
        return open.effects.length + open.runs === 0 && (await this[side].look(unread)).length === 0;
      });
    }
    await this.lab.stop(running.lab);
    await this.desk.stop(running.desk);
  }

  /**
   * What must be true of both worlds when everything has been answered and both are closed: each question settled once by
   * its own answer, each request taken once and answered once, one receipt per message; and parity.
   */
  async checkAnswered(ids: readonly string[]): Promise<void> {
    const settled = await this.desk.events(SETTLED);
    expect(settled.map((event) => event.correlation_id).toSorted()).toEqual(ids.toSorted());
    for (const { correlation_id, result } of settled)
      expect([correlation_id, result]).toEqual([correlation_id, answeredBy(correlation_id)]);
    const requests = await this.lab.events(REQUEST);
    expect(requests.map((event) => event.correlation_id).toSorted()).toEqual(ids.toSorted());
    const replied = await this.lab.events(REPLIED);
    expect(replied.map((event) => event.correlation_id).toSorted()).toEqual(ids.toSorted());
    await this.checkParity();
  }

  async checkParity(): Promise<void> {
    await this.lab.look((store, worldId) => checkAtRest(store, worldId, 20));
    await this.desk.look((store, worldId) => checkParity(store, worldId, 20));
    // Deadlines of questions that are answered are still to come; everything else has its receipt, and every run its end.
    expect(openOf(await this.desk.look(recordsOf))).toEqual({ effects: [], runs: 0 });
  }
}

/** Seqs of effects without a receipt, timers left out, and the number of runs without an end. */
function openOf(records: readonly JournalRecord[]): { readonly effects: readonly number[]; readonly runs: number } {
  const effects = new Set(
    records.flatMap((record, seq) =>
      record.record_kind === 'effect_intent' && record.kind !== 'timer.set' ? [seq] : [],
    ),
  );
  for (const receipt of ofKind(records, 'effect_receipt')) effects.delete(receipt.emission_seq);
  const runs = ofKind(records, 'plan_started').length - ofKind(records, 'plan_ended').length;
  return { effects: [...effects], runs };
}

/** A body of its own for each question, so that a wrong answer is seen. */
export function bodyOf(id: string): string {
  return `sha256:${Buffer.from(id).toString('hex').padEnd(64, '0').slice(0, 64)}`;
}

export function answeredBy(id: string) {
  return { $tag: 'Settled', $value: { $tag: 'Answered', $value: { body_ref: bodyOf(id) } } };
}

export const killAt = (point: Omit<FailpointRule, 'act'>, where: 'host' | 'store' = 'host'): DaemonSettings => {
  const rules: FailpointRule[] = [{ ...point, act: 'kill' }];
  return where === 'host' ? { hostRules: rules } : { storeRules: rules };
};
