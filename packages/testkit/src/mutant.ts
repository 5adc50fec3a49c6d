import {
  type Diagnostic,
  JsonFloat,
  loadAuthored,
  printJson,
  type SourceFile,
  suggest,
  UNSUPPORTED,
} from '@worldline/air';
import { type Path, pointer } from '@worldline/canon';

/**
 * Mutants: sound worlds with one planted fault each, and what the loader and the checker must say about it.
 *
 * N1  A world is a list of authored nodes, each in a file of its own: the file of a finding tells its node.
 * N2  A mutation works out the pointer of every finding itself; nothing is copied from what the loader answered.
 * N3  What is not expected must not be found. `unsupported` stands aside: it says what this runtime does not run yet,
 *     which is as true of the sound world.
 */

// biome-ignore lint/suspicious/noExplicitAny: authored JSON of every shape is changed here
export type Authored = any;

export interface MutantWorld {
  readonly name: string;
  /** Authored nodes, the manifest among them. Never changed. */
  readonly nodes: readonly Authored[];
}

/** A finding that must be there, once. */
export interface Expected {
  readonly code: string;
  /** Index of the node, which is the index of its file. */
  readonly node: number;
  /** Into the node: as written, and in canonical form for the codes of `expressions.md` §13.6. */
  readonly path: Path;
  readonly rule?: string | undefined;
  /** Code of the value error behind it (`values.md` §9). */
  readonly cause?: string | undefined;
  /** What the hint must name: the word that was meant. */
  readonly hint?: string | undefined;
  /** Errors when left out. */
  readonly severity?: 'warning' | undefined;
}

/** A world about to be changed. */
export class Draft {
  readonly nodes: Authored[];
  /** Texts of files where they are not the JSON of their node. */
  readonly texts = new Map<number, string>();

  constructor(nodes: readonly Authored[]) {
    this.nodes = nodes.map(copy);
  }

  /** @returns The index of the new node. */
  add(node: Authored): number {
    return this.nodes.push(node) - 1;
  }

  files(): SourceFile[] {
    return this.nodes.map((node, index) => ({
      path: fileOf(index),
      text: this.texts.get(index) ?? printJson(node, 1),
    }));
  }
}

/** Path order is the order of the nodes. */
function fileOf(index: number): string {
  return `air/${String(index).padStart(4, '0')}.air.json`;
}

/** One place where a class applies. */
export interface Place {
  /** For people: where, and what is done there. */
  readonly at: string;
  /** The node that is changed; combined mutants change two different ones. */
  readonly node: number;
  /** Change the draft, and say what must be found. */
  readonly change: (draft: Draft) => readonly Expected[];
  /** Codes that may be found besides. */
  readonly mayFollow?: readonly string[] | undefined;
}

export interface MutationClass {
  readonly name: string;
  /** The finding stays whatever is wrong in another definition: nothing but the node itself decides. */
  readonly alone?: boolean | undefined;
  readonly places: (world: MutantWorld) => readonly Place[];
}

export interface Mutant {
  readonly world: string;
  readonly name: string;
  readonly files: readonly SourceFile[];
  readonly expected: readonly Expected[];
  readonly mayFollow: readonly string[];
}

/**
 * What may follow where a guard or what it reads is changed: without its facts (`expressions.md` §13.5) a payload is one of
 * several types.
 */
export const LOST_FACTS: readonly string[] = [
  'arm_type_conflict',
  'operand_type',
  'slot_type',
  'never_equal',
  'element_type',
  'key_type',
  'get_key_not_constant',
  'not_bool',
  'var_type_conflict',
];

/** The mutant of one or several places of a world. */
export function mutantOf(world: MutantWorld, names: readonly string[], places: readonly Place[]): Mutant {
  const draft = new Draft(world.nodes);
  const expected = places.flatMap((place) => place.change(draft));
  return {
    world: world.name,
    name: places.map(({ at }, index) => `${names[index]} at ${at}`).join(' and '),
    files: draft.files(),
    expected,
    mayFollow: [
      ...places.flatMap(({ mayFollow }) => mayFollow ?? []),
      // Whatever is wrong with an edge, its guard gives no facts.
      ...(expected.some(({ path }) => path[0] === 'edges') ? LOST_FACTS : []),
    ],
  };
}

