/**
 * JSON examples in documents, and what each of them claims. The words behind ` ```json ` say how a block is judged:
 *
 *   type                           a type expression
 *   value=SCHEMA of=WORLD          a value of a schema, in either spelling; all blocks of one schema are one value
 *   expr of=WORLD [finds=CODES]    an expression, put into the step "try" of the world's plan
 *   nodes of=WORLD [finds=CODES]   definitions: of that world when nothing is found, else in place of its own
 *   input=JSON ends=STATUS[@STEP]  behind `nodes`, any number: run the world's last plan, and how the run ends
 */
export interface Snippet {
  readonly line: number;
  readonly kind: 'type' | 'value' | 'expr' | 'nodes';
  readonly text: string;
  readonly world: string;
  readonly schema?: string | undefined;
  /** Codes in the order in which they are reported; none when the block is sound. */
  readonly finds: readonly string[];
  readonly runs: readonly { readonly input: unknown; readonly status: string; readonly step?: string | undefined }[];
}

const BLOCK = /^```json *([^\n]*)\n(.*?)^```$/gms;

/** @throws Error for a block that says nothing, or something unknown, about itself: an unchecked example. */
export function snippetsOf(markdown: string): readonly Snippet[] {
  return [...markdown.matchAll(BLOCK)].map((match) => {
    const line = markdown.slice(0, match.index).split('\n').length;
    const [head = '', ...words] = (match[1] ?? '').split(' ').filter((word) => word !== '');
    const [kind = '', schema] = head.split('=');
    if (kind !== 'type' && kind !== 'value' && kind !== 'expr' && kind !== 'nodes')
      throw new Error(`line ${line}: a JSON example must say how it is checked, got "${match[1]}"`);
    const runs: { input: unknown; status: string; step?: string | undefined }[] = [];
    let world = '';
    let finds: readonly string[] = [];
    let input: unknown;
    for (const word of words) {
      const at = word.indexOf('=');
      const [name, value] = [word.slice(0, at), word.slice(at + 1)];
      if (name === 'of') world = value;
      else if (name === 'finds') finds = value.split(',');
      else if (name === 'input') input = JSON.parse(value);
      else if (name === 'ends') {
        const [status = '', step] = value.split('@');
        runs.push({ input, status, step });
      } else throw new Error(`line ${line}: unknown word "${word}"`);
    }
    return { line, kind, text: match[2] ?? '', world, schema, finds, runs };
  });
}
