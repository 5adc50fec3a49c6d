import {
  BAD_GRANT,
  BAD_PARAMS,
  type Denial,
  deny,
  hasIgnoringCase,
  type Request,
  WRONG_TYPE,
  wrongKind,
} from './enforcer-request.ts';

/** Operation of each kind (`builtins.md` §4.5), and the field that says where. */
export const WORKSPACE_KINDS: ReadonlyMap<
  string,
  { readonly op: string; readonly where: 'workspace' | 'path' | 'prefix' }
> = new Map([
  ['workspace.resolve', { op: 'resolve', where: 'workspace' }],
  ['workspace.empty_root', { op: 'write', where: 'workspace' }],
  ['workspace.list', { op: 'list', where: 'path' }],
  ['workspace.read_ref', { op: 'read', where: 'path' }],
  ['workspace.read_bytes', { op: 'read', where: 'path' }],
  ['workspace.annotations_get', { op: 'read', where: 'path' }],
  ['workspace.write_bytes', { op: 'write', where: 'path' }],
  ['workspace.remove', { op: 'write', where: 'path' }],
  ['workspace.annotations_set', { op: 'write', where: 'path' }],
  ['workspace.diff', { op: 'diff', where: 'prefix' }],
]);

/** `sys/CapEnforceWorkspace@1`. Which roots belong to the workspaces is the kernel's own check (`workspaces.md` §9). */
export function enforceWorkspace({ kind, grant, params }: Request): Denial | undefined {
  const workspaces = grant?.texts('workspaces', 'list');
  const prefixes = grant?.texts('path_prefixes', 'list');
  const ops = grant?.texts('ops');
  if (grant === undefined || workspaces === WRONG_TYPE || prefixes === WRONG_TYPE || ops === WRONG_TYPE) {
    return BAD_GRANT;
  }
  if (params === undefined) return BAD_PARAMS;
  const known = WORKSPACE_KINDS.get(kind);
  if (known === undefined) return wrongKind(kind);
  const where = params.text(known.where);
  if (where === WRONG_TYPE || (known.where === 'workspace' && where === undefined)) return BAD_PARAMS;

  if (ops !== undefined && !hasIgnoringCase(ops, known.op)) {
    return deny('op_not_allowed', 'operation not allowed', known.op);
  }
  if (known.where === 'workspace') {
    if (workspaces !== undefined && !workspaces.has(where as string)) {
      return deny('workspace_not_allowed', 'workspace not allowed', where);
    }
    return undefined;
  }
  if (prefixes !== undefined && ![...prefixes].some((prefix) => isBelow(where ?? '', prefix))) {
    return deny('path_not_allowed', 'path not allowed', where ?? '');
  }
  return undefined;
}

/** Trailing slashes of a prefix do not count; the empty prefix allows everything, the root included. */
export function isBelow(path: string, prefix: string): boolean {
  const folder = prefix.replace(/\/+$/, '');
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}
