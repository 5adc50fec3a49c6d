import type { Path } from '@worldline/canon';
import { BUILTIN_ENFORCERS, CAP_ALLOW_ALL } from './builtins.ts';
import type { Origin, Problem } from './node-read.ts';
import type { Pass } from './validate-world.ts';

/**
 * What the language defines and this runtime does not run yet. Such nodes read and hash as specified; a world that needs
 * them is refused here, so that nothing is started that could never be answered.
 */
export const UNSUPPORTED = 'unsupported';

/** Kinds that the kernel itself would have to answer (`builtins.md` §3). */
const KERNEL_KINDS = ['workspace.', 'introspect.', 'governance.'];

export const checkSupport: Pass = (world, options) => {
  if (options.willRun === false) return [];
  const problems: Problem[] = [];
  const refuse = (origin: Origin, path: Path, what: string) => {
    problems.push({
      origin,
      code: UNSUPPORTED,
      path,
      message: `not supported yet: ${what}`,
      hint: 'Leave it out of a world that is to run; "plans effects" and "plans graph" read it all the same.',
    });
  };
  const { manifest } = world;
  for (const ref of manifest.refs.modules) {
    // A listed built-in enforcer changes nothing: it is part of the runtime anyway.
    if (world.modules.has(ref.name) && !BUILTIN_ENFORCERS.has(ref.name))
      refuse(manifest.origin, ref.path, `module ${ref.name}`);
  }
  if (manifest.bindings.length > 0) refuse(manifest.origin, ['module_bindings'], 'module_bindings');
  if (manifest.events.length > 0) refuse(manifest.origin, ['routing', 'events'], 'routing of events to reducers');
  if (manifest.inboxes.length > 0) refuse(manifest.origin, ['routing', 'inboxes'], 'inbox routes');
  for (const { def, origin } of world.caps.values()) {
    if (origin === undefined || def.enforcer === CAP_ALLOW_ALL || BUILTIN_ENFORCERS.has(def.enforcer)) continue;
    if (world.modules.has(def.enforcer)) refuse(origin, ['enforcer', 'module'], `enforcer module ${def.enforcer}`);
  }
  for (const { source } of world.plans.values()) {
    for (const step of source.steps) {
      const { kind } = step;
      if (kind !== undefined && KERNEL_KINDS.some((prefix) => kind.startsWith(prefix))) {
        refuse(source.origin, ['steps', step.index, 'kind'], `effect kind ${kind}`);
      }
    }
  }
  return problems;
};
