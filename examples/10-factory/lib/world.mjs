// A world in a folder: its commands, the process that runs it, and its control socket.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, ended, journal, start } from '../../command.mjs';

/** Processes that end with this one, whatever happens. */
const running = new Set();
process.on('exit', () => {
  for (const world of running) world.killNow();
});
// Without a handler a signal ends this process and nothing else.
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));

export class World {
  folder;
  #child;
  #log = '';
  #agent = new Agent({ keepAlive: true, maxSockets: 32 });

  constructor(folder) {
    this.folder = folder;
  }

  /** Runs a command. @returns `{ code, stdout, stderr }`. */
  run = (...args) => ended(start(this.folder, args));

  /** The data of a command; one that fails ends the whole run. */
  ask(...args) {
    return ask(this.run, ...args);
  }

  /** Starts `worldline run`, and waits until the control socket answers. */
  async start() {
    const child = start(this.folder, ['run'], 'ignore');
    this.#child = child;
    child.stderr.on('data', (chunk) => (this.#log = `${this.#log}${chunk}`.slice(-20_000)));
    running.add(this);
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`worldline run ended: ${this.#log}`);
      if (
        await this.get('/api/health').then(
          ({ ok }) => ok,
          () => false,
        )
      )
        return;
      await sleep(50);
    }
  }

  /** The process that holds the world. With another Node than the pinned one, `worldline` is only its parent. */
  get pid() {
    return this.#daemon().pid;
  }

  #daemon() {
    return JSON.parse(readFileSync(join(this.folder, '.worldline/daemon.json'), 'utf8'));
  }

  /** `kill -9`, without a word. */
  async kill9() {
    const gone = new Promise((settle) => this.#child.once('close', settle));
    this.killNow();
    await gone;
  }

  killNow() {
    running.delete(this);
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true, maxSockets: 32 });
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
    this.#child.kill('SIGKILL');
  }

  /** @returns the exit code. */
  async stop() {
    const gone = new Promise((settle) => this.#child.once('close', settle));
    await this.ask('stop');
    running.delete(this);
    return await gone;
  }

  get(path) {
    return this.#send('GET', path);
  }

  post(path, body, headers = {}) {
    return this.#send('POST', path, JSON.stringify(body), { 'content-type': 'application/json', ...headers });
  }

  #send(method, path, body, headers = {}) {
    return new Promise((settle, reject) => {
      const options = { socketPath: this.#daemon().socket, method, path, headers, agent: this.#agent };
      const sent = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode < 300) settle(JSON.parse(text));
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${text.trim()}`));
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  /** All records of some kinds, separated by commas, oldest first. */
  journal(kinds) {
    return journal(this.run, kinds.split(','));
  }
}
