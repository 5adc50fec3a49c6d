import { AIR_VERSION } from '@worldline/air';
import { ok } from '@worldline/canon';
import type { World } from '@worldline/host';
import { Members } from './request.ts';
import type { Endpoint } from './router.ts';
import { hasScope } from './scope.ts';

/** Endpoints about the world as a whole (`host.md` §8.3, "General"). */

/** What the store's row says of a world that is open: one of any other status is not opened. */
const OPEN = 'active';

export interface GeneralOptions {
  readonly world: World;
  readonly version: string;
  readonly startedAtNs: bigint;
  /** Somebody asks for the end. Called again for every further request, so that an impatient one can shorten the wait. */
  readonly onShutdown: (request: { readonly graceMs: number | undefined }) => void;
}

export function generalEndpoints(options: GeneralOptions): readonly Endpoint[] {
  const { world } = options;
  return [
    {
      method: 'GET',
      path: '/api/health',
      scope: 'none',
      async run({ identity }) {
        if (!hasScope(identity.scopes, 'read')) return ok({ body: { ok: true } });
        const status = await world.status();
        return ok({
          body: {
            ok: true,
            manifest_hash: status.manifestHash,
            journal_height: status.head.height,
            status: OPEN,
            draining: status.state !== 'running',
          },
        });
      },
    },
    {
      method: 'GET',
      path: '/api/info',
      scope: 'read',
      async run({ identity }) {
        const status = await world.status();
        return ok({
          body: {
            version: options.version,
            world_id: status.worldId,
            universe_id: status.universeId,
            status: OPEN,
            air_version: AIR_VERSION,
            manifest_hash: status.manifestHash,
            snapshot_hash: status.snapshot?.ref,
            started_at_ns: String(options.startedAtNs),
            adapters: status.adapters.map(({ id, kinds }) => ({ id, kinds: [...kinds] })),
            missing_adapters: [...status.missingAdapters],
            identity: { name: identity.name, scopes: [...identity.scopes] },
          },
        });
      },
    },
    {
      method: 'POST',
      path: '/api/snapshot',
      async run({ body }) {
        const members = new Members(body, []);
        if (members.problem !== undefined) return members.problem;
        const taken = await world.snapshot();
        return taken.ok ? ok({ body: { snapshot_hash: taken.value.ref, height: taken.value.height } }) : taken;
      },
    },
    {
      method: 'POST',
      path: '/api/shutdown',
      always: true,
      async run({ body }) {
        const members = new Members(body, ['grace_ms']);
        const graceMs = members.optionalCount('grace_ms');
        if (members.problem !== undefined) return members.problem;
        options.onShutdown({ graceMs });
        return ok({ status: 202, body: {} });
      },
    },
  ];
}
