import { hashText } from '@worldline/canon';
import { type ConfigDifference, configDifferences, configJson } from '@worldline/host';
import { decodeConfig, type WorldConfig } from '@worldline/kernel';
import { acting } from '../acting.ts';
import { confirm } from '../confirm.ts';
import type { Context } from '../context.ts';
import { stop, stopWith } from '../failure.ts';
import { counted, type Data, printable, table, toJson } from '../output.ts';
import { type Reader, reading } from '../reader.ts';

/** `worldline config …`: the journaled world configuration (`kernel.md` §15, `host.md` §7.1). */

/** The configuration in force. @throws CommandError `journal.corrupt`. */
export function activeConfig(reader: Reader): WorldConfig {
  const bytes = reader.object(reader.row.configHash);
  const config = bytes === undefined ? undefined : decodeConfig(bytes);
  return config?.ok === true
    ? config.value
    : stop('journal.corrupt', 'the configuration of this world is not in the store');
}

export async function getConfig(ctx: Context): Promise<void> {
  const { world: wanted } = await ctx.config();
  await reading(ctx, async (reader) => {
    const config = activeConfig(reader);
    const changed = configDifferences(config, wanted);
    const differing = new Map(changed.map((one) => [one.member, one]));
    const { limits, ...rest } = configJson(config) as { readonly limits: Readonly<Record<string, Data>> };
    const members: readonly (readonly [string, Data])[] = [
      ...Object.entries(rest as Readonly<Record<string, Data>>),
      ...Object.entries(limits).map(([name, value]) => [`limits.${name}`, value] as const),
      ...changed.filter((one) => one.from === undefined).map((one) => [one.member, null] as const),
    ];
    ctx.out.answer(
      [
        `config ${hashText(reader.row.configHash)}`,
        '',
        ...table(
          ['MEMBER', 'IN FORCE', ...(changed.length === 0 ? [] : ['worldline.host.json'])],
          members.map(([member, value]) => {
            const other = differing.get(member);
            return [
              member,
              other !== undefined && other.from === undefined ? '-' : shown(value),
              other === undefined ? '' : shown(other.to),
            ];
          }),
        ),
        ...(changed.length === 0
          ? []
          : ['', `${counted(changed.length, 'difference')}; "worldline config apply" puts them into force`]),
      ],
      {
        config_hash: hashText(reader.row.configHash),
        config: configJson(config),
        changed: changed.map(differenceJson),
      },
      await reader.meta(),
    );
  });
}

export async function applyConfig(ctx: Context, flags: { readonly yes?: boolean }): Promise<void> {
  const { world: wanted } = await ctx.config();
  const { hash, changed } = await reading(ctx, async (reader) => ({
    hash: reader.row.configHash,
    changed: configDifferences(activeConfig(reader), wanted),
  }));
  if (changed.length === 0) {
    ctx.out.answer(['nothing differs'], { config_hash: hashText(hash), changed: [] });
    return;
  }
  const lines = changed.map((one) => printable(`${one.member}: ${shown(one.from)} → ${shown(one.to)}`));
  if (flags.yes !== true) {
    if (!ctx.out.json) for (const line of lines) ctx.out.progress(line);
    await confirm(
      ctx,
      `Change ${counted(changed.length, 'setting')} of this world?`,
      'a change of the configuration decides what this world may do from now on',
    );
  }
  const configHash = await acting(ctx, {
    async control(control) {
      const body = { config: configJson(wanted), expected_hash: hashText(hash) };
      return String((await control.put('/api/config', body))['config_hash']);
    },
    async world(world) {
      const applied = await world.applyConfig(wanted, hash);
      return applied.ok ? applied.value.configHash : stopWith(applied.failure);
    },
  });
  ctx.out.answer([...lines, configHash], { config_hash: configHash, changed: changed.map(differenceJson) });
}

function differenceJson({ member, from, to }: ConfigDifference): Data {
  return { member, from: from ?? null, to: to ?? null };
}

function shown(value: Data | undefined): string {
  return value === undefined ? '-' : toJson(value, false);
}
