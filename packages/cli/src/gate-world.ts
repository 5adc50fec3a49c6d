import { resolve } from 'node:path';
import type { GateWorld } from '@worldline/testkit/gates';
import { valid } from './air-folder.ts';
import { Context } from './context.ts';
import { acceptImports, loadDefinitions } from './definition-files.ts';
import { readGatesFile } from './gates-file.ts';
import { Output } from './output.ts';

/**
 * The definitions of a world folder as `worldline check` loads them, and its `gates.json`.
 *
 * @throws CommandError as reading and checking the folder do, and `gates.schema`.
 */
export async function readGateWorld(ctx: Context, gatesFile?: string): Promise<GateWorld> {
  const sync = ctx.syncFile();
  const { require_policy: requirePolicy } = (await ctx.config()).world;
  const { files, imports, result } = await loadDefinitions(ctx, sync, requirePolicy);
  acceptImports(ctx, sync, imports);
  const loaded = valid(result, sync.airDir, ctx.root);
  const config = readGatesFile(ctx.root, gatesFile === undefined ? undefined : resolve(ctx.cwd, gatesFile));
  return { files, loaded, requirePolicy, config };
}

/** The same for programs: tests of a world run `runGates` of `@worldline/testkit/gates` over it. */
export function loadGateWorld(dir: string): Promise<GateWorld> {
  const silent = { write: () => true };
  const ctx = new Context({
    flags: {
      world: dir,
      mode: 'batch',
      json: true,
      pretty: false,
      meta: false,
      quiet: true,
      timeoutMs: 0,
      timeoutGiven: false,
    },
    out: new Output(
      { json: true, pretty: false, meta: false, quiet: true },
      { stdout: silent, stderr: silent, env: {} },
    ),
    cwd: process.cwd(),
    env: process.env,
    interrupted: new AbortController().signal,
    composition: {},
  });
  return readGateWorld(ctx);
}
