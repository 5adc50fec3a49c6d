// The release service of the demo: build status and deployments, in a process of its own.
//
//   GET  /builds/<build>        header x-build-status: green | red
//   POST /deployments/<build>   one deployment per idempotency-key; a repeat gets the first one's answer
//   GET  /counts                what it has received, as JSON
//
// It prints `listening <port>` when it is ready. A build whose name begins with "slow" takes 2 s to deploy.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Deployments by idempotency key: the promise of the one answer, and how often it was asked for. */
const deployments = new Map();
let buildQueries = 0;

async function deploy(build) {
  if (build.startsWith('slow')) await sleep(2000);
  return { build, deployed_at: new Date().toISOString() };
}

const server = createServer(async (request, response) => {
  const [, kind, build] = new URL(request.url, 'http://localhost').pathname.split('/');
  const send = (status, headers, body) => {
    response.writeHead(status, headers);
    response.end(body);
  };
  if (request.method === 'GET' && kind === 'builds') {
    buildQueries++;
    return send(200, { 'x-build-status': build.includes('red') ? 'red' : 'green' }, `build ${build}\n`);
  }
  if (request.method === 'POST' && kind === 'deployments') {
    request.resume();
    const key = request.headers['idempotency-key'];
    if (key === undefined) return send(400, {}, 'idempotency-key missing\n');
    const known = deployments.get(key);
    const entry = known ?? { build, requests: 0, answer: deploy(build) };
    entry.requests++;
    deployments.set(key, entry);
    return send(
      known === undefined ? 201 : 200,
      { 'content-type': 'application/json' },
      JSON.stringify(await entry.answer),
    );
  }
  if (request.method === 'GET' && kind === 'counts') {
    const rows = [...deployments].map(([key, { build: name, requests }]) => ({ key, build: name, requests }));
    return send(
      200,
      { 'content-type': 'application/json' },
      JSON.stringify({ build_queries: buildQueries, deployments: rows }),
    );
  }
  send(404, {}, 'not found\n');
});

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  process.stdout.write(`listening ${server.address().port}\n`);
});
