import { printJson } from '@worldline/air';
import { hashText } from '@worldline/canon';
import { type ActiveManifest, activeManifest, manifestAt } from '../active-manifest.ts';
import type { Context } from '../context.ts';
import { stop } from '../failure.ts';
import { type Reader, reading } from '../reader.ts';

export interface ManifestFlags {
  readonly consistency: string;
  readonly raw?: boolean;
}

/** `worldline manifest get`: the canonical manifest, now or as it was. */
export async function getManifest(ctx: Context, flags: ManifestFlags): Promise<void> {
  const wanted = consistency(flags.consistency);
  await reading(ctx, async (reader) => {
    const found = await manifestFor(reader, wanted);
    if (flags.raw === true) {
      ctx.out.bytes(found.bytes);
      return;
    }
    const meta = { ...(await reader.meta()), manifest_hash: hashText(found.hash) };
    const height = wanted.kind === 'exact' ? wanted.height : meta.journal_height;
    ctx.out.answer([printJson(found.json, 2)], found.json, { ...meta, journal_height: height });
  });
}

type Consistency = { readonly kind: 'head' } | { readonly kind: 'at_least' | 'exact'; readonly height: number };

/** `head`, `at_least:<h>` or `exact:<h>` (`workspaces.md` §10.1). @throws CommandError `query.bad_consistency`. */
function consistency(text: string): Consistency {
  const given = text.trim().toLowerCase();
  if (given === 'head') return { kind: 'head' };
  const match = /^(at_least|exact):([0-9]{1,15})$/.exec(given);
  if (match !== null) return { kind: match[1] as 'at_least' | 'exact', height: Number(match[2]) };
  return stop('query.bad_consistency', `"${text}" is no consistency`, {
    hint: 'head, at_least:<height> or exact:<height>',
  });
}

async function manifestFor(reader: Reader, wanted: Consistency): Promise<ActiveManifest> {
  if (wanted.kind === 'head') return activeManifest(reader);
  if (wanted.height > reader.height || wanted.height === 0)
    return stop('query.height_unavailable', `the height of this world is ${reader.height}`, {
      hint: 'heights begin with 1: the first record makes the world',
    });
  if (wanted.kind === 'at_least') return activeManifest(reader);
  // Every height has one: that of the newest manifest record before it.
  let active: Uint8Array | undefined;
  for await (const { record } of reader.entries(0, wanted.height))
    if (record.record_kind === 'manifest') active = record.manifest_hash;
  return active === undefined
    ? stop('query.height_unavailable', `the journal no longer tells what was active at ${wanted.height}`)
    : manifestAt(reader, active);
}
