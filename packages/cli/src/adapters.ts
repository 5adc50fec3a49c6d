import {
  approvalAdapter,
  blobGetAdapter,
  blobPutAdapter,
  createGuardedHttp,
  httpAdapter,
  timerAdapter,
} from '@worldline/adapters';
import { type HostConfig, loadPlugins } from '@worldline/host';
import type { EffectAdapter, GuardedHttp } from '@worldline/ports';
import type { Environment } from './context.ts';
import { stop, stopWith } from './failure.ts';

/** The adapters of a standalone world: the built-in ones and those that host configuration lists. */
export interface Adapters {
  readonly adapters: readonly EffectAdapter[];
  readonly http: GuardedHttp;
}

/** @param secret - reads a binding of `http.credentials`. */
export async function makeAdapters(
  config: HostConfig,
  root: string,
  env: Environment,
  secret: (binding: string) => Promise<string | undefined>,
): Promise<Adapters> {
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
      approvalAdapter({ maxPending: config.approvals.maxPending }),
      ...plugins.value,
    ],
  };
}
