// The supplier and the shop's order desk, both in one process of their own.
//
//   GET  /prices/<article>   the price; of "chair" only once somebody has asked for /release
//   POST /orders/<id>        takes a price down; once for each idempotency-key
//   GET  /orders             what was taken down, as JSON
//   POST /release            lets the answers go that are held back
//
// It prints `listening <port>` when it is ready.
import { createServer } from 'node:http';

const PRICES = { lamp: 4900, chair: 12900 };
/** By idempotency key. */
const orders = new Map();
let release = () => {};
const released = new Promise((settle) => {
  release = settle;
});

async function textOf(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}

const server = createServer(async (request, response) => {
  const [, kind, name] = new URL(request.url, 'http://localhost').pathname.split('/');
  const answer = (status, json) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(json));
  };
  if (request.method === 'GET' && kind === 'prices') {
    if (name === 'chair') await released;
    const cents = PRICES[name];
    return cents === undefined ? answer(404, {}) : answer(200, { article: name, cents });
  }
  if (request.method === 'POST' && kind === 'orders') {
    const price = await textOf(request);
    const key = request.headers['idempotency-key'];
    const known = orders.get(key) ?? { order: name, ...JSON.parse(price) };
    orders.set(key, known);
    return answer(200, known);
  }
  if (request.method === 'POST' && kind === 'release') {
    release();
    return answer(200, {});
  }
  return answer(200, [...orders.values()]);
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  process.stdout.write(`listening ${server.address().port}\n`);
});
