import { request as httpRequest, type IncomingMessage } from 'node:http';
import { resolve } from 'node:path';
import { type Json, type JsonObject, parseJson } from '@worldline/air';
import { type LockInfo, readIdentity } from '@worldline/host';
import { defaultAddress, readDaemonFile } from '@worldline/server';
import { interruptible } from './access.ts';
import type { Context } from './context.ts';
import { CommandError, type Detail, stop, stopWith } from './failure.ts';
import { toJson } from './output.ts';

/** How commands talk to the process that runs a world: HTTP over its control socket (`host.md` §8.1). */
export class Control {
  readonly #ctx: Context;
  readonly socket: string;

  /** Longest wait for an answer. */
  readonly #timeoutMs: number;

  constructor(ctx: Context, socket: string, timeoutMs: number = ctx.flags.timeoutMs) {
    this.#ctx = ctx;
    this.socket = socket;
    this.#timeoutMs = timeoutMs;
  }

  get(path: string): Promise<JsonObject> {
    return this.#request('GET', path, undefined);
  }

  post(path: string, body: Json): Promise<JsonObject> {
    return this.#request('POST', path, body);
  }

  put(path: string, body: Json): Promise<JsonObject> {
    return this.#request('PUT', path, body);
  }

  /** @throws CommandError with the code of the answer; `unreachable`, or `timeout` after `--timeout-ms`. */
  async #request(method: string, path: string, body: Json | undefined): Promise<JsonObject> {
    const timeoutMs = this.#timeoutMs;
    const text = body === undefined ? undefined : toJson(body, false);
    const sent = new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
      const signal = AbortSignal.any([this.#ctx.interrupted, AbortSignal.timeout(timeoutMs)]);
      const request = httpRequest(
        {
          socketPath: this.socket,
          method,
          path,
          signal,
          agent: false,
          headers: {
            host: 'localhost',
            ...(text === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          },
        },
        (response) => readAll(response).then((all) => resolve({ status: response.statusCode ?? 0, text: all }), reject),
      );
      request.on('error', (error) => reject(signal.aborted ? signal.reason : error));
      request.end(text);
    });
    let answer: { readonly status: number; readonly text: string };
    try {
      answer = await interruptible(sent, this.#ctx.interrupted);
    } catch (error) {
      return this.#noAnswer(error);
    }
    const json = parseJson(answer.text);
    const content = json.ok && typeof json.value === 'object' && !Array.isArray(json.value) ? json.value : undefined;
    if (content === undefined || content === null)
      return stop('host_error', `${this.socket} answers ${answer.status} and something that is no JSON object`, {
        hint: 'is it the control socket of a world?',
      });
    if (answer.status >= 400) throw new CommandError(failureOf(content as JsonObject));
    return content as JsonObject;
  }

  #noAnswer(error: unknown): never {
    if (this.#ctx.interrupted.aborted || error instanceof CommandError) throw error;
    if (error instanceof Error && error.name === 'TimeoutError')
      stop('timeout', `the process that runs this world did not answer within ${this.#timeoutMs} ms`, {
        hint: 'it may be stopped or very busy; see "worldline doctor", or give a longer --timeout-ms',
      });
    const { code } = error as NodeJS.ErrnoException;
    stop('unreachable', `nobody answers on ${this.socket}${code === undefined ? '' : ` (${code})`}`, {
      hint: 'see "worldline doctor"; the world is started with "worldline run"',
    });
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString('utf8');
}

/** An error body as a failure of this command. */
function failureOf(body: JsonObject): ConstructorParameters<typeof CommandError>[0] {
  const details = (body['details'] ?? {}) as { readonly [key: string]: Json | undefined };
  const at = details['pointer'];
  const { hint, failures } = details;
  return {
    code: typeof body['code'] === 'string' ? body['code'] : 'host_error',
    message: typeof body['message'] === 'string' ? body['message'] : 'the request was refused without a reason',
    path: typeof at === 'string' ? pathOf(at) : undefined,
    hint: typeof hint === 'string' ? hint : undefined,
    details: Array.isArray(failures) ? (failures as unknown as readonly Detail[]) : undefined,
  };
}

/** Parts of a JSON Pointer. */
function pathOf(text: string): readonly string[] {
  return text
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Where the control socket of this world is: `--control`, what `daemon.json` says, or the usual place. */
export async function controlSocket(ctx: Context): Promise<string> {
  if (ctx.flags.control !== undefined) return resolve(ctx.cwd, ctx.flags.control);
  const { dir } = await ctx.folder();
  return readDaemonFile(dir)?.socket ?? defaultAddress(dir);
}

/**
 * The running world's control channel, once it is known to be this world's.
 *
 * @throws CommandError `unreachable`, `timeout`, or `invalid_request` when `--control` names another world's socket.
 */
export async function connect(ctx: Context, probeMs: number = ctx.flags.timeoutMs): Promise<Control> {
  const control = new Control(ctx, await controlSocket(ctx));
  const info = await new Control(ctx, control.socket, probeMs).get('/api/info');
  const identity = await readIdentity(await ctx.folder());
  if (!identity.ok) return stopWith(identity.failure);
  if (identity.value !== undefined && info['world_id'] !== identity.value.world_id)
    stop('invalid_request', `${control.socket} belongs to world ${String(info['world_id'])}`, {
      hint: `the world of this folder is ${identity.value.world_id}; leave out --control, or name its folder with --world`,
    });
  return control;
}

/** A process that answers at all does so within this time. */
const PROBE_MS = 5_000;

/**
 * As `connect`, or undefined where a command can do without: `--mode batch`, or nobody there to answer. A process that is
 * stopped counts as nobody: it must not block its world (`host.md` §1).
 */
export async function connectIfRunning(ctx: Context): Promise<Control | undefined> {
  if (ctx.flags.mode === 'batch') return undefined;
  try {
    return await connect(ctx, Math.min(ctx.flags.timeoutMs, PROBE_MS));
  } catch (error) {
    const isOptional = ctx.flags.mode === 'auto' && ctx.flags.control === undefined;
    if (!isOptional || !(error instanceof CommandError)) throw error;
    const { code } = error.failure;
    if (code === 'timeout') ctx.out.notice('the process that runs this world does not answer; see "worldline doctor"');
    else if (code !== 'unreachable') throw error;
    return undefined;
  }
}

/** Whether `daemon.json` speaks of the process that holds the lock, so that its socket is the right one. */
export async function isListening(ctx: Context, lock: LockInfo): Promise<boolean> {
  return readDaemonFile((await ctx.folder()).dir)?.pid === lock.pid;
}
