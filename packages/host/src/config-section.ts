import { type Holds, type Shape, suggestHint } from '@worldline/air';
import type { Failure, Path } from '@worldline/canon';
import { HOST_CONFIG_SHAPE } from './config-shape.ts';

/** Reads the objects of `worldline.host.json` by their shapes, and remembers every problem. */

/** Keys of the specification that a later release brings. */
const LATER_KEYS = new Set(['publish', 'llm', 'mcp', 'vault']);

export type JsonObject = Readonly<Record<string, unknown>>;

export class Reader {
  readonly problems: Failure[] = [];

  add(code: string, path: Path, message: string, hint?: string): void {
    this.problems.push({ code, path, message, hint });
  }

  object(value: unknown, path: Path, keys: readonly string[]): JsonObject {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      this.add('config.invalid', path, 'expected an object');
      return {};
    }
    for (const key of Object.keys(value)) {
      if (keys.includes(key)) continue;
      if (path.length === 0 && LATER_KEYS.has(key)) {
        this.add('unsupported', [key], `not supported yet: "${key}"`, 'Remove this section.');
        continue;
      }
      const hint = suggestHint(key, keys) ?? `Known keys: ${keys.join(', ')}.`;
      this.add('config.unknown_key', [...path, key], `unknown key "${key}"`, hint);
    }
    return value as JsonObject;
  }

  section(root: JsonObject, name: keyof typeof HOST_CONFIG_SHAPE): Section {
    const { holds } = HOST_CONFIG_SHAPE[name];
    return new Section(this, root[name] ?? {}, [name], holds.is === 'object' ? holds.shape : {});
  }
}

/** One object of the file, its keys those of its shape; each is read as the shape says, with a default. */
export class Section {
  readonly #reader: Reader;
  readonly #path: Path;
  readonly #shape: Shape;
  readonly #value: JsonObject;

  constructor(reader: Reader, value: unknown, path: Path, shape: Shape) {
    this.#reader = reader;
    this.#path = path;
    this.#shape = shape;
    this.#value = reader.object(value, path, Object.keys(shape));
  }

