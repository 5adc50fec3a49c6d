import { lookup } from 'node:dns/promises';
import { guardUrl, readExceptions, vetAddresses } from '@worldline/adapters';
import type { SecretResolver } from '@worldline/host';
import type { WorldParts } from './world.ts';

/** Can `approvals.webhook` be told of approvals? Nothing is sent. */
export async function checkWebhook({ report, config }: WorldParts, secrets: SecretResolver): Promise<void> {
  const { webhook } = config.approvals;
  if (webhook === undefined) return;
  const before = report.count('problem') + report.count('warning');
  if ((await secrets.binding(webhook.secret)) === undefined)
    report.problem(
      'webhook',
      'secret.unavailable',
      'the key that signs what it is sent is not there, so nothing is sent',
      'set the variable in the environment or in .env, or put the file into .worldline/secrets',
    );
  const url = guardUrl(webhook.url);
  if (!url.ok) report.problem('webhook', url.failure.code, url.failure.message, url.failure.hint);
  else {
    const { host, scheme } = url.value;
    const why = await unreachable(host, config.http.allowPrivate);
    if (why !== undefined) report.problem('webhook', why.code, why.message, why.hint);
    if (scheme === 'http' && !isLocal(host))
      report.warn(
        'webhook',
        'webhook.plain_http',
        'what is asked travels unencrypted',
        'give approvals.webhook an https address',
      );
  }
  if (report.count('problem') + report.count('warning') === before) report.ok('webhook', 'it can be told of approvals');
}

function isLocal(host: string): boolean {
  return ['localhost', '[::1]'].includes(host) || host.startsWith('127.');
}

/** Why the guard will not let anything out to this host. */
async function unreachable(host: string, allowPrivate: readonly string[]) {
  const exceptions = readExceptions(allowPrivate);
  if (!exceptions.ok) return exceptions.failure;
  let addresses: readonly string[];
  try {
    addresses = (await lookup(host.replace(/^\[|\]$/g, ''), { all: true })).map(({ address }) => address);
  } catch (error) {
    return { code: 'http.dns', message: `${host}: ${(error as Error).message}`, hint: 'mend approvals.webhook.url' };
  }
  const vetted = vetAddresses(host, addresses, exceptions.value, [host]);
  if (vetted.ok) return undefined;
  return { ...vetted.failure, hint: 'list the host or its range in http.allow_private of worldline.host.json' };
}
