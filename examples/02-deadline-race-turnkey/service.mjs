// The supplier: prices of articles, in a process of its own.
//
//   GET  /prices/<article>   the price; of "chair" only once somebody has asked for /release
//   POST /release            lets the answers go that are held back
//
// It prints `listening <port>` when it is ready.
import { createServer } from 'node:http';

const PRICES = { lamp: 4900, chair: 12900 };
let release = () => {};
const released = new Promise((settle) => {
  release = settle;
});

const server = createServer(async (request, response) => {
  const [, kind, article] = new URL(request.url, 'http://localhost').pathname.split('/');
  if (request.method === 'POST' && kind === 'release') {
    release();
    return response.end();
  }
  const cents = kind === 'prices' ? PRICES[article] : undefined;
  if (article === 'chair') await released;
  response.writeHead(cents === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(cents === undefined ? {} : { article, cents }));
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  process.stdout.write(`listening ${server.address().port}\n`);
});
