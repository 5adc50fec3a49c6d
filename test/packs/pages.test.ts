import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Node, type PackName, packNodes } from './consumer.ts';
import { FIXTURES, fixtureNodes } from './fixture.ts';

/** What `docs/patterns` shows of the packs is what the packs hold; their sessions are typed again by `test/house`. */

const PAGES = new URL('../../docs/patterns/', import.meta.url);
const NAMES = readdirSync(new URL('../../packs/', import.meta.url));

/** The JSON of a page that shows definitions, or edges of an example; what has "…" in it is a sketch. */
function shown(page: string): readonly Node[] {
  const text = readFileSync(new URL(page, PAGES), 'utf8');
  const blocks = [...text.matchAll(/^```json\n(.*?)^```$/gms)].map(([, block = '']) => block);
  return blocks
    .filter((block) => !block.includes('…'))
    .flatMap((block): readonly Node[] => [JSON.parse(block) as Node | Node[]].flat());
}

const pages = readdirSync(PAGES).filter((name) => NAMES.includes(name.replace('.md', '')));

test('the packs have their pages', () => {
  expect(pages).toEqual(expect.arrayContaining(['approval-gate.md', 'deadline-race.md']));
});

describe.each(pages)('%s', (page) => {
  const pack = page.replace('.md', '') as PackName;
  const nodes = packNodes(pack);

  test('names every schema of the pack, and shows definitions as they are', () => {
    for (const node of shown(page).filter((each) => '$kind' in each))
      expect(node).toEqual(nodes.find(({ name }) => name === node['name']));
    const text = readFileSync(new URL(page, PAGES), 'utf8');
    for (const { $kind, name } of nodes) if ($kind === 'defschema') expect(text).toContain(String(name).split('/')[1]);
  });

  test('shows steps and edges that a plan of the examples has', () => {
    const plans = FIXTURES.filter((one) => one.pack === pack).flatMap(fixtureNodes);
    const parts = plans.flatMap(({ steps = [], edges = [] }) => [...(steps as Node[]), ...(edges as Node[])]);
    const plain = parts.map(({ $comment: _, ...part }) => part);
    for (const part of shown(page).filter((node) => 'from' in node || 'op' in node)) expect(plain).toContainEqual(part);
  });
});
