import {
  ApprovalWebhook,
  type ApprovalWebhookOptions,
  approvalAdapter,
  blobGetAdapter,
  blobPutAdapter,
  createGuardedHttp,
  fabricAdapter,
  httpAdapter,
  timerAdapter,
  urlPeer,
} from '@worldline/adapters';
import { type HostConfig, loadPlugins } from '@worldline/host';
import type { EffectAdapter, FabricPeer, GuardedHttp } from '@worldline/ports';
import type { Context } from './context.ts';
import { stop, stopWith } from './failure.ts';
import { LocalPeer } from './local-peer.ts';

/** The adapters of a standalone world: the built-in ones and those that host configuration lists. */
export interface Adapters {
  readonly adapters: readonly EffectAdapter[];
  readonly http: GuardedHttp;
}

type Secret = (binding: string) => Promise<string | undefined>;

/**
 * @param secret - reads a binding of `http.credentials`, of a peer's token, or of the webhook's key.
 * @param notice - what the webhook is sent about a pending approval; absent: nobody is told of any.
 */
export async function makeAdapters(
  ctx: Context,
  config: HostConfig,
  secret: Secret,
  notice?: ApprovalWebhookOptions['describe'],
): Promise<Adapters> {
  const { root, worldEnv: env } = ctx;
  const http = createGuardedHttp({
    allowPrivate: config.http.allowPrivate,
    proxy: config.http.proxy,
    envProxy: config.http.envProxy ? env : undefined,
  });
  if (!http.ok) return stopWith(http.failure);
  const plugins = await loadPlugins(config.adapters, root);
  if (!plugins.ok) return stopWith(plugins.failure);
  const { timeoutMs, maxBodyBytes, redirects, credentials, retryStatuses } = config.http;
  let httpRequest: EffectAdapter;
  try {
    httpRequest = httpAdapter({ timeoutMs, maxBodyBytes, redirects, credentials, retryStatuses, secret });
  } catch (error) {
    return stop('config.invalid', (error as Error).message, { path: ['http', 'credentials'] });
  }
  return {
    http: http.value,
    adapters: [
      httpRequest,
      blobPutAdapter(),
      blobGetAdapter(),
      timerAdapter(),
      approvalAdapter({ maxPending: config.approvals.maxPending, notifier: webhookOf(config, secret, notice) }),
      fabricAdapter({ peers: peersOf(ctx, config, secret), maxBytes: config.fabric.maxBytes }),
      ...plugins.value,
    ],
  };
}

function webhookOf(
  { approvals: { webhook } }: HostConfig,
  secret: Secret,
  describe: ApprovalWebhookOptions['describe'] | undefined,
): ApprovalWebhook | undefined {
  if (webhook === undefined || describe === undefined) return undefined;
  return new ApprovalWebhook({ url: webhook.url, secret: () => secret(webhook.secret), describe });
}

function peersOf(ctx: Context, config: HostConfig, secret: Secret): ReadonlyMap<string, FabricPeer> {
  const peers = new Map<string, FabricPeer>();
  for (const [name, peer] of config.fabric.peers)
    peers.set(name, 'path' in peer ? new LocalPeer(ctx, peer.path) : urlPeer(peer.url, () => secret(peer.token)));
  return peers;
}
