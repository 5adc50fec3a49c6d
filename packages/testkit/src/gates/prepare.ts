import { isJsonArray, isJsonObject, type Json, member } from '@worldline/air';
import { decode } from '@worldline/canon';
import { trial } from './drive.ts';
import { type Flow, flowsOf, otherRequests } from './flow.ts';
import type { GateWorld, ReceiptConfig } from './gate.ts';
import { GateRun } from './run.ts';
import { replaced, templateOf, textPlaces } from './templates.ts';

/**
 * What to drive a world with. What its `gates.json` leaves open is found by trying: texts of requests and receipts are
 * taken from what the grants cover and from what the plans compare with, as long as runs get further.
 */
export function prepareFlows(world: GateWorld): readonly Flow[] {
  return flowsOf(world.loaded.catalog, world.config).map((flow) => improved(world, flow));
}

/** Whether the plan that the flow is about was among those that the request started. */
export function startsPlan(run: GateRun, { plan }: Flow): boolean {
  return run.w
    .records('plan_started')
    .some((started) => started.plan_name === plan && started.parent_instance_id === undefined);
}

/** How far a flow gets: steps that were done, less what was refused. */
function score(world: GateWorld, flow: Flow): number {
  const run = trial(world, flow, 'answers');
  if (!(run instanceof GateRun)) return -1_000;
  const [request] = run.requests.values();
  if (request === undefined || !startsPlan(run, flow)) return -500;
  const failed = request.ends.filter(({ code }) => code !== 'ok').length;
  const over = run.isOver(request) ? 5 : 0;
  return over + request.sent.length * 4 + request.path.length * 2 + request.raised.length - failed * 20;
}

const PASSES = 2;
const TRIES_MAX = 600;

function improved(world: GateWorld, start: Flow): Flow {
  const { catalog } = world.loaded;
  let best = start;
  let bestScore = score(world, best);
  let tries = 0;
  const attempt = (flow: Flow): void => {
    if (tries++ > TRIES_MAX) return;
    const its = score(world, flow);
    if (its <= bestScore) return;
    best = flow;
    bestScore = its;
  };
  if (!start.isGiven) for (const request of otherRequests(start, catalog.scope, 6)) attempt({ ...start, request });
  const pool = textPool(world);
  const kinds = new Set(start.envelope.effects.map(({ kind }) => kind));
  const open = [...kinds].filter(
    (kind) => !kind.startsWith('timer.') && !start.receipts.some((one) => one.kind === kind),
  );
  for (let pass = 0; pass < PASSES; pass++) {
    if (!start.isGiven) {
      for (const { path, text } of textPlaces(best.request)) {
        // The id stays where it is.
        if (text === '${id}' || path.includes('$tag')) continue;
        for (const candidate of pool) attempt({ ...best, request: replaced(best.request, path, candidate) });
      }
    }
    for (const kind of open) {
      const schema = catalog.effects.get(kind)?.def.receiptSchema;
      if (schema === undefined) continue;
      const template = (): Json =>
        best.receipts.find((one) => one.kind === kind)?.payload ??
        templateOf({ kind: 'ref', name: schema }, catalog.scope);
      for (const { path } of textPlaces(template())) {
        if (path.includes('$tag')) continue;
        for (const candidate of constants(world)) {
          const receipt: ReceiptConfig = { kind, payload: replaced(template(), path, candidate) };
          attempt({ ...best, receipts: [...best.receipts.filter((one) => one.kind !== kind), receipt] });
        }
      }
    }
  }
  return best;
}

/** Texts that grants name, and addresses that they cover. */
function textPool(world: GateWorld): readonly string[] {
  const found = new Set<string>();
  for (const { paramsCbor } of world.loaded.catalog.grants.values()) {
    const read = decode(paramsCbor);
    if (!read.ok || typeof read.value !== 'object' || read.value === null) continue;
    const params = read.value as Record<string, unknown>;
    const list = (name: string): readonly string[] => {
      const value = params[name];
      return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
    };
    for (const host of list('hosts')) {
      const schemes = list('schemes');
      const prefixes = list('path_prefixes');
      for (const scheme of schemes.length > 0 ? schemes : ['https']) {
        const base = `${scheme}://${host.replace(/^\*/, 'any')}`;
        for (const prefix of prefixes.length > 0 ? prefixes : [''])
          found.add(`${base}${prefix.replace(/\/$/, '')}/\${id}`);
        // Last, since what does not tell the requests apart lets them share the effect.
        found.add(base);
      }
    }
    for (const value of Object.values(params))
      if (Array.isArray(value)) for (const item of value) if (typeof item === 'string') found.add(item);
  }
  return [...found, ...constants(world)].slice(0, 60);
}

/** Texts that plans compare with. */
function constants(world: GateWorld): readonly string[] {
  const found = new Set<string>();
  const look = (json: Json): void => {
    if (isJsonArray(json)) json.forEach(look);
    else if (isJsonObject(json)) {
      const text = member(json, 'text');
      if (typeof text === 'string' && text !== '') found.add(text);
      for (const value of Object.values(json)) look(value as Json);
    }
  };
  for (const file of world.files) {
    try {
      look(JSON.parse(file.text) as Json);
    } catch {
      // What does not parse was reported by the loader.
    }
  }
  return [...found].filter((text) => text.length <= 40).slice(0, 40);
}
