/** What a token may be for (`host.md` §8.1). `admin` implies all of them. */
export const SCOPES = [
  'read',
  'event',
  'receipt',
  'workspace.write',
  'blob.write',
  'gov.propose',
  'gov.approve',
  'gov.apply',
  'approval',
  'fabric',
  'secret',
  'admin',
] as const;

export type Scope = (typeof SCOPES)[number];

export function hasScope(scopes: readonly string[], wanted: Scope): boolean {
  return scopes.includes(wanted) || scopes.includes('admin');
}
