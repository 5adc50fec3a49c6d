import { readFileSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Json, parseJson } from '@worldline/air';
import { fromUtf8 } from '@worldline/canon';
import { stop } from './failure.ts';

/** Values given to commands: a JSON literal, `@file`, or `@-` for stdin (`host.md` §12.1). */

/** Largest value that any command takes; a world's own limits are checked later. */
export const MAX_INPUT_BYTES = 16 * 1024 * 1024;
/** Largest file that `blob put` takes (`host.md` §8.1). */
export const MAX_BLOB_BYTES = 256 * 1024 * 1024;

/** Bytes of `@file` or `@-`. @param name - argument, for messages. */
export function readBytes(argument: string, name: string, maxBytes: number, cwd: string): Uint8Array {
  if (!argument.startsWith('@')) {
    stop('invalid_request', `${name} must be @file, or @- for standard input`, {
      hint: `write @${argument} to read that file`,
    });
  }
  const file = argument.slice(1);
  if (file === '') stop('invalid_request', `${name} names no file`, { hint: 'write @file, or @- for standard input' });
  if (file === '-') return readStdin(name, maxBytes);
  const path = resolve(cwd, file);
  let size: number;
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) stop('invalid_request', `${name}: ${file} is a folder`, { hint: 'name a file' });
    size = stat.size;
  } catch (error) {
    if (error instanceof Error && error.name === 'CommandError') throw error;
    return stop('not_found', `${name}: there is no file ${file}`, { hint: 'paths are relative to the current folder' });
  }
  if (size > maxBytes) tooLarge(name, size, maxBytes);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return stop('invalid_request', `${name}: ${file} cannot be read: ${(error as Error).message}`);
  }
  if (bytes.length > maxBytes) tooLarge(name, bytes.length, maxBytes);
  return bytes;
}

function readStdin(name: string, maxBytes: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    let read: number;
    try {
      read = readSync(0, buffer);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EOF') break;
      if (code !== 'EAGAIN') return stop('invalid_request', `${name}: standard input cannot be read: ${message}`);
      // The other end of a pipe that does not block has nothing yet.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      continue;
    }
    if (read === 0) break;
    size += read;
    if (size > maxBytes) tooLarge(name, undefined, maxBytes);
    chunks.push(buffer.slice(0, read));
  }
  return Buffer.concat(chunks);
}

function tooLarge(name: string, size: number | undefined, maxBytes: number): never {
  stop(
    'too_large',
    size === undefined
      ? `${name} has more than the ${maxBytes} bytes that are taken`
      : `${name} has ${size} bytes, at most ${maxBytes} are taken`,
    { hint: 'store large content with "worldline blob put" and pass its hash' },
  );
}

/**
 * The JSON value of an argument.
 *
 * @param name - as the usage line calls it, `<value>`; also for messages.
 */
export function readJson(argument: string, name: string, cwd: string): Json {
  let text = argument;
  let source = name;
  if (argument.startsWith('@')) {
    source = argument === '@-' ? 'standard input' : argument.slice(1);
    const decoded = fromUtf8(readBytes(argument, name, MAX_INPUT_BYTES, cwd));
    if (decoded === undefined) stop('decode_error', `${source} is not UTF-8 text`);
    text = decoded.replace(/^\ufeff/, '');
  } else if (argument.length > MAX_INPUT_BYTES) {
    tooLarge(name, argument.length, MAX_INPUT_BYTES);
  }
  const json = parseJson(text);
  if (json.ok) return json.value;
  const { line, column, message, code, path } = json.failure;
  return stop('decode_error', `${source}:${line}:${column}: ${message}`, {
    path,
    hint: /^[A-Za-z_][\w .-]*$/.test(argument)
      ? `a text is written with quotes: '"${argument}"'`
      : 'give JSON, @file, or @- for standard input',
    details: [{ code, pointer: '', message, line, column }],
  });
}