  /** What the shape says of a key. @throws Error when it holds something else than its reader takes it for. */
  #holds<I extends Holds['is']>(key: string, is: I): Holds & { readonly is: I } {
    const holds = this.#shape[key]?.holds;
    if (holds?.is !== is)
      throw new Error(`${[...this.#path, key].join('.')} holds ${holds?.is ?? 'nothing'}, not ${is}`);
    return holds as Holds & { readonly is: I };
  }

  #read<T>(key: string, expected: string, otherwise: T, test: (value: unknown) => T | undefined): T {
    const value = this.#value[key];
    if (value === undefined) return otherwise;
    const read = test(value);
    if (read !== undefined) return read;
    this.#reader.add('config.invalid', [...this.#path, key], `expected ${expected}`);
    return otherwise;
  }

  count(key: string, otherwise: number): number {
    const min = Number(this.#holds(key, 'integer').min);
    return this.#read(key, `a whole number from ${min}`, otherwise, (v) =>
      typeof v === 'number' && Number.isSafeInteger(v) && v >= min ? v : undefined,
    );
  }

  flag(key: string, otherwise: boolean): boolean {
    this.#holds(key, 'flag');
    return this.#read(key, 'true or false', otherwise, (v) => (typeof v === 'boolean' ? v : undefined));
  }

  text(key: string, otherwise: string): string {
    const { notEmpty } = this.#holds(key, 'text');
    return this.#read(key, 'text', otherwise, (v) =>
      typeof v === 'string' && !(notEmpty === true && v === '') ? v : undefined,
    );
  }

  /** Where a secret is found: `env:…`, `file:…` or an id of `secrets.bindings`. The secret itself is refused. */
  place(key: string, bindings: Readonly<Record<string, string>>): string {
    const place = this.text(key, '');
    if (place !== '' && !/^(env|file):./.test(place) && !Object.hasOwn(bindings, place))
      this.refuse(key, `a ${key} is not written here; say where it is found: "env:NAME", "file:name", or a binding`);
    return place;
  }

  /** Nanoseconds since the Unix epoch, as decimal text. */
  instantNs(key: string): bigint | undefined {
    const { pattern } = this.#holds(key, 'text');
    return this.#read<bigint | undefined>(key, 'nanoseconds since 1970 as decimal text', undefined, (v) =>
      typeof v === 'string' && pattern?.test(v) === true ? BigInt(v) : undefined,
    );
  }

  optionalText(key: string): string | undefined {
    this.#holds(key, 'text');
    return this.#read<string | undefined>(key, 'text', undefined, (v) => (typeof v === 'string' ? v : undefined));
  }

  /** Text of the shape's pattern. */
  matching(key: string, expected: string): string | undefined {
    const { pattern } = this.#holds(key, 'text');
    return this.#read<string | undefined>(key, expected, undefined, (v) =>
      typeof v === 'string' && pattern?.test(v) === true ? v : undefined,
    );
  }

  choice<T extends string>(key: string, otherwise: T): T {
    const choices = Object.keys(this.#holds(key, 'choice').values) as T[];
    return this.#read(key, choices.map((c) => `"${c}"`).join(' or '), otherwise, (v) => choices.find((c) => c === v));
  }

  texts(key: string): readonly string[] {
    this.#holds(key, 'list');
    return this.#read<readonly string[]>(key, 'a list of texts', [], (v) =>
      Array.isArray(v) && v.every((item) => typeof item === 'string') ? (v as string[]) : undefined,
    );
  }

  choices<T extends string>(key: string): readonly T[] {
    const { items } = this.#holds(key, 'list');
    if (items.is !== 'choice') throw new Error(`${[...this.#path, key].join('.')} is no list of choices`);
    const known = Object.keys(items.values) as T[];
    return this.#read<readonly T[]>(key, `a list of ${known.map((c) => `"${c}"`).join(', ')}`, [], (v) =>
      Array.isArray(v) && v.every((item) => known.includes(item as T)) ? (v as T[]) : undefined,
    );
  }

  counts(key: string): readonly number[] {
    this.#holds(key, 'list');
    return this.#read<readonly number[]>(key, 'a list of whole numbers', [], (v) =>
      Array.isArray(v) && v.every((item) => Number.isSafeInteger(item)) ? (v as number[]) : undefined,
    );
  }

  textMap(key: string): Readonly<Record<string, string>> {
    const entries = Object.entries(this.#entries(key));
    for (const [name, text] of entries)
      if (typeof text !== 'string') this.#reader.add('config.invalid', [...this.#path, key, name], 'expected text');
    return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
  }

  list<T>(key: string, shape: Shape, read: (item: Section) => T | undefined): readonly T[] {
    this.#holds(key, 'list');
    const items = this.#read<readonly unknown[]>(key, 'a list', [], (v) => (Array.isArray(v) ? v : undefined));
    return items.flatMap((item, i) => read(new Section(this.#reader, item, [...this.#path, key, i], shape)) ?? []);
  }

  child(key: string): Section {
    const { shape } = this.#holds(key, 'object');
    return new Section(this.#reader, this.#value[key] ?? {}, [...this.#path, key], shape);
  }

  /** The same where no object is another thing than an empty one. Null is none. */
  optionalChild(key: string): Section | undefined {
    return this.#value[key] === null || !this.has(key) ? undefined : this.child(key);
  }

  /** An object of objects, by keys of the author's. */
  map<T>(key: string, shape: Shape, read: (item: Section) => T): Readonly<Record<string, T>> {
    return Object.fromEntries(
      Object.entries(this.#entries(key)).map(([name, item]) => [
        name,
        read(new Section(this.#reader, item, [...this.#path, key, name], shape)),
      ]),
    );
  }

  /** An object whose keys are the author's. */
  #entries(key: string): JsonObject {
    this.#holds(key, 'map');
    const given = this.#value[key] ?? {};
    return this.#reader.object(given, [...this.#path, key], Object.keys(given));
  }

  refuse(key: string, message: string): void {
    this.#reader.add('config.invalid', [...this.#path, key], message);
  }

  /** Reports the keys that must be there and are not. */
  needed(): void {
    for (const [key, { required }] of Object.entries(this.#shape))
      if (required !== undefined && !this.has(key)) this.refuse(key, `"${key}" is missing`);
  }

  has(key: string): boolean {
    return this.#value[key] !== undefined;
  }

  raw(key: string): unknown {
    return this.#value[key];
  }
}
