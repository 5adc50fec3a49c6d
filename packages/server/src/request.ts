import type { IncomingMessage } from 'node:http';
import { isJsonObject, type Json, parseJson, suggestHint } from '@worldline/air';
import { fromUtf8, ok } from '@worldline/canon';
import { type Answer, refuse } from '@worldline/host';

/** What an endpoint is asked, already taken apart. */
export interface ApiRequest {
  /** Path segments that the endpoint's pattern leaves open, decoded. */
  readonly params: readonly string[];
  readonly query: URLSearchParams;
  /** Undefined when the request has no body. */
  readonly body: Json | undefined;
  readonly identity: Identity;
  /** Header `Idempotency-Key` (`host.md` §8.4), as it came. */
  readonly idempotencyKey?: string | undefined;
  /** Header `Last-Event-ID` (`host.md` §9), as it came. */
  readonly lastEventId?: string | undefined;
  /** Whether the caller might still ask this: for answers that go on longer than a token is valid. */
  readonly isAllowed: () => boolean;
}

export interface Identity {
  /** `socket:<user>`, `owner`, or `token:<name>`. */
  readonly name: string;
  readonly scopes: readonly string[];
  /** For `approvals.rules`: those of the token, or every one, which only the world's owner has. Absent: none. */
  readonly roles?: readonly string[] | 'every' | undefined;
  /** The world that a token belongs to: what it is called here, and its id or address. */
  readonly peer?: { readonly name: string; readonly world: string } | undefined;
}

/**
 * Reads a body to its end, or up to the limit.
 *
 * @returns `too_large`, or `invalid_request` when the sender gave up.
 */
export function readBody(message: IncomingMessage, bytesMax: number): Promise<Answer<Uint8Array>> {
  const tooLarge = refuse('too_large', `a body has at most ${bytesMax} bytes`, {
    hint: 'Store large content as a blob and pass its hash.',
  });
  if (Number(message.headers['content-length'] ?? 0) > bytesMax) return Promise.resolve(tooLarge);
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    message.on('data', (chunk: Uint8Array) => {
      size += chunk.length;
      if (size > bytesMax) {
        // Nothing more is kept; the connection is closed behind the answer.
        chunks.length = 0;
        resolve(tooLarge);
      } else chunks.push(chunk);
    });
    message.on('end', () => resolve(ok(new Uint8Array(Buffer.concat(chunks)))));
    message.on('error', () => resolve(refuse('invalid_request', 'the request broke off')));
    message.on('close', () => resolve(refuse('invalid_request', 'the request broke off')));
  });
}

/** @returns the JSON value of a body; undefined when there is none. */
export function parseBody(bytes: Uint8Array, contentType: string | undefined): Answer<Json | undefined> {
  if (bytes.length === 0) return ok(undefined);
  const type = contentType?.split(';')[0]?.trim().toLowerCase();
  if (type !== undefined && type !== 'application/json')
    return refuse('invalid_request', `a body is application/json, not ${type.slice(0, 80)}`, {
      path: ['content-type'],
    });
  const text = fromUtf8(bytes);
  if (text === undefined) return refuse('decode_error', 'the body is not UTF-8 text');
  const json = parseJson(text);
  if (json.ok) return json;
  const { line, column, message, path } = json.failure;
  return refuse('decode_error', `body:${line}:${column}: ${message}`, { path });
}

/**
 * Members of a body by type (`host.md` §8.2: unknown ones are refused). The first wrong one is remembered, and reading
 * goes on with a harmless value.
 */
export class Members {
  readonly #object: { readonly [key: string]: Json | undefined };
  readonly #at: readonly string[];
  #problem: ReturnType<typeof refuse> | undefined;

  /** @param at - path of the object from the body's root. */
  constructor(body: Json | undefined, known: readonly string[], at: readonly string[] = []) {
    this.#at = at;
    if (body === undefined) this.#object = {};
    else if (isJsonObject(body)) this.#object = body;
    else {
      this.#object = {};
      this.#problem = refuse('invalid_request', 'the body must be an object');
    }
    for (const key of Object.keys(this.#object)) {
      if (known.includes(key)) continue;
      const hint = suggestHint(key, known);
      this.#refuse(key, `there is no member "${key.slice(0, 80)}" here`, hint);
    }
  }

  /** Why the body cannot be used; undefined when everything asked for so far was right. */
  get problem(): ReturnType<typeof refuse> | undefined {
    return this.#problem;
  }

  #refuse(key: string, message: string, hint?: string): void {
    this.#problem ??= refuse('invalid_request', message, {
      path: [...this.#at, key],
      ...(hint === undefined ? {} : { hint }),
    });
  }

  has(key: string): boolean {
    return this.#object[key] !== undefined && this.#object[key] !== null;
  }

  json(key: string): Json | undefined {
    return this.#object[key];
  }

  text(key: string): string {
    const value = this.#object[key];
    if (typeof value === 'string') return value;
    this.#refuse(key, value === undefined ? `"${key}" is missing` : `"${key}" must be a text`);
    return '';
  }

  optionalText(key: string): string | undefined {
    return this.has(key) ? this.text(key) : undefined;
  }

  optionalFlag(key: string): boolean | undefined {
    if (!this.has(key)) return undefined;
    const value = this.#object[key];
    if (typeof value === 'boolean') return value;
    this.#refuse(key, `"${key}" must be true or false`);
    return undefined;
  }

  choice<T extends string>(key: string, choices: readonly T[]): T {
    const value = this.text(key);
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.#refuse(key, `"${key}" must be ${choices.join(', ')}`);
    return found ?? choices[0]!;
  }

  /** A whole number from 0; decimal text is taken too. */
  optionalCount(key: string): number | undefined {
    if (!this.has(key)) return undefined;
    const value = this.#object[key];
    const number = typeof value === 'string' && /^[0-9]{1,16}$/.test(value) ? Number(value) : value;
    if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number;
    this.#refuse(key, `"${key}" must be a whole number`);
    return undefined;
  }

  /** An object with members of its own. */
  optionalObject(key: string, known: readonly string[]): Members | undefined {
    if (!this.has(key)) return undefined;
    const value = this.#object[key]!;
    if (!isJsonObject(value)) {
      this.#refuse(key, `"${key}" must be an object`);
      return undefined;
    }
    return new Members(value, known, [...this.#at, key]);
  }
}
