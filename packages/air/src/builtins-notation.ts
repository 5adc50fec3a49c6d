import type { ScalarKind, Type } from './type.ts';

/**
 * Reads the type notation of `builtins.md`: scalar names, `list<T>`, `set<T>`, `map<K, V>`, `option<T>`,
 * `{field: T, optional?: U}`, `variant(Arm, Other: T)` and schema names.
 *
 * @throws Error on a malformed text: the built-in tables are part of this package, so that is a bug.
 */
export function typeFromNotation(text: string): Type {
  let position = 0;

  /** Patterns are sticky: they match here or not at all. */
  function take(pattern: RegExp): string | undefined {
    pattern.lastIndex = position;
    const found = pattern.exec(text);
    if (found === null) return undefined;
    position = pattern.lastIndex;
    return found[0].trim();
  }

  function expect(pattern: RegExp): string {
    const found = take(pattern);
    if (found === undefined) throw new Error(`type notation: unexpected "${text.slice(position)}" in "${text}"`);
    return found;
  }

  function members(close: RegExp): Map<string, Type> {
    const found = new Map<string, Type>();
    while (take(close) === undefined) {
      if (found.size > 0) expect(/,\s*/y);
      const name = expect(/[A-Za-z_][A-Za-z0-9_]*/y);
      const optional = take(/\?/y) !== undefined;
      // Only arms of a variant may go without a type.
      const type: Type = take(/:\s*/y) === undefined ? { kind: 'unit' } : read();
      found.set(name, optional ? { kind: 'option', item: type } : type);
    }
    return found;
  }

  function read(): Type {
    if (take(/\{/y) !== undefined) return { kind: 'record', fields: members(/\}/y) };
    const word = expect(/[a-z][A-Za-z0-9_./-]*(?:@[0-9]+)?/y);
    if (word.includes('/')) return { kind: 'ref', name: word };
    switch (word) {
      case 'variant':
        expect(/\(/y);
        return { kind: 'variant', arms: members(/\)/y) };
      case 'list':
      case 'set':
      case 'option': {
        expect(/</y);
        const item = read();
        expect(/>/y);
        return { kind: word, item };
      }
      case 'map': {
        expect(/</y);
        const key = read();
        expect(/,\s*/y);
        const value = read();
        expect(/>/y);
        return { kind: 'map', key, value };
      }
      default:
        if (!SCALARS.has(word)) throw new Error(`type notation: unknown type "${word}" in "${text}"`);
        return { kind: word as ScalarKind };
    }
  }

  const type = read();
  if (position < text.length) throw new Error(`type notation: "${text.slice(position)}" is left over in "${text}"`);
  return type;
}

const SCALARS: ReadonlySet<string> = new Set([
  'bool',
  'int',
  'nat',
  'dec128',
  'bytes',
  'text',
  'time',
  'duration',
  'hash',
  'uuid',
  'unit',
]);