/** Errors of a world by the loader, without what this runtime does not run yet; and the warnings of one that loads. */
export function findingsOf(files: readonly SourceFile[]): readonly Diagnostic[] {
  const loaded = loadAuthored(files);
  return (loaded.ok ? loaded.value.warnings : loaded.failure).filter(({ code }) => code !== UNSUPPORTED);
}

/**
 * What the loader said of a mutant against what was expected of it.
 *
 * @param usual - Warnings that the sound world has as well.
 * @returns lines for people; none when they agree.
 */
export function disagreements(mutant: Mutant, usual: ReadonlySet<string> = new Set()): readonly string[] {
  const found = findingsOf(mutant.files);
  const open = [...found];
  const lines: string[] = [];
  for (const each of mutant.expected) {
    const index = open.findIndex((diagnostic) => isFound(diagnostic, each));
    if (index < 0) lines.push(`missing: ${showExpected(each)}`);
    else open.splice(index, 1);
  }
  const wantsWarnings = mutant.expected.every(({ severity }) => severity === 'warning');
  for (const diagnostic of open) {
    if (mutant.mayFollow.includes(diagnostic.code)) continue;
    // Beside an error a warning is nobody's concern; without one, what is new must have been expected.
    if (diagnostic.severity === 'warning' && (!wantsWarnings || usual.has(showFinding(diagnostic)))) continue;
    lines.push(`not expected: ${showFinding(diagnostic)} (${diagnostic.message})`);
  }
  return lines;
}

function isFound(diagnostic: Diagnostic, expected: Expected): boolean {
  return (
    diagnostic.code === expected.code &&
    diagnostic.severity === (expected.severity ?? 'error') &&
    // Only "no file holds a manifest" is about no file.
    (diagnostic.file ?? fileOf(expected.node)) === fileOf(expected.node) &&
    pointer(diagnostic.path) === pointer(expected.path) &&
    (expected.rule === undefined || diagnostic.rule === expected.rule) &&
    (expected.cause === undefined || diagnostic.fields?.['cause'] === expected.cause) &&
    (expected.hint === undefined || (diagnostic.hint ?? '').includes(expected.hint))
  );
}

function showExpected({ code, rule, node, path, cause, hint }: Expected): string {
  const extra = [cause === undefined ? '' : `cause ${cause}`, hint === undefined ? '' : `hint "${hint}"`];
  return [rule ?? '-', code, fileOf(node), pointer(path) || '""', ...extra].join(' ').trimEnd();
}

export function showFinding(found: Diagnostic): string {
  const cause = found.fields?.['cause'];
  const extra = [cause === undefined ? '' : `cause ${cause}`, found.hint === undefined ? '' : `hint "${found.hint}"`];
  return [found.rule ?? '-', found.code, found.file ?? '-', pointer(found.path) || '""', ...extra].join(' ').trimEnd();
}

/** A deep copy that keeps number tokens with fractions. */
export function copy(json: Authored): Authored {
  if (json instanceof JsonFloat || json === null || typeof json !== 'object') return json;
  if (Array.isArray(json)) return json.map(copy);
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, copy(value)]));
}

export function at(json: Authored, path: Path): Authored {
  return path.reduce((found: Authored, part) => found?.[part], json);
}

export function put(json: Authored, path: Path, value: Authored): void {
  at(json, path.slice(0, -1))[path.at(-1) as string | number] = value;
}

export function drop(json: Authored, path: Path): void {
  delete at(json, path.slice(0, -1))[path.at(-1) as string];
}

/** Members of an object by name, or none for anything else. */
export function keys(json: Authored): string[] {
  return json !== null && typeof json === 'object' && !Array.isArray(json) && !(json instanceof JsonFloat)
    ? Object.keys(json)
    : [];
}

/** A text that is near one word and near no other known one: two neighbours swapped. */
export function misspelt(word: string, known: Iterable<string>): string | undefined {
  const others = [...known].filter((other) => other !== word);
  const end = word.indexOf('@') < 0 ? word.length : word.indexOf('@');
  const start = word.indexOf('/') + 1;
  for (let i = end - 2; i > start; i -= 1) {
    const swapped = word.slice(0, i) + word[i + 1] + word[i] + word.slice(i + 2);
    if (swapped !== word && /^[a-zA-Z]{2}$/.test(word.slice(i, i + 2)) && suggest(swapped, others) === undefined)
      return swapped;
  }
  return undefined;
}
