import { type Path, pointer } from '@worldline/canon';
import { describe, expect, test } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import { loadAuthored } from '../../src/load-authored.ts';
import type { SourceFile } from '../../src/load-files.ts';
import { UNSUPPORTED } from '../../src/validate-support.ts';
import type { LoadOptions } from '../../src/validate-world.ts';
import { type Authored, line, smallWorld, type WorldFixture } from '../fixtures.ts';

/** One case of a rule of `definitions.md` §10: a named change of a small sound world, and the nearest form that is right. */

export type Change = (world: WorldFixture) => void;

export interface RuleCase {
  /** `V-404 keyed reducer without key_field`. */
  readonly of: string;
  readonly wrong: Change;
  /** Every finding, errors and warnings, as `rule code kind/name path`, in document order. */
  readonly finds: readonly string[];
  /** Fields of the first finding of the rule, where the rule names some. */
  readonly fields?: Authored;
  /** Part of the hint of that finding. */
  readonly hint?: string;
  /** Where that finding stands as written, if its path is one in canonical form (`expressions.md` §13.6). */
  readonly written?: Path;
  /** Left out where the world without the change is the nearest one. */
  readonly right?: Change;
  readonly options?: LoadOptions;
}

export const PATH = 'air/world.air.json';

export function describeRules(title: string, cases: readonly RuleCase[], base: () => WorldFixture = smallWorld): void {
  describe(title, () => {
    test.each(cases.map((each) => [each.of, each] as const))(
      '%s',
      (_of, { wrong, finds, fields, hint, written, right, options, of }) => {
        const world = base();
        wrong(world);
        const text = textOf(world.nodes);
        const found = allFindings([{ path: PATH, text }], options);
        expect(found.map(line)).toEqual(finds);
        // Every finding says what to try next.
        expect(found.filter(({ hint }) => hint === undefined).map(line)).toEqual([]);
        const main = found.find(({ rule }) => of.startsWith(`${rule} `)) ?? found[0];
        for (const each of found) {
          const place = each === main && written !== undefined ? { ...each, path: written } : each;
          expect([each.line, each.column]).toEqual(expectedPosition(world.nodes, place));
        }
        if (fields !== undefined) expect(main?.fields).toEqual(fields);
        if (hint !== undefined) expect(main?.hint).toContain(hint);

        const sound = base();
        right?.(sound);
        expect(allFindings([{ path: PATH, text: textOf(sound.nodes) }], options).map(line)).toEqual([]);
      },
    );
  });
}

export function textOf(nodes: Authored): string {
  return JSON.stringify(nodes, null, 1);
}

/** Errors and warnings, without what the language has and this runtime does not run yet: that has tests of its own. */
export function allFindings(files: readonly SourceFile[], options?: LoadOptions): readonly Diagnostic[] {
  const loaded = loadAuthored(files, options);
  return (loaded.ok ? loaded.value.warnings : loaded.failure).filter(({ code }) => code !== UNSUPPORTED);
}

/** Codes that point at a member's name rather than its value. */
const AT_KEY: ReadonlySet<string> = new Set(['node.unknown_field', 'binding.unknown_module', 'binding.unknown_slot']);

const MARK = '\u2060mark';

/**
 * Where a finding must stand, found without the loader: a mark is written there, and looked for in the text. What is not
 * there is reported at what would hold it.
 */
function expectedPosition(nodes: Authored[], { path, name, kind, code, fields }: Diagnostic): (number | undefined)[] {
  if (kind === undefined && code === 'air.manifest_missing') return [undefined, undefined];
  const index = placeOf(nodes, name, kind, path);
  // Parts that a test uses twice are one object: in the text they are two.
  const marked = JSON.parse(JSON.stringify(nodes));
  const full: Path = [index, ...path];
  let parent: Authored = marked;
  let at = 0;
  while (at < full.length - 1 && isHolder(parent[full[at]!]) && Object.hasOwn(parent[full[at]!], full[at + 1]!)) {
    parent = parent[full[at]!];
    at += 1;
  }
  const last = full[at]!;
  const isAtKey = AT_KEY.has(code) || fields?.['cause'] === 'value.unknown_field';
  if (isAtKey && at === full.length - 1) {
    const holder = full.slice(0, -1).reduce((found: Authored, part) => found[part], nodes);
    const grand = full.slice(0, -2).reduce((found: Authored, part) => found[part], marked);
    grand[full.at(-2)!] = Object.fromEntries(
      Object.entries(holder).map(([key, value]) => [key === last ? MARK : key, value]),
    );
  } else {
    parent[last] = MARK;
  }
  const before = textOf(marked).split(JSON.stringify(MARK))[0]!;
  const lines = before.split('\n');
  return [lines.length, lines.at(-1)!.length + 1];
}

function isHolder(value: Authored): boolean {
  return value !== null && typeof value === 'object';
}

/** The node of that kind and name that has the path; of two that clash the last. */
function placeOf(nodes: Authored[], name: string | undefined, kind: string | undefined, path: Path): number {
  const fits = nodes.flatMap((node, index) => {
    const isNode = node !== null && typeof node === 'object';
    if (kind === undefined) return !isNode || !KINDS.has(node.$kind) ? [index] : [];
    return isNode && node.$kind === kind && (name === undefined || node.name === name) ? [index] : [];
  });
  if (fits.length === 0) throw new Error(`no node ${kind} ${name} for ${pointer(path)}`);
  return fits.at(-1)!;
}

const KINDS: ReadonlySet<unknown> = new Set([
  'manifest',
  'defschema',
  'defmodule',
  'defplan',
  'defeffect',
  'defcap',
  'defpolicy',
  'defsecret',
]);
