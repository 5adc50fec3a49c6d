import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { unwrap } from '@worldline/canon';
import { uuidv7, type World } from '@worldline/host';
import type { Logger, Store } from '@worldline/ports';
import type { FailpointRule } from '@worldline/testkit';
import { type Composition, create, type Job, open, openStore } from './composition.ts';
import type { ChildTask, Step } from './host-child.ts';
import type { JobKind } from './nodes.ts';
import { Service } from './service.ts';

/** Failpoints of one process. */
export type Rules = Pick<Composition, 'storeRules' | 'hostRules'>;
export type Point = Omit<FailpointRule, 'act'>;

export const kill = (point: Point): FailpointRule[] => [{ ...point, act: 'kill' }];
export const COMMIT = { what: 'commit' } as const;
/** The batch of a receipt is the second commit of a process that sends one job. */
export const SECOND = { what: 'commit', hit: 2 } as const;

const EXECUTOR = fileURLToPath(new URL('./executor-child.ts', import.meta.url));
const CHILD = fileURLToPath(new URL('./host-child.ts', import.meta.url));

/** A process under test. */
export class Child {
  readonly process: ChildProcess;
  readonly lines: string[] = [];
  #log = '';
  /** Signal or exit code. */
  readonly gone: Promise<NodeJS.Signals | number>;

  constructor(command: readonly string[], shell?: string) {
    const own = [process.execPath, ...command];
    const [program = '', ...argv] = shell === undefined ? own : ['bash', '-c', `${shell}; exec "$@"`, 'bash', ...own];
    this.process = spawn(program, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    let rest = '';
    this.process.stdout!.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString()).split('\n');
      rest = parts.pop()!;
      this.lines.push(...parts);
    });
    this.process.stderr!.on('data', (chunk: Buffer) => {
      this.#log += chunk.toString();
    });
    this.gone = new Promise((resolve) => this.process.once('close', (code, signal) => resolve(signal ?? code!)));
  }

  get log(): string {
    return this.#log;
  }

  get isGone(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Waits for a condition; a process that ends first, or two minutes, is an error with what it said. */
  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 120_000;
    while (!(await condition())) {
      if (this.isGone || performance.now() > deadline) {
        const { exitCode, signalCode } = this.process;
        const end = this.isGone ? `the process ended with ${signalCode ?? exitCode}` : 'the process goes on';
        throw new Error(`${what} did not happen, ${end}; it said:\n${this.lines.join('\n')}\n${this.#log}`);
      }
      await sleep(10);
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }
}

const WORLD_ID = uuidv7(BigInt(Date.now()) * 1_000_000n);
let template: string | undefined;

/** A world that nothing has happened in, to be copied; made once per test file. */
async function makeTemplate(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'worldline-crash-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  const composition = { dir, worldId: WORLD_ID };
  const store = await openStore(composition);
  const answer = await create(composition, store);
  await store.close();
  if (answer !== 'ok') throw new Error(`the world was not created: ${answer}`);
  template = dir;
  return dir;
}

/** One world on a disk, the service it talks to, and the processes that come and go. */
export class Lab {
  readonly composition: Composition;
  readonly service: Service;
  readonly #children: Child[] = [];

  private constructor(composition: Composition, service: Service) {
    this.composition = composition;
    this.service = service;
  }

  /** With a world in it, unless it is to be made by a process under test. */
  static async make(given: Partial<Composition> & { readonly isEmpty?: boolean } = {}): Promise<Lab> {
    const { isEmpty, ...rest } = given;
    const dir = mkdtempSync(join(tmpdir(), 'worldline-crash-'));
    if (isEmpty !== true) cpSync(template ?? (await makeTemplate()), dir, { recursive: true });
    return new Lab({ dir, worldId: WORLD_ID, ...rest }, await Service.start());
  }

  async remove(): Promise<void> {
    for (const child of this.#children) {
      child.kill('SIGKILL');
      await child.gone;
    }
    await this.service.stop();
    rmSync(this.composition.dir, { recursive: true, force: true });
  }

