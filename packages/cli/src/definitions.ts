import { type Catalog, isJsonArray, isJsonObject, type Json, locate, parseJson, type SourceFile } from '@worldline/air';
import type { Path } from '@worldline/canon';
import type { HttpConfig } from '@worldline/host';
import { valid } from './air-folder.ts';
import type { Context } from './context.ts';
import { loadDefinitions } from './definition-files.ts';
import { stop } from './failure.ts';
import type { Meta } from './output.ts';
import { didYouMean } from './suggest.ts';

/** Definitions that a command asks about and does not run: those of the folder, or those that the world has. */
export interface Definitions {
  readonly catalog: Catalog;
  readonly source: 'folder' | 'world';
  readonly meta: Meta | undefined;
  /** How this machine performs `http.request`: what it adds to a request, and whether it follows redirects. */
  readonly http: Pick<HttpConfig, 'redirects' | 'credentials'>;
  /** Where a plan, or one of its steps, is written; undefined for those of the world. */
  place(plan: string, step?: number): Place | undefined;
}

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * @param fromWorld - Ask the world instead of the folder.
 * @throws CommandError as reading and checking the folder do, and as opening the world does.
 */
export async function readDefinitions(ctx: Context, fromWorld: boolean): Promise<Definitions> {
  const config = await ctx.config();
  const { http } = config;
  if (fromWorld) {
    const { Reader } = await import('./reader.ts');
    const reader = await Reader.open(ctx);
    try {
      const catalog = await reader.catalog();
      return { catalog, source: 'world', meta: await reader.meta(), http, place: () => undefined };
    } finally {
      await reader.close();
    }
  }
  const sync = ctx.syncFile();
  const { files, result } = await loadDefinitions(ctx, sync, config.world.require_policy, { willRun: false });
  const { catalog } = valid(result, sync.airDir, ctx.root);
  return { catalog, source: 'folder', meta: undefined, http, place: places(files) };
}

/** @throws CommandError `plan.unknown`. */
export function requirePlan({ catalog }: Definitions, name: string): void {
  if (catalog.plans.has(name)) return;
  stop('plan.unknown', `there is no plan ${name}`, {
    hint: didYouMean(name, catalog.plans.keys()) ?? 'worldline defs ls --kind plan shows them',
  });
}

function places(files: readonly SourceFile[]): Definitions['place'] {
  let plans: ReadonlyMap<string, { readonly file: SourceFile; readonly base: Path }> | undefined;
  return (plan, step) => {
    plans ??= findPlans(files);
    const found = plans.get(plan);
    if (found === undefined) return undefined;
    const path = [...found.base, ...(step === undefined ? ['name'] : ['steps', step])];
    const at = locate(found.file.text, path);
    return at === undefined ? undefined : { file: found.file.path, line: at.line, column: at.column };
  };
}

function findPlans(
  files: readonly SourceFile[],
): ReadonlyMap<string, { readonly file: SourceFile; readonly base: Path }> {
  const plans = new Map<string, { readonly file: SourceFile; readonly base: Path }>();
  for (const file of files) {
    const json = parseJson(file.text);
    if (!json.ok) continue;
    const nodes: readonly (readonly [Json, Path])[] = isJsonArray(json.value)
      ? json.value.map((node, i) => [node, [i]] as const)
      : [[json.value, []]];
    for (const [node, base] of nodes) {
      if (!isJsonObject(node) || node['$kind'] !== 'defplan' || typeof node['name'] !== 'string') continue;
      // Of exact copies the first one counts, as in loading.
      if (!plans.has(node['name'])) plans.set(node['name'], { file, base });
    }
  }
  return plans;
}

export function placeText(place: Place | undefined): string {
  return place === undefined ? '' : `${place.file}:${place.line}:${place.column}`;
}
