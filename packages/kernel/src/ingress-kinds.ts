/** What a batch consumed (`kernel.md` §3); `seal` and `skip` are the batches without entries. */
export const INGRESS_KINDS = [
  'event',
  'inbox',
  'receipt',
  'timer',
  'internal',
  'plan_start',
  'control',
  'snapshot',
  'fork',
  'genesis',
  'seal',
  'skip',
] as const;

export type IngressKind = (typeof INGRESS_KINDS)[number];

export const KINDS: ReadonlySet<string> = new Set(INGRESS_KINDS);
/** Their batches have no stamp. */
export const UNSTAMPED: ReadonlySet<string> = new Set(['snapshot', 'seal', 'skip']);
/** Their batches have no entries. */
export const ENTRYLESS: ReadonlySet<string> = new Set(['seal', 'skip']);
