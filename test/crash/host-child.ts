import { writeSync } from 'node:fs';
import { unwrap } from '@worldline/canon';
import type { LogLevel } from '@worldline/ports';
import {
  type Composition,
  changeManifest,
  create,
  enqueue,
  fireWhenDue,
  type Job,
  open,
  openStore,
  send,
  snapshotOnly,
} from './composition.ts';

/**
 * A process of its own that does what it is told, step by step, until it is killed or done. After each step it says one
 * line `<step> <answer>`; a step without a line did not end.
 */
export type Step =
  | readonly ['create']
  | readonly ['open']
  | readonly ['send', Job, 'accepted' | 'applied']
  | readonly ['enqueue', Job]
  | readonly ['snapshot']
  | readonly ['manifest', number]
  /** Journals a snapshot without making it the baseline, as a worker that promotes later does. */
  | readonly ['unpromoted']
  /** What a timer service does: puts the offer of the one timer into the inbox once it is due. */
  | readonly ['fire']
  | readonly ['die']
  /** Until no plan lives. */
  | readonly ['rest']
  /** Until somebody ends the process, or the world stops. */
  | readonly ['stay']
  | readonly ['close'];

export interface ChildTask {
  readonly composition: Composition;
  readonly steps: readonly Step[];
}

function say(step: Step, answer: string): void {
  const [name, job] = step;
  const line = `${name}${typeof job === 'object' ? ` ${job.id}` : ''} ${answer}\n`;
  for (;;) {
    try {
      writeSync(1, line);
      return;
    } catch (error) {
      // The reader is slow, and a line must be out before the next step begins.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

const at = (level: LogLevel) => (message: string, fields?: Readonly<Record<string, unknown>>) =>
  void process.stderr.write(
    `${level} ${message} ${JSON.stringify(fields ?? {}, (_, v) => (typeof v === 'bigint' ? String(v) : v))}\n`,
  );
const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };

const { composition, steps } = JSON.parse(process.argv[2]!) as ChildTask;
const store = await openStore(composition);
let opened: Awaited<ReturnType<typeof open>> | undefined;
const world = () => unwrap(opened ?? { ok: false, failure: { code: 'closed', path: [], message: 'no world is open' } });
const codeOf = (answer: { ok: true } | { ok: false; failure: { code: string } }) =>
  answer.ok ? 'ok' : answer.failure.code;

async function run(step: Step): Promise<string> {
  switch (step[0]) {
    case 'create':
      return create(composition, store);
    case 'open':
      opened = await open(composition, store, log);
      return codeOf(opened);
    case 'send': {
      const answer = await send(world(), step[1], step[2]);
      if (!answer.ok) return answer.failure.code;
      return answer.value.state === 'applied' && answer.value.duplicate ? 'duplicate' : answer.value.state;
    }
    case 'enqueue':
      return enqueue(composition, store, step[1]);
    case 'snapshot':
      return codeOf(await world().snapshot());
    case 'manifest':
      return changeManifest(world(), store, step[1]);
    case 'unpromoted':
      return snapshotOnly(composition, store);
    case 'fire':
      return fireWhenDue(composition, store);
    case 'die':
      process.kill(process.pid, 'SIGKILL');
      return new Promise(() => {});
    case 'rest':
      return codeOf(await world().runBatch({ wait: true }));
    case 'stay': {
      const alive = setInterval(() => {}, 2 ** 30);
      const failure = await world().closed;
      clearInterval(alive);
      return failure?.code ?? 'closed';
    }
    case 'close':
      await world().close();
      return 'ok';
    default:
      return step satisfies never;
  }
}

for (const step of steps) say(step, await run(step));
await store.close();
