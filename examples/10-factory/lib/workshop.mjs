// The workshop: the tools, the reviewer, the release shelves and the chat hook that the factory works with, with the faults of
// the table injected. It knows fates; the plans do not.
//
//   POST /tools/<tool>/<order>           200, or what the fate of the task says
//   GET  /reviews/<order>                header x-defects, and a report
//   POST /releases/<channel>/<order>     one release for each idempotency key; a repeat gets the first one's answer
//   POST /announcements/<order>          knows no keys: every request is one more announcement
import { createServer } from 'node:http';

export class Workshop {
  #orders;
  #server;
  /** Answers that wait for their moment, by what they are about. */
  #held = { task: new Map(), publish: new Map(), announce: new Map() };
  #isOver = false;
  /** By idempotency key: which order, how many requests. */
  releases = new Map();
  /** By order: how many requests. */
  announcements = new Map();
  url;

  /** @param orders - of `makeOrders`. */
  constructor(orders) {
    this.#orders = new Map(orders.map((order) => [order.id, order]));
  }

  async open() {
    this.#server = createServer((request, response) => this.#answer(request, response));
    // A connection that is closed while it is idle looks like a fault; the faults here are those of the table.
    this.#server.keepAliveTimeout = 0;
    this.#server.requestTimeout = 0;
    this.#server.headersTimeout = 0;
    await new Promise((settle, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', settle);
    });
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
  }

  async close() {
    const closed = new Promise((settle) => this.#server.close(settle));
    this.#server.closeAllConnections();
    await closed;
  }

  /** How many requests of a sort are being held now: `task`, `publish` or `announce`. */
  heldCount(sort) {
    return this.#held[sort].size;
  }

  heldTasks() {
    return [...this.#held.task.keys()];
  }

  /** Answers a task whose deadline is over. */
  releaseTask(id) {
    this.#held.task.get(id)?.();
    this.#held.task.delete(id);
  }

  /** From now on nothing is held that has a key: what is sent again is answered. */
  comeBack() {
    this.#isOver = true;
  }

  #hold(sort, id, response, answer) {
    this.#held[sort].set(id, answer);
    response.on('close', () => {
      if (this.#held[sort].get(id) === answer) this.#held[sort].delete(id);
    });
  }

  #answer(request, response) {
    request.resume();
    const [kind, what, last] = request.url.split('/').slice(1);
    const order = this.#orders.get(last ?? what);
    const send = (status, headers = {}, body = '') => {
      response.writeHead(status, headers);
      response.end(body);
    };
    if (order === undefined) return send(404);
    switch (`${request.method} ${kind}`) {
      case 'POST tools':
        return this.#tool(order, what, request, response, send);
      case 'GET reviews': {
        const defects = order.category.review === 'defects' ? 3 : 0;
        const report = { order: order.id, tasks: order.tasks.map(({ tool }) => tool), defects };
        return send(200, { 'x-defects': String(defects) }, JSON.stringify(report));
      }
      case 'POST releases':
        return this.#release(order, what, request, response, send);
      case 'POST announcements': {
        this.announcements.set(order.id, (this.announcements.get(order.id) ?? 0) + 1);
        // The announcement is made, and whoever made it will not live to hear so.
        if (order.category.killed === 'announce') return this.#hold('announce', order.id, response, () => send(201));
        return send(201);
      }
      default:
        return send(404);
    }
  }

  #tool(order, tool, request, response, send) {
    const { fate } = order.tasks.find((task) => task.tool === tool);
    switch (fate) {
      case 'rejected':
        return send(422, {}, `${tool} found something\n`);
      case 'reset':
        return request.socket.destroy();
      case 'silent':
        return undefined;
      case 'late':
        return this.#hold('task', `${order.id}/${tool}`, response, () => send(200, {}, 'done, but late\n'));
      default:
        return send(200, {}, 'done\n');
    }
  }

  #release(order, channel, request, response, send) {
    const key = request.headers['idempotency-key'];
    if (key === undefined) return send(400, {}, 'idempotency-key missing\n');
    const known = this.releases.get(key);
    const release = known ?? { order: order.id, channel, requests: 0 };
    release.requests++;
    this.releases.set(key, release);
    const answer = () => send(known === undefined ? 201 : 200, {}, JSON.stringify({ released: order.id }));
    // The release is made; its answer takes longer than the factory lives.
    if (order.category.killed === 'publish' && !this.#isOver) return this.#hold('publish', order.id, response, answer);
    return answer();
  }
}
