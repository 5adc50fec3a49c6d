import { parseJson } from '@worldline/air';
import { ok } from '@worldline/canon';
import { type Answer, decodeStoredBatch, refuse, type World } from '@worldline/host';
import {
  type CorrelationFilter,
  correlationIs,
  SummaryFold,
  type SummaryOptions,
  summaryToJson,
} from '@worldline/summary';
import type { Body } from './body.ts';
import type { Endpoint } from './router.ts';

/** `GET /api/debug/summary` (`host.md` §10.3): what `trace-summary` says, of the world that this process runs. */
export function summaryEndpoints(world: World): readonly Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/api/debug/summary',
      scope: 'read',
      query: ['from', 'to', 'plan', 'instances', 'correlations', 'correlation'],
      async run({ query }) {
        const options = readOptions(query);
        if (!options.ok) return options;
        const { from = 0, to = Number.MAX_SAFE_INTEGER } = options.value;
        const fold = new SummaryFold(options.value);
        let damage: Answer<unknown> | undefined;
        const read = await world.readJournal(from, (batch) => {
          if (batch.firstSeq > to) return false;
          const decoded = decodeStoredBatch(batch);
          if (!decoded.ok) {
            damage = decoded;
            return false;
          }
          const { body, records } = decoded.value;
          fold.add({ firstSeq: batch.firstSeq, logicalNowNs: body.stamp?.logicalNowNs, records });
          return true;
        });
        if (damage?.ok === false) return damage;
        return read.ok ? ok({ body: summaryToJson(fold.finish()) as Body }) : read;
      },
    },
  ];
}

function readOptions(query: URLSearchParams): Answer<SummaryOptions> {
  let problem: ReturnType<typeof refuse> | undefined;
  const refused = (name: string, message: string): undefined => {
    problem ??= refuse('invalid_request', `"${name}" ${message}`, { path: ['query', name] });
  };
  const seq = (name: string): number | undefined => {
    const text = query.get(name);
    if (text === null) return undefined;
    return /^[0-9]{1,15}$/.test(text) ? Number(text) : refused(name, 'is a sequence number');
  };
  const flag = (name: string): boolean => {
    const text = query.get(name);
    if (text === null || text === 'false') return false;
    if (text === 'true' || text === '') return true;
    refused(name, 'is true or false');
    return false;
  };
  const [from, to] = [seq('from'), seq('to')];
  if (from !== undefined && to !== undefined && to < from) refused('to', 'lies before "from"');
  const instances = flag('instances');
  const all = flag('correlations');
  const one = correlation(query.get('correlation'), refused);
  return problem ?? ok({ from, to, plan: query.get('plan') ?? undefined, instances, correlations: one ?? all });
}

function correlation(
  text: string | null,
  refused: (name: string, message: string) => undefined,
): CorrelationFilter | undefined {
  if (text === null) return undefined;
  const json = parseJson(text);
  return json.ok ? correlationIs(json.value) : refused('correlation', 'is JSON: a text has quotes');
}
