import {
  BAD_GRANT,
  BAD_PARAMS,
  type Denial,
  deny,
  type Fields,
  type Optional,
  type Request,
  WRONG_TYPE,
  wrongKind,
} from './enforcer-request.ts';

type Allowed = Optional<ReadonlySet<string>>;

/** What a grant without `actions` may do (`governance.md` §8): nobody approves or applies by accident. */
const DEFAULT_ACTIONS: ReadonlySet<string> = new Set(['propose', 'shadow']);
const ACTIONS: ReadonlySet<string> = new Set(['propose', 'shadow', 'approve', 'apply']);

/**
 * `sys/CapEnforceGovernance@1` (`builtins.md` §4.4, with `actions` of `governance.md` §8). The summary is the one that
 * the kernel put into the params. `self_approve` needs to know a proposal's author and is the kernel's own check.
 */
export function enforceGovernance({ kind, grant, params }: Request): Denial | undefined {
  const ops = grant?.texts('ops');
  const kinds = grant?.texts('def_kinds');
  const prefixes = grant?.texts('name_prefixes');
  const sections = grant?.texts('manifest_sections');
  const actions = grant?.texts('actions');
  if (
    grant === undefined ||
    ops === WRONG_TYPE ||
    kinds === WRONG_TYPE ||
    prefixes === WRONG_TYPE ||
    sections === WRONG_TYPE ||
    actions === WRONG_TYPE
  ) {
    return BAD_GRANT;
  }
  if (params === undefined) return BAD_PARAMS;
  const action = kind.startsWith('governance.') ? kind.slice('governance.'.length) : '';
  if (!ACTIONS.has(action)) return wrongKind(kind);
  if (!(actions ?? DEFAULT_ACTIONS).has(action)) return deny('action_not_allowed', 'action not allowed', action);

  const summary = params.record('summary');
  if (summary === WRONG_TYPE) return BAD_PARAMS;
  return summary === undefined ? undefined : judgeSummary(summary, { ops, kinds, prefixes, sections });
}

function judgeSummary(
  summary: Fields,
  allowed: { readonly ops: Allowed; readonly kinds: Allowed; readonly prefixes: Allowed; readonly sections: Allowed },
): Denial | undefined {
  const ops = summary.texts('ops');
  const sections = summary.texts('manifest_sections');
  const changes = summary.records('def_changes');
  if (ops === WRONG_TYPE || sections === WRONG_TYPE || changes === WRONG_TYPE) return BAD_PARAMS;
  const defs: { readonly kind: string; readonly name: string }[] = [];
  for (const change of changes ?? []) {
    const kind = change.text('kind');
    const name = change.text('name');
    if (typeof kind !== 'string' || typeof name !== 'string') return BAD_PARAMS;
    defs.push({ kind, name });
  }

  const op = firstOutside(ops ?? [], allowed.ops);
  if (op !== undefined) return deny('op_not_allowed', 'operation not allowed', op);
  const kind = firstOutside(
    defs.map((def) => def.kind),
    allowed.kinds,
  );
  if (kind !== undefined) return deny('def_kind_not_allowed', 'definition kind not allowed', kind);
  const { prefixes } = allowed;
  const stray = prefixes && defs.find(({ name }) => ![...prefixes].some((prefix) => name.startsWith(prefix)));
  if (stray !== undefined) return deny('name_prefix_not_allowed', 'definition name not allowed', stray.name);
  const section = firstOutside(sections ?? [], allowed.sections);
  if (section !== undefined) return deny('manifest_section_not_allowed', 'manifest section not allowed', section);
  return undefined;
}

function firstOutside(items: Iterable<string>, allowed: Allowed): string | undefined {
  if (allowed === undefined) return undefined;
  for (const item of items) if (!allowed.has(item)) return item;
  return undefined;
}
