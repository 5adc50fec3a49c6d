import { printJson } from '@worldline/air';
import { copy, type Expected, type MutantWorld, type MutationClass, type Place } from './mutant.ts';

/** Faults in files: V-101 (`definitions.md` §8.2, `values.md` §3.1). */

/** The text of a further file, made from the text of a definition. */
function file(name: string, code: string, texts: (text: string) => readonly string[]): MutationClass {
  return {
    name,
    alone: true,
    places: (world) =>
      definitions(world).flatMap(({ node, text }) =>
        texts(text).map(
          (wrong): Place => ({
            at: `a copy of node ${node}: ${JSON.stringify(wrong.slice(-20))}`,
            node,
            change: (draft) => {
              const added = draft.add({});
              draft.texts.set(added, wrong);
              // Where in the file is not a matter of nodes: the parser says how far it came.
              return [{ code, rule: 'V-101', node: added, path: reached(wrong) }] satisfies Expected[];
            },
          }),
        ),
      ),
  };
}

function definitions(world: MutantWorld): readonly { readonly node: number; readonly text: string }[] {
  return world.nodes.flatMap((json, node) => {
    if (json.$kind === 'manifest') return [];
    const other = copy(json);
    other.name = json.$kind === 'defsecret' ? 'mutant/other@7' : 'mutant/other@1';
    return [{ node, text: printJson(other) }];
  });
}

/** The path of the value or member at which reading a JSON text stops, by a small reader of its own. */
function reached(text: string): readonly (string | number)[] {
  const path: (string | number)[] = [];
  let at = 0;
  const seenIn: Set<string>[] = [];
  const space = () => {
    while (/[ \t\r\n]/.test(text[at] ?? '')) at += 1;
  };
  class Stop extends Error {}
  const string = (): string => {
    const found = /^"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/.exec(text.slice(at))?.[0];
    // Control characters stand in no string as they are.
    if (found === undefined || [...found].some((char) => char < ' ')) throw new Stop();
    at += found.length;
    const value = JSON.parse(found) as string;
    if (!value.isWellFormed()) throw new Stop();
    return value;
  };
  const value = (): void => {
    space();
    const open = text[at];
    if (open === '{' || open === '[') {
      if (path.length >= 128) throw new Stop();
      at += 1;
      const seen = new Set<string>();
      seenIn.push(seen);
      const close = open === '{' ? '}' : ']';
      for (let index = 0; ; index += 1) {
        space();
        if (index === 0 && text[at] === close) break;
        if (open === '{') {
          const name = string();
          path.push(name);
          if (seen.has(name)) throw new Stop();
          seen.add(name);
          space();
          if (text[at] !== ':') throw new Stop();
          at += 1;
        } else path.push(index);
        value();
        path.pop();
        space();
        if (text[at] === close) break;
        if (text[at] !== ',') throw new Stop();
        at += 1;
      }
      at += 1;
    } else if (open === '"') string();
    else {
      const token = /^(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/.exec(
        text.slice(at),
      )?.[0];
      // Longer integers are nothing that the language has a use for; the parser takes none.
      if (token === undefined || (token.length > 1000 && !/[.eE]/.test(token))) throw new Stop();
      at += token.length;
    }
  };
  try {
    value();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
  }
  return path;
}

export const FILE_CLASSES: readonly MutationClass[] = [
  file('a file that ends too early', 'json.invalid', (text) => [
    text.slice(0, 1),
    text.slice(0, Math.floor(text.length / 3)),
    text.slice(0, Math.floor(text.length / 2)),
    text.slice(0, -1),
  ]),
  file('a file that goes on', 'json.invalid', (text) => [`${text} x`, `${text}${text}`, `[${text}] ,`]),
  file('a member twice', 'json.duplicate_key', (text) => [
    text.replace('"name"', '"$kind":"defplan","name"'),
    text.replace(/\}$/, ',"name":"mutant/again@1"}'),
  ]),
  file('a text that is no Unicode', 'json.invalid', (text) => [
    text.replace('mutant/other', 'mutant/\\ud800other'),
    text.replace('"name"', '"\\udc00":1,"name"'),
    text.replace('mutant/other', `mutant/${String.fromCharCode(0xd800)}other`),
  ]),
  file('JSON that other parsers take', 'json.invalid', (text) => [
    text.replace(/\}$/, ',}'),
    text.replace('"name"', 'name'),
    text.replace('"name"', "'name'"),
    text.replace('{', '{ // note\n'),
    text.replace(/\}$/, ',"x":NaN}'),
    text.replace(/\}$/, ',"x":01}'),
    text.replace(/\}$/, ',"x":+1}'),
    text.replace(/\}$/, ',"x":"a\tb"}'),
    text.replace(/\}$/, ',"x":"\\x41"}'),
    text.replace(/\}$/, `,"x":${'['.repeat(128)}${']'.repeat(128)}}`),
    text.replace(/\}$/, `,"x":1${'0'.repeat(1000)}}`),
  ]),
  {
    name: 'a file that holds no node',
    alone: true,
    places: (world) =>
      ['7', '"x"', 'null', 'true'].map(
        (text): Place => ({
          at: text,
          node: world.nodes.length,
          change: (draft) => {
            const node = draft.add({});
            draft.texts.set(node, text);
            return [{ code: 'json.invalid', rule: 'V-101', node, path: [] }];
          },
        }),
      ),
  },
  {
    name: 'harmless: blank files, byte order marks, lists and long lines',
    places: (world) => [
      ...['', ' \n\t', '\ufeff', '[]'].map(
        (text): Place => ({
          at: `a further file ${JSON.stringify(text)}`,
          node: world.nodes.length,
          change: (draft) => {
            draft.texts.set(draft.add({}), text);
            return [];
          },
        }),
      ),
      ...world.nodes.map(
        (json, node): Place => ({
          at: `node ${node} in a list behind a byte order mark, on one line`,
          node,
          change: (draft) => {
            draft.texts.set(node, `\ufeff[${printJson(json)}]`);
            return [];
          },
        }),
      ),
    ],
  },
];
