import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '@worldline/air';
import { describe, expect, test } from 'vitest';
import { type Contract, contractOf } from '../src/pack-contract.ts';

/** Contracts (`packs.md` §3.3): what the packs of this repository say of themselves is what their plans are. */

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PACKS = readdirSync(`${ROOT}packs`, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);

function contractsOf(pack: string): readonly Contract[] {
  const file = `${ROOT}packs/${pack}/air/exports/plan-packs/${pack}/defs.air.json`;
  const nodes = JSON.parse(readFileSync(file, 'utf8')) as readonly JsonObject[];
  const plans = nodes.filter((node) => node['$kind'] === 'defplan');
  return plans.map((node) => contractOf(node, (name) => plans.find((one) => one['name'] === name)));
}

/** Rows of the table of plans: each cell as it is shown. */
function tableOf(pack: string): readonly (readonly string[])[] {
  const text = readFileSync(`${ROOT}packs/${pack}/README.md`, 'utf8');
  const [, , ...rows] = /^\| Plan \|.*(?:\n\|.*)*/m.exec(text)?.[0].split('\n') ?? [];
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

function rowOf({ name, role, input, output, emittedEvents, awaitedEvents, emissions }: Contract): readonly string[] {
  const short = (names: readonly string[]) =>
    names.map((one) => `\`${one.slice(one.indexOf('/') + 1)}\``).join('<br>') || '—';
  const slots = [...new Set(emissions.map(({ cap, kind }) => `\`${cap}\`: ${kind}`))].sort();
  const outputs = output === undefined ? [] : [output];
  return [
    short([name]),
    role,
    short([input]),
    short(outputs),
    short(emittedEvents),
    short(awaitedEvents),
    slots.join('<br>'),
  ];
}

test('there are packs', () => {
  expect(PACKS).toEqual(expect.arrayContaining(['approval-gate', 'deadline-race', 'request-response']));
});

describe.each(PACKS)('packs/%s', (pack) => {
  test('its README has the contract of each plan', () => {
    const rows = contractsOf(pack).map(rowOf);
    expect([...tableOf(pack)].sort()).toEqual([...rows].sort());
  });

  test('can be published: to everybody, with its licence', () => {
    const about = JSON.parse(readFileSync(`${ROOT}packs/${pack}/package.json`, 'utf8'));
    expect(about).toMatchObject({ name: `@worldline/${pack}`, publishConfig: { access: 'public' }, files: ['air'] });
    // npm takes README.md and LICENSE along, wherever "files" says.
    const licence = (folder: string) => readFileSync(`${ROOT}${folder}LICENSE`, 'utf8');
    expect(licence(`packs/${pack}/`)).toBe(licence(''));
  });
});
