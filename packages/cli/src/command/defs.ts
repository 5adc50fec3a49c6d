import { BUILTINS, type Catalog, type Json, parseJson, printJson } from '@worldline/air';
import { compareUtf8, decode, hashText } from '@worldline/canon';
import { valid } from '../air-folder.ts';
import type { Context } from '../context.ts';
import { loadDefinitions } from '../definition-files.ts';
import { stop } from '../failure.ts';
import { type Data, type Meta, table } from '../output.ts';
import { Reader } from '../reader.ts';
import { didYouMean } from '../suggest.ts';

/** Kinds in the order in which `defs get` looks for a name (`host.md` §8.3). */
const KINDS = ['schema', 'module', 'plan', 'effect', 'cap', 'policy', 'secret'] as const;
type Kind = (typeof KINDS)[number];

interface Row {
  readonly kind: Kind;
  readonly name: string;
  readonly hash: Uint8Array | undefined;
  readonly facts: { readonly [key: string]: Data };
}

interface View {
  readonly rows: readonly Row[];
  readonly meta: Meta | undefined;
  /** Stored canonical node. */
  node(hash: Uint8Array): Uint8Array | undefined;
  close(): Promise<void>;
}

/** Definitions of the world; before its first run, those of the folder. */
async function view(ctx: Context): Promise<View> {
  const { readIdentity } = await import('@worldline/host');
  const identity = await readIdentity(await ctx.folder());
  if (identity.ok && identity.value === undefined) {
    const config = await ctx.config();
    const sync = ctx.syncFile();
    const { result } = await loadDefinitions(ctx, sync, config.world.require_policy);
    const loaded = valid(result, sync.airDir, ctx.root);
    ctx.out.notice('this world has not run yet: these are the definitions of its folder');
    const nodes = new Map(loaded.objects.map((object) => [hashText(object.hash), object.bytes]));
    return {
      rows: rowsOf(loaded.catalog),
      meta: undefined,
      node: (hash) => nodes.get(hashText(hash)),
      close: async () => {},
    };
  }
  const reader = await Reader.open(ctx);
  try {
    const rows = rowsOf(await reader.catalog());
    return { rows, meta: await reader.meta(), node: (hash) => reader.object(hash), close: () => reader.close() };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

function rowsOf(catalog: Catalog): Row[] {
  const rows: Row[] = [
    ...[...catalog.schemas].map(([name, { hash }]): Row => ({ kind: 'schema', name, hash, facts: {} })),
    ...[...catalog.modules].map(
      ([name, { hash, def }]): Row => ({ kind: 'module', name, hash, facts: { module_kind: def.moduleKind } }),
    ),
    ...[...catalog.plans].map(
      ([name, { hash, def }]): Row => ({ kind: 'plan', name, hash, facts: { plan_steps: def.steps.length } }),
    ),
    ...[...catalog.effects.values()].map(
      ({ hash, def }): Row => ({
        kind: 'effect',
        name: def.name,
        hash,
        facts: { cap_type: def.capType, params_schema: def.paramsSchema, receipt_schema: def.receiptSchema },
      }),
    ),
    ...[...catalog.caps].map(
      ([name, { hash, def }]): Row => ({ kind: 'cap', name, hash, facts: { cap_type: def.capType } }),
    ),
    ...[...catalog.policies].map(
      ([name, { hash, def }]): Row => ({ kind: 'policy', name, hash, facts: { policy_rules: def.rules.length } }),
    ),
    ...catalog.secrets.map((secret): Row => ({ kind: 'secret', name: secret.name, hash: undefined, facts: {} })),
  ];
  return rows.sort((a, b) => compareUtf8(a.name, b.name) || KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind));
}

function readKinds(given: readonly string[]): ReadonlySet<Kind> {
  return new Set(
    given
      .flatMap((text) => text.split(','))
      .map((text) => {
        const bare = text.trim().replace(/^def/, '');
        return (
          KINDS.find((kind) => kind === bare) ??
          stop('invalid_request', `there is no kind "${text}"`, { hint: didYouMean(text, KINDS) })
        );
      }),
  );
}

/** Built-in schemas and caps need not be listed, so a manifest says nothing by having them. */
function isAlwaysThere(row: Row): boolean {
  return row.name.startsWith('sys/') && (row.kind === 'schema' || row.kind === 'cap');
}

/** `worldline defs ls`. What every world has is listed only when a prefix asks for it. */
export async function listDefs(
  ctx: Context,
  flags: { readonly kind: readonly string[]; readonly prefix?: string },
): Promise<void> {
  const kinds = readKinds(flags.kind);
  const world = await view(ctx);
  try {
    const rows = world.rows.filter(
      (row) =>
        (kinds.size === 0 || kinds.has(row.kind)) &&
        (flags.prefix === undefined ? !isAlwaysThere(row) : row.name.startsWith(flags.prefix)),
    );
    ctx.out.answer(
      table(
        ['KIND', 'NAME', 'HASH'],
        rows.map((row) => [row.kind, row.name, row.hash === undefined ? '' : hashText(row.hash)]),
      ),
      {
        defs: rows.map((row) => ({
          kind: row.kind,
          name: row.name,
          hash: row.hash === undefined ? undefined : hashText(row.hash),
          ...row.facts,
        })),
      },
      world.meta,
    );
  } finally {
    await world.close();
  }
}

/** `worldline defs get <name>`: the canonical node. */
export async function getDef(ctx: Context, name: string, flags: { readonly kind: readonly string[] }): Promise<void> {
  const kinds = readKinds(flags.kind);
  const world = await view(ctx);
  try {
    const row = world.rows
      .filter((one) => one.name === name && (kinds.size === 0 || kinds.has(one.kind)))
      .sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind))[0];
    if (row === undefined) {
      const names = world.rows.map((one) => one.name);
      return stop('def.missing', `there is no ${kinds.size === 0 ? 'definition' : [...kinds].join(' or ')} ${name}`, {
        hint: didYouMean(name, names) ?? 'worldline defs ls shows them',
      });
    }
    const hash = row.hash === undefined ? undefined : hashText(row.hash);
    const node = nodeJson(world, row);
    ctx.out.answer([printJson(node, 2)], { def: node, hash }, world.meta);
  } finally {
    await world.close();
  }
}

function nodeJson(world: View, row: Row): Json {
  if (row.hash === undefined)
    return stop('def.missing', `${row.name} is written in the manifest and has no node of its own`);
  const bytes = world.node(row.hash);
  if (bytes !== undefined) {
    const decoded = decode(bytes);
    if (decoded.ok) return decoded.value as Json;
  }
  const builtin = builtinNode(row.name, row.kind);
  return (
    builtin ??
    stop('store.not_found', `the store lacks ${row.name} (${hashText(row.hash)})`, {
      hint: '"worldline journal verify" tells what else is missing',
    })
  );
}

function builtinNode(name: string, kind: Kind): Json | undefined {
  const nodes: ReadonlyMap<string, unknown> | undefined = {
    schema: BUILTINS.schemas,
    effect: BUILTINS.effects,
    cap: BUILTINS.caps,
    module: BUILTINS.modules,
    plan: undefined,
    policy: undefined,
    secret: undefined,
  }[kind];
  const node = (nodes?.get(name) as { readonly node?: Json } | undefined)?.node;
  if (node === undefined) return undefined;
  const copy = parseJson(printJson(node));
  return copy.ok ? copy.value : undefined;
}
