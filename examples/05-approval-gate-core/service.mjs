// The cluster that is deployed to, in a process of its own.
//
//   POST /deployments/<build>   one deployment for each idempotency-key
//   GET  /deployments           what was deployed, as JSON
//
// It prints `listening <port>` when it is ready.
import { createServer } from 'node:http';

/** By idempotency key. */
const deployments = new Map();

const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  const [, , build] = new URL(request.url, 'http://localhost').pathname.split('/');
  if (request.method === 'POST') {
    const key = request.headers['idempotency-key'];
    if (!deployments.has(key)) deployments.set(key, { build, manifest: JSON.parse(body) });
    response.writeHead(201);
    return response.end();
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify([...deployments.values()]));
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  process.stdout.write(`listening ${server.address().port}\n`);
});
