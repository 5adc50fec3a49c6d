/** One code that `worldline check` can print, for people: what `--explain` and `docs/diagnostics.md` are made from. */
export interface DiagnosticEntry {
  readonly code: string;
  readonly severity: 'error' | 'warning' | 'info';
  /** Rules of the language that it stands for: `V-512`. */
  readonly rules: readonly string[];
  /** One sentence. */
  readonly title: string;
  /** What it means, why it is trouble, what to do: a few sentences that need no other document. */
  readonly meaning: string;
  /** Absent where no folder can show it: codes of stored manifests, and of trouble with reading. */
  readonly wrong?: Example;
  readonly right?: Example;
  /** Codes that this version reports beside it, in both examples. */
  readonly beside?: readonly string[];
}

export interface DiagnosticGroup {
  readonly title: string;
  readonly entries: readonly DiagnosticEntry[];
}

/** A piece of a world. */
export interface Example {
  readonly part: Part;
  /** Well indented, without the marks. */
  readonly text: string;
  /** The place that the finding points at; absent in right examples. */
  readonly mark?: Mark;
  /** What readers see of a text that nobody would read. */
  readonly shown?: { readonly text: string; readonly mark?: Mark };
}

/** A place in a text, in UTF-16 units. */
export interface Mark {
  readonly at: number;
  readonly length: number;
}

/** What the text of an example is, and so how it becomes a whole world. */
export type Part =
  | 'folder'
  | 'nodes'
  | 'manifest'
  | 'plan'
  | 'steps'
  | 'expr'
  | 'type'
  | 'import'
  | 'pack'
  | 'consumer'
  | 'worldline.json'
  | 'worldline.host.json';

/** What to call such a text. */
export const PART_NAMES: Readonly<Record<Part, string>> = {
  folder: 'the only file of a folder',
  nodes: 'definitions that the manifest lists',
  manifest: 'part of the manifest',
  plan: 'part of a plan',
  steps: 'the steps of a plan',
  expr: 'an expression in a plan',
  type: 'the type of a schema',
  import: 'a file of an imported folder',
  pack: 'a file of an imported plan pack',
  consumer:
    'a world that imports the pack ping: schema Ask, plan entry_ping, which asks example.com under slot cap_web',
  'worldline.json': 'worldline.json',
  'worldline.host.json': 'worldline.host.json',
};

/**
 * An example from source text: common indentation is taken off, `«…»` marks the place.
 *
 * @param options.shown - in its stead for readers, when the text is very long.
 * @throws Error when marks do not match: a mistake in the table.
 */
export function example(part: Part, source: string, options: { readonly shown?: string } = {}): Example {
  const { shown } = options;
  return { part, ...markedText(source), ...(shown === undefined ? {} : { shown: markedText(shown) }) };
}

function markedText(source: string): { readonly text: string; readonly mark?: Mark } {
  const lines = source.replace(/^\n/, '').trimEnd().split('\n');
  const indents = lines.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length);
  const indent = Math.min(...indents);
  const marked = lines.map((line) => line.slice(indent)).join('\n');
  const at = marked.indexOf('«');
  const end = marked.indexOf('»');
  const text = marked.replace('«', '').replace('»', '');
  if (/[«»]/.test(text) || at < 0 !== end < 0 || end < at) throw new Error(`unmatched marks in ${source}`);
  return at < 0 ? { text } : { text, mark: { at, length: end - at - 1 } };
}