  job(kind: JobKind, id: string, ns?: number): Job {
    return { kind, id, url: this.service.url, ns };
  }

  /** A path for `hold` rules. */
  file(name: string): string {
    return join(this.composition.dir, name);
  }

  /** Starts a process that does `steps`. @param shell - what a shell does before it becomes that process. */
  start(steps: readonly Step[], rules: Partial<Composition> = {}, shell?: string): Child {
    const task: ChildTask = { composition: { ...this.composition, ...rules }, steps };
    const command = ['--disable-warning=ExperimentalWarning', CHILD, JSON.stringify(task)];
    const child = new Child(command, shell);
    this.#children.push(child);
    return child;
  }

  /** Runs a process to its end by a failpoint. @returns what it was told before. */
  killed(steps: readonly Step[], rules: Partial<Composition>): Promise<readonly string[]> {
    return this.#dead(this.start(steps, rules));
  }

  /** The same for an executor. */
  executorKilled(rules: Partial<Composition>): Promise<readonly string[]> {
    return this.#dead(this.startExecutor(rules));
  }

  startExecutor(rules: Partial<Composition> = {}): Child {
    const given = JSON.stringify({ ...this.composition, ...rules });
    const child = new Child(['--disable-warning=ExperimentalWarning', EXECUTOR, given]);
    this.#children.push(child);
    return child;
  }

  /** Ends the lease of a process that is gone, and with it the claims that its commits made. */
  async freeRows(): Promise<void> {
    const { worldId } = this.composition;
    await this.withStore(async (store) => {
      const { holder } = (await store.world.get(worldId))!.lease!;
      const lease = await store.lease.acquire(worldId, 'passer-by', 60_000, holder);
      if (lease.answer !== 'ok') throw new Error(lease.answer);
      await store.lease.release(worldId, 'passer-by', lease.epoch);
    });
  }

  async #dead(child: Child): Promise<readonly string[]> {
    const end = await child.gone;
    if (end !== 'SIGKILL') {
      throw new Error(`the process ended with ${end}; it said:\n${child.lines.join('\n')}\n${child.log}`);
    }
    return child.lines;
  }

  /** One job sent directly, by a process that dies at the point. @returns what it said. */
  sendAndDie(kind: JobKind, rules: Rules): Promise<readonly string[]> {
    return this.killed([['open'], ['send', this.job(kind, 'a'), 'applied'], ['rest']], rules);
  }

  /** What a crash left, before anybody opens the world. */
  look<T>(use: (store: Store, worldId: string) => Promise<T>): Promise<T> {
    return this.withStore((store) => use(store, this.composition.worldId), true);
  }

  async withStore<T>(use: (store: Store) => Promise<T>, readOnly = false): Promise<T> {
    const store = await openStore(this.composition, readOnly);
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  }

  /** Opens the world in this process, lets it come to rest, and closes it. */
  async reopened<T = void>(
    use: (world: World, store: Store) => Promise<T> = async () => undefined as T,
    log?: Logger,
  ): Promise<T> {
    return this.withStore(async (store) => {
      const world = unwrap(await open(this.composition, store, log));
      try {
        const result = await use(world, store);
        unwrap(await world.runBatch({ timeoutMs: 30_000 }));
        return result;
      } finally {
        await world.close();
      }
    });
  }

  /** The same world in another folder: a copy of the store. */
  at(dir: string): Lab {
    return new Lab({ ...this.composition, dir }, this.service);
  }

  removeFolder(): void {
    rmSync(this.composition.dir, { recursive: true, force: true });
  }

  /** Opens the world in this process while another one thinks that it has it. */
  async takeOver(store: Store): Promise<{ readonly world: World; rest(): Promise<void> }> {
    const world = unwrap(await open(this.composition, store));
    return { world, rest: async () => void unwrap(await world.runBatch({ timeoutMs: 30_000 })) };
  }

  /** Lets a held process go on. */
  release(file: string): void {
    rmSync(file);
  }

  /** Waits until a `hold` rule has been reached. */
  async held(child: Child, file: string): Promise<void> {
    await child.until(`the hold at ${file}`, () => existsSync(file));
  }
}
