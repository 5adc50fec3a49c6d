import { fail, ok, type Result } from '@worldline/canon';
import { buildCatalog } from './catalog.ts';
import { checkStaticTypes } from './check-types.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { Json } from './json.ts';
import { asLint, lintWorld, soundPlans } from './lint-world.ts';
import { canonicalise, collectNodes } from './load-definitions.ts';
import { readFiles, type SourceFile } from './load-files.ts';
import { fillReferences } from './load-references.ts';
import { assembleWorld } from './load-resolve.ts';
import type { Catalog } from './node.ts';
import { parseNode } from './node-parse.ts';
import { type Problem, toDiagnostics } from './node-read.ts';
import { validateAll } from './validate.ts';
import type { LoadOptions, World } from './validate-world.ts';

/**
 * Loading what authors write (`definitions.md` §8): a folder of files becomes a manifest and its definitions.
 *
 * A1 Every rule looks at everything that reads. What does not read was reported: it drops out, and what would only follow
 *    from that is no finding (`Unread` within a node, `Lost` in the world).
 * A2 Findings come in document order, errors and warnings together, each once.
 * A3 Two mistakes in places that have nothing to do with each other are reported as each would be alone.
 */

export interface StoredObjectLike {
  /** 32 bytes: SHA-256 of `bytes`. */
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}

export interface Loaded {
  readonly catalog: Catalog;
  /** Canonical manifest without `$kind`. */
  readonly manifestNode: Json;
  /** Canonical node of every definition in the files, listed or not, and last the manifest, without `$kind`. */
  readonly objects: readonly StoredObjectLike[];
  readonly warnings: readonly Diagnostic[];
}

/**
 * Load an authored folder.
 *
 * @param files - Already selected with `isAirFile`, in path order: their order decides which of two clashing definitions
 *   is reported, never a hash.
 * @returns on failure all errors and warnings, in document order (§10); `air.manifest_missing` tells that the files hold
 *   no manifest.
 */
export function loadAuthored(
  files: readonly SourceFile[],
  options: LoadOptions = {},
): Result<Loaded, readonly Diagnostic[]> {
  const read = readFiles(files);
  const nodes = read.origins.map((origin) => parseNode(origin, { authored: true }));
  const set = collectNodes(nodes, read.origins, read);
  const canonical = canonicalise(set);
  const filled = fillReferences(set.manifest, canonical);
  const { unlisted, lost } = filled;
  const world = assembleWorld(filled.manifest, filled.resolved, { unlisted, lost, broken: canonical.broken });
  for (const { node, plan } of canonical.defs) {
    if (plan === undefined || !world.plans.has(node.name)) continue;
    world.read.set(node.name, plan);
    if (plan.plan !== undefined) world.canonical.set(node.name, plan.plan);
  }
  const problems: Problem[] = [
    ...read.problems,
    ...nodes.flatMap((node) => node.problems),
    ...set.problems,
    ...canonical.problems,
    ...filled.problems,
    ...validateAll(world, options),
    ...(options.staticTypes === false ? [] : checkStaticTypes(world, options)),
  ];
  const hasErrors = problems.some(({ severity }) => severity === undefined);
  const findings = toDiagnostics(withLints(problems, world, options));
  if (hasErrors) return fail(findings);

  const built = buildCatalog(world);
  const stored = canonical.defs.map(({ node, hash, bytes }): StoredObjectLike => {
    if (hash === undefined || bytes === undefined) throw new Error(`${node.name} has no canonical form and no finding`);
    return { hash, bytes };
  });
  return ok({
    catalog: built.catalog,
    manifestNode: built.manifest,
    objects: [...stored, { hash: built.catalog.manifestHash, bytes: built.manifestBytes }],
    warnings: findings,
  });
}

/** Lints say something about plans that are valid: of a world with errors, about those that the errors leave alone. */
function withLints(problems: readonly Problem[], world: World, options: LoadOptions): readonly Problem[] {
  if (options.lints !== true) return problems;
  return [...problems.map(asLint), ...lintWorld(world, soundPlans(world, problems))];
}
